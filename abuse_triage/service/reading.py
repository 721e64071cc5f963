"""The decider's end of its reader: asks for one message at a time, kills at the deadline, starts afresh."""

import contextlib
import subprocess
import sys
import time

from pydantic import ValidationError

from abuse_triage.errors import TemporaryError
from abuse_triage.model.report import Reading
from abuse_triage.model.settings import Settings
from abuse_triage.service import wire
from abuse_triage.service.reader import MAX_REPLY, READING, START, Start

_START_SECONDS = 60.0
_HEADROOM = 1_000_000
"""Bytes that a stored message may be over `smtp.max_message`: `ingest` cuts at the same limit, lines may be added."""


class ReadingError(TemporaryError):
    """Ours: the reader died over a message, or was killed at its deadline or limit."""


class Reader:
    """A reader process, started when it is first needed and again after each death."""

    def __init__(self, settings: Settings) -> None:
        """Take the limits; nothing is started yet."""
        self._deadline = settings.triage.deadline.total_seconds()
        self._start = Start(
            limits=settings.limits,
            max_message=settings.smtp.max_message + _HEADROOM,
            memory=settings.triage.memory,
            cpu_seconds=max(1, round(self._deadline)),
        )
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, raw: bytes) -> Reading:
        """Return what the reader found; raises `ReadingError`, after which the next call starts a new process."""
        stdin, stdout = self._ready()
        deadline = time.monotonic() + self._deadline
        try:
            wire.send(stdin, raw, deadline=deadline)
            return READING.validate_json(wire.receive(stdout, MAX_REPLY, deadline=deadline))
        except (wire.WireError, ValidationError) as error:
            raise ReadingError(self._post_mortem(error)) from error

    def close(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.wait()

    def _ready(self) -> tuple[int, int]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(
                (sys.executable, "-m", "abuse_triage.service.reader"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
            )
            stdin, stdout = self._ends()
            deadline = time.monotonic() + _START_SECONDS
            wire.send(stdin, START.dump_json(self._start), deadline=deadline)
            wire.receive(stdout, 100, deadline=deadline)
        return self._ends()

    def _ends(self) -> tuple[int, int]:
        process = self._process
        assert process is not None  # noqa: S101 -- `_ready` has just made it
        assert process.stdin is not None  # noqa: S101 -- opened as a pipe
        assert process.stdout is not None  # noqa: S101 -- opened as a pipe
        return process.stdin.fileno(), process.stdout.fileno()

    def _post_mortem(self, error: Exception) -> str:
        process = self._process
        status = None
        if process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):  # it closes its pipes a moment before it is gone
                status = process.wait(0.5)
        self.close()
        if status is None:
            return f"reading was stopped: {error}" if isinstance(error, wire.WireError) else "the answer made no sense"
        return f"the reader ended with signal {-status}" if status < 0 else f"the reader ended with code {status}"
