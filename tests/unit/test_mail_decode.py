"""Raw bytes to a mail."""

import hashlib
import time
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abuse_triage.mail import structure
from abuse_triage.mail.decode import decode
from abuse_triage.mail.structure import DEEPEST, MOST_LINES
from abuse_triage.model.message import Address, Header, Mail, Part, Place
from abuse_triage.model.settings import LimitSettings

LIMITS = LimitSettings()

REPORT = """\
Return-Path: <ana@example.pt>
Received: from mail.example.pt (mail.example.pt [192.0.2.5]) by mx.example.org;
\tSat, 21 Nov 2026 10:00:00 +0000
From: =?utf-8?q?Ana_Concei=C3=A7=C3=A3o?= <Ana@Example.pt>
Reply-To: csirt@example.pt
To: abuse@example.org
Subject: =?utf-8?q?Den=C3=BAncia_de_phishing?=
Date: Sat, 21 Nov 2026 09:59:57 +0000
Message-ID: <1@example.pt>
In-Reply-To: <0@example.org>
References: <0@example.org> <00@example.org>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8; format=flowed
Content-Transfer-Encoding: 8bit

Bom dia,
página falsa em hxxp://banco[.]example[.]pt/
"""


def mail(text: str | bytes, limits: LimitSettings = LIMITS) -> Mail:
    """Decode text written with line feeds as it would come by SMTP."""
    raw = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    return decode(raw.replace(b"\n", b"\r\n"), limits)


def paths(found: Mail) -> list[tuple[str, str, Place]]:
    """Return path, type and place of every part."""
    return [(part.path, part.content_type, part.place) for part in found.parts]


def multipart(subtype: str, *parts: str, boundary: str = "b1") -> str:
    """Put parts, each with its own fields, into a multipart."""
    body = "".join(f"--{boundary}\n{part}\n" for part in parts)
    return f'Content-Type: multipart/{subtype}; boundary="{boundary}"\n\n{body}--{boundary}--\n'


def test_a_plain_report() -> None:
    """Every field and the text of an ordinary report come out decoded."""
    found = mail(REPORT)
    assert found.subject == "Denúncia de phishing"
    assert found.senders == (Address("Ana Conceição", "ana@example.pt"),)
    assert found.reply_to == (Address("", "csirt@example.pt"),)
    assert found.message_id == "1@example.pt"
    assert found.in_reply_to == ("0@example.org",)
    assert found.references == ("0@example.org", "00@example.org")
    assert found.date == datetime(2026, 11, 21, 9, 59, 57, tzinfo=UTC)
    assert found.content_type == "text/plain"
    assert found.params == (("charset", "utf-8"), ("format", "flowed"))
    assert found.header("received").endswith("by mx.example.org;\tSat, 21 Nov 2026 10:00:00 +0000".replace("\t", " "))
    assert found.headers[0] == Header("return-path", "<ana@example.pt>")
    assert found.defects == ()
    assert found.limits == ()
    data = "Bom dia,\r\npágina falsa em hxxp://banco[.]example[.]pt/\r\n".encode()
    assert found.parts == (
        Part(
            path="1",
            content_type="text/plain",
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            place=Place.BODY,
            charset="utf_8",
            text="Bom dia,\npágina falsa em hxxp://banco[.]example[.]pt/\n",
        ),
    )


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_any_line_end(line_end: str) -> None:
    """Messages with LF, CRLF or CR alone read the same."""
    found = decode(REPORT.replace("\n", line_end).encode(), LIMITS)
    assert found.subject == "Denúncia de phishing"
    assert found.parts[0].text == "Bom dia,\npágina falsa em hxxp://banco[.]example[.]pt/\n"


