"""The looker with a real store: what it asks, what it keeps, and what it does when servers fail."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from contract.values import DRAFT, NOON, open_ticket
from daemon import write_config
from structlog.testing import capture_logs

from abuse_triage import config
from abuse_triage.errors import TemporaryError
from abuse_triage.lookups.client import Client
from abuse_triage.model.decision import Tlp
from abuse_triage.model.lookups import Answer, FoundContact, LookupKind, LookupState, Result, Wanted
from abuse_triage.model.settings import Settings
from abuse_triage.service import clients, looker
from abuse_triage.service.looker import RETRIES, Looker, Supply, run_looker
from abuse_triage.store import open_store
from abuse_triage.store.interface import Store
from abuse_triage.store.lookups import TicketLookup

ABUSE = FoundContact(role="abuse", email="abuse@example.net", source="RDAP abuse role")
Reply = Callable[[str], Answer] | Answer


class Registry:
    """A client whose server answers as the test says, one answer after the other; the last one stays."""

    def __init__(self, kind: LookupKind, name: str, **fields: Any) -> None:
        self.kind = kind
        self.name = name
        self.asked: list[str] = []
        self.answers: list[dict[str, Any]] = [{"result": Result.FOUND, **fields}]
        self.together = 0
        self.most = 0
        self.gate = threading.Event()
        self.gate.set()
        self._lock = threading.Lock()

    def server(self, _subject: str) -> str:
        """Return the one server."""
        return self.name

    def ask(self, subject: str, _seconds: float) -> Answer:
        """Answer what is next."""
        with self._lock:
            self.asked.append(subject)
            self.together += 1
            self.most = max(self.most, self.together)
            fields = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        self.gate.wait(30)
        with self._lock:
            self.together -= 1
        return Answer(**{"kind": self.kind, "subject": subject, "server": self.name, **fields})


class Book:
    """Who can be asked what, in these tests."""

    def __init__(self) -> None:
        self.clients: dict[LookupKind, Client] = {}
        self.registries: dict[str, Client] = {}
        self.region = "ripe"

    def client(self, kind: LookupKind, _subject: str) -> Client | None:
        """Return the client of a kind."""
        return self.clients.get(kind)

    def why_not(self, kind: LookupKind, subject: str) -> str:
        """Give a reason."""
        return f"nobody knows about {kind} {subject}"

    def registry_of(self, _address: str) -> str:
        """Return the one region."""
        return self.region

    def at_registry(self, registry: str) -> Client | None:
        """Return the client of a registry."""
        return self.registries.get(registry)


FAILS = {"result": Result.FAILED, "reason": "it takes too long", "temporary": True}
REFUSED = {"result": Result.FAILED, "reason": "status 400"}


class Desk:
    """A looker at work, with a clock that only the test moves."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings = settings
        self.store = store
        self.book = Book()
        self.now = NOON
        self.again = False
        self.made: Looker | None = None

    def registry(self, kind: LookupKind, name: str, **fields: Any) -> Registry:
        """Put a client into the book."""
        made = Registry(kind, name, **fields)
        self.book.clients[kind] = made
        return made

    def want(self, name: str, *asked: tuple[LookupKind, str], tlp: Tlp = Tlp.AMBER) -> str:
        """Open a ticket that wants to know something; returns its number."""
        wanted = tuple(
            Wanted(kind=kind, subject=subject, tlp=tlp, state=LookupState.WAITING, not_before=NOON)
            for kind, subject in asked
        )
        opens = replace(DRAFT, tlp=tlp, reporter=f"{name}@example.org")
        return open_ticket(self.store, name, sender=f"{name}@example.org", opens=opens, wanted=wanted).number

    def work(self, **later: float) -> None:
        """Let the looker work until it has nothing more to do at this time, which is so much later than the last."""
        self.now += timedelta(**later)
        made = self.looker()
        while made.work():
            pass

    def looker(self) -> Looker:
        """Return the one looker."""
        if self.made is None:
            self.made = Looker(
                self.settings.lookups,
                self.store,
                self.book,
                again=self.again,
                now=lambda: self.now,
                chance=lambda: 0.5,
            )
        return self.made

    def one(self, number: str) -> TicketLookup:
        """Return the only look-up of a ticket."""
        (found,) = self.store.lookups_of(number)
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk with an empty store; two questions a second to each server."""
    settings = config.load(
        write_config(tmp_path, extra='\n[lookups]\nrate = "100/1s"\nrates = { "slow.example" = "2/10s" }\n')
    )
    store = open_store(settings.store.path, number_format=config.number_format(settings))
    yield Desk(settings, store)
    store.close()


def test_an_answer_reaches_the_ticket(desk: Desk) -> None:
    """What a registry says is kept, fresh for as long as its kind is."""
    whois = desk.registry(LookupKind.DOMAIN, "whois.example", registrar="Registrar Exemplo")
    number = desk.want("m1", (LookupKind.DOMAIN, "example.org"))
    desk.work()
    found = desk.one(number)
    assert LookupState.ANSWERED is found.state
    assert found.known is not None
    assert ("Registrar Exemplo", NOON + timedelta(hours=6)) == (found.known.answer.registrar, found.known.fresh_until)
    assert ["example.org"] == whois.asked


def test_many_tickets_ask_once(desk: Desk) -> None:
    """The same question of many reports leaves once, and all of them have the answer."""
    whois = desk.registry(LookupKind.DOMAIN, "whois.example")
    numbers = [desk.want(f"m{n}", (LookupKind.DOMAIN, "example.org")) for n in range(5)]
    desk.work()
    assert ["example.org"] == whois.asked
    assert {LookupState.ANSWERED} == {desk.one(number).state for number in numbers}


def test_nobody_to_ask_is_an_answer(desk: Desk) -> None:
    """The ticket says why nobody was asked, and no server is blamed."""
    number = desk.want("m1", (LookupKind.DOMAIN, "example.org"))
    desk.work()
    found = desk.one(number)
    assert found.known is not None
    assert (Result.FAILED, "nobody knows about domain example.org") == (
        found.known.answer.result,
        found.known.answer.reason,
    )
    assert NOON + timedelta(minutes=5) == found.known.fresh_until
    assert [] == desk.store.servers()


def test_a_client_without_a_server_is_nobody(desk: Desk) -> None:
    """A client that knows no server for this subject is not asked."""
    silent = desk.registry(LookupKind.DOMAIN, "")
    number = desk.want("m1", (LookupKind.DOMAIN, "example.org"))
    desk.work()
    assert [] == silent.asked
    assert "nobody knows about domain example.org" == desk.one(number).reason


def test_two_at_once_and_the_others_go_on(desk: Desk) -> None:
    """A server that takes its time has two questions at most; another one answers meanwhile."""
    slow = desk.registry(LookupKind.DOMAIN, "whois.example")
    quick = desk.registry(LookupKind.OWN_DOMAIN, "whois.example.pt")
    slow.gate.clear()
    for n in range(4):
        desk.want(f"s{n}", (LookupKind.DOMAIN, f"example{n}.org"))
    number = desk.want("q", (LookupKind.OWN_DOMAIN, "example.pt"))
    made = Looker(desk.settings.lookups, desk.store, desk.book, again=False, now=lambda: desk.now, chance=lambda: 0.5)
    for _ in range(20):
        made.work()
    assert ["example.pt"] == quick.asked
    assert LookupState.ANSWERED is desk.one(number).state
    assert 2 == len(slow.asked)
    slow.gate.set()
    for _ in range(10):
        desk.now += timedelta(seconds=1)
        while made.work():
            pass
    assert 4 == len(slow.asked)
    assert 2 == slow.most


def test_a_server_has_its_own_rate(desk: Desk) -> None:
    """Two at once, then one every five seconds, each of those who wait at its own time."""
    slow = desk.registry(LookupKind.DOMAIN, "slow.example")
    for n in range(5):
        desk.want(f"m{n}", (LookupKind.DOMAIN, f"example{n}.org"))
    counts = []
    for seconds in (0, 4, 1.5, 5, 5):
        desk.work(seconds=seconds)
        counts.append(len(slow.asked))
    assert [2, 2, 3, 4, 5] == counts


def test_what_passes_is_tried_again_three_times(desk: Desk) -> None:
    """The pauses grow; then the failure is the answer, and a server that answered in between starts anew."""
    whois = desk.registry(LookupKind.DOMAIN, "whois.example")
    whois.answers = [FAILS]
    number = desk.want("m1", (LookupKind.DOMAIN, "example.org"))
    desk.work()
    counts = [len(whois.asked)]
    for pause in RETRIES:
        desk.work(seconds=pause.total_seconds())
        counts.append(len(whois.asked))
        desk.work(seconds=pause.total_seconds() / 2)
        counts.append(len(whois.asked))
    assert [1, 1, 2, 2, 3, 3, 4] == counts
    found = desk.one(number)
    assert LookupState.ANSWERED is found.state
    assert "it takes too long" == found.reason
    assert found.known is not None
    assert Result.FAILED is found.known.answer.result
    assert desk.now + timedelta(minutes=40) == found.known.fresh_until


def test_what_does_not_pass_is_not_tried_again(desk: Desk) -> None:
    """A refusal is the answer at once."""
    whois = desk.registry(LookupKind.DOMAIN, "whois.example")
    whois.answers = [REFUSED]
    number = desk.want("m1", (LookupKind.DOMAIN, "example.org"))
    desk.work()
    desk.work(hours=1)
    assert ["example.org"] == whois.asked
    assert "status 400" == desk.one(number).reason


def test_an_answer_after_a_failure_counts(desk: Desk) -> None:
    """What failed once and is answered the next time is answered."""
    whois = desk.registry(LookupKind.DOMAIN, "whois.example")
    whois.answers = [FAILS, {"result": Result.NOT_FOUND}]
    number = desk.want("m1", (LookupKind.DOMAIN, "example.org"))
    desk.work()
    assert 1 == desk.store.servers()[0].failures
    desk.work(minutes=1)
    found = desk.one(number)
    assert found.known is not None
    assert Result.NOT_FOUND is found.known.answer.result
    assert [] == desk.store.servers()


def test_retry_after_is_kept_to(desk: Desk) -> None:
    """Nobody asks a server before the time that it named, whatever is wanted of it."""
    whois = desk.registry(LookupKind.DOMAIN, "whois.example")
    whois.answers = [{**FAILS, "retry_after": timedelta(minutes=20)}, {"result": Result.FOUND}]
    first = desk.want("m1", (LookupKind.DOMAIN, "example.org"))
    desk.work()
    second = desk.want("m2", (LookupKind.DOMAIN, "example.com"))
    desk.work(minutes=19)
    assert ["example.org"] == whois.asked
    for _ in range(3):
        desk.work(minutes=1)
    assert ["example.com", "example.org"] == sorted(whois.asked[1:])
    assert LookupState.ANSWERED is desk.one(first).state is desk.one(second).state


def test_a_dead_server_is_left_alone_and_found_again(desk: Desk) -> None:
    """After five failures in a row nobody asks for half a minute; then one does, and the others follow."""
    whois = desk.registry(LookupKind.DOMAIN, "whois.example")
    whois.answers = [REFUSED] * 5 + [{"result": Result.FOUND}]
    numbers = [desk.want(f"m{n}", (LookupKind.DOMAIN, f"example{n}.org")) for n in range(8)]
    with capture_logs() as logs:
        for _ in range(3):
            desk.work(seconds=1)
        asked = len(whois.asked)
        desk.work(seconds=28)
        assert (5, 5) == (asked, len(whois.asked))
        for _ in range(5):
            desk.work(seconds=20)
    assert {LookupState.ANSWERED} == {desk.one(number).state for number in numbers}
    events = [line["event"] for line in logs if line["event"].startswith("server-")]
    assert "server-left-alone" == events[0]
    assert "server-back" == events[-1]
    assert 8 == len(whois.asked)


def test_a_dead_server_among_many_is_left_alone_too(desk: Desk) -> None:
    """Also where more servers fail, and worse, than the store lists."""
    whois = desk.registry(LookupKind.DOMAIN, "whois.example")
    whois.answers = [FAILS]
    for n in range(100):
        for _ in range(6):
            desk.store.server_failed(f"{n}.example", "it takes too long", None)
    for n in range(8):
        desk.want(f"m{n}", (LookupKind.DOMAIN, f"example{n}.org"))
    for _ in range(3):
        desk.work(seconds=1)
    assert 5 == len(whois.asked)


def test_a_long_queue_for_a_dead_server_holds_up_nobody(desk: Desk) -> None:
    """What is asked elsewhere leaves within a few steps, however many wait for the server that is left alone."""
    dead, alive = desk.registry(LookupKind.DOMAIN, "dead.example"), desk.registry(LookupKind.NETWORK, "alive.example")
    desk.store.server_failed("dead.example", "it takes too long", NOON + timedelta(hours=1))
    for n in range(3):
        desk.want(f"m{n}", *((LookupKind.DOMAIN, f"example{n}-{m}.org") for m in range(50)))
    last = desk.want("last", (LookupKind.NETWORK, "192.0.2.1"))
    made = desk.looker()
    for _ in range(4):
        made.work()
    made.finish()
    assert ([], ["192.0.2.1"]) == (dead.asked, alive.asked)
    assert LookupState.ANSWERED is desk.one(last).state


def test_a_question_that_stops_whoever_asks_it_is_given_up(desk: Desk) -> None:
    """One that costs a process its life does so a few times, not for ever."""
    whois = desk.registry(LookupKind.DOMAIN, "whois.example")
    number = desk.want("m1", (LookupKind.DOMAIN, "example.org"))
    stopped = 0
    while desk.store.claim_lookups(1, timedelta(milliseconds=1), desk.now)[0].tries <= len(RETRIES) + 2:
        stopped += 1
        time.sleep(0.01)
    time.sleep(0.01)
    desk.work()
    assert (6, [], "whoever asked it stopped, again and again") == (stopped, whois.asked, desk.one(number).reason)


def test_a_network_of_ripe_without_abuse_contact_asks_for_it(desk: Desk) -> None:
    """RIPE's own service is asked, as a question of its own."""
    desk.registry(LookupKind.NETWORK, "rdap.example", registry="ripe", first="192.0.2.0", last="192.0.2.255")
    rest = desk.registry(LookupKind.ABUSE_CONTACT, "rest.example", contacts=(ABUSE,))
    number = desk.want("m1", (LookupKind.NETWORK, "192.0.2.7"))
    desk.work()
    desk.work(seconds=1)
    assert ["192.0.2.7"] == rest.asked
    assert [LookupKind.NETWORK, LookupKind.ABUSE_CONTACT] == [one.kind for one in desk.store.lookups_of(number)]
    assert {LookupState.ANSWERED} == {one.state for one in desk.store.lookups_of(number)}


