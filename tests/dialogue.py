r"""Readable dialogues: each file in tests/dialogs is played against the real intake.

*.smtp is played on a port of loopback, *.lmtp on a unix socket. The first line of a file, a comment, says what it
shows. Then one step a line:

    set: smtp.max_message = 1 MB     a setting for this file; "certificate.pem" is made where it is named
    set: grace = 0.3     seconds in which a text may be slower than smtp.min_rate
    c: MAIL FROM:<a@example.org>     the client sends this line; neighbouring lines go out together
    raw: MAIL FROM:<\x00>\r\n     these bytes, with Python's escapes
    raw*3000: RCPT TO:<x@example.pt>\r\n     the same so many times
    s: 250 2.1.0 *     the server's next line, with * and ? as in a shell
    s*20: 250 *     so many lines of this form
    closed     the server has closed the connection; "closed: anything" where its last words do not matter
    half-close     the client closes its direction
    hang-up     the client resets the connection
    tls     the client negotiates TLS; "tls: fails" where the server does not
    from: 127.0.2.1     the address that the client connects from
    sleep: 0.3     seconds
    store: broken | mended     whether the store raises an unexpected error
    stored: 1     so many messages are stored, in all
    text: Subject: x\r\n     the text of the newest message
    size: 1000     how long that is; "starts: Subject: x" how it begins
    envelope: a@example.org -> abuse@example.pt     sender and recipients of the newest message
    arrived: lmtp tls truncated +EX-1     how that came: channel, tls, truncated, what stood behind each "+"

A digit behind c, s, raw, closed and so on names one of several connections: c2, s2, closed2.
"""

import asyncio
import contextlib
import fnmatch
import json
import re
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from abuse_triage.model.message import Arrival
from abuse_triage.model.settings import Settings
from abuse_triage.service import connection
from abuse_triage.service.commit import ArrivalStore
from abuse_triage.service.intake import run_intake
from abuse_triage.store import open_store
from abuse_triage.store.interface import MessageFilter

_ABOUT_THE_NEWEST = ("text", "size", "starts", "envelope", "arrived")
_VERBS = "|".join(("c|s|raw|from|closed|half-close|hang-up|tls|sleep|stored?", *_ABOUT_THE_NEWEST))
_STEP = re.compile(rf"({_VERBS})(\d?)(?:\*(\d+))?(?:: ?(.*))?")
_PATIENCE = 10.0

Value = str | int | list[str]


def settings_for(folder: Path, port: int, **options: Value) -> Settings:
    """Settings of an intake with two mailboxes, a port and a socket; `options` are like smtp_max_message."""
    sections: dict[str, dict[str, Value]] = {"smtp": {}, "lmtp": {}, "store": {}}
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
            "lmtp": {"listen": [str(folder / "lmtp")]} | sections["lmtp"],
            "store": {"path": str(folder / "store.sqlite"), "min_free": "1 B"} | sections["store"],
        },
        context=folder,
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


@cache
def certificate() -> bytes:
    """Make a certificate of mail.example.pt with its key, in PEM, once for all tests of a process."""
    with TemporaryDirectory() as folder:
        key, chain = Path(folder) / "key", Path(folder) / "chain"
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
        names = "-subj /CN=mail.example.pt -addext subjectAltName=DNS:mail.example.pt"
        files = ("-keyout", key, "-out", chain)
        subprocess.run((*command.split(), *names.split(), *files), check=True, capture_output=True)
        return key.read_bytes() + chain.read_bytes()


def trusting() -> ssl.SSLContext:
    """Return what a client needs that trusts the certificate of the tests."""
    context = ssl.create_default_context()
    pem = certificate().decode()
    context.load_verify_locations(cadata=pem[pem.index("-----BEGIN CERTIFICATE") :])
    return context


