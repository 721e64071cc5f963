"""The contract of politeness: servers are asked as often as they bear, whoever asks, and left alone while they fail."""

from datetime import timedelta

from contract.values import NOON

from abuse_triage.model.budget import Bucket
from abuse_triage.store.interface import Store
from abuse_triage.store.lookups import Server

SERVER = "rdap.example.net"
SECOND = timedelta(seconds=1)
PAUSE = 10 * SECOND
RATE = Bucket(name=f"lookup:{SERVER}", count=2, span=2 * SECOND)
PERSONS = Bucket(name="lookup-personal:ripe", count=10, span=10 * SECOND)


def test_budget_of_a_server_is_shared(store: Store, other: Store) -> None:
    """So many at once, then one after the other, for all processes together; nothing is taken where one is empty."""
    assert store.admit(SERVER, [RATE], PAUSE, NOON) is None
    assert other.admit(SERVER, [RATE, PERSONS], PAUSE, NOON) is None
    assert store.admit(SERVER, [PERSONS, RATE], PAUSE, NOON) == NOON + SECOND
    assert store.used([RATE, PERSONS], NOON) == [1.0, 0.1]
    assert store.admit(SERVER, [RATE], PAUSE, NOON + SECOND) is None
    assert store.admit("other.example.net", [], PAUSE, NOON) is None


def test_more_is_spent_than_there_is(store: Store) -> None:
    """What was used is taken even where it is more, and all of it is gone then."""
    store.spend(PERSONS, 4, NOON)
    assert store.used([PERSONS], NOON) == [0.4]
    store.spend(PERSONS, 40, NOON)
    assert store.used([PERSONS], NOON) == [1.0]
    assert store.admit(SERVER, [PERSONS], PAUSE, NOON) == NOON + SECOND


def test_failing_server_is_left_alone(store: Store, other: Store) -> None:
    """Until its time nobody asks, then one does, and the others wait for that one; nothing is paid for waiting."""
    assert store.server_failed(SERVER, "no answer", None) == 1
    assert store.admit(SERVER, [], PAUSE, NOON) is None
    assert other.server_failed(SERVER, "HTTP 503", NOON + 30 * SECOND) == 2
    assert store.admit(SERVER, [RATE], PAUSE, NOON + 29 * SECOND) == NOON + 30 * SECOND
    assert store.used([RATE], NOON + 29 * SECOND) == [0.0]
    assert store.admit(SERVER, [RATE], PAUSE, NOON + 30 * SECOND) is None
    assert other.admit(SERVER, [RATE], PAUSE, NOON + 31 * SECOND) == NOON + 40 * SECOND
    assert other.admit(SERVER, [RATE], PAUSE, NOON + 40 * SECOND) is None
    assert other.server_failed(SERVER, "no answer", NOON + 100 * SECOND) == 3
    assert store.admit(SERVER, [RATE], PAUSE, NOON + 99 * SECOND) == NOON + 100 * SECOND


def test_empty_budget_is_no_probe(store: Store) -> None:
    """Whoever may not ask yet does not keep the others from finding out how a server is."""
    store.server_failed(SERVER, "no answer", NOON)
    store.spend(PERSONS, 10, NOON)
    assert store.admit(SERVER, [PERSONS], PAUSE, NOON) == NOON + SECOND
    assert store.admit(SERVER, [], PAUSE, NOON) is None


def test_server_that_answers_is_asked_again(store: Store, other: Store) -> None:
    """One good answer, and nothing is held against it."""
    store.server_failed(SERVER, "no answer", NOON + 30 * SECOND)
    assert store.admit(SERVER, [], PAUSE, NOON + 30 * SECOND) is None
    other.server_answered(SERVER)
    assert store.admit(SERVER, [], PAUSE, NOON + 31 * SECOND) is None
    assert store.admit(SERVER, [], PAUSE, NOON + 31 * SECOND) is None
    assert store.servers() == []
    assert store.server_failed(SERVER, "again", None) == 1


def test_failing_servers_are_listed(store: Store) -> None:
    """Worst first, each with its last trouble, at most a hundred."""
    store.server_answered("good.example.net")
    store.server_failed("a.example.net", "once", None)
    for _ in range(3):
        store.server_failed("b.example.net", "x" * 999, NOON)
    assert store.servers() == [
        Server(name="b.example.net", failures=3, open_until=NOON, reason="x" * 200),
        Server(name="a.example.net", failures=1, open_until=None, reason="once"),
    ]
    for number in range(110):
        store.server_failed(f"{number}.example.org", "", None)
    assert len(store.servers()) == 100
