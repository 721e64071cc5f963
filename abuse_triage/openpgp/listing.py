r"""gpg's listing of keys (`--with-colons`, doc/DETAILS of GnuPG) as values.

Fields are separated by colons, and gpg writes what is not printable as \xNN, so that no name can forge a field or
a line. A line that cannot be parsed makes the whole listing worthless.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from abuse_triage.errors import TriageError

OPTIONS = (
    *("--with-colons", "--fixed-list-mode", "--fast-list-mode"),
    *("--with-fingerprint", "--with-fingerprint", "--with-keygrip"),
)
"""What makes gpg list keys as `parse` expects them, without asking its database of trust, which may not be there."""
_ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|[a-z0])")
_FINGERPRINT = re.compile(r"[0-9A-F]{40}")
_GRIP = re.compile(r"[0-9A-F]{40}")
_ADDRESS = re.compile(r"[a-z0-9._+=/-]{1,64}@[a-z0-9.-]{1,253}")
_MOST_NAMES = 10
_MOST_NAME = 200


class ListingError(TriageError):
    """gpg's listing makes no sense, or holds what we do not know, such as fingerprints of another length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A primary key or subkey; `secret` says that its secret part is there, `uses` are letters: e, s, c, a."""

    fingerprint: str
    grip: str
    uses: str
    created: datetime
    expires: datetime | None
    revoked: bool
    secret: bool

    def valid(self, now: datetime) -> bool:
        """Whether it is neither revoked nor expired."""
        return not self.revoked and (self.expires is None or self.expires > now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key with its subkeys; `names` are its user ids, made harmless, at most 10.

    User ids that are revoked are left out, unless the whole key is.
    """

    parts: tuple[Part, ...]
    names: tuple[str, ...]

    @property
    def primary(self) -> Part:
        """The primary key, whose fingerprint stands for all of it."""
        return self.parts[0]

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the primary key."""
        return self.parts[0].fingerprint

    @property
    def emails(self) -> tuple[str, ...]:
        """The addresses in its names, lower case, each once."""
        return tuple(dict.fromkeys(email for name in self.names if (email := address_in(name))))

    def parts_for(self, use: str, now: datetime) -> list[Part]:
        """Return the parts for a use ("e" or "s") that are valid, as long as the primary key is."""
        if not self.primary.valid(now):
            return []
        return [part for part in self.parts if use in part.uses and part.valid(now)]

    def secret_for(self, use: str) -> bool:
        """Whether the secret of a part for a use is here, be the part expired or not."""
        return any(use in part.uses and part.secret and not part.revoked for part in self.parts)

    def expires(self, now: datetime) -> datetime | None:
        """Return when it can no longer be used as it can now: its end, or that of its last encryption subkey."""
        ends = [self.primary.expires]
        if encrypting := self.parts_for("e", now):
            last = [part.expires for part in encrypting]
            ends.append(None if None in last else max(end for end in last if end))
        return min((end for end in ends if end), default=None)


def parse(output: bytes) -> list[Key]:
    """Turn the output of `--list-keys`, `--list-secret-keys` or `--show-keys` into keys; raises `ListingError`.

    gpg must have written it with `OPTIONS`.
    """
    try:
        return [_key(lines) for lines in _blocks(output)]
    except (ValueError, IndexError, OverflowError) as error:
        raise ListingError("gpg lists a key in a way that is not known here") from error


def address_in(name: str) -> str:
    """Return the address in a user id, "Name <address>" or the address alone, in lower case; "" for none."""
    address = name.lower()
    if address.endswith(">"):
        address = address.rpartition("<")[2].removesuffix(">")
    return address if _ADDRESS.fullmatch(address) else ""


def _blocks(output: bytes) -> Iterator[list[Sequence[bytes]]]:
    block: list[Sequence[bytes]] = []
    for line in output.split(b"\n"):
        fields = line.split(b":")
        if fields[0] in {b"pub", b"sec"}:
            if block:
                yield block
            block = []
        if block or fields[0] in {b"pub", b"sec"}:
            block.append(fields)
    if block:
        yield block


def _key(lines: list[Sequence[bytes]]) -> Key:
    parts: list[Part] = []
    names: list[str] = []
    for index, fields in enumerate(lines):
        if fields[0] in {b"pub", b"sec", b"sub", b"ssb"}:
            parts.append(_part(fields, lines[index + 1 : index + 4]))
        elif fields[0] == b"uid" and (fields[1] != b"r" or lines[0][1] == b"r") and len(names) < _MOST_NAMES:
            names.append(_name(fields[9]))
    return Key(parts=tuple(parts), names=tuple(names))


def _part(fields: Sequence[bytes], following: Sequence[Sequence[bytes]]) -> Part:
    beside = {line[0]: line[9].decode("ascii") for line in following if line[0] in {b"fpr", b"grp"}}
    fingerprint, grip = beside.get(b"fpr", ""), beside.get(b"grp", "")
    if not _FINGERPRINT.fullmatch(fingerprint) or not _GRIP.fullmatch(grip):
        raise ValueError("no fingerprint of version 4, or no keygrip")
    return Part(
        fingerprint=fingerprint,
        grip=grip,
        uses="".join(letter for letter in fields[11].decode("ascii") if letter.islower()),
        created=_time(fields[5]),
        expires=_time(fields[6]) if fields[6] else None,
        revoked=fields[1] == b"r",
        secret=fields[0] in {b"sec", b"ssb"} and fields[14] == b"+",
    )


def _time(field: bytes) -> datetime:
    return datetime.fromtimestamp(int(field), UTC)


def _name(field: bytes) -> str:
    r"""Undo \xNN, and leave out what steers: control, format, surrogate and private characters, and line ends."""
    plain = _ESCAPE.sub(lambda match: bytes.fromhex((match[1] or b"20").decode()), field[: 4 * _MOST_NAME])
    text = plain.decode("utf-8", "replace")
    kept = (character for character in text if unicodedata.category(character)[0] != "C")
    return " ".join("".join(kept).split())[:_MOST_NAME]
