r"""Readable SMTP dialogues: each file in tests/dialogs is played against the real intake on loopback.

The first line of a file, a comment, says what it shows. Then one step a line:

    set: smtp.max_message = 1 MB     a setting for this file
    c: MAIL FROM:<a@example.org>     the client sends this line; neighbouring lines go out together
    raw: MAIL FROM:<\x00>\r\n     these bytes, with Python's escapes
    raw*3000: RCPT TO:<x@example.pt>\r\n     the same so many times
    s: 250 2.1.0 *     the server's next line, with * and ? as in a shell
    s*20: 250 *     so many lines of this form
    closed     the server has closed the connection
    half-close     the client closes its direction
    hang-up     the client resets the connection
    sleep: 0.3     seconds
    store: broken | mended     whether the store raises an unexpected error
    stored: 1     so many messages are stored, in all
    text: Subject: x\r\n     the text of the newest message
    envelope: a@example.org -> abuse@example.pt     sender and recipients of the newest message

A digit behind c, s, raw, closed and so on names one of several connections: c2, s2, closed2.
"""

import asyncio
import contextlib
import fnmatch
import re
import socket
import struct
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from abuse_triage.model.settings import Settings
from abuse_triage.service.commit import ArrivalStore
from abuse_triage.service.intake import run_intake
from abuse_triage.store import open_store
from abuse_triage.store.interface import MessageFilter

_STEP = re.compile(r"(c|s|raw|closed|half-close|hang-up|sleep|store|stored|text|envelope)(\d?)(?:\*(\d+))?(?:: ?(.*))?")
_PATIENCE = 10.0


def settings_for(folder: Path, port: int, **options: str | int) -> Settings:
    """Settings of an intake on loopback with two mailboxes; `options` are named like smtp_max_message."""
    sections: dict[str, dict[str, str | int]] = {"smtp": {}, "store": {}}
    for name, value in options.items():
        section, _, key = name.partition("_")
        sections[section][key] = value
    return Settings.model_validate(
        {
            "team": {"name": "CSIRT Exemplo", "ticket_prefix": "EX"},
            "mailbox": [
                {"address": "abuse@example.pt"},
                {"address": "Csirt@example.pt", "kind": "enquiry"},
            ],
            "smtp": {"listen": [f"127.0.0.1:{port}"], "hostname": "mail.example.pt"} | sections["smtp"],
            "store": {"path": str(folder / "store.sqlite"), "min_free": "1 B"} | sections["store"],
        }
    )


def free_port() -> int:
    """Find a port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def hang_up(writer: asyncio.StreamWriter) -> None:
    """Reset a connection, so that the server notices at once."""
    linger = struct.pack("ii", 1, 0)  # socket(7): close now, forget what is unsent
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


class BreakableStore:
    """The real store, which can be told to raise what no store should raise."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.broken = False
        self.gate = threading.Event()
        """Messages are stored only while it is set."""
        self.gate.set()

    def __call__(self) -> "BreakableStore":
        """Open it, in the thread that will use it."""
        self._store = open_store(self._path)
        self.accept_really, self.waiting, self.close = self._store.accept, self._store.waiting, self._store.close
        return self

    def accept(self, arrivals: object) -> None:
        """Raise, or store."""
        if self.broken:
            raise RuntimeError("password=hunter2 in table x")
        self.gate.wait(10)
        self.accept_really(arrivals)


@dataclass
class Client:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    unsent: bytes = b""

    async def flush(self) -> None:
        """Send what has been gathered; a server that closed already is no error here."""
        data, self.unsent = self.unsent, b""
        if data:
            with contextlib.suppress(ConnectionError):
                self.writer.write(data)
                await self.writer.drain()


