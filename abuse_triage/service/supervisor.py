"""The supervisor: starts every role as a process of its own, starts it again when it dies, and stops all in order."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import structlog

from abuse_triage.errors import ConfigError, TemporaryError
from abuse_triage.model.settings import Settings
from abuse_triage.service import wire

log = structlog.get_logger()

_PROGRAM = ("-m", "abuse_triage.service.roles")
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0
_HEALTHY_SECONDS = 20.0
"""A process that lived so long starts with the first pause again."""
_STOP_SECONDS = 20.0
"""A process that has not stopped so long after it was asked is killed; what it held is claimed again."""
_LINE_LIMIT = 1000
_ALLOCATION = {"MALLOC_MMAP_THRESHOLD_": "1000000", "MALLOC_TRIM_THRESHOLD_": "2000000"}
"""Memory of a large message goes back to the system at once: by itself, glibc keeps it after the first (mallopt(3)).

Less than 2 MB are kept: giving back and asking again for each reading of a socket takes a third of the processor time.
"""


class Role(StrEnum):
    """What a process does; the order is the order of stopping."""

    INTAKE = "intake"
    TRIAGE = "triage"
    SENDER = "sender"
    LOOKER = "looker"
    SCHEDULER = "scheduler"


@dataclass
class _Child:
    """One process and what it last said of itself."""

    role: Role
    index: int
    process: asyncio.subprocess.Process | None = None
    claim: str = ""
    message: str = ""
    no_address: bool = False
    pause: float = _FIRST_PAUSE

    @property
    def name(self) -> str:
        return f"{self.role}-{self.index}" if self.role is Role.TRIAGE else str(self.role)

    def hear(self, line: str) -> None:
        """Take one status line: "ready", "claim LEASE", "on MESSAGE", "idle" or "no-address"."""
        word, _, rest = line.partition(" ")
        if word == "claim":
            self.claim, self.message = rest, ""
        elif word == "on":
            self.message = rest
        elif word == "idle":
            self.claim = self.message = ""
        elif word == "no-address":
            self.no_address = True


class Supervisor:
    """All processes of one `serve`."""

    def __init__(
        self, settings: Settings, roles: Sequence[Role], *, on_ready: Callable[[], None] | None = None
    ) -> None:
        """Plan the processes; nothing starts yet. `on_ready` is called once, when every one of them said so.

        There is a looker only where look-ups are enabled; raises `ConfigError` where it is all that was asked for.
        """
        if not settings.lookups.enabled and list(roles) == [Role.LOOKER]:
            raise ConfigError(("lookups.enabled: the looker has nothing to do while this is false",))
        self._settings = settings.model_dump_json().encode()
        self._children = [
            _Child(role, index)
            for role in Role
            if role in roles and (role is not Role.LOOKER or settings.lookups.enabled)
            for index in range(settings.triage.workers if role is Role.TRIAGE else 1)
        ]
        self._stop = asyncio.Event()
        self._unready = {child.name for child in self._children}
        self._on_ready = on_ready
        self._misconfigured: list[str] = []
        self._without_address = ""

    async def run(self) -> None:
        """Keep everything running until SIGTERM or SIGINT, then stop in order: intake first, so that queues drain.

        Raises `ConfigError`, after the same stop, where a process finds its configuration wrong before all are ready.
        Once they were, wrong rules or files let no more than the process wait that needs them. Raises `TemporaryError`
        where the intake cannot have an address and never had it; an intake that had it once tries again and again.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        log.info("starting", processes=[child.name for child in self._children])
        tasks = {child.name: asyncio.create_task(self._keep(child)) for child in self._children}
        await self._stop.wait()
        log.info("stopping")
        for role in Role:
            children = [child for child in self._children if child.role is role]
            await asyncio.gather(*(self._end(child, tasks[child.name]) for child in children))
        log.info("stopped")
        if self._misconfigured:
            raise ConfigError(
                tuple(f"{name}: the configuration is wrong" for name in self._misconfigured),
                advice='The line "role-failed" in the log says what.',
            )
        if self._without_address:
            raise TemporaryError(
                f"{self._without_address}: cannot listen",
                advice='The line "role-failed" in the log says on which address, and how to see who listens there.',
            )

    async def _keep(self, child: _Child) -> None:
        """Run one process again and again; the pause grows while it keeps dying young."""
        while not self._stop.is_set():
            started = time.monotonic()
            try:
                code = await self._once(child, (child.claim, child.message))
            except OSError as error:  # no process, memory or descriptor is free at the moment
                code = -(error.errno or 0)
            if code == ConfigError.exit_code and self._unready:
                self._misconfigured.append(child.name)
                self._stop.set()
            if child.no_address and child.name in self._unready:
                self._without_address = child.name
                self._stop.set()
            if self._stop.is_set():
                return
            if time.monotonic() - started > _HEALTHY_SECONDS:
                child.pause = _FIRST_PAUSE
            log.error("process-died", process=child.name, code=code, message=child.message, pause=child.pause)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), child.pause)
            child.pause = min(child.pause * 2, _LONGEST_PAUSE)

    async def _once(self, child: _Child, abandoned: tuple[str, str]) -> int:
        arguments = [sys.executable, *_PROGRAM, child.role.value]
        if abandoned[0]:
            arguments += ["--abandoned", abandoned[0], "--charged", abandoned[1]]
        process = await asyncio.create_subprocess_exec(
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=_ALLOCATION | os.environ,
            limit=_LINE_LIMIT,
            start_new_session=True,  # Ctrl-C in a terminal reaches only the supervisor
        )
        child.process = process
        assert process.stdin is not None  # noqa: S101 -- opened as a pipe
        assert process.stdout is not None  # noqa: S101 -- opened as a pipe
        process.stdin.write(wire.frame(self._settings))
        with contextlib.suppress(ConnectionError):
            await process.stdin.drain()
        if self._stop.is_set():  # it came while the process started, and nobody else closes this one's lifeline
            process.stdin.close()
        while line := await _line(process.stdout):
            text = line.decode("ascii", "replace").rstrip("\n")
            if text == "ready":
                self._ready(child)
            child.hear(text)
        return await process.wait()

    def _ready(self, child: _Child) -> None:
        log.info("process-ready", process=child.name, pid=child.process.pid if child.process else 0)
        self._unready.discard(child.name)
        if not self._unready and self._on_ready is not None:
            self._on_ready()
            self._on_ready = None

    async def _end(self, child: _Child, task: asyncio.Task[None]) -> None:
        """Close the lifeline, wait, and kill what does not stop."""
        if child.process is not None and child.process.stdin is not None:
            child.process.stdin.close()
        done, _ = await asyncio.wait({task}, timeout=_STOP_SECONDS)
        process = child.process
        if not done and process is not None and process.returncode is None:
            log.error("killing", process=child.name)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await asyncio.wait({task}, timeout=_STOP_SECONDS)


async def _line(stream: asyncio.StreamReader) -> bytes:
    """Read one status line, b"" at the end; what is over the limit is none of ours and is dropped."""
    while True:
        with contextlib.suppress(ValueError):
            return await stream.readline()


def serve(
    settings: Settings, roles: Sequence[Role] = tuple(Role), *, on_ready: Callable[[], None] | None = None
) -> None:
    """Run the daemon in the foreground until it is told to stop; raises what `Supervisor.run` does."""

    async def main() -> None:
        await Supervisor(settings, roles, on_ready=on_ready).run()

    asyncio.run(main())
