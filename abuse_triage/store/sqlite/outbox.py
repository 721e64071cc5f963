"""Mail on its way out: each step is committed before the next one is taken."""

from datetime import datetime
from typing import Any

from abuse_triage.errors import InputError, NotFoundError
from abuse_triage.model.decision import Priority, Tlp
from abuse_triage.model.ticket import JournalEntry, MailKind, MailState, Outgoing
from abuse_triage.store.outbox import MailToSend, StoredMail
from abuse_triage.store.sqlite.columns import moment, time_of
from abuse_triage.store.sqlite.connection import Connected, Connection
from abuse_triage.store.sqlite.journal import write_journal

_ANSWER_LENGTH = 200
_STOPPED = "the sender stopped while it was sending"

_ENQUEUE = """
INSERT INTO outbox (ticket_id, kind, message_id, recipient, created_at, next_try, content, proven, answers, language,
    encrypt_to)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (message_id) DO NOTHING
"""
COLUMNS = """
outbox.id, outbox.kind, message_id, recipient, outbox.state, tries, outbox.created_at, next_try, error, tickets.number,
proven, answers, language, held_at, paid_at, folded_into, tickets.priority, tickets.tlp, encrypt_to
"""
"""What `stored_mail` makes a `StoredMail` of, in a query with `FROM`."""
FROM = "FROM outbox LEFT JOIN tickets ON tickets.id = outbox.ticket_id"
_DUE = f"""
SELECT {COLUMNS}, content {FROM} WHERE sent_at IS NULL AND outbox.state = 'queued' AND next_try <= ?
ORDER BY next_try, outbox.created_at, outbox.id LIMIT ?
"""
_ONE = f"SELECT {COLUMNS} {FROM} WHERE outbox.id = ?"
_OF_TICKET = f"SELECT {COLUMNS} {FROM} WHERE ticket_id = ? ORDER BY outbox.id"
_SENDING = "UPDATE outbox SET state = 'sending', tries = tries + 1 WHERE id = ? AND state = 'queued'"
_PUT_OFF = """
UPDATE outbox SET tries = tries + (state = 'queued'), state = 'queued', next_try = ?, error = ?
WHERE id = ? AND state IN ('queued', 'sending')
"""
_ENDED = frozenset({MailState.SENT, MailState.FOLDED})
_GONE = frozenset({MailState.SENDING, MailState.SENT, MailState.UNKNOWN})
_RELEASED = frozenset({MailState.UNKNOWN, MailState.FAILED, MailState.UNDELIVERABLE})
_TICKETS = """
SELECT ticket_id FROM outbox WHERE id = ? AND ticket_id IS NOT NULL
UNION SELECT ticket_id FROM outbox WHERE folded_into = ? AND ticket_id IS NOT NULL
"""
_LEFT = "SELECT id, kind FROM outbox WHERE sent_at IS NULL AND state = 'sending' ORDER BY id"
_SETTLE = "UPDATE outbox SET state = ?, error = ?, sent_at = ?, held_at = NULL WHERE id = ?"


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
        return [MailToSend(mail=stored_mail(row[:-1]), content=row[-1]) for row in rows]

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
                row = self._db.one("SELECT state FROM outbox WHERE id = ?", mail_id)
                if row is None or row[0] != MailState.UNDELIVERABLE:  # that came back before this was committed
                    raise _not_in_hand(mail_id)

    def give_up(self, mail_id: int, now: datetime, error: str) -> None:
        """Commit that a mail was refused for good or became too old."""
        self._end(mail_id, now, MailState.FAILED, error, ("queued", "sending"))

    def unknown(self, mail_id: int, now: datetime, error: str) -> None:
        """Commit that nobody can tell whether a mail was taken over."""
        self._end(mail_id, now, MailState.UNKNOWN, error, ("sending",))

    def recover(self, now: datetime) -> list[StoredMail]:
        """Turn what a stopped sender left as "sending" into "delivery-unknown", digests and notices into "queued"."""
        with self._db.writing():
            left = self._db.all(_LEFT)
            for mail_id, kind in left:
                state = MailState.UNKNOWN if kind == MailKind.ACKNOWLEDGEMENT else MailState.QUEUED
                self._db.run(_SETTLE, state.value, _STOPPED, None, mail_id)
                tell_tickets(self._db, mail_id, state, _STOPPED, at=now)
            return [one_mail(self._db, mail_id) for mail_id, _ in left]

    def mails(self, states: tuple[MailState, ...], limit: int) -> list[StoredMail]:
        """List mails, newest first; () means every state."""
        unsent = "" if not states or _ENDED & {*states} else "AND sent_at IS NULL"
        among = f"outbox.state IN ({', '.join('?' * len(states))})" if states else "TRUE"
        if len(waiting := {MailState.QUEUED, MailState.HELD} & {*states}) == 1:
            among += f" AND (outbox.state <> 'queued' OR held_at IS {'NOT' if MailState.HELD in waiting else ''} NULL)"
        sql = f"SELECT {COLUMNS} {FROM} WHERE {among} {unsent} ORDER BY outbox.id DESC LIMIT ?"
        columns = (MailState.QUEUED if state is MailState.HELD else state for state in states)
        with self._db.reading():
            return [stored_mail(row) for row in self._db.all(sql, *columns, limit)]

    def content(self, mail_id: int) -> bytes:
        """Return a whole mail as it is queued or was sent."""
        with self._db.reading():
            row = self._db.one("SELECT content FROM outbox WHERE id = ?", mail_id)
        if row is None:
            raise NotFoundError(f"there is no mail {mail_id}")
        return bytes(row[0])

    def resend(self, mail_id: int, actor: str, now: datetime) -> None:
        """Queue a mail again that may not have arrived, due at once; its attempts are kept, and so is its payment."""
        with self._db.writing():
            row = self._db.one("SELECT state FROM outbox WHERE id = ?", mail_id)
            if row is None:
                raise NotFoundError(f"there is no mail {mail_id}")
            (state,) = row
            if state not in _RELEASED:
                raise InputError(
                    f"mail {mail_id} is {state}",
                    advice="Only mail that is delivery-unknown, failed or undeliverable is sent again.",
                )
            self._db.run("UPDATE outbox SET state = 'queued', next_try = ? WHERE id = ?", moment(now), mail_id)
            tell_tickets(self._db, mail_id, MailState.QUEUED, f"released, was {state}", at=now, actor=actor)

    def _end(self, mail_id: int, now: datetime, state: MailState, answer: str, before: tuple[str, ...]) -> None:
        answer = answer[:_ANSWER_LENGTH]
        sent_at = moment(now) if state is MailState.SENT else None
        with self._db.writing():
            row = self._db.one("SELECT state FROM outbox WHERE id = ?", mail_id)
            if row and row[0] == MailState.UNDELIVERABLE:
                return  # it came back before this was committed
            if row is None or row[0] not in before:
                raise _not_in_hand(mail_id)
            self._db.run(_SETTLE, state.value, answer, sent_at, mail_id)
            tell_tickets(self._db, mail_id, state, answer, at=now)