@dataclass
class Dialogue:
    """One file being played."""

    port: int
    store: BreakableStore
    path: Path
    clients: dict[str, Client] = field(default_factory=dict)

    async def play(self, lines: list[tuple[int, str]]) -> None:
        """Take every step; raises AssertionError with the number of the line."""
        for number, line in lines:
            match = _STEP.fullmatch(line)
            assert match is not None, f"line {number}: no such step: {line}"
            verb, name, times, text = match[1], match[2], int(match[3] or 1), match[4] or ""
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._step(verb, await self._client(name), text, times)
            except TimeoutError:
                raise AssertionError(f"line {number}: nothing happened for {_PATIENCE} s: {line}") from None
            except AssertionError as error:
                raise AssertionError(f"line {number}: {line}\n{error}") from None

    async def _client(self, name: str) -> Client:
        if name not in self.clients:
            self.clients[name] = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        return self.clients[name]

    async def _step(self, verb: str, client: Client, text: str, times: int) -> None:
        if verb == "c":
            client.unsent += text.encode() + b"\r\n"
            return
        if verb == "raw":
            client.unsent += _bytes(text) * times
            return
        await client.flush()
        match verb:
            case "s":
                for _ in range(times):
                    answer = (await client.reader.readline()).decode()
                    assert answer.endswith("\r\n"), f"the server said {answer!r}"
                    assert fnmatch.fnmatchcase(answer[:-2], text), f"the server said {answer[:-2]}"
            case "closed":
                with contextlib.suppress(ConnectionError):
                    rest = await client.reader.read()
                    assert rest == b"", f"the server said {rest!r}"
            case "half-close":
                client.writer.write_eof()
            case "hang-up":
                hang_up(client.writer)
            case "sleep":
                await asyncio.sleep(float(text))
            case "store":
                self.store.broken = text == "broken"
            case _:
                self._look(verb, text)

    def _look(self, verb: str, text: str) -> None:
        store = open_store(self.path)
        try:
            messages = store.messages(MessageFilter())
            if verb == "stored":
                assert int(text) == len(messages), f"{len(messages)} are stored"
            elif verb == "text":
                raw = store.message(messages[0].id)[1]
                assert _bytes(text) == raw, f"stored is {raw!r}"
            else:
                envelope = messages[0].envelope
                shown = f"{envelope.sender} -> {' '.join(envelope.recipients)}"
                assert text.strip() == shown.strip(), f"stored is {shown}"
        finally:
            store.close()


def _bytes(text: str) -> bytes:
    return text.encode("latin-1", "backslashreplace").decode("unicode_escape").encode("latin-1")


def _steps(file: Path) -> list[tuple[int, str]]:
    """Return the steps with the numbers of their lines."""
    lines = enumerate(file.read_text("utf-8").splitlines(), 1)
    return [(number, line) for number, line in lines if line.strip() and not line.startswith("#")]


async def play(file: Path, folder: Path) -> None:
    """Play one file against an intake of its own."""
    steps = _steps(file)
    options = [line.removeprefix("set: ").split(" = ") for _, line in steps if line.startswith("set:")]
    settings = settings_for(folder, free_port(), **{key.replace(".", "_"): _value(value) for key, value in options})
    store = BreakableStore(settings.store.path)
    async with serving(settings, store):
        port = int(settings.smtp.listen[0].rpartition(":")[2])
        dialogue = Dialogue(port, store, settings.store.path)
        try:
            await dialogue.play([step for step in steps if not step[1].startswith("set:")])
        finally:
            for client in dialogue.clients.values():
                client.writer.close()
                with contextlib.suppress(ConnectionError):
                    await client.writer.wait_closed()


def _value(text: str) -> str | int:
    return int(text) if text.isdecimal() else text


Served = tuple[asyncio.Event, "asyncio.Task[None]"]
"""What stops the intake, and the task that ends then."""


@contextlib.asynccontextmanager
async def serving(settings: Settings, open_inbox: Callable[[], ArrivalStore]) -> AsyncIterator[Served]:
    """Run the intake while the block runs; it must end without an error."""
    stop, ready = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(run_intake(settings, open_inbox, stop, ready.set))
    waiter = asyncio.create_task(ready.wait())
    await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)
    waiter.cancel()
    try:
        yield stop, task
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)
