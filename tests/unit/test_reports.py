"""Reading a mail as a report."""

import hashlib

import pytest

from abuse_triage import reports
from abuse_triage.mail.decode import decode
from abuse_triage.model.message import Mail, Place
from abuse_triage.model.report import Attachment
from abuse_triage.model.settings import LimitSettings
from abuse_triage.reports.reading import fingerprint, texts

LIMITS = LimitSettings()

ARF = """\
From: fbl@feedback.example.com
Subject: FW: Ganhe um prémio
Content-Type: multipart/report; report-type="feedback-report"; boundary=b

--b
Content-Type: text/plain; charset=utf-8

This is an email abuse report for a message received from 192.0.2.1.
--b
Content-Type: message/feedback-report

Feedback-Type: Abuse
User-Agent: Example/1
Version: 1
Source-IP: 192.0.2.1
Reported-Domain: a.example.pt
Reported-Domain: b.example.pt
Reported-URI: http://a.example.pt/
\tpath
Broken line
Reporter: =?utf-8?q?Jo=C3=A3o?=

Not-A-Field: x
--b
Content-Type: message/rfc822

Received: from spam.example.net (unknown [192.0.2.1]) by mx.example.org; Sat, 21 Nov 2026 10:00:00 +0000
From: premios@a.example.pt
Subject: Ganhe um prémio
To: rui@example.org

Reclame em http://a.example.pt/path
--b--
"""


def mail(text: str, limits: LimitSettings = LIMITS) -> Mail:
    """Decode a message."""
    return decode(text.encode(), limits)


def test_a_feedback_report() -> None:
    """The fields of ARF come out in order, repeated ones repeated, folded ones unfolded (RFC 5965)."""
    report = reports.read(mail(ARF), LIMITS)
    assert report.format == "arf"
    assert report.reason == "multipart/report with report-type=feedback-report"
    assert report.type == "abuse"
    assert report.language == "en"
    assert report.new_text == "This is an email abuse report for a message received from 192.0.2.1."
    assert "Reclame em http://a.example.pt/path" in report.text
    assert report.fields == (
        ("feedback-type", "Abuse"),
        ("user-agent", "Example/1"),
        ("version", "1"),
        ("source-ip", "192.0.2.1"),
        ("reported-domain", "a.example.pt"),
        ("reported-domain", "b.example.pt"),
        ("reported-uri", "http://a.example.pt/ path"),
        ("reporter", "João"),
    )


def test_a_feedback_report_with_a_wrong_wrapping() -> None:
    """The part alone, or the declaration alone, is enough, and the reason says which."""
    report = reports.read(mail(ARF.replace("multipart/report; report-type", "multipart/mixed; x")), LIMITS)
    assert ("arf", "it has a message/feedback-report", "abuse") == (report.format, report.reason, report.type)
    report = reports.read(mail(ARF.replace("message/feedback-report", "text/plain")), LIMITS)
    assert ("arf", "") == (report.format, report.type)
    assert "without its message/feedback-report" in report.reason


def test_a_feedback_report_without_fields() -> None:
    """A feedback report that says nothing is still one."""
    report = reports.read(mail("Content-Type: message/feedback-report\n\n\nnothing\n"), LIMITS)
    assert ("arf", "", ()) == (report.format, report.type, report.fields)


def test_somebody_elses_feedback_report() -> None:
    """A person who forwards a feedback report writes free text."""
    forwarded = (
        "From: ana@example.pt\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\nVeja isto.\n"
        f"--c\nContent-Type: message/rfc822\n\n{ARF}\n--c--\n"
    )
    assert reports.read(mail(forwarded), LIMITS).format == "plain"
    other = ARF.replace("feedback-report", "delivery-status")
    assert reports.read(mail(other), LIMITS).format == "plain"


def test_fields_are_bounded() -> None:
    """A feedback report of thousands of lines yields a bounded number of bounded fields."""
    fields = "".join(f"Field-{number}: {'x' * 3000}\n {'y' * 3000}\n {'z' * 3000}\n" for number in range(600))
    report = reports.read(
        mail(f"Content-Type: message/feedback-report\n\n{fields}", LimitSettings.model_validate({"text": 10**7})),
        LIMITS,
    )
    assert len(report.fields) == 500
    assert max(len(value) for _, value in report.fields) == 2000


