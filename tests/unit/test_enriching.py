"""What is known about a message without asking anybody: at which TLP it sees the cache, and about whom it looks."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from contract.asking import found, found_network
from contract.values import DRAFT, VERDICT, open_ticket
from daemon import write_config

from abuse_triage import config, pipeline
from abuse_triage.model.decision import Tlp
from abuse_triage.model.lookups import (
    NOTHING_KNOWN,
    Answer,
    ContactKind,
    DirectoryEntry,
    Enrichment,
    Known,
    LookupKind,
    LookupState,
    Offline,
    Result,
    Wanted,
)
from abuse_triage.model.message import Arrival, Channel, Envelope
from abuse_triage.model.openpgp import Encrypted, Form, Protection
from abuse_triage.model.report import NOT_OPENED, Opened, Reading
from abuse_triage.outcomes import Knowledge
from abuse_triage.service.enriching import Enricher
from abuse_triage.service.knowledge import knowledge_of
from abuse_triage.service.localfiles import LocalFiles
from abuse_triage.store import open_store
from abuse_triage.store.interface import Store

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
IP, NAME, OURS = "185.5.80.7", "example.org", "185.39.208.9"
NETWORK, DOMAIN = (LookupKind.NETWORK, IP), (LookupKind.DOMAIN, NAME)
RITA = "rita@reporter.example"
OWNERS = f"key,owner,contact,note\n{OURS},Cliente,soc@cliente.example,\n{NAME},Loja,,24 h\n"
EXTRA = """
[[mailbox]]
address = "secret@example.pt"
default_tlp = "amber"

[[scope.autonomous_system]]
asn = 199993
networks = ["185.39.208.0/22"]

[lookups]
enabled = true
owners = "owners.csv"
"""


class Cache:
    """The cache of a real store; notes what is looked up in it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.seen: list[tuple[tuple[tuple[LookupKind, str], ...], Tlp]] = []

    def known(self, asked: Sequence[tuple[LookupKind, str]], tlp: Tlp, now: datetime) -> list[Known]:
        """Ask the store."""
        self.seen.append((tuple(asked), tlp))
        return self.store.known(asked, tlp, now)


class Desk:
    """An enricher with everything that it looks at."""

    def __init__(self, knowledge: Knowledge, store: Store) -> None:
        self.knowledge = knowledge
        self.store = store
        self.cache = Cache(store)
        self.enricher = Enricher(knowledge, self.cache, store, LocalFiles(knowledge.settings.lookups))

    def keep(self, answer: Answer, tlp: Tlp, *, fresh: timedelta = HOUR, stale: timedelta = HOUR) -> None:
        """Let the cache have an answer that was asked for under a TLP."""
        wanted = Wanted(
            kind=answer.kind, subject=answer.subject, tlp=tlp, state=LookupState.WAITING, not_before=NOW - 2 * HOUR
        )
        name = f"{answer.kind} {answer.subject} {tlp}"
        opens, verdict = replace(DRAFT, tlp=tlp), replace(VERDICT, tlp=tlp)
        open_ticket(self.store, name, sender=f"{tlp.value}@x.example", opens=opens, verdict=verdict, wanted=(wanted,))
        (task,) = self.store.claim_lookups(5, HOUR, NOW - 2 * HOUR)
        self.store.answer_lookup(task, answer, fresh=fresh, stale=stale, again=False, now=NOW - HOUR)

    def read(self, text: str, sender: str = f"Rita <{RITA}>") -> Reading:
        """Read a mail."""
        head = f"From: {sender}\nTo: abuse@example.pt\nSubject: Relato\nMessage-ID: <1@reporter.example>\n"
        raw = f"{head if sender else head.partition(chr(10))[2]}Content-Type: text/plain\n\n{text}\n".encode()
        return pipeline.read(raw, self.knowledge.settings.limits)

    def of(
        self,
        text: str,
        *,
        sender: str = f"Rita <{RITA}>",
        mailbox: str = "abuse@example.pt",
        opened: Opened = NOT_OPENED,
    ) -> Enrichment:
        """Return what is known about a mail."""
        envelope = Envelope(sender="bounce@reporter.example", recipients=(mailbox,), channel=Channel.SMTP)
        arrival = Arrival(id="01" * 13, received_at=NOW, envelope=envelope, raw=b"")
        return self.enricher.of(self.read(text, sender), opened, arrival, NOW)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """An empty store, two mailboxes of which one is AMBER, and a table of owners."""
    (tmp_path / "owners.csv").write_text(OWNERS)
    settings = config.load(write_config(tmp_path, extra=EXTRA))
    store = open_store(settings.store.path, number_format=config.number_format(settings))
    yield Desk(knowledge_of(settings), store)
    store.close()


