"""The contract of messages that go to the rules again, because late answers came: their outcome stays."""

import time
from dataclasses import replace
from datetime import timedelta

import pytest
from contract.asking import MINUTE, NAME, answer, asks, claim, found, states, wanted, withheld
from contract.values import (
    DRAFT,
    LEASE,
    NOON,
    VERDICT,
    acknowledgement,
    arrival,
    arrivals,
    claim_one,
    entry,
    joins,
    notice,
    opens,
    parks,
    quarantines,
)

from abuse_triage.model.decision import Priority, TicketKind, Tlp
from abuse_triage.model.ticket import MessageState, Outcome, OutcomeKind
from abuse_triage.store.interface import ByHand, Claimed, Finished, MessageFilter, Store, Unfinished

CHANGED = replace(DRAFT, category="malware", type="malware:c2", tlp=Tlp.RED, priority=Priority.P1)


def answered(store: Store, *, again: bool = True) -> None:
    """Let everything that waits be answered."""
    for task in claim(store, minutes=99):
        answer(store, task, found(task.subject), again=again)


def comes_again(store: Store, name: str = "m1", **changes: object) -> Claimed:
    """Bring a message to a ticket of TLP:GREEN, answer what it wants to know, and claim it again."""
    asks(store, name, wanted(), **changes)
    answered(store)
    return claim_one(store)


def decides(claimed: Claimed, **changes: object) -> Outcome:
    """What late answers change about a message: it was malware."""
    late = replace(VERDICT, category="malware", type="malware:c2", tlp=Tlp.RED, tlp_marked=True, priority=Priority.P1)
    given = {"verdict": late, "updates": CHANGED, "again": True, "refused": "", "facts": '{"late": 1}'}
    given |= {"journal": (entry("decided again", "domain", minutes=9),), "kind": OutcomeKind.JOINED}
    return joins(claimed, 1, **{**given, **changes})


def gauges(store: Store) -> dict[str, int]:
    """The gauges that are not zero."""
    return {gauge.name: gauge.count for gauge in store.gauges() if gauge.count and gauge.name.startswith("messages")}


def test_message_comes_again_when_all_is_answered(store: Store) -> None:
    """It is handed out once more with its ticket, from a first attempt on, as soon as its last look-up is over."""
    asks(store, "m1", wanted("a.example.org"), wanted("b.example.org"), withheld("c.example.org"))
    first, second = claim(store)
    answer(store, first, found("a.example.org"), again=True)
    assert store.claim(5, LEASE) == []
    answer(store, second, found("b.example.org"), again=True)
    again = claim_one(store)
    assert (again.arrival, again.attempts, again.again) == (arrival("m1"), 1, True)
    assert again.previous is not None
    assert again.previous.number == "TEST#2026-000001"
    assert store.claim(5, LEASE) == []


def test_nothing_comes_again_where_rules_do_not_care(store: Store) -> None:
    """Where no rule looks at answers, or nothing was answered, the message is left alone."""
    asks(store, "m1", wanted())
    answered(store, again=False)
    asks(store, "m2", wanted("b.example.org"))
    store.set_by_hand("2", ByHand(tlp=Tlp.RED), "ana", NOON)
    answered(store)
    assert states(store, "2") == [("b.example.org", "withheld")]
    assert store.claim(5, LEASE) == []


def test_answer_of_the_cache_brings_it_again_too(store: Store) -> None:
    """What is answered at a claim counts as any answer does, where whoever claims says so."""
    for name, wants_again in (("m1", True), ("m2", True), ("m3", False)):
        asks(store, name, wanted())
        for task in store.claim_lookups(5, LEASE, NOON, again=wants_again):
            answer(store, task, found(), again=False)
    assert claim_one(store).arrival.id == "m2"
    assert store.claim(5, LEASE) == []


def test_released_look_up_brings_it_once_more(store: Store) -> None:
    """Each time that the last look-up is over, the message goes to the rules."""
    asks(store, "m1", wanted(), withheld("b.example.org"))
    answered(store)
    store.finish([decides(claim_one(store))])
    store.release_lookups("1", (), (), "ana", NOON)
    answered(store)
    assert claim_one(store).again


def test_late_decision_changes_the_ticket_and_not_the_outcome(store: Store) -> None:
    """Ticket, report and journal have what is known now; outcome, reason and acknowledgement stay as they were."""
    again = comes_again(store, refused="")
    before = store.message("m1")[0]
    assert store.finish([decides(again, reason="malware", refused="other", outgoing=(notice(),))]) == [
        Finished(message_id="m1", kind=OutcomeKind.OPENED, number="TEST#2026-000001")
    ]
    after = store.message("m1")[0]
    assert after == replace(before, state=MessageState.DONE, attempts=1)
    assert (after.outcome, after.reason, after.refused) == (OutcomeKind.OPENED, "fraud, 70 points", "")
    file = store.ticket("1")
    ticket = file.ticket
    assert (ticket.category, ticket.type, ticket.tlp, ticket.priority) == ("malware", "malware:c2", "red", "p1")
    assert (ticket.messages, ticket.updated_at) == (1, NOON + 9 * MINUTE)
    (report,) = file.reports
    assert report.verdict is not None
    assert (report.facts, report.verdict.category) == ('{"late": 1}', "malware")
    *_, looked_up, changed, again_line, raised, told = file.journal
    assert (looked_up.action, again_line.action, raised.action) == ("looked up", "decided again", "TLP raised")
    assert (told.action, told.detail) == ("handlers told at once", "1 notices queued: malware")
    assert (changed.at, changed.action) == (again_line.at, "reclassified by look-ups")
    assert changed.detail.startswith(
        "category fraud to malware, type fraud:phishing to malware:c2, priority p2 to p1: "
    )
    assert [mail.message_id for mail in file.mails] == ["ack.m1@example.pt", "notice.n1@example.pt"]
    assert len(file.indicators) == 2
    assert store.claim(5, LEASE) == []