def test_free_text() -> None:
    """What no format knows is read as free text, new text apart from quoted text."""
    report = reports.read(mail("Subject: x\n\nBom dia, é isto.\n\nEm x, Rui escreveu:\n> antes\n-- \nAna\n"), LIMITS)
    assert report.format == "plain"
    assert report.reason == "no known format: read as free text"
    assert report.new_text == "Bom dia, é isto."
    assert report.text == "Bom dia, é isto.\n\nEm x, Rui escreveu:\n> antes\n-- \nAna\n"
    assert report.language == "pt"
    assert (report.type, report.fields) == ("", ())


def test_language_of_a_message_that_only_quotes() -> None:
    """Where nothing new was written, the quoted text tells the language."""
    report = reports.read(
        mail("Subject: x\n\n> Please remove this site, it is phishing and the bank is not happy.\n"), LIMITS
    )
    assert ("", "en") == (report.new_text, report.language)


def test_no_text_at_all() -> None:
    """A message without text is a report that says so."""
    report = reports.read(mail("Content-Type: image/png\n\nx"), LIMITS)
    assert ("plain", "no text was found in it", "", "") == (report.format, report.reason, report.text, report.new_text)


def test_texts_of_a_report_are_bounded() -> None:
    """Neither text is longer than the limit, wherever the mail came from."""
    report = reports.read(mail("Subject: x\n\n" + "a" * 100), LimitSettings.model_validate({"text": 10}))
    assert (10, 10) == (len(report.text), len(report.new_text))


def test_attachments() -> None:
    """Everything that is not text of the message or of an embedded one is an attachment; files inside one are too."""
    pdf = "--{0}\nContent-Type: application/pdf; name=a.pdf\n\n%PDF-\n"
    inner = f"Content-Type: multipart/mixed; boundary=c\n\n--c\n\ndentro\n{pdf.format('c')}--c--\n"
    found = reports.attachments(
        mail(
            f"Content-Type: multipart/mixed; boundary=b\n\n--b\n\ntexto\n{pdf.format('b')}"
            "--b\nContent-Type: text/csv\nContent-Disposition: attachment\n\na,b\n"
            f"--b\nContent-Type: message/rfc822\n\n{inner}\n--b--\n"
        )
    )
    assert ["application/pdf", "text/csv", "message/rfc822", "application/pdf"] == [item.content_type for item in found]
    assert found[0] == Attachment(
        name="a.pdf",
        content_type="application/pdf",
        detected_type="application/pdf",
        size=5,
        sha256=hashlib.sha256(b"%PDF-").hexdigest(),
    )


def test_texts_with_their_places() -> None:
    """Indicators are looked for in the subject, new and quoted text, attachments and forwarded mail, signatures not."""
    found = texts(
        mail(
            "Subject: assunto\nContent-Type: multipart/mixed; boundary=b\n\n"
            "--b\n\nnovo\n-- \nassinatura\n\nEm x, Ana escreveu:\n> antigo\n"
            "--b\nContent-Type: text/plain; name=a.log\n\nregisto\n"
            "--b\nContent-Type: message/rfc822\n\nReceived: from a.example.net by b.example.org\n"
            "From: burla@example.net\nX-Other: x\nSubject: isco\n\ncorpo\n"
            "--b--\n"
        )
    )
    assert found == (
        (Place.HEADER, "assunto"),
        (Place.BODY, "novo"),
        (Place.QUOTED, "Em x, Ana escreveu:\n> antigo"),
        (Place.ATTACHMENT, "registo"),
        (Place.FORWARDED, "from a.example.net\nburla@example.net\nisco"),
        (Place.FORWARDED, "corpo"),
    )


