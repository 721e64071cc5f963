"""LMTP beyond what dialogues show: on every way a text gets one reply for each recipient, and never one for good."""

import asyncio
import random
import smtplib
from functools import partial
from pathlib import Path

import pytest
from daemon import Daemon, report
from dialogue import BreakableStore, free_port, serving, settings_for, stored
from mouth import MAIL, Mouth
from structlog.testing import capture_logs

from abuse_triage.errors import TemporaryError
from abuse_triage.model.message import Channel
from abuse_triage.service import door, intake
from abuse_triage.service.commit import GroupCommit
from abuse_triage.service.intake import Intake
from abuse_triage.service.transparency import MessageText
from abuse_triage.store.interface import TicketFilter

_RECIPIENTS = (
    b"abuse@example.pt",
    b"csirt@example.pt",
    b"Abuse+x@example.pt",
    b"nobody@example.pt",
    b"csirt@x.example",
)


async def test_as_many_replies_as_recipients(tmp_path: Path) -> None:
    """Whatever is said at RCPT, in bursts or not: a text gets as many replies as recipients were accepted."""
    settings = settings_for(tmp_path, free_port(), smtp_max_errors=10_000, smtp_max_recipients=6)
    chance = random.Random(6)
    async with serving(settings, BreakableStore(settings.store.path)):
        mouth = await Mouth.open(settings, lmtp=True)
        await mouth.say(b"LHLO x\r\n")
        for _ in range(5):
            await mouth.hear()
        for _ in range(60):
            chosen = [chance.choice(_RECIPIENTS) for _ in range(chance.randrange(9))]
            mouth.writer.write(MAIL + b"".join(b"RCPT TO:<" + one + b">\r\n" for one in chosen))
            answers = [await mouth.hear() for _ in range(1 + len(chosen))][1:]
            accepted = sum(answer.startswith("250 ") for answer in answers)
            assert accepted == min(6, sum(one in _RECIPIENTS[:3] for one in chosen))
            assert (await mouth.say(b"DATA\r\n")).startswith("354 " if accepted else "503 ")
            text = b"x\r\n.\r\n" if accepted else b""
            replies = [await mouth.say(text + b"RSET\r\n")]
            replies += [await mouth.hear() for _ in range(accepted)]
            assert ["250 2.0.0 Accepted"] * accepted + ["250 2.0.0 Ok"] == [reply[:18] for reply in replies]
        await mouth.close()


async def test_on_a_port(tmp_path: Path) -> None:
    """LMTP is served on TCP as well, and then has a peer."""
    settings = settings_for(tmp_path, free_port(), lmtp_listen=[f"127.0.0.1:{free_port()}"])
    store = BreakableStore(settings.store.path)
    async with serving(settings, store):
        mouth = await Mouth.in_data(settings, lmtp=True)
        assert (await mouth.say(b"x\r\n.\r\n")).startswith("250 2.0.0 Accepted as ")
        await mouth.close()
    assert store.last is not None
    assert (Channel.LMTP, "127.0.0.1", "x") == (
        store.last.envelope.channel,
        store.last.envelope.peer,
        store.last.envelope.helo,
    )


async def test_socket_has_no_peer(tmp_path: Path) -> None:
    """Who comes by the socket has no address."""
    settings = settings_for(tmp_path, free_port())
    store = BreakableStore(settings.store.path)
    async with serving(settings, store):
        mouth = await Mouth.in_data(settings, lmtp=True)
        assert (await mouth.say(b"x\r\n.\r\n")).startswith("250 2.0.0 Accepted as ")
        await mouth.close()
    assert store.last is not None
    assert "" == store.last.envelope.peer


async def test_memory_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large messages that do not fit into memory together are put off for each recipient, and stored the next time."""
    monkeypatch.setattr(door, "_BIG_MESSAGES", 1)
    settings = settings_for(tmp_path, free_port(), smtp_max_message="1 MB", lmtp_keep="10 kB")
    async with serving(settings, BreakableStore(settings.store.path)):
        first = await Mouth.in_data(settings, lmtp=True)
        second = await Mouth.in_data(settings, lmtp=True, recipients=3)
        first.writer.write(b"x" * 900_000)
        await first.writer.drain()
        await asyncio.sleep(0.2)
        replies = [await second.say(b"y" * 900_000 + b"\r\n.\r\n"), await second.hear(), await second.hear()]
        assert ["452 4.3.1"] * 3 == [reply[:9] for reply in replies]
        await second.begin()
        assert (await second.say(b"y" * 5_000_000 + b"\r\n.\r\n")).startswith("452 4.3.1 ")
        assert (await first.say(b"\r\n.\r\n")).startswith("250 ")
        await second.begin(2)
        replies = [await second.say(b"y" * 5_000_000 + b"\r\n.\r\n"), await second.hear()]
        assert ["250 2.0.0"] * 2 == [reply[:9] for reply in replies]
        await asyncio.gather(first.close(), second.close())
    assert [10_000, 900_002] == [len(raw) for raw in stored(settings)]


async def test_queue_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With more messages waiting for the disk than memory should hold, each recipient is put off."""
    monkeypatch.setattr(intake, "GroupCommit", partial(GroupCommit, max_count=1))
    settings = settings_for(tmp_path, free_port())
    store = BreakableStore(settings.store.path)
    async with serving(settings, store):
        first, second = [await Mouth.in_data(settings, lmtp=True, recipients=2) for _ in range(2)]
        store.gate.clear()
        first.writer.write(b"x\r\n.\r\n")
        await asyncio.sleep(0.1)
        replies = [await second.say(b"x\r\n.\r\n"), await second.hear()]
        store.gate.set()
        replies += [await first.hear(), await first.hear()]
        await asyncio.gather(first.close(), second.close())
    assert ["452 4.3.1"] * 2 + ["250 2.0.0"] * 2 == [reply[:9] for reply in replies]


