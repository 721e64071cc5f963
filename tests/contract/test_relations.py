"""The contract of relating: which tickets a message belongs to."""

from dataclasses import replace
from datetime import timedelta

from contract.engines import Engine
from contract.values import (
    LEASE,
    NOON,
    REPORTER,
    acknowledgement,
    arrival,
    claim_one,
    content_of,
    joins,
    keys,
    notice,
    open_ticket,
    opens,
    parks,
)

from abuse_triage.model.budget import Bucket
from abuse_triage.model.ticket import Relations, TicketState
from abuse_triage.store.interface import Finished, Store, Unfinished

BRUNO = "bruno@example.org"


def test_nothing_relates_in_an_empty_store(store: Store) -> None:
    """A first message has no relations, whatever it names."""
    named = keys("content", ids=["ack.m1@example.pt"], numbers=["TEST#2026-000001"])
    assert store.relations(named) == Relations()


def test_answer_to_our_mail_finds_its_ticket(store: Store) -> None:
    """A Message-ID of ours leads to the ticket that the mail belongs to, with its participants and state."""
    open_ticket(store, participants=(REPORTER, "soc@example.org"))
    answered = store.relations(keys("", ids=["unknown@example.pt", "ack.m1@example.pt"])).answered
    assert answered is not None
    assert (answered.id, answered.number, answered.state) == (1, "TEST#2026-000001", TicketState.NEW)
    assert {REPORTER, "soc@example.org"} == set(answered.participants)


def test_newest_of_our_mails_counts(store: Store) -> None:
    """An answer that names several of our mails belongs to the newest one's ticket, in whatever order they stand."""
    open_ticket(store, "m1")
    open_ticket(store, "m2")
    for ids in (["ack.m1@example.pt", "ack.m2@example.pt"], ["ack.m2@example.pt", "ack.m1@example.pt"]):
        answered = store.relations(keys("", ids=ids)).answered
        assert answered is not None
        assert answered.number == "TEST#2026-000002"


def test_answer_to_a_digest_relates_to_nothing(store: Store) -> None:
    """A mail of ours without a ticket leads nowhere."""
    from contract.values import digest

    store.queue(digest(), NOON)
    assert store.relations(keys("", ids=["digest.d1@example.pt"])).answered is None


def test_first_number_that_exists_is_the_tag(store: Store) -> None:
    """Of several numbers in a subject the first one that is a ticket counts; only whole numbers do."""
    open_ticket(store, "m1")
    open_ticket(store, "m2")
    tagged = store.relations(keys("", numbers=["TEST#2026-000009", "TEST#2026-000002", "TEST#2026-000001"])).tagged
    assert tagged is not None
    assert tagged.number == "TEST#2026-000002"
    assert tagged.participants == (REPORTER,)
    assert store.relations(keys("", numbers=["2026-000001", "1", ""])).tagged is None


def test_a_handler_who_was_told_takes_no_part(store: Store) -> None:
    """The recipient of a notice is no participant: the ticket is not his to write into from outside."""
    open_ticket(store, participants=(REPORTER,), outgoing=(notice(),))
    tagged = store.relations(keys("", numbers=["TEST#2026-000001"])).tagged
    assert tagged is not None
    assert tagged.participants == (REPORTER,)


def test_those_who_were_written_to_take_part(store: Store) -> None:
    """The recipient of an acknowledgement is a participant, like those who wrote."""
    open_ticket(store, sender=BRUNO, participants=())
    tagged = store.relations(keys("", numbers=["TEST#2026-000001"])).tagged
    assert tagged is not None
    assert tagged.participants == (BRUNO,)


def test_followers_take_part(store: Store) -> None:
    """Whoever joins a ticket takes part in it."""
    open_ticket(store)
    store.accept([arrival("m2", sender=BRUNO)])
    store.finish([joins(claim_one(store), 1)])
    tagged = store.relations(keys("", numbers=["TEST#2026-000001"])).tagged
    assert tagged is not None
    assert {REPORTER, BRUNO} == set(tagged.participants)


