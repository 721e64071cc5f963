"""Header fields."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.mail import headers


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        ("folded\r\n value", "folded value"),
        ("=?utf-8?q?Den=C3=BAncia?= de =?UTF-8?B?cGhpc2hpbmc=?=", "Denúncia de phishing"),
        ("=?utf-8?q?um?=\r\n =?utf-8?q?_dois?=", "um dois"),
        ("=?utf-8?b?w6c=?= =?utf-8?b?w6Nv?=", "ção"),
        ("=?utf-8?b?w6fD?= =?utf-8?b?o28=?=", "ção"),
        ("=?iso-8859-1?q?a=E7=E3o?= =?utf-8?q?!?=", "ação!"),
        ("=?utf-8*pt?q?ol=C3=A1?=", "olá"),
        ("=?nonsense?q?ol=C3=A1?=", "olá"),
        ("=?utf-7?q?+ADw-?=", "+ADw-"),
        ("=?utf-8?b?!!!?=", ""),
        ("=?utf-8?b?YWJjZ?= x", "YWJjZ x"),
        ("=?utf-8?q?broken", "=?utf-8?q?broken"),
        ("=?utf-8?q?=0ABcc:_x@example.pt?=", "Bcc: x@example.pt"),
        ("ol\udcc3\udca1", "olá"),
        ("ol\udce1", "olá"),
        ("ol\ud800", "ol\ufffd"),
        ("a\x1b[31mb\x00c\u202ed", "a [31mb c d"),
        ("before =?utf-8?q?x?=after", "before xafter"),
    ],
)
def test_decoded(value: str, expected: str) -> None:
    """Encoded words and raw 8-bit text become readable, and nothing that steers a terminal is left."""
    assert expected == headers.decoded(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text/plain; charset=UTF-8; format=flowed", {"charset": "UTF-8", "format": "flowed"}),
        ('x; name="a;b \\"c\\".txt"', {"name": 'a;b "c".txt'}),
        ("x; filename*=utf-8'pt'relat%C3%B3rio.pdf", {"filename": "relatório.pdf"}),
        ("x; filename*0*=iso-8859-1''relat%F3; filename*1=rio.pdf", {"filename": "relatório.pdf"}),
        ("x; filename*1=b; filename*0=a", {"filename": "ab"}),
        ('x; filename="=?utf-8?q?relat=C3=B3rio.pdf?="', {"filename": "relatório.pdf"}),
        ("x; filename*=no-quotes%41", {"filename": "no-quotesA"}),
        ("x; filename=plain; filename*=utf-8''better", {"filename": "better"}),
        ("x; a=1; a=2", {"a": "1"}),
        ("text/plain; name*", {}),
        ('x; a="never closed', {"a": "never closed"}),
        ("x" + ";" * 1000, {}),
        ("x; = y; =; a", {}),
        ("text/plain; charset = utf-8 ; x = ", {"charset": "utf-8", "x": ""}),
    ],
)
def test_parameters(value: str, expected: dict[str, str]) -> None:
    """Quotes, continuations and charsets (RFC 2231) are undone, and encoded words too, against RFC 2047."""
    assert expected == headers.parameters(value)


def test_parameters_are_bounded() -> None:
    """A field yields no more parameters than the limit."""
    assert headers.MOST_PARAMETERS == len(headers.parameters("x" + "".join(f"; a{n}=1" for n in range(500))))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("report.txt", "report.txt"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ana\\fatura.exe", "fatura.exe"),
        ("a\r\nb\x00.txt", "a  b .txt"),
        ("fatura\u202efdp.exe", "fatura fdp.exe"),
        ("..", ""),
        ("dir/", ""),
        ("", ""),
        ("x" * 300 + ".pdf", "x" * 251 + ".pdf"),
        ("x" * 300, "x" * 255),
    ],
)
def test_file_names_are_bare(name: str, expected: str) -> None:
    """A file name loses its path and its control characters, and keeps its extension when it is cut."""
    assert expected == headers.filename(name)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("<a@example.pt>", ("a@example.pt",)),
        ("<a@example.pt> <b@example.pt>\r\n <a@example.pt>", ("a@example.pt", "b@example.pt")),
        ('"Your message" of today <a@example.pt>', ("a@example.pt",)),
        ("<long-\r\n id@example.pt>", ("long-id@example.pt",)),
        ("a@example.pt", ("a@example.pt",)),
        ("<[x@example.pt]>", ("[x@example.pt]",)),
        ("<\udce1@example.pt>", ("á@example.pt",)),
        ("nothing", ()),
        ("<>", ()),
        ("", ()),
    ],
)
def test_message_ids(value: str, expected: tuple[str, ...]) -> None:
    """Ids come without brackets, once each, in order."""
    assert expected == headers.message_ids(value)


def test_message_ids_are_bounded() -> None:
    """A field yields no more ids than the limit."""
    assert headers.MOST_IDS == len(headers.message_ids("".join(f"<{number}@example.pt>" for number in range(1000))))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Sat, 21 Nov 2026 10:00:00 +0100", datetime(2026, 11, 21, 10, tzinfo=timezone(timedelta(hours=1)))),
        ("21 Nov 2026 10:00 GMT (comment)", datetime(2026, 11, 21, 10, tzinfo=UTC)),
        ("Sat, 21 Nov 2026 10:00:00 -0000", datetime(2026, 11, 21, 10, tzinfo=UTC)),
        ("Sat, 21 Nov 2026 10:00:00 +9999", None),
        ("Sat, 31 Feb 2026 10:00:00 +0000", None),
        ("21 Nov 9999 23:00:00 -1200", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_dates(value: str, expected: datetime | None) -> None:
    """Dates are aware, and nonsense is none."""
    assert expected == headers.date(value)


@given(st.text(alphabet=st.characters(codec=None, categories=None), max_size=300))
def test_no_value_makes_any_reader_fail(value: str) -> None:
    """Whatever a field holds, every reader answers, and with text that can be stored."""
    headers.decoded(value).encode("utf-8")
    for name, text in headers.parameters(f"x; {value}").items():
        (name.encode("utf-8", "surrogateescape"), text.encode("utf-8"))
    headers.filename(value).encode("utf-8")
    "".join(headers.message_ids(value)).encode("utf-8")
    moment = headers.date(value)
    assert moment is None or moment.tzinfo is not None


@given(st.text(alphabet=st.sampled_from("=?utf-8qQbB_ \r\né;'\"*0%41a\\"), max_size=200))
def test_near_misses_make_no_reader_fail(value: str) -> None:
    """The same for text made of the characters that the grammars care about."""
    assert headers.decoded(value).isprintable()
    assert all(text.isprintable() for text in headers.parameters(value).values())
