"""The intake role: listens for mail and makes it durable, without reading it.

Log events: `listening` (address), `message-accepted` (id, size, peer, recipients as a number), `message-unanswered`
(stored, but the client was gone before it had its reply: it will come again), `intake-full` (reason; mail is put off)
and `intake-open` when that is over, `intake-stopping`, `intake-stopped`; those of sessions stand in `smtp`.
"""

import asyncio
import contextlib
import errno
import os
import random
import resource
import time
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from abuse_triage.errors import TemporaryError
from abuse_triage.model.fields import host_port
from abuse_triage.model.message import Arrival, Envelope
from abuse_triage.model.settings import Settings
from abuse_triage.service.commit import ArrivalStore, GroupCommit
from abuse_triage.service.door import Door
from abuse_triage.service.ids import new_id
from abuse_triage.service.room import shortage
from abuse_triage.service.smtp import SmtpSession, smtp_sessions

log = structlog.get_logger()

_BACKLOG = 512
_BIND_SECONDS = 5.0
"""A predecessor that is still ending may hold the address so long."""
_DRAIN_SECONDS = 10.0
"""Messages on their way have so long to arrive when the intake stops."""
_ROOM_SECONDS = 1.0
"""How old the knowledge of free disk and queue length may be."""
_SPARE_FILES = 64
"""File descriptors beside those of connections."""


async def run_intake(
    settings: Settings, open_inbox: Callable[[], ArrivalStore], stop: asyncio.Event, ready: Callable[[], None]
) -> None:
    """Serve all listen addresses until `stop`; `ready` is called when they are bound and the store is open.

    The store is opened, used and closed in a thread of its own. Raises `TemporaryError` where an address cannot be
    bound, and what `open_inbox` raises. At the end messages on their way have ten seconds to arrive.
    """
    _allow_files(settings.smtp.max_connections + _SPARE_FILES)
    async with contextlib.AsyncExitStack() as cleanup:
        commit = GroupCommit(open_inbox, max_bytes=2 * settings.smtp.max_message)
        cleanup.push_async_callback(commit.close)
        await commit.opened()
        intake = Intake(settings, commit)
        await intake.has_room()
        door = Door(intake, settings.smtp)
        cleanup.push_async_callback(door.close, _DRAIN_SECONDS)
        for address in settings.smtp.listen:
            server = await _bind(address, smtp_sessions(door))
            cleanup.callback(server.close)
            log.info("listening", address=address)
        ready()
        await stop.wait()
        log.info("intake-stopping")
    log.info("intake-stopped")


class Intake:
    """What happens to mail at the door: for whom it may be, whether there is room, and how it becomes durable."""

    def __init__(self, settings: Settings, commit: GroupCommit) -> None:
        self._mailboxes = frozenset(mailbox.address.lower() for mailbox in settings.mailbox)
        self._store = settings.store
        self._commit = commit
        self._checked = float("-inf")
        self._full = ""
        self._chance = random.Random()  # noqa: S311 - ids have to differ, they need not be secret

    def mailbox(self, address: str) -> str:
        """Return the configured mailbox, in lower case, that an address means, "" for none.

        Case does not matter, neither does what stands behind a "+" in the local part (RFC 5233).
        """
        address = address.lower()
        if address in self._mailboxes:
            return address
        local, _, domain = address.rpartition("@")
        plain = f"{local.partition('+')[0]}@{domain}"
        return plain if plain in self._mailboxes else ""

    async def has_room(self) -> bool:
        """Tell whether disk and queue take another message; raises `TemporaryError`.

        The answer is at most a second old, and as old as one more question of the store takes while that runs.
        """
        now = time.monotonic()
        if now - self._checked >= _ROOM_SECONDS:
            self._checked = now
            full = await self._shortage()
            if full and full != self._full:
                log.warning("intake-full", reason=full)
            elif self._full and not full:
                log.info("intake-open")
            self._full = full
        return not self._full

    async def accept(self, envelope: Envelope, raw: bytes) -> str:
        """Make a message durable and return its id; raises `TemporaryError`."""
        now = time.time_ns()
        message_id = new_id(now // 1_000_000, self._chance.getrandbits(80))
        received_at = datetime.fromtimestamp(now / 1e9, UTC)
        try:
            await self._commit.accept(Arrival(id=message_id, received_at=received_at, envelope=envelope, raw=raw))
        except asyncio.CancelledError:
            log.warning("message-unanswered", id=message_id, size=len(raw), peer=envelope.peer)
            raise
        log.info(
            "message-accepted", id=message_id, size=len(raw), peer=envelope.peer, recipients=len(envelope.recipients)
        )
        return message_id

    async def _shortage(self) -> str:
        return shortage(self._store, await self._commit.waiting())


def _allow_files(count: int) -> None:
    """Raise the soft limit of open files where the configured connections need it and the hard limit lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


async def _bind(address: str, session: Callable[[], SmtpSession]) -> asyncio.Server:
    host, port = host_port(address)
    loop = asyncio.get_running_loop()
    give_up = loop.time() + _BIND_SECONDS
    while True:
        try:
            return await loop.create_server(session, host, port, backlog=_BACKLOG)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or loop.time() > give_up:
                raise TemporaryError(
                    f"cannot listen on {address}: {os.strerror(error.errno or 0)}",
                    advice="Stop what listens there, or change smtp.listen.",
                ) from error
        await asyncio.sleep(0.1)
