"""A real SMTP server that keeps what it is given, and fails in the ways that it is asked to.

As a program: `python tests/servers/smtp_sink.py FOLDER [--port 2525] [FAULT ...]`.
"""

import argparse
import asyncio
import email
import json
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from aiosmtpd.smtp import SMTP, Envelope, Session

FAULTS = (
    "none",
    "mail-4xx",
    "rcpt-4xx",
    "rcpt-5xx",
    "rcpt-421",  # says that it closes, and closes
    "drop-at-rcpt",
    "data-4xx",
    "data-5xx",
    "drop-after-data",  # keeps the mail and closes without an answer
    "lose-after-data",  # closes without an answer and keeps nothing
    "slow",  # keeps the mail and answers after `delay` seconds
)
"""What may happen to one mail, in the order in which faults are given; after the last of them all goes well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A mail as it came; `sender` is the reverse-path, "" for the null one."""

    sender: str
    recipient: str
    content: bytes

    @property
    def message_id(self) -> str:
        """The bare Message-ID."""
        return str(email.message_from_bytes(self.content)["Message-ID"]).strip("<>")


class SmtpSink:
    """The server on a loopback port of its own, in a thread; a context manager."""

    def __init__(
        self, folder: Path, *, faults: Iterable[str] = (), delay: float = 0.0, port: int = 0, smtputf8: bool = False
    ) -> None:
        self.folder = folder
        self.options: list[str] = []
        self._smtputf8 = smtputf8
        self.delay = delay
        self.connections = 0
        self.port = port
        self._faults = deque(faults)
        self._received: list[Received] = []
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def address(self) -> str:
        """Where it listens, as a smarthost is configured."""
        return f"127.0.0.1:{self.port}"

    def mails(self) -> list[Received]:
        """Return what was kept, in the order of arrival."""
        with self._lock:
            return list(self._received)

    def message_ids(self) -> list[str]:
        """Return the bare Message-IDs of what was kept, repeated where a mail came twice."""
        return [mail.message_id for mail in self.mails()]

    async def handle_MAIL(  # noqa: N802 -- aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str | None, options: list[str]
    ) -> str:
        """Choose the fault of this mail."""
        envelope.fault = self._faults.popleft() if self._faults else "none"
        if envelope.fault == "mail-4xx":
            return "451 4.3.0 not now"
        envelope.mail_from = address or "<>"  # aiosmtpd takes "" for no MAIL command at all
        envelope.mail_options.extend(options)
        self.options = options
        return "250 2.1.0 sender ok"

    async def handle_RCPT(  # noqa: N802 -- aiosmtpd's name
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take one recipient, unless the fault says otherwise."""
        match envelope.fault:
            case "rcpt-4xx":
                return "450 4.2.0 mailbox busy"
            case "rcpt-5xx":
                return "550 5.1.1 no such mailbox"
            case "rcpt-421":
                asyncio.get_running_loop().call_later(0.05, server.transport.abort)
                return "421 4.3.2 closing"
            case "drop-at-rcpt":
                self._drop(server)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 recipient ok"

    async def handle_DATA(  # noqa: N802 -- aiosmtpd's name
        self, server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Keep the mail, unless the fault says otherwise."""
        match envelope.fault:
            case "data-4xx":
                return "451 4.3.0 try again"
            case "data-5xx":
                return "554 5.6.0 content refused"
            case "lose-after-data":
                self._drop(server)
        self._keep(envelope)
        match envelope.fault:
            case "drop-after-data":
                self._drop(server)
            case "slow":
                await asyncio.sleep(self.delay)
        return "250 2.0.0 kept"

    def _keep(self, envelope: Envelope) -> None:
        received = Received(
            sender=(envelope.mail_from or "").replace("<>", ""),
            recipient=envelope.rcpt_tos[0],
            content=bytes(envelope.content),
        )
        with self._lock:
            number = len(self._received)
            self._received.append(received)
        (self.folder / f"{number:06}.eml").write_bytes(received.content)
        paths = {"sender": received.sender, "recipient": received.recipient}
        (self.folder / f"{number:06}.json").write_text(json.dumps(paths))

    @staticmethod
    def _drop(server: SMTP) -> None:
        server.transport.abort()
        raise asyncio.CancelledError  # ends aiosmtpd's own task without an answer

    async def _start(self) -> None:
        self._server = await self._loop.create_server(self._protocol, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _protocol(self) -> SMTP:
        self.connections += 1
        options = {"loop": self._loop, "timeout": 60, "ident": "sink", "enable_SMTPUTF8": self._smtputf8}
        return SMTP(self, hostname="sink.example.org", **options)


def main() -> None:
    """Run until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=5.0)
    parser.add_argument("faults", nargs="*", choices=[*FAULTS, []], metavar="FAULT", help=", ".join(FAULTS))
    options = parser.parse_args()
    with SmtpSink(options.folder, faults=options.faults, delay=options.delay, port=options.port) as sink:
        print(sink.address, flush=True)  # noqa: T201 -- tells its port
        threading.Event().wait()


if __name__ == "__main__":
    main()