@pytest.mark.parametrize(
    ("fields", "tlp"),
    [
        ({"registry": "ripe", "contacts": (ABUSE,)}, Tlp.AMBER),
        ({"registry": "arin"}, Tlp.AMBER),
        ({"registry": "ripe", "result": Result.NOT_FOUND}, Tlp.AMBER),
        ({"registry": "ripe"}, Tlp.RED),
    ],
)
def test_no_further_question_where_none_is_due(desk: Desk, fields: dict[str, Any], tlp: Tlp) -> None:
    """There is a contact, another registry, no network, or one question that a handler released: no second one."""
    desk.registry(LookupKind.NETWORK, "rdap.example", **fields)
    rest = desk.registry(LookupKind.ABUSE_CONTACT, "rest.example")
    number = desk.want("m1", (LookupKind.NETWORK, "192.0.2.7"), tlp=tlp)
    desk.work()
    desk.work(seconds=1)
    assert LookupState.ANSWERED is desk.one(number).state
    assert [] == rest.asked


def test_without_the_service_no_contact_is_asked_for(desk: Desk) -> None:
    """An operator who names no service for abuse contacts gets no line about it."""
    desk.registry(LookupKind.NETWORK, "rdap.example", registry="ripe")
    number = desk.want("m1", (LookupKind.NETWORK, "192.0.2.7"))
    desk.work()
    assert LookupKind.NETWORK is desk.one(number).kind


