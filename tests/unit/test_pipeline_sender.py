"""What a decision makes of who wrote: proof, contacts, lists of our own, mail of ours that comes back."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from daemon import report, write_config

from abuse_triage import config, pipeline
from abuse_triage.mail import thread
from abuse_triage.model.message import Arrival, Authentication, Channel, Envelope
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
TICKET = TicketRef(id=7, number="TEST#2026-000007", state=TicketState.CLOSED, participants=("ana@cert.example.org",))
CONFIG = """
[authentication]
authserv_id = "mx.example.pt"

[[contact]]
name = "CERT Example"
domains = ["cert.example.org"]

[[contact]]
name = "Sensors"
kind = "robot"
addresses = ["feed@example.net"]
"""
PROVEN = "dkim=pass header.d=cert.example.org; dmarc=pass header.from=cert.example.org"
RT = ("X-RT-Loop-Prevention: CERT", "X-RT-Ticket: CERT #153593", "Precedence: bulk")


@pytest.fixture(scope="module")
def knowledge(tmp_path_factory: pytest.TempPathFactory) -> Knowledge:
    """Return what a team knows that has an MTA, a list, and two contacts."""
    settings = config.load(write_config(tmp_path_factory.mktemp("sender"), extra=CONFIG))
    reply = settings.reply.model_copy(update={"own_lists": ("abuse.example.pt",)})
    return knowledge_of(settings.model_copy(update={"reply": reply}))


def mail(
    *headers: str,
    sender: str = "Ana <ana@cert.example.org>",
    subject: str = "[CERT #153593] Phishing",
    results: str = "",
) -> bytes:
    """Return a report with these fields; `results` are those of our own MTA."""
    body = report(1).partition(b"\r\n\r\n")[2]
    own = [f"Authentication-Results: mx.example.pt; {results}"] if results else []
    fields = [*own, *headers, f"From: {sender}", f"Subject: {subject}", "Message-ID: <1@cert.example.org>"]
    return "\r\n".join((*fields, "", "")).encode() + body


def decided(
    knowledge: Knowledge,
    raw: bytes,
    *,
    path: str = "ana@cert.example.org",
    relations: Relations | None = None,
    checked: Authentication | None = None,
    promoted: bool = False,
    details: tuple[str, ...] = (),
) -> tuple[RelationKeys, Outcome]:
    """Send a message the whole way; returns its keys, too."""
    envelope = Envelope(sender=path, recipients=("abuse@example.pt",), channel=Channel.SMTP, details=details)
    arrival = Arrival(id="01" * 13, received_at=NOW, envelope=envelope, raw=raw)
    reading = pipeline.read(raw, knowledge.settings.limits)
    keys = pipeline.keys(reading, arrival, knowledge, checked=checked)
    outcome = pipeline.decide(
        reading,
        arrival,
        keys,
        relations or Relations(),
        knowledge,
        lease="lease",
        previous=None,
        now=NOW + timedelta(seconds=1),
        checked=checked,
        promoted=promoted,
    )
    return keys, outcome


def told(outcome: Outcome, action: str) -> str:
    """Return the detail of a journal entry."""
    return next(entry.detail for entry in outcome.journal if entry.action == action)


def test_a_proven_sender_is_recorded(knowledge: Knowledge) -> None:
    """The acknowledgement says that its recipient is proven, and the ticket by whose word."""
    _, outcome = decided(
        knowledge,
        mail(sender="Ana <ana@example.org>", results="spf=pass smtp.mailfrom=ana@example.org"),
        path="ana@example.org",
    )
    (answer,) = outcome.outgoing
    assert ("ana@example.org", True, "1@cert.example.org") == (answer.recipient, answer.proven, answer.answers)
    assert "to the envelope sender" == told(outcome, "acknowledgement queued")
    stored = json.loads(outcome.facts)["authentication"]
    assert ("our MTA", "pass", True, False, "") == tuple(
        stored[name] for name in ("by", "spf", "aligned", "forged", "contact")
    )


def test_a_sender_whom_nobody_proves_is_answered_all_the_same(knowledge: Knowledge) -> None:
    """Without any result the acknowledgement leaves, on the smaller budget, and says so."""
    _, outcome = decided(knowledge, mail(sender="Ana <ana@example.org>"), path="ana@example.org")
    assert not outcome.outgoing[0].proven
    assert "to the envelope sender; the sender is not proven" == told(outcome, "acknowledgement queued")
    assert "nobody" == json.loads(outcome.facts)["authentication"]["by"]


def test_a_forged_report_silences_nobody(knowledge: Knowledge) -> None:
    """What was forged, and not answered, is no duplicate of the same report by whoever is really called so."""
    forged, _ = decided(knowledge, mail(results="spf=fail smtp.mailfrom=cert.example.org"))
    real, _ = decided(knowledge, mail(results=PROVEN))
    assert forged.fingerprint == real.fingerprint
    assert ("", "ana@cert.example.org") == (forged.sender, real.sender)


def test_a_forged_sender_has_a_ticket_and_no_answer(knowledge: Knowledge) -> None:
    """Where SPF fails and nothing aligned holds, the report counts and its alleged sender is left alone."""
    _, outcome = decided(knowledge, mail(results="spf=fail smtp.mailfrom=cert.example.org"))
    assert (OutcomeKind.OPENED, ()) == (outcome.kind, outcome.outgoing)
    assert "may be forged" in outcome.refused
    assert json.loads(outcome.facts)["facts"]["auth.forged"] is True


def test_our_own_check_counts_where_no_mta_is_believed(knowledge: Knowledge) -> None:
    """What `checked` says proves the sender, and makes contacts known."""
    settings = knowledge.settings
    trusting = settings.authentication.model_copy(update={"authserv_id": ""})
    without = replace(knowledge, settings=settings.model_copy(update={"authentication": trusting}))
    keys, outcome = decided(without, mail(), checked=Authentication(dmarc="pass"))
    assert "CERT Example CERT #153593" == keys.peer
    assert outcome.outgoing[0].proven
    assert "own check" == json.loads(outcome.facts)["authentication"]["by"]
    assert "" == decided(without, mail())[0].peer


def test_a_proven_from_is_answered_where_the_return_path_takes_bounces(knowledge: Knowledge) -> None:
    """Mail out of a mailing service reaches whoever wrote, if that is proven; otherwise nobody."""
    path = "bounces+1-abuse=example.pt@em1.example.net"
    _, outcome = decided(knowledge, mail(results=PROVEN), path=path)
    assert [("ana@cert.example.org", True)] == [(one.recipient, one.proven) for one in outcome.outgoing]
    _, outcome = decided(knowledge, mail(results="spf=pass smtp.mailfrom=em1.example.net"), path=path)
    assert ((), True) == (outcome.outgoing, "only takes bounces" in outcome.refused)


def test_a_team_is_acknowledged_once_for_each_number_of_theirs(knowledge: Knowledge) -> None:
    """The first mail out of its ticket system is answered with the number, the next one joins."""
    raw = mail(*RT, results=PROVEN)
    keys, outcome = decided(knowledge, raw)
    assert ("CERT Example CERT #153593", OutcomeKind.OPENED, "") == (keys.peer, outcome.kind, outcome.refused)
    assert b"CERT #153593" in outcome.outgoing[0].content
    facts = json.loads(outcome.facts)
    assert ("CERT Example", "team", "") == tuple(
        facts["facts"][name] for name in ("contact.name", "contact.kind", "automatic")
    )
    assert "CERT #153593" == facts["authentication"]["their_number"]
    _, again = decided(knowledge, raw, relations=Relations(peer=TICKET))
    assert (OutcomeKind.JOINED, 7, True, ()) == (again.kind, again.joins, again.reopens, again.outgoing)


def test_who_only_claims_to_be_the_team_is_a_robot(knowledge: Knowledge) -> None:
    """Without proof, the fields of a ticket system refuse as anybody's, and the number means nothing."""
    keys, outcome = decided(knowledge, mail(*RT))
    assert ("", ()) == (keys.peer, outcome.outgoing)
    assert "a field against loops" in outcome.refused


