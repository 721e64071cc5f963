"""What cannot wait for the digest reaches every handler when its ticket opens, once, and the journal says so."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from daemon import write_config

from abuse_triage import config, pipeline
from abuse_triage.mail import thread
from abuse_triage.model.decision import Priority, TicketKind
from abuse_triage.model.message import Arrival, Authentication, Channel, Envelope
from abuse_triage.model.ticket import MailKind, Outcome, OutcomeKind, Outgoing, Relations, TicketRef, TicketState
from abuse_triage.outcomes import Knowledge
from abuse_triage.service.knowledge import knowledge_of
from abuse_triage.store import open_store
from abuse_triage.store.interface import Finished

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
HANDLERS = ("ana@example.pt", "rui@example.pt")
TICKET = TicketRef(id=7, number="TEST#2026-000007", state=TicketState.NEW)


@pytest.fixture(scope="module")
def knowledge(tmp_path_factory: pytest.TempPathFactory) -> Knowledge:
    """The shipped rules, and two handlers."""
    folder = tmp_path_factory.mktemp("told")
    handlers = "[digest]\nrecipients = [" + ", ".join(f'"{address}"' for address in HANDLERS) + "]\n"
    return knowledge_of(config.load(write_config(folder, extra=handlers)))


def mail(subject: str, text: str, **fields: str) -> bytes:
    """Write a mail; `fields` are more header fields, with "_" for "-"."""
    message = EmailMessage()
    message["From"] = "Somebody <somebody@example.org>"
    message["To"] = "abuse@example.pt"
    message["Subject"] = subject
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message.as_bytes()


THREAT = mail("Urgente", "Recebi uma ameaça de morte deste endereço.")
VALIDATION = mail("Abuse-mailbox validation", "Please open https://validate.example.net/1 within 14 days.")


def decided(
    raw: bytes,
    knowledge: Knowledge,
    *,
    sender: str = "somebody@example.org",
    relations: Relations | None = None,
    previous: TicketRef | None = None,
    checked: Authentication | None = None,
    lease: str = "lease",
) -> Outcome:
    """Send a message the whole way."""
    envelope = Envelope(sender=sender, recipients=("abuse@example.pt",), channel=Channel.SMTP)
    arrival = Arrival(id="01" * 13, received_at=NOW, envelope=envelope, raw=raw)
    reading = pipeline.read(raw, knowledge.settings.limits)
    return pipeline.decide(
        reading,
        arrival,
        pipeline.keys(reading, arrival, knowledge),
        relations or Relations(),
        knowledge,
        lease=lease,
        previous=previous,
        now=NOW + timedelta(seconds=1),
        checked=checked,
    )


def notices(outcome: Outcome) -> list[Outgoing]:
    """Return the notices among what goes out."""
    return [mail for mail in outcome.outgoing if mail.kind is MailKind.NOTICE]


def told(outcome: Outcome) -> list[tuple[str, str]]:
    """Return the lines of the journal about telling handlers."""
    return [(line.action, line.detail) for line in outcome.journal if line.action.endswith("told at once")]


def test_every_handler_is_told(knowledge: Knowledge) -> None:
    """One signed notice for each handler goes out beside the acknowledgement, in the same transaction."""
    outcome = decided(THREAT, knowledge)
    found = notices(outcome)

    assert outcome.opens is not None
    assert Priority.P1 is outcome.opens.priority
    assert [MailKind.ACKNOWLEDGEMENT, MailKind.NOTICE, MailKind.NOTICE] == [mail.kind for mail in outcome.outgoing]
    assert HANDLERS == tuple(mail.recipient for mail in found)
    assert 2 == len({mail.message_id for mail in found})
    assert all(thread.is_own(mail.message_id, knowledge.secret) for mail in found)
    assert [("handlers told at once", "2 notices queued, asked for by mark.life-in-danger")] == told(outcome)
    assert not set(HANDLERS) & set(outcome.participants)
    assert found == notices(decided(THREAT, knowledge))


def test_what_waits_for_the_digest_tells_nobody(knowledge: Knowledge) -> None:
    """Without a rule that asks, only the reporter is written to."""
    outcome = decided(mail("SSH", "Brute force from 192.0.2.7"), knowledge)

    assert [MailKind.ACKNOWLEDGEMENT] == [mail.kind for mail in outcome.outgoing]
    assert [] == told(outcome)


def test_nobody_to_tell(knowledge: Knowledge) -> None:
    """Without handlers the journal says that nobody was told."""
    settings = knowledge.settings
    alone = settings.model_copy(update={"digest": settings.digest.model_copy(update={"recipients": ()})})
    outcome = decided(THREAT, replace(knowledge, settings=alone))

    assert [] == notices(outcome)
    assert [("nobody told at once", "digest.recipients is empty; asked for by mark.life-in-danger")] == told(outcome)


def test_a_message_that_joins_tells_nobody(knowledge: Knowledge) -> None:
    """Handlers are told of a ticket, not of each message on it; what was unreadable before is told when it is read."""
    joined = decided(THREAT, knowledge, relations=Relations(answered=TICKET))
    again = decided(THREAT, knowledge, previous=TICKET)

    assert OutcomeKind.JOINED is joined.kind
    assert ([], []) == (notices(joined), told(joined))
    assert notices(decided(THREAT, knowledge)) == notices(again)


@pytest.mark.parametrize(
    ("raw", "sender"),
    [
        (VALIDATION, "somebody@example.org"),
        (VALIDATION, ""),
        (b"Auto-Submitted: auto-replied\n" + VALIDATION, ""),
        (b"Auto-Submitted: auto-generated\nX-Auto-Response-Suppress: All\n" + VALIDATION, "noreply@example.org"),
        (b"List-Unsubscribe: <mailto:off@example.org>\nPrecedence: bulk\n" + VALIDATION, "bounces@example.org"),
        (b"X-Loop: yes\nAuto-Submitted: auto-replied\n" + VALIDATION, "somebody@example.org"),
        (b"X-Spam-Flag: YES\nPrecedence: bulk\n" + VALIDATION, "somebody@example.org"),
        (mail("Undelivered: abuse contact validation", "Please confirm."), ""),
        (mail("Action required", "Please verify your abuse contact.", Auto_Submitted="auto-replied"), ""),
        (mail("Resposta automática", "Tem de validar o seu contacto de abuso.", Auto_Submitted="auto-replied"), ""),
    ],
)
def test_a_validation_always_reaches_a_person(raw: bytes, sender: str, knowledge: Knowledge) -> None:
    """Whatever it looks like, the check of the abuse contact is an enquiry, urgent, told at once, and not answered."""
    outcome = decided(raw, knowledge, sender=sender)

    assert outcome.opens is not None
    assert (TicketKind.ENQUIRY, Priority.P2) == (outcome.opens.kind, outcome.opens.priority)
    assert outcome.verdict is not None
    assert "validation" in outcome.verdict.tags
    assert HANDLERS == tuple(mail.recipient for mail in notices(outcome))


@pytest.mark.parametrize(
    ("checked", "said"),
    [
        (Authentication(dmarc="pass", spf="pass"), b"is proven."),
        (Authentication(dmarc="fail", spf="fail"), b"is forged"),
        (None, b"is not proven"),
    ],
)
def test_a_notice_says_whether_its_sender_is_proven(
    checked: Authentication | None, said: bytes, knowledge: Knowledge
) -> None:
    """A forged validation reaches a person as well, with a warning."""
    found = notices(decided(VALIDATION, knowledge, checked=checked))

    assert 2 == len(found)
    assert all(said in b" ".join(mail.content.replace(b"=\r\n", b"").split()) for mail in found)


def test_a_list_of_our_own_proves_nobody(knowledge: Knowledge) -> None:
    """Where our own list put its address into From, the notice names who wrote, and that nothing proves it."""
    reply = knowledge.settings.reply.model_copy(update={"own_lists": ("abuse.lists.example.pt",)})
    ours = replace(knowledge, settings=knowledge.settings.model_copy(update={"reply": reply}))
    fields = {"List_Id": "<abuse.lists.example.pt>", "X_Original_From": "x@y.example"}
    raw = mail("Urgente", "Recebi uma ameaça de morte deste endereço.", **fields)
    raw = raw.replace(b"somebody@example.org", b"abuse@lists.example.pt")
    found, _ = notices(decided(raw, ours, checked=Authentication(dmarc="pass", spf="pass")))
    words = b" ".join(found.content.replace(b"=\r\n", b"").split())

    assert b"y[.]example" in words
    assert b"is not proven" in words
    assert not found.proven


@pytest.mark.parametrize(
    "raw",
    [
        mail("WHOIS data reminder", "Please check the data of your domain.", Auto_Submitted="auto-generated"),
        mail("Verify your e-mail address", "ICANN asks registrants to confirm it.", Auto_Submitted="auto-generated"),
        mail("PoC validation", "We validated the proof of concept against your portal."),
    ],
)
def test_other_checks_are_another_matter(raw: bytes, knowledge: Knowledge) -> None:
    """What registrars ask of registrants is no check of the abuse contact."""
    outcome = decided(raw, knowledge)

    assert outcome.verdict is not None
    assert "validation" not in outcome.verdict.tags
    assert [] == notices(outcome)


def test_notices_get_the_number(knowledge: Knowledge, tmp_path: Path) -> None:
    """The store puts the number of the new ticket into every notice, and queues each once."""
    store = open_store(tmp_path / "store.sqlite", number_format=config.number_format(knowledge.settings))
    envelope = Envelope(sender="somebody@example.org", recipients=("abuse@example.pt",), channel=Channel.SMTP)
    store.accept([Arrival(id="01" * 13, received_at=NOW, envelope=envelope, raw=THREAT)])
    (claimed,) = store.claim(1, timedelta(minutes=5))
    (finished,) = store.finish([decided(THREAT, knowledge, lease=claimed.lease)])
    due = store.due(NOW + timedelta(hours=1), 10)
    store.close()

    assert isinstance(finished, Finished)
    queued = [mail for mail in due if mail.mail.kind is MailKind.NOTICE]
    assert HANDLERS == tuple(mail.mail.recipient for mail in queued)
    assert all(f"Subject: [{finished.number}] notice, P1".encode() in mail.content for mail in queued)
