"""What SMTP (RFC 5321) and LMTP (RFC 2033) say alike, with every limit: commands, MAIL and RCPT, the text of DATA.

Extensions of both: PIPELINING (RFC 2920), SIZE (RFC 1870), 8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531),
ENHANCEDSTATUSCODES (RFC 2034). A command line ends with LF, a message only with CRLF "." CRLF. Once a recipient was
accepted the text is answered with 250 or 4xx, or with 552 where `smtp` says so: what is refused for good would be
returned to a sender that may be forged.

Log event: `smtp-trouble` (an exception of ours; the client got 4xx).
"""

import asyncio
import contextlib
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar

import structlog

from abuse_triage.errors import TemporaryError
from abuse_triage.model.message import Envelope
from abuse_triage.service.commit import QueueFullError
from abuse_triage.service.connection import FAREWELL_SECONDS, Connection
from abuse_triage.service.door import Transaction
from abuse_triage.service.path import NULL_PATH, split_path
from abuse_triage.service.transparency import MessageText

log = structlog.get_logger()

Command = Callable[[Any, str | None], Awaitable[None]]
"""What obeys a command, given its session and its argument."""

_COMMAND_BYTES = 2048
"""Longest command line; RFC 5321 section 4.5.3.1.4 asks for 512, extensions want more."""
_DETAIL_CHARACTERS = 64

