"""How long answers count, row by row of the table."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.model.lookups import Answer, LookupKind, Result
from abuse_triage.service.lifetimes import LIFETIMES, lifetime

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ADDRESS = frozenset([LookupKind.NETWORK, LookupKind.ABUSE_CONTACT, LookupKind.POINTER])


def minutes(count: float) -> timedelta:
    """Return so many minutes."""
    return timedelta(minutes=count)


def answer(
    kind: LookupKind,
    result: Result = Result.FOUND,
    *,
    created: datetime | None = None,
    ttl: timedelta | None = None,
) -> Answer:
    """Return an answer of one kind."""
    subject = "192.0.2.7" if kind in ADDRESS else "example.org"
    return Answer(kind=kind, subject=subject, server="a.example", result=result, created=created, lifetime=ttl)


def of(given_answer: Answer, *, failures: int = 0, chance: float = 0.5) -> tuple[timedelta, timedelta]:
    """Return its lifetimes, without jitter unless `chance` says so."""
    return lifetime(given_answer, failures=failures, now=NOW, chance=chance)


@pytest.mark.parametrize(
    ("kind", "fresh", "stale", "negative"),
    [
        (LookupKind.NETWORK, 24 * 60, 7 * 24 * 60, 24 * 60),
        (LookupKind.ABUSE_CONTACT, 24 * 60, 7 * 24 * 60, 24 * 60),
        (LookupKind.DOMAIN, 6 * 60, 3 * 24 * 60, 60),
        (LookupKind.OWN_DOMAIN, 60, 24 * 60, 15),
        (LookupKind.DELEGATION, 60, 60, 15),
        (LookupKind.HOSTS, 60, 60, 15),
        (LookupKind.POINTER, 60, 60, 15),
    ],
)
def test_the_table(kind: LookupKind, fresh: int, stale: int, negative: int) -> None:
    """Each kind has its own row; that there is nothing is never shown stale."""
    assert (minutes(fresh), minutes(stale)) == of(answer(kind))
    assert (minutes(negative), timedelta(0)) == of(answer(kind, Result.NOT_FOUND))


def test_every_kind_has_a_row() -> None:
    """A new kind of question needs a lifetime."""
    assert set(LookupKind) == set(LIFETIMES)


@pytest.mark.parametrize(
    ("created", "hours"),
    [(NOW - timedelta(days=364), 6), (NOW - timedelta(days=366), 24), (NOW + timedelta(days=9), 6), (None, 6)],
)
def test_an_old_name_counts_for_a_day(created: datetime | None, hours: int) -> None:
    """The registration of a name that is older than a year changes seldom; that of a new one is looked at often."""
    assert timedelta(hours=hours) == of(answer(LookupKind.DOMAIN, created=created))[0]


@pytest.mark.parametrize(
    ("seconds", "fresh"), [(0, minutes(1)), (59, minutes(1)), (300, minutes(5)), (86400, minutes(60))]
)
def test_dns_counts_for_its_ttl_within_bounds(seconds: int, fresh: timedelta) -> None:
    """A TTL of nothing does not make us ask all the time, and none keeps an answer for days."""
    assert fresh == of(answer(LookupKind.DELEGATION, ttl=timedelta(seconds=seconds)))[0]


@pytest.mark.parametrize(("seconds", "negative"), [(0, 1), (120, 2), (86400, 15)])
def test_dns_says_how_long_there_is_nothing(seconds: int, negative: int) -> None:
    """The minimum of the SOA counts, within bounds."""
    found = of(answer(LookupKind.DELEGATION, Result.NOT_FOUND, ttl=timedelta(seconds=seconds)))
    assert minutes(negative) == found[0]


@pytest.mark.parametrize(("failures", "lasts"), [(0, 5), (1, 5), (2, 10), (3, 20), (4, 40), (5, 60), (10**9, 60)])
def test_failures_count_longer_while_they_go_on(failures: int, lasts: int) -> None:
    """Five minutes at first, twice as long each time, an hour at most; never shown stale."""
    for kind in (LookupKind.NETWORK, LookupKind.OWN_DOMAIN):
        assert (minutes(lasts), timedelta(0)) == of(answer(kind, Result.FAILED), failures=failures)


def test_a_failure_of_dns_counts_for_a_minute() -> None:
    """SERVFAIL is often over soon (RFC 2308 section 7)."""
    assert minutes(1) == of(answer(LookupKind.HOSTS, Result.FAILED), failures=9)[0]


@given(st.sampled_from(LookupKind), st.sampled_from(Result), st.floats(0, 1), st.integers(0, 50))
def test_jitter_is_a_tenth_at_most(kind: LookupKind, result: Result, chance: float, failures: int) -> None:
    """Whatever chance says, a lifetime is within a tenth of its row."""
    plain = of(answer(kind, result), failures=failures)
    shifted = of(answer(kind, result), failures=failures, chance=chance)
    for before, after in zip(plain, shifted, strict=True):
        assert before * 0.9 - minutes(0.001) <= after <= before * 1.1 + minutes(0.001)


def test_what_was_asked_together_is_not_asked_again_together() -> None:
    """Chance moves the end in both directions."""
    day = timedelta(days=1)
    assert [day * 0.9, day, day * 1.1] == [of(answer(LookupKind.NETWORK), chance=c)[0] for c in (0.0, 0.5, 1.0)]
