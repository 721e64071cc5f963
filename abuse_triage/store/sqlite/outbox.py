"""Mail on its way out: each step is committed before the next one is taken."""

from datetime import datetime
from typing import Any

from abuse_triage.errors import InputError, NotFoundError
from abuse_triage.model.ticket import JournalEntry, MailKind, MailState, Outgoing
from abuse_triage.store.interface import MailToSend, StoredMail
from abuse_triage.store.sqlite.columns import moment, time_of
from abuse_triage.store.sqlite.connection import Connected, Connection
from abuse_triage.store.sqlite.journal import write_journal

_ANSWER_LENGTH = 200
_STOPPED = "the sender stopped while it was sending"

_ENQUEUE = """
INSERT INTO outbox (ticket_id, kind, message_id, recipient, created_at, next_try, content) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (message_id) DO NOTHING
"""
_COLUMNS = """
outbox.id, outbox.kind, message_id, recipient, outbox.state, tries, outbox.created_at, next_try, error, tickets.number
"""
_FROM = "FROM outbox LEFT JOIN tickets ON tickets.id = outbox.ticket_id"
_DUE = f"""
SELECT {_COLUMNS}, content {_FROM} WHERE sent_at IS NULL AND outbox.state = 'queued' AND next_try <= ?
ORDER BY next_try, outbox.created_at, outbox.id LIMIT ?
"""
_ONE = f"SELECT {_COLUMNS} {_FROM} WHERE outbox.id = ?"
_OF_TICKET = f"SELECT {_COLUMNS} {_FROM} WHERE ticket_id = ? ORDER BY outbox.id"
_SENDING = "UPDATE outbox SET state = 'sending', tries = tries + 1 WHERE id = ? AND state = 'queued'"
_PUT_OFF = """
UPDATE outbox SET tries = tries + (state = 'queued'), state = 'queued', next_try = ?, error = ?
WHERE id = ? AND state IN ('queued', 'sending')
"""
_LEFT = "SELECT id, kind, ticket_id FROM outbox WHERE sent_at IS NULL AND state = 'sending' ORDER BY id"
_SETTLE = "UPDATE outbox SET state = ?, error = ?, sent_at = ? WHERE id = ?"