async def test_shutdown(tmp_path: Path) -> None:
    """At the end a message on its way gets its replies before the farewell."""
    settings = settings_for(tmp_path, free_port())
    async with serving(settings, BreakableStore(settings.store.path)) as (stop, _task):
        mouth = await Mouth.in_data(settings, lmtp=True, recipients=2)
        stop.set()
        await asyncio.sleep(0.1)
        mouth.writer.write(b"x\r\n.\r\n")
        assert ["250 2.0.0", "250 2.0.0", "421 4.3.2"] == [line[:9] for line in await mouth.rest()]
        await mouth.close()
    assert [b"x\r\n"] == stored(settings)


@pytest.mark.parametrize("lmtp", [False, True])
async def test_fault_in_the_middle_of_a_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, lmtp: bool) -> None:
    """After a fault of ours the rest of a text is not taken for commands: each recipient is put off, no more."""
    settings = settings_for(tmp_path, free_port())

    def fail(_text: MessageText, _piece: bytes) -> None:
        raise MemoryError

    async with serving(settings, BreakableStore(settings.store.path)):
        mouth = await Mouth.in_data(settings, lmtp=lmtp, recipients=2)
        monkeypatch.setattr(MessageText, "feed", fail)
        with capture_logs() as logs:
            mouth.writer.write(b"x" * 200_000 + b"\r\nMAIL FROM:<evil@example.net>\r\nNOOP\r\n")
            lines = await mouth.rest()
            await mouth.close()
            await asyncio.sleep(0.05)
    assert ["421 4.3.0"] * (2 if lmtp else 1) == [line[:9] for line in lines]
    assert ["smtp-trouble", "session-closed"] == [entry["event"] for entry in logs]
    assert "trouble" == logs[1]["cut"]


async def test_trouble_at_one_recipient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours at one RCPT does not take back the others: their DATA is not refused for good."""
    settings = settings_for(tmp_path, free_port())
    really = Intake.destination

    def fail(desk: Intake, address: str) -> door.Destination | None:
        if address.startswith("csirt"):
            raise TemporaryError("not now")
        return really(desk, address)

    monkeypatch.setattr(Intake, "destination", fail)
    async with serving(settings, BreakableStore(settings.store.path)):
        mouth = await Mouth.open(settings, lmtp=True)
        mouth.writer.write(b"LHLO x\r\n" + MAIL + b"RCPT TO:<abuse@example.pt>\r\nRCPT TO:<csirt@example.pt>\r\n")
        mouth.writer.write(b"DATA\r\nx\r\n.\r\nQUIT\r\n")
        lines = await mouth.rest()
        await mouth.close()
    assert ["250 2.1.0", "250 2.1.5", "451 4.3.0", "354 End d", "250 2.0.0", "221 2.0.0"] == [
        line[:9] for line in lines[6:]
    ]


async def test_lost_while_it_is_stored(tmp_path: Path) -> None:
    """A client that closes its direction while its message is being stored still gets a reply for each recipient."""
    settings = settings_for(tmp_path, free_port())
    store = BreakableStore(settings.store.path)
    async with serving(settings, store):
        mouth = await Mouth.in_data(settings, lmtp=True, recipients=2)
        store.gate.clear()
        mouth.writer.write(b"x\r\n.\r\n")
        mouth.writer.write_eof()
        await asyncio.sleep(0.1)
        store.gate.set()
        assert ["250 2.0.0"] * 2 == [line[:9] for line in await mouth.rest()]
        await mouth.close()


def test_through_the_whole_daemon(tmp_path: Path) -> None:
    """The standard library's client delivers over the socket of the daemon, and the report becomes a ticket."""
    path = tmp_path / "lmtp"
    with Daemon(tmp_path, extra=f'\n[lmtp]\nlisten = ["{path}"]\nsocket_mode = "600"\n') as daemon:
        daemon.start()
        with smtplib.LMTP(str(path)) as client:
            client.ehlo("mx.example.pt")
            client.mail("reporter@example.com")
            answers = [client.rcpt(f"{name}@example.pt")[0] for name in ("abuse", "nobody", "csirt")]
            answers += [client.data(report(1))[0], client.getreply()[0]]  # the library expects one reply only
        assert [250, 550, 250, 250, 250] == answers
        daemon.drain()
        assert 1 == len(daemon.store().tickets(TicketFilter()))
        daemon.stop()
    assert not path.exists()
