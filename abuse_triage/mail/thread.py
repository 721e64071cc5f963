"""Threads: signed Message-IDs of our own that can be recognised without asking anybody, and numbers of tickets."""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from string import Formatter

_DIGITS = 24
"""Base32 digits of each half of an id: 120 bits for the key's hash, 120 bits for the signature."""
_OWN = re.compile(rf"[a-z]{{1,20}}\.[a-z2-7]{{{_DIGITS}}}\.[a-z2-7]{{{_DIGITS}}}@[\x21-\x7e]{{1,253}}")
_KIND = re.compile(r"[a-z]{1,20}")
_MAX_SUBJECT = 1000
_MAX_NUMBERS = 10
_MAX_SEQUENCE_DIGITS = 12


def own_id(kind: str, key: str, secret: bytes, domain: str) -> str:
    """Return the Message-ID of a mail of ours, bare; the same arguments always give the same id.

    The form is `kind.token.signature@domain`: the token is an HMAC-SHA256 of the key, which it does not give away, and
    the signature one of everything before it and the domain, each truncated to 120 bits (RFC 2104 section 5 allows down
    to half of the hash's length or 80 bits). Everything is lower case, because mail systems exist that fold case.

    Args:
        kind: what the mail is for, 1 to 20 letters from a to z; else `ValueError`.
        key: what the mail belongs to, such as the id of the message that it answers.
        secret: at least 16 bytes; else `ValueError`.
        domain: right side of the id.
    """
    if not _KIND.fullmatch(kind):
        raise ValueError(f"a kind of mail is 1 to 20 letters from a to z, not {kind!r}")
    if len(secret) < 16:
        raise ValueError("the secret of Message-IDs needs at least 16 bytes")
    domain = domain.lower()
    left = f"{kind}.{_digest(secret, 'key', kind, key)}"
    return f"{left}.{_digest(secret, 'id', left, domain)}@{domain}"


def is_own(message_id: str, secret: bytes) -> bool:
    """Tell whether `own_id` made this bare Message-ID with this secret; compares in constant time."""
    message_id = message_id.lower()
    if not _OWN.fullmatch(message_id):
        return False
    local, _, domain = message_id.partition("@")
    left, _, signature = local.rpartition(".")
    return hmac.compare_digest(signature, _digest(secret, "id", left, domain))


def kind_of(own: str) -> str:
    """Return the kind that `own_id` was given, of an id for which `is_own` holds."""
    return own.partition(".")[0].lower()


def ticket_numbers(subject: str, number_format: str, prefix: str) -> tuple[str, ...]:
    """Return the ticket numbers that a subject mentions, as they are written on tickets, in order, each once.

    A number counts with and without brackets around it, in any case, and with one blank where folding or a person put
    one between its parts. At most 10 numbers in the first 1,000 characters. The numbers are only well-formed: whether
    such tickets exist, and who may write into them, is decided elsewhere.

    Args:
        subject: decoded subject.
        number_format: `settings.tickets.number`; the settings have checked that year and sequence stand in it once.
        prefix: `settings.team.ticket_prefix`.
    """
    found = _pattern(number_format, prefix).finditer(subject[:_MAX_SUBJECT])
    return _unique(found, number_format, prefix)


def detail_numbers(details: Sequence[str], number_format: str, prefix: str) -> tuple[str, ...]:
    """Return the ticket numbers that plus-addresses name, as `ticket_numbers` does: "abuse+EXAMPLE#2026-000123@…".

    `details` are what stood behind the "+", each of which has to be a number as a whole, in any case. Marks between its
    parts may be "-" or "." instead, because few people and programs write "#" in an address.
    """
    pattern = _pattern(number_format, prefix, in_address=True)
    return _unique((match for one in details if (match := pattern.fullmatch(one))), number_format, prefix)


def _unique(found: Iterator[re.Match[str]], number_format: str, prefix: str) -> tuple[str, ...]:
    numbers: dict[str, None] = {}
    for match in found:
        number = number_format.format(prefix=prefix, year=int(match["year"]), sequence=int(match["sequence"]))
        numbers[number] = None
        if len(numbers) == _MAX_NUMBERS:
            break
    return tuple(numbers)


def _digest(secret: bytes, *parts: str) -> str:
    text = "\0".join(parts).encode("utf-8", "surrogatepass")
    digest = hmac.digest(secret, text, hashlib.sha256)
    return base64.b32encode(digest[: _DIGITS * 5 // 8]).decode("ascii").lower()


@lru_cache(maxsize=8)
def _pattern(number_format: str, prefix: str, *, in_address: bool = False) -> re.Pattern[str]:
    """Turn the format into a pattern; every repetition in it is bounded, so that it takes linear time."""
    pieces: list[str] = []
    for literal, name, _, _ in Formatter().parse(number_format):
        if literal:
            pieces.append("".join(map(_mark, literal)) if in_address else re.escape(literal))
        if name is None:
            continue
        if name == "prefix":
            pieces.append(re.escape(prefix))
        else:
            digits = "{4}" if name == "year" else f"{{1,{_MAX_SEQUENCE_DIGITS}}}"
            pieces.append(rf"(?P<{name}>\d{digits})")
    blank = "" if in_address else "[ \t]?"
    return re.compile(r"(?<![\w.-])" + blank.join(pieces) + r"(?!\d)", re.IGNORECASE | re.ASCII)


def _mark(character: str) -> str:
    return character if character.isalnum() else f"[{re.escape(character)}.-]"
