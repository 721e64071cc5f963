"""The contract of `finish`: one outcome for each message, wholly or not at all."""

import time
from dataclasses import replace
from datetime import timedelta

import pytest
from contract.engines import Engine
from contract.values import (
    ADDRESS,
    DOMAIN,
    DRAFT,
    LEASE,
    NOON,
    REPORTER,
    VERDICT,
    acknowledgement,
    arrival,
    arrivals,
    claim_one,
    digest,
    entry,
    joins,
    keys,
    open_ticket,
    opens,
    parks,
    quarantines,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abuse_triage.model.decision import Priority, Tlp
from abuse_triage.model.ticket import MailState, MessageState, OutcomeKind, Relations, TicketRef, TicketState
from abuse_triage.store.interface import Finished, MessageFilter, Store, TicketFilter, Unfinished


def test_opened_ticket_has_everything(store: Store) -> None:
    """Ticket, report, indicators, journal and acknowledgement are all there after one `finish`."""
    assert open_ticket(store) == Finished(message_id="m1", kind=OutcomeKind.OPENED, number="TEST#2026-000001")
    file = store.ticket("TEST#2026-000001")
    ticket, (report,), (mail,) = file.ticket, file.reports, file.mails
    assert ticket.number == "TEST#2026-000001"
    assert ticket.state is TicketState.NEW
    assert ticket.messages == 1
    assert ticket.created_at == ticket.updated_at == NOON + timedelta(minutes=1)
    for name in DRAFT.__slots__:
        if name != "year":
            assert getattr(DRAFT, name) == getattr(ticket, name)
    assert report.verdict == VERDICT
    assert report.facts == '{"schema": 1, "facts": {"text": "página"}}'
    assert (report.message_id, report.received_at, report.sender, report.format) == ("m1", NOON, REPORTER, "plain")
    assert [(found.kind, found.value, found.scope) for found in file.indicators] == [
        (DOMAIN.kind, DOMAIN.value, DOMAIN.scope),
        (ADDRESS.kind, ADDRESS.value, ADDRESS.scope),
    ]
    assert file.journal == (entry("opened", "fraud, 70 points"),)
    assert (mail.message_id, mail.recipient, mail.state, mail.tries) == ("ack.m1@example.pt", REPORTER, "queued", 0)
    assert mail.ticket == "TEST#2026-000001"
    assert file.linked == ()


def test_number_stands_in_the_outgoing_mail(store: Store) -> None:
    """The placeholder is replaced wherever it stands."""
    open_ticket(store)
    (mail,) = store.due(NOON + timedelta(days=1), 10)
    assert mail.content == ("Subject: [TEST#2026-000001] recebido\r\n\r\nReferência TEST#2026-000001\r\n".encode())


def test_numbers_count_in_each_year(store: Store) -> None:
    """Each year begins with 1, and goes on where it was."""
    numbers = [
        open_ticket(store, f"m{n}", opens=replace(DRAFT, year=year)).number
        for n, year in enumerate((2026, 2026, 2027, 2026))
    ]
    assert numbers == ["TEST#2026-000001", "TEST#2026-000002", "TEST#2027-000001", "TEST#2026-000003"]


def test_another_prefix_counts_for_itself(store: Store, engine: Engine) -> None:
    """A changed format begins a series of its own, and the old one goes on when it comes back."""
    open_ticket(store, "m1")
    changed = engine.open("NEW#{year}-{sequence:06}")
    assert open_ticket(changed, "m2").number == "NEW#2026-000001"
    changed.close()
    assert open_ticket(store, "m3").number == "TEST#2026-000002"


def test_answers_stand_in_the_order_of_the_outcomes(store: Store) -> None:
    """A batch gives one answer for each outcome, in its place."""
    store.accept(arrivals(4))
    first, second, third, fourth = store.claim(4, LEASE)
    results = store.finish([opens(third), parks(first), quarantines(fourth), opens(second)])
    assert results == [
        Finished(message_id="m002", kind=OutcomeKind.OPENED, number="TEST#2026-000001"),
        Finished(message_id="m000", kind=OutcomeKind.PARKED, number=""),
        Finished(message_id="m003", kind=OutcomeKind.QUARANTINED, number="TEST#2026-000002"),
        Finished(message_id="m001", kind=OutcomeKind.OPENED, number="TEST#2026-000003"),
    ]
    assert store.finish([]) == []


def test_parked_message_opens_nothing(store: Store) -> None:
    """A parked message is done, with its reason, and no ticket was made."""
    store.accept([arrival()])
    store.finish([parks(claim_one(store))])
    message, _ = store.message("m1")
    assert (message.state, message.outcome, message.reason) == (MessageState.DONE, OutcomeKind.PARKED, "newsletter")
    assert store.tickets(TicketFilter()) == []
    assert store.due(NOON + timedelta(days=1), 10) == []


def test_message_joins_a_ticket(store: Store) -> None:
    """A follow-up adds its report, indicators and history to the ticket, and no acknowledgement."""
    open_ticket(store)
    ticket = store.ticket("1").ticket
    store.accept([arrival("m2", minutes=5)])
    more = replace(ADDRESS, value="198.51.100.9")
    (result,) = store.finish([joins(claim_one(store), ticket.id, indicators=(DOMAIN, more))])
    assert result == Finished(message_id="m2", kind=OutcomeKind.JOINED, number=ticket.number)
    file = store.ticket("1")
    assert file.ticket == replace(ticket, messages=2, updated_at=NOON + timedelta(minutes=2))
    assert [report.message_id for report in file.reports] == ["m1", "m2"]
    assert [found.value for found in file.indicators] == [DOMAIN.value, ADDRESS.value, "198.51.100.9"]
    assert [line.action for line in file.journal] == ["opened", "joined"]
    assert len(file.mails) == 1


@pytest.mark.parametrize("state", [TicketState.RESOLVED, TicketState.CLOSED])
@pytest.mark.parametrize("reopens", [True, False])
def test_joining_may_reopen_a_ticket(store: Store, engine: Engine, state: TicketState, reopens: bool) -> None:
    """A ticket that is not open becomes new again where the outcome says so, and only there."""
    open_ticket(store)
    engine.set_ticket_state(1, state)
    store.accept([arrival("m2")])
    store.finish([joins(claim_one(store), 1, reopens=reopens)])
    assert (TicketState.NEW if reopens else state) is store.ticket("1").ticket.state


def test_links_are_seen_from_both_sides(store: Store) -> None:
    """A ticket that mentions another is linked with it, both ways, once."""
    open_ticket(store, "m1")
    open_ticket(store, "m2", links=(1, 1))
    open_ticket(store, "m3", links=(1, 2))
    assert store.ticket("1").linked == ("TEST#2026-000002", "TEST#2026-000003")
    assert store.ticket("2").linked == ("TEST#2026-000001", "TEST#2026-000003")
    assert store.ticket("3").linked == ("TEST#2026-000001", "TEST#2026-000002")


def test_lost_lease_stores_nothing(store: Store, other: Store) -> None:
    """Whoever was too slow is told so, and the message belongs to its new holder."""
    store.accept([arrival()])
    late = claim_one(store, timedelta(milliseconds=40))
    time.sleep(0.1)
    holder = claim_one(other)
    assert store.finish([opens(late)]) == [Unfinished(message_id="m1", stale=False)]
    assert store.tickets(TicketFilter()) == []
    assert other.finish([opens(holder)])[0].number == "TEST#2026-000001"


def test_expired_lease_that_nobody_took_still_counts(store: Store) -> None:
    """A slow worker may finish as long as nobody else has claimed its message."""
    store.accept([arrival()])
    slow = claim_one(store, timedelta(milliseconds=40))
    time.sleep(0.1)
    assert isinstance(store.finish([opens(slow)])[0], Finished)


def test_message_has_one_outcome(store: Store) -> None:
    """A second outcome under the same lease is not stored."""
    store.accept([arrival()])
    claimed = claim_one(store)
    results = store.finish([opens(claimed), opens(claimed)])
    assert results == [
        Finished(message_id="m1", kind=OutcomeKind.OPENED, number="TEST#2026-000001"),
        Unfinished(message_id="m1", stale=False),
    ]
    assert store.finish([parks(claimed)]) == [Unfinished(message_id="m1", stale=False)]
    assert len(store.tickets(TicketFilter())) == 1


def test_unknown_message_is_not_finished(store: Store) -> None:
    """An outcome for a message that is not there stores nothing."""
    store.accept([arrival()])
    claimed = claim_one(store)
    assert store.finish([opens(claimed, message_id="m9")]) == [Unfinished(message_id="m9", stale=False)]


def test_same_content_in_one_batch_turns_stale(store: Store) -> None:
    """Of two equal reports that were decided together, the second is decided again and then joins the first."""
    store.accept([arrival("m1"), arrival("m2", minutes=1)])
    first, second = store.claim(2, LEASE)
    content = keys("the same")
    results = store.finish([opens(first, keys=content), opens(second, keys=content)])
    assert results == [
        Finished(message_id="m1", kind=OutcomeKind.OPENED, number="TEST#2026-000001"),
        Unfinished(message_id="m2", stale=True),
    ]
    known = store.relations(content)
    assert known.same_sender is not None
    (again,) = store.finish([joins(second, known.same_sender.id, keys=content, assumed=known)])
    assert again == Finished(message_id="m2", kind=OutcomeKind.JOINED, number="TEST#2026-000001")


def test_duplicate_race_between_workers_opens_one_ticket(store: Store, other: Store) -> None:
    """Two workers that decide about the same content at once cannot both open a ticket."""
    store.accept([arrival("m1"), arrival("m2", minutes=1)])
    mine, theirs = claim_one(store), claim_one(other)
    content = keys("the same")
    assumed_here, assumed_there = store.relations(content), other.relations(content)
    assert isinstance(store.finish([opens(mine, keys=content, assumed=assumed_here)])[0], Finished)
    late = opens(theirs, keys=content, assumed=assumed_there)
    assert other.finish([late]) == [Unfinished(message_id="m2", stale=True)]
    assert len(store.tickets(TicketFilter())) == 1


def test_stale_outcome_leaves_the_message_held(store: Store) -> None:
    """After "stale" the same worker goes on with the message, under the same lease."""
    open_ticket(store, "m1", keys=keys("the same"))
    store.accept([arrival("m2")])
    claimed = claim_one(store)
    assert store.finish([opens(claimed, keys=keys("the same"))]) == [Unfinished(message_id="m2", stale=True)]
    message, _ = store.message("m2")
    assert message.state is MessageState.CLAIMED
    assert store.ticket("1").ticket.messages == 1
    assert isinstance(store.finish([parks(claimed)])[0], Finished)


def test_ticket_that_changed_its_state_makes_stale(store: Store, engine: Engine) -> None:
    """A decision to join an open ticket does not hold when somebody has resolved it meanwhile."""
    open_ticket(store, "m1", keys=keys("the same"))
    store.accept([arrival("m2")])
    claimed = claim_one(store)
    assumed = store.relations(keys("the same"))
    engine.set_ticket_state(1, TicketState.RESOLVED)
    outcome = joins(claimed, 1, keys=keys("the same"), assumed=assumed)
    assert store.finish([outcome]) == [Unfinished(message_id="m2", stale=True)]
    assumed = store.relations(keys("the same"))
    assert isinstance(store.finish([replace(outcome, assumed=assumed, reopens=True)])[0], Finished)


@pytest.mark.parametrize("side", ["answered", "tagged", "peer", "same_sender", "same_content"])
def test_relation_that_is_gone_makes_stale(store: Store, side: str) -> None:
    """A decision that assumed a ticket which is not related is not stored, whichever relation it was."""
    open_ticket(store)
    store.accept([arrival("m2")])
    ghost = TicketRef(id=1, number="TEST#2026-000001", state=TicketState.NEW)
    outcome = opens(claim_one(store), assumed=Relations(**{side: ghost}))
    assert store.finish([outcome]) == [Unfinished(message_id="m2", stale=True)]


def test_participants_do_not_make_stale(store: Store) -> None:
    """Who took part in a ticket may change between the decision and its commit."""
    open_ticket(store)
    store.accept([arrival("m2")])
    content = keys("another", ids=["ack.m1@example.pt"])
    known = store.relations(content)
    assert known.answered is not None
    assumed = replace(known, answered=replace(known.answered, participants=()))
    assert isinstance(store.finish([joins(claim_one(store), 1, keys=content, assumed=assumed)])[0], Finished)


def test_bad_outcome_harms_no_other(store: Store) -> None:
    """An outcome that cannot be stored is left out wholly, its number is used by the next, and its message is held."""
    store.accept(arrivals(4))
    first, bad, worse, last = store.claim(4, LEASE)
    results = store.finish([opens(first), opens(bad, links=(999,)), joins(worse, 999), opens(last)])
    assert [result.message_id for result in results if isinstance(result, Finished)] == ["m000", "m003"]
    for result in results[1:3]:
        assert isinstance(result, Unfinished)
        assert not result.stale
        assert result.error
    assert [ticket.number for ticket in store.tickets(TicketFilter())] == ["TEST#2026-000002", "TEST#2026-000001"]
    assert len(store.due(NOON + timedelta(days=1), 10)) == 2
    assert store.waiting() == 2
    store.fail(bad, "could not be stored")
    assert store.message("m001")[0].state is MessageState.RECEIVED


def test_acknowledgement_is_queued_at_most_once(store: Store) -> None:
    """A mail whose Message-ID was queued before is not queued again, and nothing else is affected."""
    open_ticket(store, "m1")
    assert open_ticket(store, "m2", outgoing=(acknowledgement("m1"),)).number == "TEST#2026-000002"
    (mail,) = store.mails((), 10)
    assert mail.ticket == "TEST#2026-000001"


def test_quarantined_message_opens_a_ticket_and_stays_retryable(store: Store) -> None:
    """A message that cannot be read is a ticket, and waits in quarantine."""
    store.accept([arrival()])
    assert store.finish([quarantines(claim_one(store))])[0].number == "TEST#2026-000001"
    message, _ = store.message("m1")
    assert (message.state, message.outcome) == (MessageState.QUARANTINED, OutcomeKind.QUARANTINED)
    assert message.ticket == "TEST#2026-000001"
    assert store.ticket("1").reports[0].verdict is None
    assert store.claim(5, LEASE) == []


def test_quarantine_again_opens_no_second_ticket(store: Store) -> None:
    """The second failure for good joins the first one's ticket, whether the outcome says so or opens one."""
    store.accept([arrival()])
    store.finish([quarantines(claim_one(store))])
    store.retry("m1", "root", NOON)
    claimed = claim_one(store)
    assert claimed.previous == TicketRef(
        id=1, number="TEST#2026-000001", state=TicketState.NEW, participants=(REPORTER,)
    )
    assert store.finish([quarantines(claimed)])[0].number == "TEST#2026-000001"
    store.retry("m1", "root", NOON)
    again = quarantines(claim_one(store), opens=None, joins=1)
    assert store.finish([again])[0].number == "TEST#2026-000001"
    assert [ticket.messages for ticket in store.tickets(TicketFilter())] == [1]


def test_retried_message_updates_its_ticket(store: Store) -> None:
    """A message that becomes readable tells its ticket what it is about, and is acknowledged once."""
    store.accept([arrival()])
    poor = replace(
        DRAFT, category="other", type="", priority=Priority.P3, summary="unreadable", review=True, protection=""
    )
    store.finish([quarantines(claim_one(store), opens=poor, indicators=(ADDRESS,))])
    store.retry("m1", "root", NOON + timedelta(hours=1))
    claimed = claim_one(store)
    assert claimed.attempts == 1
    outcome = joins(
        claimed, 1, updates=DRAFT, indicators=(DOMAIN,), outgoing=(acknowledgement("m1"),), refused="", reason="its own"
    )
    assert store.finish([outcome]) == [Finished(message_id="m1", kind=OutcomeKind.JOINED, number="TEST#2026-000001")]
    file = store.ticket("1")
    for name in ("category", "type", "tlp", "tlp_marked", "priority", "review", "summary", "due", "protection"):
        assert getattr(DRAFT, name) == getattr(file.ticket, name)
    assert file.ticket.messages == 1
    assert [found.value for found in file.indicators] == [DOMAIN.value]
    assert [report.verdict for report in file.reports] == [VERDICT]
    assert [line.action for line in file.journal] == ["quarantined", "message retried", "joined"]
    assert [mail.state for mail in file.mails] == [MailState.QUEUED]
    assert store.message("m1")[0].state is MessageState.DONE


def test_retried_message_is_not_stale_because_of_itself(store: Store) -> None:
    """Its own earlier report is no duplicate of a message that is tried again."""
    store.accept([arrival()])
    store.finish([quarantines(claim_one(store))])
    store.retry("m1", "root", NOON)
    assert isinstance(store.finish([joins(claim_one(store), 1, assumed=Relations())])[0], Finished)


def test_retried_message_that_opens_keeps_its_ticket(store: Store) -> None:
    """A message that has a ticket does not get another one; the ticket takes the new values."""
    store.accept([arrival()])
    store.finish([quarantines(claim_one(store), opens=replace(DRAFT, category="other"))])
    store.retry("m1", "root", NOON)
    assert store.finish([opens(claim_one(store))])[0].number == "TEST#2026-000001"
    assert [ticket.category for ticket in store.tickets(TicketFilter())] == ["fraud"]


def test_parked_message_can_be_tried_again(store: Store) -> None:
    """A message that was parked by mistake opens its ticket after a retry."""
    store.accept([arrival()])
    store.finish([parks(claim_one(store))])
    store.retry("m", "root", NOON)
    message, _ = store.message("m1")
    assert (message.state, message.outcome, message.attempts) == (MessageState.RECEIVED, None, 0)
    claimed = claim_one(store)
    assert claimed.previous is None
    assert store.finish([opens(claimed)])[0].number == "TEST#2026-000001"


def test_dates_without_journal_are_those_of_the_arrival(store: Store) -> None:
    """An outcome that says no time happened when its message arrived."""
    open_ticket(store, journal=())
    assert store.ticket("1").ticket.created_at == NOON


@given(
    text=st.text(alphabet=st.characters(exclude_categories=()), max_size=60)
    | st.sampled_from(["\0", "\ud800", "\ud83d\ude00 \udfff"])
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_keeps_an_outcome_out(store: Store, text: str) -> None:
    """NUL and lone surrogates are replaced wherever a text may stand; everything else is kept as it is."""
    name = f"m{time.monotonic_ns()}"
    store.accept([arrival(name, sender=text)])
    outcome = opens(
        claim_one(store),
        reason=text,
        verdict=replace(VERDICT, reason=text, tags=(text,)),
        facts=f'{{"text": "{chr(92)}u0000 {chr(92)}ud800 {chr(92)}{chr(92)}u0000"}}',
        keys=keys(name + text, sender=text),
        opens=replace(DRAFT, summary=text, reporter=text),
        indicators=(replace(DOMAIN, value=text),),
        journal=(entry("opened", text),),
        participants=(text,),
        refused=text,
    )
    (result,) = store.finish([outcome])
    assert isinstance(result, Finished)
    file = store.ticket(result.number)
    clean = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")
    message, _ = store.message(name)
    assert [clean] * 9 == [
        message.envelope.sender,
        message.reason,
        message.refused,
        file.reports[0].verdict.reason,
        file.reports[0].verdict.tags[0],
        file.ticket.summary,
        file.ticket.reporter,
        file.indicators[0].value,
        file.journal[0].detail,
    ]
    assert file.reports[0].facts == f'{{"text": "{chr(92)}ufffd {chr(92)}ufffd {chr(92)}{chr(92)}u0000"}}'


def test_finished_messages_leave_the_lists_of_waiting_ones(store: Store) -> None:
    """After a batch nothing is left that waits."""
    store.accept(arrivals(20))
    store.finish([opens(claimed) for claimed in store.claim(50, LEASE)])
    assert store.waiting() == 0
    assert store.messages(MessageFilter(states=(MessageState.CLAIMED, MessageState.RECEIVED))) == []


def test_a_follow_up_raises_the_tlp_of_its_ticket_and_never_lowers_it(store: Store) -> None:
    """The strictest of all messages holds; a ticket tells in its history when it rose."""
    open_ticket(store)
    for name, tlp in (("m2", Tlp.RED), ("m3", Tlp.CLEAR)):
        store.accept([arrival(name)])
        store.finish([joins(claim_one(store), 1, verdict=replace(VERDICT, tlp=tlp))])
        assert Tlp.RED is store.ticket("1").ticket.tlp
    actions = [(line.action, line.detail) for line in store.ticket("1").journal]
    assert actions.count(("TLP raised", "TLP:AMBER+STRICT to TLP:RED")) == 1
    assert [action for action, _ in actions] == ["opened", "joined", "TLP raised", "joined"]


def test_contact_number_race_opens_one_ticket(store: Store, other: Store) -> None:
    """Two workers that decide about the same number of a contact at once cannot both open a ticket."""
    store.accept([arrival("m1"), arrival("m2", minutes=1)])
    mine, theirs = claim_one(store), claim_one(other)
    assert isinstance(store.finish([opens(mine, keys=keys("x", peer="cert-a 77"))])[0], Finished)
    late = opens(theirs, keys=keys("y", peer="cert-a 77"))
    assert other.finish([late]) == [Unfinished(message_id="m2", stale=True)]


def bounce(store: Store, *message_ids: str, name: str = "b1") -> Finished:
    """Let a delivery report about mails of ours join the first ticket."""
    store.accept([arrival(name, sender="", minutes=9)])
    (finished,) = store.finish([joins(claim_one(store), 1, undeliverable=message_ids, refused="a delivery report")])
    assert isinstance(finished, Finished)
    return finished


@pytest.mark.parametrize("before", ["sending", "sent", "unknown"])
def test_mail_that_came_back_is_marked_on_its_ticket(store: Store, before: str) -> None:
    """A mail that left, as far as anybody knows, is undeliverable, and its ticket says which message says so."""
    open_ticket(store)
    store.sending(1, NOON)
    if before == "sent":
        store.sent(1, NOON, "250 ok")
    elif before == "unknown":
        store.unknown(1, NOON, "no answer")
    assert bounce(store, "ack.m1@example.pt").number == "TEST#2026-000001"
    (mail,) = store.mails((MailState.UNDELIVERABLE,), 10)
    assert (mail.id, mail.error) == (1, "a delivery report says so: message b1")
    (line,) = [line for line in store.ticket("1").journal if line.action == "mail undeliverable"]
    assert (line.actor, line.at) == ("triage", NOON + timedelta(minutes=2))
    assert line.detail == "mail 1: a delivery report says so: message b1"


@pytest.mark.parametrize("outcome", ["sent", "unknown", "give_up", "put_off"])
def test_result_that_comes_after_the_bounce_changes_nothing(store: Store, outcome: str) -> None:
    """A bounce may be faster than the commit of the sender: the mail stays undeliverable, and nobody stumbles."""
    open_ticket(store)
    store.sending(1, NOON)
    bounce(store, "ack.m1@example.pt")
    getattr(store, outcome)(1, NOON, "250 ok")
    assert [MailState.UNDELIVERABLE] == [mail.state for mail in store.mails((), 10)]


@pytest.mark.parametrize("before", ["queued", "failed"])
def test_mail_that_never_left_cannot_come_back(store: Store, before: str) -> None:
    """A delivery report about a mail that waits or was refused is not believed, nor one about a stranger's."""
    open_ticket(store)
    if before == "failed":
        store.give_up(1, NOON, "550 no such user")
    bounce(store, "ack.m1@example.pt", "ack.m9@example.pt")
    assert [before] == [mail.state for mail in store.mails((), 10)]
    assert not [line for line in store.ticket("1").journal if line.action == "mail undeliverable"]


def test_bounce_of_another_ticket_is_journaled_there(store: Store) -> None:
    """What came back is told on the ticket of the mail, wherever the report itself belongs."""
    open_ticket(store, "m1")
    open_ticket(store, "m2")
    store.sending(2, NOON)
    store.sent(2, NOON, "250 ok")
    bounce(store, "ack.m2@example.pt")
    assert "mail undeliverable" in [line.action for line in store.ticket("2").journal]
    assert "mail undeliverable" not in [line.action for line in store.ticket("1").journal]


def test_digest_that_came_back_is_marked(store: Store) -> None:
    """A digest has no ticket to tell, and is undeliverable all the same; a second report changes nothing."""
    open_ticket(store)
    store.queue(digest(), NOON)
    store.sending(2, NOON)
    store.sent(2, NOON, "250 ok")
    bounce(store, "digest.d1@example.pt")
    bounce(store, "digest.d1@example.pt", name="b2")
    (mail,) = store.mails((MailState.UNDELIVERABLE,), 10)
    assert (mail.id, mail.error) == (2, "a delivery report says so: message b1")


def test_mail_that_came_back_can_be_sent_again(store: Store) -> None:
    """A person who has put the address right, or waited, queues it again."""
    open_ticket(store)
    store.sending(1, NOON)
    store.sent(1, NOON, "250 ok")
    bounce(store, "ack.m1@example.pt")
    store.resend(1, "ana", NOON)
    assert [1] == [held.mail.id for held in store.due(NOON, 10)]
    assert "mail 1: released, was undeliverable" == store.ticket("1").journal[-1].detail
