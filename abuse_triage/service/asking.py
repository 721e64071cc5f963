"""Questions on their way: each in a thread of its own, so many at once, and none for longer than its time."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue

import structlog

from abuse_triage.lookups.client import Client
from abuse_triage.model.lookups import Answer, Result
from abuse_triage.store.lookups import Task

log = structlog.get_logger()

MOST_AT_ONCE = 2
"""Questions to one server."""
GRACE_SECONDS = 2.0
"""A client that does not keep to its time is given up so long after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question that was sent, by whom and to which server; `give_up` is on the monotonic clock."""

    task: Task
    client: Client
    server: str
    give_up: float


class Asking:
    """Asks in threads; used by one thread.

    The threads are daemons, so that none of them keeps the process from ending. One that was given up is still counted
    among those of its server: a client that hangs costs two threads, and its server, but never a worker.
    """

    def __init__(self, workers: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Take how many questions there may be at once, the seconds for each, and a monotonic clock."""
        self._workers = workers
        self._seconds = seconds
        self._clock = clock
        self._under_way: dict[str, Asked] = {}
        self._threads: Counter[str] = Counter()
        self._results: SimpleQueue[tuple[Asked, Answer]] = SimpleQueue()

    @property
    def free(self) -> int:
        """How many more questions can be asked now."""
        return self._workers - len(self._under_way)

    @property
    def idle(self) -> bool:
        """Whether no answer is waited for."""
        return not self._under_way

    def busy(self, server: str) -> bool:
        """Tell whether a server has as many questions as it may have at once."""
        return self._threads[server] >= MOST_AT_ONCE

    def start(self, task: Task, client: Client, server: str) -> None:
        """Ask; the answer is one of the next that `finished` returns."""
        asked = Asked(task=task, client=client, server=server, give_up=self._clock() + self._seconds + GRACE_SECONDS)
        self._under_way[_key(task)] = asked
        self._threads[server] += 1
        threading.Thread(target=self._ask, args=(asked,), name=f"look-up at {server}"[:100], daemon=True).start()

    def finished(self, seconds: float) -> list[tuple[Asked, Answer]]:
        """Wait so long for an answer at most, and return all that have come, with those that were given up."""
        answers = []
        try:
            arrived = self._results.get(timeout=seconds) if seconds and self._under_way else self._results.get_nowait()
            while True:
                asked, answer = arrived
                self._threads[asked.server] -= 1
                self._threads += Counter()  # forgets servers without any
                if self._under_way.get(_key(asked.task)) is asked:
                    del self._under_way[_key(asked.task)]
                    answers.append((asked, answer))
                arrived = self._results.get_nowait()
        except Empty:
            pass
        return answers + self._given_up()

    def _given_up(self) -> list[tuple[Asked, Answer]]:
        late = [asked for asked in self._under_way.values() if asked.give_up < self._clock()]
        for asked in late:
            del self._under_way[_key(asked.task)]
            log.error("lookup-overrun", kind=asked.task.kind, server=asked.server)
        return [(asked, failed(asked, f"no answer within {self._seconds:g} s")) for asked in late]

    def _ask(self, asked: Asked) -> None:
        try:
            answer = asked.client.ask(asked.task.subject, self._seconds)
        except Exception as error:  # a fault of ours: the others go on
            log.exception("lookup-crashed", kind=asked.task.kind, server=asked.server, error=type(error).__name__)
            answer = failed(asked, f"a fault of the program: {type(error).__name__}", temporary=False)
        self._results.put((asked, answer))


def failed(asked: Asked, reason: str, *, temporary: bool = True) -> Answer:
    """Return the answer that stands for none."""
    return Answer(
        kind=asked.task.kind,
        subject=asked.task.subject,
        server=asked.server,
        result=Result.FAILED,
        reason=reason,
        temporary=temporary,
    )


def _key(task: Task) -> str:
    return f"{task.kind} {task.subject} {task.lease}"
