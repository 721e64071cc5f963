"""The decider at work: a real store, real rules, real readers."""

import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Timer
from typing import Any

import pytest
from daemon import report, write_config
from structlog.testing import capture_logs

from abuse_triage import config, pipeline
from abuse_triage.errors import TemporaryError
from abuse_triage.model.message import Arrival, Authentication, Channel, Envelope
from abuse_triage.model.settings import Settings
from abuse_triage.model.ticket import MessageState, OutcomeKind
from abuse_triage.outcomes import Knowledge
from abuse_triage.service import reading, roles, triage
from abuse_triage.service.knowledge import knowledge_of
from abuse_triage.service.reading import Reader, ReaderStartError
from abuse_triage.service.triage import Decider, run_triage
from abuse_triage.store import open_store
from abuse_triage.store.interface import MessageFilter, Store, StoredMessage, TicketFilter, Unfinished

HOSTILE = Path(__file__).resolve().parents[1] / "hostile_reader.py"
LEASE = timedelta(minutes=5)
PROVEN = Authentication(spf="pass", dkim="pass", dmarc="pass", spf_aligned=True, dkim_aligned=True)
Check = Callable[[Arrival], "Future[Authentication]"]


@pytest.fixture(scope="module")
def knowledge(tmp_path_factory: pytest.TempPathFactory) -> Knowledge:
    """Load the shipped rules once."""
    return knowledge_of(config.load(write_config(tmp_path_factory.mktemp("knowledge"))))


@dataclass
class Bench:
    """One worker and its store."""

    knowledge: Knowledge
    store: Store
    path: Path
    announced: list[str] = field(default_factory=list)
    stop: Event = field(default_factory=Event)
    on_announcement: Callable[[str], None] = lambda _line: None
    readers: list[Reader] = field(default_factory=list)

    def take(self, *raws: bytes, sender: str = "reporter@example.com") -> list[str]:
        """Accept messages; returns their ids."""
        before = len(self.store.messages(MessageFilter(limit=500)))
        arrivals = [
            Arrival(
                id=f"{before + number:026}",
                received_at=datetime.now(UTC),
                envelope=Envelope(sender=sender, recipients=("abuse@example.pt",), channel=Channel.SMTP),
                raw=raw,
            )
            for number, raw in enumerate(raws)
        ]
        self.store.accept(arrivals)
        return [arrival.id for arrival in arrivals]

    def decider(self, store: Any = None, check: Check | None = None, **changes: object) -> Decider:
        """Return a worker with other settings of [triage], and perhaps one that checks senders."""
        settings: Settings = self.knowledge.settings
        settings = settings.model_copy(
            update={"triage": settings.triage.model_copy(update={"lease": LEASE, **changes})}
        )
        self.readers.append(Reader(settings))
        return Decider(
            replace(self.knowledge, settings=settings),
            store or self.store,
            self.readers[-1],
            announce=self.announce,
            check=check,
        )

    def announce(self, line: str) -> None:
        """Take a status line, as the supervisor does."""
        self.announced.append(line)
        self.on_announcement(line)

    def work(self, decider: Decider) -> None:
        """Work until nothing waits any more, at most half a minute."""
        give_up = time.monotonic() + 30
        while self.store.waiting() and time.monotonic() < give_up:
            if not decider.work(self.stop):
                time.sleep(0.05)
        assert 0 == self.store.waiting()

    def message(self, message_id: str) -> StoredMessage:
        """Return what the store knows about a message."""
        return self.store.message(message_id)[0]

    def states(self) -> list[tuple[MessageState, int]]:
        """Return state and attempts of every message, oldest first."""
        return [(one.state, one.attempts) for one in reversed(self.store.messages(MessageFilter(limit=500)))]


@pytest.fixture
def bench(knowledge: Knowledge, tmp_path: Path) -> Iterator[Bench]:
    """A store of its own and everything to work on it."""
    path = tmp_path / "store.sqlite"
    made = Bench(knowledge, open_store(path, number_format=config.number_format(knowledge.settings)), path)
    yield made
    for reader in made.readers:
        reader.close()
    made.store.close()


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let readers do what messages say."""
    monkeypatch.setattr(reading, "_COMMAND", (sys.executable, str(HOSTILE), str(tmp_path / "stderr")))


class Troubled:
    """A store some of whose answers are others: what is not given is the real store's."""

    def __init__(self, store: Store, **others: Callable[..., Any]) -> None:
        self._store, self._others = store, others

    def __getattr__(self, name: str) -> Any:
        return self._others.get(name) or getattr(self._store, name)


