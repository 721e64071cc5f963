"""Whose a network or name is, by the operator's own table: the longest entry around an address or name counts."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from abuse_triage.indicators.names import canonical
from abuse_triage.indicators.special import unwrap
from abuse_triage.model.lookups import LONGEST_TEXT, Registrar

OWNER_COLUMNS = ("key", "owner", "contact", "note")
"""The columns of the table of owners."""
REGISTRAR_COLUMNS = ("name", "contact", "note")
"""The columns of the table of registrars and managing entities."""
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,10}[A-Za-z0-9-]{2,63}")
_CACHED = 4096


Block = tuple[int, int, int]
"""A network: version, bits of the host part, and the number in front of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A line of the table: `key` is a network, an address or a domain in canonical form; it stands for all below it.

    `block` is the network, one address is a network too; None for a domain.
    """

    key: str
    block: Block | None
    name: str
    contact: str
    note: str


class Owners:
    """The table, ready to be asked about many addresses and names.

    Networks are kept by the length of their prefix, so that a million of them is there in seconds; an address is looked
    up once for every length that occurs, the longest first.
    """

    def __init__(self, owners: Iterable[Owner]) -> None:
        """Take the lines; of two with the same key the later one counts."""
        self._names: dict[str, Owner] = {}
        by_length: dict[int, dict[int, dict[int, Owner]]] = {4: {}, 6: {}}
        for one in owners:
            if one.block is None:
                self._names[one.key] = one
            else:
                version, host, number = one.block
                by_length[version].setdefault(host, {})[number] = one
        self._networks = {version: sorted(tables.items()) for version, tables in by_length.items()}

    def of(self, subject: IPv4Address | IPv6Address | str) -> Owner | None:
        """Return whose an address, or a canonical name, is; None where no entry is around it."""
        if isinstance(subject, str):
            return self._of_name(subject)
        number = int(subject)
        for host, table in self._networks[subject.version]:
            if (found := table.get(number >> host)) is not None:
                return found
        return None

    def _of_name(self, name: str) -> Owner | None:
        while name:
            if (found := self._names.get(name)) is not None:
                return found
            name = name.partition(".")[2]
        return None


def owner(fields: Sequence[str]) -> Owner:
    """Read a line of the table; raises `ValueError` that says in a sentence what is wrong with it."""
    key, block = _key(fields[0])
    name, contact, note = _entry("owner", *fields[1:])
    return Owner(key=key, block=block, name=name, contact=contact, note=note)


def registrar(fields: Sequence[str]) -> Registrar:
    """Read a line of the table of registrars; raises `ValueError` as `owner` does."""
    name, contact, note = _entry("name", *fields)
    return Registrar(name=name.lower(), contact=contact, note=note)


@lru_cache(_CACHED)
def _entry(column: str, name: str, contact: str, note: str) -> tuple[str, str, str]:
    """Return what both tables have, checked: a name, an address to write to or none, nothing hidden or too long.

    Lines of the same owner share one copy.
    """
    if not name:
        raise ValueError(f"{column} is empty")
    if max(len(name), len(contact), len(note)) > LONGEST_TEXT:
        raise ValueError(f"has a text of more than {LONGEST_TEXT} characters")
    if not (name.isprintable() and contact.isprintable() and note.isprintable()):
        raise ValueError("has a hidden character, or is not UTF-8")
    if contact and _EMAIL.fullmatch(contact) is None:
        raise ValueError("contact is not an e-mail address like abuse@example.pt")
    return name, contact, note


def _key(text: str) -> tuple[str, Block | None]:
    """Return a key in canonical form: networks without host bits, names in small letters and A-labels."""
    address, slash, _ = text.partition("/")
    if (slash or ":" in text or text[-1:].isdigit()) and "%" not in text:
        try:
            network = ip_network(text if slash else unwrap(ip_address(text)), strict=False)
        except ValueError:
            pass
        else:
            if slash and ip_address(address) != network.network_address:
                raise ValueError(f"key is an address in a network; write {network} for the network")
            host = network.max_prefixlen - network.prefixlen
            block = network.version, host, int(network.network_address) >> host
            return str(network if slash else network.network_address), block
    name = canonical(text.removeprefix("*.").strip("."))
    if not name or name.rpartition(".")[2].isdigit():
        raise ValueError("key is not a network like 192.0.2.0/24, an address or a domain")
    return name, None