class Outbox(Connected):
    """Queueing mail and following it to its end."""

    def queue(self, mail: Outgoing, now: datetime) -> bool:
        """Queue a mail that belongs to no ticket; False where one with its Message-ID was queued before."""
        with self._db.writing():
            return enqueue(self._db, mail, moment(now), ticket_id=None, content=mail.content)

    def due(self, now: datetime, limit: int) -> list[MailToSend]:
        """List queued mails whose time has come, longest due first; nothing changes."""
        with self._db.reading():
            rows = self._db.all(_DUE, moment(now), limit)
        return [MailToSend(mail=_stored(row[:-1]), content=row[-1]) for row in rows]

    def sending(self, mail_id: int, now: datetime) -> bool:  # noqa: ARG002 - an engine may keep the time
        """Commit that a mail is about to be sent, counting the attempt; False where it is not queued any more."""
        with self._db.writing():
            return self._db.run(_SENDING, mail_id) == 1

    def sent(self, mail_id: int, now: datetime, answer: str) -> None:
        """Commit that a mail was taken over, also where it was thought to be unknown."""
        self._end(mail_id, now, MailState.SENT, answer, ("sending", "delivery-unknown"))

    def put_off(self, mail_id: int, next_try: datetime, error: str) -> None:
        """Commit that a mail was certainly not taken over and is to be tried again; `error` is cut to 200."""
        with self._db.writing():
            if not self._db.run(_PUT_OFF, moment(next_try), error[:_ANSWER_LENGTH], mail_id):
                raise _not_in_hand(mail_id)

    def give_up(self, mail_id: int, now: datetime, error: str) -> None:
        """Commit that a mail was refused for good or became too old."""
        self._end(mail_id, now, MailState.FAILED, error, ("queued", "sending"))

    def unknown(self, mail_id: int, now: datetime, error: str) -> None:
        """Commit that nobody can tell whether a mail was taken over."""
        self._end(mail_id, now, MailState.UNKNOWN, error, ("sending",))

    def recover(self, now: datetime) -> list[StoredMail]:
        """Turn what a stopped sender left as "sending" into "delivery-unknown", digests into "queued"."""
        with self._db.writing():
            left = self._db.all(_LEFT)
            for mail_id, kind, ticket_id in left:
                state = MailState.QUEUED if kind == MailKind.DIGEST else MailState.UNKNOWN
                self._db.run(_SETTLE, state.value, _STOPPED, None, mail_id)
                _tell(self._db, mail_id, ticket_id, state, _STOPPED, at=now)
            return [_stored(self._db.one(_ONE, mail_id)) for mail_id, _, _ in left]

    def mails(self, states: tuple[MailState, ...], limit: int) -> list[StoredMail]:
        """List mails, newest first; () means every state."""
        unsent = "" if not states or MailState.SENT in states else "AND sent_at IS NULL"
        among = f"outbox.state IN ({', '.join('?' * len(states))})" if states else "TRUE"
        sql = f"SELECT {_COLUMNS} {_FROM} WHERE {among} {unsent} ORDER BY outbox.id DESC LIMIT ?"
        with self._db.reading():
            return [_stored(row) for row in self._db.all(sql, *states, limit)]

    def resend(self, mail_id: int, actor: str, now: datetime) -> None:
        """Queue a mail again that is "delivery-unknown" or "failed", due at once; its attempts are kept."""
        with self._db.writing():
            row = self._db.one("SELECT state, ticket_id FROM outbox WHERE id = ?", mail_id)
            if row is None:
                raise NotFoundError(f"there is no mail {mail_id}")
            state, ticket_id = row
            if state not in {MailState.UNKNOWN, MailState.FAILED}:
                raise InputError(
                    f"mail {mail_id} is {state}", advice="Only mail that is delivery-unknown or failed is sent again."
                )
            self._db.run("UPDATE outbox SET state = 'queued', next_try = ? WHERE id = ?", moment(now), mail_id)
            _tell(self._db, mail_id, ticket_id, MailState.QUEUED, f"released, was {state}", at=now, actor=actor)

    def _end(self, mail_id: int, now: datetime, state: MailState, answer: str, before: tuple[str, ...]) -> None:
        answer = answer[:_ANSWER_LENGTH]
        sent_at = moment(now) if state is MailState.SENT else None
        with self._db.writing():
            row = self._db.one("SELECT state, ticket_id FROM outbox WHERE id = ?", mail_id)
            if row is None or row[0] not in before:
                raise _not_in_hand(mail_id)
            self._db.run(_SETTLE, state.value, answer, sent_at, mail_id)
            _tell(self._db, mail_id, row[1], state, answer, at=now)


def enqueue(db: Connection, mail: Outgoing, at: str, *, ticket_id: int | None, content: bytes) -> bool:
    """Add a mail to the outbox, due at once; False where its Message-ID was there before, and then nothing changes.

    Inside of a transaction; `at` as its column holds it, `content` with the ticket's number in place.
    """
    values = ticket_id, mail.kind.value, mail.message_id, mail.recipient, at, at, content
    return db.run(_ENQUEUE, *values) == 1


def mails_of(db: Connection, ticket_id: int) -> tuple[StoredMail, ...]:
    """Return the mails of a ticket, oldest first; inside of a transaction."""
    return tuple(_stored(row) for row in db.all(_OF_TICKET, ticket_id))


def _tell(
    db: Connection,
    mail_id: int,
    ticket_id: int | None,
    state: MailState,
    why: str,
    *,
    at: datetime,
    actor: str = "sender",
) -> None:
    """Note in the ticket's journal what became of one of its mails."""
    if ticket_id is not None:
        entry = JournalEntry(at=at, actor=actor, action=f"mail {state}", detail=f"mail {mail_id}: {why}")
        write_journal(db, [entry], ticket_id=ticket_id)


def _not_in_hand(mail_id: int) -> NotFoundError:
    return NotFoundError(
        f"mail {mail_id} is not being sent", advice="Another sender may be running: only one may; see outbox list."
    )


def _stored(row: Any) -> StoredMail:
    mail_id, kind, message_id, recipient, state, tries, created_at, next_try, error, ticket = row
    return StoredMail(
        id=mail_id,
        kind=MailKind(kind),
        message_id=message_id,
        recipient=recipient,
        state=MailState(state),
        tries=tries,
        created_at=time_of(created_at),
        next_try=time_of(next_try),
        error=error,
        ticket=ticket or "",
    )
