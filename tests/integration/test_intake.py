"""The intake role as a whole: binding, stopping, memory, addresses, what reaches the log."""

import asyncio
import os
import resource
import signal
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from dialogue import BreakableStore, free_port, hang_up, serving, settings_for, stored
from mouth import Mouth
from structlog.testing import capture_logs

from abuse_triage.errors import TemporaryError
from abuse_triage.service import door, intake, listen, room
from abuse_triage.service.commit import GroupCommit
from abuse_triage.service.intake import Intake, run_intake

ENVELOPE = b"HELO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<abuse@example.pt>\r\nDATA\r\n"


async def test_stop_lets_messages_arrive(tmp_path: Path) -> None:
    """At the end idle clients are sent away at once, and whoever is in DATA gets a reply before."""
    settings = settings_for(tmp_path, free_port())
    async with serving(settings, BreakableStore(settings.store.path)) as (stop, task):
        idle, busy = await Mouth.open(settings), await Mouth.in_data(settings)
        stop.set()
        assert (await idle.hear()).startswith("421 4.3.2 ")
        assert "" == await idle.hear()
        with pytest.raises(ConnectionError):
            await Mouth.open(settings)
        assert (await busy.say(b"last words\r\n.\r\n")).startswith("250 2.0.0 Accepted as ")
        assert (await busy.hear()).startswith("421 4.3.2 ")
        assert "" == await busy.hear()
        await asyncio.gather(idle.close(), busy.close())
        await asyncio.wait_for(task, 10)
    assert [b"last words\r\n"] == stored(settings)


async def test_stop_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that stays in DATA is cut when the time is over."""
    monkeypatch.setattr(intake, "_DRAIN_SECONDS", 0.2)
    settings = settings_for(tmp_path, free_port())
    async with serving(settings, BreakableStore(settings.store.path)) as (stop, task):
        busy = await Mouth.in_data(settings)
        stop.set()
        await asyncio.wait_for(task, 5)
        assert "" == await busy.hear()
        await busy.close()
    assert [] == stored(settings)


async def test_address_is_taken_for_a_moment(tmp_path: Path) -> None:
    """An address that a predecessor still holds is tried again."""
    settings = settings_for(tmp_path, free_port())
    host, _, port = settings.smtp.listen[0].rpartition(":")
    with socket.create_server((host, int(port))) as predecessor:
        asyncio.get_running_loop().call_later(0.3, predecessor.close)
        async with serving(settings, BreakableStore(settings.store.path)):
            await (await Mouth.open(settings)).close()


async def test_address_stays_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that stays taken ends the role with an error that names it."""
    monkeypatch.setattr(listen, "_BIND_SECONDS", 0.15)
    settings = settings_for(tmp_path, free_port())
    host, _, port = settings.smtp.listen[0].rpartition(":")
    with (
        socket.create_server((host, int(port))),
        pytest.raises(TemporaryError, match=f"cannot listen on {host}:{port}"),
    ):
        await run_intake(settings, BreakableStore(settings.store.path), asyncio.Event(), lambda: None)