def test_same_content_is_told_apart_by_its_sender(store: Store) -> None:
    """The same content from the same sender is one thing, from another sender something else."""
    open_ticket(store, "m1", keys=keys("x", sender=REPORTER))
    mine, theirs = content_of(store, "x"), content_of(store, "x", sender=BRUNO)
    assert mine.same_sender is not None
    assert mine.same_content is None
    assert theirs.same_sender is None
    assert theirs.same_content is not None
    assert mine.same_sender.number == theirs.same_content.number == "TEST#2026-000001"
    assert content_of(store, "y") == Relations()


def test_null_senders_are_one_sender(store: Store) -> None:
    """The null return path is compared like any other."""
    open_ticket(store, "m1", keys=keys("x", sender=""))
    assert content_of(store, "x", sender="").same_sender is not None
    assert content_of(store, "x", sender="").same_content is None


def test_newest_ticket_with_the_content_counts(store: Store) -> None:
    """Of several tickets with the same content the one with the newest report is meant, for each kind of sender."""
    for n, sender in enumerate((REPORTER, BRUNO, "carla@example.org")):
        store.accept([arrival(f"m{n}", minutes=n, sender=sender)])
        content = keys("x", sender=sender)
        store.finish([opens(claim_one(store), keys=content, assumed=store.relations(content))])

    def found(sender: str) -> tuple[str, str]:
        known = content_of(store, "x", sender=sender)
        return (
            known.same_sender.number[-1] if known.same_sender else "",
            known.same_content.number[-1] if known.same_content else "",
        )

    assert found(REPORTER) == ("1", "3")
    assert found(BRUNO) == ("2", "3")
    assert found("carla@example.org") == ("3", "2")
    assert found("duarte@example.org") == ("", "3")


def test_window_ends_what_counts_as_the_same(store: Store) -> None:
    """A report from before the window is no duplicate; one at its very beginning is."""
    open_ticket(store, "m1", keys=keys("x"))
    assert store.relations(keys("x", days=0)).same_sender is not None
    later = keys("x")
    assert store.relations(replace(later, since=NOON + timedelta(seconds=1))).same_sender is None
    assert store.relations(replace(later, since=NOON + timedelta(seconds=1), sender=BRUNO)).same_content is None


def test_empty_fingerprint_matches_nothing(store: Store) -> None:
    """Messages without a fingerprint are not the same."""
    open_ticket(store, "m1", keys=keys(""))
    assert content_of(store, "") == Relations()


def test_parked_messages_are_no_duplicates(store: Store) -> None:
    """The content of a message without a ticket leads nowhere."""
    store.accept([arrival()])
    store.finish([parks(claim_one(store), keys=keys("x"))])
    assert content_of(store, "x") == Relations()


def test_state_of_the_ticket_is_told(store: Store, engine: Engine) -> None:
    """A relation says whether its ticket is still open."""
    open_ticket(store, keys=keys("x"))
    engine.set_ticket_state(1, TicketState.RESOLVED)
    same = content_of(store, "x").same_sender
    assert same is not None
    assert same.state is TicketState.RESOLVED


def test_number_of_a_contact_finds_its_ticket(store: Store) -> None:
    """The number that a contact gave a matter leads to the newest ticket about it, with its participants."""
    assert store.relations(keys("", peer="cert-a 77")).peer is None
    open_ticket(store, "m1", keys=keys("x", peer="cert-a 77"))
    known = store.relations(keys("", peer="cert-a 77"))
    assert known.peer is not None
    assert (known.peer.number, known.peer.participants) == ("TEST#2026-000001", (REPORTER,))
    assert store.relations(keys("", peer="cert-b 77")) == Relations()
    assert store.relations(keys("")) == Relations()
    open_ticket(store, "m2", keys=keys("y", peer="cert-a 77"), assumed=known)
    newest = store.relations(keys("", peer="cert-a 77")).peer
    assert newest is not None
    assert newest.number == "TEST#2026-000002"


def test_follow_up_to_an_older_ticket_is_not_the_newest(store: Store) -> None:
    """A contact's number stays with the newest ticket about it, also when somebody joins an older one."""
    open_ticket(store, "m1", keys=keys("x", peer="cert-a 77"))
    open_ticket(store, "m2", keys=keys("y", peer="cert-a 77"), assumed=store.relations(keys("y", peer="cert-a 77")))
    again = keys("z", peer="cert-a 77")
    store.accept([arrival("m3")])
    store.finish([joins(claim_one(store), 1, keys=again, assumed=store.relations(again))])
    peer = store.relations(again).peer
    assert peer is not None
    assert peer.number == "TEST#2026-000002"


