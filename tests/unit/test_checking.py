"""The checker process and its client: what is asked, what comes back, and what becomes of a process that misbehaves."""

import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from daemon import write_config
from proving import Prover, key_records, letter, rsa, signed
from servers.nsd import NameServer
from servers.resolvers import FakeResolver, texts
from structlog.testing import capture_logs

from abuse_triage import config
from abuse_triage.model.message import Arrival, Authentication, Channel, Envelope
from abuse_triage.model.settings import LimitSettings, Settings
from abuse_triage.service import checker, checking, wire
from abuse_triage.service.checker import LARGEST, TEMPORARY, Request, Start
from abuse_triage.service.checking import Checker

HOSTILE = Path(__file__).resolve().parents[1] / "hostile_checker.py"
Made = Callable[..., Checker]
PROVEN = Authentication(spf="pass", dkim="pass", dmarc="pass", spf_aligned=True, dkim_aligned=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NameServer]:
    """A name server in which example.pt proves everything."""
    zone = '@ IN TXT "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all"\n_dmarc IN TXT "v=DMARC1; p=reject"\n'
    with NameServer(tmp_path_factory.mktemp("nsd"), {"example.pt": zone + key_records(s1=rsa(2048))}) as started:
        yield started


@pytest.fixture
def made(tmp_path: Path, server: NameServer) -> Iterator[Made]:
    """Give a function that makes checkers with other settings of [authentication]; all of them are closed."""
    loaded = config.load(write_config(tmp_path))
    checkers: list[Checker] = []

    def make(*, relays: tuple[str, ...] = ("127.0.0.0/8",), **authentication: object) -> Checker:
        given = {"check": True, "resolver": (server.address,), **authentication}
        changed: Settings = loaded.model_copy(
            update={
                "authentication": loaded.authentication.model_copy(update=given),
                "smtp": loaded.smtp.model_copy(update={"relays": tuple(ip_network(relay) for relay in relays)}),
            }
        )
        checkers.append(Checker(changed))
        return checkers[-1]

    yield make
    for one in checkers:
        one.close()


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Let checkers do what messages say; returns the file that is their standard error."""
    stderr = tmp_path / "stderr"
    monkeypatch.setattr(checking, "_COMMAND", (sys.executable, str(HOSTILE), str(stderr)))
    return stderr


def arrival(raw: bytes = b"", *, peer: str = "192.0.2.1", channel: Channel = Channel.SMTP, **more: object) -> Arrival:
    """Make a message as it comes from the store."""
    return Arrival(
        id="0" * 26,
        received_at=datetime.now(UTC),
        envelope=Envelope(
            sender=str(more.get("sender", "rita@example.pt")),
            recipients=("abuse@example.pt",),
            channel=channel,
            peer=peer,
            helo="mx.example.pt",
        ),
        raw=raw or signed(letter(), rsa(2048)),
        truncated=bool(more.get("truncated")),
    )


def pid_of(one: Checker) -> int:
    """Return the id of the process behind a checker."""
    process = one._process
    assert process is not None
    return process.pid


def test_one_process_checks_message_after_message(made: Made) -> None:
    """What comes back is what the name server proves, and the process stays the same."""
    one = made()
    with capture_logs() as logs:
        results = [one.submit(arrival()) for _ in range(20)]
        assert {PROVEN} == {result.result(10) for result in results}
        pid = pid_of(one)
        assert "fail" == one.submit(arrival(letter(), peer="198.51.100.1")).result(10).dmarc
        assert pid == pid_of(one)
    assert {"sender-checked"} == {line["event"] for line in logs}
    assert {"debug"} == {line["log_level"] for line in logs}
    assert "@" not in str(logs)


@pytest.mark.parametrize(
    ("peer", "channel", "asked"),
    [
        ("192.0.2.1", Channel.SMTP, "192.0.2.1"),
        ("::ffff:192.0.2.1", Channel.SMTP, "192.0.2.1"),
        ("2001:db8::1", Channel.SMTP, "2001:db8::1"),
        ("203.0.113.9", Channel.SMTP, ""),
        ("::ffff:203.0.113.9", Channel.SMTP, ""),
        ("2001:db8:f::9", Channel.SMTP, ""),
        ("", Channel.SMTP, ""),
        ("not an address", Channel.SMTP, ""),
        ("192.0.2.1", Channel.LMTP, ""),
        ("192.0.2.1", Channel.FILE, ""),
        ("192.0.2.1", Channel.IMAP, ""),
    ],
)
def test_spf_is_for_clients_that_are_no_relays(made: Made, peer: str, channel: Channel, asked: str) -> None:
    """Only who delivers directly has an address that SPF can judge."""
    assert asked == made(relays=("203.0.113.0/24", "2001:db8:f::/48"))._client(arrival(peer=peer, channel=channel))


def test_behind_a_relay_the_signature_is_what_counts(made: Made) -> None:
    """SPF is not asked about our own mail hosts, and its absence is no failure."""
    one = made(relays=("192.0.2.0/24",))
    assert Authentication(dkim="pass", dmarc="pass", dkim_aligned=True) == one.submit(arrival()).result(10)
    assert Authentication(dmarc="none") == one.submit(arrival(letter())).result(10)


@pytest.mark.parametrize("raw", [letter(body=b"x" * LARGEST), letter()], ids=["too large", "truncated"])
def test_of_a_message_that_is_not_whole_only_spf_is_checked(made: Made, raw: bytes) -> None:
    """Nothing follows from a signature that cannot be compared."""
    big = signed(raw, rsa(2048))
    one = made()
    proven = one.submit(arrival(big, truncated=len(raw) < LARGEST)).result(10)
    assert Authentication(spf="pass", dmarc="pass", spf_aligned=True) == proven
    assert Authentication(spf="fail", dmarc="none") == one.submit(
        arrival(big, truncated=len(raw) < LARGEST, peer="198.51.100.1")
    ).result(10)


def test_a_large_message_is_checked_whole(made: Made) -> None:
    """Up to the limit the signature counts."""
    raw = signed(letter(body=b"x \r\n" * 2_000_000), rsa(2048))
    assert PROVEN == made(timeout=timedelta(seconds=20)).submit(arrival(raw)).result(30)


def test_what_is_over_the_memory_of_the_checker_has_no_result(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many large messages at once do not exhaust it."""
    monkeypatch.setattr(checking, "_MOST_WAITING", 10_000)
    with FakeResolver() as silent:
        one = made(resolver=(silent.address,), timeout=timedelta(seconds=1))
        first, second = one.submit(arrival(letter(body=b"x" * 9_000))), one.submit(arrival())
        assert second.done()
        assert TEMPORARY == second.result()
        assert "temperror" == first.result(10).dmarc


