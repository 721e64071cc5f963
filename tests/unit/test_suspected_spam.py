"""Suspected spam is parked; whatever may be a report is not, even where a filter calls it spam."""

from datetime import UTC, datetime
from email.message import EmailMessage
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
import yaml
from daemon import write_config
from golden import Case, cases
from rulesets import decide, shipped

from abuse_triage import config, pipeline
from abuse_triage.judgement import judge
from abuse_triage.model.decision import Verdict
from abuse_triage.model.message import Arrival, Channel, Envelope
from abuse_triage.outcomes import Knowledge
from abuse_triage.rules.facts import FactValue
from abuse_triage.service.knowledge import knowledge_of

Sample = dict[str, Any]
RULES = shipped()
FLAG = b"X-Spam-Flag: YES\r\n"
BY_FILTER: dict[str, FactValue] = {
    "spam.upstream": True,
    "lang": "en",
    "report.format": "plain",
    "subject": "Your gift",
    "body.new": "You won! Take it.",
    "body.all": "You won! Take it.",
}
ADVERTISING: dict[str, FactValue] = {
    "report.format": "plain",
    "subject": "Backlinks",
    "body.new": "We offer guest posts.",
    "body.all": "We offer guest posts.",
}
NEWSLETTER: dict[str, FactValue] = {
    "report.format": "plain",
    "automatic": "list",
    "subject": "Webinar",
    "body.new": "Save your seat. Unsubscribe.",
    "body.all": "Save your seat. Unsubscribe.",
}
SPEAKS_FOR_A_REPORT: list[dict[str, FactValue]] = [
    {"scope.any": True},
    {"report.format": "arf"},
    {"attachments.count": 1},
    {"indicators.ipv4.count": 1},
    {"indicators.ipv6.count": 1},
    {"thread.ours": True},
    {"thread.ticket": True},
    {"contact.name": "CERT Exemplo"},
    {"marking.tlp": "amber"},
    {"header.resent-from": ("ana@example.org",)},
    {"from.domain": "cert.pt"},
    {"subject": "FW: backlinks, you won"},
    {"subject": "Enc: backlinks, you won"},
    {"subject": "[CERT-EX #1234] backlinks, you won"},
    {"subject": "Case #1234: backlinks, you won"},
    {"subject": "Complaint: backlinks, you won"},
    {"subject": "Denúncia: backlinks, you won"},
    {"subject": "Backlinks, you won: é burla"},
    {"body.all": "Bom dia\n> You won!"},
    {"body.all": "Bom dia\n-----Original Message-----\nYou won"},
    {"body.all": "Bom dia\n---------- Mensagem encaminhada ---------\nYou won"},
    {"body.all": "Bom dia\nDe: Rui Exemplo\nEnviada: ontem"},
    {"body.all": "Received: from mail.example.net"},
    {"body.all": "the page hxxps://loja.example.net"},
    {"body.all": "the page loja[.]example.net"},
    {"body.all": "CVE-2026-0001"},
    {"body.all": "sha256 " + "0a" * 32},
    {"body.all": "2026-11-21T09:00:01Z denied"},
    {"body.all": '- - [21/Nov/2026:09:00:01 +0000] "GET /"'},
    {"body.all": "Nov  1 09:00:01 host sshd[1]"},
]


@pytest.mark.parametrize("facts", [BY_FILTER, ADVERTISING, NEWSLETTER])
def test_what_is_parked(facts: dict[str, FactValue]) -> None:
    """A filter's word with a temptation, an offer with its sales talk, a newsletter that invites."""
    verdict = decide(RULES, facts)

    assert verdict.parked.startswith("suspected spam: ")
    assert not verdict.acknowledge


@pytest.mark.parametrize("facts", [BY_FILTER, ADVERTISING, NEWSLETTER])
@pytest.mark.parametrize("added", SPEAKS_FOR_A_REPORT, ids=str)
def test_one_thing_that_a_report_has_is_enough(facts: dict[str, FactValue], added: dict[str, FactValue]) -> None:
    """Each single sign of a report keeps a message from being parked as spam."""
    subject = facts["subject"] if "subject" not in added else f"{added['subject']}, {facts['subject']}"

    assert "" == decide(RULES, {**facts, **added, "subject": subject}).parked


