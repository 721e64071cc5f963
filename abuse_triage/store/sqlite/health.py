"""What operators and the scheduler ask: what waits, what is remembered, whether anything changed or is wrong."""

import time
from typing import Any

from abuse_triage.model.decision import Priority
from abuse_triage.model.ticket import MailState
from abuse_triage.store.interface import Gauge
from abuse_triage.store.sqlite.columns import time_of
from abuse_triage.store.sqlite.connection import Connected, Connection

_SMALL_FILE = 64_000_000
"""Up to so many bytes the whole file is looked through; beyond, only the counters of ticket numbers."""

_FIRST_STEP, _LONGEST_STEP, _GROWTH = 0.005, 0.05, 1.5

_MESSAGES_WAITING = """
SELECT 'received', count(*), min (received_at) FROM messages WHERE ready_at_ms IS NOT NULL AND state = 'received'
UNION ALL SELECT 'claimed', count(*), min (received_at) FROM messages
    WHERE ready_at_ms IS NOT NULL AND state = 'claimed' AND NOT again
"""
_MESSAGES_AGAIN = "SELECT 'to decide again', count(*), min (received_at) FROM messages WHERE again"
_MESSAGES_SET_ASIDE = """
SELECT outcome, count(*), min (received_at) FROM messages WHERE outcome IN ('parked', 'quarantined') GROUP BY outcome
"""
_TICKETS_OPEN = "SELECT priority, count(*), min (created_at) FROM tickets WHERE state = 'new' GROUP BY priority"
# Indexes hold both sets of ids: no row is read, whose content would lie between its columns.
_MAIL_UNSENT = """
SELECT state, count(*), min (created_at) FROM outbox
WHERE sent_at IS NULL AND id NOT IN (SELECT id FROM outbox WHERE held_at IS NOT NULL) GROUP BY state
"""
_MAIL_HELD = "SELECT 'held', count(*), min (held_at) FROM outbox WHERE held_at IS NOT NULL"
_LOOKUPS_WAITING = "SELECT 'waiting', count(*), min (wanted_at) FROM lookups WHERE not_before IS NOT NULL"
# Of open tickets only: nobody is going to release the others.
_LOOKUPS_WITHHELD = """
SELECT 'withheld', count(*), min (wanted_at)
FROM tickets CROSS JOIN lookups ON ticket_id = tickets.id AND lookups.state = 'withheld' WHERE tickets.state = 'new'
"""
_MAIL_STATES = tuple(state for state in MailState if state not in {MailState.SENT, MailState.FOLDED, MailState.HELD})

# What is counted, under which name, and everything that is counted there, so that a zero is shown too.
_COUNTED: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("messages", _MESSAGES_WAITING, ("received", "claimed")),
    ("messages", _MESSAGES_SET_ASIDE, ("quarantined", "parked")),
    ("tickets open", _TICKETS_OPEN, tuple(Priority)),
    ("mail", _MAIL_UNSENT, _MAIL_STATES),
    ("mail", _MAIL_HELD, ("held",)),
    ("messages", _MESSAGES_AGAIN, ("to decide again",)),
    ("look-ups", _LOOKUPS_WAITING, ("waiting",)),
    ("look-ups", _LOOKUPS_WITHHELD, ("withheld",)),
)

_REMEMBER = "INSERT INTO memory (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"


class Health(Connected):
    """Looking after the store."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._seen = connection.version()

    def gauges(self) -> list[Gauge]:
        """Count what waits or was set aside, zeros too; finished messages and sent mail are not walked through."""
        gauges: list[Gauge] = []
        with self._db.reading():
            for name, sql, states in _COUNTED:
                found: dict[str, Any] = {state: (count, oldest) for state, count, oldest in self._db.all(sql)}
                for state in states:
                    count, oldest = found.get(state, (0, None))
                    gauges.append(Gauge(name=f"{name} {state}", count=count, oldest=oldest and time_of(oldest)))
        return gauges

    def remember(self, name: str, value: str) -> None:
        """Keep one small fact across restarts."""
        with self._db.writing():
            self._db.run(_REMEMBER, name, value)

    def recall(self, name: str) -> str:
        """Return what was remembered under a name, "" for nothing."""
        with self._db.reading():
            row = self._db.one("SELECT value FROM memory WHERE name = ?", name)
        return row[0] if row else ""

    def wait(self, timeout: float) -> bool:
        """Wait at most so many seconds for another connection to change the store; False where none did.

        A change between two waits counts, so that one that comes while the caller looks for work is not missed. The
        file is looked at every 5 ms at first, every 50 ms in the end.
        """
        deadline = time.monotonic() + timeout
        step = _FIRST_STEP
        while True:
            version = self._db.version()
            if version != self._seen:
                self._seen = version
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(step, left))
            step = min(step * _GROWTH, _LONGEST_STEP)

    def check(self) -> list[str]:
        """Verify the settings of the connection, and the file as far as that is quick; returns problems."""
        with self._db.reading():
            problems = self._db.problems()
            small = self._db.pragma("page_count") * self._db.pragma("page_size") <= _SMALL_FILE
            found = self._db.all("PRAGMA quick_check (5)" if small else "PRAGMA quick_check (counters)")
        return problems + [f"integrity: {text}" for (text,) in found if text != "ok"]

    def close(self) -> None:
        """Let go of the file; nothing may be asked afterwards."""
        self._db.close()
