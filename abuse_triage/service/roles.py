"""What a process of each role does from its start to its end; the supervisor starts it as `python -m`."""

import argparse
import asyncio
import fcntl
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import structlog

from abuse_triage import config, logs
from abuse_triage.errors import AddressError, TemporaryError, TriageError
from abuse_triage.model.message import Arrival, Authentication
from abuse_triage.model.settings import Settings
from abuse_triage.service import lifeline, wire
from abuse_triage.service.confinement import leave_no_core
from abuse_triage.service.opening import Opener
from abuse_triage.service.supervisor import Role
from abuse_triage.store import open_store
from abuse_triage.store.interface import Store

log = structlog.get_logger()

_LOCK_SECONDS = 60.0
_NICE = 10
"""Whatever waits in the store is safe: it leaves the processor to accepting and triage."""
_LOCK_STEP = 0.1


def main() -> None:
    """Run one role with the settings that come on standard input."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("role", type=Role, choices=list(Role))
    arguments.add_argument("--abandoned", default="")
    arguments.add_argument("--charged", default="")
    options = arguments.parse_args()
    try:
        settings = lifeline.settings_from_supervisor()
    except wire.WireError as error:  # the supervisor was gone at once
        sys.exit(error.exit_code)
    lifeline.redirect_output()
    logs.setup(settings.log)
    structlog.contextvars.bind_contextvars(role=options.role.value)
    leave_no_core()
    try:
        match options.role:
            case Role.INTAKE:
                _intake(settings)
            case Role.TRIAGE:
                _triage(settings, options.abandoned, options.charged)
            case Role.SENDER:
                _sender(settings)
            case Role.LOOKER:
                _looker(settings)
            case Role.SCHEDULER:
                _scheduler(settings)
    except TriageError as error:
        log.critical("role-failed", error=str(error), advice=error.advice)
        if isinstance(error, AddressError):
            lifeline.tell("no-address")
        sys.exit(error.exit_code)
    except Exception as error:  # the log shows where, but no words, which may be a message's
        log.exception("role-crashed", error=type(error).__name__)
        sys.exit(1)


def _intake(settings: Settings) -> None:
    from abuse_triage.service.intake import run_intake  # noqa: PLC0415 -- a role imports only what it runs

    async def serve() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def stop_from_thread() -> None:
            loop.call_soon_threadsafe(stop.set)

        lifeline.on_stop(stop_from_thread)
        await run_intake(
            settings, lambda: open_store(settings.store.path, small_cache=True), stop, lambda: lifeline.tell("ready")
        )

    asyncio.run(serve())


def _triage(settings: Settings, abandoned: str, charged: str) -> None:
    from abuse_triage.service.enriching import Enricher  # noqa: PLC0415 -- a role imports only what it runs
    from abuse_triage.service.knowledge import knowledge_of  # noqa: PLC0415 -- a role imports only what it runs
    from abuse_triage.service.localfiles import LocalFiles  # noqa: PLC0415 -- a role imports only what it runs
    from abuse_triage.service.reading import Reader  # noqa: PLC0415 -- a role imports only what it runs
    from abuse_triage.service.triage import Decider, run_triage  # noqa: PLC0415 -- a role imports only what it runs

    stop = _stop_event()
    store, reader = _open(settings), Reader(settings)
    try:
        if abandoned:
            store.give_back(abandoned, charged)
        with _check(settings) as check, _opener(settings, store) as opener:
            knowledge = knowledge_of(settings)
            enricher = Enricher(knowledge, store, store, LocalFiles(settings.lookups))
            decider = Decider(
                *(knowledge, store, reader),
                announce=lifeline.tell,
                check=check,
                opener=opener,
                enricher=enricher,
            )
            lifeline.tell("ready")
            run_triage(decider, store.wait, stop)
    finally:
        reader.close()
        store.close()


@contextmanager
def _check(settings: Settings) -> Iterator[Callable[[Arrival], Future[Authentication]] | None]:
    """Give what checks senders, None where our own MTA does so or nobody wants it."""
    if not settings.authentication.check or settings.authentication.authserv_id:
        yield None
        return
    from abuse_triage.service.checking import Checker  # noqa: PLC0415 -- a role imports only what it runs

    checker = Checker(settings)
    try:
        yield checker.submit
    finally:
        checker.close()


@contextmanager
def _opener(settings: Settings, store: Store) -> Iterator[Opener | None]:
    """Give what opens and checks OpenPGP; None where no key is configured and GnuPG is not installed."""
    if settings.openpgp.secret_key is None and shutil.which("gpg") is None:
        log.warning("no-gpg", advice="Signatures are not checked: apt-get install gpg gpg-agent")
        yield None
        return
    with Opener(settings, store) as opener:
        yield opener


def _sender(settings: Settings) -> None:
    from abuse_triage.service.sender import run_sender  # noqa: PLC0415 -- a role imports only what it runs

    _run_alone(settings, Role.SENDER, run_sender)


def _looker(settings: Settings) -> None:
    from abuse_triage.service.looker import run_looker  # noqa: PLC0415 -- a role imports only what it runs

    _run_alone(settings, Role.LOOKER, run_looker)


def _scheduler(settings: Settings) -> None:
    from abuse_triage.service.scheduler import run_scheduler  # noqa: PLC0415 -- a role imports only what it runs

    _run_alone(settings, Role.SCHEDULER, run_scheduler)


def _run_alone(settings: Settings, role: Role, run: Callable[[Settings, Store, threading.Event], None]) -> None:
    """Run a role of which a store has only one."""
    os.nice(_NICE)
    stop = _stop_event()
    with _alone(settings, role, stop):
        store = _open(settings)
        lifeline.tell("ready")
        run(settings, store, stop)
        store.close()


def _open(settings: Settings) -> Store:
    return open_store(
        settings.store.path,
        number_format=config.number_format(settings),
        max_offered=settings.openpgp.max_offered,
    )


def _stop_event() -> threading.Event:
    stop = threading.Event()
    lifeline.on_stop(stop.set)
    return stop


@contextmanager
def _alone(settings: Settings, role: Role, stop: threading.Event) -> Iterator[None]:
    """Hold the lock of a role of which there may be only one on a store; wait for a predecessor that is ending.

    Raises `TriageError` where that takes too long, and ends the process where it is asked to stop before.
    """
    path = Path(f"{settings.store.path}.{role}.lock")
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise TemporaryError(f"{path}: {os.strerror(error.errno or 0)}") from error
    give_up = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > give_up:
                raise TriageError(
                    f"another {role} works on {settings.store.path}", advice="Stop the other daemon first."
                ) from None
            if stop.wait(_LOCK_STEP):
                sys.exit()
    try:
        yield
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    main()
