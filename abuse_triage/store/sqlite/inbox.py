"""Messages on their way in: accepted, claimed under a lease, given back."""

import json
import secrets
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from abuse_triage.errors import TemporaryError
from abuse_triage.model.message import Arrival
from abuse_triage.model.ticket import JournalEntry, RelationKeys, Relations
from abuse_triage.store.interface import Claimed
from abuse_triage.store.sqlite.columns import envelope, moment, time_of
from abuse_triage.store.sqlite.connection import NOW_MS, Connected, Connection
from abuse_triage.store.sqlite.journal import write_journal
from abuse_triage.store.sqlite.raw import Packed, read_raw
from abuse_triage.store.sqlite.relations import Found, reference, related

CLAIM_BYTES = 32_000_000
"""Raw mail that one claim hands out, at least one message: a batch of large ones must not fill the memory."""

_ERROR_LENGTH = 2000

_ACCEPT = """
INSERT INTO messages (id, received_at, sender, recipients, channel, peer, helo, tls, details, raw_size, truncated)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

# No message that waits in "received" is there again, so that the index alone answers for most.
_WAITING = """
SELECT (SELECT count(*) FROM messages WHERE ready_at_ms IS NOT NULL AND state = 'received')
    + (SELECT count(*) FROM messages WHERE ready_at_ms IS NOT NULL AND state = 'claimed' AND NOT again)
"""
_ANY_READY = f"""
SELECT EXISTS (SELECT 1 FROM messages WHERE state = 'received' AND ready_at_ms <= {NOW_MS})
OR EXISTS (SELECT 1 FROM messages WHERE state = 'claimed' AND ready_at_ms <= {NOW_MS})
OR EXISTS (SELECT 1 FROM messages WHERE state = 'done' AND ready_at_ms <= {NOW_MS})
"""  # noqa: S608 - NOW_MS is a constant
_FRESH = """
SELECT id, raw_size FROM messages WHERE state = 'received' AND ready_at_ms = 0 ORDER BY received_at, id LIMIT ?
"""
# Each half takes one row from the index, so that a thousand failed messages do not make each claim slower.
_TRIED = f"""
SELECT id FROM (
    SELECT * FROM (SELECT id, ready_at_ms FROM messages
        WHERE state = 'received' AND ready_at_ms BETWEEN 1 AND {NOW_MS} ORDER BY ready_at_ms LIMIT 1)
    UNION ALL
    SELECT * FROM (SELECT id, ready_at_ms FROM messages
        WHERE state = 'claimed' AND ready_at_ms <= {NOW_MS} ORDER BY ready_at_ms LIMIT 1)
) ORDER BY ready_at_ms LIMIT 1
"""  # noqa: S608 - NOW_MS is a constant
_AGAIN = f"""
SELECT id FROM messages WHERE state = 'done' AND ready_at_ms <= {NOW_MS} ORDER BY ready_at_ms LIMIT 1
"""  # noqa: S608 - NOW_MS is a constant
_CLAIM = f"""
UPDATE messages SET state = 'claimed', attempts = attempts + 1, lease = ?, ready_at_ms = {NOW_MS} + ? WHERE id = ?
"""  # noqa: S608 - NOW_MS is a constant
_CLAIMED = """
SELECT messages.id, received_at, sender, recipients, channel, peer, helo, tls, details, truncated, attempts,
    promoted_by, again, raw_messages.rowid, tickets.id, tickets.number, tickets.state
FROM messages JOIN raw_messages ON raw_messages.message_id = messages.id
LEFT JOIN tickets ON tickets.id = messages.ticket_id
WHERE messages.id IN (SELECT value FROM json_each (?)) ORDER BY messages.received_at, messages.id
"""

# A pause after a failure, 250 ms and four times as long after each further one, at most a minute: a message that
# fails because of something that passes is not used up at once.
_LATER = f"{NOW_MS} + min (60000, 250 << (2 * min (attempts - 1, 8)))"
_BEFORE = "CASE WHEN again THEN 'done' ELSE 'received' END"
_GIVE_BACK = f"""
UPDATE messages SET state = {_BEFORE}, lease = '', attempts = attempts - (id <> ?),
    ready_at_ms = CASE WHEN id = ? THEN {_LATER} WHEN attempts = 1 AND NOT again THEN 0 ELSE {NOW_MS} END,
    error = CASE WHEN id = ? THEN 'the worker stopped while it was on this message' ELSE error END
