"""Who is let in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.model.settings import SmtpSettings
from abuse_triage.service.crowd import Crowd


def crowd(**settings: object) -> Crowd:
    """Return a crowd with relays in 192.0.2.0/28 and some other settings."""
    return Crowd(SmtpSettings.model_validate({"relays": ["192.0.2.0/28", "2001:db8:ff::/48"], **settings}))


@pytest.mark.parametrize(
    ("together", "apart"),
    [
        (("198.51.100.1", "198.51.100.254"), "198.51.101.1"),
        (("::ffff:198.51.100.1", "198.51.100.2"), "2001:db8::1"),
        (("2001:db8:1:2::1", "2001:db8:1:2:ffff::1"), "2001:db8:1:3::1"),
        (("fe80::1%eth0", "fe80::2%eth1"), "192.0.2.200"),
    ],
)
def test_what_belongs_together(together: tuple[str, str], apart: str) -> None:
    """An IPv4 /24 and an IPv6 /64 have one limit; IPv4 in IPv6 is IPv4; a zone is no part of an address."""
    some = crowd(max_connections_per_network=1)
    assert "" == some.enter("first", together[0])[1]
    assert "max_connections_per_network" == some.enter("second", together[1])[1]
    assert "" == some.enter("third", apart)[1]
    some.leave("second")
    assert "max_connections_per_network" == some.enter("second", together[1])[1]
    some.leave("first")
    assert "" == some.enter("second", together[1])[1]


@pytest.mark.parametrize("address", ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8:ff::1", ""])
def test_relays_and_sockets_have_no_limit_of_their_own(address: str) -> None:
    """Relays and unix sockets may use every place there is, and no more."""
    some = crowd(max_connections=5, max_connections_per_network=1)
    assert [""] * 5 + ["max_connections"] == [some.enter(guest, address)[1] for guest in range(6)]


@pytest.mark.parametrize(
    ("address", "expected"), [("192.0.2.1", False), ("", False), ("192.0.2.16", True), ("2001:db8::1", True)]
)
def test_who_is_a_stranger(address: str, expected: bool) -> None:
    """Whoever is neither a relay nor at a unix socket is one."""
    some = crowd()
    some.enter("guest", address)
    assert expected == some.is_stranger("guest")


@pytest.mark.parametrize(("places", "strangers"), [(1, 1), (2, 1), (10, 9), (11, 9), (200, 180)])
def test_strangers_leave_places_for_relays(places: int, strangers: int) -> None:
    """A tenth of the places, rounded up, is kept for relays; of one place nothing can be kept."""
    some = crowd(max_connections=places, max_connections_per_network=places)
    assert strangers == [some.enter(guest, "203.0.113.1")[1] for guest in range(places + 5)].count("")
    assert places - strangers == [some.enter(-1 - guest, "192.0.2.1")[1] for guest in range(places)].count("")


@pytest.mark.parametrize(
    ("address", "shown"),
    [("::ffff:192.0.2.1", "192.0.2.1"), ("2001:DB8::1", "2001:db8::1"), ("fe80::1%2", "fe80::1"), ("", "")],
)
def test_how_an_address_is_shown(address: str, shown: str) -> None:
    """Addresses have one form in the log and in the store."""
    assert shown == crowd().enter("guest", address)[0]


@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.integers(0, 30),
            st.sampled_from(["198.51.100.1", "203.0.113.1", "2001:db8::1", "192.0.2.1", ""]),
        )
    )
)
def test_nothing_is_remembered_for_those_who_left(steps: list[tuple[bool, int, str]]) -> None:
    """Whoever came and went in whatever order: when all have left, nothing is kept, and every place is free."""
    some, inside = crowd(max_connections=7, max_connections_per_network=3), set()
    for enters, guest, address in steps:
        if not enters:
            some.leave(guest)
            inside.discard(guest)
        elif guest not in inside:
            some.enter(guest, address)
            inside.add(guest)
    for guest in inside:
        some.leave(guest)
    assert ({}, {}, 0) == (some._inside, dict(some._networks), some._strangers)
