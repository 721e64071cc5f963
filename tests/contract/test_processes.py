"""The contract under contention and sudden death, with real processes."""

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from contract.engines import Engine
from contract.values import NOON, arrival, arrivals, keys, opens

from abuse_triage.model.ticket import OutcomeKind
from abuse_triage.store.interface import Finished, MessageFilter, Store, TicketFilter

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "3"))


def start(engine: Engine, *command: str) -> "subprocess.Popen[str]":
    """Start another process on the same store."""
    search = os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]))
    return subprocess.Popen(
        [sys.executable, "-m", "contract.actor", engine.spec, *command],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": search},
    )


@contextmanager
def killed_after_lines(engine: Engine, count: int, *command: str) -> Iterator[list[str]]:
    """Let a process tell so many lines, kill it at some moment after them, and give all whole lines that it told."""
    process = start(engine, *command)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(count)]
    time.sleep(random.uniform(0, 0.02))
    process.kill()
    lines += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    yield [line.rstrip("\n") for line in lines if line.endswith("\n")]


def assert_consistent(store: Store, count: int) -> None:
    """Check that so many messages became so many tickets, one each, with numbers without gaps and one mail each."""
    messages = store.messages(MessageFilter(limit=10_000))
    assert [OutcomeKind.OPENED] * count == [message.outcome for message in messages]
    numbers = [f"TEST#2026-{n:06}" for n in range(1, count + 1)]
    assert numbers == sorted(message.ticket for message in messages)
    assert numbers == sorted(ticket.number for ticket in store.tickets(TicketFilter(limit=10_000)))
    assert numbers == sorted(mail.ticket for mail in store.mails((), 10_000))
    for number in numbers[:: max(1, count // 10)]:
        file = store.ticket(number)
        assert (1, 2, 1) == (len(file.reports), len(file.indicators), len(file.journal))


def test_numbers_have_no_gaps_under_contention(engine: Engine, store: Store) -> None:
    """Three processes that finish at once give every message one ticket, and numbers from 1 on, each once."""
    store.accept(arrivals(150))
    workers = [start(engine, "finish") for _ in range(3)]
    told = [line.split() for worker in workers for line in worker.communicate(timeout=120)[0].splitlines()]
    assert [0, 0, 0] == [worker.returncode for worker in workers]
    assert sorted(f"m{n:03}" for n in range(150)) == sorted(message for message, _ in told)
    assert_consistent(store, 150)


def test_threads_with_a_store_each_do_not_disturb_each_other(engine: Engine, store: Store) -> None:
    """Accepting in one thread while two others finish loses and doubles nothing."""
    from contract.actor import LEASE

    done = threading.Event()

    def work() -> None:
        with closing(engine.open()) as mine:
            while not done.is_set() or mine.waiting():
                mine.finish([opens(claimed) for claimed in mine.claim(7, LEASE)])

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for n in range(100):
        store.accept([arrival(f"m{n:03}", minutes=n)])
    done.set()
    for thread in threads:
        thread.join()
    assert_consistent(store, 100)


def test_what_was_accepted_survives_a_kill(engine: Engine, store: Store) -> None:
    """Every message that a killed process had told of is there, byte for byte, and no batch is there in part."""
    told: set[str] = set()
    for attempt in range(ROUNDS):
        with killed_after_lines(engine, 20, "accept", f"a{attempt}") as lines:
            told.update(name for line in lines for name in line.split())
    messages = store.messages(MessageFilter(limit=100_000))
    there = {message.id for message in messages}
    assert told <= there
    assert len(there - told) <= 3 * ROUNDS
    for batch in {name.rpartition("-")[0] for name in there}:
        assert {f"{batch}-{place}" for place in "abc"} <= there
    for name in sorted(there):
        assert name.encode() * 1000 == store.message(name)[1]
    assert len(there) == store.waiting()


def test_kill_while_finishing_leaves_one_outcome_each(engine: Engine, store: Store) -> None:
    """However often a worker is killed, in the end every message has one ticket, and what it told of still holds."""
    store.accept(arrivals(40 * ROUNDS))
    told: dict[str, str] = {}
    for _ in range(ROUNDS):
        with killed_after_lines(engine, 5, "finish") as lines:
            told.update(line.split() for line in lines)
    rest, _ = start(engine, "finish").communicate(timeout=120)
    told.update(line.split() for line in rest.splitlines())
    assert_consistent(store, 40 * ROUNDS)
    tickets = {message.id: message.ticket for message in store.messages(MessageFilter(limit=10_000))}
    assert told == {name: tickets[name] for name in told}


def test_kill_inside_the_transaction_stores_nothing(engine: Engine, store: Store) -> None:
    """A process that dies between the first and the last row of a batch leaves none of them, and no gap."""
    store.accept(arrivals(5))
    died = start(engine, "die", "3")
    assert died.communicate(timeout=60)[0] == ""
    assert died.returncode == -9
    assert store.tickets(TicketFilter()) == []
    assert store.mails((), 10) == []
    assert {1} == {message.attempts for message in store.messages(MessageFilter())}
    finisher = start(engine, "finish")
    finisher.communicate(timeout=60)
    assert_consistent(store, 5)


def test_same_content_in_many_processes_opens_one_ticket(engine: Engine, store: Store) -> None:
    """Workers that all decide about the same content at once end up with one ticket and one acknowledgement."""
    from contract.actor import LEASE
    from contract.values import joins

    store.accept([arrival(f"m{n}", minutes=n) for n in range(8)])
    content = keys("the same", days=1)
    barrier = threading.Barrier(4)

    def work() -> None:
        with closing(engine.open()) as mine:
            barrier.wait()
            while mine.waiting():
                for claimed in mine.claim(1, LEASE * 20):
                    result = None
                    while not isinstance(result, Finished):
                        known = mine.relations(content)
                        outcome = (
                            joins(claimed, known.same_sender.id, keys=content, assumed=known)
                            if known.same_sender
                            else opens(claimed, keys=content, assumed=known)
                        )
                        (result,) = mine.finish([outcome])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (ticket,) = store.tickets(TicketFilter())
    assert ticket.messages == 8
    assert len(store.mails((), 10)) == 1
    assert store.relations(content).same_sender is not None
    assert ticket.created_at > NOON
