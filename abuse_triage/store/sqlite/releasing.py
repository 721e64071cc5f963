"""The look-ups of a ticket as a handler sees them, and those that a handler releases."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from abuse_triage.errors import InputError
from abuse_triage.model.decision import Tlp
from abuse_triage.model.lookups import LookupKind, Permission
from abuse_triage.model.ticket import JournalEntry
from abuse_triage.store.lookups import TicketLookup
from abuse_triage.store.sqlite.columns import moment
from abuse_triage.store.sqlite.connection import Connected
from abuse_triage.store.sqlite.journal import write_journal
from abuse_triage.store.sqlite.ticket_lookups import read_lookups
from abuse_triage.store.sqlite.tickets import find_ticket

_NAMED = 10
"""Look-ups that one line of the journal names; it counts the others."""

_WITHHELD = """
SELECT id, kind, subject, permission, tlp FROM lookups WHERE ticket_id = ? AND state = 'withheld' ORDER BY id
"""
_RELEASE = """
UPDATE lookups SET state = 'waiting', tlp = ?, reason = '', released_by = ?, changed_at = ?, not_before = ?, tries = 0
WHERE id = ?
"""


def _nothing(_kind: LookupKind, _tlp: Tlp) -> bool:
    return False


class Releasing(Connected):
    """Letting withheld look-ups be made."""

    def lookups_of(self, number: str) -> list[TicketLookup]:
        """List a ticket's look-ups with the answers that it may see; raises `NotFoundError` or `InputError`."""
        with self._db.reading():
            ticket = find_ticket(self._db, number)
            return read_lookups(self._db, ticket.id, ticket.tlp)

    def release_lookups(
        self,
        number: str,
        subjects: Sequence[str],
        kinds: Sequence[LookupKind],
        actor: str,
        now: datetime,
        *,
        forbids: Callable[[LookupKind, Tlp], bool] = _nothing,
    ) -> list[TicketLookup]:
        """Let withheld look-ups of a ticket be made at once, journaled, and return them; () means all.

        What the policy never allows is left out where something else about the same subject can be released. `forbids`
        says so of the TLP that the ticket has now, where it is another one than when the look-up was planned. Raises
        `NotFoundError` or `InputError`.
        """
        at = moment(now)
        with self._db.writing():
            ticket = find_ticket(self._db, number)
            withheld = [
                row
                for row in self._db.all(_WITHHELD, ticket.id)
                if (not subjects or row[2] in subjects) and (not kinds or row[1] in kinds)
            ]
            chosen = [row for row in withheld if not _is_never(row, ticket.tlp, forbids)]
            answered = {row[2] for row in chosen}
            never = [row for row in withheld if row not in chosen and (kinds or row[2] not in answered)]
            if (subjects or kinds) and never:
                raise InputError(
                    f"the policy forbids these look-ups: {_named(never)}",
                    advice="lookups.policy says which, and docs/lookups.md why.",
                )
            if not chosen:
                raise InputError(
                    f"no such look-up of {ticket.number} is withheld", advice="ticket show tells what is withheld."
                )
            for row in chosen:
                self._db.run(_RELEASE, ticket.tlp.value, actor, at, at, row[0])
            entry = JournalEntry(at=now, actor=actor, action="look-ups released", detail=_named(chosen))
            write_journal(self._db, [entry], ticket_id=ticket.id)
            return read_lookups(self._db, ticket.id, ticket.tlp, [row[0] for row in chosen])


def _is_never(row: Any, tlp: Tlp, forbids: Callable[[LookupKind, Tlp], bool]) -> bool:
    _, kind, _, permission, planned = row
    return permission == Permission.NO or (planned != tlp and forbids(LookupKind(kind), tlp))


def _named(rows: Sequence[Any]) -> str:
    names = ", ".join(f"{kind} of {subject}" for _, kind, subject, *_ in rows[:_NAMED])
    return names if len(rows) <= _NAMED else f"{names} and {len(rows) - _NAMED} more"
