"""Raw messages out of files: .eml, mbox (RFC 4155), Maildir, folders of .eml; one at a time in memory."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_LINE = 65_536
"""Bytes read at once; a longer line comes in pieces."""
_TIME = re.compile(rb"\d\d:\d\d")
_QUOTED_FROM = re.compile(rb">+From ")
_HEADERS = 256_000
_RETURN_PATH = re.compile(rb"return-path:[ \t]*([^\r\n]{0,400})", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawMail:
    """One message and where it came from; `truncated` where it was longer than the limit."""

    source: str
    raw: bytes
    truncated: bool


def mails_in(path: Path, limit: int) -> Iterator[RawMail]:
    """Yield the messages of a file or folder in the order of names, each at most `limit` bytes."""
    if not path.is_dir():
        files = [path]
    elif (path / "cur").is_dir() and (path / "new").is_dir():  # a Maildir; tmp holds what is not finished
        files = sorted((*(path / "new").glob("[!.]*"), *(path / "cur").glob("[!.]*")), key=lambda file: file.name)
    else:
        files = sorted(path.rglob("*.eml"))
    for file in files:
        with file.open("rb") as stream:
            yield from mails_from(stream, str(file), limit)


def mails_from(stream: BinaryIO, source: str, limit: int) -> Iterator[RawMail]:
    """Yield the messages of a stream: many where it begins like an mbox, otherwise the one that it is."""
    first = stream.readline(_LINE)
    if _separates(first):
        yield from _mbox(stream, source, limit)
        return
    mail = _Growing(limit)
    mail.add(first)
    while chunk := stream.read(_LINE):
        mail.add(chunk)
    yield from mail.done(source)


def return_path(raw: bytes) -> str:
    """Return the value of Return-Path, which the delivering MTA put on top (RFC 5321 section 4.4), "" for none."""
    for line in raw[:_HEADERS].splitlines():
        if not line:
            break
        if match := _RETURN_PATH.fullmatch(line):
            return match[1].decode("utf-8", "replace").strip()
    return ""


class _Growing:
    """A message that is still being read; what is beyond the limit is dropped."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._content = bytearray()
        self._truncated = False

    def add(self, chunk: bytes) -> None:
        room = self._limit - len(self._content)
        self._truncated |= len(chunk) > room
        self._content += chunk[:room]

    def done(self, source: str) -> Iterator[RawMail]:
        if self._content:
            yield RawMail(source=source, raw=bytes(self._content), truncated=self._truncated)


def _separates(line: bytes) -> bool:
    """Tell a separator line, which has a time, from a sentence that begins with "From"."""
    return line.startswith(b"From ") and _TIME.search(line[:500]) is not None


def _mbox(stream: BinaryIO, source: str, limit: int) -> Iterator[RawMail]:
    """Split behind blank lines, which belong to the separator; ">From " loses one ">" (the mboxrd form)."""
    number, mail = 1, _Growing(limit)
    blank, at_start = b"", True
    while line := stream.readline(_LINE):
        if at_start and blank and _separates(line):
            yield from mail.done(f"{source}:{number}")
            number, mail, blank = number + 1, _Growing(limit), b""
            continue
        mail.add(blank)
        blank = line if at_start and line in {b"\n", b"\r\n"} else b""
        if not blank:
            mail.add(line[1:] if at_start and _QUOTED_FROM.match(line) else line)
        at_start = line.endswith(b"\n")
    yield from mail.done(f"{source}:{number}")
