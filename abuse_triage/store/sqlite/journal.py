"""The history of a ticket: rows are added in the transaction of what they tell, and never changed."""

from collections.abc import Iterable

from abuse_triage.model.ticket import JournalEntry
from abuse_triage.store.sqlite.columns import moment, time_of
from abuse_triage.store.sqlite.connection import Connection

_WRITE = "INSERT INTO journal (ticket_id, message_id, at, actor, action, detail) VALUES (?, ?, ?, ?, ?, ?)"
_READ = "SELECT at, actor, action, detail FROM journal WHERE ticket_id = ? ORDER BY id"


def write_journal(
    db: Connection, entries: Iterable[JournalEntry], *, ticket_id: int | None, message_id: str | None = None
) -> None:
    """Add entries; without a ticket they are kept with their message only."""
    db.run_many(
        _WRITE,
        [(ticket_id, message_id, moment(entry.at), entry.actor, entry.action, entry.detail) for entry in entries],
    )


def read_journal(db: Connection, ticket_id: int) -> tuple[JournalEntry, ...]:
    """Return the history of a ticket in the order in which it was written."""
    return tuple(
        JournalEntry(at=time_of(at), actor=actor, action=action, detail=detail)
        for at, actor, action, detail in db.all(_READ, ticket_id)
    )