WHERE state = 'claimed' AND ready_at_ms IS NOT NULL AND lease = ?
"""  # noqa: S608 - constants only
_FAIL = f"""
UPDATE messages SET state = {_BEFORE}, lease = '', error = ?, ready_at_ms = {_LATER}
WHERE id = ? AND state = 'claimed' AND lease = ?
"""  # noqa: S608 - constants only
_LEAVE = """
UPDATE messages SET state = 'done', again = 0, lease = '', ready_at_ms = NULL, error = ?
WHERE id = ? AND state = 'claimed' AND again AND lease = ? RETURNING ticket_id
"""


class Inbox(Connected):
    """Taking messages in, handing them out, and taking them back."""

    _tried_is_next = False

    def accept(self, arrivals: Sequence[Arrival]) -> None:
        """Make all of them durable together; an id that is there already refuses them all, for nothing is replaced."""
        rows = [
            (
                arrival.id,
                moment(arrival.received_at),
                arrival.envelope.sender,
                json.dumps(arrival.envelope.recipients),
                arrival.envelope.channel.value,
                arrival.envelope.peer,
                arrival.envelope.helo,
                int(arrival.envelope.tls),
                json.dumps(arrival.envelope.details),
                len(arrival.raw),
                int(arrival.truncated),
            )
            for arrival in arrivals
        ]
        if not rows:
            return
        packed = Packed(arrivals)
        try:
            with self._db.writing():
                self._db.run_many(_ACCEPT, rows)
                packed.write(self._db)
        except sqlite3.IntegrityError as error:
            raise TemporaryError("a message id was given twice", advice="Accept it under another id.") from error

    def waiting(self) -> int:
        """Count received and claimed messages; takes time in proportion to their number (100,000: some ms).

        Those that have their outcome, and are only to be decided again, do not count.
        """
        with self._db.reading():
            return int(self._db.one(_WAITING)[0])

    def claim(self, limit: int, lease: timedelta) -> list[Claimed]:
        """Claim up to `limit` fresh messages, or one that failed before; where both wait, they take turns.

        A message that has its outcome and goes to the rules again is claimed alone, when nothing else is there.
        A batch ends early at `CLAIM_BYTES` of raw mail. After a failure a message waits a little before it is handed
        out again, and nothing but time makes it ready: whoever waits for work must not wait for changes alone.
        """
        with self._db.reading():
            if not self._db.one(_ANY_READY)[0]:
                return []
        token = secrets.token_hex(16)
        with self._db.writing():
            tried, fresh = self._db.all(_TRIED), self._db.all(_FRESH, limit)
            if not tried and not fresh:
                tried = self._db.all(_AGAIN)
            alone = bool(tried) and (self._tried_is_next or not fresh)
            ids = [tried[0][0]] if alone else _within_bytes(fresh)
            self._tried_is_next = not alone
            self._db.run_many(_CLAIM, [(token, lease // timedelta(milliseconds=1), message_id) for message_id in ids])
        with self._db.reading():
            rows = self._db.all(_CLAIMED, json.dumps(ids))
            return [_claimed(self._db, row, token) for row in rows]

    def give_back(self, lease: str, charged: str = "") -> None:
        """Give back whatever is still held under a lease; nothing happens where that is nothing."""
        with self._db.writing():
            self._db.run(_GIVE_BACK, charged, charged, charged, lease)

    def fail(self, claimed: Claimed, error: str) -> None:
        """Give back a message that could not be worked on, unless its lease is lost; `error` is cut to 2000."""
        with self._db.writing():
            self._db.run(_FAIL, error[:_ERROR_LENGTH], claimed.arrival.id, claimed.lease)

    def leave(self, claimed: Claimed, error: str) -> None:
        """Let a message that was claimed `again` keep the outcome that it has, unless its lease is lost."""
        error = error[:_ERROR_LENGTH]
        with self._db.writing():
            row = self._db.one(_LEAVE, error, claimed.arrival.id, claimed.lease)
            if row:
                line = JournalEntry(at=datetime.now(UTC), actor="triage", action="not decided again", detail=error)
                write_journal(self._db, [line], ticket_id=row[0], message_id=claimed.arrival.id)

    def relations(self, keys: RelationKeys) -> Relations:
        """Find the tickets that a message relates to."""
        with self._db.reading():
            return related(self._db, keys)


def _within_bytes(rows: Sequence[tuple[str, int]]) -> list[str]:
    """Return the ids of the first messages that make up at most `CLAIM_BYTES` together, one in any case."""
    ids: list[str] = []
    total = 0
    for message_id, size in rows:
        total += size
        if ids and total > CLAIM_BYTES:
            break
        ids.append(message_id)
    return ids


def _claimed(db: Connection, row: Any, lease: str) -> Claimed:
    message_id, received_at, *written = row[:9]
    truncated, attempts, promoted_by, again, raw_row, *ticket = row[9:]
    return Claimed(
        arrival=Arrival(
            id=message_id,
            received_at=time_of(received_at),
            envelope=envelope(written),
            raw=read_raw(db, raw_row),
            truncated=bool(truncated),
        ),
        attempts=attempts,
        lease=lease,
        previous=None if ticket[0] is None else reference(db, Found(*ticket), participants=True),
        promoted=bool(promoted_by),
        again=bool(again),
    )