def test_same_mail_is_not_queued_twice(store: Store) -> None:
    """A notice or acknowledgement that the first decision queued is not queued again."""
    again = comes_again(store)
    store.finish([decides(again, outgoing=(acknowledgement("m1"), notice("n2")), wanted=(wanted("b.example.org"),))])
    answered(store)
    store.finish([decides(claim_one(store), outgoing=(notice("n2"),))])
    file = store.ticket("1")
    assert [mail.message_id for mail in file.mails] == ["ack.m1@example.pt", "notice.n2@example.pt"]
    assert [line.action for line in file.journal].count("handlers told at once") == 1


def test_late_decision_asks_for_more(store: Store) -> None:
    """Further look-ups are added, those that are there already are not."""
    again = comes_again(store)
    store.finish([decides(again, updates=None, verdict=None, wanted=(wanted(), wanted("more.example.org")))])
    assert states(store) == [(NAME, "answered"), ("more.example.org", "waiting")]


def test_tlp_is_never_lowered(store: Store) -> None:
    """Late answers may make a ticket stricter, and never less strict."""
    again = comes_again(store)
    store.set_by_hand("1", ByHand(priority=Priority.P4), "ana", NOON)
    clear = replace(VERDICT, tlp=Tlp.CLEAR, tlp_marked=False)
    store.finish([decides(again, updates=replace(CHANGED, tlp=Tlp.CLEAR, tlp_marked=False), verdict=clear)])
    ticket = store.ticket("1").ticket
    assert (ticket.tlp, ticket.category, ticket.priority) == (Tlp.GREEN, "malware", Priority.P4)


def test_fields_by_hand_are_kept(store: Store) -> None:
    """What a handler set while the answers were on their way stays, the TLP too."""
    again = comes_again(store)
    mine = ByHand(kind=TicketKind.ENQUIRY, category="spam", tlp=Tlp.CLEAR, priority=Priority.P4)
    ticket = store.set_by_hand("1", mine, "ana", NOON)
    store.finish([decides(again)])
    after = store.ticket("1").ticket
    assert after == replace(ticket, updated_at=NOON + 9 * MINUTE)
    assert "TLP raised" not in [line.action for line in store.ticket("1").journal]


def test_follow_up_does_not_reclassify(store: Store) -> None:
    """Only the message that opened a ticket gives it new values; another one makes it stricter at most."""
    asks(store, "m1")
    store.accept([arrival("m2", minutes=5)])
    green = replace(VERDICT, tlp=Tlp.GREEN, tlp_marked=False)
    store.finish([joins(claim_one(store), 1, wanted=(wanted(),), verdict=green)])
    answered(store)
    (done,) = store.finish([decides(claim_one(store), outgoing=(notice(),))])
    assert done == Finished(message_id="m2", kind=OutcomeKind.JOINED, number="TEST#2026-000001")
    ticket = store.ticket("1").ticket
    assert (ticket.category, ticket.tlp, ticket.messages) == ("fraud", Tlp.RED, 2)
    assert store.message("m2")[0].refused == "a follow-up"
    assert [mail.message_id for mail in store.ticket("1").mails] == ["ack.m1@example.pt"]


def test_retried_message_may_come_again_and_reclassify(store: Store) -> None:
    """A message that opened its ticket as unreadable is still the first one of it."""
    store.accept([arrival()])
    store.finish([quarantines(claim_one(store))])
    store.retry("m1", "ana", NOON)
    store.finish([joins(claim_one(store), 1, updates=DRAFT, wanted=(wanted(tlp=Tlp.RED),))])
    answered(store)
    store.finish([decides(claim_one(store))])
    assert store.ticket("1").ticket.category == "malware"


def test_fresh_and_failed_messages_come_first(store: Store) -> None:
    """What has no outcome yet is handed out before, and the one that comes again is alone."""
    asks(store, "m1", wanted())
    asks(store, "m2", wanted())
    answered(store)
    store.accept(arrivals(3))
    failing = claim_one(store)
    store.fail(failing, "the reader was killed")
    assert [message.arrival.id for message in store.claim(5, LEASE)] == ["m001", "m002"]
    time.sleep(0.4)
    order = [store.claim(5, LEASE) for _ in range(4)]
    assert [[(one.arrival.id, one.again) for one in batch] for batch in order] == [
        [("m000", False)],
        [("m1", True)],
        [("m2", True)],
        [],
    ]


