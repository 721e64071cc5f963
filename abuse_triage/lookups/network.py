"""Whose network an address is in: one question to its registry, by RDAP.

ipwhois asks and reads, over our own transport. Where it cannot read what came, which happens with every form that it
does not expect, the answer is read here; whom it names is always read here, for ipwhois looks at the outer entities
only and stops at the first odd one.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from ipwhois.net import Net
from ipwhois.rdap import RDAP, RIR_RDAP
from ipwhois.utils import ipv4_lstrip_zeros

from abuse_triage.lookups.cleaning import clean, clean_country
from abuse_triage.lookups.entities import contacts, organisation
from abuse_triage.lookups.refusals import refused, unknown
from abuse_triage.lookups.registries import Registries, Registry
from abuse_triage.lookups.transport import GuardedOpener, Transport, TransportError, parsed
from abuse_triage.model.lookups import Answer, LookupKind, Result

_CALLED = {"ripe": "ripencc"}
"""What ipwhois calls a registry, where that differs."""
_WIDEST = {4: 24, 6: 115}
"""Bits of the host part of the largest network that somebody has; what is wider is a registry's own."""
_PLACEHOLDERS = ("IANA-", "NON-RIPE-NCC-MANAGED-", "ERX-", "APNIC-ERX-", "LACNIC-ERX-", "AFRINIC-ERX-", "EU-ZZ-")
"""How networks are called that registries hold for what they have not given to anybody, or others have."""
_LIMITED = "rate limit"


@dataclass(frozen=True, slots=True)
class _Network:
    """What is told about a network: its ends, its name and its country as the registry wrote them."""

    first: object
    last: object
    name: object
    country: object


class NetworkClient:
    """Asks the registry of an address, or a certain one where `only` names it: one that another referred to."""

    def __init__(self, transport: Transport, registries: Registries, *, only: str = "") -> None:
        self._transport = transport
        self._registries = registries
        self._only = only

    def server(self, subject: str) -> str:
        """Return the host that would be asked about an address."""
        registry = self._registry(subject)
        return registry.host if registry else ""

    def ask(self, subject: str, seconds: float) -> Answer:
        """Ask once about a canonical address; a redirect to another registry that we know is told in `refers_to`."""
        registry = self._registry(subject)
        if registry is None:
            return unknown(kind=LookupKind.NETWORK, subject=subject)
        try:
            return _answer(subject, registry, *self._asked(subject, registry, seconds))
        except TransportError as error:
            elsewhere = self._registries.at(error.location) if error.location != registry.host else ""
            return refused(error, kind=LookupKind.NETWORK, subject=subject, server=registry.host, refers_to=elsewhere)

    def _registry(self, subject: str) -> Registry | None:
        return self._registries.named(self._only) if self._only else self._registries.of(subject)

    def _asked(self, subject: str, registry: Registry, seconds: float) -> tuple[object, _Network]:
        """Return the answer as it came, and what it tells about the network; raises `TransportError`."""
        called = _CALLED.get(registry.region, registry.region or "arin")
        opener = GuardedOpener(
            self._transport, known=RIR_RDAP[called]["ip_url"].removesuffix("ip/{0}"), base=registry.base
        )
        lookup = RDAP(_OfflineNet(subject, seconds, opener)).lookup
        try:
            found = lookup(asn_data={"asn_registry": called}, retry_count=0, root_ent_check=False, inc_raw=True)
        except Exception:  # noqa: BLE001 -- it throws whatever the odd form of an answer brings about
            if opener.failure is not None:
                raise opener.failure from None
            document = parsed(opener.body or b"", registry.host)
            return document, _read(document)
        read = found["network"]
        return found["raw"], _Network(read["start_address"], read["end_address"], read["name"], read["country"])


class _OfflineNet(Net):  # type: ignore[misc]  # ipwhois has no types
    """What ipwhois knows of an address; its own reads /etc/resolv.conf, and refuses by a table that is out of date."""

    def __init__(self, address: str, seconds: float, opener: GuardedOpener) -> None:
        self.address = ip_address(address)
        self.address_str = address
        self.version = self.address.version
        self.timeout = seconds
        self.opener = opener


def _read(document: object) -> _Network:
    """Read the same as ipwhois, from an answer that it gave up on."""
    fields: dict[str, Any] = document if isinstance(document, dict) else {}
    return _Network(*(fields.get(key) for key in ("startAddress", "endAddress", "name", "country")))


def _answer(subject: str, registry: Registry, document: object, network: _Network) -> Answer:
    """Return what is kept of an answer; raises `TransportError` for one that is not about the address."""
    if _is_limited(document):
        raise TransportError(f"{registry.host} was asked too often", temporary=True)
    first, last = _end(network.first), _end(network.last)
    address = ip_address(subject)
    if first is None or last is None or not _between(first, address, last):
        raise TransportError(f"{registry.host} answers about another network than that of {subject}")
    name = clean(network.name)
    if int(last) - int(first) >= 1 << _WIDEST[address.version] or name.upper().startswith(_PLACEHOLDERS):
        return Answer(
            kind=LookupKind.NETWORK,
            subject=subject,
            server=registry.host,
            result=Result.NOT_FOUND,
            reason=f"{registry.host} knows nothing smaller than {clean(f'{first} - {last} {name}')}",
            registry=registry.region,
        )
    found = contacts(document)
    return Answer(
        kind=LookupKind.NETWORK,
        subject=subject,
        server=registry.host,
        result=Result.FOUND,
        first=str(first),
        last=str(last),
        network=name,
        holder=organisation(found, "registrant"),
        country=clean_country(network.country),
        registry=registry.region,
        contacts=found,
    )


def _end(text: object) -> IPv4Address | IPv6Address | None:
    """Return an end of a network, also where its octets are padded with noughts; behind "%" could be any text."""
    if not isinstance(text, str) or len(text) > 64 or "%" in text:
        return None
    try:
        return ip_address(text.strip() if ":" in text else ipv4_lstrip_zeros(text))
    except ValueError:
        return None


def _between(
    first: IPv4Address | IPv6Address, address: IPv4Address | IPv6Address, last: IPv4Address | IPv6Address
) -> bool:
    same = first.version == address.version == last.version
    return same and int(first) <= int(address) <= int(last)


def _is_limited(document: object) -> bool:
    """Tell whether a notice says that we asked too often, with a status that says nothing."""
    notices = document.get("notices") if isinstance(document, dict) else None
    if not isinstance(notices, list):
        return False
    return any(_LIMITED in clean(notice.get("title")).lower() for notice in notices[:100] if isinstance(notice, dict))
