"""Values as columns of the SQLite store hold them."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from contract.values import VERDICT
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.store.sqlite.columns import clean, clean_json, columns, moment, time_of, verdict_json, verdict_of

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()))


@given(ANY_TEXT)
def test_clean_text_can_be_stored(text: str) -> None:
    """No NUL and no lone surrogate is left, and cleaning again changes nothing."""
    cleaned = clean(text)
    assert "\0" not in cleaned
    assert cleaned == cleaned.encode().decode()
    assert cleaned == clean(cleaned)


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0")))
def test_clean_text_stays_as_it_is(text: str) -> None:
    """A text without NUL and surrogates is not touched."""
    assert text == clean(text)


def test_pair_of_surrogates_becomes_its_character() -> None:
    """What was cut from a pair is replaced, what is a pair is read as one."""
    assert clean("\ud83d\ude00\ud83d") == "😀\ufffd"


@given(ANY_TEXT)
def test_clean_json_says_the_same(text: str) -> None:
    """A JSON document that is cleaned says what its cleaned texts say, whichever way they were escaped."""
    for document in (json.dumps([text]), json.dumps([text], ensure_ascii=False)):
        assert [clean(text)] == json.loads(clean_json(document))


def test_escaped_backslash_is_no_escape() -> None:
    """The six characters of an escape that are themselves meant stay."""
    document = json.dumps(["\\u0000 \\ud800", "\0"])
    assert ["\\u0000 \\ud800", "\ufffd"] == json.loads(clean_json(document))


def test_columns_clean_texts_only() -> None:
    """Bytes, numbers and nothing pass as they are."""
    assert [b"\0", 5, None, "\ufffd", "é", "a"] == columns([b"\0", 5, None, "\0", "é", "a"])


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_moments_sort_like_times(first: datetime, second: datetime) -> None:
    """The order of the texts is the order of the times, and nothing of a time is lost."""
    assert (first < second) is (moment(first) < moment(second))
    assert first == time_of(moment(first))


def test_moment_is_told_in_utc() -> None:
    """A time of another zone is the same moment."""
    assert (
        moment(datetime(2026, 11, 21, 13, 0, tzinfo=timezone(timedelta(hours=1)))) == "2026-11-21T12:00:00.000000+00:00"
    )


@pytest.mark.parametrize("text", ["plain", "página", "\0", "\ud800", "\ud83d\ude00"])
def test_verdict_comes_back(text: str) -> None:
    """A verdict survives its JSON form, with its texts cleaned."""
    verdict = replace(VERDICT, reason=text)
    assert replace(VERDICT, reason=clean(text)) == verdict_of(verdict_json(verdict))


def test_no_verdict_is_no_json() -> None:
    """What was not decided is NULL in the database."""
    assert verdict_json(None) is None
    assert verdict_of(None) is None


def test_verdict_of_a_newer_version_is_read() -> None:
    """Fields that this version does not know are passed over."""
    newer = json.dumps({**json.loads(verdict_json(VERDICT) or ""), "mood": "calm"})
    assert VERDICT == verdict_of(newer)
