"""Headers as bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.mail.fields import Field, describes_content, joined, split
from abuse_triage.mail.structure import Budget, parse
from abuse_triage.model.settings import LimitSettings


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_header_ends_with_an_empty_line(end: bytes) -> None:
    """Fields keep their bytes, folding included; the body begins behind the empty line."""
    entity = split(b"Subject: a" + end + b"\tb" + end + b"To: x@example.pt" + end + end + b"Body: x")
    assert (("subject", "to"), ("x@example.pt",)) == (tuple(one.name for one in entity.fields), entity.values("to"))
    assert (b"Subject: a" + end + b"\tb" + end) == entity.fields[0].raw
    assert ("", "a" + end.decode() + "\tb") == (entity.first("cc"), entity.first("subject"))
    assert len(b"Body: x") == len(b"Subject: a\tb To: x@example.pt Body: x" + end * 4) - 2 - entity.body


@pytest.mark.parametrize(
    ("data", "names", "body"),
    [
        (b"", [], b""),
        (b"\nSubject: x\n", [], b"Subject: x\n"),
        (b"no field\nSubject: x\n", [], b"no field\nSubject: x\n"),
        (b"Subject : x\n", [], b"Subject : x\n"),
        (b"From x\n a\n: y\n b\nTo: z\n", ["to"], b""),
        (b" a\nTo: z", ["to"], b""),
    ],
)
def test_what_is_no_field_is_left_out_or_ends_the_header(data: bytes, names: list[str], body: bytes) -> None:
    """As the parser that reads the message sees it."""
    entity = split(data)
    assert (names, body) == ([one.name for one in entity.fields], data[entity.body :])


_LINES = st.sampled_from(
    [
        b"Subject: x",
        b"A:",
        b": y",
        b" z",
        b"From q",
        b"no",
        b"\xff: x",
        b"\n",
        b"\r",
        b"\r\n",
        b"Content-Type: text/html",
    ]
)


@given(st.lists(_LINES, max_size=20).map(b"".join))
def test_fields_are_those_that_the_parser_finds(data: bytes) -> None:
    """Names and values are the same, in the same order."""
    data = b"MIME-Version: 1.0\r\n" + data
    root = parse(data, Budget(LimitSettings()))
    expected = [(name.lower(), value.strip(" \t\r\n")) for name, value in root.raw_items()]
    assert expected == [(one.name, one.value) for one in split(data).fields]


def test_fields_that_describe_content() -> None:
    """Content-* and MIME-Version do, nothing else."""
    names = ["content-type", "content-x", "mime-version", "from", "contents"]
    assert names[:3] == [name for name in names if describes_content(Field(name, b""))]


def test_joined_fields_end_their_lines() -> None:
    """A last line without an end gets one."""
    assert b"A: 1\nB: 2\r\n" == joined([Field("a", b"A: 1\n"), Field("b", b"B: 2")])


def test_a_header_of_any_size_is_split() -> None:
    """Only so many fields are kept; the body begins where it begins."""
    entity = split(b"a:\n" * 10_001 + b"b: 1\n \n" * 3 + b"\nbody")
    assert (10_000, ()) == (len(entity.fields), entity.values("b"))
    assert 3 * 10_001 + 3 * 7 + 1 == entity.body
