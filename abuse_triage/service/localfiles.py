"""The operator's own files about addresses and names, as new as they are on the disk: owners, registrars, systems."""

import contextlib
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from operator import attrgetter
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from abuse_triage.config.localtables import read_table
from abuse_triage.enrichment.owners import OWNER_COLUMNS, REGISTRAR_COLUMNS, Owners, owner, registrar
from abuse_triage.errors import ConfigError
from abuse_triage.lookups.asn import AsnFile
from abuse_triage.model.lookup_settings import LookupSettings
from abuse_triage.model.lookups import Offline, Registrar

log = structlog.get_logger()

OLD = timedelta(days=30)
"""Age of a file of autonomous systems from which on check-config says so."""
_PAUSE = 1.0
"""Seconds between two looks at whether a file has changed."""

T = TypeVar("T")
_Stamp = tuple[int, int, int, int]


class LocalFiles:
    """The files of one process; used by several threads at once.

    A file that has changed is read again with the next question; where it cannot be used, what was read before goes on
    to count, and the log says so once.
    """

    def __init__(self, settings: LookupSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Read them; raises `ConfigError` with the problems of all."""
        self._clock = clock
        self._next = clock() + _PAUSE
        self._owners = _Watched(settings.owners, _owners, Owners(()))
        self._registrars = _Watched[tuple[Registrar, ...]](settings.registrars, _registrars, ())
        self._systems = _Watched[AsnFile | None](settings.asn, _systems, None)
        if problems := [line for one in self._all() for line in one.start()]:
            raise ConfigError(tuple(problems))

    @property
    def present(self) -> bool:
        """Whether any file is named."""
        return any(one.path is not None for one in self._all())

    @property
    def registrars(self) -> Sequence[Registrar]:
        """The table of registrars and managing entities."""
        self._look()
        return self._registrars.value

    @property
    def systems_built(self) -> datetime | None:
        """When the file of autonomous systems was made, None where there is none."""
        self._look()
        systems = self._systems.value
        return systems.built if systems else None

    def offline(self, subject: str) -> Offline | None:
        """Return what the files say about a canonical address or name, None where they say nothing."""
        self._look()
        address = _address(subject)
        owned = self._owners.value.of(subject if address is None else address)
        systems = self._systems.value
        said = systems.of(address) if systems and address is not None else _SILENCE
        if owned is None:
            return said if said != _SILENCE else None
        return Offline(
            asn=said.asn,
            as_name=said.as_name,
            country=said.country,
            owner=owned.name,
            owner_contact=owned.contact,
            owner_note=owned.note,
            owner_key=owned.key,
        )

    def _all(self) -> tuple["_Watched[Owners]", "_Watched[tuple[Registrar, ...]]", "_Watched[AsnFile | None]"]:
        return self._owners, self._registrars, self._systems

    def _look(self) -> None:
        """Read again what has changed, at most once a second."""
        now = self._clock()
        if now >= self._next:
            self._next = now + _PAUSE
            for one in self._all():
                one.refresh()


class _Watched(Generic[T]):
    """A file and what was read from it last."""

    def __init__(self, path: Path | None, read: Callable[[Path], T], value: T) -> None:
        """`value` stands where no file is named."""
        self.value = value
        self.path = path
        self._read = read
        self._stamp: _Stamp | None = None

    def start(self) -> Sequence[str]:
        """Read it for the first time; returns its problems."""
        return self._again() if self.path else ()

    def refresh(self) -> None:
        """Read it again if it has changed, and log what becomes of that."""
        if self.path is None or _stamp(self.path) == self._stamp:
            return
        if problems := self._again():
            log.error("local-file-unfit", path=str(self.path), problems=list(problems))
        else:
            log.info("local-file-read", path=str(self.path))

    def _again(self) -> Sequence[str]:
        assert self.path is not None  # noqa: S101 -- both callers know
        self._stamp = _stamp(self.path)  # before reading: what changes meanwhile is seen next time
        try:
            self.value = self._read(self.path)
        except ConfigError as error:
            return error.problems
        return ()


_SILENCE = Offline()


def _address(subject: str) -> IPv4Address | IPv6Address | None:
    """Return a subject that is an address, None for a name, which may end in a digit too."""
    if ":" in subject or subject[-1:].isdigit():
        with contextlib.suppress(ValueError):
            return ip_address(subject)
    return None


def _stamp(path: Path) -> _Stamp | None:
    """Return what changes with a file, None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


def _owners(path: Path) -> Owners:
    return Owners(read_table(path, "lookups.owners", OWNER_COLUMNS, owner, attrgetter("key")))


def _registrars(path: Path) -> tuple[Registrar, ...]:
    return tuple(read_table(path, "lookups.registrars", REGISTRAR_COLUMNS, registrar, attrgetter("name")))


def _systems(path: Path) -> AsnFile:
    return AsnFile(path, "lookups.asn")


def problems(settings: LookupSettings) -> list[str]:
    """Return every problem in these files, as `file:line: problem`."""
    try:
        LocalFiles(settings)
    except ConfigError as error:
        return list(error.problems)
    return []


def notes(settings: LookupSettings) -> list[str]:
    """Say that the file of autonomous systems is old."""
    built = LocalFiles(settings).systems_built
    age = datetime.now(UTC) - built if built else timedelta(0)
    return [f"lookups.asn: {settings.asn} was made {age.days} days ago; get a newer one"] if age > OLD else []