@pytest.mark.parametrize(
    ("fields", "reopens"),
    [(RT, True), ((*RT, "Auto-Submitted: auto-generated"), False), ((*RT, "Auto-Submitted: auto-replied"), False)],
)
def test_a_teams_answer_to_us_is_never_answered(
    knowledge: Knowledge, fields: tuple[str, ...], *, reopens: bool
) -> None:
    """Out of a ticket system, an answer joins; a person's reopens the ticket, a machine's does not."""
    ours = thread.own_id("ack", "x", knowledge.secret, "example.pt")
    raw = mail(*fields, f"In-Reply-To: <{ours}>", subject="[CERT #153593] Re: [TEST#2026-000007]", results=PROVEN)
    keys, outcome = decided(knowledge, raw, relations=Relations(answered=TICKET))
    assert ((ours,), ("TEST#2026-000007",)) == (keys.our_message_ids, keys.numbers)
    assert (OutcomeKind.JOINED, reopens, ()) == (outcome.kind, outcome.reopens, outcome.outgoing)
    # Also where the ticket is unknown: the answer is to us all the same.
    assert () == decided(knowledge, raw)[1].outgoing


def test_a_robot_that_the_operator_knows_is_never_answered(knowledge: Knowledge) -> None:
    """A contact of kind robot, and a shipped one, in From or in the envelope."""
    for sender, path in (("feed@example.net", "x@example.net"), ("x@example.net", "feed+1@example.net")):
        _, outcome = decided(knowledge, mail(sender=sender), path=path)
        assert ((), True) == (outcome.outgoing, "list of robots" in outcome.refused)
    _, outcome = decided(knowledge, mail(sender="autoreports@shadowserver.org"), path="autoreports@shadowserver.org")
    assert () == outcome.outgoing


