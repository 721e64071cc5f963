"""Raw messages out of files."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.cli.mailfiles import RawMail, mails_from, mails_in, return_path

LIMIT = 1_000_000
ONE = b"From: a@example.org\r\nSubject: one\r\n\r\nText.\r\n"
TWO = b"From: b@example.org\nSubject: two\n\nFrom here on it is text.\n\nFrom my side all is well.\n"


def raws(content: bytes, limit: int = LIMIT) -> list[bytes]:
    """Return the messages in a stream."""
    return [mail.raw for mail in mails_from(io.BytesIO(content), "-", limit)]


def mbox(*messages: bytes) -> bytes:
    """Write an mbox in the mboxrd form (RFC 4155, with ">" before quoted From lines)."""
    out = b""
    for message in messages:
        lines = message.splitlines(keepends=True)
        quoted = (b">" + line if line.lstrip(b">").startswith(b"From ") else line for line in lines)
        out += b"From MAILER-DAEMON Sat Nov 21 20:10:00 2026\n" + b"".join(quoted) + b"\n"
    return out


def test_a_single_message_comes_byte_for_byte() -> None:
    """What does not begin like an mbox is one message, unchanged."""
    assert [ONE] == raws(ONE)


def test_an_mbox_is_split() -> None:
    """Each message of an mbox comes without separator, closing blank line and quoting."""
    assert [ONE, TWO] == raws(mbox(ONE, TWO))


def test_sources_are_numbered() -> None:
    """Messages of an mbox are named by file and position."""
    assert ["-:1", "-:2"] == [mail.source for mail in mails_from(io.BytesIO(mbox(ONE, TWO)), "-", LIMIT)]


def test_a_sentence_that_begins_with_from_separates_nothing() -> None:
    """Programs that do not quote: a line without a time stays text."""
    content = b"From a@example.org Sat Nov 21 20:10:00 2026\n" + TWO

    assert [TWO] == raws(content)


@given(
    st.lists(
        st.binary(min_size=1).map(lambda raw: b"X: y\n\n" + raw.replace(b"\r", b"") + b"\n"), min_size=1, max_size=4
    )
)
def test_splitting_undoes_joining(messages: list[bytes]) -> None:
    """Whatever bytes the messages hold, an mbox of them gives them back."""
    assert messages == raws(mbox(*messages))


def test_long_messages_are_cut_and_marked() -> None:
    """Beyond the limit a message is cut off; what follows in the mbox is whole."""
    mails = list(mails_from(io.BytesIO(mbox(b"A: b\n\n" + b"x" * 200_000 + b"\n", ONE)), "-", 100))

    assert [(100, True), (len(ONE), False)] == [(len(mail.raw), mail.truncated) for mail in mails]


def test_a_message_as_long_as_the_limit_is_whole() -> None:
    """The limit itself is allowed, one byte more is not."""
    assert [False, True] == [
        next(mails_from(io.BytesIO(b"x" * size), "-", 70_000)).truncated for size in (70_000, 70_001)
    ]


def test_empty_input_has_no_messages() -> None:
    """Nothing gives nothing."""
    assert [] == raws(b"")


def test_a_folder_gives_its_eml_files_in_order(tmp_path: Path) -> None:
    """Files named .eml at any depth are taken in the order of their names, others are not."""
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "2.eml").write_bytes(TWO)
    (tmp_path / "a.eml").write_bytes(ONE)
    (tmp_path / "note.txt").write_bytes(b"no mail")

    assert [RawMail(source=str(tmp_path / "a.eml"), raw=ONE, truncated=False), TWO] == [
        mail if index == 0 else mail.raw for index, mail in enumerate(mails_in(tmp_path, LIMIT))
    ]


def test_a_maildir_gives_new_and_cur(tmp_path: Path) -> None:
    """Of a Maildir, what is delivered counts, in the order of the names; tmp and hidden files do not."""
    for name in ("tmp", "new", "cur"):
        (tmp_path / name).mkdir()
    (tmp_path / "new" / "1763752202.M1.host").write_bytes(TWO)
    (tmp_path / "cur" / "1763752201.M1.host:2,S").write_bytes(ONE)
    (tmp_path / "cur" / ".hidden").write_bytes(b"x")
    (tmp_path / "tmp" / "1763752203.M1.host").write_bytes(b"half")

    assert [ONE, TWO] == [mail.raw for mail in mails_in(tmp_path, LIMIT)]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"Return-Path: <anna@example.org>\r\n" + ONE, "<anna@example.org>"),
        (b"Received: x\nreturn-path:anna@example.org\n\n", "anna@example.org"),
        (b"Return-Path: <>\n\n", "<>"),
        (ONE, ""),
        (b"Subject: x\n\nReturn-Path: <body@example.org>\n", ""),
        (b"Return-Path: " + b"a" * 500 + b"\n\n", ""),
        (b"Return-Path: <\xe7@example.org>\n\n", "<\ufffd@example.org>"),
    ],
)
def test_return_path_is_read_from_the_header_only(raw: bytes, expected: str) -> None:
    """The first Return-Path of the header counts, whatever its case, if it is no longer than an address."""
    assert expected == return_path(raw)