def test_a_slow_resolver_makes_no_batch_wait(made: Made) -> None:
    """Of fifty messages from fifty domains a few questions go out until the breaker opens; then there are none."""
    with FakeResolver() as silent, capture_logs() as logs:
        one = made(resolver=(silent.address,), timeout=timedelta(seconds=1))
        batch = [
            arrival(letter(f"rita@d{number}.example.net"), sender=f"rita@d{number}.example.net") for number in range(50)
        ]
        results = [one.submit(message) for message in batch]
        assert {("temperror", "none", "temperror")} == {
            (result.result(10).spf, result.result(10).dkim, result.result(10).dmarc) for result in results
        }
        asked = len(silent.questions)
        assert 5 <= asked <= 2 * len(batch) + 1
        assert 1 == silent.questions.count(". IN NS")
        assert "temperror" == one.submit(batch[0]).result(10).dmarc
        assert asked == len(silent.questions)
    assert 1 == [line["event"] for line in logs].count("resolver-unreachable")
    assert "checker-failed" not in {line["event"] for line in logs}


def test_a_resolver_that_comes_back_is_announced(made: Made) -> None:
    """The log says when it is gone and when it is back, once each."""
    one = made()
    with capture_logs() as logs:
        for number, unreachable in enumerate([False, True, True, False, False]):
            one._waiting[number] = checking._Waiting("id", 1, 0.0, Future())
            one._take(checker.Answer(number=number, proven=PROVEN, notes=("n",), unreachable=unreachable))
    assert ["resolver-unreachable", "resolver-back"] == [
        line["event"] for line in logs if line["event"] != "sender-checked"
    ]


