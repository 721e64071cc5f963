"""Group commit: messages that arrive together share one transaction, and each waits for its own.

One thread owns one connection to the store. While it waits for the disk, the messages that come in queue up, and the
next transaction takes them all: no delay is added, and a flush costs the same whatever it holds. What one turn of the
event loop brings is handed over together.
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import structlog

from abuse_triage.errors import TemporaryError
from abuse_triage.model.message import Arrival
from abuse_triage.service.failpoints import failpoint

log = structlog.get_logger()

_BATCH_COUNT = 200
_BATCH_BYTES = 16_000_000


class ArrivalStore(Protocol):
    """The part of a store that the intake needs."""

    def accept(self, arrivals: Sequence[Arrival]) -> None:
        """Make all of them durable together; raises `TemporaryError` where the engine does not answer."""

    def waiting(self) -> int:
        """Count the messages that wait for triage."""

    def close(self) -> None:
        """Let go of the engine."""


class QueueFullError(TemporaryError):
    """More messages wait for the disk than memory should hold."""


class StoreFailedError(TemporaryError):
    """The store raised what it should not; the log has the event "store-failed"."""


@dataclass(slots=True, eq=False)
class _Job:
    """A message or, where `arrival` is None, the question how many messages wait for triage."""

    arrival: Arrival | None
    done: "asyncio.Future[int]"
    result: int | TemporaryError = 0


class GroupCommit:
    """The way into the store for everything that runs in one event loop.

    At most `max_count` messages and `max_bytes` bytes wait for the disk; a message that is larger than `max_bytes` is
    taken when nothing else waits.
    """

    def __init__(
        self, open_store: Callable[[], ArrivalStore], *, max_count: int = 1000, max_bytes: int = 64_000_000
    ) -> None:
        """Start the thread in the running event loop; it opens the store itself, see `opened`."""
        self._loop = asyncio.get_running_loop()
        self._open_store = open_store
        self._max_count, self._max_bytes = max_count, max_bytes
        self._count = self._bytes = 0
        self._gathered: list[_Job] = []
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._closed = False
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="commit")
        self._thread.start()

    async def opened(self) -> None:
        """Wait until the store is open; raises what opening it raised."""
        await asyncio.shield(self._opened)

    async def accept(self, arrival: Arrival) -> None:
        """Return when the message is on the disk.

        Whoever stops waiting (a cancelled task) does not stop the message: it is stored wholly all the same. Raises
        `QueueFullError` or another `TemporaryError`, and nothing else, where it was not stored.
        """
        size = len(arrival.raw)
        if self._count >= self._max_count or (self._count and self._bytes + size > self._max_bytes):
            raise QueueFullError("too many messages wait for the disk")
        self._count += 1
        self._bytes += size
        await self._ask(arrival)

    async def waiting(self) -> int:
        """Count the messages that wait for triage; raises `TemporaryError`."""
        return await self._ask(None)

    async def close(self) -> None:
        """Store what is queued, then close the store and end the thread."""
        if not self._closed:
            self._closed = True
            self._hand_over()
            self._jobs.put(None)
        await self._ended.wait()
        self._thread.join()

    async def _ask(self, arrival: Arrival | None) -> int:
        if self._closed:
            raise TemporaryError("the intake is stopping")
        job = _Job(arrival, self._loop.create_future())
        if not self._gathered:
            self._loop.call_soon(self._hand_over)
        self._gathered.append(job)
        return await job.done

    def _hand_over(self) -> None:
        """Wake the thread once for all that one turn of the event loop brought."""
        jobs, self._gathered = self._gathered, []
        for job in jobs:
            self._jobs.put(job)

    def _run(self) -> None:
        try:
            store = self._open_store()
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to whoever waits in `opened`
            self._loop.call_soon_threadsafe(self._opened.set_exception, error)
        else:
            self._loop.call_soon_threadsafe(self._opened.set_result, None)
            try:
                while jobs := self._next_batch():
                    self._work(store, jobs)
                    self._loop.call_soon_threadsafe(self._settle, jobs)
                    del jobs  # while this thread waits for more, it must not hold on to 25 MB
            finally:
                store.close()
        finally:
            self._loop.call_soon_threadsafe(self._ended.set)

    def _next_batch(self) -> list[_Job]:
        """Take what is queued, at most one batch; [] means the end."""
        jobs: list[_Job] = []
        size = 0
        job = self._jobs.get()
        try:
            while job is not None:
                jobs.append(job)
                size += len(job.arrival.raw) if job.arrival else 0
                if len(jobs) >= _BATCH_COUNT or size >= _BATCH_BYTES:
                    return jobs
                job = self._jobs.get_nowait()
        except queue.Empty:
            return jobs
        self._jobs.put(None)  # nothing comes behind the end: the next call finds it again
        return jobs

    def _work(self, store: ArrivalStore, jobs: list[_Job]) -> None:
        if questions := [job for job in jobs if job.arrival is None]:
            answer = _attempt(store.waiting)
            for job in questions:
                job.result = answer
        mails = [(job, job.arrival) for job in jobs if job.arrival is not None]
        if not mails:
            return
        failpoint("intake.before-commit")
        result = _attempt(partial(store.accept, [arrival for _, arrival in mails]))
        failpoint("intake.after-commit")
        for job, arrival in mails:
            if isinstance(result, StoreFailedError) and len(mails) > 1:  # spare the neighbours of the one that did it
                job.result = _attempt(partial(store.accept, [arrival]))
            else:
                job.result = result

    def _settle(self, jobs: list[_Job]) -> None:
        for job in jobs:
            if job.arrival is not None:
                self._count -= 1
                self._bytes -= len(job.arrival.raw)
            if job.done.done():  # nobody waits any more
                continue
            if isinstance(job.result, TemporaryError):
                job.done.set_exception(job.result)
            else:
                job.done.set_result(job.result)


def _attempt(work: Callable[[], int | None]) -> int | TemporaryError:
    try:
        return work() or 0
    except TemporaryError as error:
        return error
    except Exception:  # a fault of ours in the store must not end the thread
        log.exception("store-failed")
        return StoreFailedError("the store failed")
