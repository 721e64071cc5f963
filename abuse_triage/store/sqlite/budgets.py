"""Budgets that all processes share: one row for each that was drawn from, until all of it has come back."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from abuse_triage.model.budget import Bucket
from abuse_triage.store.outbox import Spent
from abuse_triage.store.sqlite.columns import moment
from abuse_triage.store.sqlite.connection import Connected, Connection

_START = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
_PRUNED = 10
"""Rows that are removed for each payment at most: more than it can add, so that the table does not grow."""

_READ = "SELECT name, used_us, as_of_us FROM budgets WHERE name IN (SELECT value FROM json_each (?))"
_WRITE = """
INSERT INTO budgets (name, used_us, as_of_us) VALUES (?, ?, ?)
ON CONFLICT (name) DO UPDATE SET used_us = excluded.used_us, as_of_us = excluded.as_of_us
"""
_PRUNE = """
DELETE FROM budgets WHERE name IN (
    SELECT name FROM budgets WHERE as_of_us + used_us <= ? ORDER BY as_of_us + used_us LIMIT ?
)
"""
_PAID = """
UPDATE outbox SET paid_at = ?, error = CASE WHEN held_at IS NULL THEN error ELSE '' END, held_at = NULL
WHERE id = ? AND state = 'queued' AND paid_at IS NULL
"""
_HOLD = """
UPDATE outbox SET next_try = ?, held_at = coalesce (held_at, ?), error = ?
WHERE id = ? AND state = 'queued' AND paid_at IS NULL
"""
_ANY_HELD = "SELECT EXISTS (SELECT 1 FROM outbox WHERE held_at IS NOT NULL)"
_OTHERS = """
SELECT EXISTS (
    SELECT 1 FROM outbox WHERE held_at IS NOT NULL
    AND (recipient, proven, kind) = (SELECT recipient, proven, kind FROM outbox WHERE id = ?) AND id <> ?
)
"""


class Budgets(Connected):
    """Paying for mail."""

    def pay(self, mails: Sequence[tuple[int, Sequence[Bucket]]], now: datetime) -> list[Spent]:
        """Pay for queued mails or hold them, in their order; budgets that are full again are forgotten.

        Mails of one call that find the same budget empty are held for one share of it after the other, so that not all
        of them come back for the next one.
        """
        with self._db.writing():
            state = used_up(self._db, (bucket for _, buckets in mails for bucket in buckets), now)
            behind: Counter[str] = Counter()
            (any_held,) = self._db.one(_ANY_HELD)
            spent = []
            for mail_id, buckets in mails:
                found = self._pay(mail_id, buckets, state, behind, now)
                if any_held and found.until is None:
                    found = Spent(others=bool(self._db.one(_OTHERS, mail_id, mail_id)[0]))
                spent.append(found)
            write_used(self._db, state, now, changes=len(mails))
        return spent

    def used(self, buckets: Sequence[Bucket], now: datetime) -> list[float]:
        """Return how much of each budget is used up, from 0 to 1."""
        with self._db.reading():
            state = used_up(self._db, buckets, now)
        return [state[bucket.name] * _US / bucket.span for bucket in buckets]

    def _pay(
        self, mail_id: int, buckets: Sequence[Bucket], state: dict[str, int], behind: Counter[str], now: datetime
    ) -> Spent:
        """Pay for one mail out of `state`, or hold it; `behind` counts those that found each budget empty."""
        empty = lacking(buckets, state, behind)
        if empty:
            bucket, wait = empty
            until = now + wait
            if self._db.run(_HOLD, moment(until), moment(now), f"waits for the budget {bucket.kind}", mail_id):
                behind[bucket.name] += 1
                return Spent(until=until, bucket=bucket)
        elif self._db.run(_PAID, moment(now), mail_id):
            take(buckets, state)
        return Spent()


def used_up(db: Connection, buckets: Iterable[Bucket], now: datetime) -> dict[str, int]:
    """Return for each budget after how many microseconds all of it has come back; inside of a transaction.

    Where the clock went back since, nothing has come back; and never is more used up than there is, as it would be
    after the settings were changed.
    """
    at = (now - _START) // _US
    spans = {bucket.name: bucket.span // _US for bucket in buckets}
    state = dict.fromkeys(spans, 0)
    for name, used, as_of in db.all(_READ, json.dumps(list(spans))):
        state[name] = min(max(used - max(at - as_of, 0), 0), spans[name])
    return state


def lacking(
    buckets: Sequence[Bucket], state: Mapping[str, int], behind: Mapping[str, int]
) -> tuple[Bucket, timedelta] | None:
    """Return the budget that is longest empty, and how long; None where each of them has one left.

    `state` is what `used_up` returned, `behind` counts those who wait for each budget already.
    """
    waits = {}
    for bucket in buckets:
        span = bucket.span // _US
        share = span // bucket.count
        if state[bucket.name] + share > span:
            waits[bucket] = (state[bucket.name] + share - span + behind.get(bucket.name, 0) * share) * _US
    return max(waits.items(), key=lambda wait: wait[1]) if waits else None


def take(buckets: Iterable[Bucket], state: dict[str, int], count: int = 1) -> None:
    """Take so many from each budget, in `state` only."""
    for bucket in buckets:
        state[bucket.name] += count * (bucket.span // _US // bucket.count)


def write_used(db: Connection, state: Mapping[str, int], now: datetime, *, changes: int) -> None:
    """Store what is used up, and forget some budgets that are full again; `changes` counts what was paid for."""
    as_of = (now - _START) // _US
    db.run_many(_WRITE, [(name, used, as_of) for name, used in state.items() if used])
    db.run(_PRUNE, as_of, _PRUNED * changes)
