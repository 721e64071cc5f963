"""What all sessions share: who is in, whom mail may go to, how much memory they may use, and the way to the store."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from aiosmtpd.smtp import Envelope as MailEnvelope

from abuse_triage.model.message import Envelope
from abuse_triage.model.settings import Settings
from abuse_triage.service.crowd import Crowd
from abuse_triage.service.memory import SharedMemory

_BIG_MESSAGES = 4
"""So many messages of the largest size may be in memory at once; more are put off."""
_KEPT_MESSAGES = 1
"""So many of them are kept for relays and unix sockets: slow strangers cannot put off what comes from there."""


class Destination(NamedTuple):
    """A configured mailbox, in lower case, and what stood behind the "+" of the address that was written to."""

    mailbox: str
    detail: str


TLS_BUFFER_BYTES = 16_384
"""A TLS record (RFC 8446 section 5.1); asyncio would take 256 kB for every encrypted connection, idle ones too."""


class Transaction(MailEnvelope):
    """What MAIL and RCPT have said so far; an empty `mail_from` means that MAIL is to come."""

    def __init__(self) -> None:
        super().__init__()
        self.destinations: list[Destination] = []
        """One for each RCPT that was accepted."""


class Reception(Protocol):
    """What a session needs of the rest of the intake."""

    def destination(self, address: str) -> Destination | None:
        """Return what an address of RCPT means, None where there is no such mailbox."""

    async def has_room(self) -> bool:
        """Tell whether disk and queue take another message; raises `TemporaryError`."""

    async def accept(self, envelope: Envelope, raw: bytes, *, truncated: bool = False) -> str:
        """Make a message durable and return its id; raises `TemporaryError`."""


class Guest(Protocol):
    """A session, as far as the door cares."""

    def dismiss(self) -> None:
        """Close as soon as no message is on its way."""

    def abort(self) -> None:
        """Close now."""


class Door:
    """The entrance of one process; aiosmtpd knows it as the handler of its hooks."""

    def __init__(self, reception: Reception, settings: Settings, certificate: ssl.SSLContext | None = None) -> None:
        self.reception = reception
        self.settings = settings.smtp
        self.certificate = certificate
        self.ciphertext = bytearray(TLS_BUFFER_BYTES if certificate else 0)
        """What a read of any encrypted connection fills, and its TLS takes at once: one for all of them."""
        self.keep = settings.lmtp.keep
        """Of a message that is too large LMTP keeps so many bytes."""
        most = self.settings.max_message
        self._memory = SharedMemory(_BIG_MESSAGES * most, kept=_KEPT_MESSAGES * most)
        self._crowd = Crowd(self.settings)
        self._guests: set[Guest] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    def enter(self, guest: Guest, address: str) -> tuple[str, str]:
        """Count a session; see `Crowd.enter`. One that is beyond a limit has to be sent away."""
        self._guests.add(guest)
        self._empty.clear()
        return self._crowd.enter(guest, address)

    def leave(self, guest: Guest) -> None:
        """Count a session no more."""
        self._crowd.leave(guest)
        self._guests.discard(guest)
        if not self._guests:
            self._empty.set()

    def memory_for(self, guest: Guest) -> AbstractContextManager[Callable[[int], bool]]:
        """Give a session that was let in its share of memory for a text; see `SharedMemory.share`."""
        return self._memory.share(everything=not self._crowd.is_stranger(guest))

    async def close(self, seconds: float) -> None:
        """End all sessions: idle ones at once, those in DATA when they have their reply, all after so many seconds."""
        for guest in list(self._guests):
            guest.dismiss()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), seconds)
        for guest in list(self._guests):
            guest.abort()

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name and form
        self, _server: object, _session: object, envelope: Transaction, address: str, _options: list[str]
    ) -> str:
        """Answer MAIL: put off where there is no room."""
        if not await self.reception.has_room():
            return "452 4.3.1 No room for mail now, try again later"
        envelope.mail_from = address
        return "250 2.1.0 Ok"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name and form
        self, _server: object, _session: object, envelope: Transaction, address: str, _options: list[str]
    ) -> str:
        """Answer RCPT: only configured mailboxes, so that nothing has to be returned to a forged sender."""
        if len(envelope.destinations) >= self.settings.max_recipients:
            return "452 4.5.3 Too many recipients, send the rest separately"
        destination = self.reception.destination(address)
        if destination is None:
            return "550 5.1.1 No such mailbox here"
        envelope.destinations.append(destination)
        return "250 2.1.5 Ok"
