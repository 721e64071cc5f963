"""gpg's status stream as values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.openpgp import status
from abuse_triage.openpgp.status import Status, StatusError

KEY = "0123456789ABCDEF"
FINGERPRINT = "0123456789ABCDEF0123456789ABCDEF01234567"
PIECES = st.sampled_from(
    [
        b"[GNUPG:] ",
        b"GOODSIG",
        b"VALIDSIG",
        b"ERRSIG",
        b"NEWSIG",
        b"PLAINTEXT 62 0 ",
        b" ",
        b"\n",
        b"\r",
        b"\x85",
        b"\xe2\x80\xa8",
        b"\x0c",
        KEY.encode(),
        FINGERPRINT.encode(),
        b" 2026-11-22 1795312425 0 4 0 22 10 00 ",
        b"9",
        b"\xff",
        b"",
    ]
)


def read(*lines: bytes) -> tuple[Status, ...]:
    """Read lines, with the prefix before and LF after each."""
    return status.read(b"".join(b"[GNUPG:] " + line + b"\n" for line in lines)).lines


def test_lines_become_words() -> None:
    """Keywords come with the arguments that are relied upon."""
    lines = read(
        b"NEWSIG rita@example.pt",
        f"GOODSIG {KEY} Rita".encode(),
        f"VALIDSIG {FINGERPRINT} 2026-11-22 1795312425 0 4 0 22 10 00 {FINGERPRINT}".encode(),
        f"ERRSIG {KEY} 22 10 00 1795312425 9 {FINGERPRINT}".encode(),
        f"ERRSIG {KEY} 22 10 00 1795312425 9".encode(),
        b"DECRYPTION_OKAY",
        b"PLAINTEXT 62 1795312425 name",
        b"ERROR pkdecrypt_failed 67108949",
    )
    proof = (FINGERPRINT, "2026-11-22", "1795312425", "0", "4", "0", "22", "10", "00", FINGERPRINT)
    assert lines == (
        Status("NEWSIG"),
        Status("GOODSIG", (KEY,)),
        Status("VALIDSIG", proof),
        Status("ERRSIG", (KEY, "22", "10", "00", "1795312425", "9", FINGERPRINT)),
        Status("ERRSIG", (KEY, "22", "10", "00", "1795312425", "9", "")),
        Status("DECRYPTION_OKAY"),
        Status("PLAINTEXT", ("62",)),
        Status("ERROR", ("pkdecrypt_failed", "67108949")),
    )


def test_nothing_is_no_lines() -> None:
    """An empty stream is fine by itself: whoever reads it finds no proof in it."""
    assert status.read(b"").lines == ()


def test_more_arguments_may_follow() -> None:
    """GnuPG may add arguments to any keyword, and add keywords."""
    assert read(f"NO_SECKEY {KEY} more".encode(), b"KEY_BLESSED 1 2 3") == (
        Status("NO_SECKEY", (KEY,)),
        Status("KEY_BLESSED"),
    )


@pytest.mark.parametrize(
    "name",
    [
        "Eve\r[GNUPG:] GOODSIG",
        "Eve\x0b[GNUPG:] GOODSIG",
        "Eve\x0c[GNUPG:] GOODSIG",
        "Eve\x1c[GNUPG:] GOODSIG",
        "Eve\0",
        "Eve\t",
        "Eve\x7f",
        "Eve\x1b[31m",
    ],
)
def test_control_characters_are_never_gpg_s(name: str) -> None:
    """A control character, which gpg would have escaped, shows that the stream is not its own."""
    with pytest.raises(StatusError):
        read(f"GOODSIG {KEY} {name}".encode())


@pytest.mark.parametrize("end", ["\x85", "\u2028", "\u2029", "\xa0"])
def test_only_lf_ends_a_line(end: str) -> None:
    """What other readers consider a line end is text of a name, of which nothing is kept."""
    assert read(f"BADSIG {KEY} Eve{end}[GNUPG:] GOODSIG {KEY} Rita".encode()) == (Status("BADSIG", (KEY,)),)


def test_names_need_not_be_utf_8() -> None:
    """The name of an old key may be anything; it is not kept."""
    assert read(b"GOODSIG 0123456789ABCDEF \xff\xfe") == (Status("GOODSIG", (KEY,)),)


@pytest.mark.parametrize(
    "stream",
    [
        b"gpg: Good signature\n",
        b"[GNUPG:]GOODSIG 0123456789ABCDEF Rita\n",
        b" [GNUPG:] DECRYPTION_OKAY\n",
        b"[GNUPG:] DECRYPTION_OKAY",
        b"[GNUPG:] DECRYPTION_OKAY\n\n",
        b"\n",
        b"[GNUPG:] \n",
        b"[GNUPG:] lower case\n",
        b"[GNUPG:] DECRYPTION_OKAY\r\n",
        b"[GNUPG:] DECRYPTION_OKAY \xc3\xa9\n",
        b"[GNUPG:] SOMETHING_NEW \xc3\xa9\n",
        b"[GNUPG:] GOODSIG\n",
        b"[GNUPG:] GOODSIG abc Rita\n",
        b"[GNUPG:] GOODSIG 0123456789ABCDEF0 Rita\n",
        b"[GNUPG:] VALIDSIG " + FINGERPRINT.encode() + b" 2026-11-22 1795312425 0 4 0 22 10 00\n",
        b"[GNUPG:] VALIDSIG " + FINGERPRINT.encode() + b" 2026-11-22 20261122T000000 0 4 0 22 10 00 1\n",
        b"[GNUPG:] ERRSIG 0123456789ABCDEF 22 10 00 1795312425\n",
        b"[GNUPG:] NO_SECKEY\n",
        b"[GNUPG:] PLAINTEXT\n",
        b"[GNUPG:] ENC_TO nobody 1 0\n",
        b"[GNUPG:] " + b"A" * 65 + b"\n",
    ],
)
def test_what_is_not_understood_is_not_believed(stream: bytes) -> None:
    """One line that does not parse spoils the whole stream."""
    with pytest.raises(StatusError):
        status.read(b"[GNUPG:] NEWSIG\n" + stream)


def test_a_stream_has_limits() -> None:
    """Both the lines and the octets are bounded, at the limit and beyond."""
    assert len(status.read(b"[GNUPG:] A\n" * status.MOST_LINES).lines) == status.MOST_LINES
    with pytest.raises(StatusError):
        status.read(b"[GNUPG:] A\n" * (status.MOST_LINES + 1))
    longest = b"[GNUPG:] A " + b"a" * (status.LONGEST - 12) + b"\n"
    assert status.read(longest).lines == (Status("A"),)
    with pytest.raises(StatusError):
        status.read(longest[:-1] + b"a\n")


@given(st.one_of(st.binary(max_size=200), st.lists(PIECES, max_size=30).map(b"".join)))
def test_nothing_but_its_own_error_is_raised(stream: bytes) -> None:
    """Whatever gpg writes is read or refused, and what is read has one value for each LF."""
    try:
        lines = status.read(stream).lines
    except StatusError:
        return
    assert stream.count(b"\n") == len(lines)
    assert all(word.isascii() for line in lines for word in line.arguments)


@given(st.text())
def test_no_name_adds_a_line(name: str) -> None:
    """Whatever a name holds, gpg's line with it is one value, or the whole stream is refused."""
    escaped = "".join(f"%{ord(letter):02X}" if letter < " " or letter in "%\x7f" else letter for letter in name)
    line = f"BADSIG {KEY} {escaped}".encode("utf-8", "surrogatepass")
    assert read(line) == (Status("BADSIG", (KEY,)),)
