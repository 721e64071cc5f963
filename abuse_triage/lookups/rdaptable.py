"""RDAP services of important top-level domains, for as long as IANA's list is not there.

Compiled by hand from published clients and lists, not from IANA's own, which `lookups refresh` puts in its place as a
whole. What sources do not agree on, such as .eu, .es and .it, is left out, and so is .pt, which has no RDAP service. A
wrong line here means that a name is asked about at a server that does not know it, or that does not exist.
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
