"""Look-ups that somebody waits for: real servers and a real store, which budgets and failures are shared with."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from contract.asking import found, found_network
from contract.values import DRAFT, VERDICT, open_ticket
from daemon import write_config
from servers import registries
from servers.rdap import RdapServer, redirect, silence, status, too_many
from servers.whois import PT, WhoisServer

from abuse_triage import config, pipeline
from abuse_triage.errors import ConfigError
from abuse_triage.judgement import judge
from abuse_triage.model.budget import Bucket
from abuse_triage.model.decision import Tlp
from abuse_triage.model.lookups import (
    NOTHING_KNOWN,
    Answer,
    ContactKind,
    DirectoryEntry,
    FoundContact,
    LookupKind,
    LookupState,
    Offline,
    Permission,
    Result,
    Wanted,
)
from abuse_triage.model.message import Arrival, Channel, Envelope
from abuse_triage.model.report import NOT_OPENED
from abuse_triage.model.settings import Settings
from abuse_triage.service import inquiry
from abuse_triage.service.dry import Dry, enriched
from abuse_triage.service.inquiry import inquire, planned
from abuse_triage.service.knowledge import knowledge_of
from abuse_triage.store import open_store
from abuse_triage.store.interface import Store
from abuse_triage.store.lookups import TicketLookup

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
IP, NEXT, OWN = "185.5.80.7", "185.5.80.8", "loja-exemplo.pt"  # asked about nowhere but on loopback
LOOKUPS = """
[lookups]
enabled = {enabled}
timeout = "{timeout}"
rate = "{rate}"
own_whois = "{whois}"
abuse_contacts = "{base}/rest"

[lookups.rdap]
ripe = "{base}/ripe"
arin = "{other}/arin"
org = "{base}/org"
"""
REPORT = f"""\
From: Rita <rita@reporter.example>
To: abuse@example.pt
Subject: Um relato
Message-ID: <1@reporter.example>
Content-Type: text/plain; charset=utf-8

{IP} e hxxp://{OWN}/a

TLP:GREEN
""".encode()


@pytest.fixture(autouse=True)
def other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the host of the other registry be here."""
    monkeypatch.setattr("abuse_triage.service.clients.by_system", lambda *_: ("127.0.0.1",))


class Desk:
    """A store, servers, and who asks them."""

    def __init__(self, folder: Path, rdap: RdapServer, whois: WhoisServer) -> None:
        self.folder = folder
        self.rdap = rdap
        self.whois = whois
        self.told: list[tuple[int, int]] = []
        self.store = self.open(self.settings())

    def settings(
        self, *, timeout: str = "2s", rate: str = "1000/1s", enabled: str = "true", files: str = ""
    ) -> Settings:
        """Return a configuration; `files` are further lines of [lookups]."""
        base = f"http://127.0.0.1:{self.rdap.port}"
        text = LOOKUPS.replace("\n\n[lookups.rdap]", f"\n{files}\n\n[lookups.rdap]").format(
            enabled=enabled,
            timeout=timeout,
            rate=rate,
            whois=self.whois.address,
            base=base,
            other=base.replace("127.0.0.1", "other.example"),
        )
        return config.load(write_config(self.folder, extra=text))

    @staticmethod
    def open(settings: Settings) -> Store:
        """Open the store."""
        return open_store(settings.store.path, number_format=config.number_format(settings))

    def ask(self, *wanted: Wanted, **settings: str) -> list[TicketLookup]:
        """Ask, and note what progress was told."""
        return inquire(self.settings(**settings), self.store, wanted, lambda over, of: self.told.append((over, of)))

    def keep(self, answer: Answer, *, fresh: timedelta = HOUR, tlp: Tlp = Tlp.GREEN, at: datetime = NOW) -> None:
        """Let the cache have an answer, as if a ticket of the daemon had asked at a time."""
        cached(self.store, answer, fresh=fresh, tlp=tlp, at=at)


