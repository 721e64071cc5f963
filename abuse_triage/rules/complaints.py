"""What is wrong with a file, as lines `file:line: where: problem` that a person can act on."""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from abuse_triage.rules.source import Path, Source

_SHOWN = 60


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return '; did you mean "…"?' for the nearest of the known words, "" where none is near."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.7)
    return f'; did you mean "{near[0]}"?' if near else ""


def complain(
    source: Source, error: ValidationError, models: Sequence[type[BaseModel]], below: Path = ()
) -> tuple[str, ...]:
    """Turn every error of a schema into a line.

    `models` are those whose keys are proposed for unknown ones, `below` is where the checked value stands.
    """
    keys = sorted({info.alias or name for model in models for name, info in model.model_fields.items()})
    return tuple(
        at(source, (*below, *details["loc"]), _say(details, keys)) for details in error.errors(include_url=False)
    )


def at(source: Source, where: Path, problem: str) -> str:
    """Return the line for a problem at one place of a document, with the id of the rule it is in."""
    return f"{source.name}:{source.line(where)}: {_title(source, where)}{problem}"


def _title(source: Source, where: Path) -> str:
    """Name the place: the rule's id and the keys below it that exist, such as "cls.x: when.any[0].subject: "."""
    known: Path = ()
    for part in where:
        if (*known, part) in source.lines:
            known = (*known, part)
    title = ""
    if known[:1] == ("rules",) and len(known) > 1:
        title = f"{_rule_id(source, known[1])}: "
        known = known[2:]
    keys = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in known).removeprefix(".")
    return f"{title}{keys}: " if keys else title


def _rule_id(source: Source, position: object) -> str:
    match source.data:
        case {"rules": list(rules)} if isinstance(position, int):
            match rules[position]:
                case {"id": str(rule_id)}:
                    return rule_id[:_SHOWN]
    return f"rule {position}"


def _say(details: ErrorDetails, keys: Sequence[str]) -> str:
    last = str(details["loc"][-1]) if details["loc"] else ""
    value = details["input"]
    value = value[:_SHOWN] if isinstance(value, str) else value
    shown = f" (here: {value!r})" if isinstance(value, str | int) else ""
    match details["type"]:
        case "extra_forbidden" if last in keys:
            return f'key "{last}" does not belong here'
        case "extra_forbidden":
            return f'unknown key "{last[:_SHOWN]}"{did_you_mean(last, keys)}'
        case "missing":
            return f'key "{last}" is missing'
        case "value_error":
            said = str(details["ctx"]["error"])
        case "union_tag_invalid":
            said = "phase must be gate, mark, classify or route"
        case "union_tag_not_found":
            said = 'key "phase" is missing'
        case "too_long" if details["loc"][-1:] == ("fact",):
            said = "a condition names one fact; put several conditions under all: or any:"
        case "model_type" | "model_attributes_type" | "dict_type":
            said = "must be a mapping"
        case _:
            said = re.sub("^(?:Input|String) should", "should", details["msg"])
    return said + shown
