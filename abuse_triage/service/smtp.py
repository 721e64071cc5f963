"""The SMTP conversation (RFC 5321), with STARTTLS (RFC 3207) where there is a certificate."""

import asyncio
import contextlib
import ssl
from asyncio import sslproto
from collections.abc import Callable

from abuse_triage.model.message import Channel
from abuse_triage.service.connection import READ_BYTES, Connection, connections
from abuse_triage.service.conversation import COMMON, Conversation
from abuse_triage.service.door import TLS_BUFFER_BYTES, Door
from abuse_triage.service.transparency import MessageText

_HANDSHAKE_SECONDS = 30.0
"""Longest time for the negotiation of TLS, which needs a few round trips."""


def smtp_sessions(door: Door) -> Callable[[], Connection]:
    """Return what makes the session of each new connection, with STARTTLS where there is a certificate."""
    if door.certificate:
        sslproto.SSLProtocol.max_size = TLS_BUFFER_BYTES
    return connections(SmtpSession, door, door.settings.max_message)


class SmtpSession(Conversation):
    """One SMTP connection; a message that is too large is refused with 552."""

    channel = Channel.SMTP
    protocol = "ESMTP"
    _negotiating = False
    """Whether TLS is being negotiated."""

    async def smtp_HELO(self, host: str | None) -> None:  # noqa: N802 - named by aiosmtpd
        """Greet (RFC 5321 section 4.1.1.1)."""
        await self._greet("HELO", host, self.hostname)

    async def smtp_EHLO(self, host: str | None) -> None:  # noqa: N802 - named by aiosmtpd
        """Greet and list the extensions."""
        lines = [self.hostname, "PIPELINING", f"SIZE {self.data_size_limit}", "8BITMIME", "SMTPUTF8"]
        if self._door.certificate and not self._tls:
            lines.append("STARTTLS")
        await self._greet("EHLO", host, *lines, "ENHANCEDSTATUSCODES")

    async def smtp_EXPN(self, _arg: str | None) -> None:  # noqa: N802 - named by aiosmtpd
        """Tell nothing about lists."""
        await self.push("502 5.5.1 Not available")

    async def smtp_HELP(self, _arg: str | None) -> None:  # noqa: N802 - named by aiosmtpd
        """Name the standard."""
        await self.push("214 2.0.0 See RFC 5321")

    async def smtp_STARTTLS(self, arg: str | None) -> None:  # noqa: N802 - named by aiosmtpd
        """Encrypt from here on, and forget all that was said in clear (RFC 3207 section 4.2)."""
        certificate = self._door.certificate
        if certificate is None:
            await self.push("500 5.5.2 Command not recognized")
        elif arg:
            await self.push("501 5.5.4 STARTTLS takes no arguments")
        elif self._tls:
            await self.push("503 5.5.1 Already encrypted")
        else:
            await self._writer.drain()  # so that nothing waits between the next look and the handshake
            if self._reader._buffer:  # type: ignore[attr-defined] # noqa: SLF001 - a stream has no way to look ahead
                await self._hang_up("starttls-injection", "421 4.7.0 Nothing may follow STARTTLS in clear")
            else:
                await self._encrypt(certificate)

    async def _encrypt(self, certificate: ssl.SSLContext) -> None:
        self._writer.write(b"220 2.0.0 Ready to start TLS\r\n")
        self._reader = asyncio.StreamReader(limit=READ_BYTES, loop=self.loop)  # what was sent in clear stays behind
        self._negotiating = True
        seconds = min(_HANDSHAKE_SECONDS, self._limits.idle_timeout.total_seconds())
        encrypted = None
        with contextlib.suppress(OSError):  # ssl.SSLError is one
            encrypted = await self.loop.start_tls(
                self._writer.transport, self, certificate, server_side=True, ssl_handshake_timeout=seconds
            )
        self._negotiating = False
        if encrypted is None:  # so it is where the client went away; and asyncio does not always tell us
            self._cut, self._leaving = "tls-handshake", True
            self.connection_lost(None)
            return
        # StreamWriter.start_tls would leave a writer that cannot even be closed where the client went away.
        self.transport = self._writer._transport = encrypted  # type: ignore[attr-defined] # noqa: SLF001 - see above
        # The event loop reads into the buffer and hands it to TLS in one go, so that one is enough for all.
        protocol = encrypted._ssl_protocol  # type: ignore[attr-defined] # noqa: SLF001 - see above
        protocol._ssl_buffer = self._door.ciphertext  # noqa: SLF001 - see above
        protocol._ssl_buffer_view = memoryview(self._door.ciphertext)  # noqa: SLF001 - see above
        self._reader.set_transport(encrypted)
        self._tls = True
        self.session = self._create_session()
        self._set_rset_state()
        self._heard = self.loop.time()

    def _end(self, cut: str, reply: str) -> None:
        if self._negotiating:  # there is nobody to talk to
            self.abort()
        else:
            super()._end(cut, reply)

    def _replies_to_a_text(self) -> int:
        return 1

    def _new_text(self) -> MessageText:
        return MessageText(self._limits.max_message)

    def _judge(self, text: MessageText) -> str:
        return "552 5.3.4 Message too large" if text.truncated else ""

    async def _enough(self, text: MessageText) -> bool:
        if text.size <= 2 * self._limits.max_message:  # read so far because few clients listen before they end
            return False
        await self._hang_up("max_message", "552 5.3.4 Message too large")
        return True


SmtpSession.commands = COMMON | {
    "HELO": SmtpSession.smtp_HELO,
    "EHLO": SmtpSession.smtp_EHLO,
    "EXPN": SmtpSession.smtp_EXPN,
    "HELP": SmtpSession.smtp_HELP,
    "STARTTLS": SmtpSession.smtp_STARTTLS,
}