def cached(store: Store, answer: Answer, *, fresh: timedelta = HOUR, tlp: Tlp, at: datetime = NOW) -> None:
    """Open a ticket that wants to know something, and answer it."""
    name = f"{answer.kind}-{answer.subject}"
    asked = wants(answer.kind, answer.subject, tlp=tlp, not_before=at)
    opens = replace(DRAFT, tlp=tlp, reporter=f"{name}@example.org")
    verdict = replace(VERDICT, tlp=tlp)
    open_ticket(store, name, sender=f"{name}@example.org", opens=opens, verdict=verdict, wanted=(asked,))
    (task,) = store.claim_lookups(5, HOUR, at)
    store.answer_lookup(task, answer, fresh=fresh, stale=100 * HOUR, again=False, now=at)


def wants(kind: LookupKind, subject: str = "", **fields: Any) -> Wanted:
    """Return a look-up that may leave."""
    subject = subject or {LookupKind.DOMAIN: "example.org", LookupKind.OWN_DOMAIN: OWN}.get(kind, IP)
    given = {"tlp": Tlp.GREEN, "state": LookupState.WAITING, "not_before": NOW + HOUR, **fields}
    return Wanted(kind=kind, subject=subject, **given)


def answers(lookups: Sequence[TicketLookup]) -> dict[LookupKind, Answer]:
    """Return the answers by kind."""
    return {one.kind: one.known.answer for one in lookups if one.known is not None}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """An empty store, and servers that know a network, a foreign name and one of ours."""
    with RdapServer() as rdap, WhoisServer({OWN: PT.replace("example.pt", OWN)}) as whois:
        rdap.networks["ripe"] = [registries.ripe("185.5.80.0/24")]
        rdap.domains["org"] = {"example.org": registries.domain("example.org")}
        made = Desk(tmp_path, rdap, whois)
        yield made
        made.store.close()


def test_everything_that_may_leave_is_asked_at_once(desk: Desk) -> None:
    """Nothing waits for its moment; what is withheld or skipped is returned as it was planned; progress is told."""
    kept = (
        wants(LookupKind.DELEGATION, "example.org", state=LookupState.WITHHELD, reason="withheld: not marked"),
        wants(LookupKind.DOMAIN, "a.org", state=LookupState.SKIPPED, reason="not asked: too many"),
    )
    lookups = desk.ask(
        wants(LookupKind.NETWORK), wants(LookupKind.DOMAIN), wants(LookupKind.OWN_DOMAIN, reason="x"), *kept
    )
    assert [LookupState.ANSWERED] * 3 + [LookupState.WITHHELD, LookupState.SKIPPED] == [one.state for one in lookups]
    assert ["withheld: not marked", "not asked: too many"] == [one.reason for one in lookups[3:]]
    found_ = answers(lookups)
    assert "EXAMPLE-NET" == found_[LookupKind.NETWORK].network
    assert "Example Registrar, Inc." == found_[LookupKind.DOMAIN].registrar
    assert "Registos Exemplo S.A." == found_[LookupKind.OWN_DOMAIN].managed_by
    assert ["/org/domain/example.org", f"/ripe/ip/{IP}"] == sorted(desk.rdap.paths)
    assert (3, 3) == desk.told[-1]
    assert desk.told == sorted(set(desk.told))


def test_nothing_to_ask_asks_nobody(desk: Desk) -> None:
    """No progress is told, and no server is met."""
    assert [] == desk.ask()
    (one,) = desk.ask(wants(LookupKind.POINTER, state=LookupState.WITHHELD))
    assert LookupState.WITHHELD is one.state
    assert ([], 0, 0) == (desk.told, desk.rdap.connections, desk.whois.connections)


def test_answers_are_kept_nowhere(desk: Desk) -> None:
    """Whoever asks next asks anew: a dry run changes no cache."""
    desk.ask(wants(LookupKind.NETWORK))
    assert [] == desk.store.known([(LookupKind.NETWORK, IP)], Tlp.GREEN, datetime.now(UTC))
    desk.ask(wants(LookupKind.NETWORK))
    assert 2 == len(desk.rdap.paths)


def test_what_the_cache_has_is_not_asked(desk: Desk) -> None:
    """A fresh answer stands for its question, asked or only planned; of another TLP it is not seen."""
    desk.keep(found_network("185.5.80.0", "185.5.80.255", IP))
    one = wants(LookupKind.NETWORK, NEXT, state=LookupState.ANSWERED)
    for lookups in (desk.ask(one), planned(desk.store, [one])):
        assert (LookupState.ANSWERED, "NET-EXAMPLE") == (lookups[0].state, answers(lookups)[LookupKind.NETWORK].network)
    (unseen,) = planned(desk.store, [wants(LookupKind.NETWORK, NEXT, tlp=Tlp.CLEAR)])
    assert (LookupState.WAITING, None) == (unseen.state, unseen.known)
    assert 0 == desk.rdap.connections


