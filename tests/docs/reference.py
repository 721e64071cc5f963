"""Writes the reference parts of the documents from the code: `python tests/docs/reference.py` brings them up to date.

A generated part stands between `<!-- begin: NAME -->` and `<!-- end: NAME -->`.
"""

import re
from collections.abc import Iterator, Mapping
from inspect import Parameter, getdoc, signature
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from abuse_triage.enrichment import directory
from abuse_triage.model import openpgp
from abuse_triage.model.lookup_settings import PolicySettings
from abuse_triage.model.lookups import Level, LookupKind
from abuse_triage.model.section import Section
from abuse_triage.model.settings import Settings
from abuse_triage.replies import sandbox, wording
from abuse_triage.rules import facts, schema

DOCS = Path(__file__).resolve().parents[2] / "docs"
_PART = re.compile(r"(<!-- begin: (\S+) -->\n).*?(<!-- end: \2 -->)", re.DOTALL)
_ACTIONS: Mapping[str, type[BaseModel]] = {
    "gate": schema.GateThen,
    "mark": schema.MarkThen,
    "classify": schema.ClassifyThen,
    "route": schema.RouteThen,
}
_NEEDED = "*needed*"


def configuration() -> str:
    """Return one table of keys for each section of the configuration."""
    return "\n\n".join(_section(title, about, section) for title, about, section in _sections(Settings, ""))


def failure_table() -> str:
    """Return the table of why something could not be decrypted or checked, and what to do."""
    return _table(("reason", "what to do"), [(str(failure), advice) for failure, advice in openpgp.ADVICE.items()])


def policy_table() -> str:
    """Return the table of which look-ups leave at which TLP."""
    policy = PolicySettings()
    rows = [(f"`{kind}`", *(str(policy.permission(kind, level)) for level in Level)) for kind in LookupKind]
    return _table(("", *(str(level) for level in Level)), rows)


def fact_table() -> str:
    """Return the table of what a rule may look at."""
    rows = [(f"`{name}`", str(fact.type), fact.doc) for name, fact in facts.FACTS.items()]
    rows += [(f"`{start}<name>`", str(fact.type), fact.doc) for start, fact in facts.FAMILIES.items()]
    return _table(("fact", "type", "what it is"), rows)


def test_table() -> str:
    """Return the table of what may be asked of a fact."""
    return _table(("test", "meaning"), [(f"`{name}`", about) for name, about in _described(schema.Test)])


def action_table() -> str:
    """Return the table of what a rule may do, by phase."""
    rows = [(phase, f"`{name}`", about) for phase, model in _ACTIONS.items() for name, about in _described(model)]
    return _table(("phase", "action", "meaning"), rows)


def column_table() -> str:
    """Return the table of the columns of a contact file."""
    rows = [
        (column.title, f"`--{column.field.replace('_', '-')}`" if column.field != "email" else "ADDRESS", column.about)
        for column in directory.COLUMNS
    ]
    return _table(("column", "option", "what it holds"), rows)


def variable_table() -> str:
    """Return the table of what a template may say."""
    rows = [
        (f"`{name}`", ", ".join(variable.templates), variable.about) for name, variable in wording.VARIABLES.items()
    ]
    return _table(("variable", "in", "what it is"), rows)


def function_table() -> str:
    """Return the table of what a template may call."""
    rows = [
        (f"`{name}({', '.join(map(_argument, signature(function).parameters.values()))})`", getdoc(function) or "")
        for name, function in sandbox.FUNCTIONS.items()
    ]
    return _table(("function", "what it writes"), rows)


PARTS = {
    "configuration": configuration,
    "facts": fact_table,
    "policy": policy_table,
    "tests": test_table,
    "actions": action_table,
    "columns": column_table,
    "variables": variable_table,
    "failures": failure_table,
    "functions": function_table,
}
"""What writes each generated part."""


def renewed(text: str) -> str:
    """Return a document with its generated parts as the code is now."""
    return _PART.sub(lambda part: f"{part[1]}{PARTS[part[2]]()}\n{part[3]}", text)


def _sections(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, type[Section]]]:
    """Yield each table of the file with its heading, what it is for, and its keys."""
    for name, field in model.model_fields.items():
        section, repeated = _section_of(field)
        if section is not None:
            key = f"{prefix}{name}"
            yield f"[[{key}]]" if repeated else f"[{key}]", (section.__doc__ or "").strip(), section
            yield from _sections(section, f"{key}.")


def _section_of(field: FieldInfo) -> tuple[type[Section] | None, bool]:
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, Section):
            return kind, kind is not field.annotation
    return None, False


def _section(title: str, about: str, section: type[Section]) -> str:
    rows = [
        (f"`{name}`", _default(name, field, section), field.description or "")
        for name, field in section.model_fields.items()
        if _section_of(field)[0] is None
    ]
    return f"### `{title}`\n\n{about}\n\n{_table(('key', 'default', 'meaning'), rows)}"


def _default(name: str, field: FieldInfo, section: type[Section]) -> str:
    default = field.get_default(call_default_factory=True)
    if default is PydanticUndefined:
        return _NEEDED
    value = section.__pydantic_serializer__.to_python(
        section.model_construct(**{name: default}), mode="json", include={name}, warnings=False
    )[name]
    return f"`{_toml(value)}`"


def _toml(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str() if re.fullmatch(r"\d\d:\d\d:\d\d", value):
            return value
        case str():
            return f'"{value}"'
        case list():
            return f"[{', '.join(map(_toml, value))}]"
        case dict():
            return f"{{{', '.join(f'{_key(key)} = {_toml(item)}' for key, item in value.items())}}}"
    return str(value)


def _key(name: str) -> str:
    return name if re.fullmatch("[A-Za-z0-9_-]+", name) else f'"{name}"'


def _argument(parameter: Parameter) -> str:
    """Write an argument as a template does: those that have to be named with their names."""
    return f"{parameter.name}=…" if parameter.kind is Parameter.KEYWORD_ONLY else parameter.name


def _described(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        yield field.alias or name, (field.description or "") + _choices(field)


def _choices(field: FieldInfo) -> str:
    kinds = (field.annotation, *get_args(field.annotation))
    words = [word for kind in kinds if get_origin(kind) is Literal for word in get_args(kind) if isinstance(word, str)]
    return f" Written: {' or '.join(f'`{word}`' for word in words)}." if words else ""


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


if __name__ == "__main__":
    for document in sorted(DOCS.glob("*.md")):
        document.write_text(renewed(document.read_text("utf-8")), "utf-8")
