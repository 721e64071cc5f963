"""The decider and OpenPGP: real store, readers and keys, and what happens where opening fails or takes its time."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from daemon import report
from pgp import Forge
from sealed_mail import RITA, TEXT, arrived, sealed, settings_of_a_team, vouched, with_openpgp
from structlog.testing import capture_logs

from abuse_triage import config
from abuse_triage.model.settings import Settings
from abuse_triage.model.ticket import MessageState
from abuse_triage.openpgp import gpg
from abuse_triage.outcomes import Knowledge
from abuse_triage.service import triage
from abuse_triage.service.knowledge import knowledge_of
from abuse_triage.service.opening import Opener
from abuse_triage.service.reading import Reader
from abuse_triage.service.triage import Decider
from abuse_triage.store import open_store
from abuse_triage.store.interface import MessageFilter, Store, StoredReport, TicketFilter

DONE, RECEIVED, QUARANTINED = MessageState.DONE, MessageState.RECEIVED, MessageState.QUARANTINED


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, forge: Forge) -> Iterator[Settings]:
    """A team with a key, and time enough on a busy machine."""
    with settings_of_a_team(tmp_path_factory.mktemp("team"), forge) as made:
        changes = {"lease": timedelta(minutes=5), "deadline": timedelta(seconds=30)}
        yield made.model_copy(update={"triage": made.triage.model_copy(update=changes)})


@pytest.fixture(scope="module")
def knowledge(settings: Settings) -> Knowledge:
    """The shipped rules."""
    return knowledge_of(settings)


class Bench:
    """A store that knows Rita's key, and workers on it."""

    def __init__(self, knowledge: Knowledge, path: Path, forge: Forge) -> None:
        self._ended = ExitStack()
        self._knowledge, self._settings = knowledge, knowledge.settings
        self.store: Store = open_store(path, number_format=config.number_format(self._settings))
        self._ended.callback(self.store.close)
        self.store.add_key(vouched(forge, forge.partner, RITA))
        self.opener = self._ended.enter_context(Opener(self._settings, self.store))

    def take(self, *raws: bytes) -> None:
        """Accept messages of Rita."""
        self.store.accept([arrived(raw, f"m{number}") for number, raw in enumerate(raws)])

    def work(self, *, max_output: int = 50_000_000, **changes: object) -> int:
        """Do one round of a worker with other settings of [triage], whose reader takes so much plaintext."""
        settings = self._settings.model_copy(update={"triage": self._settings.triage.model_copy(update=changes)})
        reader = Reader(with_openpgp(settings, max_output=max_output))
        knowledge = replace(self._knowledge, settings=settings)
        try:
            return Decider(knowledge, self.store, reader, announce=lambda _line: None, opener=self.opener).work(Event())
        finally:
            reader.close()

    def states(self) -> list[tuple[MessageState, int]]:
        """Return state and attempts of every message, oldest first."""
        return [(one.state, one.attempts) for one in reversed(self.store.messages(MessageFilter()))]

    def protections(self) -> list[str]:
        """Return what the tickets say of OpenPGP, oldest first."""
        return [one.protection for one in reversed(self.store.tickets(TicketFilter()))]

    def reports(self, name: str) -> list[StoredReport]:
        """Return what a ticket keeps of a message."""
        reports = self.store.ticket(self.store.message(name)[0].ticket).reports
        return [one for one in reports if one.message_id == name]

    def close(self) -> None:
        """End everything."""
        self._ended.close()


@pytest.fixture
def bench(knowledge: Knowledge, tmp_path: Path, forge: Forge) -> Iterator[Bench]:
    """A store of its own."""
    made = Bench(knowledge, tmp_path / "store.sqlite", forge)
    yield made
    made.close()


