"""The contract of looking at tickets."""

from dataclasses import replace
from datetime import timedelta

import pytest
from contract.engines import Engine
from contract.values import DRAFT, NOON, arrival, claim_one, entry, open_ticket, opens, parks

from abuse_triage.errors import InputError, NotFoundError
from abuse_triage.model.decision import Priority, TicketKind
from abuse_triage.model.ticket import TicketState
from abuse_triage.store.interface import Store, TicketFilter


def test_tickets_are_listed_newest_first(store: Store) -> None:
    """A list has the newest tickets on top, and ends at its limit."""
    for n in range(4):
        open_ticket(store, f"m{n}")
    assert [ticket.id for ticket in store.tickets(TicketFilter(limit=3))] == [4, 3, 2]


def test_tickets_are_filtered(store: Store, engine: Engine) -> None:
    """Each filter leaves what it says, and several restrict together."""
    open_ticket(store, "m1")
    open_ticket(store, "m2", opens=replace(DRAFT, kind=TicketKind.ENQUIRY, category="other"))
    open_ticket(store, "m3", opens=replace(DRAFT, priority=Priority.P1))
    open_ticket(store, "m4", journal=(entry("opened", minutes=60),))
    engine.set_ticket_state(1, TicketState.CLOSED)

    def listed(**which: object) -> list[int]:
        return [ticket.id for ticket in store.tickets(TicketFilter(**which))]

    assert listed(states=(TicketState.CLOSED,)) == [1]
    assert listed(states=(TicketState.NEW, TicketState.CLOSED)) == [4, 3, 2, 1]
    assert listed(kind=TicketKind.ENQUIRY) == [2]
    assert listed(category="fraud") == [4, 3, 1]
    assert listed(priority=Priority.P1) == [3]
    assert listed(since=NOON + timedelta(minutes=60)) == [4]
    assert listed(category="fraud", states=(TicketState.NEW,)) == [4, 3]


@pytest.mark.parametrize(
    "asked", ["TEST#2026-000012", "2026-000012", "000012", "12", " 12 ", "test#2026-000012", "#2026-000012"]
)
def test_ticket_is_found_by_its_end(store: Store, asked: str) -> None:
    """The full number, its last parts, or only the sequence with or without zeros will do."""
    for n in range(12):
        open_ticket(store, f"m{n:02}")
    assert store.ticket(asked).ticket.number == "TEST#2026-000012"


@pytest.mark.parametrize(
    "asked", ["", "0", "2", "26-000001", "T#2026-000001", "2027-000001", "%", "x" * 9999, "9" * 40]
)
def test_unknown_ticket_is_not_found(store: Store, asked: str) -> None:
    """A number that no ticket has, or a piece that cuts a part in two, is an error of whoever asks."""
    open_ticket(store)
    with pytest.raises(NotFoundError):
        store.ticket(asked)


def test_ambiguous_end_is_refused(store: Store) -> None:
    """A sequence that two years have names no ticket; with the year it does."""
    open_ticket(store, "m1")
    open_ticket(store, "m2", opens=replace(DRAFT, year=2027))
    with pytest.raises(InputError, match="TEST#2026-000001, TEST#2027-000001"):
        store.ticket("1")
    assert store.ticket("2027-000001").ticket.id == 2


def test_format_with_the_sequence_in_front_is_found(engine: Engine) -> None:
    """Where the year comes last, a ticket is still found by its sequence and by the end of its number."""
    store = engine.open("{sequence:04}/{year}")
    open_ticket(store)
    assert store.ticket("1").ticket.number == store.ticket("0001/2026").ticket.number == "0001/2026"
    store.close()


def test_open_tickets_stand_in_the_order_of_urgency(store: Store, engine: Engine) -> None:
    """Priority first, then the clock, then age; what is not open is left out."""
    late, soon = NOON + timedelta(hours=9), NOON + timedelta(hours=1)
    drafts = [
        replace(DRAFT, priority=Priority.P3, due=soon),
        replace(DRAFT, priority=Priority.P1, due=late),
        replace(DRAFT, priority=Priority.P1, due=soon),
        replace(DRAFT, priority=Priority.P1, due=late),
        replace(DRAFT, priority=Priority.P1, due=soon),
    ]
    for n, draft in enumerate(drafts):
        open_ticket(store, f"m{n}", opens=draft, journal=(entry("opened", minutes=n),))
    engine.set_ticket_state(5, TicketState.RESOLVED)
    assert [ticket.id for ticket in store.open_tickets(10)] == [3, 2, 4, 1]
    assert [ticket.id for ticket in store.open_tickets(1)] == [3]


def test_opened_tickets_are_counted_by_category(store: Store) -> None:
    """The most frequent category comes first; what was opened before does not count."""
    open_ticket(store, "m0", journal=(entry("opened", minutes=-5),))
    for n, category in enumerate(("spam", "fraud", "malware", "fraud")):
        open_ticket(store, f"n{n}", opens=replace(DRAFT, category=category))
    assert store.opened_since(NOON) == [("fraud", 2), ("malware", 1), ("spam", 1)]
    assert store.opened_since(NOON + timedelta(days=1)) == []


def test_a_line_is_added_to_the_journal_of_a_messages_ticket(store: Store) -> None:
    """What a person does with a message stands behind what happened before, by any beginning of its id."""
    open_ticket(store, "message-1")
    store.note("message-1", entry("decrypted and shown", "message-1", minutes=5))
    store.note("mess", entry("shown again", minutes=6))
    journal = store.ticket("1").journal
    assert [line.action for line in journal] == ["opened", "decrypted and shown", "shown again"]
    assert journal[1] == entry("decrypted and shown", "message-1", minutes=5)


def test_a_line_about_a_message_without_ticket_is_in_no_tickets_journal(store: Store) -> None:
    """It is kept with the message; neither another ticket nor the one that comes of it later tells of it."""
    open_ticket(store, "m1")
    store.accept([arrival("m2")])
    store.finish([parks(claim_one(store))])
    store.note("m2", entry("decrypted and shown", "m2"))
    store.promote("m2", "rui", NOON)
    store.finish([opens(claim_one(store))])
    assert [line.action for line in store.ticket("1").journal] == ["opened"]
    assert [line.action for line in store.ticket("2").journal] == ["message promoted", "opened"]


def test_a_line_about_no_message_is_refused(store: Store) -> None:
    """Nothing is written for an id that is nobody's."""
    open_ticket(store, "m1")
    with pytest.raises(NotFoundError):
        store.note("m2", entry("decrypted and shown"))
    assert [line.action for line in store.ticket("1").journal] == ["opened"]