def sealed(desk: Desk, text: str, how: Encrypted = Encrypted.YES, sender: str = f"Rita <{RITA}>") -> Opened:
    """Return a plaintext that was opened."""
    protection = Protection(form=Form.MIME_ENCRYPTED, encrypted=how)
    return Opened(protection=protection, reading=desk.read(text, sender))


def test_nothing_is_known_where_nothing_is_named(desk: Desk) -> None:
    """A mail without anything that could be asked, from nobody in the directory, asks no cache."""
    assert NOTHING_KNOWN == desk.of("Bom dia.")
    assert NOTHING_KNOWN == desk.of("Bom dia.", sender="")
    assert NOTHING_KNOWN == desk.of(f"rita@{NAME} and 192.0.2.7")  # an e-mail address, and one that is nobody's
    assert [] == desk.cache.seen


def test_cache_and_files_are_asked_about_what_a_report_points_at(desk: Desk) -> None:
    """Answers stand by what was asked, what files say by subject; of a host the registrable name is meant."""
    desk.keep(found_network("185.5.80.0", "185.5.80.255"), Tlp.GREEN)
    desk.keep(found(NAME), Tlp.GREEN)
    known = desk.of(f"{IP} hxxp://t0k3n.login.{NAME}/x", mailbox="abuse@example.pt")
    assert {NETWORK: IP, DOMAIN: NAME} == {question: one.answer.subject for question, one in known.known.items()}
    assert {NAME: Offline(owner="Loja", owner_key=NAME, owner_note="24 h")} == known.offline
    assert (None, NOW) == (known.reporter, known.at)
    assert [((NETWORK, DOMAIN), Tlp.GREEN)] == desk.cache.seen


def test_about_an_address_of_ours_only_files_are_asked(desk: Desk) -> None:
    """There is no question about it, so the cache is left alone."""
    known = desk.of(f"hxxp://{OURS}/")
    assert {OURS: Offline(owner="Cliente", owner_contact="soc@cliente.example", owner_key=OURS)} == known.offline
    assert {} == known.known
    assert [] == desk.cache.seen


def test_a_stale_answer_counts_and_a_failure_as_long_as_it_is_fresh(desk: Desk) -> None:
    """What is past even that is not known."""
    desk.keep(found(NAME), Tlp.GREEN, fresh=HOUR / 2)
    desk.keep(found_network("185.5.80.0", "185.5.80.255"), Tlp.GREEN, fresh=HOUR / 4, stale=HOUR / 2)
    desk.keep(found("b.org", result=Result.FAILED, registrar=""), Tlp.GREEN, fresh=2 * HOUR)
    known = desk.of(f"{IP} {NAME} hxxp://b.org/x").known
    assert {DOMAIN, (LookupKind.DOMAIN, "b.org")} == set(known)


def test_the_reporter_is_looked_for_by_the_address_in_from(desk: Desk) -> None:
    """Not by the envelope; of a sealed message by the address inside; whether it is proven, others decide."""
    entry = DirectoryEntry(email=RITA, kind=ContactKind.CCTLD, organisation="Registry")
    bounce = DirectoryEntry(email="bounce@reporter.example", kind=ContactKind.CSIRT, organisation="No")
    desk.store.put_contacts([entry, bounce], "ana", NOW)
    only = desk.of("Bom dia.")
    assert only.reporter is not None
    assert ("Registry", {}, {}) == (only.reporter.organisation, only.known, only.offline)
    assert desk.of("Bom dia.", sender="RITA@Reporter.Example").reporter == only.reporter
    assert desk.of("Bom dia.", sender="Rita <else@reporter.example>").reporter is None
    assert desk.of("Bom dia.", sender="").reporter is None
    outside = desk.of("Bom dia.", sender="else@x.example", opened=sealed(desk, "Bom dia."))
    assert only.reporter == outside.reporter
    assert [] == desk.cache.seen


