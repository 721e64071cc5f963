"""The key that a domain publishes for an address of its own (Web Key Directory), when an operator asks for it."""

import ipaddress
import ssl
from datetime import datetime

from abuse_triage.errors import InputError
from abuse_triage.indicators import names
from abuse_triage.indicators.special import special, unwrap
from abuse_triage.lookups.exchange import Reach
from abuse_triage.lookups.hosts import by_resolver, by_system
from abuse_triage.lookups.wkd import fetch
from abuse_triage.model.openpgp import Certificate
from abuse_triage.model.settings import Settings
from abuse_triage.openpgp import wkd
from abuse_triage.openpgp.certificates import inspect

SECONDS = 20.0
"""For look-ups, connections and the answer together."""
_GLOBAL_IPV6 = ipaddress.IPv6Network("2000::/3")
"""All that IANA gives to anybody (RFC 4291 section 2.4, RFC 3587 section 3)."""


def published_key(address: str, settings: Settings, reach: Reach, now: datetime) -> Certificate:
    """Ask the domain of an address for its key, and return it if one of its user ids has exactly this address.

    Raises `InputError` for an address whose domain nobody can have, and for a key that is none, or is another's, and
    what `fetch` raises.
    """
    domain = address.rpartition("@")[2].lower()
    if names.canonical(domain) != domain or not names.registrable(domain):
        raise InputError(f"{domain} is no domain on the Internet", advice="Give the address as it stands in mail.")
    content = fetch(wkd.places(address), reach, limit=settings.openpgp.max_key, seconds=SECONDS)
    try:
        certificate = inspect(content, limit=settings.openpgp.max_key, now=now)
    except InputError as error:
        raise InputError(
            f"{domain} publishes something that cannot be used: {error}", advice="Ask the owner for the key."
        ) from error
    if address.lower() not in certificate.emails:
        raise InputError(
            f"the key that {domain} publishes is not for {address}: it names {', '.join(certificate.emails)[:200]}",
            advice="Ask the owner for the key.",
        )
    return certificate


def outside(settings: Settings) -> Reach:
    """Return how the Internet is reached: by the operator's resolvers where they are configured, else the system's."""
    servers = settings.authentication.resolver
    resolve = by_resolver(servers, settings.authentication.timeout.total_seconds()) if servers else by_system
    return Reach(resolve=resolve, refuse=special_range, tls=ssl.create_default_context())


def special_range(address: str) -> str:
    """Name the special-purpose range that an address lies in, or the IPv4 address inside of it; "" for none.

    Ranges that went out of use stand in no registry (fec0::/10, ::/96), but may lead inside all the same.
    """
    found = ipaddress.ip_address(address)
    outside = found.version == 6 and found not in _GLOBAL_IPV6
    return special(found) or special(unwrap(found)) or ("no global unicast address" if outside else "")
