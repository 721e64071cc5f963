"""What a report lacks."""

from dataclasses import replace
from pathlib import Path

import pytest

from abuse_triage.model.message import Address, Place
from abuse_triage.model.report import Attachment, Indicator, Kind, Reading, Report
from abuse_triage.replies.missing import _ASKED, EVIDENCE, SOURCE, TIME, asked, missing
from abuse_triage.rules import taxonomy

SENDER = Address("Ana", "ana@lists.firma.example")


def indicator(kind: Kind, value: str, place: Place = Place.BODY, registrable: str = "") -> Indicator:
    """Return an indicator as the extraction makes it."""
    host = value.rpartition("@")[2] if kind is Kind.EMAIL else ""
    return Indicator(kind=kind, value=value, seen=value, places=(place,), host=host, registrable=registrable)


ADDRESS = indicator(Kind.IPV4, "192.0.2.10")


def reading(text: str = "", *indicators: Indicator, **report: object) -> Reading:
    """Return what was read in a mail with this text."""
    values = {"format": "plain", "reason": "", "text": text, "new_text": text, "language": "en", **report}
    return Reading(
        headers=(),
        subject="",
        sender=SENDER,
        message_id="",
        in_reply_to=(),
        references=(),
        date=None,
        content_type="text/plain",
        report=Report(**values),
        indicators=indicators,
        markings=(),
        attachments=(),
        fingerprint="",
    )


def test_an_empty_report_lacks_everything() -> None:
    """All three are asked for, in the order of the acknowledgement."""
    assert ("time", "source", "evidence") == missing(reading("Please help, my site was attacked."))


def test_a_complete_report_lacks_nothing() -> None:
    """A log line with its zone and an address is enough."""
    text = "Ataque SSH vindo de 192.0.2.10:\n2026-11-20 10:07:31 UTC sshd[811]: Failed password for root\n"
    assert () == missing(reading(text, ADDRESS))


def test_nothing_is_asked_about_what_could_not_be_read() -> None:
    """An unreadable report may have everything."""
    assert () == missing(replace(reading(), readable=False))


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20T10:07:31Z",
        "2026-11-20T10:07:31.123456Z",
        "2026-11-20 10:07:31 +0000",
        "20/Nov/2026:10:07:31 +0100",
        "2026-11-20T10:07+01:00",
        "Fri, 20 Nov 2026 10:07:31 -0500",
        "às 10h07 (hora de Lisboa)",
        "em 20/11 às 10:07 WET",
        "All times are UTC. First seen 9:41.",
        "Timezone: UTC+1, 10:07",
        "Fuso horário: Lisboa, pelas 22:15",
        "1795169251",
        "9:41 GMT",
        "from 23:59 CET on",
        "1795169251.442",
    ],
)
def test_a_time_with_its_zone_is_enough(text: str) -> None:
    """Logs, mail dates and prose in both languages tell when it happened."""
    assert "time" not in missing(reading(text))


@pytest.mark.parametrize(
    "text",
    [
        "yesterday evening",
        "2026-11-20",
        "2026-11-20 10:07:31",
        "ontem às 10:07",
        "we are in UTC",
        "port 10:99 UTC",
        "CHEST 25:61",
        "id 17951692511",
        "serial 0.1795169251",
        "192.0.2.1:22 blocked, UTC",
        "192.0.2.10:5000 blocked, UTC",
        "telefone 1234567890",
        "",
    ],
)
def test_a_time_without_zone_is_not(text: str) -> None:
    """A date, a time of day without zone, or a zone without time say too little."""
    assert "time" in missing(reading(text))


def test_a_field_of_the_format_tells_the_time() -> None:
    """ARF's Arrival-Date needs no words in the text (RFC 5965 section 3.2); an empty field says nothing."""
    assert "time" not in missing(reading(fields=(("arrival-date", "Fri, 20 Nov 2026 10:07:31 +0000"),)))
    assert "time" in missing(reading(fields=(("arrival-date", ""),)))


@pytest.mark.parametrize(
    "found",
    [
        ADDRESS,
        indicator(Kind.IPV6, "2001:db8::10"),
        indicator(Kind.URL, "http://firma.example/login"),
        indicator(Kind.DOMAIN, "banco.example.pt", registrable="example.pt"),
        indicator(Kind.EMAIL, "burla@example.net", registrable="example.net"),
        indicator(Kind.DOMAIN, "example.net", Place.FORWARDED, "example.net"),
    ],
)
def test_any_target_is_a_source(found: Indicator) -> None:
    """An address, URL, name or mailbox of others says what the report is about."""
    assert "source" not in missing(reading("", found))


