"""How long answers count: fresh, then stale but shown while somebody asks again; shorter where there was nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from abuse_triage.model.lookups import Answer, LookupKind, Result

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetime:
    """How long answers of one kind count.

    `fresh` is how long nobody asks again; for `stale` longer the answer is shown while somebody asks again. `negative`
    is how long "there is no such thing" counts, and `error` how long a failure does: twice as long for each failure of
    the server behind it, up to `longest_error`.
    """

    fresh: timedelta
    stale: timedelta
    negative: timedelta
    error: timedelta = 5 * _MINUTE
    longest_error: timedelta = _HOUR


_DNS = Lifetime(fresh=_HOUR, stale=_HOUR, negative=15 * _MINUTE, error=_MINUTE, longest_error=_MINUTE)
LIFETIMES: Mapping[LookupKind, Lifetime] = {
    LookupKind.NETWORK: Lifetime(fresh=_DAY, stale=7 * _DAY, negative=_DAY),
    LookupKind.ABUSE_CONTACT: Lifetime(fresh=_DAY, stale=7 * _DAY, negative=_DAY),
    LookupKind.DOMAIN: Lifetime(fresh=6 * _HOUR, stale=3 * _DAY, negative=_HOUR),
    LookupKind.OWN_DOMAIN: Lifetime(fresh=_HOUR, stale=_DAY, negative=15 * _MINUTE),
    LookupKind.DELEGATION: _DNS,
    LookupKind.HOSTS: _DNS,
    LookupKind.POINTER: _DNS,
}
"""The table, by what is asked; DNS by its TTL where it tells one, within `DNS_FLOOR` and these."""
DNS_FLOOR = _MINUTE
"""Least time for which an answer of DNS counts, whatever its TTL says."""
SETTLED_NAME = 365 * _DAY
"""A name that is older changes seldom: its registration counts for `SETTLED_FRESH`."""
SETTLED_FRESH = _DAY
_JITTER = 0.1
_MOST_DOUBLINGS = 10


def lifetime(answer: Answer, *, failures: int, now: datetime, chance: float) -> tuple[timedelta, timedelta]:
    """Return how long an answer is fresh, and how much longer it may be shown while it is stale.

    Args:
        answer: what came; its `lifetime` counts where it tells one.
        failures: of the server in a row, this answer included; 0 where there was none.
        now: the time of the answer.
        chance: a number from 0 to 1 that shifts both by up to a tenth, so that what was asked together is not asked
            again together.
    """
    row = LIFETIMES[answer.kind]
    factor = 1 + _JITTER * (2 * chance - 1)
    match answer.result:
        case Result.FAILED:
            error = min(row.error * 2 ** min(max(failures - 1, 0), _MOST_DOUBLINGS), row.longest_error)
            return error * factor, timedelta(0)
        case Result.NOT_FOUND:
            return _bounded(answer, row.negative) * factor, timedelta(0)
    fresh = _bounded(answer, row.fresh)
    if answer.kind is LookupKind.DOMAIN and answer.created is not None and now - answer.created > SETTLED_NAME:
        fresh = max(fresh, SETTLED_FRESH)
    return fresh * factor, row.stale * factor


def _bounded(answer: Answer, most: timedelta) -> timedelta:
    """Return what the answer says of itself, within the bounds."""
    return most if answer.lifetime is None else min(max(answer.lifetime, DNS_FLOOR), most)
