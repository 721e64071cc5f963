"""The end of a message's way: everything that its outcome consists of, in one short transaction."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from abuse_triage.model.decision import Tlp
from abuse_triage.model.ticket import JournalEntry, MailKind, MessageState, Outcome, OutcomeKind, TicketDraft
from abuse_triage.store.interface import Finished, Unfinished
from abuse_triage.store.sqlite.columns import VERDICT_SCHEMA, clean_json, moment, time_of, verdict_json
from abuse_triage.store.sqlite.connection import Connected
from abuse_triage.store.sqlite.handling import changes, update_ticket
from abuse_triage.store.sqlite.journal import write_journal
from abuse_triage.store.sqlite.offered import offer
from abuse_triage.store.sqlite.outbox import enqueue, mark_undeliverable
from abuse_triage.store.sqlite.relations import remember, standing
from abuse_triage.store.sqlite.signatures import remember_signature, seen_elsewhere
from abuse_triage.store.sqlite.ticket_lookups import write_wanted
from abuse_triage.store.sqlite.tickets import read_ticket

_HELD = """
SELECT received_at, ticket_id, promoted_by, promoted_at, again FROM messages
WHERE id = ? AND lease = ? AND state = 'claimed'
"""
_FINISH = """
UPDATE messages SET state = ?, outcome = ?, reason = ?, refused = ?, ticket_id = ?, finished_at = ?, lease = '',
    ready_at_ms = NULL
WHERE id = ?
"""
_COUNT = """
INSERT INTO counters (series, last) VALUES (?, 1) ON CONFLICT (series) DO UPDATE SET last = last + 1 RETURNING last
"""
_OPEN = """
INSERT INTO tickets (number, sequence, kind, state, category, type, tlp, tlp_marked, priority, review, summary,
    reporter, mailbox, created_at, updated_at, due, protection)
