"""Text to mail: the complete bytes of what we send, without any way for a stranger's words to become a header.

Written by hand rather than with `email.message.EmailMessage`, which takes half a millisecond for each mail and would
encode the placeholder of the ticket's number, which the store replaces in the finished bytes.
"""

import re
import unicodedata
from base64 import b64encode
from binascii import b2a_qp
from collections.abc import Iterator, Sequence
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache

import idna

from abuse_triage.model.ticket import NUMBER_PLACEHOLDER, MailKind

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]+")
"""C0, C1, line and paragraph separators, and what turns the direction of writing."""
_CONTROL_BUT_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]+")
_ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~\\x80-\U0010ffff-]+"
_DOT_ATOM = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
"""With UTF-8, as RFC 6531 section 3.3 extends it; what cannot be printed was refused before."""
_DOMAIN = re.compile(r"[A-Za-z0-9._-]{1,253}|\[[A-Za-z0-9:.]{1,60}\]")
_BARE_ID = re.compile(r"[!-;=?A-Z\[\]^-~]{1,200}@[!-;=?A-Z\[\]^-~]{1,200}")
"""A Message-ID without angle brackets, blanks and backslashes, both sides printable ASCII."""
_PLAIN_WORD = re.compile(r"[!-~]{1,200}")

_FOLD = "\r\n "
"""Between two lines of one field (RFC 5322 section 2.2.3)."""
_LONGEST_PATH = 254
"""Octets of an address that fit between the angle brackets of a path (RFC 5321 section 4.5.3.1.3)."""
_MAX_VALUE = 300
_MAX_COLUMNS = 76
_WORD_BYTES = 42
"""Bytes in one encoded-word: 56 base64 digits and 12 characters around them stay below 75 (RFC 2047 section 2)."""
_PLACEHOLDER = NUMBER_PLACEHOLDER.encode("ascii")
_AUTO_SUBMITTED = {  # RFC 3834 section 5
    MailKind.ACKNOWLEDGEMENT: "auto-replied",
    MailKind.DIGEST: "auto-generated",
    MailKind.NOTICE: "auto-generated",
}


def compose(
    *,
    kind: MailKind,
    message_id: str,
    sender_name: str,
    sender: str,
    recipient: str,
    subject: str,
    body: str,
    date: datetime,
    in_reply_to: str = "",
    references: Sequence[str] = (),
) -> bytes:
    """Return a complete mail with CRLF line ends: text/plain, UTF-8, quoted-printable, and what RFC 3834 asks for.

    `NUMBER_PLACEHOLDER` survives in subject and body as it is, so that `Outgoing.numbered` can replace it; numbers of
    up to 50 characters keep every line within the 76 columns of RFC 2045 section 6.7, longer ones stay far below the
    998 octets of RFC 5322 section 2.1.1. Control characters and overrides of the writing direction are removed from
    header values and from the body, header values are cut to 300 characters.

    Args:
        kind: decides about Auto-Submitted: auto-replied for acknowledgements, auto-generated otherwise.
        message_id: ours, bare, else `ValueError`. Its domain is the value of X-Abuse-Triage-Loop.
        sender_name: display name in From, "" for none.
        sender: bare address in From.
        recipient: bare address, one; where `written_address` cannot write one of both, `ValueError` is raised. UTF-8
            in its local part stands in To as it is, and makes the mail an internationalised one (RFC 6532).
        subject: one line; words that are not ASCII become encoded-words (RFC 2047).
        body: lines that end in a line feed.
        date: aware.
        in_reply_to: bare Message-ID of the mail that is answered; one that is not well-formed is left out.
        references: bare Message-IDs for References (RFC 5322 section 3.6.4); of more than ten the first four and the
            last six remain, ill-formed ones are left out.
    """
    if not _BARE_ID.fullmatch(message_id):
        raise ValueError("the Message-ID is not well-formed")
    to, address = written_address(recipient), written_address(sender)
    if not to or not address:
        raise ValueError("an address cannot be written in a mail; ask written_address before")
    threading = _ids("In-Reply-To", (in_reply_to,)) + _ids("References", references)
    head = (
        f"{_from(sender_name, address)}\r\n"
        f"To: <{to}>\r\n"
        f"{_unstructured('Subject', subject)}\r\n"
        f"Date: {format_datetime(date)}\r\n"
        f"Message-ID: <{message_id}>\r\n"
        f"{threading}"
        f"Auto-Submitted: {_AUTO_SUBMITTED[kind]}\r\n"
        "X-Auto-Response-Suppress: All\r\n"
        f"X-Abuse-Triage-Loop: {message_id.rpartition('@')[2]}\r\n"
        "Precedence: bulk\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n"
        "\r\n"
    )
    return head.encode("utf-8") + _quoted_printable(body)