async def test_much_mail_at_once_is_put_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large messages that would not fit into memory together get 452 after their end; small ones still arrive."""
    monkeypatch.setattr(door, "_BIG_MESSAGES", 1)
    settings = settings_for(tmp_path, free_port(), smtp_max_message="1 MB")
    async with serving(settings, BreakableStore(settings.store.path)):
        first, second, small = [await Mouth.in_data(settings) for _ in range(3)]
        first.writer.write(b"x" * 900_000)
        await first.writer.drain()
        await asyncio.sleep(0.2)
        assert (await second.say(b"y" * 900_000 + b"\r\n.\r\n")).startswith("452 4.3.1 ")
        assert (await small.say(b"z" * 100_000 + b"\r\n.\r\n")).startswith("250 ")
        assert (await first.say(b"\r\n.\r\n")).startswith("250 ")
        await second.begin()
        assert (await second.say(b"y" * 900_000 + b"\r\n.\r\n")).startswith("250 ")
        await asyncio.gather(first.close(), second.close(), small.close())
    assert [900_002, 900_002, 100_002] == [len(raw) for raw in stored(settings)]


async def test_unread_replies(tmp_path: Path) -> None:
    """A client that sends commands and never reads is dropped, and costs no memory meanwhile."""
    settings = settings_for(tmp_path, free_port(), smtp_idle_timeout="500ms", smtp_max_commands=10_000_000)
    with capture_logs() as logs:
        async with serving(settings, BreakableStore(settings.store.path)):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # so that few replies fill it
            host, _, port = settings.smtp.listen[0].rpartition(":")
            client.connect((host, int(port)))
            mouth = Mouth(*await asyncio.open_connection(sock=client))
            async with asyncio.timeout(60):
                with pytest.raises(ConnectionError):  # noqa: PT012 - which of the two notices is chance
                    while True:
                        mouth.writer.write(b"HELP\r\n" * 10_000)
                        await mouth.writer.drain()
    closed = next(entry for entry in logs if entry["event"] == "session-closed")
    assert "idle_timeout" == closed["cut"]
    assert closed["commands"] < 1_000_000


async def test_lost_while_it_is_stored(tmp_path: Path) -> None:
    """A client that vanishes while its message is being stored cancels nothing; the log says that it had no reply."""
    settings = settings_for(tmp_path, free_port())
    store = BreakableStore(settings.store.path)
    with capture_logs() as logs:
        async with serving(settings, store):
            mouth = await Mouth.in_data(settings)
            store.gate.clear()
            mouth.writer.write(b"x\r\n.\r\n")
            await asyncio.sleep(0.1)
            hang_up(mouth.writer)
            await asyncio.sleep(0.1)
            store.gate.set()
    assert [b"x\r\n"] == stored(settings)
    assert 1 == sum(entry["event"] == "message-unanswered" for entry in logs)


async def test_fault_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that nobody expected becomes 451 without its words, and the connection goes on."""
    settings = settings_for(tmp_path, free_port())
    async with serving(settings, BreakableStore(settings.store.path)):
        mouth = await Mouth.open(settings)

        def fail(_desk: Intake, _address: str) -> str:
            raise LookupError("secret")

        with monkeypatch.context() as patch, capture_logs() as logs:
            patch.setattr(Intake, "destination", fail)
            answers = [await mouth.say(b"HELO x\r\n"), await mouth.say(b"MAIL FROM:<a@example.org>\r\n")]
            answers.append(await mouth.say(b"RCPT TO:<abuse@example.pt>\r\n"))
        answers += [await mouth.say(b"RCPT TO:<abuse@example.pt>\r\n"), await mouth.say(b"QUIT\r\n")]
        await mouth.close()
    assert "451 4.3.0 Local trouble, try again later" == answers[2]
    assert ["250", "250", "451", "250", "221"] == [answer[:3] for answer in answers]
    assert ["smtp-trouble"] == [entry["event"] for entry in logs]


async def test_451_ends_the_time_of_data(tmp_path: Path) -> None:
    """After a message that could not be stored, the time limit of its text is over."""
    settings = settings_for(tmp_path, free_port(), smtp_data_timeout="300ms")
    store = BreakableStore(settings.store.path)
    async with serving(settings, store):
        mouth = await Mouth.in_data(settings)
        store.broken = True
        assert (await mouth.say(b"x\r\n.\r\n")).startswith("451 4.3.0 ")
        await asyncio.sleep(0.5)
        assert (await mouth.say(b"NOOP\r\n")).startswith("250 ")
        await mouth.close()


async def test_slow_disk_is_not_the_fault_of_the_client(tmp_path: Path) -> None:
    """While a message is being stored no time limit cuts the connection."""
    settings = settings_for(tmp_path, free_port(), smtp_data_timeout="300ms", smtp_idle_timeout="300ms")
    store = BreakableStore(settings.store.path)
    async with serving(settings, store):
        mouth = await Mouth.in_data(settings)
        store.gate.clear()
        mouth.writer.write(b"x\r\n.\r\n")
        await asyncio.sleep(1.5)
        store.gate.set()
        assert (await mouth.hear()).startswith("250 2.0.0 ")
        await mouth.close()


