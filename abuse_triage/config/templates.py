"""An operator's own templates: which files there are, and what stands in them."""

import difflib
from collections.abc import Collection
from itertools import islice
from pathlib import Path
from typing import NoReturn

from abuse_triage.errors import ConfigError

_MAX_BYTES = 20_000
_MAX_FILES = 100


def templates(folder: Path, known: Collection[str]) -> dict[str, str]:
    """Read the templates in a folder, each of at most 20 kB: texts by name, such as "pt/incident.txt.j2".

    A file whose name begins with a dot is passed over; any other that is no template is an error, because it would be
    passed over as well, and whoever wrote it expects otherwise.

    Args:
        folder: that `reply.templates` names.
        known: the names that there may be.

    Raises:
        ConfigError: with every file that cannot be read or used, as lines `file: problem`.
    """
    texts: dict[str, str] = {}
    problems: list[str] = []
    try:
        paths = _files(folder)
    except OSError as error:
        raise ConfigError((f"{folder}: reply.templates: cannot be read: {error.strerror}",)) from error
    for path in paths:
        name = path.relative_to(folder).as_posix()
        try:
            texts[name] = _text(path) if name in known else _unknown(name, known)
        except ConfigError as error:
            problems += [f"{folder.name}/{name}: {problem}" for problem in error.problems]
    if len(paths) > _MAX_FILES:
        problems.append(f"{folder}: reply.templates: has more than {_MAX_FILES} files")
    if problems:
        raise ConfigError(tuple(problems))
    return texts


def _files(folder: Path) -> list[Path]:
    """List the files of a folder and of the folders in it, one more than the limit at most."""
    found: list[Path] = []
    for entry in sorted(islice(folder.iterdir(), _MAX_FILES + 1)):
        inside = entry.is_dir() and not entry.name.startswith(".")
        found += sorted(islice(entry.iterdir(), _MAX_FILES + 1)) if inside else [entry]
    return [path for path in found if not path.name.startswith(".")][: _MAX_FILES + 1]


def _unknown(name: str, known: Collection[str]) -> NoReturn:
    close = difflib.get_close_matches(name, sorted(known), n=1)
    raise ConfigError((f"there is no such template{f'; did you mean {close[0]}?' if close else ''}",))


def _text(path: Path) -> str:
    if not path.is_file():
        raise ConfigError(("is not a file",))
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError((f"cannot be read: {error.strerror}",)) from error
    if len(content) > _MAX_BYTES:
        raise ConfigError((f"is larger than {_MAX_BYTES // 1000} kB",))
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigError((f"line {line}: is not UTF-8",)) from error
