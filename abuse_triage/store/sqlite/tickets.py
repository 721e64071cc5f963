"""Tickets for people: lists, and all about one."""

import json
import re
from datetime import datetime
from typing import Any

from abuse_triage.errors import InputError, NotFoundError
from abuse_triage.model.decision import Priority, TicketKind, Tlp
from abuse_triage.model.report import Scope
from abuse_triage.model.ticket import Ticket, TicketState
from abuse_triage.store.interface import StoredIndicator, StoredReport, TicketFile, TicketFilter
from abuse_triage.store.sqlite.columns import moment, time_of, verdict_of
from abuse_triage.store.sqlite.connection import Connected, Connection
from abuse_triage.store.sqlite.journal import read_journal
from abuse_triage.store.sqlite.outbox import mails_of
from abuse_triage.store.sqlite.ticket_lookups import read_lookups

_SELECT = """
SELECT id, number, kind, state, category, type, tlp, tlp_marked, priority, review, summary, reporter, mailbox,
    created_at, updated_at, due, messages, protection, by_hand
FROM tickets
"""
_REPORTS = """
SELECT message_id, received_at, sender, format, facts, verdict
FROM reports JOIN messages ON messages.id = reports.message_id
WHERE reports.ticket_id = ? ORDER BY message_id
"""
_INDICATORS = """
SELECT kind, value, ours, reason, asn, name_server, registry, special FROM indicators
WHERE ticket_id = ? GROUP BY kind, value ORDER BY min (id)
"""
_LINKED = """
SELECT number FROM tickets WHERE id IN (
    SELECT mentioned_id FROM links WHERE ticket_id = ? UNION SELECT ticket_id FROM links WHERE mentioned_id = ?
) ORDER BY id
"""
_OPENED_SINCE = """
SELECT category, count(*) FROM tickets WHERE created_at >= ? GROUP BY category ORDER BY count(*) DESC, category
"""
_NUMBER_PART = re.compile(r"[0-9]{1,18}")
_MAX_NUMBER = 200


class Tickets(Connected):
    """Looking at tickets."""

    def tickets(self, which: TicketFilter) -> list[Ticket]:
        """List tickets, newest first."""
        conditions: list[str] = []
        values: list[str] = []
        if which.states:
            conditions.append(f"state IN ({', '.join('?' * len(which.states))})")
            values.extend(which.states)
        for name, wanted in (("kind", which.kind), ("category", which.category), ("priority", which.priority)):
            if wanted:
                conditions.append(f"{name} = ?")
                values.append(wanted)
        if which.since is not None:
            conditions.append("created_at >= ?")
            values.append(moment(which.since))
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        with self._db.reading():
            rows = self._db.all(f"{_SELECT} {where} ORDER BY id DESC LIMIT ?", *values, which.limit)
        return [_ticket(row) for row in rows]

    def ticket(self, number: str) -> TicketFile:
        """Return all about one ticket, by its full number, its end ("2026-000123") or its sequence ("123").

        Raises `NotFoundError`, and `InputError` where several tickets fit.
        """
        with self._db.reading():
            ticket = find_ticket(self._db, number)
            ticket_id = ticket.id
            return TicketFile(
                ticket=ticket,
                reports=tuple(_report(found) for found in self._db.all(_REPORTS, ticket_id)),
                indicators=tuple(_indicator(found) for found in self._db.all(_INDICATORS, ticket_id)),
                journal=read_journal(self._db, ticket_id),
                mails=mails_of(self._db, ticket_id),
                linked=tuple(linked for (linked,) in self._db.all(_LINKED, ticket_id, ticket_id)),
                lookups=tuple(read_lookups(self._db, ticket_id, ticket.tlp)),
            )

    def open_tickets(self, limit: int) -> list[Ticket]:
        """List open tickets in the order in which they want a decision: priority, then due time, then age."""
        with self._db.reading():
            rows = self._db.all(f"{_SELECT} WHERE state = 'new' ORDER BY priority, due, created_at LIMIT ?", limit)
        return [_ticket(row) for row in rows]

    def opened_since(self, since: datetime) -> list[tuple[str, int]]:
        """Count the tickets opened since then by category, most first."""
        with self._db.reading():
            return self._db.all(_OPENED_SINCE, moment(since))


def read_ticket(db: Connection, ticket_id: int) -> Ticket:
    """Return a ticket that is there; inside of a transaction."""
    return _ticket(db.one(f"{_SELECT} WHERE id = ?", ticket_id))


def find_ticket(db: Connection, number: str) -> Ticket:
    """Find a ticket by its number as `Tickets.ticket` does; inside of a transaction.

    Candidates come from the index over sequences, whatever the format of numbers is. Raises `NotFoundError`, and
    `InputError` where several tickets fit.
    """
    number = number.strip()[:_MAX_NUMBER]
    exact = db.one(f"{_SELECT} WHERE number = ?", number)
    if exact:
        return _ticket(exact)
    alone = _NUMBER_PART.fullmatch(number)
    rows = [
        row
        for sequence in {int(part) for part in _NUMBER_PART.findall(number)}
        for row in db.all(f"{_SELECT} WHERE sequence = ?", sequence)
        if alone or _ends_with(row[1], number)
    ]
    if not rows:
        raise NotFoundError(f"there is no ticket {number!r}", advice="See ticket list.")
    if len(rows) > 1:
        some = ", ".join(sorted(row[1] for row in rows)[:3])
        raise InputError(f"{number!r} may be several tickets: {some}", advice="Write more of the number.")
    return _ticket(rows[0])


def _ends_with(number: str, end: str) -> bool:
    """Tell whether a number ends like this, whole parts only: "26-000123" is no end of "2026-000123"."""
    number, end = number.lower(), end.lower()
    before = number[: -len(end)][-1:]
    return number.endswith(end) and not (before.isalnum() and end[0].isalnum())


def _ticket(row: Any) -> Ticket:
    ticket_id, number, kind, state, category, type_, tlp, tlp_marked, priority, review, summary, *rest = row
    reporter, mailbox, created_at, updated_at, due, messages, protection, by_hand = rest
    return Ticket(
        id=ticket_id,
        number=number,
        kind=TicketKind(kind),
        state=TicketState(state),
        category=category,
        type=type_,
        tlp=Tlp(tlp),
        tlp_marked=bool(tlp_marked),
        priority=Priority(priority),
        review=bool(review),
        summary=summary,
        reporter=reporter,
        mailbox=mailbox,
        created_at=time_of(created_at),
        updated_at=time_of(updated_at),
        due=time_of(due),
        messages=messages,
        protection=protection,
        by_hand=tuple(json.loads(by_hand)),
    )


def _report(row: Any) -> StoredReport:
    message_id, received_at, sender, form, facts, verdict = row
    return StoredReport(
        message_id=message_id,
        received_at=time_of(received_at),
        sender=sender,
        format=form,
        facts=facts,
        verdict=verdict_of(verdict),
    )


def _indicator(row: Any) -> StoredIndicator:
    kind, value, ours, reason, asn, name_server, registry, special = row
    scope = Scope(ours=bool(ours), reason=reason, asn=asn, name_server=name_server, registry=registry, special=special)
    return StoredIndicator(kind=kind, value=value, scope=scope)