def enqueue(db: Connection, mail: Outgoing, at: str, *, ticket_id: int | None, content: bytes) -> bool:
    """Add a mail to the outbox, due when it may leave; False, and nothing changes, where its Message-ID is there.

    Inside of a transaction; `at` as its column holds it, `content` with the ticket's number in place.
    """
    due = max(at, moment(mail.not_before)) if mail.not_before else at
    values = ticket_id, mail.kind.value, mail.message_id, mail.recipient, at, due, content
    return db.run(_ENQUEUE, *values, int(mail.proven), mail.answers, mail.language, mail.encrypt_to) == 1


def mark_undeliverable(db: Connection, message_id: str, reported_by: str, at: datetime) -> None:
    """Mark the mail with a Message-ID as not delivered, as an incoming message reports; inside of a transaction.

    Only what has left can come back: anything else, and what is not ours, stays as it is. The sender may not have
    committed yet that it has left.
    """
    row = db.one("SELECT id, state FROM outbox WHERE message_id = ?", message_id)
    if row and row[1] in _GONE:
        why = f"a delivery report says so: message {reported_by}"
        db.run(_SETTLE, MailState.UNDELIVERABLE.value, why, None, row[0])
        tell_tickets(db, row[0], MailState.UNDELIVERABLE, why, at=at, actor="triage")


def mails_of(db: Connection, ticket_id: int) -> tuple[StoredMail, ...]:
    """Return the mails of a ticket, oldest first; inside of a transaction."""
    return tuple(stored_mail(row) for row in db.all(_OF_TICKET, ticket_id))


def one_mail(db: Connection, mail_id: int) -> StoredMail:
    """Return a mail that is there; inside of a transaction."""
    return stored_mail(db.one(_ONE, mail_id))


def tell_tickets(
    db: Connection, mail_id: int, state: MailState, why: str, *, at: datetime, actor: str = "sender"
) -> None:
    """Note what became of a mail in the journal of its ticket, and of the tickets of mails that were folded into it."""
    entry = JournalEntry(at=at, actor=actor, action=f"mail {state}", detail=f"mail {mail_id}: {why}")
    for (ticket_id,) in db.all(_TICKETS, mail_id, mail_id):
        write_journal(db, [entry], ticket_id=ticket_id)


def _not_in_hand(mail_id: int) -> NotFoundError:
    return NotFoundError(
        f"mail {mail_id} is not being sent", advice="Another sender may be running: only one may; see mail list."
    )


def stored_mail(row: Any) -> StoredMail:
    """Make a mail of its `COLUMNS`."""
    mail_id, kind, message_id, recipient, state, tries, created_at, next_try, error, ticket, *rest = row
    proven, answers, language, held_at, paid_at, folded_into, priority, tlp, encrypt_to = rest
    return StoredMail(
        id=mail_id,
        kind=MailKind(kind),
        message_id=message_id,
        recipient=recipient,
        state=MailState.HELD if held_at and state == MailState.QUEUED else MailState(state),
        tries=tries,
        created_at=time_of(created_at),
        next_try=time_of(next_try),
        error=error,
        ticket=ticket or "",
        proven=bool(proven),
        answers=answers,
        language=language,
        held_at=held_at and time_of(held_at),
        paid_at=paid_at and time_of(paid_at),
        folded_into=folded_into,
        priority=priority and Priority(priority),
        tlp=tlp and Tlp(tlp),
        encrypt_to=encrypt_to,
    )