def test_parts_of_a_mixed_message() -> None:
    """Own text, attachments with decoded names, and their decoded bytes are told apart."""
    pdf = b"%PDF-1.7 \x00\xff"
    found = mail(
        multipart(
            "mixed",
            "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n"
            "ol=E1=20\n=\nfim",
            "Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n"
            f"Content-Disposition: attachment; filename*=utf-8''relat%C3%B3rio.pdf\n\n{b64encode(pdf).decode()}",
            'Content-Type: text/plain; name="../../acessos.log"\n\n192.0.2.1 GET /\n',
            "Content-Type: text/csv\nContent-Disposition: attachment\n\nip,port\n",
            'Content-Type: application/octet-stream; name="feed.csv"\n\n198.51.100.7\n',
            'Content-Type: application/octet-stream; name="feed.txt"\n\n\x00\x01\n',
            'Content-Type: application/json; name="xarf.json"\n\n{"Report": 1}\n',
        )
    )
    assert paths(found) == [
        ("1", "text/plain", Place.BODY),
        ("2", "application/octet-stream", Place.ATTACHMENT),
        ("3", "text/plain", Place.ATTACHMENT),
        ("4", "text/csv", Place.ATTACHMENT),
        ("5", "application/octet-stream", Place.ATTACHMENT),
        ("6", "application/octet-stream", Place.ATTACHMENT),
        ("7", "application/json", Place.ATTACHMENT),
    ]
    assert [part.text for part in found.parts] == [
        "olá \nfim", None, "192.0.2.1 GET /\n", "ip,port\n", "198.51.100.7\n", None, '{"Report": 1}\n',
    ]  # fmt: skip
    attachment = found.parts[1]
    assert attachment.filename == "relatório.pdf"
    assert attachment.detected_type == "application/pdf"
    assert attachment.size == len(pdf)
    assert attachment.sha256 == hashlib.sha256(pdf).hexdigest()
    assert found.parts[2].filename == "acessos.log"


def test_the_first_text_is_the_body_even_with_a_name() -> None:
    """Some programs name every part; the first text is still the message."""
    found = mail(multipart("mixed", 'Content-Type: text/plain; name="body.txt"\n\nolá', "Content-Type: image/png\n\nx"))
    assert found.parts[0].place is Place.BODY


def test_html_beside_its_plain_text() -> None:
    """Of multipart/alternative both texts stay, and the HTML one is marked as twin."""
    plain = "Content-Type: text/plain\n\nPágina falsa em http://a.example.pt/"
    rich = "Content-Type: text/html\n\n<p>Página <a href='http://b.example.pt/'>falsa</a></p>"
    related = multipart("related", rich, "Content-Type: image/gif\n\nGIF89a", boundary="b2")
    found = mail(multipart("alternative", plain, related))
    assert [(part.path, part.twin, part.hrefs) for part in found.parts] == [
        ("1", False, ()),
        ("2.1", True, ("http://b.example.pt/",)),
        ("2.2", False, ()),
    ]
    assert found.parts[1].text == "Página falsa"
    assert found.parts[2].detected_type == "image/gif"


def test_html_beside_a_stub_is_no_twin() -> None:
    """A plain text that only says to look at the HTML does not hide the HTML."""
    stub = "Content-Type: text/plain\n\nSee the HTML version."
    rich = "Content-Type: text/html\n\n" + "<p>A long report about 192.0.2.1.</p>" * 20
    assert [False, False] == [part.twin for part in mail(multipart("alternative", stub, rich)).parts]


def test_html_alone_and_empty_plain_text() -> None:
    """HTML without a plain text, or beside an empty one, is the text."""
    rich = "Content-Type: text/html; charset=utf-8\n\n<p>Olá</p>"
    assert [False] == [part.twin for part in mail(rich).parts]
    found = mail(multipart("alternative", "Content-Type: text/plain\n\n \n", rich))
    assert [False, False] == [part.twin for part in found.parts]
    assert found.parts[1].text == "Olá"


FORWARDED = "Subject: Fatura\nFrom: burla@example.net\nContent-Type: text/plain\n\nPague em http://c.example.net/\n"


@pytest.mark.parametrize("encoding", ["7bit", "base64", "quoted-printable"])
def test_an_embedded_message(encoding: str) -> None:
    """The fields of an embedded message stand with its part, its leaves follow as forwarded, however it is encoded."""
    body = b64encode(FORWARDED.encode()).decode() if encoding == "base64" else FORWARDED
    found = mail(
        multipart(
            "mixed",
            "Content-Type: text/plain\n\nVeja em anexo.",
            f"Content-Type: message/rfc822\nContent-Transfer-Encoding: {encoding}\n\n{body}",
        )
    )
    assert paths(found) == [
        ("1", "text/plain", Place.BODY),
        ("2", "message/rfc822", Place.ATTACHMENT),
        ("2.1", "text/plain", Place.FORWARDED),
    ]
    assert found.parts[1].headers[:2] == (Header("subject", "Fatura"), Header("from", "burla@example.net"))
    assert found.parts[1].text is None
    assert found.parts[2].text is not None
    assert found.parts[2].text.startswith("Pague em http://c.example.net/")