VALUES (?, ?, ?, 'new', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_JOIN = """
UPDATE tickets SET messages = messages + ?, updated_at = max (updated_at, ?),
    state = CASE WHEN ? AND state IN ('resolved', 'closed') THEN 'new' ELSE state END
WHERE id = ? RETURNING number, tlp, messages, by_hand
"""
_RAISE = "UPDATE tickets SET tlp = ?, tlp_marked = max (tlp_marked, ?) WHERE id = ?"
_FINISH_AGAIN = """
UPDATE messages SET state = 'done', again = 0, error = '', lease = '', ready_at_ms = NULL WHERE id = ?
RETURNING outcome
"""
_FIRST_MESSAGE = "SELECT message_id FROM journal WHERE ticket_id = ? AND message_id IS NOT NULL ORDER BY id LIMIT 1"
_REPORT = """
INSERT INTO reports (message_id, ticket_id, format, fingerprint, verdict_schema, verdict, facts)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (message_id) DO UPDATE SET ticket_id = excluded.ticket_id, format = excluded.format,
    fingerprint = excluded.fingerprint, verdict_schema = excluded.verdict_schema, verdict = excluded.verdict,
    facts = excluded.facts
"""
_FORGET_INDICATORS = "DELETE FROM indicators WHERE ticket_id = ? AND message_id = ?"
_INDICATOR = """
INSERT INTO indicators (ticket_id, message_id, kind, value, registrable, ours, reason, asn, name_server, registry,
    special)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_PARTICIPANT = "INSERT INTO participants (ticket_id, address) VALUES (?, ?) ON CONFLICT DO NOTHING"
_LINK = "INSERT INTO links (ticket_id, mentioned_id) VALUES (?, ?) ON CONFLICT DO NOTHING"


class _StaleError(Exception):
    """The relations are no longer those that the decision was made on."""


class _LostError(Exception):
    """Somebody else has the message."""


class _ImpossibleError(Exception):
    """The outcome cannot be stored, such as one that joins a ticket which does not exist."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    """An outcome with everything computed that can be computed before the transaction."""

    outcome: Outcome
    verdict: str | None
    facts: str


class _Home(NamedTuple):
    """The ticket that a message is at home in; `tlp` is what it may raise and not lower, None where it sets it."""

    id: int
    number: str
    tlp: Tlp | None = None


class Finishing(Connected):
    """Storing outcomes."""

    _number_format: str
    _max_offered: int

    def finish(self, outcomes: Sequence[Outcome]) -> list[Finished | Unfinished]:
        """Store everything that each outcome consists of; one commit for all, and each of them wholly or not at all.

        What happens is dated with the first journal entry of the outcome, or with the arrival where it has none. A
        message that has a ticket already keeps it: what would open another one updates that.
        """
        prepared = [
            _Prepared(outcome, verdict_json(outcome.verdict), clean_json(outcome.facts)) for outcome in outcomes
        ]
        if not prepared:
            return []
        self._db.fold_log_often()
        with self._db.writing():
            return [self._finish_or_not(one) for one in prepared]

    def _finish_or_not(self, prepared: _Prepared) -> Finished | Unfinished:
        outcome = prepared.outcome
        try:
            with self._db.savepoint():
                return self._finish(prepared)
        except _StaleError:
            return Unfinished(message_id=outcome.message_id, stale=True)
        except _LostError:
            return Unfinished(message_id=outcome.message_id, stale=False)
        except (_ImpossibleError, sqlite3.IntegrityError, sqlite3.DataError, OverflowError) as error:
            return Unfinished(message_id=outcome.message_id, stale=False, error=str(error))

    def _finish(self, prepared: _Prepared) -> Finished:
        outcome = prepared.outcome
        held = self._db.one(_HELD, outcome.message_id, outcome.lease)
        if held is None:
            raise _LostError
        received_at, previous, promoted_by, promoted_at, again = held
        if previous is None and not standing(self._db, outcome.keys).agrees(outcome.assumed):
            raise _StaleError
        if outcome.unseen and seen_elsewhere(self._db, outcome.signature_id, outcome.message_id):
            raise _StaleError
        at = moment(outcome.journal[0].at) if outcome.journal else received_at
        if again:
            return self._finish_again(prepared, previous, at)
        home = self._home(outcome, previous, at)
        ticket_id = home.id if home else None
        state = MessageState.QUARANTINED if outcome.kind is OutcomeKind.QUARANTINED else MessageState.DONE
        self._db.run(
            *(_FINISH, state.value, outcome.kind.value, outcome.reason, outcome.refused, ticket_id, at),
            outcome.message_id,
        )
        self._report(prepared, ticket_id)
        journal = outcome.journal
        if promoted_by and home and previous is None:
            journal = (_promotion(promoted_by, promoted_at), *journal)
        write_journal(self._db, journal, ticket_id=ticket_id, message_id=outcome.message_id)
        for message_id in outcome.undeliverable:
            mark_undeliverable(self._db, message_id, outcome.message_id, time_of(at))
        if outcome.signature_id:
            remember_signature(self._db, outcome.signature_id, outcome.message_id, at)
        if outcome.offered:
            offer(
                *(self._db, outcome.offered),
                message_id=outcome.message_id,
                at=time_of(at),
                most=self._max_offered,
            )
        if home:
            remember(self._db, outcome.keys, home.id, received_at)
            self._furnish(outcome, home, at, known=previous is not None)
        return Finished(message_id=outcome.message_id, kind=outcome.kind, number=home.number if home else "")

    def _finish_again(self, prepared: _Prepared, ticket_id: int, at: str) -> Finished:
        """Store what late answers changed about a message that has its outcome, which stays.

        Its ticket takes the new values only where this message opened it, and never a less strict TLP. Of a follow-up
        no handler was told at once, and none is now.
        """
        outcome, db = prepared.outcome, self._db
        if not outcome.again:
            raise _ImpossibleError("the message has its outcome already")
        (kind,) = db.one(_FINISH_AGAIN, outcome.message_id)
        self._report(prepared, ticket_id)
        ticket = read_ticket(db, ticket_id)
        opened_it = db.one(_FIRST_MESSAGE, ticket_id) == (outcome.message_id,)
        if (draft := outcome.updates) and opened_it:
            strictest = replace(draft, tlp=max(draft.tlp, ticket.tlp), tlp_marked=draft.tlp_marked or ticket.tlp_marked)
            update_ticket(db, ticket, strictest, at)
        changed = changes(ticket, read_ticket(db, ticket_id))
        entry = JournalEntry(
            at=time_of(at), actor="store", action="reclassified by look-ups", detail=f"{changed}: {outcome.reason}"
        )
        journal = (*((entry,) if changed else ()), *outcome.journal)
        write_journal(db, journal, ticket_id=ticket_id, message_id=outcome.message_id)
        tlp = None if "tlp" in ticket.by_hand else ticket.tlp
        news = outcome if opened_it else replace(outcome, outgoing=())
        if queued := self._furnish(news, _Home(ticket_id, ticket.number, tlp), at, known=True):
            told = f"{queued} notices queued: {outcome.reason}"
            line = JournalEntry(at=time_of(at), actor="store", action="handlers told at once", detail=told)
            write_journal(db, [line], ticket_id=ticket_id, message_id=outcome.message_id)
        return Finished(message_id=outcome.message_id, kind=OutcomeKind(kind), number=ticket.number)

    def _report(self, prepared: _Prepared, ticket_id: int | None) -> None:
        outcome = prepared.outcome
        self._db.run(
            *(_REPORT, outcome.message_id, ticket_id, outcome.format, outcome.keys.fingerprint, VERDICT_SCHEMA),
            *(prepared.verdict, prepared.facts),
        )

    def _home(self, outcome: Outcome, previous: int | None, at: str) -> _Home | None:
        """Open, join or keep the message's ticket; None where it has none."""
        joins = outcome.joins if outcome.joins is not None else previous
        if joins is None:
            return self._open(outcome.opens, at) if outcome.opens else None
        joined = self._db.one(_JOIN, int(joins != previous), at, int(outcome.reopens), joins)
        if joined is None:
            raise _ImpossibleError(f"there is no ticket with the id {joins}")
        number, tlp, messages, by_hand = joined
        updates = outcome.updates or (outcome.opens if outcome.kind is OutcomeKind.OPENED else None)
        if updates:
            update_ticket(self._db, read_ticket(self._db, joins), updates, at)
        if "tlp" in json.loads(by_hand):
            # A handler knew the message, but what has just come may be marked as stricter than all that was there.
            marked = joins != previous and outcome.verdict is not None and outcome.verdict.tlp_marked
            return _Home(joins, number, Tlp(tlp) if marked else None)
        return _Home(joins, number, None if updates and messages == 1 else Tlp(tlp))

    def _open(self, draft: TicketDraft, at: str) -> _Home:
        # A series is whatever makes numbers different but the sequence, so that changing the format begins a new one.
        (sequence,) = self._db.one(_COUNT, self._number_format.format(year=draft.year, sequence=0))
        number = self._number_format.format(year=draft.year, sequence=sequence)
        ticket_id = self._db.add(
            *(_OPEN, number, sequence, draft.kind.value, *_classification(draft)),
            *(draft.summary, draft.reporter, draft.mailbox, at, at, moment(draft.due), draft.protection),
        )
        return _Home(ticket_id, number)

    def _furnish(self, outcome: Outcome, home: _Home, at: str, *, known: bool) -> int:
        """Store what hangs on the ticket, and return how many mails are new; `known` where the message was before."""
        db, message_id = self._db, outcome.message_id
        if home.tlp is not None:
            self._keep_strictest(outcome, home.id, home.tlp, at)
        if known:
            db.run(_FORGET_INDICATORS, home.id, message_id)
        if outcome.indicators:
            rows = [
                (
                    *(home.id, message_id, found.kind, found.value, found.registrable, int(found.scope.ours)),
                    *(found.scope.reason, found.scope.asn, found.scope.name_server, found.scope.registry),
                    found.scope.special,
                )
                for found in outcome.indicators
            ]
            db.run_many(_INDICATOR, rows)
        # Whoever gets a notice is a handler, who needs no rights of a participant.
        answered = (mail.recipient for mail in outcome.outgoing if mail.kind is MailKind.ACKNOWLEDGEMENT)
        people = dict.fromkeys((*outcome.participants, *answered))
        db.run_many(_PARTICIPANT, [(home.id, address) for address in people])
        if outcome.links:
            db.run_many(_LINK, [(home.id, mentioned) for mentioned in outcome.links if mentioned != home.id])
        queued = sum(
            enqueue(db, mail, at, ticket_id=home.id, content=mail.numbered(home.number)) for mail in outcome.outgoing
        )
        write_wanted(db, outcome.wanted, ticket_id=home.id, message_id=message_id, at=at)
        return queued

    def _keep_strictest(self, outcome: Outcome, ticket_id: int, before: Tlp, at: str) -> None:
        """Let a message raise its ticket's TLP, never lower what another message of it set."""
        verdict = outcome.verdict
        strictest = max(before, verdict.tlp) if verdict else before
        self._db.run(_RAISE, strictest.value, int(bool(verdict and verdict.tlp_marked)), ticket_id)
        if strictest > before:
            raised = JournalEntry(
                at=time_of(at), actor="store", action="TLP raised", detail=f"{before.label} to {strictest.label}"
            )
            write_journal(self._db, [raised], ticket_id=ticket_id, message_id=outcome.message_id)


def _promotion(actor: str, at: str) -> JournalEntry:
    return JournalEntry(at=time_of(at), actor=actor, action="message promoted", detail="it was parked")


def _classification(draft: TicketDraft) -> tuple[str, str, str, int, str, int]:
    return (
        *(draft.category, draft.type, draft.tlp.value, int(draft.tlp_marked), draft.priority.value),
        int(draft.review),
    )
