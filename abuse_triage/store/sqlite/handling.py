"""What handlers decide about tickets: the fields that they set stay as they are, whatever comes afterwards."""

import json
from datetime import datetime
from typing import Any

from abuse_triage.errors import InputError
from abuse_triage.model.ticket import JournalEntry, Ticket, TicketDraft
from abuse_triage.store.interface import ByHand
from abuse_triage.store.sqlite.columns import Value, moment
from abuse_triage.store.sqlite.connection import Connected, Connection
from abuse_triage.store.sqlite.journal import write_journal
from abuse_triage.store.sqlite.tickets import find_ticket, read_ticket

# What waits is asked under the TLP that the ticket has now. Where that is stricter, this happens when its turn comes.
_RELAX = "UPDATE lookups SET tlp = ? WHERE ticket_id = ? AND state = 'waiting' AND not_before IS NOT NULL"


class Handling(Connected):
    """Decisions of people."""

    def set_by_hand(self, number: str, changes: ByHand, actor: str, now: datetime) -> Ticket:
        """Set fields of a ticket as a handler decides, journaled; from then on nothing else changes them.

        A TLP that a handler sets counts as a marking. Raises `NotFoundError`, and `InputError` where nothing is set, or
        a type without its category.
        """
        if changes.type and not changes.category:
            raise InputError("a type belongs to a category", advice="Give both.")
        values = _values(changes)
        if not values:
            raise InputError("nothing is to be set", advice="Give at least one field.")
        with self._db.writing():
            ticket = find_ticket(self._db, number)
            told = ", ".join(f"{name} {_shown(ticket, name)} to {value or '(none)'}" for name, value in values.items())
            by_hand = json.dumps(sorted({*ticket.by_hand, *values} - {"type"}))
            written: dict[str, Value] = {**values, "by_hand": by_hand}
            if changes.tlp:
                written["tlp_marked"] = 1
                if changes.tlp < ticket.tlp:
                    self._db.run(_RELAX, changes.tlp.value, ticket.id)
            set_columns(self._db, ticket.id, written, moment(now))
            entry = JournalEntry(at=now, actor=actor, action="set by hand", detail=told)
            write_journal(self._db, [entry], ticket_id=ticket.id)
            return read_ticket(self._db, ticket.id)

    def journal(self, number: str, entry: JournalEntry) -> None:
        """Add a line to a ticket's journal; raises `NotFoundError` or `InputError`."""
        with self._db.writing():
            write_journal(self._db, [entry], ticket_id=find_ticket(self._db, number).id)


def update_ticket(db: Connection, ticket: Ticket, draft: TicketDraft, at: str) -> None:
    """Give a ticket the values of a draft, but for the fields that a handler set; inside of a transaction.

    The type goes with the category, and the end of the response clock with the priority. `at` as its column holds it.
    """
    fields: dict[str, dict[str, Value]] = {
        "kind": {"kind": draft.kind.value},
        "category": {"category": draft.category, "type": draft.type},
        "tlp": {"tlp": draft.tlp.value, "tlp_marked": int(draft.tlp_marked)},
        "priority": {"priority": draft.priority.value, "due": moment(draft.due)},
    }
    values: dict[str, Value] = {
        "review": int(draft.review),
        "summary": draft.summary,
        "protection": draft.protection,
    }
    for name, columns in fields.items():
        if name not in ticket.by_hand:
            values |= columns
    if "due" in ticket.by_hand:
        values.pop("due", None)
    set_columns(db, ticket.id, values, at)


def changes(before: Ticket, after: Ticket) -> str:
    """Say what is different about the classification of a ticket, "" where nothing is; its TLP is told elsewhere."""
    names = ("kind", "category", "type", "priority")
    return ", ".join(
        f"{name} {_shown(before, name)} to {_shown(after, name)}"
        for name in names
        if getattr(before, name) != getattr(after, name)
    )


def set_columns(db: Connection, ticket_id: int, values: dict[str, Value], at: str) -> None:
    """Write columns of a ticket, by their names, which come from this program only."""
    names = ", ".join(f"{name} = ?" for name in values)
    sql = f"UPDATE tickets SET {names}, updated_at = max (updated_at, ?) WHERE id = ?"  # noqa: S608 - see above
    db.run(sql, *values.values(), at, ticket_id)


def _values(changes: ByHand) -> dict[str, str]:
    """Return the columns that are set, by their names."""
    values: dict[str, str] = {}
    if changes.kind:
        values["kind"] = changes.kind.value
    if changes.category:
        values |= {"category": changes.category, "type": changes.type}
    if changes.tlp:
        values["tlp"] = changes.tlp.value
    if changes.priority:
        values["priority"] = changes.priority.value
    if changes.due:
        values["due"] = moment(changes.due)
    return values


def _shown(ticket: Ticket, name: str) -> str:
    value: Any = getattr(ticket, name)
    return moment(value) if isinstance(value, datetime) else str(value) or "(none)"