def test_embedded_messages_in_each_other_and_as_eml() -> None:
    """Messages in messages keep their numbers; a file named .eml is a message whatever its type."""
    inner = multipart("mixed", "Content-Type: text/plain\n\nfundo", "Content-Type: image/png\n\nx", boundary="b2")
    outer = f"Subject: um\nContent-Type: message/rfc822\n\nSubject: dois\n{inner}"
    found = mail(multipart("mixed", f'Content-Type: application/octet-stream; name="prova.EML"\n\n{outer}'))
    assert paths(found) == [
        ("1", "application/octet-stream", Place.ATTACHMENT),
        ("1.1", "message/rfc822", Place.FORWARDED),
        ("1.1.1", "text/plain", Place.FORWARDED),
        ("1.1.2", "image/png", Place.FORWARDED),
    ]
    assert ["um", "dois", "", ""] == [
        next((header.value for header in part.headers if header.name == "subject"), "") for part in found.parts
    ]


def test_a_digest_holds_messages() -> None:
    """Parts of multipart/digest are messages unless they say otherwise (RFC 2046 section 5.1.5)."""
    found = mail(multipart("digest", f"\n{FORWARDED}"))
    assert paths(found) == [("1", "message/rfc822", Place.ATTACHMENT), ("1.1", "text/plain", Place.FORWARDED)]


def test_machine_parts_have_text() -> None:
    """Feedback reports, delivery reports and bare headers can be read as text."""
    found = mail(
        multipart(
            "report",
            "Content-Type: text/plain\n\nrelatório",
            "Content-Type: message/feedback-report\n\nFeedback-Type: abuse\nSource-IP: 192.0.2.1\n",
            "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.org\n\nAction: failed\n",
            "Content-Type: text/rfc822-headers\n\nSubject: Fatura\n",
        )
    )
    assert [part.text for part in found.parts[1:]] == [
        "Feedback-Type: abuse\nSource-IP: 192.0.2.1\n",
        "Reporting-MTA: dns; mx.example.org\n\nAction: failed\n",
        "Subject: Fatura\n",
    ]
    assert [Place.BODY, Place.ATTACHMENT, Place.ATTACHMENT, Place.FORWARDED] == [part.place for part in found.parts]


def test_text_can_always_be_stored() -> None:
    """NUL is replaced, and 8-bit text in fields and body is read as UTF-8 or windows-1252."""
    raw = b"Subject: den\xfancia\nX-Other: den\xc3\xbancia\nContent-Type: text/plain\n\na\x00b \xe7\xe3o\n"
    found = decode(raw.replace(b"a\x00b", b"a" * 1000 + b"\x00b"), LIMITS)
    assert found.subject == "denúncia"
    assert found.header("x-other") == "denúncia"
    assert found.parts[0].text == "a" * 1000 + "\ufffdb ção\n"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"", ""),
        (b"\r\n\r\n\r\n", ""),
        (b"just a line", "just a line"),
        (b"\xef\xbb\xbfSubject: x\n\nbody", "body"),
        (b"\n\nSubject: x\n\nbody", "body"),
        (b"From ana@example.pt Sat Nov 21 10:00:00 2026\nSubject: x\n\nbody", "body"),
        (b"Subject: x\nno colon here\n\nbody", "no colon here\n\nbody"),
        (b"Content-Type: multipart/mixed\n\nbody", "body"),
        (b"Content-Type: multipart/mixed; boundary=none\n\nbody", "body"),
        (b"Content-Type: nonsense\n\nbody", "body"),
        (b"Content-Type: text/plain; name*\n\nbody", "body"),
        (b"Content-Transfer-Encoding: x-unknown\n\nbody", "body"),
        (b"Content-Transfer-Encoding: base64\n\nYm9ke", "bod"),
        (b"Content-Transfer-Encoding: base64\n\nYm9keQ", "body"),
        (b"Content-Transfer-Encoding: quoted-printable\n\nb=6Fdy=", "body"),
    ],
)
def test_damaged_messages(raw: bytes, text: str) -> None:
    """What a person could still read of a damaged message is read."""
    assert text == "".join(part.text or "" for part in decode(raw, LIMITS).parts)


def test_oddities_are_named() -> None:
    """What was odd is said in words, once."""
    found = decode(b"Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: what\n\na\n--x\n: y\n\nb", LIMITS)
    assert found.defects == ("a Content-Type makes no sense", "a multipart is not closed", "a field has no name")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("From", "unlisted-recipients:; (no To-header on input)"),
        ("From", "(c):"),
        ("From", "(" * 5000),
        ("Message-ID", "<[x@example.com]>"),
        ("Date", "Thu, 99 Foo 99999 99:99:99 +99999999999999999999"),
        ("Content-Type", "text/plain; name*"),
        ("Content-Type", "text/plain" + ";" * 15000),
        ("Content-Type", 'text/plain; a="' + ';"' * 7000),
        ("Content-Type", "multipart/mixed; boundary=" + "x" * 5000),
        ("Content-Disposition", "attachment; filename*0*=; filename*99999999999=x"),
        ("Content-Transfer-Encoding", "\udcff"),
        ("Subject", "=?utf-8?b?" + "A" * 9999 + "?="),
    ],
)
def test_fields_known_to_break_parsers(field: str, value: str) -> None:
    """Fields that make the standard library's parser fail or run for seconds do neither here."""
    before = time.process_time()
    found = mail(f"{field}: {value}\n\nbody")
    assert time.process_time() - before < 1
    assert found.parts[-1].text is not None


