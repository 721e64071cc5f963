"""Messages for operators: listed, looked at, promoted, and sent the whole way again."""

from datetime import datetime
from typing import Any

from abuse_triage.errors import InputError, NotFoundError
from abuse_triage.model.ticket import JournalEntry, MessageState, OutcomeKind
from abuse_triage.store.interface import MessageFilter, StoredMessage
from abuse_triage.store.sqlite.columns import envelope, moment, time_of
from abuse_triage.store.sqlite.connection import Connected, Connection
from abuse_triage.store.sqlite.journal import write_journal
from abuse_triage.store.sqlite.raw import read_raw

_SELECT = """
SELECT messages.id, received_at, sender, recipients, channel, peer, helo, tls, details, raw_size, truncated,
    messages.state, attempts, error, outcome, reason, refused, tickets.number, CASE WHEN outcome = 'parked' THEN (
        SELECT substr (json_extract (facts, '$.summary'), 1, 200) FROM reports WHERE message_id = messages.id
    ) END
FROM messages LEFT JOIN tickets ON tickets.id = messages.ticket_id
"""
# The end of the range is the last character there is, so that it holds every id that begins like this.
_RESOLVE = """
SELECT id FROM messages WHERE id >= ? AND id < ? || char (0x10FFFF) ORDER BY id LIMIT 2
"""
_STANDS = "SELECT outcome, reason, ticket_id FROM messages WHERE id = ?"
_RETRY = """
UPDATE messages SET state = 'received', attempts = 0, ready_at_ms = 0, lease = '', error = '', outcome = NULL,
    reason = '', refused = '', finished_at = NULL, again = 0
WHERE id = ?
"""
_PROMOTE = "UPDATE messages SET promoted_by = ?, promoted_at = ? WHERE id = ?"
_SET_ASIDE = frozenset({OutcomeKind.PARKED, OutcomeKind.QUARANTINED})
_WAITING = frozenset({MessageState.RECEIVED, MessageState.CLAIMED})


class Messages(Connected):
    """Looking at messages."""

    def messages(self, which: MessageFilter) -> list[StoredMessage]:
        """List messages, newest first."""
        conditions, values = _conditions(which)
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        with self._db.reading():
            rows = self._db.all(f"{_SELECT} {where} ORDER BY messages.id DESC LIMIT ?", *values, which.limit)
        return [_stored(row) for row in rows]

    def message(self, message_id: str) -> tuple[StoredMessage, bytes]:
        """Return a message and its raw bytes; raises `NotFoundError`, or `InputError` where several begin like this."""
        with self._db.reading():
            found = _resolve(self._db, message_id)
            row = self._db.one(f"{_SELECT} WHERE messages.id = ?", found)
            (raw_row,) = self._db.one("SELECT rowid FROM raw_messages WHERE message_id = ?", found)
            return _stored(row), read_raw(self._db, raw_row)

    def note(self, message_id: str, entry: JournalEntry) -> None:
        """Add a line to the journal of a message's ticket, or of the message itself."""
        with self._db.writing():
            found = _resolve(self._db, message_id)
            _, _, ticket_id = self._db.one(_STANDS, found)
            write_journal(self._db, [entry], ticket_id=ticket_id, message_id=found)

    def retry(self, message_id: str, actor: str, now: datetime) -> None:
        """Let a quarantined or parked message go the whole way again; its outcome so far stays in the journal."""
        with self._db.writing():
            found = _resolve(self._db, message_id)
            outcome, reason, ticket_id = self._db.one(_STANDS, found)
            if outcome not in _SET_ASIDE:
                raise InputError(
                    f"message {found} is neither quarantined nor parked",
                    advice="Only what was set aside can be tried again.",
                )
            self._db.run(_RETRY, found)
            entry = JournalEntry(at=now, actor=actor, action="message retried", detail=f"was {outcome}: {reason}")
            write_journal(self._db, [entry], ticket_id=ticket_id, message_id=found)

    def promote(self, message_id: str, actor: str, now: datetime) -> None:
        """Let a parked message go the whole way again to a ticket; who asked for it is journaled there."""
        with self._db.writing():
            found = _resolve(self._db, message_id)
            outcome, _, _ = self._db.one(_STANDS, found)
            if outcome != OutcomeKind.PARKED:
                raise InputError(
                    f"message {found} is not parked",
                    advice="Only a parked message is promoted; message list --outcome parked shows them.",
                )
            self._db.run(_RETRY, found)
            self._db.run(_PROMOTE, actor, moment(now), found)


def _conditions(which: MessageFilter) -> tuple[list[str], list[str]]:
    conditions: list[str] = []
    values: list[str] = []
    for name, wanted in (("messages.state", which.states), ("outcome", which.outcomes)):
        if wanted:
            conditions.append(f"{name} IN ({', '.join('?' * len(wanted))})")
            values.extend(wanted)
    if which.unanswered:
        conditions.append("refused <> ''")
    if which.since is not None:
        conditions.append("received_at >= ?")
        values.append(moment(which.since))
    # In the words of the partial indexes, which are found by them.
    if (which.states and {*which.states} <= {MessageState.QUARANTINED}) or (
        which.outcomes and {*which.outcomes} <= _SET_ASIDE
    ):
        conditions.append("outcome IN ('parked', 'quarantined')")
    if which.states and {*which.states} <= _WAITING:
        conditions.append("ready_at_ms IS NOT NULL")
    return conditions, values


def _resolve(db: Connection, beginning: str) -> str:
    if beginning and db.one("SELECT 1 FROM messages WHERE id = ?", beginning):
        return beginning
    rows = db.all(_RESOLVE, beginning, beginning) if beginning else []
    if not rows:
        raise NotFoundError(f"there is no message {beginning!r}", advice="See message list.")
    if len(rows) > 1:
        raise InputError(f"several messages begin with {beginning!r}", advice="Write more of the id.")
    return str(rows[0][0])


def _stored(row: Any) -> StoredMessage:
    message_id, received_at, *written = row[:9]
    raw_size, truncated, state, attempts, error, outcome, reason, refused, ticket, subject = row[9:]
    return StoredMessage(
        id=message_id,
        received_at=time_of(received_at),
        envelope=envelope(written),
        raw_size=raw_size,
        truncated=bool(truncated),
        state=MessageState(state),
        attempts=attempts,
        error=error,
        outcome=None if outcome is None else OutcomeKind(outcome),
        reason=reason,
        refused=refused,
        ticket=ticket or "",
        subject=subject or "",
    )
