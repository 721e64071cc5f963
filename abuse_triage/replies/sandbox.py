"""The language of templates: a small part of jinja2's, so that none can take long, reach anything or grow.

Text, `{{ … }}`, `{% if %}`, `{% for %}` and comments; values are joined with `~` and compared; the functions below are
the only ones. What is allowed is listed, and every template is checked against the list before it is compiled. jinja2's
own sandbox stands behind it.
"""

import dataclasses
import difflib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes, select_autoescape
from jinja2.sandbox import ImmutableSandboxedEnvironment

from abuse_triage.model.report import Kind
from abuse_triage.replies import columns

WIDTH = 68
"""Columns of a line at most."""
_INDENT = 14
_DEEPEST = 20
"""Statements inside of each other, far below what Python's own compiler takes."""
_LOOPS = 2
"""Loops inside of each other."""
_ALLOWED = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Name, nodes.Const, nodes.Concat),
    *(nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.CondExpr, nodes.Getattr, nodes.Getitem),
    *(nodes.Dict, nodes.Pair, nodes.Tuple, nodes.List, nodes.Call, nodes.Keyword),
)
_TAGS = {
    nodes.Assign: "set",
    nodes.AssignBlock: "set",
    nodes.FromImport: "from",
    nodes.CallBlock: "call",
    nodes.FilterBlock: "filter",
    nodes.ScopedEvalContextModifier: "autoescape",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Who answers, as templates see it under the name `team`, in the template's language; "" and () for nothing."""

    name: str
    organisation: str
    hours: str
    telephones: tuple[str, ...]
    fingerprint: str
    policy_url: str


_ATTRIBUTES = tuple(one.name for one in dataclasses.fields(Signature))


def field(label: str, value: str) -> str:
    """Write a label and behind it its value, which begins in the same column on every line."""
    return columns.field(label, value, width=WIDTH, indent=_INDENT)


def item(text: str) -> str:
    """Write an item of a list, with a hyphen before it."""
    return columns.fill(text, WIDTH, first="- ", rest="  ")


def paragraph(text: str) -> str:
    """Break a text into lines."""
    return columns.fill(text, WIDTH)


def either(several: tuple[str, ...], word: str) -> str:
    """Join several values with a word between them, such as "or"."""
    if not isinstance(several, tuple):
        raise TypeError("either() takes several values, such as team.telephones, and a word")
    return f" {word} ".join(several)


def indicators(counts: Mapping[Kind, int], *, none: str, words: Mapping[str, tuple[str, str]]) -> str:
    """Write "2 URLs, 1 domain" from `counts`, the words for one and for many of each kind, and what to say for none."""
    named = (f"{counts[kind]} {words[kind][counts[kind] != 1]}" for kind in Kind if counts.get(kind))
    return ", ".join(named) or none


FUNCTIONS: Mapping[str, Callable[..., str]] = {
    "field": field,
    "item": item,
    "paragraph": paragraph,
    "either": either,
    "indicators": indicators,
}
"""What a template may call."""
_CALLABLE = frozenset(FUNCTIONS.values())


class Environment(ImmutableSandboxedEnvironment):
    """jinja2's sandbox, narrowed to the attributes of `team` and to our functions."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:  # noqa: ARG002 -- jinja2's signature
        """Allow what `Signature` documents, and nothing of any other object."""
        return isinstance(obj, Signature) and attr in _ATTRIBUTES

    def is_safe_callable(self, obj: Any) -> bool:
        """Allow our functions, and nothing else that can be called."""
        return obj in _CALLABLE


def environment() -> Environment:
    """Return an environment without a loader, in which an unknown variable is an error."""
    made = Environment(
        undefined=StrictUndefined,
        autoescape=select_autoescape(),
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals.clear()
    made.globals.update(FUNCTIONS)
    made.filters.clear()
    made.tests.clear()
    return made


def complaints(made: Environment, source: str, variables: Collection[str]) -> Iterator[tuple[int, str]]:
    """Yield everything in a template that the language does not have, as line and problem, in the order of lines.

    Args:
        made: from `environment`.
        source: of the template; it should be bounded.
        variables: that this template may use.
    """
    try:
        tree = made.parse(source)
    except TemplateSyntaxError as error:
        yield error.lineno, str(error.message)
        return
    except RecursionError:
        yield 1, "is nested too deeply"
        return
    known = {*variables, *(name.name for name in tree.find_all(nodes.Name) if name.ctx == "store")}
    yield from sorted(set(_doubts(tree, known, depth=0, loops=0)))


def _doubts(node: nodes.Node, known: Collection[str], *, depth: int, loops: int) -> Iterator[tuple[int, str]]:
    if not isinstance(node, _ALLOWED):
        yield node.lineno, _not_offered(node)
        return
    if isinstance(node, nodes.If | nodes.For):
        depth += 1
        loops += isinstance(node, nodes.For)
        if depth > _DEEPEST or loops > _LOOPS:
            yield node.lineno, "is nested too deeply"
            return
    if isinstance(node, nodes.For) and node.recursive:
        yield node.lineno, "a loop cannot be recursive here"
    if isinstance(node, nodes.Name) and node.name not in known:
        yield node.lineno, _unknown("variable", node.name, known)
    if isinstance(node, nodes.Getattr):
        yield from _doubts_about_attribute(node)
    children = list(node.iter_child_nodes())
    if isinstance(node, nodes.Call):
        function = children.pop(0)
        if not isinstance(function, nodes.Name) or function.name not in FUNCTIONS:
            named = function.name if isinstance(function, nodes.Name) else "of this kind"
            yield node.lineno, _unknown("function", named, FUNCTIONS)
    for child in children:
        yield from _doubts(child, known, depth=depth, loops=loops)


def _doubts_about_attribute(node: nodes.Getattr) -> Iterator[tuple[int, str]]:
    if not isinstance(node.node, nodes.Name) or node.node.name != "team":
        yield node.lineno, f"only team has parts, such as team.name; .{node.attr} is not offered"
    elif node.attr not in _ATTRIBUTES:
        yield node.lineno, _unknown("part of team", node.attr, _ATTRIBUTES)


def _unknown(what: str, name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f"there is no {what} {name}" + (f"; did you mean {close[0]}?" if close else "")


def _not_offered(node: nodes.Node) -> str:
    if isinstance(node, nodes.Filter | nodes.Test):
        return f"the {type(node).__name__.lower()} {node.name} is not offered; there are no filters and tests"
    if isinstance(node, nodes.Stmt):
        tag = _TAGS.get(type(node), type(node).__name__.lower())
        return f"{{% {tag} %}} is not offered; there are if and for"
    return f"{type(node).__name__.lower()} is not offered; values are joined with ~ and compared"
