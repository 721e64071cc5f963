"""Which registry knows about an address, and where it is asked: a dated table of our own, and what stands above it.

IANA gives address space to five regional Internet registries (RIRs), and says where their RDAP services are
(RFC 9224). Its files count where the operator has fetched them, and the configuration counts most.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from abuse_triage.lookups.transport import host_of, with_slash

AS_OF = "2025-10-09"
"""The day of which the tables are: nothing has been given out in larger pieces since."""

Published = Callable[[str], str]
"""The RDAP service that IANA's files name for an address, as base URL; "" where they name none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """A registry of addresses: its name, the regional one that it is or belongs to, and the base URL of its RDAP."""

    name: str
    region: str
    base: str

    @property
    def host(self) -> str:
        """Return the host that is asked."""
        return host_of(self.base)


_REGIONAL = {
    "arin": "https://rdap.arin.net/registry/",
    "ripe": "https://rdap.db.ripe.net/",
    "apnic": "https://rdap.apnic.net/",
    "lacnic": "https://rdap.lacnic.net/rdap/",
    "afrinic": "https://rdap.afrinic.net/rdap/",
}
_NATIONAL = {
    "registro.br": ("lacnic", "https://rdap.registro.br/"),
    "jpnic": ("apnic", "https://jpnic.rdap.apnic.net/"),
    "krnic": ("apnic", "https://krnic.rdap.apnic.net/"),
    "twnic": ("apnic", "https://twnic.rdap.apnic.net/"),
    "idnic": ("apnic", "https://idnic.rdap.apnic.net/"),
}
"""Registries that nobody but a regional one refers to."""
KNOWN = tuple(
    [Registry(name=name, region=name, base=base) for name, base in _REGIONAL.items()]
    + [Registry(name=name, region=region, base=base) for name, (region, base) in _NATIONAL.items()]
)
"""The registries that we know, where they are asked if nothing else is said."""

# First octets, from iana-ipv4-address-space, as "first" or "first-last".
_OCTETS = {
    "arin": "3 4 6-9 11-13 15-24 26 28-30 32-35 38 40 44 45 47 48 50 52 54-56 63-76 96-100 104 107 108 128-132 134-140 "
    "142-144 146-149 152 155-162 164-170 172-174 184 192 198 199 204-209 214-216",
    "ripe": "2 5 25 31 37 46 51 53 57 62 77-95 109 141 145 151 176 178 185 188 193-195 212 213 217",
    "apnic": "1 14 27 36 39 42 43 49 58-61 101 103 106 110-126 133 150 153 163 171 175 180 182 183 202 203 210 211 "
    "218-223",
    "lacnic": "177 179 181 186 187 189-191 200 201",
    "afrinic": "41 102 105 154 196 197",
}
# Larger blocks that were given out before there were regions and belong to another one than what is around them.
# Smaller ones are not listed: the registry around them says where they are.
_EARLY = {
    "arin": "192.72.253.0/24 192.72.254.0/24",
    "ripe": "24.132.0.0/14 139.20.0.0/14 139.24.0.0/14 139.28.0.0/15 146.48.0.0/16 149.202.0.0/15 149.206.0.0/15 "
    "149.208.0.0/12 149.224.0.0/12 149.240.0.0/13 150.254.0.0/16 160.44.0.0/14 160.48.0.0/12 160.216.0.0/14 "
    "160.220.0.0/16 163.156.0.0/14 163.160.0.0/12 164.0.0.0/11 164.32.0.0/13 164.40.0.0/16 164.128.0.0/12 "
    "171.16.0.0/12 171.32.0.0/15 192.71.0.0/16 192.106.0.0/16 192.114.0.0/15 192.116.0.0/15 192.118.0.0/16 "
    "192.162.0.0/16 192.164.0.0/14",
    "apnic": "169.208.0.0/12 192.72.0.0/16",
    "afrinic": "155.232.0.0/13 155.240.0.0/16 163.195.0.0/16 163.196.0.0/14 163.200.0.0/14 164.146.0.0/15 "
    "164.148.0.0/14 165.143.0.0/16 165.144.0.0/14 165.148.0.0/15 213.154.32.0/19 213.154.64.0/19",
}
# iana-ipv6-unicast-address-assignments.
_V6 = {
    "arin": "2001:400::/23 2001:1800::/23 2001:4800::/23 2600::/12 2610::/23 2620::/23 2630::/12",
    "ripe": "2001:600::/23 2001:800::/22 2001:1400::/22 2001:1a00::/23 2001:1c00::/22 2001:2000::/19 2001:4000::/23 "
    "2001:4600::/23 2001:4a00::/23 2001:4c00::/23 2001:5000::/20 2003::/18 2a00::/12 2a10::/12",
    "apnic": "2001:200::/23 2001:c00::/23 2001:e00::/23 2001:4400::/23 2001:8000::/19 2001:a000::/20 2001:b000::/20 "
    "2400::/12 2410::/12",
    "lacnic": "2001:1200::/23 2800::/12",
    "afrinic": "2001:4200::/23 2c00::/12",
}


