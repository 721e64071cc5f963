"""Fetches IANA's lists of RDAP services into a folder, when an operator asks for it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from abuse_triage.errors import ConfigError, InputError
from abuse_triage.lookups.bootstrap import FILES, LARGEST, parse
from abuse_triage.lookups.transport import Transport, TransportError, with_slash

IANA = "https://data.iana.org/rdap/"
_READABLE = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What became of one list.

    `previous` is when the one that was there was published, None for none that could be read; `published` that of the
    one that is there now. `problem` says why it was not fetched, "" where it was.
    """

    name: str
    previous: datetime | None
    published: datetime | None
    entries: int = 0
    changed: bool = False
    problem: str = ""


def fetch(folder: Path, transport: Transport, *, seconds: float, base: str = IANA) -> Iterator[Fetched]:
    """Fetch one list after the other; what does not come, or is no list, leaves the file that is there.

    Args:
        folder: where the files are, made where it does not exist.
        transport: which may ask `base`.
        seconds: for each file.
        base: where the files are found; a parameter for tests and mirrors.

    Raises:
        ConfigError: if the folder or a file cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    for name in FILES:
        yield _fetch(folder / name, transport, with_slash(base) + name, seconds)


def _fetch(path: Path, transport: Transport, url: str, seconds: float) -> Fetched:
    old, previous = _there(path)
    try:
        content = transport.read(url, seconds)
        services = parse(path.name, content)
    except (TransportError, InputError) as error:
        return Fetched(name=path.name, previous=previous, published=previous, problem=str(error))
    if previous is not None and services.published < previous:
        problem = f"{path.name}: the list that is published is older than the one that is here"
        return Fetched(name=path.name, previous=previous, published=previous, problem=problem)
    if changed := content != old:
        _write(path, content)
    return Fetched(
        name=path.name,
        previous=previous,
        published=services.published,
        entries=len(services.bases),
        changed=changed,
    )


def _there(path: Path) -> tuple[bytes, datetime | None]:
    """Return the file that is there, and when it was published."""
    with suppress(OSError, InputError):
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        return content, parse(path.name, content).published
    return b"", None


def _write(path: Path, content: bytes) -> None:
    """Write a file that everybody may read, wholly or not at all."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                os.fchmod(descriptor, _READABLE)
                stream.write(content)
                stream.flush()
                os.fsync(descriptor)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(
        (f"{path}: cannot be written: {error.strerror}",),
        advice="Run it as the user who owns the folder, or set lookups.bootstrap.",
    )