@pytest.mark.parametrize(
    ("text", "mailbox", "how", "tlp"),
    [
        ("", "abuse@example.pt", None, Tlp.GREEN),
        ("", "secret@example.pt", None, Tlp.AMBER),
        ("TLP:CLEAR", "abuse@example.pt", None, Tlp.CLEAR),
        ("TLP:GREEN", "secret@example.pt", None, Tlp.GREEN),
        ("TLP:RED", "abuse@example.pt", None, Tlp.RED),
        ("TLP:GREEN TLP:AMBER+STRICT", "abuse@example.pt", None, Tlp.AMBER_STRICT),
        ("", "abuse@example.pt", Encrypted.YES, Tlp.AMBER),
        ("TLP:GREEN", "abuse@example.pt", Encrypted.YES, Tlp.GREEN),
        ("TLP:RED", "abuse@example.pt", Encrypted.YES, Tlp.RED),
        ("", "abuse@example.pt", Encrypted.FAILED, Tlp.AMBER),
    ],
)
def test_the_cache_is_seen_at_the_tlp_that_a_message_has_at_least(
    desk: Desk, text: str, mailbox: str, how: Encrypted | None, tlp: Tlp
) -> None:
    """The strictest marking, else the mailbox's default, and AMBER at least for what came encrypted and unmarked."""
    for level in (Tlp.CLEAR, Tlp.GREEN, Tlp.AMBER, Tlp.AMBER_STRICT, Tlp.RED):
        desk.keep(found(f"{level.name.lower().replace('_', '-')}.org"), level)
    names = " ".join(f"hxxp://{level.name.lower().replace('_', '-')}.org/" for level in Tlp)
    report = f"{names}\n\n{text}"
    opened = NOT_OPENED if how is None else sealed(desk, report, how)
    known = desk.of(report if how is None else "...", mailbox=mailbox, opened=opened)
    assert {tlp} == {level for _, level in desk.cache.seen}
    assert {level.name.lower().replace("_", "-") for level in Tlp if level <= tlp} == {
        subject.removesuffix(".org") for _, subject in known.known
    }


def test_of_a_sealed_message_the_inside_counts(desk: Desk) -> None:
    """What stands outside is not looked at, where there is an inside."""
    desk.keep(found(NAME), Tlp.GREEN)
    assert {} == desk.of(f"hxxp://{NAME}/", opened=sealed(desk, "Bom dia.")).known
    assert {DOMAIN} == set(desk.of("Bom dia.", opened=sealed(desk, f"hxxp://{NAME}/")).known)
    failed = Opened(protection=Protection(form=Form.MIME_ENCRYPTED, encrypted=Encrypted.FAILED))
    assert {DOMAIN} == set(desk.of(f"hxxp://{NAME}/", opened=failed).known)


def test_where_look_ups_are_off_and_no_file_is_named_only_the_reporter_is_known(desk: Desk) -> None:
    """What the cache still has from other days does not count then; with a file, that counts."""
    desk.keep(found(NAME), Tlp.GREEN)
    desk.store.put_contacts([DirectoryEntry(email=RITA, kind=ContactKind.CSIRT, organisation="CERT")], "ana", NOW)
    settings = desk.knowledge.settings
    off = settings.lookups.model_copy(update={"enabled": False})
    without = replace(desk.knowledge, settings=settings.model_copy(update={"lookups": off}))
    bare = off.model_copy(update={"owners": None})
    for files, offline in ((bare, set()), (off, {NAME})):
        desk.enricher = Enricher(without, desk.cache, desk.store, LocalFiles(files))
        known = desk.of(f"hxxp://{NAME}/")
        assert known.reporter is not None
        assert (offline, {}) == (set(known.offline), known.known)
        stranger = desk.of(f"hxxp://{NAME}/", sender="else@x.example")
        assert offline or stranger == NOTHING_KNOWN