@pytest.mark.parametrize(
    "found",
    [
        indicator(Kind.IPV4, "192.0.2.25", Place.HEADER),
        indicator(Kind.DOMAIN, "lists.firma.example", registrable="firma.example"),
        indicator(Kind.DOMAIN, "www.firma.example", registrable="firma.example"),
        indicator(Kind.EMAIL, "ana@firma.example", registrable="firma.example"),
    ],
)
def test_who_wrote_is_not_what_about(found: Indicator) -> None:
    """The mail's own route and the sender's signature are no target."""
    assert "source" in missing(reading("", found))


def test_without_a_sender_every_name_counts() -> None:
    """A mail without From has no own names."""
    nobody = replace(reading("", indicator(Kind.DOMAIN, "x.example")), sender=Address("", ""))
    assert "source" not in missing(nobody)


def test_a_name_without_registrable_part_is_compared_whole() -> None:
    """A name directly below nothing known is the sender's own only where it is the same or above."""
    assert "source" in missing(reading("", indicator(Kind.DOMAIN, "firma.example")))
    assert "source" not in missing(reading("", indicator(Kind.DOMAIN, "irma.example")))


@pytest.mark.parametrize(
    "text",
    [
        "Nov 20 10:07:31 gw sshd[811]: Failed password",
        "Received: from mail.example.net (mail.example.net [192.0.2.25])",
        "> Received: from mail.example.net",
    ],
)
def test_log_and_header_lines_are_evidence(text: str) -> None:
    """Lines as logs and mail headers have them can be checked."""
    assert "evidence" not in missing(reading(f"Hello,\n{text}\n", ADDRESS))


def test_other_evidence() -> None:
    """A URL to look at, an attachment, a format of its own and a forwarded message need no logs."""
    attachment = Attachment(name="auth.log", content_type="text/plain", detected_type="", size=3, sha256="")
    assert "evidence" not in missing(reading("", indicator(Kind.URL, "http://example.net/")))
    assert "evidence" not in missing(replace(reading(), attachments=(attachment,)))
    assert "evidence" not in missing(reading("", format="arf"))
    assert "evidence" not in missing(reading("", indicator(Kind.IPV4, "192.0.2.9", Place.FORWARDED)))
    assert "evidence" in missing(reading("", indicator(Kind.URL, "http://example.net/", Place.HEADER)))
    assert "evidence" in missing(reading("We received: spam at 10:07", ADDRESS))


@pytest.mark.parametrize(
    ("category", "type_id", "expected"),
    [
        ("intrusion-attempt", "intrusion-attempts:brute-force", ("time", "source", "logs")),
        ("information-gathering", "information-gathering:scanner", ("time", "source", "logs")),
        ("information-gathering", "information-gathering:social-engineering", ()),
        ("availability", "availability:ddos", ("time", "source", "logs")),
        ("availability", "availability:outage", ("time", "source")),
        ("malicious-code", "malicious-code:infected-system", ("time", "source")),
        ("malicious-code", "malicious-code:malware-distribution", ("source",)),
        ("intrusion", "intrusions:application-compromise", ("time", "source")),
        ("fraud", "fraud:phishing", ("page",)),
        ("fraud", "", ("page",)),
        ("abusive-content", "abusive-content:spam", ("message",)),
        ("abusive-content", "abusive-content:violence", ("page",)),
        ("information-security", "", ("source",)),
        ("other", "vulnerable:weak-crypto", ("source",)),
        ("other", "other:undetermined", ("source",)),
        ("a-category-of-somebody-else", "", ("source",)),
    ],
)
def test_each_kind_of_matter_is_asked_for_what_there_can_be(
    category: str, type_id: str, expected: tuple[str, ...]
) -> None:
    """Logs of attacks, headers of spam, the page of a fraud; never logs of a web shop that cheats."""
    assert expected == asked((TIME, SOURCE, EVIDENCE), category, type_id)


def test_what_is_there_is_not_asked_for() -> None:
    """Only what the report lacks, in the order in which it is told."""
    assert () == asked((), "intrusion-attempt", "")
    assert ("logs",) == asked((EVIDENCE,), "intrusion-attempt", "intrusion-attempts:brute-force")
    assert () == asked((TIME, EVIDENCE), "fraud", "fraud:phishing")


def test_the_matters_that_are_told_apart_are_those_of_the_shipped_taxonomy() -> None:
    """A slip in an id would ask for too little without anybody noticing."""
    name = "taxonomy.yaml"
    known = taxonomy.parse(name, (Path(__file__).parents[2] / "rules" / name).read_text("utf-8"))
    assert set() == set(_ASKED) - set(known.categories) - set(known.category_of_type)