def test_messages_are_opened_among_others(bench: Bench, forge: Forge) -> None:
    """A batch may hold both kinds; each is read twice at most, by the one reader."""
    bench.take(report(1), sealed(forge, TEXT, signer=forge.partner), report(2), sealed(forge, TEXT, forge.stranger))
    assert 4 == bench.work()
    assert [(DONE, 1)] * 4 == bench.states()
    expected = ["", "encrypted, signed and verified", "", "could not be decrypted: no secret key, not signed"]
    assert expected == bench.protections()


def test_what_might_outlast_the_lease_is_given_back(bench: Bench, forge: Forge) -> None:
    """Opening has a time limit of its own: with less than that left, only messages without OpenPGP are worked on."""
    bench.take(report(1), report(2), sealed(forge, TEXT), report(3))
    lease = {"deadline": timedelta(seconds=30), "lease": timedelta(seconds=79)}  # 79 - 30 < 20 + 30
    bench.work(**lease)
    assert [(DONE, 1), (DONE, 1), (RECEIVED, 0), (RECEIVED, 0)] == bench.states()
    bench.work(**lease)
    assert [(DONE, 1)] * 4 == bench.states(), "alone or first, a message is opened in any case"
    assert ["", "", "encrypted, not signed", ""] == bench.protections()


def test_gpg_that_does_not_work_counts_against_the_message_alone(bench: Bench, forge: Forge) -> None:
    """The others of its batch are done; the last attempt makes a ticket that says why."""
    bench.take(report(1), sealed(forge, TEXT), report(2))
    works = bench.opener._gpg
    bench.opener._gpg = gpg.Gpg(bench.opener._home.folder, gpg.Limits(), program="/nonexistent/gpg")
    with capture_logs() as logs:
        bench.work(attempts=2)
    assert [(DONE, 1), (RECEIVED, 1), (DONE, 1)] == bench.states()
    assert [("m1", "gpg does not work")] == [
        (line["id"], line["error"]) for line in logs if line["event"] == "reading-failed"
    ]
    while bench.store.waiting():
        bench.work(attempts=2)
    assert (QUARANTINED, 2) == bench.states()[1]
    assert "unreadable report: gpg does not work" == bench.store.message("m1")[0].reason
    bench.opener._gpg = works
    bench.store.retry("m1", "ana", arrived(b"").received_at)
    while bench.store.waiting():
        bench.work()
    assert (DONE, "encrypted, not signed") == (bench.states()[1][0], bench.protections()[-1])


def test_a_second_reading_that_fails_counts_against_the_message(bench: Bench, forge: Forge) -> None:
    """As the first one does."""
    bench.take(sealed(forge, TEXT), report(1))
    bench.work(max_output=10)
    assert [(RECEIVED, 1), (DONE, 1)] == bench.states()
    assert "the plaintexts are larger than 10 bytes together" == bench.store.message("m0")[0].error


@pytest.mark.parametrize("signed", [True, False])
def test_what_turned_stale_is_looked_at_again(
    bench: Bench, forge: Forge, monkeypatch: pytest.MonkeyPatch, *, signed: bool
) -> None:
    """Two mails with one signature in one batch: neither was seen before when they were opened, the second one is."""
    monkeypatch.setattr(triage, "_FLUSH_SECONDS", 60)
    renewed: list[Any] = []
    as_always = bench.opener.renewed

    def look_again(*given: Any) -> Any:
        renewed.append(given[1].id)
        return as_always(*given)

    monkeypatch.setattr(bench.opener, "renewed", look_again)
    if signed:
        raw = sealed(forge, TEXT, signer=forge.partner)
        bench.take(raw, raw.replace(b"Subject: ...", b"Subject: again"))
    else:
        bench.take(report(1), report(1))
    bench.work()
    assert [(DONE, 1)] * 2 == bench.states()
    assert (["m1"] if signed else []) == renewed
    facts = [json.loads(one.facts) for name in ("m0", "m1") for one in bench.reports(name)]
    assert ([False, True] if signed else [None, None]) == [
        one["openpgp"]["replayed"] if "openpgp" in one else None for one in facts
    ]
