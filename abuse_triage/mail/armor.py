"""The armour of OpenPGP around ciphertexts, signatures and keys in text (RFC 9580 sections 6.2 and 7)."""

import re
from collections.abc import Iterator

_BEGIN = b"-----BEGIN PGP MESSAGE-----"
_END = b"-----END PGP MESSAGE-----"
_MARKS = re.compile(rb"^-----(BEGIN|END) PGP ([A-Z ,0-9/]{1,40})-----", re.MULTILINE)
_BEGIN_SIGNED = b"-----BEGIN PGP SIGNED MESSAGE-----"
_BEGIN_SIGNATURE = b"-----BEGIN PGP SIGNATURE-----"
_EMPTY_LINE = re.compile(rb"^[ \t]*+\r?\n", re.MULTILINE)
_ESCAPE = re.compile(rb"^- ", re.MULTILINE)
# The parser's line ends: `^` knows the line feed only.
_BARE_CR = re.compile(rb"\r(?!\n)")
_CHARSET = re.compile(rb"^Charset:[ \t]*([A-Za-z0-9._:+-]{1,40})[ \t]*\r?$", re.MULTILINE | re.IGNORECASE)
_TAG = re.compile(rb"<[^<>]*+>")
_SPACE = re.compile(rb"&nbsp;|&#160;|\xc2\xa0|\xa0")
_REFERENCE = re.compile(rb"&#([0-9]{2,3});")
_LONGEST_HEADER = 2000
"""Bytes of an armoured block in which its headers have to end."""
_MESSAGE = [(b"BEGIN", b"MESSAGE"), (b"END", b"MESSAGE")]
_SIGNED = [(b"BEGIN", b"SIGNED MESSAGE"), (b"BEGIN", b"SIGNATURE"), (b"END", b"SIGNATURE")]
_BLANK = b" \t\r\n"
_ENCRYPTED_TAGS = frozenset([1, 3, 9, 18, 20])
"""Packets with which an encrypted message begins: session keys, or encrypted data (RFC 9580 section 10.3)."""
BEGINS_SIGNATURE = re.compile(rb"[ \t\r\n]{0,100}-----BEGIN PGP SIGNATURE-----")
BEGINS_KEY = re.compile(rb"[ \t\r\n]{0,100}-----BEGIN PGP PUBLIC KEY BLOCK-----")


def is_message(data: bytes) -> bool:
    """Tell whether bytes are one armoured message and nothing else but blanks around it."""
    return _framed(data, _MESSAGE)


def is_signed_text(data: bytes) -> bool:
    """Tell whether bytes are one cleartext-signed block and nothing else but blanks around it.

    Lines that begin with a dash are escaped inside of it, so that no other frame can be part of what was signed.
    """
    return _framed(data, _SIGNED)


def cleartext(data: bytes) -> bytes:
    """Return the text of a cleartext-signed block without its frame and escapes (RFC 9580 section 7).

    What stands in the headers of the frame was not signed. gpg has the last word on where the text begins.
    """
    data = _BARE_CR.sub(b"\n", data)
    begun = data.find(_BEGIN_SIGNED)
    ended = data.find(_BEGIN_SIGNATURE, begun)
    if not 0 <= begun < ended:
        return data
    empty = _EMPTY_LINE.search(data, begun, ended)
    start = empty.end() if empty else data.find(b"\n", begun) + 1
    return _ESCAPE.sub(b"", data[start:ended])


def _framed(data: bytes, frame: list[tuple[bytes, bytes]]) -> bool:
    stripped = data.strip(_BLANK)
    if not stripped.startswith(b"-----BEGIN PGP ") or not stripped.endswith(b"-----"):
        return False
    if _BARE_CR.search(stripped):
        stripped = _BARE_CR.sub(b"\n", stripped)
    marks = [(mark[1], mark[2]) for mark in _MARKS.finditer(stripped)]
    last = stripped.rpartition(b"\n")[2]
    return marks == frame and last == b"-----END PGP " + frame[-1][1] + b"-----"


def is_binary_message(data: bytes) -> bool:
    """Tell whether bytes begin like an encrypted message without armour."""
    if not data or not data[0] & 0x80:
        return False
    return (data[0] & 0x3F if data[0] & 0x40 else (data[0] & 0x3C) >> 2) in _ENCRYPTED_TAGS


def blocks(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield where armoured messages stand between `start` and `end`, each with the line that ends it, without its end.

    A block begins and ends with lines of its own and holds no markup, which cannot be armour.
    """
    while (begun := data.find(_BEGIN, start, end)) >= 0:
        ended = data.find(_END, begun, end)
        if ended < 0:
            return
        start = ended + len(_END)
        own_line = begun == 0 or data[begun - 1] in b"\r\n"
        if own_line and data[ended - 1] in b"\r\n" and data.find(b"<", begun, ended) < 0:
            yield begun, start


def trimmed(data: bytes) -> bytes:
    """Return the first armoured message in some bytes without what stands around it, all of them where none is."""
    begun = data.find(_BEGIN)
    ended = data.find(_END, begun) if begun >= 0 else -1
    return data if ended < 0 else data[begun : ended + len(_END)] + b"\r\n"


def in_html(data: bytes) -> bytes:
    """Return the first armoured message of a text that a mail program made HTML of, b"" where there is none.

    Each tag ends a line, numbered characters are what they stand for, and a no-break space is a space.
    """
    begun = data.find(_BEGIN)
    ended = data.find(_END, begun) if begun >= 0 else -1
    if ended < 0:
        return b""
    text = _SPACE.sub(b" ", _TAG.sub(b"\n", data[begun : ended + len(_END)]))
    lines = [line.strip() for line in _REFERENCE.sub(_character, text).splitlines()]
    armour = b"\n".join([lines[0], b"", *filter(None, lines[1:])]) + b"\n"
    return armour if is_message(armour) and b"<" not in armour else b""


def _character(reference: re.Match[bytes]) -> bytes:
    number = int(reference[1])
    return bytes([number]) if number < 128 else b"?"


def charset_of(data: bytes) -> str:
    """Return what the armour says of the text inside, "" for nothing (RFC 9580 section 6.2.2.5)."""
    begun = data.find(_BEGIN)
    found = _CHARSET.search(data, begun, begun + _LONGEST_HEADER) if begun >= 0 else None
    return found[1].decode("ascii") if found else ""