async def test_full_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With more messages waiting for the disk than memory should hold, the next gets 452 after its end."""
    monkeypatch.setattr(intake, "GroupCommit", partial(GroupCommit, max_count=1))
    settings = settings_for(tmp_path, free_port())
    store = BreakableStore(settings.store.path)
    async with serving(settings, store):
        first, second = [await Mouth.in_data(settings) for _ in range(2)]
        store.gate.clear()
        first.writer.write(b"x\r\n.\r\n")
        await asyncio.sleep(0.1)
        assert (await second.say(b"x\r\n.\r\n")).startswith("452 4.3.1 ")
        store.gate.set()
        assert (await first.hear()).startswith("250 2.0.0 ")
        await asyncio.gather(first.close(), second.close())


async def test_files_for_all_connections(tmp_path: Path) -> None:
    """The limit of open files is raised to what the configured connections need."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, before[1]))
    try:
        settings = settings_for(tmp_path, free_port(), smtp_max_connections=400)
        async with serving(settings, BreakableStore(settings.store.path)):
            assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 400
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_log_names_no_address(tmp_path: Path) -> None:
    """Above debug the log has id, size and peer of what was accepted, counts of what was refused, and no address."""
    settings = settings_for(tmp_path, free_port())
    with capture_logs() as logs:
        async with serving(settings, BreakableStore(settings.store.path)):
            mouth = await Mouth.open(settings)
            for command in (
                b"HELO evil.example\r\n",
                b"MAIL FROM:<x@secret.example>\r\n",
                b"RCPT TO:<a@b.example>\r\n",
            ):
                await mouth.say(command)
            for command in (b"RCPT TO:<abuse@example.pt>\r\n", b"DATA\r\n", b"text\r\n.\r\n"):
                answer = await mouth.say(command)
            await mouth.close()
    shown = [entry for entry in logs if entry["log_level"] != "debug"]
    accepted = next(entry for entry in shown if entry["event"] == "message-accepted")
    assert (answer.rpartition(" ")[2], 6, "127.0.0.1", 1) == tuple(
        accepted[key] for key in ("id", "size", "peer", "recipients")
    )
    closed = next(entry for entry in shown if entry["event"] == "session-closed")
    assert {"550 5.1.1": 1} == closed["refused"]
    assert "example" not in str(shown)


async def test_full_is_logged_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That there is no room is logged when it begins and when it ends, and known for at most a second."""
    settings = settings_for(tmp_path, free_port(), store_min_free="1 kB")
    commit = GroupCommit(BreakableStore(settings.store.path))
    free = 0
    monkeypatch.setattr(room, "free_bytes", lambda _folder: free)
    monkeypatch.setattr(intake, "_ROOM_SECONDS", 0.0)
    desk = Intake(settings, commit)
    with capture_logs() as logs:
        assert [False, False] == [await desk.has_room() for _ in range(2)]
        free = 5000
        assert [True, True] == [await desk.has_room() for _ in range(2)]
        monkeypatch.setattr(intake, "_ROOM_SECONDS", 1.0)
        free = 0
        assert await desk.has_room()
    await commit.close()
    assert [("intake-full", "disk"), ("intake-open", None)] == [(entry["event"], entry.get("reason")) for entry in logs]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("ABUSE@Example.PT", ("abuse@example.pt", "")),
        ("csirt+EX-1+y@example.pt", ("csirt@example.pt", "EX-1+y")),
        ("abuse+@example.pt", ("abuse@example.pt", "")),
        ("abusex@example.pt", None),
        ("+abuse@example.pt", None),
        ("abuse@example.pt.example.org", None),
        ("abuse", None),
        ("<>", None),
    ],
)
async def test_mailbox(tmp_path: Path, address: str, expected: tuple[str, str] | None) -> None:
    """Only configured mailboxes exist, whatever the case; anything may stand behind a plus, and is kept as written."""
    settings = settings_for(tmp_path, free_port())
    commit = GroupCommit(BreakableStore(settings.store.path))
    assert expected == Intake(settings, commit).destination(address)
    await commit.close()


@pytest.mark.parametrize(("failpoint", "kept"), [("intake.before-commit", 0), ("intake.after-commit", 1)])
def test_killed_at_the_commit(tmp_path: Path, failpoint: str, kept: int) -> None:
    """Killed before the commit nothing is stored, killed after it the message is; neither client had a reply."""
    program = (
        "import asyncio, sys; from pathlib import Path; from dialogue import *\n"
        "folder, port = Path(sys.argv[1]), int(sys.argv[2])\n"
        "settings = settings_for(folder, port)\n"
        "asyncio.run(run_intake(settings, lambda: open_store(settings.store.path), asyncio.Event(), "
        "lambda: print('ready', flush=True)))"
    )
    settings = settings_for(tmp_path, free_port())
    port = settings.smtp.listen[0].rpartition(":")[2]
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path), port],
        env=os.environ | {"ABUSE_TRIAGE_FAILPOINT": failpoint, "PYTHONPATH": str(Path(__file__).parent.parent)},
        stdout=subprocess.PIPE,
    )
    with process, socket.socket() as client:
        assert process.stdout is not None
        while process.stdout.readline() != b"ready\n":
            assert process.poll() is None
        client.connect(("127.0.0.1", int(port)))
        client.sendall(ENVELOPE + b"x\r\n.\r\n")
        answers = b""
        try:
            while data := client.recv(1000):
                answers += data
        except ConnectionError:
            pass
    assert -signal.SIGKILL == process.returncode
    assert b"Accepted" not in answers
    assert kept == len(stored(settings))
