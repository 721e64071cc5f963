"""TLP markings as people write them."""

import pytest

from abuse_triage import reports
from abuse_triage.mail.decode import decode
from abuse_triage.model.decision import Tlp
from abuse_triage.model.message import Place
from abuse_triage.model.report import Marking
from abuse_triage.model.settings import LimitSettings
from abuse_triage.reports.marking import markings

LIMITS = LimitSettings()


def marked(body: str, fields: str = "From: ana@example.pt") -> list[tuple[str, str, Place]]:
    """Return label, spelling and place of the markings of a message."""
    mail = decode(f"{fields}\n\n{body}".encode(), LIMITS)
    return [(item.tlp.value, item.seen, item.place) for item in markings(mail, reports.read(mail, LIMITS))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("TLP:RED", "red"),
        ("[TLP:AMBER] Phishing", "amber"),
        ("TLP AMBER", "amber"),
        ("TLP-GREEN", "green"),
        ("tlp:white", "clear"),
        ("TLP:AMBER+STRICT", "amber+strict"),
        ("TLP: AMBER + STRICT", "amber+strict"),
        ("(TLP:CLEAR)", "clear"),
        ("TLP_RED", "red"),
        ("TLP=GREEN", "green"),
        ("TLP/AMBER", "amber"),
        ("TLP:AMBER-STRICT", "amber+strict"),
        ("TLP:AMBER_STRICT", "amber+strict"),
        ("TLP:AMBER STRICT", "amber+strict"),
        ("Classificação: TLP:VERDE", "green"),
        ("TLP:ÂMBAR", "amber"),
        ("tlp: âmbar", "amber"),
        ("TLP:Ambar", "amber"),
        ("TLP:Amarelo", "amber"),
        ("TLP:VERMELHO.", "red"),
        ("TLP: BRANCO", "clear"),
        ("TLP:YELLOW", "amber"),
        ("TLP: **AMBER**", "amber"),
        ("TLP (RED)", "red"),
        ('TLP: "GREEN"', "green"),
        ("tlpred", "red"),
        ("TLPCLEAR", "clear"),
        ("TLP:", None),
        ("OUTLPRED", None),
        ("ATLP:RED", None),
        ("TLP:REDACTED", None),
        ("the red TLP", None),
        ("TLP:PURPLE", None),
        ("TLP:BLACK", None),
        ("TLP\nRED", None),
        ("TLP:::RED", None),
    ],
)
def test_spellings(text: str, expected: str | None) -> None:
    """Real spellings are read as their label, near misses are not."""
    assert ([expected] if expected else []) == [tlp for tlp, _, _ in marked(text)]


def test_what_was_seen_is_kept() -> None:
    """A marking says how it was spelled and where."""
    assert [("amber", "TLP: ÂMBAR", Place.BODY)] == marked("Nota: TLP: ÂMBAR\n")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("Subject: [TLP:AMBER] relatório", ("amber", "TLP:AMBER", Place.HEADER)),
        ("Subject: =?utf-8?q?TLP=3A_=C3=82MBAR?=", ("amber", "TLP: ÂMBAR", Place.HEADER)),
        ("X-TLP: AMBER", ("amber", "TLP:AMBER", Place.HEADER)),
        ("X-TLP: TLP:AMBER+STRICT", ("amber+strict", "TLP:AMBER+STRICT", Place.HEADER)),
        ("TLP: red", ("red", "TLP:red", Place.HEADER)),
        ("Keywords: cert, TLP:GREEN", ("green", "TLP:GREEN", Place.HEADER)),
    ],
)
def test_fields(fields: str, expected: tuple[str, str, Place]) -> None:
    """Subject, Keywords and fields of their own carry markings, the latter without "TLP" too."""
    assert [expected] == marked("texto", fields)
    assert marked("texto", "Keywords: green") == []


def test_quoted_text_and_signature() -> None:
    """Markings count wherever they stand, with their own place."""
    body = "TLP:GREEN\n\nnovo\n-- \nTLP:CLEAR\n\nEm x, Ana escreveu:\n> TLP:AMBER\n>\n> antigo\n"
    assert [
        ("green", "TLP:GREEN", Place.BODY),
        ("amber", "TLP:AMBER", Place.QUOTED),
        ("clear", "TLP:CLEAR", Place.BODY),
    ] == marked(body)


def test_a_legend_is_no_marking() -> None:
    """A paragraph that names three labels explains them; markings beside it still count, in quoted text too."""
    legend = "TLP:RED = not for disclosure; TLP:AMBER = limited;\nTLP:GREEN = community; TLP:CLEAR = no limit."
    assert marked(legend) == []
    assert [("amber", "TLP:AMBER", Place.BODY)] == marked(f"TLP:AMBER\n\n{legend}")
    quoted = "\n".join(f"> {line}" for line in f"TLP:AMBER\n\n{legend}".split("\n"))
    assert [("amber", "TLP:AMBER", Place.QUOTED)] == marked(quoted)


def test_two_labels_are_both_markings() -> None:
    """Two labels may both be meant; which counts is for others to say."""
    assert ["amber", "red"] == [tlp for tlp, _, _ in marked("TLP:AMBER, annex TLP:RED")]


def test_attachments_and_embedded_messages() -> None:
    """Names and texts of attachments, and subjects and texts of embedded messages, are looked at."""
    fields = "Content-Type: multipart/mixed; boundary=b"
    body = (
        "--b\n\ntexto\n"
        "--b\nContent-Type: application/pdf; name=relatorio_TLP-RED.pdf\n\n%PDF-\n"
        "--b\nContent-Type: text/csv; name=a.csv\n\nTLP:GREEN\n"
        "--b\nContent-Type: message/rfc822\n\nSubject: TLP:CLEAR\n\nTLP:AMBER\n"
        "--b--\n"
    )
    assert [
        ("red", "TLP-RED", Place.ATTACHMENT),
        ("green", "TLP:GREEN", Place.ATTACHMENT),
        ("clear", "TLP:CLEAR", Place.FORWARDED),
        ("amber", "TLP:AMBER", Place.FORWARDED),
    ] == marked(body, fields)


def test_a_field_of_the_report() -> None:
    """A format's own field "tlp" is a marking."""
    fields = "Content-Type: multipart/report; report-type=feedback-report; boundary=b"
    body = "--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nTLP: amber\n--b--\n"
    assert ("amber", "TLP:amber", Place.ATTACHMENT) in marked(body, fields)


def test_many_markings_are_kept_once() -> None:
    """One marking for each label and place is kept, the first spelling of it."""
    assert [("red", "TLP:RED", Place.BODY)] == marked("TLP:RED\ntlp red\n\n" * 1000)


def test_markings_are_values() -> None:
    """What comes out is a tuple of markings."""
    mail = decode(b"Subject: TLP:RED\n\nx", LIMITS)
    assert (Marking(tlp=Tlp.RED, seen="TLP:RED", place=Place.HEADER),) == markings(mail, reports.read(mail, LIMITS))
