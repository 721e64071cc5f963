"""The decider's end of its checker: hands over messages as they are claimed, and gives up what takes too long."""

import contextlib
import ipaddress
import os
import select
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass

import structlog
from pydantic import ValidationError

from abuse_triage.model.message import Arrival, Authentication, Channel
from abuse_triage.model.settings import Settings
from abuse_triage.service import wire
from abuse_triage.service.checker import ANSWER, LARGEST, READY, REQUEST, START, TEMPORARY, Answer, Request, Start

log = structlog.get_logger()

_COMMAND = (sys.executable, "-m", "abuse_triage.service.checker")
_MEMORY = 1_000_000_000
_MOST_WAITING = 100_000_000
"""Octets of messages that the checker holds at once; with more, the next ones get no result."""
_START_SECONDS = 60.0
_PAUSE_SECONDS = 30.0
"""How long no checker is started after one that could not be."""
_GRACE_SECONDS = 1.0
"""The checker ends at its deadline by itself; so much later it is killed."""
_TICK_SECONDS = 0.25
_MAX_ANSWER = 100_000


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A message that the checker has."""

    id: str
    size: int
    deadline: float
    future: Future[Authentication]


class Checker:
    """A checker process, started when it is first needed and again after each death; results never fail.

    Whatever goes wrong is "temperror", for each message that the process had.
    """

    def __init__(self, settings: Settings) -> None:
        """Take the settings; nothing is started yet."""
        self._start = Start(
            servers=settings.authentication.resolver,
            timeout=settings.authentication.timeout.total_seconds(),
            limits=settings.limits,
            memory=_MEMORY,
        )
        self._relays = settings.smtp.relays
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._listener: threading.Thread | None = None
        self._waiting: dict[int, _Waiting] = {}
        self._number = 0
        self._not_before = 0.0
        self._unreachable = False

    def submit(self, arrival: Arrival) -> Future[Authentication]:
        """Have a message checked; the result is there within `authentication.timeout` and a second."""
        future: Future[Authentication] = Future()
        whole = len(arrival.raw) <= LARGEST and not arrival.truncated
        raw = arrival.raw if whole else arrival.raw[: self._start.limits.header_bytes + self._start.limits.header_line]
        with self._lock:
            if not self._ready() or sum(one.size for one in self._waiting.values()) + len(raw) > _MOST_WAITING:
                future.set_result(TEMPORARY)
                return future
            deadline = time.monotonic() + self._start.timeout
            self._number += 1
            self._waiting[self._number] = _Waiting(arrival.id, len(raw), deadline, future)
            request = Request(
                number=self._number,
                sender=arrival.envelope.sender,
                helo=arrival.envelope.helo,
                peer=self._client(arrival),
                whole=whole,
                deadline=deadline,
            )
            try:
                stdin = self._ends()[0]
                for frame in (REQUEST.dump_json(request), raw):
                    wire.send(stdin, frame, deadline=deadline + _GRACE_SECONDS)
            except wire.WireError as error:
                self._give_up(str(error))
        return future

    def close(self) -> None:
        """End the process, if there is one; what it had gets no result."""
        with self._lock:
            self._end()
            listener, self._listener = self._listener, None
        if listener is not None:
            listener.join()

    def _client(self, arrival: Arrival) -> str:
        """Return the address for SPF: that of a client that is no relay of ours; "" where there is none."""
        if arrival.envelope.channel is not Channel.SMTP:
            return ""
        with contextlib.suppress(ValueError):
            address = ipaddress.ip_address(arrival.envelope.peer)
            address = getattr(address, "ipv4_mapped", None) or address
            if not any(address in network for network in self._relays):
                return str(address)
        return ""

    def _ready(self) -> bool:
        """Tell whether there is a process; start one if not, unless that has just failed."""
        if self._process is not None:
            return True
        if time.monotonic() < self._not_before:
            return False
        try:
            answer = self._started()
        except (OSError, wire.WireError) as error:
            answer = str(error).encode()
        if answer == READY:
            self._listener = threading.Thread(
                target=self._listen, args=(self._process, self._ends()[1]), name="checker", daemon=True
            )
            self._listener.start()
            return True
        self._not_before = time.monotonic() + _PAUSE_SECONDS
        self._give_up(answer.decode("utf-8", "replace"))
        return False

    def _started(self) -> bytes:
        """Start a process and return its first answer."""
        self._process = subprocess.Popen(  # noqa: S603 -- this program itself
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, "MALLOC_ARENA_MAX": "2"},  # each of glibc's heaps takes from the limit of memory
        )
        stdin, stdout = self._ends()
        for end in (stdin, stdout):
            os.set_blocking(end, False)  # or a write could outlast its deadline
        deadline = time.monotonic() + _START_SECONDS
        wire.send(stdin, START.dump_json(self._start), deadline=deadline)
        return wire.receive(stdout, _MAX_ANSWER, deadline=deadline)

    def _ends(self) -> tuple[int, int]:
        process = self._process
        assert process is not None  # noqa: S101 -- only called where there is one
        assert process.stdin is not None  # noqa: S101 -- opened as a pipe
        assert process.stdout is not None  # noqa: S101 -- opened as a pipe
        return process.stdin.fileno(), process.stdout.fileno()

    def _listen(self, process: subprocess.Popen[bytes], stdout: int) -> None:
        """Take answers until the process is gone, or one comes too late."""
        poll = select.poll()
        poll.register(stdout, select.POLLIN)
        while True:
            heard = poll.poll(_TICK_SECONDS * 1000)
            with self._lock:
                if self._process is not process:
                    return
                try:
                    if heard:
                        answer = wire.receive(stdout, _MAX_ANSWER, deadline=time.monotonic() + _GRACE_SECONDS)
                        self._take(ANSWER.validate_json(answer))
                    self._look_at_the_clock()
                except wire.WireError as error:
                    self._give_up(str(error))
                    return
                except ValidationError:
                    self._give_up("the answer made no sense")
                    return

    def _take(self, answer: Answer) -> None:
        waiting = self._waiting.pop(answer.number, None)
        if waiting is None:
            raise wire.WireError("the answer is to no question")
        proven = answer.proven
        log.debug(
            "sender-checked", id=waiting.id, spf=proven.spf, dkim=proven.dkim, dmarc=proven.dmarc, notes=answer.notes
        )
        waiting.future.set_result(proven)
        if answer.unreachable and not self._unreachable:
            log.error("resolver-unreachable", resolvers=self._start.servers)
        elif self._unreachable and not answer.unreachable:
            log.info("resolver-back", resolvers=self._start.servers)
        self._unreachable = answer.unreachable

    def _look_at_the_clock(self) -> None:
        """Give up where the first that waits, whose deadline is the earliest, waits too long."""
        first = next(iter(self._waiting.values()), None)
        if first is not None and time.monotonic() > first.deadline + _GRACE_SECONDS:
            raise wire.WireError("the deadline passed")

    def _give_up(self, reason: str) -> None:
        """Log why, and end the process with everything that it had."""
        status = None
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):  # it closes its pipes a moment before it is gone
                status = self._process.wait(_TICK_SECONDS)
        log.warning("checker-failed", error=reason, code=status, messages=len(self._waiting))
        self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
            process.wait()
        for waiting in self._waiting.values():
            waiting.future.set_result(TEMPORARY)
        self._waiting.clear()