class Registries:
    """Tells which registry is asked about an address; used by many threads at once."""

    def __init__(self, configured: Mapping[str, str], published: Published | None = None) -> None:
        """Take base URLs by the names of registries, "" for one that nobody is to ask, and IANA's files if any."""
        self._configured = configured
        self._published = published
        placed = [self._placed(registry) for registry in KNOWN]
        self._known = {registry.name: registry for registry in placed if registry.base}
        self._by_host = {registry.host: registry for registry in KNOWN}
        for registry in self._known.values():  # a host that the configuration has for several is nobody's
            same = [other.name for other in self._known.values() if other.host == registry.host]
            if same == [registry.name]:
                self._by_host[registry.host] = registry

    @property
    def bases(self) -> tuple[str, ...]:
        """Return the base URLs of the registries that we know, without those of the configuration."""
        return tuple(registry.base for registry in self._known.values() if registry.name not in self._configured)

    def named(self, name: str) -> Registry | None:
        """Return a registry that we know, where it is asked here."""
        return self._known.get(name)

    def at(self, host: str) -> str:
        """Return the name of the registry whose service a host is, "" for any other host."""
        return self._by_host[host].name if host in self._by_host else ""

    def of(self, address: str) -> Registry | None:
        """Return the registry of an address, None where nobody has it; raises `ValueError` for what is no address."""
        region = allocated(ip_address(address))
        base = self._published(address) if self._published else ""
        if not base:
            return self._known.get(region)
        known = self._by_host.get(host_of(base))
        name = known.name if known else region
        if name in self._configured:
            return self._known.get(name)
        return Registry(name=name, region=known.region if known else region, base=with_slash(base))

    def _placed(self, registry: Registry) -> Registry:
        base = self._configured.get(registry.name, registry.base)
        return Registry(name=registry.name, region=registry.region, base=with_slash(base) if base else "")


def allocated(address: IPv4Address | IPv6Address) -> str:
    """Return the regional registry that has an address by our table, "" for what is given to none."""
    number, bits = int(address), address.max_prefixlen
    for length in _LENGTHS[bits]:
        if region := _TABLE.get((bits, length, number >> (bits - length))):
            return region
    return ""


def _networks() -> Iterator[tuple[str, IPv4Network | IPv6Network]]:
    for region, octets in _OCTETS.items():
        for run in octets.split():
            first, _, last = run.partition("-")
            for octet in range(int(first), int(last or first) + 1):
                yield region, ip_network(f"{octet}.0.0.0/8")
    for table in (_EARLY, _V6):
        for region, networks in table.items():
            for network in networks.split():
                yield region, ip_network(network)


_TABLE = {
    (block.max_prefixlen, block.prefixlen, int(block[0]) >> (block.max_prefixlen - block.prefixlen)): region
    for region, block in _networks()
}
_LENGTHS = {bits: sorted({length for size, length, _ in _TABLE if size == bits}, reverse=True) for bits in (32, 128)}