def test_texts_of_html_and_its_twin() -> None:
    """HTML alone gives its text and link targets; beside a plain text only the link targets are added."""
    rich = "Content-Type: text/html; charset=utf-8\n\n<p>Olá <a href='http://a.example.pt/'>aqui</a></p>\n"
    assert ((Place.BODY, "Olá aqui"), (Place.BODY, "http://a.example.pt/")) == texts(mail(rich))
    both = f"Content-Type: multipart/alternative; boundary=b\n\n--b\n\nOlá aqui\n--b\n{rich}--b--\n"
    assert ((Place.BODY, "Olá aqui"), (Place.BODY, "http://a.example.pt/")) == texts(mail(both))
    assert reports.read(mail(both), LIMITS).text == "Olá aqui"


def test_texts_are_bounded() -> None:
    """All texts together stay within the limit."""
    found = texts(mail("Subject: 12345\n\n" + "a" * 100), LimitSettings.model_validate({"text": 8}))
    assert ((Place.HEADER, "12345"), (Place.BODY, "aaa")) == found


BASE = """\
Received: from a by b
Message-ID: <1@example.pt>
Date: Sat, 21 Nov 2026 10:00:00 +0000
Subject: Phishing

Veja  http://a.example.pt/
"""


def test_the_same_content_has_the_same_fingerprint() -> None:
    """Other trace fields, dates, ids, white space and line ends change nothing."""
    first = fingerprint(mail(BASE), "1" * 64)
    again = (
        BASE.replace("<1@", "<2@").replace("21 Nov", "22 Nov").replace("from a", "from c").replace("Veja  ", "Veja ")
    )
    assert first == fingerprint(mail(again.replace("\n", "\r\n")), "2" * 64)
    assert len(first) == 64


@pytest.mark.parametrize(
    "other",
    [
        BASE.replace("Phishing", "Malware"),
        BASE.replace("a.example.pt", "b.example.pt"),
        BASE.replace("Subject: Phishing\n\nVeja  ", "Subject: \n\nPhishing Veja "),
        BASE.replace("Subject", "Content-Type: text/html\nSubject").replace(
            "Veja  ", "Veja <a href='http://x.example.pt/'>"
        ),
        (
            "Subject: Phishing\nContent-Type: multipart/mixed; boundary=b\n\n"
            "--b\n\nVeja  http://a.example.pt/\n--b\nContent-Type: image/png\n\nx\n--b--\n"
        ),
    ],
)
def test_other_content_has_another_fingerprint(other: str) -> None:
    """Subject, text, link targets and attachments count, each in its place."""
    assert fingerprint(mail(BASE), "1") != fingerprint(mail(other), "1")


def test_forwarded_mail_counts_with_its_fields() -> None:
    """The same forwarded text from another source is other content."""
    assert fingerprint(mail(ARF), "1") != fingerprint(
        mail(ARF.replace("(unknown [192.0.2.1])", "(unknown [192.0.2.9])")), "1"
    )


def test_html_behind_a_stub_counts() -> None:
    """Two HTML reports with the same plain text beside them are different."""
    text = (
        "Content-Type: multipart/alternative; boundary=b\n\n--b\n\n"
        + "a" * 300
        + "\n--b\nContent-Type: text/html\n\n<p>{}</p>\n--b--\n"
    )
    assert fingerprint(mail(text.format("um")), "1") != fingerprint(mail(text.format("dois")), "1")


def test_content_beyond_a_limit_counts() -> None:
    """Texts that differ only behind the limit are different."""
    limits = LimitSettings.model_validate({"text": 10})
    assert fingerprint(mail("Subject: x\n\n" + "a" * 20, limits), "1") != fingerprint(
        mail("Subject: x\n\n" + "a" * 21, limits), "1"
    )


def test_an_empty_message_is_told_by_its_bytes() -> None:
    """Where there is nothing to compare, the raw message's digest is taken."""
    assert fingerprint(mail("X-A: 1\n\n"), "1") == fingerprint(mail("X-A: 1\n\n"), "1")
    assert fingerprint(mail("X-A: 1\n\n"), "1") != fingerprint(mail("X-A: 2\n\n"), "2")