def test_a_batch_becomes_tickets_and_every_step_is_announced(bench: Bench) -> None:
    """All messages of a batch are finished, and the supervisor always knew which one was being worked on."""
    ids = bench.take(*(report(number) for number in range(5)))
    decider = bench.decider()
    assert 5 == decider.work(bench.stop)
    assert 0 == decider.work(bench.stop)
    assert 5 == len(bench.store.tickets(TicketFilter()))
    assert [f"on {one}" for one in ids] == bench.announced[1:-1]
    assert bench.announced[0].startswith("claim ")
    assert "idle" == bench.announced[-1]
    assert [(MessageState.DONE, 1)] * 5 == bench.states()


def test_what_takes_long_is_committed_in_between(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decided messages do not wait for the end of their batch when that takes long."""
    monkeypatch.setattr(triage, "_FLUSH_SECONDS", 0)
    done_before: list[int] = []
    bench.on_announcement = lambda _line: done_before.append(bench.states().count((MessageState.DONE, 1)))
    bench.take(*(report(number) for number in range(3)))
    bench.work(bench.decider())
    assert [0, 0, 1, 2, 3] == done_before


def test_the_same_report_twice_in_a_batch_opens_one_ticket(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second was decided before the first was stored: it turns stale, is decided again, and joins."""
    monkeypatch.setattr(triage, "_FLUSH_SECONDS", 60)
    bench.take(report(1), report(1), report(1))
    bench.work(bench.decider())
    messages = bench.store.messages(MessageFilter())
    assert [OutcomeKind.JOINED, OutcomeKind.JOINED, OutcomeKind.OPENED] == [one.outcome for one in messages]
    assert 1 == len({one.ticket for one in messages})
    assert 1 == len(bench.store.mails((), 10))
    assert 3 == bench.store.tickets(TicketFilter())[0].messages


@pytest.mark.usefixtures("hostile")
def test_a_message_that_kills_readers_is_quarantined_and_its_neighbours_are_not_charged(bench: Bench) -> None:
    """It is tried alone until its attempts are used up; then a ticket says so, and nobody is told yet."""
    first, bad, last = bench.take(report(1), b"die\r\n" + report(2), report(3))
    with capture_logs() as logs:
        bench.work(bench.decider(attempts=2))
    assert [(MessageState.DONE, 1), (MessageState.QUARANTINED, 2), (MessageState.DONE, 1)] == bench.states()
    assert [1, 2] == [line["attempt"] for line in logs if line["event"] == "reading-failed"]
    assert [bad] == [line["id"] for line in logs if line["event"] == "quarantined"]
    assert "unreadable report: the reader ended with code 3" == bench.message(bad).reason
    file = bench.store.ticket(bench.message(bad).ticket)
    assert f"unreadable report (message {bad})" == file.ticket.summary
    assert ["quarantined"] == [entry.action for entry in file.journal]
    assert () == file.mails
    assert all(bench.store.ticket(bench.message(one).ticket).mails for one in (first, last))


def test_a_retry_gives_the_same_ticket_its_content(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was quarantined keeps its ticket when it can be read, and is acknowledged then, once."""
    (bad,) = bench.take(b"X-Order: die\r\n" + report(2))
    with monkeypatch.context() as patch:
        patch.setattr(reading, "_COMMAND", (sys.executable, str(HOSTILE), str(bench.path.parent / "stderr")))
        bench.work(bench.decider(attempts=1))
        ticket = bench.message(bad).ticket
        bench.store.retry(bad, "ana", datetime.now(UTC))
        bench.work(bench.decider(attempts=1))
        assert (MessageState.QUARANTINED, ticket) == (bench.message(bad).state, bench.message(bad).ticket)
    bench.store.retry(bad, "ana", datetime.now(UTC))
    bench.work(bench.decider())
    assert (MessageState.DONE, ticket) == (bench.message(bad).state, bench.message(bad).ticket)
    file = bench.store.ticket(ticket)
    assert "Brute force from 192[.]0[.]2[.]3 (case 2)" == file.ticket.summary
    assert 1 == len(file.mails)
    assert 1 == len(bench.store.tickets(TicketFilter()))


def test_a_message_over_which_workers_died_is_given_up_unread(bench: Bench) -> None:
    """Attempts that ended with the worker's death count too: the message is quarantined before it kills again."""
    (bad,) = bench.take(report(1))
    (claimed,) = bench.store.claim(1, LEASE)
    bench.store.give_back(claimed.lease, bad)
    decider = bench.decider(attempts=1)
    bench.work(decider)
    assert (MessageState.QUARANTINED, 2) == bench.states()[0]
    assert "unreadable report: each worker that had it stopped" == bench.message(bad).reason
    assert bench.readers[-1]._process is None


def test_a_message_that_somebody_else_took_over_is_left_to_them(bench: Bench) -> None:
    """An outcome whose lease is lost is not stored, and the others of the batch are."""
    ids = bench.take(report(1), report(2))
    taken: list[str] = []

    def steal(line: str) -> None:
        if line == f"on {ids[0]}":
            bench.store.give_back(bench.announced[0].removeprefix("claim "))
            taken.extend(one.lease for one in bench.store.claim(1, LEASE))

    bench.on_announcement = steal
    with capture_logs() as logs:
        bench.decider().work(bench.stop)
    assert set(ids) == {line["id"] for line in logs if line["event"] == "lease-lost"}
    assert [(MessageState.CLAIMED, 1), (MessageState.RECEIVED, 0)] == bench.states()
    assert 1 == len(taken)
    assert [] == bench.store.tickets(TicketFilter())


@pytest.mark.usefixtures("hostile")
def test_a_quarantine_that_came_too_late_is_not_stored(bench: Bench) -> None:
    """Who lost the lease does not quarantine either."""
    (bad,) = bench.take(b"die\r\n")
    bench.on_announcement = lambda line: (
        line.startswith("on") and bench.store.give_back(bench.announced[0].removeprefix("claim "))
    )
    with capture_logs() as logs:
        bench.decider(attempts=1).work(bench.stop)
    assert [bad] == [line["id"] for line in logs if line["event"] == "lease-lost"]
    assert [(MessageState.RECEIVED, 0)] == bench.states()


def test_a_stop_ends_the_batch_and_gives_back_the_rest(bench: Bench) -> None:
    """What was decided is committed; what was not begun is as if it had never been claimed."""
    ids = bench.take(*(report(number) for number in range(4)))
    bench.on_announcement = lambda line: bench.stop.set() if line == f"on {ids[2]}" else None
    assert 4 == bench.decider().work(bench.stop)
    assert [(MessageState.DONE, 1)] * 2 + [(MessageState.RECEIVED, 0)] * 2 == bench.states()
    assert "idle" == bench.announced[-1]


@pytest.mark.usefixtures("hostile")
def test_a_stop_does_not_wait_for_a_message_that_takes_long(bench: Bench) -> None:
    """The reader is ended, and its message is given back unharmed."""
    bench.take(b"loop\r\n")
    decider = bench.decider(deadline=timedelta(seconds=60))
    timer = Timer(1.0, bench.stop.set)
    timer.start()
    began = time.monotonic()
    decider.work(bench.stop)
    timer.join()
    assert time.monotonic() - began < 5
    assert [(MessageState.RECEIVED, 0)] == bench.states()


def test_a_batch_ends_before_its_lease_does(bench: Bench) -> None:
    """When another message might outlast the lease, the rest is given back; one message is worked on in any case."""
    bench.take(*(report(number) for number in range(3)))
    decider = bench.decider(lease=timedelta(seconds=5), deadline=timedelta(seconds=4.99))
    decider.work(bench.stop)
    assert [(MessageState.DONE, 1)] + [(MessageState.RECEIVED, 0)] * 2 == bench.states()
    bench.work(decider)
    assert [(MessageState.DONE, 1)] * 3 == bench.states()


def test_a_reader_that_does_not_start_charges_no_message(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken installation puts no message into quarantine: all are given back, and it is tried again later."""
    bench.take(report(1), report(2))
    decider = bench.decider(attempts=1)
    with monkeypatch.context() as patch:
        patch.setattr(reading, "_COMMAND", (sys.executable, "-c", "raise SystemExit(1)"))
        for _ in range(2):
            with pytest.raises(ReaderStartError):
                decider.work(bench.stop)
    assert [(MessageState.RECEIVED, 0)] * 2 == bench.states()
    bench.work(decider)
    assert [(MessageState.DONE, 1)] * 2 == bench.states()


def test_a_store_that_does_not_answer_charges_no_message(bench: Bench) -> None:
    """What could not be committed is given back at once, or at the end of the lease where even that fails."""

    def silent(*_arguments: object) -> None:
        raise TemporaryError("the store is busy")

    bench.take(report(1))
    with pytest.raises(TemporaryError, match="busy"):
        bench.decider(Troubled(bench.store, finish=silent)).work(bench.stop)
    assert [(MessageState.RECEIVED, 0)] == bench.states()
    with pytest.raises(TemporaryError, match="busy"):
        bench.decider(Troubled(bench.store, finish=silent, give_back=silent)).work(bench.stop)
    assert [(MessageState.CLAIMED, 1)] == bench.states()


def test_all_senders_of_a_batch_are_checked_before_the_first_is_decided(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each message is decided with its own result, and one that is decided again keeps it."""
    monkeypatch.setattr(triage, "_FLUSH_SECONDS", 60)
    asked: list[str] = []
    decided: list[tuple[str, int, Authentication | None]] = []
    results: dict[str, Authentication] = {}

    def check(arrival: Arrival) -> Future[Authentication]:
        asked.append(arrival.id)
        results[arrival.id] = replace(PROVEN, spf=f"result {len(asked)}")
        future: Future[Authentication] = Future()
        Timer(0.05, future.set_result, (results[arrival.id],)).start()
        return future

    def decide(*given: Any, checked: Authentication | None, **more: Any) -> Any:
        decided.append((given[1].id, len(asked), checked))
        return as_always(*given, checked=checked, **more)

    as_always = pipeline.decide
    monkeypatch.setattr(pipeline, "decide", decide)
    ids = bench.take(report(1), report(1), report(2))
    bench.work(bench.decider(check=check))
    assert ids == asked
    assert [(one, 3, results[one]) for one in (*ids, ids[1])] == decided


def test_without_a_check_nothing_is_known_of_senders(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pipeline hears that nobody asked, which is something else than no proof."""
    decided: list[Authentication | None] = []

    def decide(*given: Any, checked: Authentication | None, **more: Any) -> Any:
        decided.append(checked)
        return as_always(*given, checked=checked, **more)

    as_always = pipeline.decide
    monkeypatch.setattr(pipeline, "decide", decide)
    bench.take(report(1))
    bench.work(bench.decider())
    assert [None] == decided


def test_a_stop_does_not_wait_for_a_check(bench: Bench) -> None:
    """A message whose sender is still being checked is given back unharmed."""
    bench.take(report(1))
    timer = Timer(0.5, bench.stop.set)
    timer.start()
    began = time.monotonic()
    bench.decider(check=lambda _arrival: Future()).work(bench.stop)
    timer.join()
    assert time.monotonic() - began < 5
    assert [(MessageState.RECEIVED, 0)] == bench.states()


def test_senders_are_checked_only_where_that_is_wanted_and_nobody_else_does(knowledge: Knowledge) -> None:
    """Off by default, and where our own MTA's word is believed; the process starts with the first message."""
    settings = knowledge.settings
    wanted = {"check": True, "resolver": ("127.0.0.1:53",)}
    for changes, on in (({}, False), (wanted, True), ({**wanted, "authserv_id": "mx.example.pt"}, False)):
        authentication = settings.authentication.model_copy(update=changes)
        with roles._check(settings.model_copy(update={"authentication": authentication})) as check:
            assert on == (check is not None)


def refuse_tickets(path: Path, condition: str) -> None:
    """Let the store refuse some tickets."""
    other = sqlite3.connect(path)
    other.execute(f"CREATE TRIGGER no BEFORE INSERT ON tickets WHEN {condition} BEGIN SELECT RAISE (ABORT, 'no'); END")
    other.close()


def test_an_outcome_that_cannot_be_stored_counts_as_a_failure(bench: Bench) -> None:
    """A message whose ticket the store refuses ends in quarantine like one that cannot be read."""
    refuse_tickets(bench.path, "NEW.summary LIKE '%case 1)'")
    bench.take(report(1), report(2))
    bench.work(bench.decider(attempts=2))
    assert [(MessageState.QUARANTINED, 2), (MessageState.DONE, 1)] == bench.states()


def test_a_quarantine_that_cannot_be_stored_is_tried_again(bench: Bench) -> None:
    """Where not even that ticket can be opened, the message waits with its error, and nothing is lost."""
    refuse_tickets(bench.path, "1")
    (bad,) = bench.take(report(1))
    bench.decider(attempts=1).work(bench.stop)
    assert [(MessageState.RECEIVED, 1)] == bench.states()
    assert "no" == bench.message(bad).error


def test_a_lost_lease_is_no_failure(bench: Bench) -> None:
    """An answer without an error means that somebody else has the message; it is not charged."""
    (one,) = bench.take(report(1))
    lost = Troubled(bench.store, finish=lambda _outcomes: [Unfinished(message_id=one, stale=False)])
    with capture_logs() as logs:
        bench.decider(lost).work(bench.stop)
    assert ["lease-lost"] == [line["event"] for line in logs]


def test_the_loop_works_until_it_is_stopped(bench: Bench) -> None:
    """Messages are worked on as they come, trouble is waited for, and a stop ends the loop."""
    ids = bench.take(report(1))
    troubles = [TemporaryError("the store is busy")]

    def claim(limit: int, lease: timedelta) -> Any:
        if troubles:
            raise troubles.pop()
        return bench.store.claim(limit, lease)

    def wait(timeout: float) -> bool:
        assert 1 == timeout
        if len(ids) < 3:
            ids.extend(bench.take(report(10 + len(ids))))
        else:
            bench.stop.set()
        return True

    with capture_logs() as logs:
        run_triage(bench.decider(Troubled(bench.store, claim=claim)), wait, bench.stop)
    assert ["triage-waits", "triaged", "triaged", "triaged"] == [line["event"] for line in logs]
    assert [(MessageState.DONE, 1)] * 3 == bench.states()
