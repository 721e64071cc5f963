"""From a TOML file to settings, or to every problem in it at once."""

import difflib
import json
import tomllib
from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from abuse_triage.errors import ConfigError
from abuse_triage.model.settings import Settings

_MAX_BYTES = 1_000_000
_SHOWN = 60
_WORDS = {
    "bool_type": "should be true or false",
    "dict_type": "should be a table",
    "int_type": "should be a whole number",
    "model_type": "should be a table",
    "path_type": "should be a path in quotation marks",
    "string_type": "should be text in quotation marks",
    "tuple_type": "should be a list in square brackets",
}
"""What pydantic says in Python's words, in TOML's."""
_EXAMPLE = "config.example.toml has them all"


def load(path: Path) -> Settings:
    """Read a configuration file of at most 1 MB; relative paths in it start at its folder.

    Raises:
        ConfigError: with every problem as a line `file: key: problem`.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            (f"{path}: cannot be read: {error.strerror}",), advice="`abuse-triage init` writes a first one."
        ) from error
    if len(content) > _MAX_BYTES:
        raise ConfigError((f"{path}: is larger than 1 MB",))
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigError((f"{path}: line {line}: is not UTF-8",)) from error
    return parse(text, name=str(path), folder=path.absolute().parent)


def parse(text: str, *, name: str, folder: Path | None = None) -> Settings:
    """Turn TOML into settings; `name` stands in the problems, and paths stay relative without a `folder`.

    Items of lists are counted from 1 in problems: `mailbox[2].address` is the address in the second [[mailbox]].

    Raises:
        ConfigError: with every problem as a line `name: key: problem`.
    """
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError((f"{name}: is not TOML: {error}",)) from error
    return validate(data, name=name, folder=folder)


def validate(data: object, *, name: str, folder: Path | None = None) -> Settings:
    """Turn plain data into settings as `parse` does."""
    try:
        return Settings.model_validate(data, context=folder)
    except ValidationError as error:
        raise ConfigError(tuple(f"{name}: {problem}" for problem in _problems(error))) from error


def number_format(settings: Settings) -> str:
    """Return the format of ticket numbers with the team's prefix filled in; `year` and `sequence` are left to fill."""
    return settings.tickets.number.replace("{prefix}", settings.team.ticket_prefix)


def _problems(error: ValidationError) -> list[str]:
    details = error.errors(include_url=False)
    places = [detail["loc"] for detail in details]
    return [
        f"{_key(detail['loc'])}: {_problem(detail)}"
        for detail in details
        # A list whose items are wrong is also called too short; the items say it better.
        if not any(len(place) > len(detail["loc"]) and place[: len(detail["loc"])] == detail["loc"] for place in places)
    ]


def _key(place: tuple[int | str, ...]) -> str:
    key = ""
    for step in place:
        if isinstance(step, int):
            key += f"[{step + 1}]"
        elif step != "[key]":  # pydantic's way of saying that it means the key, not its value
            key += f".{step}" if key else step
    return key


def _problem(detail: ErrorDetails) -> str:
    kind, place = detail["type"], detail["loc"]
    if kind == "extra_forbidden":
        known = list(_section(place[:-1]).model_fields)
        close = difflib.get_close_matches(str(place[-1]), known, n=1)
        return f"there is no such key; did you mean {close[0]}?" if close else "there is no such key"
    if kind == "missing":
        explanation = _section(place[:-1]).model_fields[str(place[-1])].description
        return f"is missing: {explanation or f'add a table for it; {_EXAMPLE}'}"
    if kind == "value_error":
        words = str(detail["ctx"]["error"])
        return words if str(detail["input"]) in words else words + _given(detail)
    if kind == "too_short":
        return "should have at least one item"
    words = _WORDS.get(kind) or detail["msg"].removeprefix("Input ")
    return words[0].lower() + words[1:] + _given(detail)


def _given(detail: ErrorDetails) -> str:
    """Show a short wrong value, so that a reader finds it in the file."""
    value = detail["input"]
    if not isinstance(value, (str, int, float)):
        return ""
    shown = json.dumps(value, ensure_ascii=True)
    return f", not {shown if len(shown) <= _SHOWN else f'{shown[:_SHOWN]}…'}"


def _section(place: tuple[int | str, ...]) -> type[BaseModel]:
    """Return the model that the problem stands in; list items are models of the field's element type."""
    model: type[BaseModel] = Settings
    for step in place:
        if isinstance(step, str):
            annotation = model.model_fields[step].annotation
            model = next(kind for kind in (annotation, *getattr(annotation, "__args__", ())) if _is_model(kind))
    return model


def _is_model(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