@pytest.mark.parametrize("order", [b"write", b"open many sockets", b"eat memory"])
def test_what_is_forbidden_to_a_checker_fails(made: Made, hostile: Path, order: bytes) -> None:
    """It writes no file, and has so many sockets and so much memory; the message has no result, the process lives."""
    one = made()
    with capture_logs() as logs:
        assert TEMPORARY == one.submit(arrival(order + b"\r\n\r\n")).result(10)
    assert [(("OSError",),), (("MemoryError",),)][order == b"eat memory"] == tuple(line["notes"] for line in logs)
    assert PROVEN == one.submit(arrival()).result(10)
    assert b"" == hostile.read_bytes()


@pytest.mark.parametrize(
    ("order", "error", "code"),
    [
        (b"die", "the other process closed its end", 3),
        (b"answer nonsense", "the answer made no sense", None),
        (b"answer nobody", "the answer is to no question", None),
        (b"answer too much", "a frame of 1000000 bytes is over the limit of 100000", None),
    ],
    ids=lambda value: value.decode() if isinstance(value, bytes) else "",
)
def test_a_checker_that_misbehaves_is_replaced(
    made: Made, hostile: Path, order: bytes, error: str, code: int | None
) -> None:
    """What a message makes its checker do costs that process; the next message is checked."""
    one = made(timeout=timedelta(seconds=3))
    with capture_logs() as logs:
        assert TEMPORARY == one.submit(arrival(order + b"\r\n\r\n")).result(10)
    failure = {"event": "checker-failed", "log_level": "warning", "error": error, "code": code, "messages": 1}
    assert failure in [line | {"messages": 1} for line in logs]
    assert PROVEN == one.submit(arrival()).result(10)
    assert b"" == hostile.read_bytes()


@pytest.mark.usefixtures("hostile")
def test_an_endless_loop_ends_after_the_deadline(made: Made) -> None:
    """A message that never ends costs its own result, not the process of the decider; the next ones are checked."""
    one = made(timeout=timedelta(seconds=1))
    assert PROVEN == one.submit(arrival()).result(10)
    began = time.monotonic()
    with capture_logs() as logs:
        looping, beside = one.submit(arrival(b"loop\r\n\r\n")), one.submit(arrival())
        assert TEMPORARY == looping.result(10)
        assert beside.result(10) in {PROVEN, TEMPORARY}
    assert time.monotonic() - began < 5
    assert "the deadline passed" in [line.get("error") for line in logs]
    assert PROVEN == one.submit(arrival()).result(10)


def test_a_checker_that_was_killed_is_replaced(made: Made) -> None:
    """Messages that it had get no result, whoever killed it."""
    with FakeResolver() as silent:
        one = made(resolver=(silent.address,), timeout=timedelta(seconds=5))
        waiting = one.submit(arrival())
        first = pid_of(one)
        process = one._process
        assert process is not None
        process.kill()
        assert TEMPORARY == waiting.result(10)
        one.submit(arrival())
        assert first != pid_of(one)


@pytest.mark.parametrize(
    ("command", "error", "code"),
    [
        (("/nowhere/python",), "No such file", None),
        ((sys.executable, "-c", "raise SystemExit(4)"), "the other process closed its end", 4),
        ((sys.executable, "-c", "import os; os.read(0, 9); os.write(1, b'\\0\\0\\0\\2no')"), "no", 0),
    ],
    ids=["absent", "refuses", "says no"],
)
def test_a_checker_that_cannot_start_is_no_fault_of_a_message(
    made: Made, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], error: str, code: int | None
) -> None:
    """All get no result, without a wait, and after a pause it is tried again."""
    one = made()
    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr(checking, "_COMMAND", command)
        for _ in range(3):
            assert TEMPORARY == one.submit(arrival()).result(0)
    assert [("checker-failed", code)] == [(line["event"], line["code"]) for line in logs]
    assert error in logs[0]["error"]
    monkeypatch.setattr(one, "_not_before", 0.0)
    assert PROVEN == one.submit(arrival()).result(10)


