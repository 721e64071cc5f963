"""IANA's lists of RDAP services (RFC 9224): read from local files, and never at the moment of a question.

Only base URLs with HTTPS are taken. Where there is no list of names, a small table of our own takes its place.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path

from abuse_triage.errors import InputError
from abuse_triage.lookups.rdaptable import COMPILED, SERVICES
from abuse_triage.lookups.transport import with_slash

FILES = ("dns.json", "ipv4.json", "ipv6.json", "asn.json")
"""IANA's names of the lists."""
LARGEST = 2_000_000
"""Octets of a list; the longest had 60,000 in 2026."""
MOST_ENTRIES = 20_000
WARN_AFTER = timedelta(days=30)
ALARM_AFTER = timedelta(days=90)
BUILT_IN = "built-in table"
_LONGEST_PROBLEM = 200
_URL = re.compile(
    r"https://(?:[a-z0-9-]{1,63}\.){1,10}[a-z0-9-]{2,63}(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~-]{1,60}){0,8}/?"
)
_NAME = re.compile(r"[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,10}")
_RANGE = re.compile(r"([0-9]{1,10})(?:-([0-9]{1,10}))?")

Network = IPv4Network | IPv6Network
Key = str | Network | tuple[int, int]
"""An end of names, a network, or the ends of a range of autonomous systems."""


class Staleness(StrEnum):
    """How much a list is to be trusted by its age."""

    FRESH = "fresh"
    WARNING = "old"
    ALARM = "too old"


@dataclass(frozen=True, slots=True)
class Services:
    """One list: the name of its file or `BUILT_IN`, when it was published, and base URLs by what they are for."""

    name: str
    published: datetime
    bases: Mapping[Key, str]


class Bootstrap:
    """Every list that could be read, and what is wrong with the others; used by many threads."""

    def __init__(self, lists: Sequence[Services], problems: Sequence[str] = ()) -> None:
        """Take the lists, and one sentence for each that could not be read."""
        self.lists = tuple(lists)
        self.problems = tuple(problems)
        self._names: dict[str, str] = {}
        self._networks: dict[tuple[int, int, int], str] = {}
        self._ranges: list[tuple[tuple[int, int], str]] = []
        for key, base in (entry for services in lists for entry in services.bases.items()):
            if isinstance(key, str):
                self._names[key] = base
            elif isinstance(key, tuple):
                self._ranges.append((key, base))
            else:
                self._networks[_prefix(key.network_address, key.prefixlen)] = base
        lengths = {(version, length) for version, length, _ in self._networks}
        self._lengths = {
            version: sorted((length for which, length in lengths if which == version), reverse=True)
            for version in (4, 6)
        }

    def domain(self, name: str) -> str:
        """Return the base URL of the service for a name, by the longest end that is listed; "" for none."""
        labels = name.split(".")
        ends = (".".join(labels[start:]) for start in range(len(labels)))
        return next((self._names[end] for end in ends if end in self._names), "")

    def address(self, text: str) -> str:
        """Return the base URL of the service for an address, by the longest prefix that is listed; "" for none."""
        address = ip_address(text)
        prefixes = (_prefix(address, length) for length in self._lengths[address.version])
        return next((self._networks[prefix] for prefix in prefixes if prefix in self._networks), "")

    def autonomous_system(self, number: int) -> str:
        """Return the base URL of the service for an autonomous system, "" for none."""
        return next((base for (first, last), base in self._ranges if first <= number <= last), "")

    def bases(self) -> frozenset[str]:
        """Return every base URL."""
        return frozenset(base for services in self.lists for base in services.bases.values())


def staleness(published: datetime, now: datetime) -> Staleness:
    """Tell whether a list is so old that somebody should fetch a new one."""
    age = now - published
    if age >= ALARM_AFTER:
        return Staleness.ALARM
    return Staleness.WARNING if age >= WARN_AFTER else Staleness.FRESH


def load(folder: Path) -> Bootstrap:
    """Read the lists of a folder, as far as they are there; a broken one is reported, and the others count.

    Our own table counts where there is no list of names.
    """
    lists, problems = [], []
    for name in FILES:
        try:
            with (folder / name).open("rb") as file:
                content = file.read(LARGEST + 1)
            lists.append(parse(name, content))
        except FileNotFoundError:
            continue
        except OSError as error:
            problems.append(f"{name}: cannot be read: {error.strerror}")
        except InputError as error:
            problems.append(str(error))
    if not any(services.name == FILES[0] for services in lists):
        lists.insert(0, Services(BUILT_IN, COMPILED, dict(SERVICES.items())))
    return Bootstrap(lists, problems)


def parse(name: str, content: bytes) -> Services:
    """Return what a list says, under the name of its file; raises `InputError` for one that is none.

    An entry that makes no sense is left out, and so is one that has no URL with HTTPS.
    """
    try:
        return _checked(name, content)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        words = f"lacks {error}" if isinstance(error, KeyError) else str(error)
        raise InputError(
            f"{name}: is no list of RDAP services: {words[:_LONGEST_PROBLEM]}", advice="Fetch it again."
        ) from error


def _checked(name: str, content: bytes) -> Services:
    if len(content) > LARGEST:
        raise ValueError(f"is larger than {LARGEST} bytes")
    document = json.loads(content)
    published = datetime.fromisoformat(document["publication"])
    if published.tzinfo is None:
        raise ValueError("its date has no time zone")
    bases = {key: base for key, base in _entries(name, document["services"]) if base}
    if not bases:
        raise ValueError("lists no service")
    return Services(name, published.astimezone(UTC), bases)


def _entries(name: str, services: Iterable[object]) -> Iterator[tuple[Key, str]]:
    """Yield what each entry is for, and its base URL."""
    count = 0
    for service in services:
        match service:
            case [list(entries), list(urls)]:
                base = next((with_slash(url) for url in urls if isinstance(url, str) and _URL.fullmatch(url)), "")
                for entry in entries:
                    count += 1
                    if count > MOST_ENTRIES:
                        raise ValueError(f"has more than {MOST_ENTRIES} entries")
                    if isinstance(entry, str) and (key := _key(name, entry)) is not None:
                        yield key, base


def _key(name: str, entry: str) -> Key | None:
    """Return what an entry stands for, None where that makes no sense in this list."""
    if name == "dns.json":
        return entry.lower() if _NAME.fullmatch(entry.lower()) else None
    if name == "asn.json":
        match = _RANGE.fullmatch(entry)
        return (int(match[1]), int(match[2] or match[1])) if match else None
    try:
        return ip_network(entry)
    except ValueError:
        return None


def _prefix(address: IPv4Address | IPv6Address, length: int) -> tuple[int, int, int]:
    """Return what all addresses of a network have in common: version, length and the bits of that length."""
    return address.version, length, int(address) >> (address.max_prefixlen - length)