def test_a_referral_is_followed_once(desk: Desk) -> None:
    """The registry that is named is asked at its known place; where it refers on, its answer counts."""
    ripe = desk.registry(LookupKind.NETWORK, "rdap.ripe.example", result=Result.NOT_FOUND, refers_to="apnic")
    apnic = Registry(LookupKind.NETWORK, "rdap.apnic.example", registry="apnic", network="EXAMPLE", refers_to="arin")
    arin = Registry(LookupKind.NETWORK, "rdap.arin.example")
    desk.book.registries = {"apnic": apnic, "arin": arin}
    number = desk.want("m1", (LookupKind.NETWORK, "192.0.2.7"))
    desk.work()
    assert ([["192.0.2.7"]] * 2, []) == ([ripe.asked, apnic.asked], arin.asked)
    found = desk.one(number)
    assert found.known is not None
    assert ("EXAMPLE", "rdap.apnic.example") == (found.known.answer.network, found.known.answer.server)
    desk.want("m2", (LookupKind.NETWORK, "198.51.100.7"))
    desk.work()
    assert ["192.0.2.7", "198.51.100.7"] == ripe.asked


def test_a_redirect_of_a_registry_is_no_failure(desk: Desk) -> None:
    """ARIN refers by a redirect: its server works, and the other registry is asked."""
    desk.registry(LookupKind.NETWORK, "rdap.arin.example", refers_to="ripe", **FAILS)
    ripe = Registry(LookupKind.NETWORK, "rdap.ripe.example", contacts=(ABUSE,))
    desk.book.registries = {"ripe": ripe}
    number = desk.want("m1", (LookupKind.NETWORK, "192.0.2.7"))
    desk.work()
    assert ["192.0.2.7"] == ripe.asked
    assert LookupState.ANSWERED is desk.one(number).state
    assert [] == desk.store.servers()


