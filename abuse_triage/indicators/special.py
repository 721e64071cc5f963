"""IANA's special-purpose addresses: ranges that no report about a host on the Internet can mean.

The standard library has such a table too, but it differs between patch releases of Python; this one is dated.
"""

from ipaddress import IPv4Address, IPv6Address, ip_network

from abuse_triage.indicators.ranges import Address, RangeTable

AS_OF = "2025-10-09"
"""The state of the two registries that the table has: the date in their "Last Updated"."""

# iana-ipv4-special-registry and iana-ipv6-special-registry (RFC 6890, RFC 8190), and the two multicast registries.
# The names are the registries', in words that a person reads in a sentence.
_RANGES = {
    "0.0.0.0/8": '"this network" range',
    "0.0.0.0/32": '"this host" address',
    "10.0.0.0/8": "private range",
    "100.64.0.0/10": "shared range of carriers (RFC 6598)",
    "127.0.0.0/8": "loopback range",
    "169.254.0.0/16": "link-local range",
    "172.16.0.0/12": "private range",
    "192.0.0.0/24": "IETF protocol range",
    "192.0.0.0/29": "IPv4 service continuity range",
    "192.0.0.8/32": "IPv4 dummy address",
    "192.0.0.9/32": "Port Control Protocol anycast address",
    "192.0.0.10/32": "TURN anycast address",
    "192.0.0.170/31": "NAT64/DNS64 discovery address",
    "192.0.2.0/24": "documentation range (TEST-NET-1)",
    "192.31.196.0/24": "AS112 range",
    "192.52.193.0/24": "AMT range",
    "192.88.99.0/24": "6to4 relay anycast range (deprecated)",
    "192.88.99.2/32": "6a44 relay anycast address",
    "192.168.0.0/16": "private range",
    "192.175.48.0/24": "AS112 direct delegation range",
    "198.18.0.0/15": "benchmarking range",
    "198.51.100.0/24": "documentation range (TEST-NET-2)",
    "203.0.113.0/24": "documentation range (TEST-NET-3)",
    "224.0.0.0/4": "multicast range",
    "240.0.0.0/4": "reserved range",
    "255.255.255.255/32": "limited broadcast address",
    "::/128": "unspecified address",
    "::1/128": "loopback address",
    "::ffff:0:0/96": "IPv4-mapped range",
    "64:ff9b::/96": "NAT64 range",
    "64:ff9b:1::/48": "local NAT64 range",
    "100::/64": "discard-only range",
    "100:0:0:1::/64": "IPv6 dummy range",
    "2001::/23": "IETF protocol range",
    "2001::/32": "Teredo range",
    "2001:1::1/128": "Port Control Protocol anycast address",
    "2001:1::2/128": "TURN anycast address",
    "2001:1::3/128": "DNS-SD registration anycast address",
    "2001:2::/48": "benchmarking range",
    "2001:3::/32": "AMT range",
    "2001:4:112::/48": "AS112 range",
    "2001:10::/28": "ORCHID range (deprecated)",
    "2001:20::/28": "ORCHIDv2 range",
    "2001:30::/28": "drone remote ID range",
    "2001:db8::/32": "documentation range",
    "2002::/16": "6to4 range",
    "2620:4f:8000::/48": "AS112 direct delegation range",
    "3fff::/20": "documentation range",
    "5f00::/16": "segment routing range",
    "fc00::/7": "unique local range",
    "fe80::/10": "link-local range",
    "ff00::/8": "multicast range",
}
_TABLE = RangeTable((ip_network(network), name) for network, name in _RANGES.items())
_MAPPED = 0xFFFF  # ::ffff:0:0/96, RFC 4291 section 2.5.5.2
_NAT64 = 0x64FF9B << 64  # 64:ff9b::/96 without its last 32 bits, RFC 6052 section 2.1
_6TO4 = 0x2002  # 2002::/16, RFC 3056 section 2


def special(address: Address) -> str:
    """Return the name of the special-purpose range around an address, "" for an ordinary address.

    An IPv6 address that wraps an IPv4 address is in the range of its wrapping; ask about the other with `unwrap`.
    """
    return _TABLE.get(address) or ""


def unwrap(address: Address) -> Address:
    """Return the IPv4 address inside an IPv4-mapped, NAT64 or 6to4 address, any other address as it is."""
    if isinstance(address, IPv4Address):
        return address
    number = int(address)
    if number >> 32 in (_MAPPED, _NAT64):
        return IPv4Address(number & 0xFFFFFFFF)
    if number >> 112 == _6TO4:
        return IPv4Address(number >> 80 & 0xFFFFFFFF)
    return address


def plain(address: Address) -> Address:
    """Return the IPv4 address of an IPv4-mapped address, any other address as it is.

    That is how a dual-stack listener logs an IPv4 peer: the same host, not an IPv6 one (RFC 4291 section 2.5.5.2).
    """
    mapped = isinstance(address, IPv6Address) and int(address) >> 32 == _MAPPED
    return unwrap(address) if mapped else address
