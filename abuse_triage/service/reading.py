"""The decider's end of its reader: asks for one message at a time, kills at the deadline, starts afresh."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Sequence

from pydantic import ValidationError

from abuse_triage.errors import TemporaryError
from abuse_triage.model.report import Reading
from abuse_triage.model.settings import Settings
from abuse_triage.service import wire
from abuse_triage.service.reader import FAILED, MAX_REPLY, READING, READY, REQUEST, START, Request, Start

_COMMAND = (sys.executable, "-m", "abuse_triage.service.reader")
_START_SECONDS = 60.0
_HEADROOM = 1_000_000
"""Bytes that a stored message may be over `smtp.max_message`: `ingest` cuts at the same limit, lines may be added."""
_SHOWN = 200
_FIRST = Request()


class ReadingError(TemporaryError):
    """Ours: the reader failed or died over a message, or was killed at its deadline or limit."""


class ReaderStartError(TemporaryError):
    """Ours: no reader can be started; no message is to blame for it."""


class Reader:
    """A reader process, started when it is first needed and again after each death."""

    def __init__(self, settings: Settings) -> None:
        """Take the limits; nothing is started yet."""
        self._deadline = settings.triage.deadline.total_seconds()
        self._start = Start(
            limits=settings.limits,
            max_message=settings.smtp.max_message + _HEADROOM,
            max_plaintext=settings.openpgp.max_output,
            memory=settings.triage.memory,
            cpu_seconds=max(1, round(self._deadline)),
        )
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, raw: bytes) -> Reading:
        """Return what the reader found.

        Raises `ReadingError`, after which the next call starts a new process, or `ReaderStartError`.
        """
        return self._asked(_FIRST, (raw,))

    def read_opened(self, raw: bytes, plaintexts: Sequence[bytes | None]) -> Reading:
        """Return what the reader finds in a message that OpenPGP has opened (`pipeline.read_opened`).

        Args:
            raw: the message, as it was read before.
            plaintexts: for each of `Reading.layers` in order what it holds, None for one that was not opened; together
                at most `openpgp.max_output` bytes.

        Raises what `read` raises.
        """
        if sum(len(one) for one in plaintexts if one is not None) > self._start.max_plaintext:
            raise ReadingError(f"the plaintexts are larger than {self._start.max_plaintext} bytes together")
        request = Request(plaintexts=tuple(one is not None for one in plaintexts))
        return self._asked(request, (raw, *(one for one in plaintexts if one is not None)))

    def _asked(self, request: Request, frames: Sequence[bytes]) -> Reading:
        stdin, stdout = self._ready()
        deadline = time.monotonic() + self._deadline
        try:
            wire.send(stdin, REQUEST.dump_json(request), deadline=deadline)
            for frame in frames:
                wire.send(stdin, frame, deadline=deadline)
            answer = wire.receive(stdout, MAX_REPLY, deadline=deadline)
        except wire.WireError as error:
            raise ReadingError(self._post_mortem(error)) from error
        if answer.startswith(FAILED):
            self.close()
            raise ReadingError(f"the reader failed: {answer.removeprefix(FAILED)[:_SHOWN].decode('ascii', 'replace')}")
        try:
            return READING.validate_json(answer)
        except ValidationError as error:
            self.close()
            raise ReadingError("the answer made no sense") from error

    def interrupt(self) -> None:
        """End the process from another thread; a `read` that is going on raises `ReadingError`."""
        process = self._process
        if process is not None:
            process.kill()

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
            try:
                answer = self._started()
            except (OSError, wire.WireError) as error:
                answer = self._post_mortem(error).encode()
            if answer != READY:
                self.close()
                reason = answer.removeprefix(FAILED).decode("utf-8", "replace")
                raise ReaderStartError(f"no reader can be started: {reason}", advice="Look at triage.memory first.")
        return self._ends()

    def _started(self) -> bytes:
        """Start a process and return its first answer."""
        self._process = subprocess.Popen(_COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)  # noqa: S603 -- this program itself
        stdin, stdout = self._ends()
        for end in (stdin, stdout):
            os.set_blocking(end, False)  # or a write could outlast its deadline
        deadline = time.monotonic() + _START_SECONDS
        wire.send(stdin, START.dump_json(self._start), deadline=deadline)
        return wire.receive(stdout, _SHOWN, deadline=deadline)

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
        if not status:
            return str(error)
        return f"the reader ended with signal {-status}" if status < 0 else f"the reader ended with code {status}"