@pytest.mark.parametrize("code", [403, 503, 200])
def test_a_failure_hides_no_earlier_answer(desk: Desk, code: int) -> None:
    """What is stale is shown until there is something newer, and a failure is nothing newer."""
    desk.keep(found("example.org"), fresh=HOUR, at=NOW - 2 * HOUR)
    if code != 200:
        desk.rdap.faults["/"] = status(code)
    lookups = desk.ask(wants(LookupKind.DOMAIN))
    assert ("Example Registrar, Inc." if code == 200 else "Registrar SA") == answers(lookups)[
        LookupKind.DOMAIN
    ].registrar
    assert (LookupState.ANSWERED, 1) == (lookups[0].state, len(desk.rdap.paths))


def test_a_failure_without_an_earlier_answer_is_the_answer(desk: Desk) -> None:
    """A server that refuses for good is told with its reason."""
    desk.rdap.faults["/"] = status(403)
    (one,) = desk.ask(wants(LookupKind.DOMAIN))
    assert one.known is not None
    assert (LookupState.ANSWERED, Result.FAILED) == (one.state, one.known.answer.result)
    assert "403" in one.known.answer.reason


def test_nobody_to_ask_is_an_answer_too(desk: Desk) -> None:
    """Where no service is known it says so."""
    found_ = answers(desk.ask(wants(LookupKind.DOMAIN, "example.zz")))[LookupKind.DOMAIN]
    assert "no RDAP service is known for .zz, and lookups.whois names no server" == found_.reason


def test_what_was_tried_in_vain_is_not_tried_again(desk: Desk) -> None:
    """Somebody waits: a server that is in trouble is asked once, and the trouble is told."""
    desk.rdap.faults["/"] = status(503)
    began = time.monotonic()
    (one,) = desk.ask(wants(LookupKind.DOMAIN))
    assert 10 > time.monotonic() - began
    assert (LookupState.WAITING, None, 1) == (one.state, one.known, len(desk.rdap.paths))
    assert one.reason.startswith("no answer: ")
    assert "503" in one.reason
    assert (1, 1) == desk.told[-1]


def test_a_referral_is_followed_once_to_a_registry_that_is_known(desk: Desk) -> None:
    """RIPE sends to ARIN: ARIN is asked at its own address, whatever path was named."""
    desk.rdap.faults["/ripe/"] = redirect(f"http://other.example:{desk.rdap.port}/somewhere/else")
    desk.rdap.networks["arin"] = [registries.network(f"{IP}/32", "NET-1", "EXAMPLE-ARIN")]
    found_ = answers(desk.ask(wants(LookupKind.NETWORK)))[LookupKind.NETWORK]
    assert ("EXAMPLE-ARIN", "other.example") == (found_.network, found_.server)
    assert [f"/ripe/ip/{IP}", f"/arin/ip/{IP}"] == desk.rdap.paths


def test_two_registries_that_refer_to_each_other_are_asked_once_each(desk: Desk) -> None:
    """The second referral is the end."""
    desk.rdap.faults["/ripe/"] = redirect(f"http://other.example:{desk.rdap.port}/arin/ip/{IP}")
    desk.rdap.faults["/arin/"] = redirect(f"http://127.0.0.1:{desk.rdap.port}/ripe/ip/{IP}")
    found_ = answers(desk.ask(wants(LookupKind.NETWORK)))[LookupKind.NETWORK]
    assert (Result.FAILED, 2) == (found_.result, len(desk.rdap.paths))


def test_a_network_without_abuse_contact_has_ripe_asked_for_it(desk: Desk) -> None:
    """The further question is one of the look-ups, and counts in the progress."""
    desk.rdap.networks["ripe"][0]["entities"] = []
    desk.rdap.abuse[IP] = ["abuse@hosting.example"]
    lookups = desk.ask(wants(LookupKind.NETWORK))
    assert [(LookupKind.NETWORK, IP), (LookupKind.ABUSE_CONTACT, IP)] == [(one.kind, one.subject) for one in lookups]
    assert ["abuse@hosting.example"] == [
        contact.email for contact in answers(lookups)[LookupKind.ABUSE_CONTACT].contacts
    ]
    assert [f"/ripe/ip/{IP}", f"/rest/abuse-contact/{IP}.json"] == desk.rdap.paths
    assert (2, 2) == desk.told[-1]


