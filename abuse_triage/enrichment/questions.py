"""What could be asked about indicators: never a URL, never a full host name, never others about what is ours.

Of names only the registrable one is ever a subject, because the labels below it may be a victim's token; of addresses
the one inside where they carry another. Header lines and e-mail addresses tell the way of the mail and who wrote: they
are no reason to ask.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from ipaddress import ip_address

from abuse_triage.indicators.names import known_tld
from abuse_triage.indicators.ranges import Address
from abuse_triage.indicators.scope import Constituency
from abuse_triage.indicators.special import plain, special, unwrap
from abuse_triage.model.lookup_settings import LookupSettings
from abuse_triage.model.lookups import Answer, Known, LookupKind, Result
from abuse_triage.model.message import Place
from abuse_triage.model.report import Indicator, Kind, Scope

Question = tuple[LookupKind, str]
"""What is asked, and about what: a canonical address, or a registrable name as A-labels."""

_NOBODYS = frozenset(["alt", "arpa", "example", "internal", "invalid", "local", "localhost", "onion", "test"])
"""Top-level domains without a registry that could be asked (RFC 6761, 7686, 9476; some are in the suffix list)."""
RIPE = "ripe"
"""The registry with a service of its own for abuse contacts, which also counts the persons that are asked about."""
_CACHED = 4096
_DNS = frozenset([LookupKind.DELEGATION, LookupKind.HOSTS, LookupKind.POINTER])


def subjects(
    indicators: Sequence[Indicator],
    scopes: Sequence[Scope],
    constituency: Constituency,
    *,
    apart: Collection[str] = (),
) -> dict[str, Scope]:
    """Return what a report points at and what somebody may know something about, each once, with its scope.

    `apart` are names that are not asked about, such as the sender's own.
    """
    found: dict[str, Scope] = {}
    for indicator, scope in zip(indicators, scopes, strict=True):
        if indicator.kind is Kind.EMAIL or indicator.places == (Place.HEADER,):
            continue
        subject = subject_of(indicator, constituency)
        if subject and subject not in apart:
            found.setdefault(subject, scope)
    return found


def subject_of(indicator: Indicator, constituency: Constituency) -> str:
    """Return what is asked about for an indicator, "" where there is nobody to ask."""
    host = indicator.host or indicator.value
    address = _address(host)
    if address is not None:
        inner = unwrap(plain(address))
        return "" if special(inner) else str(inner)
    top = host.rpartition(".")[2]
    return constituency.registrable(host) if known_tld(top) and top not in _NOBODYS else ""


def questions(found: dict[str, Scope], settings: LookupSettings) -> tuple[Question, ...]:
    """Return every question about some subjects for which the settings name somebody to ask, as `subjects` orders them.

    None where look-ups are off. About what is ours only our own registry is asked, and the zone above; about an address
    of ours nobody.
    """
    if not settings.enabled:
        return ()
    return tuple(
        (kind, subject)
        for subject, scope in found.items()
        for kind in _kinds(subject, scope)
        if (kind not in _DNS or settings.resolver) and (kind is not LookupKind.OWN_DOMAIN or settings.own_whois)
    )


def further(
    asked: Sequence[Question], known: Mapping[Question, Known], settings: LookupSettings
) -> tuple[Question, ...]:
    """Return the questions that known answers lead to: RIPE's abuse contact, where its RDAP names nobody for abuse."""
    if not settings.abuse_contacts:
        return ()
    return tuple(
        (LookupKind.ABUSE_CONTACT, subject)
        for kind, subject in asked
        if kind is LookupKind.NETWORK and (found := known.get((kind, subject))) and lacks_contact(found.answer)
    )


def lacks_contact(answer: Answer) -> bool:
    """Tell whether RIPE has to be asked who takes reports about a network."""
    return (
        answer.kind is LookupKind.NETWORK
        and answer.result is Result.FOUND
        and answer.registry == RIPE
        and not any(contact.role == "abuse" and contact.email for contact in answer.contacts)
    )


def _kinds(subject: str, scope: Scope) -> Iterator[LookupKind]:
    if _address(subject) is not None:
        if not scope.ours:
            yield LookupKind.NETWORK
            yield LookupKind.POINTER
        return
    yield LookupKind.OWN_DOMAIN if scope.registry else LookupKind.DOMAIN
    yield LookupKind.DELEGATION
    yield LookupKind.HOSTS


@lru_cache(_CACHED)
def _address(host: str) -> Address | None:
    """Return an address, None for a name."""
    if ":" not in host and not host[-1:].isdigit():
        return None
    try:
        return ip_address(host)
    except ValueError:
        return None