def test_a_referral_to_nobody_known_is_the_answer(desk: Desk) -> None:
    """What is no registry that we know is not asked."""
    desk.registry(LookupKind.NETWORK, "rdap.example", refers_to="https://192.0.2.1/", network="PLACEHOLDER")
    number = desk.want("m1", (LookupKind.NETWORK, "192.0.2.7"))
    desk.work()
    found = desk.one(number)
    assert found.known is not None
    assert "PLACEHOLDER" == found.known.answer.network


def test_referrals_are_forgotten_when_there_are_too_many(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept about referrals is bounded: what was forgotten is asked from the beginning, and answered."""
    monkeypatch.setattr(looker, "_MOST_REFERRED", 1)
    ripe = desk.registry(LookupKind.NETWORK, "rdap.ripe.example", refers_to="apnic")
    apnic = Registry(LookupKind.NETWORK, "rdap.apnic.example", **REFUSED)
    apnic.answers = [FAILS, FAILS, {"result": Result.FOUND}]
    desk.book.registries = {"apnic": apnic}
    numbers = [desk.want(f"m{n}", (LookupKind.NETWORK, f"192.0.2.{n}")) for n in range(3)]
    for _ in range(40):
        desk.work(minutes=1)
    assert {LookupState.ANSWERED} == {desk.one(number).state for number in numbers}
    assert 3 <= len(ripe.asked) <= 9


@pytest.mark.parametrize("again", [False, True])
def test_rules_that_look_at_answers_run_again(desk: Desk, again: bool) -> None:
    """The message comes back to the decider where a rule looks at facts that came late, and only then."""
    desk.again = again
    desk.registry(LookupKind.DOMAIN, "whois.example")
    desk.want("m1", (LookupKind.DOMAIN, "example.org"))
    desk.work()
    claimed = desk.store.claim(10, timedelta(minutes=1))
    assert [again] * again == [one.again for one in claimed]


def test_persons_are_counted(desk: Desk) -> None:
    """Once the budget for persons at RIPE is spent, questions to RIPE wait, and those to others do not."""
    person = FoundContact(role="technical", name="Ana Exemplo", personal=True)
    persons = (person,) * 20
    lookups = desk.settings.lookups
    limited = lookups.model_copy(update={"ripe_personal": replace(lookups.ripe_personal, count=20)})
    desk.settings = desk.settings.model_copy(update={"lookups": limited})
    ripe = desk.registry(LookupKind.NETWORK, "rdap.example", registry="ripe", contacts=(ABUSE, *persons))
    desk.want("m1", (LookupKind.NETWORK, "192.0.2.7"))
    desk.work()
    desk.want("m2", (LookupKind.NETWORK, "198.51.100.7"))
    desk.work()
    assert ["192.0.2.7"] == ripe.asked
    desk.book.region = "arin"
    desk.want("m3", (LookupKind.NETWORK, "203.0.113.7"))
    desk.work()
    assert ["192.0.2.7", "203.0.113.7"] == ripe.asked
    desk.book.region = "ripe"
    desk.work(days=3)
    assert ["192.0.2.7", "203.0.113.7", "198.51.100.7"] == ripe.asked


def test_what_is_under_way_at_the_end_is_asked_again(desk: Desk) -> None:
    """An answer that comes within a second is kept; the lease of any other runs out."""
    slow = desk.registry(LookupKind.DOMAIN, "whois.example")
    slow.gate.clear()
    number = desk.want("m1", (LookupKind.DOMAIN, "example.org"))
    made = Looker(desk.settings.lookups, desk.store, desk.book, again=False, now=lambda: desk.now, chance=lambda: 0.5)
    made.work()
    made.finish()
    assert LookupState.ASKING is desk.one(number).state
    slow.gate.set()
    made.finish()
    assert LookupState.ANSWERED is desk.one(number).state


class Unwell:
    """A store that does not answer, until it does."""

    def __init__(self, store: Store, failures: int) -> None:
        self._store = store
        self._failures = failures
        self.calls: dict[str, int] = defaultdict(int)

    def __getattr__(self, name: str) -> Any:
        self.calls[name] += 1
        if self._failures:
            self._failures -= 1
            raise TemporaryError("database is locked")
        return getattr(self._store, name)


def test_the_looker_runs_until_it_is_stopped(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on when the store answers again, and asks the store once a second at most while there is nothing."""
    book = desk.book
    desk.registry(LookupKind.DOMAIN, "whois.example")
    number = desk.want("m1", (LookupKind.DOMAIN, "example.org"))
    monkeypatch.setattr(clients, "Clients", lambda _settings: book)
    monkeypatch.setattr(looker, "_IDLE_SECONDS", 0.02)
    unwell: Any = Unwell(desk.store, 2)
    stop = threading.Event()
    typed: Supply = unwell
    with capture_logs() as logs:
        thread = threading.Thread(target=run_looker, args=(desk.settings, typed, stop))
        thread.start()
        for _ in range(500):
            if desk.one(number).state is LookupState.ANSWERED:
                break
            stop.wait(0.02)
        stop.set()
        thread.join(10)
    assert not thread.is_alive()
    assert LookupState.ANSWERED is desk.one(number).state
    assert ["looker-waits", "looker-waits"] == [line["event"] for line in logs if line["event"] == "looker-waits"]


def test_a_store_that_is_gone_at_the_end_is_no_crash(desk: Desk) -> None:
    """The looker says so, and ends."""
    desk.registry(LookupKind.DOMAIN, "whois.example")
    desk.want("m1", (LookupKind.DOMAIN, "example.org"))
    unwell: Any = Unwell(desk.store, 0)
    made = Looker(desk.settings.lookups, unwell, desk.book, again=False, now=lambda: desk.now, chance=lambda: 0.5)
    made.work()
    unwell._failures = 1
    with capture_logs() as logs:
        made.finish()
    assert ["looker-waits"] == [line["event"] for line in logs if line["log_level"] == "error"]
