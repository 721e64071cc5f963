"""What could be asked about indicators: never a URL, never a full host name, never others about what is ours.

Of names only the registrable one is ever a subject, because the labels below it may be a victim's token; of addresses
the one inside where they carry another. Header lines and e-mail addresses tell the way of the mail and who wrote: they
are no reason to ask.
"""

from collections.abc import Collection, Iterator, Sequence
from ipaddress import ip_address

from abuse_triage.indicators.names import known_tld
from abuse_triage.indicators.scope import Constituency
from abuse_triage.indicators.special import plain, special, unwrap
from abuse_triage.model.lookup_settings import LookupSettings
from abuse_triage.model.lookups import LookupKind
from abuse_triage.model.message import Place
from abuse_triage.model.report import Indicator, Kind, Scope

Question = tuple[LookupKind, str]
"""What is asked, and about what: a canonical address, or a registrable name as A-labels."""

_NOBODYS = frozenset(["alt", "arpa", "example", "internal", "invalid", "local", "localhost", "onion", "test"])
"""Top-level domains without a registry that could be asked (RFC 6761, 7686, 9476; some are in the suffix list)."""
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
    if _is_address(host):
        address = unwrap(plain(ip_address(host)))
        return "" if special(address) else str(address)
    top = host.rpartition(".")[2]
    return constituency.registrable(host) if known_tld(top) and top not in _NOBODYS else ""


def questions(found: dict[str, Scope], settings: LookupSettings) -> tuple[Question, ...]:
    """Return every question about some subjects for which the settings name somebody to ask, as `subjects` orders them.

    Of what is ours only our own registry is asked, and the zone above; of an address of ours nobody.
    """
    return tuple(
        (kind, subject)
        for subject, scope in found.items()
        for kind in _kinds(subject, scope)
        if (kind not in _DNS or settings.resolver) and (kind is not LookupKind.OWN_DOMAIN or settings.own_whois)
    )


def _kinds(subject: str, scope: Scope) -> Iterator[LookupKind]:
    if _is_address(subject):
        if not scope.ours:
            yield LookupKind.NETWORK
            yield LookupKind.POINTER
        return
    yield LookupKind.OWN_DOMAIN if scope.registry else LookupKind.DOMAIN
    yield LookupKind.DELEGATION
    yield LookupKind.HOSTS


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