@pytest.mark.parametrize(
    ("limits", "text", "note"),
    [
        ({"headers": 3}, "A: 1\nB: 2\nC: 3\nD: 4\n\nx", "headers: only the first 3 fields were read"),
        ({"header_line": 10}, "A: 12345678901\n\nx", "headers: a field was cut to 10 characters"),
        ({"header_bytes": 10}, "A: 1\nB: 12345678901\nC: 3\n\nx", "headers: only the first 10 characters were read"),
        ({"parts": 2}, multipart("mixed", *["\nx"] * 3), "parts: only the first 2 were read"),
        ({"depth": 1}, multipart("mixed", "\nx"), "nesting: only 1 levels of parts were opened"),
        ({"depth": 1}, f"Content-Type: message/rfc822\n\n{FORWARDED}", "nesting: only 1 levels of parts were opened"),
        ({"decoded_bytes": 4}, "A: 1\n\n12345", "size: only 4 decoded bytes were read"),
        ({"html_bytes": 4}, "Content-Type: text/html\n\n<p>12345", "HTML: only the first 4 bytes of a part were read"),
        ({"text": 4}, "A: 1\n\n12345", "text: only the first 4 characters were read"),
        ({"text": 4}, "A: 1\n\n" + "1" * 50, "text: only the first 4 characters were read"),
    ],
)
def test_limits(limits: dict[str, int], text: str, note: str) -> None:
    """What lies beyond a limit is left out, and the mail says so."""
    found = decode(text.encode(), LimitSettings.model_validate(limits))
    assert note in found.limits
    assert len(found.parts) <= limits.get("parts", 500)
    assert len(found.headers) <= limits.get("headers", 1000)


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ({"headers": 4}, "A: 1\nB: 2\nC: 3\nD: 4\n\nx"),
        ({"header_line": 11}, "A: 12345678901\n\nx"),
        ({"header_bytes": 4}, "A: 1\nB: 2\n\nx"),
        ({"parts": 3}, multipart("mixed", *["\nx"] * 3)),
        ({"depth": 2}, multipart("mixed", "\nx")),
        ({"depth": 2}, f"Content-Type: message/rfc822\n\n{FORWARDED}"),
        ({"decoded_bytes": 5}, "A: 1\n\n12345"),
        ({"html_bytes": 8}, "Content-Type: text/html\n\n<p>12345"),
        ({"text": 5}, "A: 1\n\n12345"),
    ],
)
def test_at_the_limit_nothing_is_cut(limits: dict[str, int], text: str) -> None:
    """A limit is the last value that is allowed."""
    assert decode(text.encode(), LimitSettings.model_validate(limits)).limits == ()


def test_all_texts_share_one_limit() -> None:
    """Texts of all parts together stay below the limit; twins have a budget of their own."""
    plain, rich = "Content-Type: text/plain\n\n" + "a" * 8, "Content-Type: text/html\n\n" + "b" * 8
    limits = LimitSettings.model_validate({"text": 10})
    found = decode(multipart("mixed", plain, plain, plain).encode(), limits)
    assert ["a" * 8, "aa", ""] == [part.text for part in found.parts]
    found = decode(multipart("alternative", plain, rich, rich).encode(), limits)
    assert ["a" * 8, "b" * 8, "bb"] == [part.text for part in found.parts]


def test_embedded_messages_count_as_parts() -> None:
    """Messages inside messages end with the parts that are allowed, long before they end themselves."""
    raw = b"Content-Type: message/rfc822\n\n" * 5000
    found = decode(raw, LimitSettings.model_validate({"parts": 5, "depth": 1000}))
    assert "parts: only the first 5 were read" in found.limits
    assert len(found.parts) == 6


def test_too_many_lines_are_cut_before_they_are_parsed() -> None:
    """Millions of empty lines cost no memory and little time."""
    before = time.process_time()
    found = decode(b"Subject: x\n\n" + b"\n" * (4 * MOST_LINES), LIMITS)
    assert time.process_time() - before < 5
    assert found.limits == (f"lines: only the first {MOST_LINES} were read",)
    assert found.subject == "x"


