"""Clients that want memory or time, against an intake in a process of its own, whose memory is looked at."""

import asyncio
import contextlib
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from dialogue import certificate, free_port, settings_for, stored, trusting
from mouth import Mouth

from abuse_triage.model.settings import Settings

_PROGRAM = """
import asyncio, sys
from abuse_triage import logs
from abuse_triage.model.settings import Settings
from abuse_triage.service import connection
from abuse_triage.service.intake import run_intake
from abuse_triage.store import open_store
settings = Settings.model_validate_json(sys.argv[1])
connection._GRACE_SECONDS = float(sys.argv[2])
logs.setup(settings.log)
ready = lambda: print("ready", flush=True)
asyncio.run(run_intake(settings, lambda: open_store(settings.store.path), asyncio.Event(), ready))
"""
_CLIENTS = 500
_FILES = 3000


@dataclass(frozen=True)
class Intake:
    """An intake in a process of its own."""

    settings: Settings
    pid: int

    def memory(self, name: str) -> int:
        """Return a figure of proc(5) status in bytes."""
        lines = Path(f"/proc/{self.pid}/status").read_text("ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))

    def forget_peak(self) -> int:
        """Let VmHWM begin anew; return the memory that is resident now."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5", "ascii")
        return self.memory("VmRSS")


@contextlib.contextmanager
def intake(folder: Path, *, grace: float = 60.0, **options: str | int | list[str]) -> Iterator[Intake]:
    """Run an intake while the block runs."""
    settings = settings_for(folder, free_port(), **options)
    with subprocess.Popen(
        (sys.executable, "-c", _PROGRAM, settings.model_dump_json(), str(grace)),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            assert process.stdout is not None
            while (line := process.stdout.readline()) != b"ready\n":
                assert line, "the intake did not start"
            yield Intake(settings, process.pid)
        finally:
            process.kill()


@pytest.fixture(autouse=True)
def _many_files() -> Iterator[None]:
    """Allow this process the connections of all clients."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_FILES, before[1]), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def drip(mouth: Mouth) -> list[str]:
    """Send a byte now and then until the server closes; return its last words."""
    words = asyncio.create_task(mouth.rest())
    while not words.done():
        with contextlib.suppress(ConnectionError):
            mouth.writer.write(b"x")
            await mouth.writer.drain()
        await asyncio.sleep(0.2)
    await mouth.close()
    return await words


@pytest.mark.parametrize("lmtp", [False, True])
async def test_five_hundred_slow_senders(tmp_path: Path, *, lmtp: bool) -> None:
    """500 texts that drip in are cut, with a reply, and use little memory; a report that comes meanwhile is stored."""
    with intake(tmp_path, grace=2.0, smtp_max_connections=600, smtp_min_rate=100) as server:
        before = server.forget_peak()
        slow = [await Mouth.in_data(server.settings, lmtp=lmtp) for _ in range(_CLIENTS)]
        dripping = asyncio.gather(*map(drip, slow))
        honest = await Mouth.in_data(server.settings)
        assert (await honest.say(b"Subject: honest\r\n\r\n.\r\n")).startswith("250 2.0.0 ")
        await honest.close()
        last_words = await dripping
        assert {("421 4.4.2 Too slow, closing",)} == {tuple(words) for words in last_words}
        assert server.memory("VmHWM") - before < _CLIENTS * 20_000
    assert [b"Subject: honest\r\n\r\n"] == stored(server.settings)


async def test_slow_handshakes(tmp_path: Path) -> None:
    """Clients that stall in the handshake of TLS are dropped, and others are encrypted meanwhile."""
    (tmp_path / "certificate.pem").touch(0o600)
    (tmp_path / "certificate.pem").write_bytes(certificate())
    with intake(
        tmp_path, smtp_max_connections=300, smtp_idle_timeout="1s", smtp_certificate="certificate.pem"
    ) as server:
        stalled = [await Mouth.open(server.settings) for _ in range(200)]
        for mouth in stalled:
            assert (await mouth.say(b"STARTTLS\r\n")).startswith("220 ")
            mouth.writer.write(b"\x16\x03\x01")
        quick = await Mouth.open(server.settings)
        assert (await quick.say(b"STARTTLS\r\n")).startswith("220 ")
        await quick.writer.start_tls(trusting(), server_hostname="mail.example.pt")
        assert (await quick.say(b"HELO x\r\n")).startswith("250 ")
        await quick.close()
        for mouth in stalled:
            assert [] == await mouth.rest()
            await mouth.close()


@pytest.mark.parametrize("lmtp", [False, True])
async def test_line_without_end(tmp_path: Path, *, lmtp: bool) -> None:
    """Of a line of 200 MB no more is in memory than the largest message may have."""
    with intake(tmp_path, smtp_max_message="2 MB", lmtp_keep="100 kB") as server:
        before = server.forget_peak()
        mouth = await Mouth.in_data(server.settings, lmtp=lmtp, recipients=2)
        with contextlib.suppress(ConnectionError):
            for _ in range(200):
                mouth.writer.write(b"x" * 1_000_000)
                await mouth.writer.drain()
            mouth.writer.write(b"\r\n.\r\nQUIT\r\n")
        words = await mouth.rest()
        with contextlib.suppress(ConnectionError):
            await mouth.close()
        assert server.memory("VmHWM") - before < 6_000_000
    codes = ["250 2.0.0", "250 2.0.0", "221 2.0.0"] if lmtp else ["552 5.3.4"]
    assert codes == [word[:9] for word in words]


async def test_crowd_of_strangers(tmp_path: Path) -> None:
    """However often strangers are sent away, they hold no place, and relays come in."""
    with intake(
        tmp_path, smtp_max_connections=40, smtp_max_connections_per_network=10, smtp_relays=["127.0.9.0/24"]
    ) as server:
        host, port = server.settings.smtp.listen[0].split(":")
        inside, away = [], 0
        for number in range(300):
            streams = await asyncio.open_connection(host, int(port), local_addr=(f"127.0.{number % 8 + 10}.1", 0))
            mouth = Mouth(*streams)
            inside.append(mouth)
            away += (await mouth.hear()).startswith("421 4.7.0 ")
        assert 300 - 36 == away
        relays = [Mouth(*await asyncio.open_connection(host, int(port), local_addr=("127.0.9.1", 0))) for _ in range(5)]
        assert ["220 ", "220 ", "220 ", "220 ", "421 "] == [(await relay.hear())[:4] for relay in relays]
        for mouth in inside + relays:
            await mouth.close()


async def test_idle_connections(tmp_path: Path) -> None:
    """A connection that waits costs at most 20 kB."""
    with intake(tmp_path, smtp_max_connections=1100) as server:
        first = await Mouth.open(server.settings)
        before = server.memory("VmRSS")
        idle = [await Mouth.open(server.settings, lmtp=bool(number % 2)) for number in range(1000)]
        assert server.memory("VmRSS") - before < 1000 * 20_000
        for mouth in [first, *idle]:
            await mouth.close()


async def encrypted(server: Intake) -> Mouth:
    """Return a client that has negotiated TLS and greeted."""
    mouth = await Mouth.open(server.settings)
    assert (await mouth.say(b"STARTTLS\r\n")).startswith("220 ")
    await mouth.writer.start_tls(trusting(), server_hostname="mail.example.pt")
    assert (await mouth.say(b"HELO x\r\n")).startswith("250 ")
    return mouth


def with_certificate(folder: Path) -> dict[str, str]:
    """Write a certificate; returns the option that names it."""
    (folder / "certificate.pem").touch(0o600)
    (folder / "certificate.pem").write_bytes(certificate())
    return {"smtp_certificate": "certificate.pem"}


async def test_idle_encrypted_connections(tmp_path: Path) -> None:
    """An encrypted connection that waits costs at most 32 kB, most of which OpenSSL keeps for its state."""
    with intake(tmp_path, smtp_max_connections=400, **with_certificate(tmp_path)) as server:
        first = [await encrypted(server) for _ in range(20)]
        before = server.memory("VmRSS")
        idle = [await encrypted(server) for _ in range(200)]
        assert server.memory("VmRSS") - before < 200 * 32_000
        for mouth in [*first, *idle]:
            await mouth.close()


async def test_encrypted_mail_of_many_at_once(tmp_path: Path) -> None:
    """Connections that share the buffer of TLS do not see each other's bytes: every message arrives as it was sent."""
    with intake(tmp_path, smtp_max_message="1 MB", **with_certificate(tmp_path)) as server:

        async def send(number: int) -> bytes:
            text = b"Subject: x\r\n\r\n" + b"%04d and the rest of the line\r\n" % number * 2_000
            mouth = await encrypted(server)
            await mouth.begin()
            for start in range(0, len(text), 10_007):
                mouth.writer.write(text[start : start + 10_007])
                await mouth.writer.drain()
                await asyncio.sleep(0)
            assert (await mouth.say(b".\r\n")).startswith("250 2.0.0 ")
            await mouth.close()
            return text

        sent = await asyncio.gather(*(send(number) for number in range(12)))
    assert sorted(sent) == sorted(stored(server.settings))


async def test_large_mail_beside_slow_strangers(tmp_path: Path) -> None:
    """Strangers whose large texts do not end leave memory for that of a relay; other strangers are put off."""
    with intake(tmp_path, smtp_max_message="1 MB", smtp_relays=["127.0.9.0/24"]) as server:
        host, _, port = server.settings.smtp.listen[0].rpartition(":")

        async def client(address: str) -> Mouth:
            mouth = Mouth(*await asyncio.open_connection(host, int(port), local_addr=(address, 0)))
            await mouth.hear()
            await mouth.say(b"HELO x\r\n")
            await mouth.begin()
            return mouth

        slow = [await client(f"127.0.1.{number}") for number in range(1, 7)]
        for mouth in slow:
            mouth.writer.write(b"x" * 990_000)
            await mouth.writer.drain()
        await asyncio.sleep(0.5)
        stranger, relay = await client("127.0.2.1"), await client("127.0.9.1")
        assert (await stranger.say(b"y" * 990_000 + b"\r\n.\r\n")).startswith("452 4.3.1 ")
        assert (await relay.say(b"z" * 990_000 + b"\r\n.\r\n")).startswith("250 2.0.0 ")
        await asyncio.gather(*(mouth.close() for mouth in (*slow, stranger, relay)))
    assert [990_002] == [len(raw) for raw in stored(server.settings)]
