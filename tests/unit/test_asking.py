"""Questions in threads: how many at once, for how long, and that none of them holds anything up."""

import threading
import time
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from abuse_triage.lookups.client import Client
from abuse_triage.model.decision import Tlp
from abuse_triage.model.lookups import Answer, LookupKind, Result
from abuse_triage.service import asking
from abuse_triage.service.asking import Asking
from abuse_triage.store.lookups import Task


class Gate:
    """A client whose server answers once the gate is open."""

    def __init__(self, name: str = "rdap.example") -> None:
        self.name = name
        self.open = threading.Event()
        self.asked: list[tuple[str, float]] = []

    def server(self, _subject: str) -> str:
        """Return the one server."""
        return self.name

    def ask(self, subject: str, seconds: float) -> Answer:
        """Answer once the gate is open."""
        self.asked.append((subject, seconds))
        self.open.wait(30)
        return Answer(kind=LookupKind.DOMAIN, subject=subject, server=self.name, result=Result.FOUND)


class Broken(Gate):
    """A client with a fault."""

    def ask(self, subject: str, _seconds: float) -> Answer:
        """Break."""
        raise ValueError(f"text of a stranger: {subject}")


def task(subject: str, lease: str = "L") -> Task:
    """Return a question about a name."""
    return Task(kind=LookupKind.DOMAIN, subject=subject, tlp=Tlp.AMBER, lease=lease)


def start(given: Asking, client: Gate, subject: str, lease: str = "L") -> None:
    """Ask about a name."""
    typed: Client = client
    given.start(task(subject, lease), typed, client.server(subject))


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A gate that is open in the end."""
    made = Gate()
    yield made
    made.open.set()


def test_answers_come_with_their_questions(gate: Gate) -> None:
    """Two questions run side by side, each with its own time, and both answers come back."""
    asks = Asking(4, 7.5)
    start(asks, gate, "a.example")
    start(asks, gate, "b.example")
    assert (2, False, []) == (asks.free, asks.idle, asks.finished(0))
    gate.open.set()
    answers: list[str] = []
    while not asks.idle:
        for asked, answer in asks.finished(5):
            assert asked.task.subject == answer.subject
            answers.append(answer.subject)
    assert ["a.example", "b.example"] == sorted(answers)
    assert [("a.example", 7.5), ("b.example", 7.5)] == sorted(gate.asked)
    assert 4 == asks.free


def test_a_server_has_two_at_once(gate: Gate) -> None:
    """The third has to wait; other servers do not."""
    asks = Asking(4, 5)
    busy = []
    for subject in ("a.example", "b.example"):
        busy.append(asks.busy("rdap.example"))
        start(asks, gate, subject)
    assert [False, False, True, False] == [*busy, asks.busy("rdap.example"), asks.busy("whois.example")]
    gate.open.set()
    while not asks.idle:
        asks.finished(5)
    assert not asks.busy("rdap.example")


def test_waiting_for_nothing_takes_no_time() -> None:
    """Where nothing is under way, nobody waits."""
    began = time.monotonic()
    assert [] == Asking(1, 5).finished(30)
    assert 5 > time.monotonic() - began


def test_a_client_that_overruns_is_given_up(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its worker is free again, its server is not, and what it says at last is nobody's answer."""
    monkeypatch.setattr(asking, "GRACE_SECONDS", 0.05)
    asks = Asking(1, 0.05)
    start(asks, gate, "a.example", "first")
    time.sleep(0.15)
    with capture_logs() as logs:
        ((asked, answer),) = asks.finished(0)
    assert [("lookup-overrun", "rdap.example")] == [(line["event"], line["server"]) for line in logs]
    assert "a.example" not in str(logs)
    assert ("first", Result.FAILED, True) == (asked.task.lease, answer.result, answer.temporary)
    assert "no answer within 0.05 s" == answer.reason
    assert 1 == asks.free
    start(asks, gate, "a.example", "second")
    assert asks.busy("rdap.example")
    gate.open.set()
    leases = []
    give_up = time.monotonic() + 20
    while not leases and time.monotonic() < give_up:
        leases += [asked.task.lease for asked, _ in asks.finished(5)]
    assert ["second"] == leases
    while asks.busy("rdap.example") and time.monotonic() < give_up:
        asks.finished(0)
    assert [] == asks.finished(0)


def test_no_thread_keeps_the_process(gate: Gate) -> None:
    """A question that is under way ends with the process."""
    before = set(threading.enumerate())
    start(Asking(1, 5), gate, "a.example")
    (made,) = set(threading.enumerate()) - before
    assert made.daemon


def test_a_fault_in_a_client_is_an_answer() -> None:
    """It is logged with its class, not with its words, and the answer says that the fault is ours."""
    asks = Asking(1, 5)
    with capture_logs() as logs:
        start(asks, Broken(), "a.example")
        ((_, answer),) = asks.finished(10)
    assert (Result.FAILED, False) == (answer.result, answer.temporary)
    assert "a fault of the program: ValueError" == answer.reason
    assert ["lookup-crashed"] == [line["event"] for line in logs]
    assert "stranger" not in str(logs)
