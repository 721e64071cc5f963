"""The contract of what operators and the scheduler ask."""

import threading
import time
from contextlib import closing
from datetime import timedelta

import pytest
from contract.engines import Engine
from contract.values import LEASE, NOON, arrival, arrivals, digest, open_ticket, opens, parks, quarantines

from abuse_triage.errors import InputError, NotFoundError
from abuse_triage.model.ticket import MessageState
from abuse_triage.store.interface import Store

NAMES = [
    "messages received",
    "messages claimed",
    "messages quarantined",
    "messages parked",
    "tickets open p1",
    "tickets open p2",
    "tickets open p3",
    "tickets open p4",
    "mail queued",
    "mail sending",
    "mail failed",
    "mail delivery-unknown",
    "mail undeliverable",
    "mail held",
    "messages to decide again",
    "look-ups waiting",
    "look-ups withheld",
]


def test_empty_store_has_every_gauge_at_zero(store: Store) -> None:
    """A gauge is there before anything is counted by it."""
    gauges = store.gauges()
    assert sorted(NAMES) == sorted(gauge.name for gauge in gauges)
    assert {(gauge.count, gauge.oldest) for gauge in gauges} == {(0, None)}


def test_gauges_count_what_waits(store: Store) -> None:
    """Each thing that waits is counted in its state, with the time of the oldest; what is done is not."""
    store.accept(arrivals(7))
    first, second, third, fourth, _ = store.claim(5, LEASE)
    store.finish([opens(first), opens(second), parks(third), quarantines(fourth)])
    store.queue(digest(), NOON)
    store.sending(1, NOON)
    gauges = {gauge.name: (gauge.count, gauge.oldest) for gauge in store.gauges() if gauge.count}
    assert gauges == {
        "messages received": (2, NOON + timedelta(minutes=5)),
        "messages claimed": (1, NOON + timedelta(minutes=4)),
        "messages quarantined": (1, NOON + timedelta(minutes=3)),
        "messages parked": (1, NOON + timedelta(minutes=2)),
        "tickets open p2": (3, NOON + timedelta(minutes=1)),
        "mail queued": (2, NOON),
        "mail sending": (1, NOON + timedelta(minutes=1)),
    }


def test_sent_mail_is_not_counted(store: Store) -> None:
    """What has left does not wait."""
    store.queue(digest(), NOON)
    store.sending(1, NOON)
    store.sent(1, NOON, "250 ok")
    assert [gauge.count for gauge in store.gauges() if gauge.name.startswith("mail")] == [0] * 6


def test_small_facts_are_remembered(store: Store, engine: Engine) -> None:
    """A fact outlives its store, the last value counts, and one never told is ""."""
    assert store.recall("digest") == ""
    store.remember("digest", "yesterday")
    store.remember("digest", "hoje às 8\0")
    store.close()
    with closing(engine.open()) as again:
        assert again.recall("digest") == "hoje às 8\ufffd"
        assert again.recall("other") == ""


def test_wait_ends_when_somebody_changes_the_store(store: Store, other: Store) -> None:
    """A waiting process wakes up soon after another one's commit."""
    store.wait(0)
    timer = threading.Timer(0.2, other.accept, [[arrival()]])
    timer.start()
    start = time.monotonic()
    assert store.wait(10)
    assert time.monotonic() - start < 5
    timer.join()
    assert len(store.claim(5, LEASE)) == 1


def test_wait_gives_up_in_time(store: Store) -> None:
    """Where nothing happens, waiting ends at its time and says so."""
    store.wait(0)
    start = time.monotonic()
    assert not store.wait(0.15)
    assert 0.15 <= time.monotonic() - start < 2


def test_change_between_two_waits_is_not_missed(store: Store, other: Store) -> None:
    """What came in while the caller was looking for work ends the next wait at once."""
    store.wait(0)
    assert store.claim(5, LEASE) == []
    other.accept([arrival()])
    start = time.monotonic()
    assert store.wait(10)
    assert time.monotonic() - start < 1
    assert not store.wait(0.05)


def test_looking_for_work_is_no_change(store: Store, other: Store) -> None:
    """Idle workers do not wake each other up."""
    store.wait(0)
    assert other.claim(5, LEASE) == []
    assert other.due(NOON, 5) == []
    other.give_back("unknown")
    other.recover(NOON)
    assert not store.wait(0.1)


def test_sound_store_has_no_problems(store: Store) -> None:
    """A store that was opened is set up for durable commits."""
    open_ticket(store)
    assert store.check() == []


def test_store_is_the_same_after_reopening(engine: Engine) -> None:
    """Everything committed is there for the next one who opens the store."""
    with closing(engine.open()) as store:
        finished = open_ticket(store)
    with closing(engine.open()) as store:
        assert store.ticket(finished.number).ticket.number == finished.number


def test_retry_is_journaled(store: Store) -> None:
    """Who let a message go the whole way again stands in its ticket's journal, with what it was before."""
    store.accept([arrival()])
    store.finish([quarantines(store.claim(1, LEASE)[0], reason="killed at its deadline")])
    store.retry("m1", "ana", NOON + timedelta(hours=1))
    line = store.ticket("1").journal[-1]
    assert (line.actor, line.action, line.at) == ("ana", "message retried", NOON + timedelta(hours=1))
    assert line.detail == "was quarantined: killed at its deadline"


def test_retry_is_for_what_was_set_aside(store: Store) -> None:
    """A message that waits or has a ticket is not tried again, and an unknown one is not found."""
    store.accept(arrivals(2))
    with pytest.raises(InputError):
        store.retry("m000", "ana", NOON)
    store.finish([opens(store.claim(1, LEASE)[0])])
    with pytest.raises(InputError):
        store.retry("m000", "ana", NOON)
    with pytest.raises(NotFoundError):
        store.retry("m9", "ana", NOON)
    assert store.message("m001")[0].state is MessageState.RECEIVED