def test_waiting_again_is_counted_apart(store: Store) -> None:
    """A message that only comes again takes no room from new mail, and has a gauge of its own."""
    asks(store, "m1", wanted())
    answered(store)
    assert (store.waiting(), gauges(store)) == (0, {"messages to decide again": 1})
    assert store.message("m1")[0].state is MessageState.DONE
    again = claim_one(store)
    assert (store.waiting(), gauges(store)) == (0, {"messages to decide again": 1})
    store.accept([arrival("m2")])
    assert (store.waiting(), gauges(store)) == (1, {"messages received": 1, "messages to decide again": 1})
    store.finish([decides(again)])
    assert gauges(store) == {"messages received": 1}


def test_failing_again_and_again_leaves_the_outcome(store: Store) -> None:
    """After each failure it comes again with its attempts counted, until it is left as it was, which is journaled."""
    claimed = comes_again(store)
    for attempt in (1, 2):
        assert (attempt, True) == (claimed.attempts, claimed.again)
        store.fail(claimed, "the reader was killed")
        assert store.message("m1")[0].state is MessageState.DONE
        assert store.claim(5, LEASE) == []
        time.sleep(0.3 * 4 ** (attempt - 1))
        claimed = claim_one(store)
    store.leave(claimed, "the reader was killed")
    message = store.message("m1")[0]
    assert (message.state, message.outcome) == (MessageState.DONE, OutcomeKind.OPENED)
    line = store.ticket("1").journal[-1]
    assert (line.action, line.detail) == ("not decided again", "the reader was killed")
    assert store.claim(5, LEASE) == []
    assert gauges(store) == {}


def test_given_back_it_comes_again(store: Store) -> None:
    """A worker that stops costs it nothing; one that died on it, an attempt."""
    again = comes_again(store)
    store.give_back(again.lease)
    again = claim_one(store)
    assert (again.attempts, again.again) == (1, True)
    store.give_back(again.lease, charged="m1")
    assert store.claim(5, LEASE) == []
    time.sleep(0.3)
    again = claim_one(store)
    assert (again.attempts, again.again) == (2, True)


def test_silent_worker_loses_it(store: Store, other: Store) -> None:
    """When its lease ran out somebody else decides it, once."""
    asks(store, "m1", wanted())
    answered(store)
    late = claim_one(store, timedelta(milliseconds=40))
    time.sleep(0.1)
    again = claim_one(other)
    assert (again.attempts, again.again) == (2, True)
    assert store.finish([decides(late)]) == [Unfinished(message_id="m1", stale=False)]
    store.leave(late, "too late")
    store.fail(late, "too late")
    assert isinstance(other.finish([decides(again)])[0], Finished)


def test_message_keeps_its_one_outcome(store: Store) -> None:
    """Whatever a worker wants to make of it, a message that has its outcome gets no other one."""
    again = comes_again(store)
    for other in (opens(again), parks(again), quarantines(again)):
        (result,) = store.finish([other])
        assert isinstance(result, Unfinished)
        assert "outcome already" in result.error
    assert isinstance(store.finish([decides(again)])[0], Finished)
    assert len(store.messages(MessageFilter())) == 1
    assert store.message("m1")[0].outcome is OutcomeKind.OPENED


def test_answers_that_come_while_it_is_decided_are_not_missed(store: Store) -> None:
    """Whoever decides without them loses the message, and it is decided with all of them."""
    asks(store, "m1", wanted(), withheld("b.example.org"))
    answered(store)
    early = claim_one(store)
    store.release_lookups("1", (), (), "ana", NOON)
    answered(store)
    assert store.finish([decides(early)]) == [Unfinished(message_id="m1", stale=False)]
    again = claim_one(store)
    assert (again.again, again.attempts) == (True, 1)
    store.finish([decides(again)])
    assert store.claim(5, LEASE) == []


@pytest.mark.parametrize("held", [True, False])
def test_person_who_retries_wins(store: Store, held: bool) -> None:
    """A message that a person lets go the whole way is not decided again in between: that decision knows it all."""
    store.accept([arrival()])
    store.finish([quarantines(claim_one(store), wanted=(wanted(tlp=Tlp.RED),))])
    store.retry("m1", "ana", NOON)
    early = claim_one(store) if held else None
    answered(store)
    if early:
        assert store.finish([opens(early)]) == [Unfinished(message_id="m1", stale=False)]
    whole = claim_one(store)
    assert (whole.again, whole.attempts) == (False, 1)
    assert isinstance(store.finish([joins(whole, 1, updates=DRAFT)])[0], Finished)
    assert store.claim(5, LEASE) == []


def test_quarantined_message_does_not_come_again(store: Store) -> None:
    """What could not be read waits for a person."""
    store.accept([arrival()])
    store.finish([quarantines(claim_one(store), wanted=(wanted(tlp=Tlp.RED),))])
    answered(store)
    assert store.claim(5, LEASE) == []
    assert store.message("m1")[0].state is MessageState.QUARANTINED
