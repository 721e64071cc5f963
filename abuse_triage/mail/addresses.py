"""The mailboxes in a header field, read by a scanner that goes over the value once.

The standard library's parser recurses into comments, raises on some fields, and has answered with addresses that were
not there (CVE-2023-27043).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from abuse_triage.mail.headers import decoded
from abuse_triage.model.message import Address

MOST_ADDRESSES = 100
"""Mailboxes read of one field."""
LONGEST_NAME = 200
"""Characters kept of a display name."""

_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*+)"?|<([^<>]*+)>?|([(),;:])|[^"()<>,;:\\]++|.', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ADDRESS = re.compile(r'(?:[^\s@<>()",;:\\\[\]]{1,64}|"[^"\\\s]{1,62}")@[^\s@<>()",;\\]{1,255}')


@dataclass(slots=True)
class _Entry:
    """What was read of one mailbox: words outside angle brackets (as written, and without quotes), comment, address."""

    written: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    comment: list[str] = field(default_factory=list)
    angle: str = ""

    def mailbox(self) -> Address | None:
        """Return the mailbox, None where no address is in sight."""
        if self.angle:
            # A source route ends with a colon (RFC 5322 section 4.4).
            return Address(_name(self.words), _address("".join(self.angle.rpartition(":")[2].split())))
        bare = "".join(self.written).strip()
        for word in bare.split():
            if email := _address(word):
                return Address(_name([bare.replace(word, "", 1)]) or _name(self.comment), email)
        # White space around "@" and dots is allowed in old mail (RFC 5322 section 4.4).
        email = _address("".join(bare.split()))
        return Address(_name(self.comment), email) if email else None


def addresses(value: str) -> tuple[Address, ...]:
    """Return the mailboxes of an address field in order, at most `MOST_ADDRESSES` (RFC 5322 section 3.4); never fails.

    Groups are flattened; a comment serves as name where there is no other. Text before a comma that holds no address
    belongs to the next name ("Silva, Ana <ana@example.pt>"). Where there is no address at all, one entry with an empty
    `email` holds the text.
    """
    found: list[Address] = []
    entry = _Entry()
    for kind, text in _tokens(value):
        if kind == "word":
            entry.written.append(text)
            entry.words.append(text)
        elif kind == "quoted":
            entry.written.append(f'"{text}"')
            entry.words.append(_ESCAPED.sub(r"\1", text))
        elif kind == "angle":
            entry.angle = text.strip() or entry.angle
        elif kind == "comment":
            entry.comment.append(text)
        elif kind == ":":
            entry = _Entry()
        else:
            mailbox = entry.mailbox()
            if mailbox:
                found.append(mailbox)
            if len(found) >= MOST_ADDRESSES:
                break
            entry = _Entry(words=[] if mailbox or not entry.words else [*entry.words, ", "])
    if not found and (name := _name(entry.words)):
        found.append(Address(name, ""))
    return tuple(found)


def _tokens(value: str) -> Iterator[tuple[str, str]]:
    """Yield (kind, text) for words, quoted strings, angle brackets, comments and separators; "," ends the last."""
    nested = 0
    for token in _TOKEN.finditer(value):
        quoted, angle, mark = token.groups()
        if mark == "(":
            nested += 1
        elif mark == ")":
            nested = max(0, nested - 1)
        elif nested:
            yield "comment", token[0]
        elif mark:
            yield mark, mark
        elif quoted is not None:
            yield "quoted", quoted
        elif angle is not None:
            yield "angle", angle
        else:
            yield "word", token[0]
    yield ",", ","


def _name(words: list[str]) -> str:
    return decoded(" ".join("".join(words).split())).strip(" ,'>")[:LONGEST_NAME] if words else ""


def _address(text: str) -> str:
    if not text.isascii():
        text = decoded(text)
    return text.lower() if _ADDRESS.fullmatch(text) and text.isprintable() else ""
