"""Group commit, with stores that wait or fail when told to."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from abuse_triage.errors import TemporaryError
from abuse_triage.model.message import Arrival, Channel, Envelope
from abuse_triage.service.commit import GroupCommit, QueueFullError


class SlowStore:
    """Keeps what it is given; each call waits until the gate is open."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.batches: list[list[str]] = []
        self.closed = False
        self.threads: set[str] = set()

    def accept(self, arrivals: Sequence[Arrival]) -> None:
        """Keep them all, or none."""
        self.gate.wait(10)
        self.threads.add(threading.current_thread().name)
        self.fail([arrival.id for arrival in arrivals])
        self.batches.append([arrival.id for arrival in arrivals])

    @property
    def ids(self) -> list[str]:
        """All that is kept, in order."""
        return [name for batch in self.batches for name in batch]

    def fail(self, ids: list[str]) -> None:
        """Raise where a test wants it."""

    def waiting(self) -> int:
        """Count what is kept."""
        return len(self.ids)

    def close(self) -> None:
        """Remember it."""
        self.closed = True


def arrival(name: str, size: int = 10) -> Arrival:
    """Make a message."""
    envelope = Envelope(sender="a@example.org", recipients=("abuse@example.pt",), channel=Channel.SMTP)
    return Arrival(id=name, received_at=datetime(2026, 11, 21, tzinfo=UTC), envelope=envelope, raw=b"x" * size)


@asynccontextmanager
async def running(store: SlowStore, **limits: int) -> AsyncIterator[GroupCommit]:
    """Run a group commit over a store."""
    commit = GroupCommit(lambda: store, **limits)
    await commit.opened()
    try:
        yield commit
    finally:
        store.gate.set()
        await commit.close()


async def _queued(*waiting: "asyncio.Task[None]") -> None:
    """Let every task go as far as the queue."""
    for _ in range(5):
        await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)


async def test_one_commit_for_those_that_came_together() -> None:
    """While the first commit runs the others gather, and share the next."""
    store = SlowStore()
    async with running(store) as commit:
        tasks = [asyncio.create_task(commit.accept(arrival("first")))]
        await asyncio.sleep(0.05)
        tasks += [asyncio.create_task(commit.accept(arrival(str(number)))) for number in range(5)]
        await _queued(*tasks)
        assert [] == store.batches
        store.gate.set()
        await asyncio.gather(*tasks)
    assert [["first"], ["0", "1", "2", "3", "4"]] == store.batches
    assert {"commit"} == store.threads
    assert store.closed


async def test_one_commit_for_one_turn() -> None:
    """Messages that one turn of the event loop brings share a commit, also where the disk has nothing to do."""
    store = SlowStore()
    store.gate.set()
    async with running(store) as commit:
        await asyncio.gather(*(commit.accept(arrival(str(number))) for number in range(5)))
    assert [["0", "1", "2", "3", "4"]] == store.batches


async def test_large_messages_end_a_batch() -> None:
    """A commit is not filled with more large messages than memory should hold twice."""
    store = SlowStore()
    async with running(store, max_bytes=10**9) as commit:
        tasks = [asyncio.create_task(commit.accept(arrival("first")))]
        await asyncio.sleep(0.05)
        tasks += [asyncio.create_task(commit.accept(arrival(name, 9_000_000))) for name in "abc"]
        await _queued(*tasks)
        store.gate.set()
        await asyncio.gather(*tasks)
    assert [["first"], ["a", "b"], ["c"]] == store.batches


async def test_cancelled_waiter() -> None:
    """Whoever stops waiting stops nothing: the message is stored wholly, and the others hear of theirs."""
    store = SlowStore()
    async with running(store) as commit:
        gone = asyncio.create_task(commit.accept(arrival("gone")))
        stays = asyncio.create_task(commit.accept(arrival("stays")))
        await _queued(gone, stays)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        store.gate.set()
        await stays
    assert ["gone", "stays"] == store.ids


async def test_engine_does_not_answer() -> None:
    """A temporary error of the store reaches everybody in the batch, and the next message is tried afresh."""
    store = SlowStore()

    def fail(_ids: list[str]) -> None:
        raise TemporaryError("database is locked")

    store.fail = fail
    store.gate.set()
    async with running(store) as commit:
        with pytest.raises(TemporaryError, match="locked"):
            await commit.accept(arrival("a"))
        store.fail = lambda _ids: None
        await commit.accept(arrival("b"))
    assert [["b"]] == store.batches


async def test_one_bad_message_spares_its_neighbours() -> None:
    """A message at which the store fails is put off alone; those that came with it are stored."""
    store = SlowStore()

    def fail(ids: list[str]) -> None:
        if "bad" in ids:
            raise ValueError("secret")

    store.fail = fail
    async with running(store) as commit:
        first = asyncio.create_task(commit.accept(arrival("first")))
        await asyncio.sleep(0.05)
        tasks = [asyncio.create_task(commit.accept(arrival(name))) for name in ("a", "bad", "b")]
        await _queued(first, *tasks)
        store.gate.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [["first"], ["a"], ["b"]] == store.batches
    assert [None, None] == [results[0], results[2]]
    assert isinstance(results[1], TemporaryError)
    assert "secret" not in str(results[1])


@pytest.mark.parametrize(
    ("limits", "sizes", "taken"),
    [
        ({"max_count": 2}, [1, 1, 1], 2),
        ({"max_bytes": 100}, [60, 40, 1], 2),
        ({"max_bytes": 100}, [1000, 1], 1),
    ],
    ids=["count", "bytes", "one message larger than all"],
)
async def test_full(limits: dict[str, int], sizes: list[int], taken: int) -> None:
    """More than the limits allow is put off at once; when the disk has answered, there is room again."""
    store = SlowStore()
    async with running(store, **limits) as commit:
        tasks = [asyncio.create_task(commit.accept(arrival(str(i), size))) for i, size in enumerate(sizes)]
        await asyncio.sleep(0.05)
        assert [False] * taken == [task.done() for task in tasks[:taken]]
        with pytest.raises(QueueFullError):
            await tasks[taken]
        store.gate.set()
        await asyncio.gather(*tasks[:taken])
        await commit.accept(arrival("later"))
    assert taken + 1 == store.waiting()


async def test_waiting() -> None:
    """The number of waiting messages is asked of the store in its own thread."""
    store = SlowStore()
    store.gate.set()
    async with running(store) as commit:
        await commit.accept(arrival("a"))
        assert 1 == await commit.waiting()


async def test_close_drains() -> None:
    """Closing stores what is queued first; afterwards nothing is taken."""
    store = SlowStore()
    commit = GroupCommit(lambda: store)
    await commit.opened()
    tasks = [asyncio.create_task(commit.accept(arrival(name))) for name in "ab"]
    await _queued(*tasks)
    closing = asyncio.create_task(commit.close())
    await asyncio.sleep(0.05)
    assert not closing.done()
    with pytest.raises(TemporaryError):
        await commit.accept(arrival("late"))
    store.gate.set()
    await closing
    await asyncio.gather(*tasks)
    assert ["a", "b"] == store.ids
    assert store.closed
    await commit.close()


async def test_store_does_not_open() -> None:
    """What opening the store raises reaches whoever waits for it."""

    def fail() -> SlowStore:
        raise TemporaryError("no such disk")

    commit = GroupCommit(fail)
    with pytest.raises(TemporaryError, match="no such disk"):
        await commit.opened()
    await commit.close()
