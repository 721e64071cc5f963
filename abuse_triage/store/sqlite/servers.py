"""Being polite to servers, all processes together: their budgets, and leaving those alone that fail."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from abuse_triage.model.budget import Bucket
from abuse_triage.store.lookups import Server
from abuse_triage.store.sqlite.budgets import lacking, take, used_up, write_used
from abuse_triage.store.sqlite.columns import moment, time_of
from abuse_triage.store.sqlite.connection import Connected

_LISTED = 100
_REASON_LENGTH = 200

_READ = "SELECT open_until, probe_until FROM servers WHERE name = ? AND open_until IS NOT NULL"
_PROBE = "UPDATE servers SET probe_until = ? WHERE name = ?"
_ANSWERED = "DELETE FROM servers WHERE name = ?"
_FAILED = """
INSERT INTO servers (name, failures, open_until, reason) VALUES (?, 1, ?, ?)
ON CONFLICT (name) DO UPDATE SET failures = failures + 1, open_until = excluded.open_until, probe_until = NULL,
    reason = excluded.reason
RETURNING failures
"""
_WORST = "SELECT name, failures, open_until, reason FROM servers ORDER BY failures DESC, name LIMIT ?"


class Servers(Connected):
    """Asking servers only as often as they bear."""

    def admit(self, server: str, budgets: Sequence[Bucket], pause: timedelta, now: datetime) -> datetime | None:
        """Take one from each of a server's budgets, or nothing where one is empty; None to go ahead, else until when.

        Of a server that was left alone, whoever comes first after that finds out how it is.
        """
        with self._db.writing():
            left_alone = self._db.one(_READ, server)
            if left_alone:
                until = max(time_of(at) for at in left_alone if at)
                if until > now:
                    return until
            state = used_up(self._db, budgets, now)
            empty = lacking(budgets, state, {})
            if empty:
                return now + empty[1]
            take(budgets, state)
            write_used(self._db, state, now, changes=1)
            if left_alone:
                self._db.run(_PROBE, moment(now + pause), server)
        return None

    def server_answered(self, server: str) -> None:
        """Take note that a server answered as it should: nothing is held against it any more."""
        with self._db.reading():
            known = self._db.one("SELECT 1 FROM servers WHERE name = ?", server)
        if known:
            with self._db.writing():
                self._db.run(_ANSWERED, server)

    def server_failed(self, server: str, reason: str, until: datetime | None) -> int:
        """Take note that it did not, and leave it alone until then if given; `reason` is cut to 200 characters."""
        with self._db.writing():
            (failures,) = self._db.one(_FAILED, server, moment(until) if until else None, reason[:_REASON_LENGTH])
        return int(failures)

    def spend(self, bucket: Bucket, count: int, now: datetime) -> None:
        """Take so many from a budget; where it has less, all of it is used up."""
        with self._db.writing():
            state = used_up(self._db, [bucket], now)
            take([bucket], state, count)
            write_used(self._db, state, now, changes=1)

    def servers(self) -> list[Server]:
        """List the servers that fail, worst first, at most 100."""
        with self._db.reading():
            rows = self._db.all(_WORST, _LISTED)
        return [
            Server(name=name, failures=failures, open_until=open_until and time_of(open_until), reason=reason)
            for name, failures, open_until, reason in rows
        ]
