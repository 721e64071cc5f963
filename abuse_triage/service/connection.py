"""One connection of a mail client, on top of aiosmtpd's protocol class: limits of time, replies, and how it ends.

aiosmtpd keeps the connection, the grammar of MAIL and RCPT and the state between commands; the reading of commands,
DATA, time limits and replies are ours, because there its own ways lose mail or memory. What is said stands in
`conversation`; what connections share, and whom they ask, is in `door`.

Log event: `session-closed` (at info where something was refused or cut, else at debug; `refused` counts replies, `cut`
says which limit or accident ended it).
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import structlog
from aiosmtpd.smtp import SMTP, Session

from abuse_triage.model.message import Channel
from abuse_triage.service.door import Door, Transaction

log = structlog.get_logger()

READ_BYTES = 65_536
"""Limit of the stream reader: twice as much is buffered before the client has to wait."""
FAREWELL_SECONDS = 5.0
"""Time for a client to read our last reply."""
_LINGER_SECONDS = 2.0
"""Time in which what a client still sends is read and thrown away, so that our last reply reaches it."""
_GRACE_SECONDS = 60.0
"""A text may be slower than `smtp.min_rate` so long, at its beginning and again after it was faster."""

_CODES = {"501": "5.5.4", "503": "5.5.1", "552": "5.3.4", "555": "5.5.4"}
"""Enhanced status codes (RFC 3463) of the replies that aiosmtpd gives without one."""


class Connection(SMTP):
    """One connection, from its beginning to its end."""

    channel: ClassVar[Channel]
    session: Session
    envelope: Transaction
    _timeout_handle: asyncio.TimerHandle

    def __init__(self, door: Door, pattern: dict[str, Any]) -> None:
        """Take over what aiosmtpd's constructor made once for all, with a stream of its own; see `connections`."""
        vars(self).update(pattern)
        self._reader = asyncio.StreamReader(limit=READ_BYTES, loop=self.loop)
        asyncio.StreamReaderProtocol.__init__(
            self, self._reader, client_connected_cb=self._cb_client_connected, loop=self.loop
        )
        self._door = door
        self._limits = door.settings
        self._peer = self._turned_away = self._cut = ""
        self._tls = False
        self._commands = self._errors = 0
        self._refused: Counter[str] = Counter()
        self._opened = self._heard = self.loop.time()
        self._owed = 0
        """Replies that the text which is coming in, or has just come, will get; 0 outside of DATA."""
        self._unread = False
        """Whether the end of that text is still to come."""
        self._began = self._slow_until = 0.0
        self._storing = self._leaving = False

    # Beginning and end

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the conversation."""
        address = transport.get_extra_info("peername")  # a pair or quadruple; a path or "" for a unix socket
        self._peer, self._turned_away = self._door.enter(self, address[0] if isinstance(address, tuple) else "")
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Stop the conversation, once; a message that is being stored is stored all the same."""
        if self.transport is None:
            return
        self._door.leave(self)
        if self._owed:
            self._cut = self._cut or "lost-in-data"
        super().connection_lost(error)
        write = log.info if self._refused or self._cut else log.debug
        write(
            "session-closed",
            channel=self.channel.value,
            peer=self._peer,
            tls=self._tls,
            commands=self._commands,
            refused=dict(self._refused),
            cut=self._cut,
        )

    def data_received(self, data: bytes) -> None:
        """Remember that the client is alive; what it says when we are leaving is not kept."""
        self._heard = now = self.loop.time()
        self._slow_until = min(self._slow_until + len(data) / self._limits.min_rate, now + _GRACE_SECONDS)
        if not self._leaving:
            self._reader.feed_data(data)

    def eof_received(self) -> bool:
        """Let a client that only closed its own direction have its replies, where TLS allows it."""
        self._reader.feed_eof()
        return not self._tls and not self._leaving

    def dismiss(self) -> None:
        """Say that the service closes: at once, or after the reply to the message that is coming in."""
        if self._owed:
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
        owed, self._owed = self._owed, 0
        self._writer.write((reply.encode() + b"\r\n") * max(1, owed))
        if owed and self._writer.can_write_eof():  # it is sending, and goes on for a while: see `_hang_up`
            self._writer.write_eof()
            self._allow(_LINGER_SECONDS)
        else:
            self._writer.close()
            self._allow(FAREWELL_SECONDS)

    def _allow(self, seconds: float) -> None:
        """Drop a client that is still there after so many seconds."""
        self._timeout_handle.cancel()
        self._timeout_handle = self.loop.call_later(seconds, self.abort)

    async def _hang_up(self, cut: str, reply: str) -> None:
        """Send the last reply, and listen on for a while: closing with unread data would take the reply away again."""
        self._cut, self._leaving = cut, True
        await self._answer(reply)
        if self._writer.can_write_eof():
            self._writer.write_eof()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while await self._reader.read(READ_BYTES):
                    pass

    # Limits of time: one timer for each connection, which looks again when the earliest of them could be over

    def _reset_timeout(self, _duration: float | None = None) -> None:
        look = self.loop.time() + min(_GRACE_SECONDS, self._limits.data_timeout.total_seconds())  # if a text begins now
        self._timeout_handle = self.loop.call_at(min(look, self._due()[0]), self._timeout_cb)

    def _timeout_cb(self) -> None:
        due, cut = self._due()
        if due > self.loop.time():
            self._reset_timeout()
        else:
            self._end(cut, "421 4.4.2 Too slow, closing")

    def _due(self) -> tuple[float, str]:
        if self._storing:  # it is we who are slow
            return self.loop.time() + 1, ""
        limits = [
            (self._heard + self._limits.idle_timeout.total_seconds(), "idle_timeout"),
            (self._opened + self._limits.session_timeout.total_seconds(), "session_timeout"),
        ]
        if self._owed:
            limits.append((self._began + self._limits.data_timeout.total_seconds(), "data_timeout"))
            limits.append((self._slow_until, "min_rate"))
        return min(limits)

    def _begin_text(self, replies: int) -> None:
        """Measure a text from here on; so many replies will be due when it has come."""
        self._owed, self._began = replies, self.loop.time()
        self._slow_until = self._began + _GRACE_SECONDS

    # Replies

    async def push(self, status: str | bytes, times: int = 1) -> None:
        """Send a reply, with its enhanced status code, so many times."""
        reply = status if isinstance(status, str) else status.decode()
        code = reply[:3]
        if code in _CODES and reply[5] != ".":
            reply = f"{code} {_CODES[code]}{reply[3:]}"
        if code >= "400":
            self._refused[reply[:9]] += times
            self._errors += code >= "500"  # 4xx is our trouble, or a recipient too many: no reason to hang up
        self._writer.write((reply.encode() + b"\r\n") * times)
        await self._writer.drain()

    async def _answer(self, reply: str) -> None:
        """Send a reply: where a text waits for its replies, as many as it is owed, otherwise one."""
        times, self._owed = self._owed or 1, 0
        await self.push(reply, times)

    def _cb_client_connected(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer


def connections(kind: type[Connection], door: Door, size_limit: int | None) -> Callable[[], Connection]:
    """Return what makes each new connection of a kind; runs in the event loop.

    aiosmtpd inspects itself for every connection, which costs more than all the rest: it is done once and copied. MAIL
    with a larger SIZE than `size_limit` is refused.
    """
    logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd logs addresses, raw
    pattern = SMTP(
        door,
        data_size_limit=size_limit,
        enable_SMTPUTF8=True,
        hostname=door.settings.hostname,
        loop=asyncio.get_running_loop(),
    )
    return partial(kind, door, vars(pattern).copy())
