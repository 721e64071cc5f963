"""From bytes and what is known to an outcome: every way that a message can take, and why it is not answered."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from daemon import report, write_config

from abuse_triage import config, outcomes, pipeline
from abuse_triage.mail import thread
from abuse_triage.model.decision import Priority, TicketKind
from abuse_triage.model.message import Arrival, Channel, Envelope
from abuse_triage.model.ticket import (
    NUMBER_PLACEHOLDER,
    Outcome,
    OutcomeKind,
    RelationKeys,
    Relations,
    TicketRef,
    TicketState,
)
from abuse_triage.outcomes import Knowledge
from abuse_triage.service.knowledge import knowledge_of

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
TICKET = TicketRef(id=7, number="TEST#2026-000007", state=TicketState.NEW)
RULES = """
version: 1
ruleset: {id: test, taxonomy: rncsirt-nine}
rules:
  - id: gate.casino
    phase: gate
    why: Advertising.
    when: {subject: {re: 'casino', fold: true}}
    then: {park: advertising}
    tests:
      - {name: word, facts: {subject: Casino}, expect: {match: true, park: true}}
      - {name: another word, facts: {subject: Cinema}, expect: {match: false}}
  - id: route.silent
    phase: route
    why: They asked for it.
    when: {subject: {re: 'silent', fold: true}}
    then: {reply: none}
    tests:
      - {name: word, facts: {subject: Silent}, expect: {match: true, acknowledge: false}}
      - {name: another word, facts: {subject: Loud}, expect: {match: false}}
