"""Ids of messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.service.ids import _Ids, new_id


def test_form() -> None:
    """An id is 26 characters of Crockford's base 32: ten for the time, sixteen for the random part."""
    assert "01arz3ndektsv4rrffq69g5fav" == _Ids()(1469922850259, 0xD6764C61EFB99302BD5B)


@given(st.lists(st.tuples(st.integers(0, 2**48 - 2), st.integers(0, 2**100)), min_size=2, max_size=20))
def test_order(moments: list[tuple[int, int]]) -> None:
    """Each id sorts behind the one before, wherever the clock goes."""
    ids = _Ids()
    given_out = [ids(now, chance) for now, chance in moments]
    assert sorted(set(given_out)) == given_out


def test_later_is_greater() -> None:
    """A later millisecond gives a greater id, whatever the random parts are."""
    assert _Ids()(1000, 2**80 - 1) < _Ids()(1001, 0)


def test_one_for_the_process() -> None:
    """The process has one source of ids."""
    assert new_id(2, 0) < new_id(1, 0)


def test_time_out_of_range() -> None:
    """A time that does not fit is an error; a clock before 1970 counts from the beginning."""
    with pytest.raises(ValueError, match="48 bits"):
        _Ids()(2**48, 0)
    assert "0" * 26 == _Ids()(-5, 0)
