"""Special-purpose addresses have a name, wrapped IPv4 addresses come out."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.indicators.special import plain, special, unwrap


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("0.0.0.0", '"this host" address'),
        ("0.0.0.1", '"this network" range'),
        ("10.255.255.255", "private range"),
        ("100.64.0.1", "shared range of carriers (RFC 6598)"),
        ("127.0.0.1", "loopback range"),
        ("169.254.169.254", "link-local range"),
        ("172.31.0.1", "private range"),
        ("192.0.0.171", "NAT64/DNS64 discovery address"),
        ("192.0.0.172", "IETF protocol range"),
        ("192.0.2.5", "documentation range (TEST-NET-1)"),
        ("192.88.99.2", "6a44 relay anycast address"),
        ("198.19.255.255", "benchmarking range"),
        ("224.0.0.1", "multicast range"),
        ("255.255.255.255", "limited broadcast address"),
        ("::", "unspecified address"),
        ("::1", "loopback address"),
        ("::ffff:192.0.2.1", "IPv4-mapped range"),
        ("64:ff9b::1", "NAT64 range"),
        ("64:ff9b:1::1", "local NAT64 range"),
        ("2001::1", "Teredo range"),
        ("2001:1::3", "DNS-SD registration anycast address"),
        ("2001:1::4", "IETF protocol range"),
        ("2001:db8::1", "documentation range"),
        ("2002::1", "6to4 range"),
        ("3fff:fff::1", "documentation range"),
        ("fd00::1", "unique local range"),
        ("fe80::1", "link-local range"),
        ("ff02::1", "multicast range"),
        ("9.255.255.255", ""),
        ("11.0.0.0", ""),
        ("172.32.0.0", ""),
        ("192.0.1.0", ""),
        ("2001:200::", ""),
        ("3fff:1000::", ""),
        ("::2", ""),
    ],
)
def test_special(address: str, expected: str) -> None:
    """Each range has its name up to its ends, the most specific one first; ordinary addresses have none."""
    assert expected == special(ip_address(address))


@given(st.ip_addresses())
def test_special_covers_the_standard_library(address: IPv4Address | IPv6Address) -> None:
    """What the standard library calls private, multicast, link-local or reserved for documentation is in the table."""
    inner = unwrap(address)

    assert not (inner.is_private or inner.is_multicast or inner.is_link_local) or special(inner) != ""


@given(st.ip_addresses(v=4))
def test_unwrap(address: IPv4Address) -> None:
    """An IPv4 address comes out of each of its three wrappings, and is itself without one."""
    number = int(address)

    assert address == unwrap(address)
    assert address == unwrap(IPv6Address(f"::ffff:{address}"))
    assert address == unwrap(IPv6Address(f"64:ff9b::{address}"))
    assert address == unwrap(IPv6Address(0x2002 << 112 | number << 80 | 0x1234))


@given(st.ip_addresses(v=6).filter(lambda address: int(address) >> 112 not in {0, 0x64, 0x2002}))
def test_unwrap_leaves_ipv6(address: IPv6Address) -> None:
    """An IPv6 address that wraps nothing is itself."""
    assert address == unwrap(address)


def test_plain() -> None:
    """Only an IPv4-mapped address is the IPv4 host itself; tunnels and translators are not."""
    assert IPv4Address("192.0.2.1") == plain(IPv6Address("::ffff:192.0.2.1"))
    assert IPv4Address("192.0.2.1") == plain(IPv4Address("192.0.2.1"))
    assert IPv6Address("64:ff9b::1") == plain(IPv6Address("64:ff9b::1"))
    assert IPv6Address("2002:c000:201::") == plain(IPv6Address("2002:c000:201::"))
