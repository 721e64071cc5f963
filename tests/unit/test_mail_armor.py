"""The frames of OpenPGP in text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpgp_shapes import ARMOUR, CLEARSIGNED

from abuse_triage.mail.armor import (
    blocks,
    charset_of,
    cleartext,
    in_html,
    is_binary_message,
    is_message,
    is_signed_text,
    trimmed,
)

MESSAGE = ARMOUR.encode()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (MESSAGE, True),
        (b"\r\n \t" + MESSAGE + b" \n", True),
        (MESSAGE.replace(b"\n", b"\r"), True),
        (b"x\n" + MESSAGE, False),
        (MESSAGE + b"x", False),
        (MESSAGE + MESSAGE, False),
        (MESSAGE[:-10], False),
        (MESSAGE.replace(b"\n-----END", b"-----END"), False),
        (CLEARSIGNED.encode(), False),
        (b"", False),
    ],
)
def test_one_message_and_nothing_else(data: bytes, expected: bool) -> None:
    """Only blanks may stand around it."""
    assert expected is is_message(data)


def test_a_signed_text_has_one_frame() -> None:
    """Another one in it, or around it, is text that was not signed."""
    signed = CLEARSIGNED.encode()
    assert is_signed_text(signed)
    assert is_signed_text(signed.replace(b"O site", b"- -----BEGIN PGP SIGNATURE-----\nO site"))
    assert not is_signed_text(signed + signed)
    assert not is_signed_text(signed.replace(b"-----BEGIN PGP SIGNATURE-----", b""))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x84\x5e", True),
        (b"\xc1\xc0", True),
        (b"\xd2\xff", True),
        (b"\x99\x01", False),
        (b"text", False),
        (b"", False),
    ],
)
def test_binary_messages_begin_with_session_keys_or_data(data: bytes, expected: bool) -> None:
    """Certificates, signatures and text do not."""
    assert expected is is_binary_message(data)


def test_blocks_stand_on_lines_of_their_own() -> None:
    """Within the bytes that are looked at; a frame that does not end is none."""
    data = b"x" + MESSAGE + b"y\n" + MESSAGE + MESSAGE.replace(b"wcB", b"<br>") + MESSAGE[:40]
    (found,) = blocks(data, 0, len(data))
    assert MESSAGE.strip() == data[slice(*found)]
    assert [] == list(blocks(data, 0, found[1] - 1))
    assert [] == list(blocks(MESSAGE.replace(b"\n-----END", b" -----END"), 0, 200))


def test_what_stands_around_a_block_is_cut() -> None:
    """Where there is none, everything stays."""
    assert MESSAGE.strip() == trimmed(b"a\n" + MESSAGE + b"b\n").strip()
    assert (b"x", MESSAGE[:40]) == (trimmed(b"x"), trimmed(MESSAGE[:40]))


def test_the_charset_is_read_in_the_headers_of_the_armour() -> None:
    """In any case; not from behind them."""
    assert "utf-16" == charset_of(MESSAGE.replace(b"\n\n", b"\r\ncharset: utf-16 \r\n\r\n", 1))
    assert "" == charset_of(b"Charset: utf-16\n" + MESSAGE)
    assert "" == charset_of(b"Charset: utf-16\n")


@given(st.lists(st.sampled_from([b"-----BEGIN PGP MESSAGE-----", b"-----END PGP MESSAGE-----", b"\n", b"\r", b"x"])))
def test_blocks_do_not_overlap(pieces: list[bytes]) -> None:
    """They come in order, each with its frame."""
    data = b"".join(pieces)
    last = 0
    for start, end in blocks(data, 0, len(data)):
        assert last <= start < end <= len(data)
        assert data[start:].startswith(b"-----BEGIN")
        assert data[:end].endswith(b"MESSAGE-----")
        last = end
    assert trimmed(data)[:5] in {data[:5], b"-----"}


def test_the_text_of_a_signed_block_is_what_was_signed() -> None:
    """Headers of both frames are left out, escapes are undone, whatever line ends are."""
    block = CLEARSIGNED.replace("SHA512\n", "SHA512\nComment: evil\n").replace("O site", "- -----\n- - x\nO site")
    block = block.replace("SIGNATURE-----\n", "SIGNATURE-----\nComment: evil\n", 1)
    said = b"-----\n- x\nO site https://assinado.example.net/ imita o banco.\n"
    for end in ("\n", "\r\n", "\r"):
        assert said == cleartext(block.replace("\n", end).encode()).replace(b"\r\n", b"\n")
    assert b"a\n" == cleartext(b"-----BEGIN PGP SIGNED MESSAGE-----\na\n-----BEGIN PGP SIGNATURE-----")
    assert b"x" == cleartext(b"x")


@pytest.mark.parametrize(
    "written",
    [
        MESSAGE,
        b"<div>" + MESSAGE.strip().replace(b"\n", b"</div><br>\r\n<div>") + b"</div>",
        MESSAGE.replace(b"\n\n", b"<br>&nbsp;<br>\n").replace(b"=", b"&#61;"),
        MESSAGE.replace(b"\n\n", b"\n\xc2\xa0\n"),
        b"<p>Hello</p>" + MESSAGE + b"<p>Bye</p>" + MESSAGE,
    ],
)
def test_armour_in_html_is_what_a_person_sees(written: bytes) -> None:
    """Tags end lines, characters may be numbered; only the first message is taken."""
    assert MESSAGE.split() == in_html(b"<html>\n" + written + b"\n</html>").split()


@pytest.mark.parametrize(
    "written",
    [
        b"",
        MESSAGE.replace(b"-----END", b"-----end"),
        MESSAGE.replace(b"\n\n", b"\n<br>-----BEGIN PGP MESSAGE-----<br>\n"),
        MESSAGE.replace(b"\n\n", b" &#" + b"9" * 10_000 + b"; &#999; \xff<") + b">",
    ],
)
def test_what_is_no_message_in_html_is_left(written: bytes) -> None:
    """Nothing raises."""
    assert b"" == in_html(written)
