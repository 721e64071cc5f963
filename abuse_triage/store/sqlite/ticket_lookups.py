"""The look-ups of tickets: written with a message's outcome, shown, and closed when the last of a message is over."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from abuse_triage.model.decision import Tlp
from abuse_triage.model.lookups import LookupKind, LookupState, Permission, Result, Wanted
from abuse_triage.model.ticket import JournalEntry
from abuse_triage.store.lookups import TicketLookup
from abuse_triage.store.sqlite.again import put_back
from abuse_triage.store.sqlite.answers import COLUMNS, cached, known_of
from abuse_triage.store.sqlite.columns import moment, time_of
from abuse_triage.store.sqlite.connection import Connection
from abuse_triage.store.sqlite.journal import write_journal
from abuse_triage.store.sqlite.ranges import address_bytes

ACTOR = "looker"
"""Who writes in journals what became of look-ups."""

_WRITE = """
INSERT INTO lookups (ticket_id, message_id, kind, subject, address, tlp, state, permission, reason, wanted_at,
    changed_at, not_before, result, answer_id)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (ticket_id, kind, subject) DO NOTHING
"""
_READ = f"""
SELECT lookups.id, lookups.kind, lookups.subject, state, permission, reason, changed_at, released_by, {COLUMNS}
FROM lookups LEFT JOIN answers ON answers.id = answer_id AND answers.tlp_rank <= ?
WHERE ticket_id = ? ORDER BY lookups.id
"""  # noqa: S608 - constants only
_ANY_LEFT = "SELECT EXISTS (SELECT 1 FROM lookups WHERE ticket_id = ? AND message_id = ? AND not_before IS NOT NULL)"
_COUNTS = "SELECT state, result, count(*) FROM lookups WHERE ticket_id = ? AND message_id = ? GROUP BY state, result"

_OPEN = frozenset({LookupState.WAITING, LookupState.ASKING})
_WORDS = ((Result.FOUND, "found"), (Result.NOT_FOUND, "not found"), (Result.FAILED, "failed"))


def write_wanted(db: Connection, wanted: Iterable[Wanted], *, ticket_id: int, message_id: str, at: str) -> None:
    """Store what a message asks for, but for what its ticket has already; inside of a transaction.

    What waits is shown with the stale answer that the cache has, until a newer one comes. `at` as its column holds it.
    """
    for one in wanted:
        is_open = one.state in _OPEN
        may_be_answered = one.cached and (is_open or one.state is LookupState.ANSWERED)
        found = cached(db, one.kind, one.subject, one.tlp, at) if may_be_answered else None
        state = LookupState.WAITING if is_open else one.state
        db.run(
            *(_WRITE, ticket_id, message_id, one.kind.value, one.subject, network_address(one.kind, one.subject)),
            *(one.tlp.value, state.value, one.permission.value, one.reason, at, at),
            (moment(one.not_before) if one.not_before else at) if is_open else None,
            found.result if found and not is_open else "",
            found.id if found and not (is_open and found.failed) else None,
        )


def network_address(kind: LookupKind, subject: str) -> bytes | None:
    """Return the address by which a question is found when its network was answered; None of all other questions."""
    return address_bytes(subject) if kind is LookupKind.NETWORK else None


def read_lookups(db: Connection, ticket_id: int, tlp: Tlp, ids: Sequence[int] = ()) -> list[TicketLookup]:
    """List the look-ups of a ticket with the answers that it may see at its TLP; () means all of them."""
    rows = db.all(_READ, tlp.rank, ticket_id)
    return [_lookup(row) for row in rows if not ids or row[0] in ids]


def settle(db: Connection, changed: Iterable[tuple[int, str]], *, again: bool, now: datetime) -> None:
    """Close the look-ups of messages, given with their tickets, where the last one is over; inside of a transaction.

    The ticket's journal says what came of them, and with `again` the message goes to the rules once more, unless
    nothing was answered.
    """
    for ticket_id, message_id in dict.fromkeys(changed):
        if db.one(_ANY_LEFT, ticket_id, message_id)[0]:
            continue
        counts: Counter[str] = Counter()
        for state, result, count in db.all(_COUNTS, ticket_id, message_id):
            counts[result if state == LookupState.ANSWERED else state] += count
        answered = [f"{counts[result]} {word}" for result, word in _WORDS if counts[result]]
        left = [
            f"{counts[state]} {word}"
            for state, word in ((LookupState.WITHHELD, "withheld"), (LookupState.SKIPPED, "not asked"))
            if counts[state]
        ]
        detail = "; ".join(part for part in (", ".join(answered), ", ".join(left)) if part)
        write_journal(
            *(db, [JournalEntry(at=now, actor=ACTOR, action="looked up", detail=detail)]),
            ticket_id=ticket_id,
            message_id=message_id,
        )
        if again and answered:
            put_back(db, message_id)


def _lookup(row: Any) -> TicketLookup:
    _, kind, subject, state, permission, reason, changed_at, released_by, *columns = row
    return TicketLookup(
        kind=LookupKind(kind),
        subject=subject,
        state=LookupState(state),
        permission=Permission(permission),
        reason=reason,
        at=time_of(changed_at),
        released_by=released_by,
        known=known_of(columns, subject) if columns[0] else None,
    )