def test_a_pipe_that_is_stuck_is_given_up(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that takes no message any more is ended at the deadline."""
    stuck = "import os, time; os.read(0, 99999); os.write(1, b'\\0\\0\\0\\5ready'); time.sleep(60)"
    monkeypatch.setattr(checking, "_COMMAND", (sys.executable, "-c", stuck))
    one = made(timeout=timedelta(milliseconds=200))
    assert TEMPORARY == one.submit(arrival(b"x" * 1_000_000)).result(5)


def test_closing_gives_up_what_waits_and_may_be_done_twice(made: Made) -> None:
    """A stop does not wait for DNS."""
    with FakeResolver() as silent:
        one = made(resolver=(silent.address,), timeout=timedelta(seconds=30))
        one.close()
        waiting = one.submit(arrival())
        one.close()
        assert TEMPORARY == waiting.result(0)
        one.close()


def test_the_process_is_told_its_limits_and_ends_with_its_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first frame is the start, "ready" comes after the limits are set, each message is answered."""
    with FakeResolver(texts('"v=spf1 +all"')) as fake:
        start = Start(servers=(fake.address,), timeout=5, limits=LimitSettings(), memory=10**9)
        request = Request(
            number=7, sender="rita@example.pt", helo="", peer="192.0.2.1", whole=True, deadline=time.monotonic() + 5
        )
        frames = [checker.START.dump_json(start), checker.REQUEST.dump_json(request), letter()]
        events: list[object] = []

        def receive(_fd: int, _limit: int) -> bytes:
            if not frames:
                raise wire.WireError("the other process closed its end")
            return frames.pop(0)

        monkeypatch.setattr(wire, "receive", receive)
        monkeypatch.setattr(wire, "send", lambda _fd, payload: events.append(payload))
        monkeypatch.setattr(resource, "setrlimit", lambda name, values: events.append((name, values)))
        before = signal.getsignal(signal.SIGINT)
        try:
            checker.main()
        finally:
            signal.signal(signal.SIGINT, before)
            threading.stack_size(0)
    assert {
        (resource.RLIMIT_CORE, (0, 0)),
        (resource.RLIMIT_FSIZE, (0, 0)),
        (resource.RLIMIT_AS, (10**9, 10**9)),
        (resource.RLIMIT_NOFILE, (131, 131)),
    } == set(events[:4])  # type: ignore[arg-type]  # tuples only
    assert b"ready" == events[4]
    answers = [checker.ANSWER.validate_json(event) for event in events[5:] if isinstance(event, bytes)]
    assert [(7, "pass")] == [(answer.number, answer.proven.spf) for answer in answers]


def test_what_nobody_thought_of_is_no_result() -> None:
    """An error of our own in the check proves nothing, and is said."""
    answer = Prover("127.0.0.1:9").answer(letter(), peer="no address", sender="rita@example.pt")
    assert (TEMPORARY, ("ValueError",)) == (answer.proven, answer.notes)


def test_only_the_operators_resolver_is_spoken_to_and_no_configuration_of_the_system_read(server: NameServer) -> None:
    """What the interpreter opens and connects to while a message is checked is on a list of one."""
    program = f"""
import sys
sys.path[:0] = {sys.path!r}
opened, spoken = [], set()
def hook(event, given):
    if event == "open" and str(given[0]).startswith("/etc/"):
        opened.append(given[0])
    elif event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
        spoken.add(str(given[1]))
sys.addaudithook(hook)
from proving import Prover, letter
raw = sys.stdin.buffer.read()
print(Prover("{server.address}").prove(raw, sender="rita@example.pt", peer="192.0.2.1").dmarc, opened, spoken)
"""
    raw = signed(letter(), rsa(2048))
    done = subprocess.run((sys.executable, "-c", program), input=raw, capture_output=True, check=True)
    port = server.address.rpartition(":")[2]
    assert f"pass [] {{\"('127.0.0.1', {port})\"}}\n" == done.stdout.decode()


def test_nothing_that_asks_dns_is_imported_where_nobody_checks() -> None:
    """The processes of a daemon without the check, and even the client of the checker, have no DNS in them."""
    modules = ["roles", "triage", "reader", "supervisor", "checking", "checker"]
    program = "; ".join(f"import abuse_triage.service.{name}" for name in modules)
    program += "; import sys; print(sorted({'dns', 'dkim', 'spf', 'nacl'} & set(sys.modules)))"
    done = subprocess.run((sys.executable, "-c", program), capture_output=True, check=True)
    assert b"[]\n" == done.stdout