def test_follow_up_teaches_the_number_of_a_contact(store: Store) -> None:
    """A message that joins a ticket and names a number of a contact's makes that number lead there."""
    open_ticket(store, "m1")
    named = keys("x", ids=["ack.m1@example.pt"], peer="cert-a 77")
    store.accept([arrival("m2")])
    store.finish([joins(claim_one(store), 1, keys=named, assumed=store.relations(named))])
    peer = store.relations(keys("", peer="cert-a 77")).peer
    assert peer is not None
    assert peer.number == "TEST#2026-000001"


def test_parked_messages_teach_no_number(store: Store) -> None:
    """The number of a contact in a message without a ticket leads nowhere."""
    store.accept([arrival()])
    store.finish([parks(claim_one(store), keys=keys("x", peer="cert-a 77"))])
    assert store.relations(keys("", peer="cert-a 77")).peer is None


def told(store: Store) -> tuple[bool, bool]:
    """Whether the ticket of a content and number counts as acknowledged, by the content and by the number."""
    found = store.relations(keys("x", peer="cert-a 77"))
    assert found.same_sender is not None
    assert found.peer is not None
    return found.same_sender.acknowledged, found.peer.acknowledged


REPEATED = keys("x", peer="cert-a 77")
REPEATED_MAIL = acknowledgement("m1", REPORTER)


def test_ticket_without_an_answer_is_not_acknowledged(store: Store) -> None:
    """Where none was queued, or notices only, a relation says so."""
    open_ticket(store, "m1", keys=REPEATED, outgoing=(notice(),))
    assert (False, False) == told(store)


def test_ticket_with_an_answer_is_acknowledged_whatever_becomes_of_it(store: Store) -> None:
    """Waiting, being sent, sent, unknown and undeliverable count; what was refused for good does not."""
    open_ticket(store, "m1", keys=REPEATED, outgoing=(REPEATED_MAIL,))
    assert (True, True) == told(store)
    store.pay([(1, [Bucket(name="empty", count=1, span=timedelta(hours=1))])] * 2, NOON)
    assert (True, True) == told(store)
    store.sending(1, NOON)
    assert (True, True) == told(store)
    store.unknown(1, NOON, "gone")
    assert (True, True) == told(store)
    store.resend(1, "ana", NOON)
    store.sending(1, NOON)
    store.sent(1, NOON, "250 ok")
    assert (True, True) == told(store)
    store.accept([arrival("b1", sender="")])
    store.finish([joins(claim_one(store), 1, undeliverable=(REPEATED_MAIL.message_id,))])
    assert (True, True) == told(store)
    store.resend(1, "ana", NOON)
    store.give_up(1, NOON, "550 no such user")
    assert (False, False) == told(store)


def test_folded_answer_counts_as_the_mail_in_its_place(store: Store) -> None:
    """A ticket whose number another mail tells is acknowledged unless that mail was refused."""
    open_ticket(store, "m1", keys=REPEATED, outgoing=(REPEATED_MAIL,))
    store.fold(replace(REPEATED_MAIL, message_id="fold.m1@example.pt"), [1], NOON)
    assert (True, True) == told(store)
    store.give_up(2, NOON, "550 no such user")
    assert (False, False) == told(store)


def test_two_copies_at_once_are_answered_once(store: Store) -> None:
    """Of two messages that both found a ticket without an answer the second one has to be decided again."""
    open_ticket(store, "m1", keys=REPEATED, outgoing=())
    untold = store.relations(REPEATED)
    store.accept([arrival("m2"), arrival("m3")])
    both = store.claim(2, LEASE)
    answers = [
        joins(claimed, 1, keys=REPEATED, assumed=untold, outgoing=(acknowledgement(claimed.arrival.id, REPORTER),))
        for claimed in both
    ]
    first, second = store.finish(answers)
    assert isinstance(first, Finished)
    assert Unfinished(message_id="m3", stale=True) == second
    assert ["ack.m2@example.pt"] == [mail.message_id for mail in store.mails((), 10)]
    assert (True, True) == told(store)