@pytest.mark.parametrize(
    "added", [{"lang": ""}, {"body.new": ""}, {"subject": "Phishing: you won"}, {"spam.upstream": False}]
)
def test_a_filters_word_is_not_enough(added: dict[str, FactValue]) -> None:
    """It needs a text in a language whose words we know, and none of the field's words in it."""
    assert "" == decide(RULES, {**BY_FILTER, **added}).parked


def test_a_newsletter_may_speak_of_phishing() -> None:
    """Words of the field are no sign of a report where a list invites to a talk about it; in an offer they are."""
    assert decide(RULES, {**NEWSLETTER, "subject": "Webinar on phishing"}).parked
    assert "" == decide(RULES, {**ADVERTISING, "subject": "Phishing with backlinks"}).parked


@pytest.fixture(scope="module")
def knowledge(tmp_path_factory: pytest.TempPathFactory) -> Knowledge:
    """The shipped rules, as the daemon has them."""
    return knowledge_of(config.load(write_config(tmp_path_factory.mktemp("spam"))))


def judged(knowledge: Knowledge, raw: bytes, sender: str = "someone@example.org") -> Verdict:
    """Read and judge a whole message."""
    envelope = Envelope(sender=sender, recipients=("abuse@example.pt",), channel=Channel.SMTP)
    arrival = Arrival(id="1" * 26, received_at=datetime(2026, 11, 21, tzinfo=UTC), envelope=envelope, raw=raw)
    reading = pipeline.read(raw, knowledge.settings.limits)
    return judge(reading, arrival, pipeline.keys(reading, arrival, knowledge), knowledge).verdict


def mail(sample: Sample) -> bytes:
    """Write a sample as a mail."""
    message = EmailMessage()
    message["From"] = "Alguém <someone@example.org>"
    message["To"] = "abuse@example.pt"
    message["Subject"] = sample["subject"]
    for name, value in sample.get("fields", {}).items():
        message[name] = value
    message.set_content(sample.get("text", ""))
    if "html" in sample:
        message.add_alternative(sample["html"], subtype="html")
    return message.as_bytes()


SAMPLES = yaml.safe_load((Path(__file__).parent / "data" / "spam.yaml").read_text("utf-8"))


@pytest.mark.parametrize("sample", SAMPLES["spam"], ids=itemgetter("subject"))
def test_spam_is_parked(sample: Sample, knowledge: Knowledge) -> None:
    """What is written to every address that can be found opens no ticket."""
    assert judged(knowledge, mail(sample)).parked.startswith("suspected spam: ")


@pytest.mark.parametrize("flag", [b"", FLAG], ids=["", "flagged"])
@pytest.mark.parametrize("sample", SAMPLES["reports"], ids=itemgetter("subject"))
def test_a_report_of_spam_is_no_spam(sample: Sample, flag: bytes, knowledge: Knowledge) -> None:
    """People quote, paste and describe what they complain about, and filters dislike it."""
    assert "" == judged(knowledge, flag + mail(sample)).parked


@pytest.mark.parametrize("sample", SAMPLES["questions"], ids=itemgetter("subject"))
def test_a_question_is_no_spam(sample: Sample, knowledge: Knowledge) -> None:
    """Half of an offer is none, and a person's invitation is no newsletter."""
    assert "" == judged(knowledge, mail(sample)).parked


@pytest.mark.parametrize(
    "case", [case for case in cases() if case.expected["outcome"] != "parked"], ids=lambda case: case.name
)
def test_golden_reports_survive_a_filter(case: Case, knowledge: Knowledge) -> None:
    """None of the golden reports would be parked, even if a filter called every one of them spam."""
    assert "suspected" not in judged(knowledge, FLAG + case.raw, case.sender).parked


def test_reports_of_others_survive_a_filter(knowledge: Knowledge) -> None:
    """None of the mails by people would be parked as spam, whether or not a filter calls them that."""
    folder = Path(__file__).parents[1] / "human" / "mails"
    mails = sorted(folder.glob("*.eml"))

    assert mails
    for path in mails:
        for flag in (b"", FLAG):
            assert "suspected" not in judged(knowledge, flag + path.read_bytes()).parked, path.name


def test_no_sample_report_is_parked(corpora: Path, knowledge: Knowledge) -> None:
    """None of the sample reports that nobody here wrote is parked, whether or not a filter calls it spam."""
    mails = sorted((corpora / "reports").rglob("*.eml"))

    assert mails
    for path in mails:
        for flag in (b"", FLAG):
            assert "" == judged(knowledge, flag + path.read_bytes()).parked, path.name
