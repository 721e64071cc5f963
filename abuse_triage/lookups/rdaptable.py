"""RDAP services of important top-level domains, for as long as IANA's list is not there.

Taken over where public sources agree: zonedb's copy of IANA's list (2026-07-01), the corrections that whoisit 4.1.0
keeps (2026-10-26), and what published clients have. Top-level domains about which they do not agree, such as .eu, .es
and .it, are left out, and so is .pt, which has no RDAP service.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

COMPILED = datetime(2026, 10, 26, tzinfo=UTC)
"""The date of the newest source."""
SERVICES: Mapping[str, str] = {
    "com": "https://rdap.verisign.com/com/v1/",
    "net": "https://rdap.verisign.com/net/v1/",
    "org": "https://rdap.publicinterestregistry.org/rdap/",
    "info": "https://rdap.identitydigital.services/rdap/",
    "biz": "https://rdap.nic.biz/",
    "app": "https://pubapi.registry.google/rdap/",
    "dev": "https://pubapi.registry.google/rdap/",
    "xyz": "https://rdap.centralnic.com/xyz/",
    "io": "https://rdap.identitydigital.services/rdap/",
    "me": "https://rdap.identitydigital.services/rdap/",
    "co": "https://rdap.registry.co/co/",
    "us": "https://rdap.nic.us/",
    "br": "https://rdap.registro.br/",
    "ch": "https://rdap.nic.ch/",
    "cz": "https://rdap.nic.cz/",
    "de": "https://rdap.denic.de/",
    "fi": "https://rdap.fi/rdap/rdap/",
    "fr": "https://rdap.nic.fr/",
    "li": "https://rdap.nic.li/",
    "nl": "https://rdap.sidn.nl/",
    "no": "https://rdap.norid.no/",
    "pl": "https://rdap.dns.pl/",
    "uk": "https://rdap.nominet.uk/uk/",
}
"""Base URL by top-level domain."""
