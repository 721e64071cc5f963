"""The intake role: listens for mail and makes it durable, without reading it.

Log events: `message-accepted` (id, size, peer, recipients as a number), `message-unanswered` (stored, but the client
was gone before it had its reply: it will come again), `intake-full` (reason; mail is put off) and `intake-open` when
that is over, `intake-stopping`, `intake-stopped`; those of sessions stand in `connection` and `conversation`.
"""

import asyncio
import contextlib
import random
import resource
import time
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from abuse_triage.config.certificate import server_context
from abuse_triage.model.message import Arrival, Channel, Envelope
from abuse_triage.model.settings import Settings
from abuse_triage.service.commit import ArrivalStore, GroupCommit
from abuse_triage.service.door import Destination, Door
from abuse_triage.service.ids import new_id
from abuse_triage.service.listen import BACKLOG, listening
from abuse_triage.service.lmtp import lmtp_sessions
from abuse_triage.service.room import shortage
from abuse_triage.service.smtp import smtp_sessions

log = structlog.get_logger()

_DRAIN_SECONDS = 10.0
"""Messages on their way have so long to arrive when the intake stops."""
_ROOM_SECONDS = 1.0
"""How old the knowledge of free disk and queue length may be."""
_SPARE_FILES = 64 + BACKLOG
"""File descriptors beside those of connections: our own, and of those who come all at once and are sent away."""


async def run_intake(
    settings: Settings, open_inbox: Callable[[], ArrivalStore], stop: asyncio.Event, ready: Callable[[], None]
) -> None:
    """Serve all listen addresses until `stop`; `ready` is called when they are bound and the store is open.

    The store is opened, used and closed in a thread of its own. Raises `AddressError` where an address cannot be
    bound, `ConfigError` where the certificate cannot be used, and what `open_inbox` raises. At the end messages on
    their way have ten seconds to arrive.
    """
    certificate = server_context(settings.smtp)
    _allow_files(settings.smtp.max_connections + _SPARE_FILES)
    async with contextlib.AsyncExitStack() as cleanup:
        commit = GroupCommit(open_inbox, max_bytes=2 * settings.smtp.max_message)
        cleanup.push_async_callback(commit.close)
        await commit.opened()
        intake = Intake(settings, commit)
        await intake.has_room()
        door = Door(intake, settings, certificate)
        cleanup.push_async_callback(door.close, _DRAIN_SECONDS)
        smtp, lmtp = smtp_sessions(door), lmtp_sessions(door)
        for address in settings.smtp.listen:
            await cleanup.enter_async_context(listening(Channel.SMTP, address, smtp))
        for address in settings.lmtp.listen:
            mode = settings.lmtp.socket_mode
            await cleanup.enter_async_context(listening(Channel.LMTP, address, lmtp, mode))
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

    def destination(self, address: str) -> Destination | None:
        """Return the configured mailbox, in lower case, that an address means, None where there is none.

        Case does not matter; what stands behind a "+" in the local part (RFC 5233) is the detail, as it was written.
        """
        if address.lower() in self._mailboxes:
            return Destination(address.lower(), "")
        local, _, domain = address.rpartition("@")
        name, _, detail = local.partition("+")
        mailbox = f"{name}@{domain}".lower()
        return Destination(mailbox, detail) if mailbox in self._mailboxes else None

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

    async def accept(self, envelope: Envelope, raw: bytes, *, truncated: bool = False) -> str:
        """Make a message durable and return its id; raises `TemporaryError`."""
        now = time.time_ns()
        message_id = new_id(now // 1_000_000, self._chance.getrandbits(80))
        received_at = datetime.fromtimestamp(now / 1e9, UTC)
        arrival = Arrival(id=message_id, received_at=received_at, envelope=envelope, raw=raw, truncated=truncated)
        try:
            await self._commit.accept(arrival)
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
