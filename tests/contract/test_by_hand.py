"""The contract of what handlers do to tickets: what they set stays, whatever the program decides later."""

from dataclasses import replace
from datetime import timedelta

import pytest
from contract.values import DRAFT, NOON, VERDICT, arrival, claim_one, entry, joins, open_ticket, opens, quarantines

from abuse_triage.errors import InputError, NotFoundError
from abuse_triage.model.decision import Priority, TicketKind, Tlp
from abuse_triage.store.interface import ByHand, Store

LATER = NOON + timedelta(hours=2)
DUE = NOON + timedelta(days=3)
ALL = ByHand(
    kind=TicketKind.ENQUIRY, category="malware", type="malware:c2", tlp=Tlp.GREEN, priority=Priority.P4, due=DUE
)


def test_fields_are_set_and_journaled(store: Store) -> None:
    """The ticket has the new values, says which of them are by hand, and its journal tells who did it from what."""
    open_ticket(store)
    before = store.ticket("1").ticket
    after = store.set_by_hand("1", ALL, "ana", LATER)
    assert after == store.ticket("1").ticket
    assert after == replace(
        before,
        kind=TicketKind.ENQUIRY,
        category="malware",
        type="malware:c2",
        tlp=Tlp.GREEN,
        priority=Priority.P4,
        due=DUE,
        updated_at=LATER,
        by_hand=("category", "due", "kind", "priority", "tlp"),
    )
    line = store.ticket("1").journal[-1]
    assert (line.actor, line.action, line.at) == ("ana", "set by hand", LATER)
    assert line.detail == (
        "kind incident to enquiry, category fraud to malware, type fraud:phishing to malware:c2, "
        "tlp amber+strict to green, priority p2 to p4, "
        "due 2026-11-21T20:00:00.000000+00:00 to 2026-11-24T12:00:00.000000+00:00"
    )


def test_only_what_is_given_is_set(store: Store) -> None:
    """One field after the other may be set; a category without a type has none."""
    open_ticket(store)
    assert store.ticket("1").ticket.by_hand == ()
    assert store.set_by_hand("1", ByHand(priority=Priority.P1), "ana", NOON).by_hand == ("priority",)
    ticket = store.set_by_hand("1", ByHand(category="spam"), "ana", NOON)
    assert (ticket.by_hand, ticket.category, ticket.type) == (("category", "priority"), "spam", "")
    assert store.ticket("1").journal[-1].detail == "category fraud to spam, type fraud:phishing to (none)"
    assert (ticket.tlp, ticket.kind, ticket.due) == (DRAFT.tlp, DRAFT.kind, DRAFT.due)


def test_tlp_by_hand_is_a_marking(store: Store) -> None:
    """What a handler decided is no default any more."""
    open_ticket(store, opens=replace(DRAFT, tlp=Tlp.AMBER, tlp_marked=False))
    ticket = store.set_by_hand("1", ByHand(tlp=Tlp.AMBER), "ana", NOON)
    assert (ticket.tlp, ticket.tlp_marked) == (Tlp.AMBER, True)


def test_nothing_to_set_is_refused(store: Store) -> None:
    """A type needs its category, a ticket must be there, and something must be given."""
    open_ticket(store)
    for wrong in (ByHand(), ByHand(type="fraud:phishing")):
        with pytest.raises(InputError):
            store.set_by_hand("1", wrong, "ana", NOON)
    with pytest.raises(NotFoundError):
        store.set_by_hand("99", ALL, "ana", NOON)
    assert [line.action for line in store.ticket("1").journal] == ["opened"]


@pytest.mark.parametrize("changes", [ALL, ByHand(priority=Priority.P4), ByHand(category="malware"), ByHand(due=DUE)])
def test_retried_message_leaves_what_is_by_hand(store: Store, changes: ByHand) -> None:
    """A message that goes the whole way again brings new values, but for what a handler has set meanwhile."""
    store.accept([arrival()])
    unreadable = replace(DRAFT, category="other", type="other:undetermined", tlp=Tlp.AMBER, tlp_marked=False)
    store.finish([quarantines(claim_one(store), opens=replace(unreadable, priority=Priority.P3, protection=""))])
    by_hand = store.set_by_hand("1", changes, "ana", NOON)
    store.retry("m1", "ana", NOON)
    retried = replace(DRAFT, kind=TicketKind.ENQUIRY, due=NOON + timedelta(hours=1))
    store.finish([joins(claim_one(store), 1, updates=retried)])
    ticket = store.ticket("1").ticket
    kept = {*by_hand.by_hand}
    kept |= {"type"} & {name for name in ("type",) if "category" in kept} | ({"due"} if "priority" in kept else set())
    for name in ("kind", "category", "type", "tlp", "priority", "due"):
        assert getattr(by_hand if name in kept else retried, name) == getattr(ticket, name)
    assert (ticket.summary, ticket.protection) == (retried.summary, retried.protection)


@pytest.mark.parametrize(("marked", "expected"), [(True, Tlp.RED), (False, Tlp.GREEN)])
def test_new_message_raises_a_tlp_by_hand_only_where_it_is_marked(store: Store, marked: bool, expected: Tlp) -> None:
    """A handler's TLP is about what was there; a default does not touch it, but a marking of a new message does."""
    open_ticket(store)
    store.set_by_hand("1", ByHand(tlp=Tlp.GREEN), "ana", NOON)
    store.accept([arrival("m2")])
    store.finish([joins(claim_one(store), 1, verdict=replace(VERDICT, tlp=Tlp.RED, tlp_marked=marked))])
    assert store.ticket("1").ticket.tlp is expected
    raised = [line.detail for line in store.ticket("1").journal if line.action == "TLP raised"]
    assert raised == (["TLP:GREEN to TLP:RED"] if marked else [])


def test_journal_line_by_hand(store: Store) -> None:
    """A line for a ticket's journal is found there; one for no ticket is refused."""
    open_ticket(store)
    store.journal("1", entry("called the registrar", "nobody there", minutes=9))
    assert store.ticket("1").journal[-1] == entry("called the registrar", "nobody there", minutes=9)
    with pytest.raises(NotFoundError):
        store.journal("99", entry("called"))


def test_a_ticket_without_hands_is_as_before(store: Store) -> None:
    """What is listed has its fields by hand, too."""
    store.accept([arrival()])
    store.finish([opens(claim_one(store))])
    store.set_by_hand("1", ByHand(priority=Priority.P1), "ana", NOON)
    assert [ticket.by_hand for ticket in store.open_tickets(5)] == [("priority",)]
