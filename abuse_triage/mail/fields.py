"""The header of a message or part as bytes: its fields as they stand, and where its body begins."""

import re
from collections.abc import Iterable
from typing import NamedTuple

MOST_FIELDS = 10_000
"""Fields kept of one header; what is read of a message are far fewer (`limits.headers`)."""

_LINE = re.compile(rb"[^\r\n]*+(?:\r\n?|\n)?")
_EMPTY = re.compile(rb"\r\n?|\n")
# What the standard library's parser takes for a line of a header.
_FIELD_LINE = re.compile(rb"From |([\x21-\x39\x3b-\x7e]*+):|[\t ]")


class Field(NamedTuple):
    """One field: name in lower case, the bytes with name, folding and line end."""

    name: str
    raw: bytes

    @property
    def value(self) -> str:
        """What stands behind the colon, the way that `headers` takes values: 8-bit bytes as surrogates (PEP 383)."""
        return self.raw.partition(b":")[2].decode("ascii", "surrogateescape").strip(" \t\r\n")


class Entity(NamedTuple):
    """A header and where the body behind it begins, as an offset into what was split."""

    fields: tuple[Field, ...]
    body: int

    def values(self, name: str) -> tuple[str, ...]:
        """Return the values of every field of that name, which is given in lower case."""
        return tuple(field.value for field in self.fields if field.name == name)

    def first(self, name: str) -> str:
        """Return the value of the first field of that name, "" where there is none."""
        return next(iter(self.values(name)), "")


def split(data: bytes, start: int = 0) -> Entity:
    """Split what begins with a header, as `structure.parse` does; goes over the header once, and never fails.

    A line that is no field ends the header, as an empty one does. What has no name ("From " lines, continuations of
    nothing, an empty name) is left out, and so is what comes behind `MOST_FIELDS`.
    """
    fields: list[Field] = []
    name, begun = "", start
    position = start
    while position < len(data):
        line = _LINE.match(data, position)
        kind = _FIELD_LINE.match(data, position)
        if line is None or kind is None:
            break
        if kind[0] not in {b" ", b"\t"}:
            _keep(fields, name, data[begun:position])
            name, begun = (kind[1] or b"").decode("ascii").lower(), position
        position = line.end()
    _keep(fields, name, data[begun:position])
    empty = _EMPTY.match(data, position)
    return Entity(tuple(fields), empty.end() if empty else position)


def _keep(fields: list[Field], name: str, raw: bytes) -> None:
    if name and len(fields) < MOST_FIELDS:
        fields.append(Field(name, raw))


def describes_content(field: Field) -> bool:
    """Tell whether a field is about the body that it comes with (RFC 2045 section 9), not about the message."""
    return field.name.startswith("content-") or field.name == "mime-version"


def joined(fields: Iterable[Field]) -> bytes:
    """Write fields one below the other; each ends its line."""
    return b"".join(one.raw if one.raw.endswith((b"\r", b"\n")) else one.raw + b"\r\n" for one in fields)