LIST = ("List-ID: <abuse.example.pt>", "Precedence: list", "List-Post: <mailto:abuse@example.pt>")
LIST_PATH = "abuse+bncbcsbnlw7ryhrb4jx2@example.pt"


def test_over_a_list_of_our_own_whoever_wrote_is_answered(knowledge: Knowledge) -> None:
    """A group of our own that rewrites From hides nobody, and its addresses are nobody's."""
    raw = mail(
        *LIST,
        "X-Original-Sender: maria@example.org",
        "X-Original-From: Maria <maria@example.org>",
        "Reply-To: eve@example.net",
        sender="'Maria' via abuse <abuse@example.pt>",
        subject="Phishing",
        results="dkim=pass header.d=example.pt; dmarc=pass header.from=example.pt",
    )
    _, outcome = decided(knowledge, raw, path=LIST_PATH)
    assert [("maria@example.org", False)] == [(one.recipient, one.proven) for one in outcome.outgoing]
    assert ("maria@example.org",) == outcome.participants
    tagged = Relations(tagged=replace(TICKET, participants=("abuse@example.pt", "maria@example.org")))
    assert OutcomeKind.OPENED is decided(knowledge, raw, path=LIST_PATH, relations=tagged)[1].kind


def test_the_same_content_makes_nobody_a_participant(knowledge: Knowledge) -> None:
    """Whoever sends a known report again in its sender's name does not come on the ticket with his own address."""
    raw = mail(sender="eve@example.net", subject="Phishing")
    _, outcome = decided(knowledge, raw, relations=Relations(same_sender=TICKET))
    assert (TICKET.id, ()) == (outcome.joins, outcome.participants)


