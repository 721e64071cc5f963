"""What strangers learn of a decision about an encrypted message: nothing that its inside has a say in, or our keys."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from daemon import write_config
from rulesets import ruleset

from abuse_triage import config, pipeline
from abuse_triage.model.message import Arrival, Channel, Envelope
from abuse_triage.model.openpgp import Encrypted, Failure, Form, Headers, Protection, Signature, Source
from abuse_triage.model.report import Opened
from abuse_triage.model.ticket import MailKind, Outcome, Outgoing, RelationKeys, Relations
from abuse_triage.outcomes import Knowledge
from abuse_triage.service.knowledge import knowledge_of

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
MAIL = (
    b"From: Rita <rita@example.org>\r\nSubject: ...\r\nMessage-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n--b\r\n"
    b"Content-Type: application/octet-stream\r\n\r\n-----BEGIN PGP MESSAGE-----\r\n\r\nwcBMAw==\r\n"
    b"-----END PGP MESSAGE-----\r\n--b--\r\n"
)
PLAINTEXT = b"Content-Type: text/plain\r\n\r\nhttps://login.example.pt/ phishing\r\n"
VERIFIED = Protection(
    form=Form.MIME_ENCRYPTED,
    encrypted=Encrypted.YES,
    signature=Signature.GOOD,
    signer="A" * 40,
    source=Source.PINNED,
    from_match=True,
    headers=Headers.MATCH,
    fresh=True,
)
FAILED = Protection(form=Form.MIME_ENCRYPTED, encrypted=Encrypted.FAILED, reason=Failure.NO_SECRET_KEY)
ARRIVAL = Arrival(
    id="0" * 26,
    received_at=NOW,
    envelope=Envelope(sender="rita@example.org", recipients=("abuse@example.pt",), channel=Channel.SMTP),
    raw=MAIL,
)


@pytest.fixture(scope="module")
def knowledge(tmp_path_factory: pytest.TempPathFactory) -> Knowledge:
    """Return what a team knows."""
    return knowledge_of(config.load(write_config(tmp_path_factory.mktemp("judgement"))))


def decided(knowledge: Knowledge, protection: Protection, rule: str, *, promoted: bool = False) -> Outcome:
    """Decide about a message that could be opened or could not, with one rule."""
    knowledge = replace(knowledge, ruleset=ruleset(rule))
    limits = knowledge.settings.limits
    reading = pipeline.read(MAIL, limits)
    inside = pipeline.read_opened(MAIL, [PLAINTEXT], limits) if protection.encrypted is Encrypted.YES else None
    keys: RelationKeys = pipeline.keys(reading, ARRIVAL, knowledge)
    return pipeline.decide(
        reading,
        ARRIVAL,
        keys,
        Relations(),
        knowledge,
        lease="lease",
        previous=None,
        now=NOW,
        promoted=promoted,
        opened=Opened(protection=protection, reading=inside),
    )


def answers(outcome: Outcome) -> list[Outgoing]:
    """Return what goes to the reporter."""
    return [mail for mail in outcome.outgoing if mail.kind is MailKind.ACKNOWLEDGEMENT]


@pytest.mark.parametrize("promoted", [False, True])
@pytest.mark.parametrize(
    ("phase", "then"), [("gate", '{park: "no"}'), ("mark", "{reply: none}"), ("route", "{reply: none}")]
)
@pytest.mark.parametrize(
    "condition",
    [
        "{openpgp.encrypted: failed}",
        "{openpgp.verified: false}",
        "{openpgp.verified: true}",
        "{openpgp.signature: good}",
        "{indicators.count: {gte: 1}}",
    ],
)
def test_no_rule_answers_by_what_is_inside(
    knowledge: Knowledge, condition: str, phase: str, then: str, promoted: bool
) -> None:
    """Whether an encrypted message is answered, and what with, is the same whether it could be opened or not."""
    rule = f"id: {phase}.it\nphase: {phase}\nwhen: {condition}\nthen: {then}"
    opened, failed = (decided(knowledge, one, rule, promoted=promoted) for one in (VERIFIED, FAILED))
    assert answers(opened) == answers(failed)
    assert (opened.kind, opened.refused) == (failed.kind, failed.refused)
