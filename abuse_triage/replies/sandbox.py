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

    def wrap_str_format(self, value: Any) -> None:  # noqa: ARG002 -- jinja2's signature
        """Take back the exception that jinja2 makes for `str.format`."""
        return

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
        known = {*variables, *(name.name for name in tree.find_all(nodes.Name) if name.ctx == "store")}
        yield from sorted(set(_doubts(tree, known, depth=0, loops=0)))
    except TemplateSyntaxError as error:
        yield error.lineno, str(error.message)
    except RecursionError:
        yield 1, "is nested too deeply"


def _doubts(node: nodes.Node, known: Collection[str], *, depth: int, loops: int) -> Iterator[tuple[int, str]]:
    """Yield what is wrong with a node and everything in it; `depth` and `loops` are those that it stands in."""
    if not isinstance(node, _ALLOWED):
        yield node.lineno, _not_offered(node)
        return
    depth += isinstance(node, nodes.If | nodes.For)
    loops += isinstance(node, nodes.For)
    if depth > _DEEPEST or loops > _LOOPS:
        yield node.lineno, "is nested too deeply"
        return
    problem = _doubt(node, known)
    if problem:
        yield node.lineno, problem
    for child in node.iter_child_nodes():
        if not (isinstance(node, nodes.Call) and child is node.node):
            yield from _doubts(child, known, depth=depth, loops=loops)


def _doubt(node: nodes.Node, known: Collection[str]) -> str:
    """Say what is wrong with one node, "" for nothing."""
    problem = ""
    match node:
        case nodes.For(recursive=True):
            problem = "a loop cannot be recursive here"
        case nodes.Name(name=name) if name not in known:
            problem = _unknown("variable", name, known)
        case nodes.Getattr(node=nodes.Name(name="team"), attr=attribute):
            problem = "" if attribute in _ATTRIBUTES else _unknown("part of team", attribute, _ATTRIBUTES)
        case nodes.Getattr(attr=attribute):
            problem = f"only team has parts, such as team.name; .{attribute} is not offered"
        case nodes.Call(node=nodes.Name(name=name)):
            problem = "" if name in FUNCTIONS else _unknown("function", name, FUNCTIONS)
        case nodes.Call():
            problem = f"only {', '.join(FUNCTIONS)} can be called"
    return problem


def _unknown(what: str, name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f"there is no {what} {name}" + (f"; did you mean {close[0]}?" if close else "")


def _not_offered(node: nodes.Node) -> str:
    if isinstance(node, nodes.Filter | nodes.Test):
        return f"the {type(node).__name__.lower()} {node.name} is not offered; there are no filters and tests"
    if isinstance(node, nodes.Stmt):
        tag = _TAGS.get(type(node), type(node).__name__.lower())
        return f"{{% {tag} %}} is not offered; there are if and for"
    written = node.operator if isinstance(node, nodes.BinExpr | nodes.UnaryExpr) else type(node).__name__.lower()
    return f"{written} is not offered; values are joined with ~ and compared"