def written_address(email: str) -> str:
    """Write a bare address as headers and SMTP commands take it (RFC 5321 section 4.1.2), without angle brackets.

    The local part is quoted where it has to be; with UTF-8 in it only servers with SMTPUTF8 take it (RFC 6531). The
    domain is written in ASCII. "" where the address has control characters, is longer than the 254 octets that fit a
    path, or has letters outside of ASCII in a form that is not the only one (NFC, IDNA 2008): nothing is sent to it,
    for every form would have budgets of its own.
    """
    local, _, domain = email.rpartition("@")
    if not local or not email.isprintable() or not unicodedata.is_normalized("NFC", email):
        return ""
    if not domain.isascii():
        domain = _in_ascii(domain)
    if not _DOMAIN.fullmatch(domain):
        return ""
    if not _DOT_ATOM.fullmatch(local):
        quoted = local.replace("\\", "\\\\").replace('"', '\\"')
        local = f'"{quoted}"'
    written = f"{local}@{domain}"
    return written if len(written.encode()) <= _LONGEST_PATH else ""


def _in_ascii(domain: str) -> str:
    """Return a domain with A-labels in place of U-labels (RFC 5891 section 5.4), "" where that cannot be done."""
    try:
        return idna.encode(domain).decode("ascii") if len(domain) <= _LONGEST_PATH else ""
    except UnicodeError:  # includes idna.IDNAError
        return ""


@lru_cache(maxsize=32)
def _from(name: str, address: str) -> str:
    """Write the From field, folded only where it is long; ours repeat, so that they are worth remembering."""
    start = f"From: {_phrase(name)}".rstrip()
    short = len(start.rpartition("\n")[2]) + len(f" <{address}>") <= _MAX_COLUMNS
    return f"{start}{' ' if short else _FOLD}<{address}>"


def _phrase(name: str) -> str:
    """Write a display name (RFC 5322 section 3.2.5), "" for none."""
    name = _CONTROL.sub(" ", name)[:_MAX_VALUE].strip()
    if not name:
        return ""
    if name.isascii():
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return _FOLD.join(_lines("From:", f'"{escaped}"'.split(" ")))
    return _FOLD.join(_encoded_words(name))


@lru_cache(maxsize=128)
def _unstructured(name: str, value: str) -> str:
    """Write a field of free text, folded; ours repeat, so that they are worth remembering."""
    words = _CONTROL.sub(" ", value)[:_MAX_VALUE].split()
    return f"{name}: " + _FOLD.join(_lines(f"{name}:", list(_tokens(words))))


def _tokens(words: Sequence[str]) -> Iterator[str]:
    """Encode the words that are not plain ASCII, neighbours together, because blanks between encoded-words vanish."""
    strange: list[str] = []
    for word in words:
        for part in re.split(f"({NUMBER_PLACEHOLDER})", word) if not _is_plain(word) else (word,):
            if part and _is_plain(part):
                if strange:
                    yield from _encoded_words(" ".join(strange))
                    strange.clear()
                yield part
            elif part:
                strange.append(part)
    if strange:
        yield from _encoded_words(" ".join(strange))


def _is_plain(word: str) -> bool:
    return "=?" not in word and _PLAIN_WORD.fullmatch(word) is not None


def _encoded_words(text: str) -> Iterator[str]:
    """Cut text between characters into encoded-words."""
    chunk = b""
    for character in text:
        octets = character.encode("utf-8", "replace")
        if len(chunk) + len(octets) > _WORD_BYTES:
            yield f"=?utf-8?b?{b64encode(chunk).decode('ascii')}?="
            chunk = b""
        chunk += octets
    yield f"=?utf-8?b?{b64encode(chunk).decode('ascii')}?="


def _lines(start: str, tokens: Sequence[str]) -> list[str]:
    """Fill lines of at most 76 columns, as far as the tokens allow; the first begins behind `start`."""
    lines: list[str] = []
    line, used = "", len(start) + 1
    for token in tokens:
        if line and used + len(line) + 1 + len(token) > _MAX_COLUMNS:
            lines.append(line)
            line, used = token, 1
        else:
            line = f"{line} {token}" if line else token
    return [*lines, line]


def _ids(name: str, bare: Sequence[str]) -> str:
    kept = [f"<{one}>" for one in bare if _BARE_ID.fullmatch(one)]
    if not kept:
        return ""
    if len(kept) > 10:
        kept = kept[:4] + kept[-6:]
    return f"{name}: " + _FOLD.join(kept) + "\r\n"


@lru_cache(maxsize=32)
def _quoted_printable(body: str) -> bytes:
    """Encode a text with the placeholder left whole, between soft line breaks where its line is long; ours repeat."""
    text = _CONTROL_BUT_LINES.sub("", body).encode("utf-8", "replace")
    first, *others = text.split(_PLACEHOLDER)
    encoded = _encoded(first)
    for piece in others:
        column = len(encoded) - encoded.rfind(b"\n") - 1
        following = _encoded(piece)
        before = b"=\n" if column > 20 else b""
        behind = b"=\n" if following[:1] not in (b"\n", b"") else b""
        encoded += before + _PLACEHOLDER + behind + following
    return encoded.replace(b"\n", b"\r\n")


def _encoded(piece: bytes) -> bytes:
    """Encode a piece of a line; the letter behind it, taken off again, keeps a blank at its end as it is."""
    return b2a_qp(piece + b"x")[:-1]