"""


@pytest.fixture(scope="module")
def knowledge(tmp_path_factory: pytest.TempPathFactory) -> Knowledge:
    """Two rules, two mailboxes, and the taxonomy."""
    folder = tmp_path_factory.mktemp("rules")
    (folder / "rules").mkdir()
    (folder / "rules" / "10.yaml").write_text(RULES)
    shipped = Path(__file__).resolve().parents[2] / "rules" / "taxonomy.yaml"
    (folder / "rules" / "taxonomy.yaml").write_text(shipped.read_text("utf-8"), "utf-8")
    return knowledge_of(config.load(write_config(folder, extra='[rules]\npaths = ["rules"]\n')))


def with_settings(knowledge: Knowledge, section: str, **changes: Any) -> Knowledge:
    """Return the same knowledge with other settings."""
    settings = knowledge.settings
    changed = getattr(settings, section).model_copy(update=changes)
    return replace(knowledge, settings=settings.model_copy(update={section: changed}))


def arrived(
    raw: bytes = report(1),
    *,
    sender: str = "reporter1@example.com",
    recipients: tuple[str, ...] = ("abuse@example.pt",),
    truncated: bool = False,
) -> Arrival:
    """Return a message that has just come in."""
    envelope = Envelope(sender=sender, recipients=recipients, channel=Channel.SMTP)
    return Arrival(id="01" * 13, received_at=NOW, envelope=envelope, raw=raw, truncated=truncated)


def decided(
    knowledge: Knowledge,
    arrival: Arrival | None = None,
    relations: Relations | None = None,
    previous: TicketRef | None = None,
) -> Outcome:
    """Send a message the whole way."""
    arrival = arrival or arrived()
    reading = pipeline.read(arrival.raw, knowledge.settings.limits)
    return pipeline.decide(
        reading,
        arrival,
        pipeline.keys(reading, arrival, knowledge),
        relations or Relations(),
        knowledge,
        lease="lease",
        previous=previous,
        now=NOW + timedelta(seconds=1),
    )


def titled(subject: str, *headers: str) -> bytes:
    """Return a report with another subject and more header fields."""
    head, _, body = report(1).partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Subject:")]
    return b"\r\n".join((f"Subject: {subject}".encode(), *(one.encode() for one in headers), *lines, b"", body))


def test_a_report_opens_a_ticket_with_everything_that_is_known(knowledge: Knowledge) -> None:
    """Draft, facts, indicators, journal and acknowledgement are there, and nobody but the sender is written to."""
    outcome = decided(knowledge)
    draft = outcome.opens
    assert draft is not None
    assert (OutcomeKind.OPENED, None, None, "") == (outcome.kind, outcome.joins, outcome.updates, outcome.refused)
    assert "Brute force from 192[.]0[.]2[.]2 (case 1)" == draft.summary
    assert NOW + knowledge.settings.tickets.response[draft.priority] == draft.due
    assert (2026, "abuse@example.pt", "reporter1@example.com") == (draft.year, draft.mailbox, draft.reporter)
    assert ("192.0.2.2",) == tuple(found.value for found in outcome.indicators if found.kind == "ipv4")
    assert ["opened", "classified", "acknowledgement queued"] == [entry.action for entry in outcome.journal]
    assert {NOW + timedelta(seconds=1)} == {entry.at for entry in outcome.journal}
    (mail,) = outcome.outgoing
    assert "reporter1@example.com" == mail.recipient
    assert NUMBER_PLACEHOLDER.encode() in mail.content
    assert b"192.0.2.2" not in mail.content
    facts = json.loads(outcome.facts)
    assert not any(name.startswith("body.") for name in facts["facts"])
    assert "2026-11-20T10:01:00+00:00" == facts["date"]


def test_the_same_values_give_the_same_outcome(knowledge: Knowledge) -> None:
    """A decision can be replayed."""
    assert decided(knowledge) == decided(knowledge)


def test_only_ids_that_we_signed_are_keys(knowledge: Knowledge) -> None:
    """Ids of others, forged ones and those of another installation are left out; numbers and window are there."""
    ours = thread.own_id("ack", "1", knowledge.secret, "example.pt")
    older = thread.own_id("ack", "2", knowledge.secret, "example.pt")
    foreign = thread.own_id("ack", "1", b"another secret of 32 bytes length", "example.pt")
    raw = titled(
        "Re: [TEST#2026-000042] more",
        f"In-Reply-To: <{ours}>",
        f"References: <x@example.com> <{older}> <{foreign}> <{ours[:-1]}q> <{ours}>",
    )
    arrival = arrived(raw)
    reading = pipeline.read(raw, knowledge.settings.limits)
    keys = pipeline.keys(reading, arrival, knowledge)
    assert (
        RelationKeys(
            our_message_ids=(ours, older),
            numbers=("TEST#2026-000042",),
            fingerprint=reading.fingerprint,
            sender="reporter1@example.com",
            since=NOW - knowledge.settings.tickets.duplicate_window,
        )
        == keys
    )


def test_the_first_reason_against_an_answer_is_told(knowledge: Knowledge) -> None:
    """Robots, parking, the relation, rules, settings and addresses forbid an answer, in this order."""
    off = with_settings(knowledge, "reply", enabled=False)
    same = Relations(same_sender=TICKET)
    robot = "Auto-Submitted: auto-generated"
    cases = [
        ("Auto-Submitted is not no", decided(off, arrived(titled("silent casino", robot)), same)),
        ("parked: advertising; Auto-Submitted is not no", decided(off, arrived(titled("silent casino", robot)))),
        ("parked: advertising", decided(off, arrived(titled("silent casino")))),
        ("the same content came from the same sender before", decided(off, arrived(titled("silent casino")), same)),
        ("it would be parked now: advertising", decided(off, arrived(titled("silent casino")), previous=TICKET)),
        ("a rule asks for no acknowledgement", decided(off, arrived(titled("silent")))),
        ("acknowledgements are switched off", decided(off, arrived(sender="ana@"))),
        ("the address is none that a header can hold", decided(knowledge, arrived(sender="ana@"))),
        ("", decided(knowledge)),
    ]
    for reason, outcome in cases:
        assert outcome.refused.startswith(reason), reason
        assert bool(reason) == bool(outcome.refused)
        assert bool(reason) is not bool(outcome.outgoing)


def test_a_parked_message_has_its_reason_and_no_ticket(knowledge: Knowledge) -> None:
    """Nothing is opened, and the journal, which belongs to tickets, stays empty."""
    outcome = decided(knowledge, arrived(titled("Casino")))
    assert (OutcomeKind.PARKED, "advertising", None, None, ()) == (
        outcome.kind,
        outcome.reason,
        outcome.opens,
        outcome.joins,
        outcome.journal,
    )


def test_what_answers_us_joins_even_where_a_rule_parks_and_opens_a_closed_ticket(knowledge: Knowledge) -> None:
    """A follow-up joins and reopens its ticket, and changes nothing else of it."""
    closed = replace(TICKET, state=TicketState.CLOSED)
    outcome = decided(knowledge, arrived(titled("Re: casino")), Relations(answered=closed))
    assert (OutcomeKind.JOINED, 7, True) == (outcome.kind, outcome.joins, outcome.reopens)
    assert (None, None) == (outcome.opens, outcome.updates)
    assert ["joined", "classified", "reopened", "not acknowledged"] == [entry.action for entry in outcome.journal]


def test_a_retried_message_updates_its_ticket_and_is_answered(knowledge: Knowledge) -> None:
    """A message that has a ticket from before keeps it and gives it what is known now."""
    outcome = decided(knowledge, previous=TICKET)
    assert outcome.updates is not None
    assert (OutcomeKind.JOINED, 7, None, "") == (outcome.kind, outcome.joins, outcome.opens, outcome.refused)
    assert "Brute force from 192[.]0[.]2[.]2 (case 1)" == outcome.updates.summary
    assert decided(knowledge).outgoing[0].message_id == outcome.outgoing[0].message_id


def test_the_number_of_a_stranger_only_links(knowledge: Knowledge) -> None:
    """A subject that names a ticket opens a new one that mentions it."""
    outcome = decided(knowledge, relations=Relations(tagged=TICKET))
    assert (OutcomeKind.OPENED, (7,)) == (outcome.kind, outcome.links)


@pytest.mark.parametrize("by_our_mta", [True, False])
def test_a_proven_participant_joins_by_number(knowledge: Knowledge, by_our_mta: bool) -> None:
    """DMARC counts where our own MTA says so, and nowhere else."""
    trusting = with_settings(knowledge, "authentication", authserv_id="mx.example.pt")
    server = "mx.example.pt" if by_our_mta else "mx.example.com"
    raw = titled("[TEST#2026-000007]", f"Authentication-Results: {server}; dmarc=pass header.from=example.com")
    tagged = replace(TICKET, participants=("reporter1@example.com",))
    outcome = decided(trusting, arrived(raw), Relations(tagged=tagged))
    assert (OutcomeKind.JOINED if by_our_mta else OutcomeKind.OPENED) is outcome.kind


@pytest.mark.parametrize(
    ("recipients", "mailbox", "kind"),
    [
        (("csirt@example.pt",), "csirt@example.pt", TicketKind.ENQUIRY),
        (("csirt@example.pt", "abuse@example.pt"), "abuse@example.pt", TicketKind.INCIDENT),
        (("other@example.pt",), "abuse@example.pt", TicketKind.INCIDENT),
    ],
)
def test_the_mailbox_says_what_kind_of_matter_it_is(
    knowledge: Knowledge, recipients: tuple[str, ...], mailbox: str, kind: TicketKind
) -> None:
    """Of several recipients the first configured mailbox counts; one that is configured no more counts as the first."""
    outcome = decided(knowledge, arrived(recipients=recipients))
    assert outcome.opens is not None
    assert (mailbox, kind) == (outcome.opens.mailbox, outcome.opens.kind)
    assert f"<{mailbox}>".encode() in outcome.outgoing[0].content


def test_a_truncated_message_says_so(knowledge: Knowledge) -> None:
    """That only a beginning was kept is a fact that rules and handlers see."""
    for truncated in (True, False):
        facts = json.loads(decided(knowledge, arrived(truncated=truncated)).facts)["facts"]
        assert truncated is facts["message.truncated"]


def test_bytes_without_sense_are_still_a_ticket(knowledge: Knowledge) -> None:
    """A message without any field, even without sender, has an outcome; a null sender gets no answer."""
    outcome = decided(knowledge, arrived(b"\x00\xff" * 50, sender=""))
    assert OutcomeKind.OPENED is outcome.kind
    assert () == outcome.outgoing
    assert () == outcome.participants


@pytest.mark.parametrize("previous", [None, TICKET])
def test_a_quarantined_message_has_a_ticket_and_no_answer(knowledge: Knowledge, previous: TicketRef | None) -> None:
    """The first time it opens a ticket for a person to look at, after that it stays with it."""
    outcome = outcomes.quarantine(
        arrived(sender=""), "the reader died", knowledge, lease="lease", previous=previous, now=NOW
    )
    assert (OutcomeKind.QUARANTINED, "unreadable report: the reader died") == (outcome.kind, outcome.reason)
    assert ((), ()) == (outcome.outgoing, outcome.participants)
    assert outcome.refused
    assert ["quarantined"] == [entry.action for entry in outcome.journal]
    if previous:
        assert (None, 7) == (outcome.opens, outcome.joins)
    else:
        assert outcome.opens is not None
        assert (Priority.P3, True, None) == (outcome.opens.priority, outcome.opens.review, outcome.joins)