def test_a_list_of_others_is_a_list(knowledge: Knowledge) -> None:
    """The same fields from any other list refuse."""
    raw = mail("List-ID: <news.example.net>", "X-Original-From: maria@example.org", sender="news@example.net")
    assert "mailing list" in decided(knowledge, raw, path="news@example.net")[1].refused


@pytest.mark.parametrize("relations", [Relations(answered=TICKET), Relations()])
def test_our_own_mail_that_comes_back_joins_silently_or_is_parked(knowledge: Knowledge, relations: Relations) -> None:
    """By alias or list: never a new ticket, never an answer, and nothing is reopened."""
    (answer,) = decided(knowledge, mail())[1].outgoing
    raw = answer.numbered("TEST#2026-000007")
    keys, outcome = decided(knowledge, raw, path="list-bounces@example.net", relations=relations)
    assert (answer.message_id,) == keys.our_message_ids
    assert (None, (), False) == (outcome.opens, outcome.outgoing, outcome.reopens)
    assert (OutcomeKind.JOINED if relations.answered else OutcomeKind.PARKED) is outcome.kind
    assert "a mail of ours that came back" in outcome.refused
    assert NUMBER_PLACEHOLDER not in outcome.reason


def test_forged_references_open_no_door(knowledge: Knowledge) -> None:
    """Ids in our form that we did not sign are nobody's."""
    forged = f"ack.{'a' * 24}.{'b' * 24}@example.pt"
    keys, _ = decided(knowledge, mail(f"In-Reply-To: <{forged}>", f"References: <{forged}>"))
    assert () == keys.our_message_ids


def bounce(message_id: str) -> bytes:
    """Return a delivery report about one of our mails."""
    return (
        "From: MAILER-DAEMON@mx.example.net\r\nSubject: Undelivered Mail Returned to Sender\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\n\r\nYour message could not be delivered.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.net\r\n\r\n"
        "Final-Recipient: rfc822; ana@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{message_id}>\r\nSubject: x\r\n\r\n--b--\r\n"
    ).encode()


def test_a_bounce_joins_the_ticket_of_the_mail_that_failed(knowledge: Knowledge) -> None:
    """It marks that mail, joins silently, and one about somebody else's mail does neither."""
    ours = thread.own_id("ack", "x", knowledge.secret, "example.pt")
    keys, outcome = decided(knowledge, bounce(ours.upper()), path="", relations=Relations(answered=TICKET))
    assert ((ours,), (ours,)) == (keys.our_message_ids, outcome.undeliverable)
    assert (OutcomeKind.JOINED, 7, False) == (outcome.kind, outcome.joins, outcome.reopens)
    assert "it reports on the delivery of a mail of ours" in outcome.reason
    keys, outcome = decided(knowledge, bounce("x@example.net"), path="")
    assert ((), ()) == (keys.our_message_ids, outcome.undeliverable)
    assert OutcomeKind.PARKED is outcome.kind


@pytest.mark.parametrize("kind", ["digest", "notice"])
def test_a_bounce_of_mail_without_ticket_is_parked(knowledge: Knowledge, kind: str) -> None:
    """A digest or notice that did not arrive is told as what it is; a person may take it for a report all the same."""
    ours = thread.own_id(kind, "x", knowledge.secret, "example.pt")
    _, outcome = decided(knowledge, bounce(ours), path="")
    assert (OutcomeKind.PARKED, (ours,)) == (outcome.kind, outcome.undeliverable)
    assert f"belongs to no ticket ({kind}) could not be delivered" in outcome.reason
    _, outcome = decided(knowledge, bounce(ours), path="", promoted=True)
    assert OutcomeKind.OPENED is outcome.kind


