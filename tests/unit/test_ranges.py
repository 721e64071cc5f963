"""The longest network around an address decides."""

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.indicators.ranges import RangeTable


def _network4(number: int, length: int) -> IPv4Network:
    return IPv4Network((number, length), strict=False)


def _network6(number: int, length: int) -> IPv6Network:
    return IPv6Network((number << 96, length), strict=False)


NUMBERS = st.integers(0, 255).map(lambda number: number << 24)
NETWORKS = st.builds(_network4, NUMBERS, st.integers(0, 32)) | st.builds(_network6, NUMBERS, st.integers(0, 64))


@given(st.lists(st.tuples(NETWORKS, st.integers()), max_size=20), st.ip_addresses())
def test_the_table_agrees_with_asking_every_network(entries: list, address: object) -> None:
    """At the ends of every network, beside them and anywhere else, the value is that of the longest network."""
    table = RangeTable(entries)
    merged = dict(entries)
    places = [address]
    for network in merged:
        first, last = int(network.network_address), int(network.broadcast_address)
        limit = 2**network.max_prefixlen
        places += [type(network.network_address)(n) for n in (first - 1, first, last, last + 1) if 0 <= n < limit]
    for place in places:
        around = [network for network in merged if network.version == place.version and place in network]
        expected = merged[max(around, key=lambda network: network.prefixlen)] if around else None

        assert expected == table.get(place)


def test_the_later_of_two_values_counts() -> None:
    """Of a network that is given twice, the later value holds."""
    network = ip_network("192.0.2.0/24")

    assert "b" == RangeTable([(network, "a"), (network, "b")]).get(ip_address("192.0.2.1"))


def test_an_empty_table_knows_nothing() -> None:
    """Without networks, no address has a value."""
    assert RangeTable([]).get(ip_address("2001:db8::1")) is None
