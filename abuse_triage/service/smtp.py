"""The SMTP conversation (RFC 5321) with every limit, on top of aiosmtpd's protocol class.

aiosmtpd keeps the connection, the grammar of MAIL and RCPT and the state between commands; the reading of commands,
DATA, time limits and replies are ours, because there its own ways lose mail or memory. What sessions share, and whom
they ask, is in `door`.

Extensions: PIPELINING (RFC 2920), SIZE (RFC 1870), 8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531), ENHANCEDSTATUSCODES
(RFC 2034). A command line ends with LF, a message only with CRLF "." CRLF.

Log events: `session-closed` (at info where something was refused or cut, else at debug; `refused` counts replies, `cut`
says which limit ended it), `smtp-trouble` (an exception of ours; the client got 451).
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import structlog
from aiosmtpd.smtp import SMTP, Session
from aiosmtpd.smtp import Envelope as MailEnvelope

from abuse_triage.errors import TemporaryError
from abuse_triage.model.message import Channel, Envelope
from abuse_triage.service.commit import QueueFullError
from abuse_triage.service.door import Door
from abuse_triage.service.path import NULL_PATH, split_path
from abuse_triage.service.transparency import MessageText

log = structlog.get_logger()

_READ_BYTES = 65_536
"""Limit of the stream reader: twice as much is buffered before the client has to wait."""
_COMMAND_BYTES = 2048
"""Longest command line; RFC 5321 section 4.5.3.1.4 asks for 512, extensions want more."""
_FAREWELL_SECONDS = 5.0
"""Time for a client to read our last reply."""
_LINGER_SECONDS = 2.0
"""Time in which what a client still sends is read and thrown away, so that our last reply reaches it."""

_NEVER = float("inf")
_END = b"\r\n.\r\n"
_CODES = {"501": "5.5.4", "503": "5.5.1", "552": "5.3.4", "555": "5.5.4"}
"""Enhanced status codes (RFC 3463) of the replies that aiosmtpd gives without one."""
_FOREIGN = frozenset({"GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "PROXY"})
"""Commands of other protocols: nobody who sends them will send mail."""


def smtp_sessions(door: Door) -> Callable[[], "SmtpSession"]:
    """Return what makes the session of each new connection; runs in the event loop.

    aiosmtpd inspects itself for every connection, which costs more than all the rest: it is done once and copied.
    """
    logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd logs addresses, raw
    smtp = door.settings
    pattern = SMTP(
        door,
        data_size_limit=smtp.max_message,
        enable_SMTPUTF8=True,
        hostname=smtp.hostname,
        loop=asyncio.get_running_loop(),
    )
    return partial(SmtpSession, door, vars(pattern).copy())


class SmtpSession(SMTP):
    """One connection, from its greeting to its end."""

    session: Session
    envelope: MailEnvelope
    _timeout_handle: asyncio.TimerHandle

    def __init__(self, door: Door, pattern: dict[str, Any]) -> None:
        """Take over what aiosmtpd's constructor made once for all, with a stream of its own."""
        vars(self).update(pattern)
        asyncio.StreamReaderProtocol.__init__(
            self,
            asyncio.StreamReader(limit=_READ_BYTES, loop=self.loop),
            client_connected_cb=self._cb_client_connected,
            loop=self.loop,
        )
        self._door = door
        self._limits = door.settings
        self._peer = ""
        self._commands = self._errors = 0
        self._refused: Counter[str] = Counter()
        self._cut = ""
        self._opened = self._heard = self.loop.time()
        self._data_due = _NEVER
        self._in_data = self._storing = self._leaving = False

    # The connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the conversation."""
        self._door.enter(self)
        super().connection_made(transport)
        address = self.session.peer  # a pair or quadruple; "" for a unix socket
        self._peer = str(address[0]).removeprefix("::ffff:") if address else ""

    def connection_lost(self, error: Exception | None) -> None:
        """Stop the conversation; a message that is being stored is stored all the same."""
        self._door.leave(self)
        if self._in_data:
            self._cut = self._cut or "lost-in-data"
        super().connection_lost(error)
        write = log.info if self._refused or self._cut else log.debug
        write("session-closed", peer=self._peer, commands=self._commands, refused=dict(self._refused), cut=self._cut)

    def data_received(self, data: bytes) -> None:
        """Remember that the client is alive."""
        self._heard = self.loop.time()
        self._reader.feed_data(data)

    def eof_received(self) -> bool:
        """Let a client that only closed its own direction have its replies, where TLS allows it."""
        self._reader.feed_eof()
        return self.session.ssl is None

    def dismiss(self) -> None:
        """Say that the service closes: at once, or after the reply to the message that is coming in."""
        if self._in_data:
            self._cut = "shutdown"
        else:
            self._end("shutdown", "421 4.3.2 Service is closing, try again later")

    def abort(self) -> None:
        """Drop the connection."""
        self._writer.transport.abort()

    def _end(self, cut: str, reply: str) -> None:
        """Close from outside the conversation."""
        if self._leaving:
            self.abort()
            return
        self._cut, self._leaving = cut, True
        self._writer.write(reply.encode() + b"\r\n")
        self._writer.close()
        self._allow_farewell()

    def _allow_farewell(self) -> None:
        """Drop a client that does not even take our last reply."""
        self._timeout_handle.cancel()
        self._timeout_handle = self.loop.call_later(_FAREWELL_SECONDS, self.abort)

    # Time limits: one timer for each connection, which looks again when the earliest of them could be over

    def _reset_timeout(self, _duration: float | None = None) -> None:
        self._timeout_handle = self.loop.call_at(self._due()[0], self._timeout_cb)

    def _timeout_cb(self) -> None:
        due, cut = self._due()
        if due > self.loop.time():
            self._reset_timeout()
        else:
            self._end(cut, "421 4.4.2 Too slow, closing")

    def _due(self) -> tuple[float, str]:
        if self._storing:  # it is we who are slow
            return self.loop.time() + 1, ""
        return min(
            (self._heard + self._limits.idle_timeout.total_seconds(), "idle_timeout"),
            (self._opened + self._limits.session_timeout.total_seconds(), "session_timeout"),
            (self._data_due, "data_timeout"),
        )

    # The conversation

    async def push(self, status: str | bytes) -> None:
        """Send a reply, with its enhanced status code."""
        reply = status if isinstance(status, str) else status.decode()
        code = reply[:3]
        if code in _CODES and reply[5] != ".":
            reply = f"{code} {_CODES[code]}{reply[3:]}"
        if code >= "400":
            self._refused[reply[:9]] += 1
            self._errors += code >= "500"  # 4xx is our trouble, or a recipient too many: no reason to hang up
        self._writer.write(reply.encode() + b"\r\n")
        await self._writer.drain()

    async def _handle_client(self) -> None:
        try:
            await self._converse()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client is gone
        finally:
            if not self._writer.is_closing():
                self._writer.close()
                self._allow_farewell()

    async def _converse(self) -> None:
        if self._door.crowded:
            self._cut = "max_connections"
            await self.push("421 4.7.0 Too many connections, try again later")
            return
        await self.push(f"220 {self.hostname} ESMTP")
        while True:
            try:
                line = await self._reader.readuntil(b"\n")
            except asyncio.LimitOverrunError:
                await self._hang_up("line", "500 5.5.2 Line too long")
                return
            self._commands += 1
            await self._obey(line)
            if self._leaving:
                return
            if last_word := self._last_word():
                await self._hang_up(*last_word)
                return

    def _last_word(self) -> tuple[str, str] | None:
        if self._cut == "shutdown":
            return "shutdown", "421 4.3.2 Service is closing, try again later"
        if self._errors >= self._limits.max_errors:
            return "max_errors", "421 4.7.0 Too many errors"
        if self._commands >= self._limits.max_commands:
            return "max_commands", "421 4.7.0 Too many commands"
        return None

    async def _obey(self, line: bytes) -> None:
        if len(line) > _COMMAND_BYTES:
            await self.push("500 5.5.2 Line too long")
            return
        text = line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "surrogateescape")
        if not text.isprintable():  # no control characters, nothing but UTF-8
            await self.push("501 5.5.2 Only printable UTF-8, please")
            return
        verb, _, argument = text.partition(" ")
        command = _COMMANDS.get(verb.upper())
        if command is None:
            if verb.upper() in _FOREIGN:
                await self._hang_up("foreign", "421 4.7.0 This is SMTP")
            else:
                await self.push("500 5.5.2 Command not recognized")
            return
        try:
            await command(self, argument.strip() or None)
        except (ConnectionError, asyncio.IncompleteReadError):
            raise
        except TemporaryError:
            self._set_rset_state()
            await self.push("451 4.3.0 Local trouble, try again later")
        except Exception:  # whatever went wrong here is ours, and no reason to refuse mail
            log.exception("smtp-trouble", peer=self._peer)
            self._set_rset_state()
            await self.push("451 4.3.0 Local trouble, try again later")

    async def _hang_up(self, cut: str, reply: str) -> None:
        """Send the last reply, and read on for a while: closing with unread data would take the reply away again."""
        self._cut, self._leaving = cut, True
        await self.push(reply)
        if self._writer.can_write_eof():
            self._writer.write_eof()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while await self._reader.read(_READ_BYTES):
                    pass

    # The commands; MAIL and RCPT are aiosmtpd's, with `Door` for their policy

    async def smtp_HELO(self, host: str | None) -> None:  # noqa: N802 - named by aiosmtpd
        """Greet (RFC 5321 section 4.1.1.1)."""
        await self._greet("HELO", host, self.hostname)

    async def smtp_EHLO(self, host: str | None) -> None:  # noqa: N802 - named by aiosmtpd
        """Greet and list the extensions."""
        lines = (self.hostname, "PIPELINING", f"SIZE {self.data_size_limit}", "8BITMIME", "SMTPUTF8")
        await self._greet("EHLO", host, *lines, "ENHANCEDSTATUSCODES")

    async def _greet(self, verb: str, host: str | None, *lines: str) -> None:
        if host is None:
            await self.push(f"501 Syntax: {verb} hostname")
            return
        self._set_rset_state()
        self.session.extended_smtp = verb == "EHLO"
        self.session.host_name = host[:255]
        await self.push("".join(f"250-{line}\r\n" for line in lines[:-1]) + f"250 {lines[-1]}")

    async def smtp_RSET(self, _arg: str | None) -> None:  # noqa: N802 - named by aiosmtpd
        """Forget the envelope."""
        self._set_rset_state()
        await self.push("250 2.0.0 Ok")

    async def smtp_NOOP(self, _arg: str | None) -> None:  # noqa: N802 - named by aiosmtpd
        """Do nothing."""
        await self.push("250 2.0.0 Ok")

    async def smtp_QUIT(self, _arg: str | None) -> None:  # noqa: N802 - named by aiosmtpd
        """Close."""
        self._leaving = True
        await self.push("221 2.0.0 Bye")

    async def smtp_VRFY(self, _arg: str | None) -> None:  # noqa: N802 - named by aiosmtpd
        """Tell nothing about addresses (RFC 5321 section 7.3)."""
        await self.push("252 2.5.0 Send some mail, it will be tried")

    async def smtp_EXPN(self, _arg: str | None) -> None:  # noqa: N802 - named by aiosmtpd
        """Tell nothing about lists."""
        await self.push("502 5.5.1 Not available")

    async def smtp_HELP(self, _arg: str | None) -> None:  # noqa: N802 - named by aiosmtpd
        """Name the standard."""
        await self.push("214 2.0.0 See RFC 5321")

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802 - named by aiosmtpd
        """Take the text of a message and answer when it is on the disk, or say why it is not."""
        if not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 Send MAIL and RCPT first")
            return
        if arg:
            await self.push("501 5.5.4 DATA takes no arguments")
            return
        # With a line end before it, an empty text ends with _END as well; a stream has no public way to look ahead.
        self._reader._buffer[:0] = b"\r\n"  # type: ignore[attr-defined] # noqa: SLF001 - see above
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        self._in_data, self._data_due = True, self.loop.time() + self._limits.data_timeout.total_seconds()
        text = MessageText(self._limits.max_message)
        with self._door.memory.share() as hold:
            reply = await self._read_text(text, hold) or await self._store(text.finish())
        self._set_post_data_state()
        await self.push(reply)

    async def _read_text(self, text: MessageText, hold: Callable[[int], bool]) -> str:
        """Read to the end of the text; return the reply where it was dropped, "" where it is there."""
        reply, ended, start = "", False, 2
        while not ended:
            try:
                piece = await self._reader.readuntil(_END)
                ended = True
            except asyncio.LimitOverrunError as overrun:
                piece = await self._reader.read(overrun.consumed)
            text.feed(piece[start:-3] if ended else piece[start:])
            start = 0
            if text.size > self._limits.max_message:
                reply = "552 5.3.4 Message too large"
            elif not reply and not hold(text.size):
                text.drop()
                reply = "452 4.3.1 Too much mail at once, try again later"
            if text.size > 2 * self._limits.max_message:  # read so far because few clients listen before they end
                await self._hang_up("max_message", reply)
                raise ConnectionAbortedError
        return reply

    async def _store(self, raw: bytes) -> str:
        sender = self.envelope.mail_from or NULL_PATH
        envelope = Envelope(
            sender="" if sender == NULL_PATH else sender,
            recipients=tuple(dict.fromkeys(self.envelope.rcpt_tos)),
            channel=Channel.SMTP,
            peer=self._peer,
            helo=self.session.host_name or "",
        )
        self._storing = True
        try:
            return f"250 2.0.0 Accepted as {await self._door.reception.accept(envelope, raw)}"
        except QueueFullError:
            return "452 4.3.1 Too much mail at once, try again later"
        finally:
            self._storing, self._heard = False, self.loop.time()

    def _set_post_data_state(self) -> None:
        self.envelope = MailEnvelope()
        self._in_data, self._data_due = False, _NEVER

    def _set_rset_state(self) -> None:
        self._set_post_data_state()

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """Take addresses apart by one bounded pattern; aiosmtpd's way is slow and raises at odd ones."""
        return split_path(arg) or (None, None)

    def _getparams(self, params: Sequence[str]) -> dict[str, str | bool] | None:
        """Read parameters; digits are ASCII digits."""
        return super()._getparams(params) if all(param.isascii() for param in params) else None


_COMMANDS: dict[str, Callable[[SmtpSession, str | None], Awaitable[None]]] = {
    name.removeprefix("smtp_"): getattr(SmtpSession, name)
    for name in (
        "smtp_HELO",
        "smtp_EHLO",
        "smtp_MAIL",
        "smtp_RCPT",
        "smtp_DATA",
        "smtp_RSET",
        "smtp_NOOP",
        "smtp_QUIT",
        "smtp_VRFY",
        "smtp_EXPN",
        "smtp_HELP",
    )
}
"""Every command there is: aiosmtpd's AUTH and STARTTLS are not among them."""