def test_what_runs_in_circles_is_parked(knowledge: Knowledge) -> None:
    """A message that passed more hosts than any does is kept, and neither ticketed nor answered; a person may."""
    raw = mail(*["Received: from a.example.net by b.example.net"] * 51)
    _, outcome = decided(knowledge, raw)
    assert (OutcomeKind.PARKED, ()) == (outcome.kind, outcome.outgoing)
    assert "50 hosts" in outcome.reason
    assert "parked: it passed more than 50 hosts" == outcome.refused
    _, outcome = decided(knowledge, raw, promoted=True)
    assert (OutcomeKind.OPENED, ()) == (outcome.kind, outcome.outgoing)
    assert outcome.verdict is not None
    assert outcome.verdict.reason.endswith("a person took it for a report")
    assert outcome.verdict.reason in told(outcome, "classified")


def test_a_plus_address_names_a_ticket(knowledge: Knowledge) -> None:
    """The number behind "+" counts as the subject's does, and needs the same proof."""
    raw = mail(subject="More logs", results=PROVEN)
    keys, outcome = decided(knowledge, raw, details=("test-2026-000007",), relations=Relations(tagged=TICKET))
    assert ("TEST#2026-000007",) == keys.numbers
    assert (OutcomeKind.JOINED, 7) == (outcome.kind, outcome.joins)
    stranger = mail(subject="More logs")
    _, outcome = decided(knowledge, stranger, details=("test-2026-000007",), relations=Relations(tagged=TICKET))
    assert (OutcomeKind.OPENED, (7,)) == (outcome.kind, outcome.links)


@pytest.mark.parametrize(("mailed_by", "answered"), [("example.pt", True), ("evil.example.net", False)])
def test_a_list_of_our_own_that_breaks_signatures_costs_nobody_the_answer(
    knowledge: Knowledge, mailed_by: str, *, answered: bool
) -> None:
    """Where our MTA proves the list's host, the writer is answered as unproven; a stranger with its List-Id is not."""
    raw = mail(
        "List-Id: <abuse.example.pt>",
        sender="Ana <ana@example.org>",
        results=f"spf=pass smtp.mailfrom={mailed_by}; dkim=fail; dmarc=fail header.from=example.org",
    )
    _, outcome = decided(knowledge, raw, path=f"abuse+bounces@{mailed_by}")
    assert [("ana@example.org", False)] * answered == [(mail.recipient, mail.proven) for mail in outcome.outgoing]
    assert answered != ("may be forged" in outcome.refused)
    assert answered != json.loads(outcome.facts)["authentication"]["forged"]


def test_over_a_list_of_our_own_the_writer_is_the_reporter(knowledge: Knowledge) -> None:
    """Not the list's return path: it stands on the ticket, and tells one sender of the same content from another."""
    path = "abuse-bounces@example.pt"
    kept = mail("List-Id: <abuse.example.pt>", "X-Original-From: ana@example.org", sender="abuse@example.pt")
    for raw in (mail("List-Id: <abuse.example.pt>", sender="Ana <ana@example.org>"), kept):
        keys, outcome = decided(knowledge, raw, path=path)
        assert outcome.opens is not None
        assert ("ana@example.org", "ana@example.org") == (outcome.opens.reporter, keys.sender)
    silent = mail("List-Id: <abuse.example.pt>", sender="abuse@example.pt")
    keys, outcome = decided(knowledge, silent, path=path)
    assert outcome.opens is not None
    assert (path, path) == (outcome.opens.reporter, keys.sender)
    assert "does not say who wrote" in outcome.refused or "own addresses" in outcome.refused
    assert "" == decided(knowledge, kept, path="")[0].sender


def test_over_a_list_of_our_own_a_robot_that_names_its_ticket_is_not_told_again(knowledge: Knowledge) -> None:
    """The guard against machines that answer whatever they get looks at who wrote to the list."""
    tagged = Relations(tagged=replace(TICKET, participants=("ana@example.org",)))
    raw = mail("List-Id: <abuse.example.pt>", sender="ana@example.org", subject="Re: [TEST#2026-000007] received")
    _, outcome = decided(knowledge, raw, path="abuse-bounces@example.pt", relations=tagged)
    assert ((), None) == (outcome.outgoing, outcome.joins)
    assert "was acknowledged for that ticket" in outcome.refused