class BreakableStore:
    """The real store, which can be told to raise what no store should raise."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.broken = False
        self.gate = threading.Event()
        """Messages are stored only while it is set."""
        self.gate.set()
        self.last: Arrival | None = None
        """The newest message that was stored."""

    def __call__(self) -> "BreakableStore":
        """Open it, in the thread that will use it."""
        self._store = open_store(self._path)
        self.waiting, self.close = self._store.waiting, self._store.close
        return self

    def accept(self, arrivals: Sequence[Arrival]) -> None:
        """Raise, or store."""
        if self.broken:
            raise RuntimeError("password=hunter2 in table x")
        self.gate.wait(10)
        self._store.accept(arrivals)
        self.last = arrivals[-1]


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

    async def negotiate(self, expected: str) -> None:
        """Negotiate TLS, with a server that is expected to do so, or where `expected` is "fails", not to."""
        failure = ""
        try:
            await self.writer.start_tls(trusting(), server_hostname="mail.example.pt", ssl_handshake_timeout=5)
        except OSError as error:
            failure = str(error) or type(error).__name__
        assert (expected == "fails") == bool(failure), f"TLS: {failure or 'negotiated'}"


@dataclass
class Dialogue:
    """One file being played."""

    settings: Settings
    store: BreakableStore
    lmtp: bool
    clients: dict[str, Client] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)

    async def play(self, lines: list[tuple[int, str]]) -> None:
        """Take every step; raises AssertionError with the number of the line."""
        for number, line in lines:
            match = _STEP.fullmatch(line)
            assert match is not None, f"line {number}: no such step: {line}"
            verb, name, times, text = match[1], match[2], int(match[3] or 1), match[4] or ""
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._step(verb, name, text, times)
            except TimeoutError:
                raise AssertionError(f"line {number}: nothing happened for {_PATIENCE} s: {line}") from None
            except AssertionError as error:
                raise AssertionError(f"line {number}: {line}\n{error}") from None

    async def _client(self, name: str) -> Client:
        if name not in self.clients:
            if self.lmtp:
                streams = await asyncio.open_unix_connection(self.settings.lmtp.listen[0])
            else:
                host, _, port = self.settings.smtp.listen[0].rpartition(":")
                source = (self.addresses[name], 0) if name in self.addresses else None
                streams = await asyncio.open_connection(host, int(port), local_addr=source)
            self.clients[name] = Client(*streams)
        return self.clients[name]

    async def _step(self, verb: str, name: str, text: str, times: int) -> None:
        if verb == "from":
            self.addresses[name] = text
            return
        client = await self._client(name)
        if verb in ("c", "raw"):
            client.unsent += (text.encode() + b"\r\n" if verb == "c" else _bytes(text)) * times
            return
        await client.flush()
        if verb in ("store", "stored", *_ABOUT_THE_NEWEST):
            self._look(verb, text)
        else:
            await _talk(client, verb, text, times)

    def _look(self, verb: str, text: str) -> None:
        if verb == "store":
            self.store.broken = text == "broken"
        elif verb == "stored":
            assert int(text) == len(stored(self.settings)), f"{len(stored(self.settings))} are stored"
        else:
            expected, shown = self._newest(verb, text)
            assert expected == shown, f"stored is {shown!r}"

    def _newest(self, verb: str, text: str) -> tuple[object, object]:
        """Return what is expected of the newest message, and what is stored."""
        raw = stored(self.settings)[0]
        assert self.store.last is not None
        envelope = self.store.last.envelope
        match verb:
            case "text":
                return _bytes(text), raw
            case "size":
                return int(text), len(raw)
            case "starts":
                return _bytes(text), raw[: len(_bytes(text))]
            case "envelope":
                return text.strip(), f"{envelope.sender} -> {' '.join(envelope.recipients)}".strip()
            case _:
                words = [envelope.channel.value, "tls" * envelope.tls, "truncated" * self.store.last.truncated]
                return text, " ".join(filter(None, [*words, *(f"+{detail}" for detail in envelope.details)]))


async def _talk(client: Client, verb: str, text: str, times: int) -> None:
    """Take a step that one client sees."""
    match verb:
        case "s":
            for _ in range(times):
                answer = (await client.reader.readline()).decode()
                assert answer.endswith("\r\n"), f"the server said {answer!r}"
                assert fnmatch.fnmatchcase(answer[:-2], text), f"the server said {answer[:-2]}"
        case "closed":
            with contextlib.suppress(ConnectionError):
                rest = await client.reader.read()
                assert text or rest == b"", f"the server said {rest!r}"
        case "half-close":
            client.writer.get_extra_info("socket").shutdown(socket.SHUT_WR)  # also below TLS
        case "hang-up":
            hang_up(client.writer)
        case "tls":
            await client.negotiate(text)
        case "sleep":
            await asyncio.sleep(float(text))


def stored(settings: Settings) -> list[bytes]:
    """Return the text of every message, newest first."""
    store = open_store(settings.store.path)
    try:
        return [store.message(message.id)[1] for message in store.messages(MessageFilter(limit=10_000))]
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
    options = dict(line.removeprefix("set: ").split(" = ") for _, line in steps if line.startswith("set:"))
    grace = float(options.pop("grace", "60"))
    if "certificate.pem" in options.values():
        (folder / "certificate.pem").touch(0o600)
        (folder / "certificate.pem").write_bytes(certificate())
    settings = settings_for(
        folder, free_port(), **{key.replace(".", "_"): _value(value) for key, value in options.items()}
    )
    store = BreakableStore(settings.store.path)
    with mock.patch.object(connection, "_GRACE_SECONDS", grace):
        async with serving(settings, store):
            dialogue = Dialogue(settings, store, lmtp=file.suffix == ".lmtp")
            try:
                await dialogue.play([step for step in steps if not step[1].startswith("set:")])
            finally:
                for client in dialogue.clients.values():
                    client.writer.close()
                    with contextlib.suppress(ConnectionError):
                        await client.writer.wait_closed()


def _value(text: str) -> Value:
    return int(text) if text.isdecimal() else json.loads(text) if text.startswith("[") else text


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