_END = b"\r\n.\r\n"
_FOREIGN = frozenset({"GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "PROXY"})
"""Commands of other protocols: nobody who sends them will send mail."""
_TOO_MUCH = "452 4.3.1 Too much mail at once, try again later"


class Conversation(Connection):
    """One connection and what is said on it; `SmtpSession` and `LmtpSession` are the kinds that there are."""

    protocol: ClassVar[str]
    """What the greeting calls it."""
    commands: ClassVar[Mapping[str, Command]]
    """Every command there is, by its verb; aiosmtpd's AUTH and HELP are not among them."""

    async def _handle_client(self) -> None:
        try:
            await self._converse()
        except asyncio.IncompleteReadError:
            if self._owed:  # the client closed its direction in the middle of a text, and may still listen
                self._cut = "lost-in-data"
                with contextlib.suppress(ConnectionError):
                    await self._answer("421 4.4.2 The end of the text never came")
        except ConnectionError:
            pass  # the client is gone
        finally:
            if not self._writer.is_closing():
                self._writer.close()
                self._allow(FAREWELL_SECONDS)

    async def _converse(self) -> None:
        if self._turned_away:
            self._cut = self._turned_away
            await self.push("421 4.7.0 Too many connections, try again later")
            return
        await self.push(f"220 {self.hostname} {self.protocol}")
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
        patience = 2 if self.envelope.destinations else 1  # a message that has a recipient may still come to its end
        if self._errors >= patience * self._limits.max_errors:
            return "max_errors", "421 4.7.0 Too many errors"
        if self._commands >= patience * self._limits.max_commands:
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
        command = self.commands.get(verb.upper())
        if command is None:
            if verb.upper() in _FOREIGN:
                await self._hang_up("foreign", f"421 4.7.0 This is {self.protocol}")
            else:
                await self.push("500 5.5.2 Command not recognized")
            return
        try:
            await command(self, argument.strip() or None)
        except (ConnectionError, asyncio.IncompleteReadError):
            raise
        except TemporaryError:
            await self._put_off()
        except Exception:  # whatever went wrong here is ours, and no reason to refuse mail
            log.exception("smtp-trouble", peer=self._peer)
            await self._put_off()

    async def _put_off(self) -> None:
        """Say that the trouble is ours; what is left of a text must not be taken for commands."""
        if self._unread:
            await self._hang_up("trouble", "421 4.3.0 Local trouble, try again later")
        else:
            await self._answer("451 4.3.0 Local trouble, try again later")

    # The commands; MAIL and RCPT are aiosmtpd's, with `Door` for their policy

    async def _greet(self, verb: str, host: str | None, *lines: str) -> None:
        if host is None:
            await self.push(f"501 Syntax: {verb} hostname")
            return
        self._set_rset_state()
        self.session.extended_smtp = verb != "HELO"
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

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802 - named by aiosmtpd
        """Take the text of a message and answer when it is on the disk, or say why it is not."""
        if not self.envelope.destinations:
            await self.push("503 5.5.1 Send MAIL and RCPT first")
            return
        if arg:
            await self.push("501 5.5.4 DATA takes no arguments")
            return
        # With a line end before it, an empty text ends with _END as well; a stream has no public way to look ahead.
        self._reader._buffer[:0] = b"\r\n"  # type: ignore[attr-defined] # noqa: SLF001 - see above
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        self._begin_text(self._replies_to_a_text())
        text = self._new_text()
        with self._door.memory_for(self) as hold:
            reply = await self._read_text(text, hold)
            if not self._leaving:
                envelope = self._finished_envelope()
                self._set_rset_state()
                await self._answer(reply or await self._store(envelope, text))

    async def _read_text(self, text: MessageText, hold: Callable[[int], bool]) -> str:
        """Read to the end of the text; return the reply where it was dropped, "" where it is there."""
        reply, start, self._unread = "", 2, True
        while self._unread:
            try:
                piece = await self._reader.readuntil(_END)
                self._unread = False
            except asyncio.LimitOverrunError as overrun:
                piece = await self._reader.read(overrun.consumed)
            text.feed(piece[start:] if self._unread else piece[start:-3])
            start = 0
            if not reply and not hold(text.held):
                text.drop()
                reply = _TOO_MUCH
            if self._unread and await self._enough(text):
                return ""
        return self._judge(text) or reply

    async def _store(self, envelope: Envelope, text: MessageText) -> str:
        self._storing = True
        try:
            truncated = text.truncated
            message_id = await self._door.reception.accept(envelope, text.finish(), truncated=truncated)
        except QueueFullError:
            return _TOO_MUCH
        else:
            return f"250 2.0.0 Accepted as {message_id}"
        finally:
            self._storing, self._heard = False, self.loop.time()

    def _finished_envelope(self) -> Envelope:
        sender = self.envelope.mail_from or NULL_PATH
        destinations = self.envelope.destinations
        return Envelope(
            sender="" if sender == NULL_PATH else sender,
            recipients=tuple(dict.fromkeys(destination.mailbox for destination in destinations)),
            details=tuple(dict.fromkeys(there.detail[:_DETAIL_CHARACTERS] for there in destinations if there.detail)),
            channel=self.channel,
            peer=self._peer,
            helo=self.session.host_name or "",
            tls=self._tls,
        )

    # Where SMTP and LMTP differ

    @abstractmethod
    def _replies_to_a_text(self) -> int:
        """Return how many replies the end of a text gets."""

    @abstractmethod
    def _new_text(self) -> MessageText:
        """Return what takes a text."""

    @abstractmethod
    def _judge(self, text: MessageText) -> str:
        """Return the reply to a complete text that is too large, "" where it is to be stored."""

    async def _enough(self, _text: MessageText) -> bool:
        """Hang up on a client that does not stop sending; tell whether that was done."""
        return False

    # State, and the grammar of aiosmtpd

    def _set_post_data_state(self) -> None:
        self.envelope = Transaction()

    def _set_rset_state(self) -> None:
        self._set_post_data_state()

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """Take addresses apart by one bounded pattern; aiosmtpd's way is slow and raises at odd ones."""
        return split_path(arg) or (None, None)

    def _getparams(self, params: Sequence[str]) -> dict[str, str | bool] | None:
        """Read parameters; digits are ASCII digits."""
        return super()._getparams(params) if all(param.isascii() for param in params) else None


COMMON: dict[str, Command] = {
    name.removeprefix("smtp_"): getattr(Conversation, name)
    for name in ("smtp_MAIL", "smtp_RCPT", "smtp_DATA", "smtp_RSET", "smtp_NOOP", "smtp_QUIT", "smtp_VRFY")
}
"""The commands that SMTP and LMTP have in common."""