def test_lines_are_counted_once() -> None:
    """CRLF is one line end: as many lines as are allowed are all read."""
    found = decode(b"Subject: x\r\n\r\n" + b"\r\n" * (MOST_LINES - 3) + b"end", LIMITS)
    assert found.limits == ()
    assert (found.parts[0].text or "").endswith("end")


def test_depth_has_an_end_whatever_is_configured() -> None:
    """A careless limit does not let nesting reach the interpreter's own."""
    raw = b"".join(b"Content-Type: multipart/mixed; boundary=a%d\n\n--a%d\n" % (n, n) for n in range(3000))
    limits = LimitSettings.model_validate({"depth": 10**6, "parts": 10**6})
    assert f"nesting: only {DEEPEST} levels of parts were opened" in decode(raw, limits).limits
    raw = b"Content-Type: message/rfc822\n\n" * 3000
    assert f"nesting: only {DEEPEST} levels of parts were opened" in decode(raw, limits).limits


@pytest.mark.parametrize(
    "raw",
    [
        b"".join(b"Content-Type: multipart/mixed; boundary=a%d\n\n--a%d\n" % (n, n) for n in range(3000)),
        b"Content-Type: message/rfc822\n\n" * 3000,
        b"Content-Type: multipart/mixed; boundary=a\n\n" + b"--a\n\nx\n" * 100_000,
        b"a: b\n" * 200_000,
        b"Subject: " + b"=?utf-8?q?a?= " * 100_000,
        b"From: " + b"a@example.pt, " * 100_000,
        b"Content-Type: text/html\n\n" + b"<div>" * 400_000,
    ],
)
def test_bombs(raw: bytes) -> None:
    """Messages made to exhaust a parser are read within seconds and say what was left out."""
    before = time.process_time()
    found = decode(raw, LIMITS)
    assert time.process_time() - before < 5
    assert found.limits or found.parts


_LINES = st.sampled_from(
    [b"Content-Type: multipart/mixed; boundary=b", b"Content-Type: multipart/alternative; boundary=b;",
     b"Content-Type: message/rfc822", b"Content-Type: text/html", b"Content-Type: message/delivery-status", b"--b",
     b"--b--", b"", b"", b" continued", b"Subject: =?utf-8?b?w6c=?=", b"From: <<a@example.pt>, (", b"From x", b":",
     b"Content-Transfer-Encoding: base64", b"<p>text</p>", b"YWJj", b"\xff\xfe\x00", b"Content-Disposition: ;;*="]
)  # fmt: skip


@given(st.one_of(st.binary(max_size=500), st.lists(_LINES, max_size=30).map(b"\n".join)))
@settings(max_examples=300)
def test_any_bytes_are_decoded(raw: bytes) -> None:
    """No bytes make it fail; what comes out is within the limits and can be stored."""
    limits = LimitSettings.model_validate({"parts": 5, "depth": 3, "text": 50, "headers": 5, "decoded_bytes": 300})
    found = decode(raw, limits)
    assert len(found.parts) <= 6
    assert sum(len(part.text or "") for part in found.parts if not part.twin) <= 50
    assert len({part.path for part in found.parts}) == len(found.parts)
    for text in (found.subject, *(part.text or "" for part in found.parts), *(h.value for h in found.headers)):
        text.encode("utf-8")
        assert "\0" not in text


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=200))
def test_what_is_written_is_read(text: str) -> None:
    """A text sent as UTF-8 in base64 comes back as it was written."""
    raw = b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n" + b64encode(text.encode())
    assert text == decode(raw, LIMITS).parts[0].text


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_mail_reads_the_same_in_slices_of_any_size(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Whatever a slice ends in, a line end, a boundary or a character, what is read is the same."""
    samples = [file.read_bytes() for file in sorted((Path(__file__).parents[1] / "corpus").glob("*/mail.eml"))]
    raws = [sample.replace(b"\n", end) for sample in samples[::5] for end in (b"\r\n", b"\n", b"\r")]
    expected = [decode(raw, LIMITS) for raw in raws]
    monkeypatch.setattr(structure, "_SLICE", size)
    assert expected == [decode(raw, LIMITS) for raw in raws]


@given(
    st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"--b", b"--", b"a", b": ", b"\t", b"\xe9"]), max_size=60),
    st.integers(min_value=1, max_value=9),
)
@settings(deadline=None)
def test_odd_line_ends_read_the_same_in_slices(pieces: list[bytes], size: int) -> None:
    """Line ends and boundaries that a slice cuts in two mean what they mean in one piece."""
    raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + b"".join(pieces)
    expected = decode(raw, LIMITS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structure, "_SLICE", size)
        assert expected == decode(raw, LIMITS)