def test_a_further_question_that_was_planned_is_not_asked_twice(desk: Desk) -> None:
    """Where it is one of the look-ups already, it stays as it was planned."""
    desk.rdap.networks["ripe"][0]["entities"] = []
    planned_ = wants(LookupKind.ABUSE_CONTACT, state=LookupState.WITHHELD, permission=Permission.ASK)
    lookups = desk.ask(wants(LookupKind.NETWORK), planned_)
    assert [LookupState.ANSWERED, LookupState.WITHHELD] == [one.state for one in lookups]
    assert [f"/ripe/ip/{IP}"] == desk.rdap.paths


def test_nobody_waits_longer_than_the_deadline(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was asked and not answered says so, and what waits for its turn says for whom."""
    monkeypatch.setattr(inquiry, "LONGEST", timedelta(seconds=1))
    desk.rdap.faults["/org/"] = silence
    began = time.monotonic()
    lookups = desk.ask(
        wants(LookupKind.DOMAIN, "example.org"),
        wants(LookupKind.NETWORK),
        wants(LookupKind.OWN_DOMAIN),
        timeout="20s",
        rate="1/1h",
    )
    assert 5 > time.monotonic() - began
    assert [(LookupState.ASKING, ""), *[(LookupState.WAITING, "not asked: waits for 127.0.0.1")] * 2] == [
        (one.state, one.reason) for one in lookups
    ]
    assert {None} == {one.known for one in lookups}
    assert [(0, 3)] == desk.told


def test_budgets_and_failures_are_those_of_all_processes(desk: Desk) -> None:
    """What the daemon has used up is used up here; a server that fails here is known to fail there."""
    assert [] == desk.store.servers()
    desk.rdap.faults["/org/"] = too_many("40")
    (one,) = desk.ask(wants(LookupKind.DOMAIN))
    (server,) = desk.store.servers()
    assert ("127.0.0.1", 1) == (server.name, server.failures)
    assert server.open_until is not None
    assert "no answer: " in one.reason
    desk.rdap.faults.clear()
    desk.store.server_answered("127.0.0.1")
    desk.ask(wants(LookupKind.NETWORK))
    assert [] == desk.store.servers()


def test_answers_about_persons_are_counted_for_ripe(desk: Desk) -> None:
    """The budget that RIPE blocks after is one for daemon and dry runs."""
    bucket = Bucket(name="lookup-personal:ripe", count=800, span=timedelta(days=1))
    before = desk.store.used([bucket], datetime.now(UTC))
    desk.ask(wants(LookupKind.NETWORK))
    assert before < desk.store.used([bucket], datetime.now(UTC))


# What a dry run knows: service/dry.py


def arrived() -> Arrival:
    """Return the report as it came in."""
    envelope = Envelope(sender="rita@reporter.example", recipients=("abuse@example.pt",), channel=Channel.FILE)
    return Arrival(id="01" * 13, received_at=datetime.now(UTC), envelope=envelope, raw=REPORT)


def decided(dry: Dry) -> tuple[Wanted, ...]:
    """Return what the decision about the report wants to know."""
    reading = pipeline.read(REPORT, dry.knowledge.settings.limits)
    known = dry.known(reading, NOT_OPENED, arrived())
    keys = pipeline.keys(reading, arrived(), dry.knowledge)
    return judge(reading, arrived(), keys, dry.knowledge, enrichment=known).wanted


@pytest.fixture
def without_store(tmp_path: Path) -> Iterator[Callable[..., Settings]]:
    """Settings whose store nobody has made; temporary files have a folder of their own, which is empty at the end."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with (
        RdapServer() as rdap,
        WhoisServer({OWN: PT.replace("example.pt", OWN)}) as whois,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(tempfile, "tempdir", str(temporary))
        (tmp_path / "etc").mkdir()
        rdap.networks["ripe"] = [registries.ripe("185.5.80.0/24")]
        desk = Desk.__new__(Desk)
        desk.folder, desk.rdap, desk.whois = tmp_path / "etc", rdap, whois
        yield desk.settings
        assert [] == list(temporary.iterdir())


@pytest.mark.parametrize("ask", [False, True])
def test_where_there_is_no_store_nothing_is_made(without_store: Callable[..., Settings], ask: bool) -> None:
    """An empty one stands for it, elsewhere and for so long; look-ups are planned, and made by whoever asks."""
    settings = without_store(enabled="true")
    before = sorted(settings.store.path.parent.iterdir())
    with Dry(settings, knowledge_of(settings), ask=ask) as dry:
        wanted = decided(dry)
        assert [(LookupKind.NETWORK, IP), (LookupKind.OWN_DOMAIN, OWN)] == [(one.kind, one.subject) for one in wanted]
        lookups = dry.looked_up(wanted, lambda *_: None)
    assert {LookupState.ANSWERED if ask else LookupState.WAITING} == {one.state for one in lookups}
    assert ("EXAMPLE-NET" if ask else "") == (answers(lookups)[LookupKind.NETWORK].network if ask else "")
    assert before == sorted(settings.store.path.parent.iterdir())
    assert not settings.store.path.exists()


def test_who_asks_plans_look_ups_even_where_they_are_off(without_store: Callable[..., Settings]) -> None:
    """Off, a decision wants nothing; asked for, it wants what the policy allows; the settings stay as they were."""
    settings = without_store(enabled="false")
    knowledge = knowledge_of(settings)
    with Dry(settings, knowledge, ask=False) as dry:
        assert () == decided(dry)
    with Dry(settings, knowledge, ask=True) as dry:
        assert 2 == len(decided(dry))
    assert not knowledge.settings.lookups.enabled


def test_what_the_daemon_would_know_is_known(desk: Desk) -> None:
    """The cache, local files and the contact directory of the installation; the directory of others does not count."""
    (desk.folder / "owners.csv").write_text(f"key,owner,contact,note\n{OWN},Loja,loja@example.org,\n")
    settings = desk.settings(files='owners = "owners.csv"')
    desk.keep(found_network("185.5.80.0", "185.5.80.255", IP))
    entry = DirectoryEntry(email="rita@reporter.example", kind=ContactKind.CSIRT, organisation="Rita & Co")
    desk.store.put_contacts([entry], "ana", NOW)
    with Dry(settings, knowledge_of(settings), ask=False) as dry:
        known = dry.known(pipeline.read(REPORT, settings.limits), NOT_OPENED, arrived())
    assert "NET-EXAMPLE" == known.known[LookupKind.NETWORK, IP].answer.network
    assert {OWN: Offline(owner="Loja", owner_contact="loja@example.org", owner_key=OWN)} == known.offline
    assert known.reporter is not None
    assert "Rita & Co" == known.reporter.organisation


def test_broken_local_files_end_a_dry_run_and_leave_nothing(without_store: Callable[..., Settings]) -> None:
    """The faults are named, as at the start of the daemon, and the store that stood for none is gone."""
    settings = without_store(files='owners = "owners.csv"')
    (settings.store.path.parent / "owners.csv").write_text("key,owner\nnonsense\n")
    with pytest.raises(ConfigError, match="owners"), Dry(settings, knowledge_of(settings), ask=True):
        raise AssertionError


def test_what_was_found_is_added_to_what_was_known(desk: Desk) -> None:
    """Newer answers take the place of older ones; look-ups without an answer change nothing."""
    abuse = FoundContact(role="abuse", email="abuse@example.net")
    desk.keep(found_network("185.5.80.0", "185.5.80.255", IP, contacts=(abuse,)))
    (old,) = planned(desk.store, [wants(LookupKind.NETWORK)])
    (new,) = desk.ask(wants(LookupKind.NETWORK, tlp=Tlp.CLEAR))
    withheld = planned(desk.store, [wants(LookupKind.POINTER, state=LookupState.WITHHELD)])
    before = enriched(NOTHING_KNOWN, [old, *withheld])
    assert {(LookupKind.NETWORK, IP): old.known} == before.known
    assert {(LookupKind.NETWORK, IP): new.known} == enriched(before, [new]).known
    assert before == enriched(before, withheld)
