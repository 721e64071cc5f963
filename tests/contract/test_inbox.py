"""The contract of accepting, claiming and giving back messages."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from contract.values import LEASE, NOON, arrival, arrivals, claim_one, opens, parks, quarantines
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abuse_triage.errors import InputError, NotFoundError, TemporaryError
from abuse_triage.model.message import Arrival, Channel, Envelope
from abuse_triage.model.ticket import MessageState, Outcome, OutcomeKind
from abuse_triage.store.interface import Claimed, MessageFilter, Store

SHORT = timedelta(milliseconds=40)


def claim_soon(store: Store, limit: int = 50) -> list[Claimed]:
    """Claim, waiting out the pause that a store may make after a failure."""
    deadline = time.monotonic() + 5
    while not (claimed := store.claim(limit, LEASE)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return claimed


def ids(claimed: list[Claimed]) -> list[str]:
    """The ids of claimed messages."""
    return [message.arrival.id for message in claimed]


def test_accepted_message_comes_back_as_it_was(store: Store) -> None:
    """A claimed message has everything that it was accepted with."""
    accepted = Arrival(
        id="01j",
        received_at=NOON + timedelta(microseconds=123456),
        envelope=Envelope(
            sender="",
            recipients=("abuse@example.pt", "csirt@example.pt"),
            channel=Channel.LMTP,
            peer="2001:db8::7",
            helo="[2001:db8::7]",
            tls=True,
        ),
        raw=bytes(range(256)) * 20,
        truncated=True,
    )
    store.accept([accepted])
    claimed = claim_one(store)
    assert accepted == claimed.arrival
    assert claimed.attempts == 1
    assert claimed.previous is None


@given(raw=st.binary(max_size=300), sender=st.text(alphabet=st.characters(exclude_categories=()), max_size=50))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_survive(store: Store, raw: bytes, sender: str) -> None:
    """Whatever bytes a message has are kept, and whatever its envelope says does not keep it out."""
    name = f"m{time.monotonic_ns()}"
    store.accept([arrival(name, raw=raw, sender=sender)])
    assert raw == store.message(name)[1]


def test_accepting_nothing_is_allowed(store: Store) -> None:
    """An empty batch changes nothing."""
    store.accept([])
    assert store.waiting() == 0


def test_an_id_is_never_replaced(store: Store) -> None:
    """A batch with an id that is there already is refused as a whole, and the first message stays."""
    store.accept([arrival("m1", raw=b"first")])
    with pytest.raises(TemporaryError):
        store.accept([arrival("m0"), arrival("m1", raw=b"second")])
    assert store.message("m1")[1] == b"first"
    assert store.waiting() == 1


@pytest.mark.parametrize("size", [999_999, 1_000_000, 1_000_001, 25_000_000, 36_000_000])
def test_large_message_survives(store: Store, other: Store, size: int) -> None:
    """A large message is kept byte for byte, among small ones, for whoever claims it or looks at it."""
    raw = (b"Subject: large\r\n\r\n" + bytes(range(256)) * 141_000)[:size]
    store.accept([arrival("m1"), arrival("m2", raw=raw, minutes=1), arrival("m3", minutes=2)])
    claimed: dict[str, bytes] = {}
    while batch := other.claim(3, LEASE):
        claimed |= {message.arrival.id: message.arrival.raw for message in batch}
    assert claimed == {"m1": arrival().raw, "m2": raw, "m3": arrival().raw}
    shown, content = other.message("m2")
    assert raw == content
    assert size == shown.raw_size == len(raw)


def test_large_messages_are_not_all_claimed_at_once(store: Store) -> None:
    """A claim of many large messages ends early, so that it does not fill the memory, and none is left out."""
    store.accept([arrival(f"m{n}", minutes=n, raw=b"x" * 20_000_000) for n in range(4)])
    batches = []
    while batch := store.claim(50, LEASE):
        batches.append(ids(batch))
    assert [name for batch in batches for name in batch] == ["m0", "m1", "m2", "m3"]
    assert len(batches) > 1


def test_oldest_messages_are_claimed_first(store: Store) -> None:
    """Messages are handed out in the order of their arrival, at most as many as asked for."""
    store.accept(list(reversed(arrivals(5))))
    assert ids(store.claim(3, LEASE)) == ["m000", "m001", "m002"]
    assert ids(store.claim(3, LEASE)) == ["m003", "m004"]
    assert store.claim(3, LEASE) == []


def test_one_claim_has_one_lease(store: Store) -> None:
    """All messages of a claim share a lease, and no other claim has the same."""
    store.accept(arrivals(4))
    first, second = store.claim(2, LEASE), store.claim(2, LEASE)
    assert len({message.lease for message in first}) == 1
    assert len({message.lease for message in (*first, *second)}) == 2


def test_waiting_counts_received_and_claimed_messages(store: Store) -> None:
    """What is finished or set aside does not wait any more."""
    store.accept(arrivals(5))
    assert store.waiting() == 5
    done, parked, bad, *_ = store.claim(4, LEASE)
    assert store.waiting() == 5
    store.finish([opens(done), parks(parked), quarantines(bad)])
    assert store.waiting() == 2


def test_another_store_sees_what_was_accepted(store: Store, other: Store) -> None:
    """What one process accepts, another one may claim; never both."""
    store.accept(arrivals(3))
    assert len(other.claim(2, LEASE)) == 2
    assert len(store.claim(2, LEASE)) == 1


def test_expired_lease_makes_a_message_wait_again(store: Store, other: Store) -> None:
    """The messages of a silent worker go to another, one by one, with their attempts counted."""
    store.accept(arrivals(2))
    held = store.claim(2, SHORT)
    assert other.claim(2, LEASE) == []
    time.sleep(0.1)
    again = [*other.claim(2, LEASE), *other.claim(2, LEASE)]
    assert sorted(ids(again)) == ["m000", "m001"]
    assert [message.attempts for message in again] == [2, 2]
    assert not {message.lease for message in held} & {message.lease for message in again}


def test_message_that_failed_is_claimed_alone(store: Store) -> None:
    """What failed once cannot take others with it."""
    store.accept(arrivals(3))
    first = claim_one(store)
    store.fail(first, "the reader was killed")
    seen = []
    while batch := claim_soon(store):
        seen.append(ids(batch))
        for message in batch:
            store.finish([parks(message)])
        if len(seen) == 2:
            break
    assert sorted(seen) == [["m000"], ["m001", "m002"]]


def test_failures_are_counted_and_told(store: Store) -> None:
    """Each failure counts one attempt, and the last error is kept."""
    store.accept([arrival()])
    for attempt in (1, 2, 3):
        (claimed,) = claim_soon(store)
        assert attempt == claimed.attempts
        store.fail(claimed, f"failure {attempt}")
    (message,) = store.messages(MessageFilter())
    assert message.state is MessageState.RECEIVED
    assert message.attempts == 3
    assert message.error == "failure 3"


def test_failed_and_fresh_messages_take_turns(store: Store) -> None:
    """Neither a stream of new mail nor a heap of failed messages starves the other."""
    store.accept(arrivals(4))
    for message in store.claim(4, LEASE):
        store.fail(message, "failed")
    time.sleep(1)
    store.accept([arrival(f"new{n}", minutes=100 + n) for n in range(4)])
    kinds = ["fresh" if batch[0].attempts == 1 else "failed" for _ in range(8) for batch in [store.claim(1, LEASE)]]
    assert sorted([["fresh", "failed"] * 4, ["failed", "fresh"] * 4]).count(kinds) == 1


def test_given_back_messages_are_fresh_again(store: Store) -> None:
    """A worker that stops in good order costs its messages no attempt, and they may share a claim again."""
    store.accept(arrivals(3))
    lease = store.claim(3, LEASE)[0].lease
    store.give_back(lease)
    again = store.claim(3, LEASE)
    assert ids(again) == ["m000", "m001", "m002"]
    assert {message.attempts for message in again} == {1}


def test_only_the_charged_message_keeps_its_attempt(store: Store) -> None:
    """After a crash the message that the worker was on is claimed alone, with its attempt counted."""
    store.accept(arrivals(3))
    lease = store.claim(3, LEASE)[0].lease
    store.give_back(lease, charged="m001")
    innocent = store.claim(3, LEASE)
    assert ids(innocent) == ["m000", "m002"]
    assert {message.attempts for message in innocent} == {1}
    (charged,) = claim_soon(store)
    assert charged.arrival.id == "m001"
    assert charged.attempts == 2


def test_giving_back_twice_keeps_earlier_attempts(store: Store) -> None:
    """A message that failed before keeps that failure when it is given back uncharged, and stays alone."""
    store.accept(arrivals(2))
    first, second = store.claim(2, LEASE)
    store.fail(first, "failed")
    store.finish([parks(second)])
    (again,) = claim_soon(store)
    store.give_back(again.lease)
    store.accept([arrival("n1"), arrival("n2")])
    batches = [claim_soon(store), claim_soon(store)]
    assert sorted(ids(batch) for batch in batches) == [["m000"], ["n1", "n2"]]
    assert {message.attempts for batch in batches for message in batch if len(batch) == 1} == {2}


def test_finished_messages_are_not_given_back(store: Store) -> None:
    """Giving back a lease leaves alone what was finished under it."""
    store.accept(arrivals(2))
    first, _ = store.claim(2, LEASE)
    store.finish([opens(first)])
    store.give_back(first.lease)
    assert ids(store.claim(5, LEASE)) == ["m001"]


def test_lost_lease_gives_nothing_back(store: Store, other: Store) -> None:
    """A worker whose lease ran out cannot fail or give back what another one holds."""
    store.accept([arrival()])
    late = claim_one(store, SHORT)
    time.sleep(0.1)
    holder = claim_one(other)
    store.fail(late, "too late")
    store.give_back(late.lease)
    (message,) = store.messages(MessageFilter())
    assert message.state is MessageState.CLAIMED
    assert message.attempts == 2
    assert message.error == ""
    (finished,) = other.finish([parks(holder)])
    assert finished.kind is OutcomeKind.PARKED


def test_unknown_lease_gives_nothing_back(store: Store) -> None:
    """A lease that never was, or "", touches no message."""
    store.accept(arrivals(2))
    store.claim(1, LEASE)
    store.give_back("")
    store.give_back("00")
    assert store.messages(MessageFilter(states=(MessageState.CLAIMED,)))[0].attempts == 1


def test_messages_are_listed_newest_first(store: Store) -> None:
    """A list has the newest messages on top, and ends at its limit."""
    store.accept(arrivals(5))
    assert [message.id for message in store.messages(MessageFilter(limit=3))] == ["m004", "m003", "m002"]


def test_messages_are_filtered(store: Store) -> None:
    """Each filter leaves what it says, and several restrict together."""
    store.accept(arrivals(6))
    opened, parked, bad, _ = store.claim(4, LEASE)
    store.finish([opens(opened), parks(parked), quarantines(bad)])

    def listed(**which: object) -> list[str]:
        return [message.id for message in store.messages(MessageFilter(**which))]

    assert listed(states=(MessageState.RECEIVED,)) == ["m005", "m004"]
    assert listed(states=(MessageState.CLAIMED,)) == ["m003"]
    assert listed(states=(MessageState.RECEIVED, MessageState.CLAIMED)) == ["m005", "m004", "m003"]
    assert listed(states=(MessageState.QUARANTINED,)) == ["m002"]
    assert listed(states=(MessageState.DONE,)) == ["m001", "m000"]
    assert listed(outcomes=(OutcomeKind.PARKED,)) == ["m001"]
    assert listed(outcomes=(OutcomeKind.OPENED, OutcomeKind.PARKED)) == ["m001", "m000"]
    assert listed(unanswered=True) == ["m002", "m001"]
    assert listed(since=NOON + timedelta(minutes=4)) == ["m005", "m004"]
    assert listed(states=(MessageState.DONE,), unanswered=True) == ["m001"]


def test_message_says_what_became_of_it(store: Store) -> None:
    """A finished message has its outcome, why it was not answered, and its ticket."""
    store.accept([arrival(raw=b"x" * 77)])
    store.finish([opens(claim_one(store), refused="an automatic reply", outgoing=())])
    message, _ = store.message("m1")
    assert message.outcome is OutcomeKind.OPENED
    assert message.reason == "fraud, 70 points"
    assert message.refused == "an automatic reply"
    assert message.ticket == "TEST#2026-000001"
    assert message.raw_size == 77
    assert message.envelope == arrival().envelope


def test_message_is_found_by_its_beginning(store: Store) -> None:
    """The first characters of an id will do while only one message begins like this; a whole id always does."""
    store.accept([arrival("ab"), arrival("abc1"), arrival("abc2"), arrival("x%_")])
    assert store.message("abc1")[0].id == "abc1"
    assert store.message("x")[0].id == "x%_"
    assert store.message("ab")[0].id == "ab"
    with pytest.raises(InputError):
        store.message("abc")


@pytest.mark.parametrize("wrong", ["", "nothing", "%", "\0", "\ud800", "m1'; --"])
def test_unknown_message_is_not_found(store: Store, wrong: str) -> None:
    """An id that no message begins with is an error of whoever asks."""
    store.accept([arrival()])
    with pytest.raises(NotFoundError):
        store.message(wrong)


def test_details_of_addresses_are_kept(store: Store) -> None:
    """What stood behind the "+" of an address comes back with the message, claimed or listed."""
    envelope = replace(arrival().envelope, details=("2026-000123", "número"))
    store.accept([replace(arrival(), envelope=envelope)])
    assert envelope == claim_one(store).arrival.envelope
    assert envelope == store.message("m1")[0].envelope


def test_promoted_message_goes_the_whole_way_as_one(store: Store) -> None:
    """A parked message that a person takes for a report is handed out again with that mark, and keeps it."""
    store.accept([arrival()])
    parked = claim_one(store)
    assert not parked.promoted
    store.finish([parks(parked)])
    store.promote("m", "ana", NOON)
    promoted = claim_one(store)
    assert (promoted.promoted, promoted.attempts, promoted.previous) == (True, 1, None)
    store.give_back(promoted.lease)
    again = claim_one(store)
    assert again.promoted
    store.finish([quarantines(again)])
    store.retry("m1", "rui", NOON)
    assert claim_one(store).promoted


def test_promotion_is_journaled_on_the_ticket_that_opens(store: Store) -> None:
    """The ticket of a promoted message says who promoted it and when, once, before anything else."""
    store.accept([arrival()])
    store.finish([parks(claim_one(store))])
    store.promote("m1", "ana", NOON + timedelta(hours=1))
    store.finish([quarantines(claim_one(store))])
    store.retry("m1", "rui", NOON)
    store.finish([opens(claim_one(store))])
    lines = [(line.action, line.actor, line.at) for line in store.ticket("1").journal]
    assert lines[0] == ("message promoted", "ana", NOON + timedelta(hours=1))
    assert [action for action, _, _ in lines].count("message promoted") == 1


@pytest.mark.parametrize("become", [opens, quarantines, None])
def test_only_what_is_parked_is_promoted(store: Store, become: Callable[[Claimed], Outcome] | None) -> None:
    """A message that has a ticket or waits is not promoted, and an unknown one is not found."""
    store.accept([arrival()])
    if become:
        store.finish([become(claim_one(store))])
    with pytest.raises(InputError):
        store.promote("m1", "ana", NOON)
    with pytest.raises(NotFoundError):
        store.promote("m9", "ana", NOON)


def test_retried_message_is_not_promoted(store: Store) -> None:
    """Retrying lets the rules decide again."""
    store.accept([arrival()])
    store.finish([parks(claim_one(store))])
    store.retry("m1", "ana", NOON)
    assert not claim_one(store).promoted


def test_parked_message_shows_its_subject(store: Store) -> None:
    """A parked message is listed with the summary that was stored, at most 200 characters; all others have a ticket."""
    facts = json.dumps({"schema": 1, "summary": "Ganhe hxxps://premio.example[.]org " + "x" * 500})
    store.accept([arrival("m1"), arrival("m2", minutes=1), arrival("m3", minutes=2)])
    first, second, third = store.claim(3, LEASE)
    store.finish([parks(first, facts=facts), parks(second), opens(third, facts=facts)])
    listed = {message.id: message.subject for message in store.messages(MessageFilter())}
    assert listed == {"m1": ("Ganhe hxxps://premio.example[.]org " + "x" * 500)[:200], "m2": "", "m3": ""}
    assert store.message("m1")[0].subject == listed["m1"]
