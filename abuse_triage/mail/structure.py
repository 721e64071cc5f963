"""Raw bytes to a tree of MIME parts: the standard library's compat32 parser, kept within limits while it parses.

The parser itself is linear and forgiving, but it knows no limits, and what it asks of a message while it parses
(type, boundary) can be quadratic or raise. So lines are counted before it starts, fields are cut and counted as they
are stored, parts are counted as they are made, and type and boundary are read by `headers.parameters`. Embedded
messages stay leaves: their bytes are wanted as they are, and they come back here one level deeper.
"""

import re
from array import array
from collections.abc import Sequence
from email.feedparser import BufferedSubFile, FeedParser  # type: ignore[attr-defined]  # only it knows the lines
from email.message import Message
from email.policy import compat32
from itertools import islice

from abuse_triage.mail import headers
from abuse_triage.model.settings import LimitSettings

MOST_LINES = 500_000
"""Lines parsed of one message: 36 MB of base64 in lines of 76 characters. The parser keeps every line as an object."""
DEEPEST = 100
"""Levels of parts opened whatever the limit says: every level is a few calls on the interpreter's stack of 1000."""
LONGEST_BOUNDARY = 250
"""Characters of a boundary; RFC 2046 section 5.1.1 allows 70."""

_SLICE = 65_536
"""Bytes given to the parser at once."""
_LINE_END = re.compile(rb"\r\n?|\n")
_TYPE = re.compile(r"\s*+([A-Za-z0-9!#$&^_.+-]{1,100})/([A-Za-z0-9!#$&^_.+-]{1,100})")
_LEAF = "application/octet-stream"


class Budget:
    """What is left of each limit for one whole message with all that it embeds, and the notes on what was cut."""

    def __init__(self, limits: LimitSettings) -> None:
        """Start with everything left."""
        self.limits = limits
        self.depth = min(limits.depth, DEEPEST)
        self.parts = limits.parts
        self.decoded = limits.decoded_bytes
        self.text = limits.text
        self.alternative_text = limits.text
        self._notes: dict[str, None] = {}
        self._defects: dict[str, None] = {}

    def cut(self, note: str) -> None:
        """Remember that something was cut; `note` says what, in words, and is one of few."""
        self._notes[note] = None

    def too_deep(self) -> None:
        """Remember that a part lay too deep to be opened."""
        self.cut(f"nesting: only {self.depth} levels of parts were opened")

    def too_many(self) -> None:
        """Remember that there were more parts."""
        self.cut(f"parts: only the first {self.limits.parts} were read")

    def odd(self, note: str) -> None:
        """Remember that something was odd; `note` says what, in words, and is one of few."""
        self._defects[note] = None

    @property
    def notes(self) -> tuple[str, ...]:
        """Every cut once, in order."""
        return tuple(self._notes)

    @property
    def defects(self) -> tuple[str, ...]:
        """Every oddity once, in order."""
        return tuple(self._defects)


class _FullError(Exception):
    """The parser must stop: there are as many parts as there may be."""


class Node(Message):
    """A part in the tree; `depth` counts from 1, `budget` is that of the whole message."""

    # As the parser leaves it. `get_payload` would decode 8-bit text with whatever codec the sender names.
    _payload: "list[Node] | str | None"

    def __init__(self, budget: Budget, depth: int) -> None:
        """Make an empty part; the parser fills it."""
        super().__init__(compat32)
        self.budget = budget
        self.depth = depth
        self.first = self.body = self.after = -1
        """Lines, counted from 0: its first, that of its body, the first behind it; -1 where parsing ended before."""
        self._room = budget.limits.header_bytes
        self._type: tuple[str, dict[str, str]] | None = None

    def set_raw(self, name: str, value: str) -> None:
        """Store a field, as the parser does, if there is still room for it."""
        limits = self.budget.limits
        if len(self) >= limits.headers:
            self.budget.cut(f"headers: only the first {limits.headers} fields were read")
            return
        if len(value) > limits.header_line:
            self.budget.cut(f"headers: a field was cut to {limits.header_line} characters")
            value = value[: limits.header_line]
        self._room -= len(name) + len(value)
        if self._room < 0:
            self.budget.cut(f"headers: only the first {limits.header_bytes} characters were read")
            return
        super().set_raw(name[:100], value)

    def field(self, name: str) -> str:
        """Return the raw value of the first field of that name, "" where there is none; `name` in lower case."""
        return next((value for key, value in self.raw_items() if key.lower() == name), "")

    def get(self, name: str, failobj: object = None) -> object:  # type: ignore[override]  # only the parser calls it
        """Give the parser a raw value; the original would wrap 8-bit ones in objects."""
        return self.field(name.lower()) or failobj

    def declared(self) -> tuple[str, dict[str, str]]:
        """Return the declared media type in lower case, as far as it is one, and the parameters."""
        if self._type is None:
            value = self.field("content-type")
            found = _TYPE.match(value)
            if value and not found:
                self.budget.odd("a Content-Type makes no sense")
            name = f"{found[1]}/{found[2]}".lower() if found else self.get_default_type()
            self._type = name, headers.parameters(value) if ";" in value else {}
        return self._type

    def get_content_type(self) -> str:
        """Tell the parser the type, but make leaves of embedded messages and of what lies too deep."""
        name = self.declared()[0]
        if name.startswith("message/"):
            return _LEAF
        if self.depth >= self.budget.depth and name.startswith("multipart/"):
            self.budget.too_deep()
            return _LEAF
        return name

    def get_boundary(self, failobj: object = None) -> str | None:  # type: ignore[override]  # noqa: ARG002  # only the parser calls it
        """Tell the parser the boundary, None where there is none that can be used."""
        boundary = self.declared()[1].get("boundary", "").rstrip()
        return boundary if 0 < len(boundary) <= LONGEST_BOUNDARY else None

    def attach(self, payload: "Node") -> None:  # type: ignore[override]  # the parser attaches what the factory made
        """Take a child, which lies one level deeper."""
        payload.depth = self.depth + 1
        super().attach(payload)

    def children(self) -> "Sequence[Node]":
        """Return the parts of a multipart that was taken apart, none for a leaf."""
        return self._payload if isinstance(self._payload, list) else ()

    def content(self) -> bytes:
        """Return a leaf's bytes as they were transferred."""
        return self._payload.encode("ascii", "surrogateescape") if isinstance(self._payload, str) else b""


class _Factory:
    """Makes the parser's parts, counts them, and keeps the first, which is the root."""

    def __init__(self, budget: Budget, depth: int) -> None:
        self.budget = budget
        self.root = Node(budget, depth)
        # The parser makes one part when it is built, only to see whether it can.
        self._made = -1

    def __call__(self, policy: object = None) -> Node:  # noqa: ARG002  # the parser passes it by this name
        self._made += 1
        if self._made < 2:
            return self.root
        if self.budget.parts <= 0:
            raise _FullError
        self.budget.parts -= 1
        return Node(self.budget, 0)


class _Lines(BufferedSubFile):  # type: ignore[misc]  # it has no types
    """The parser's input, which knows how many lines were taken from it."""

    def __init__(self) -> None:
        super().__init__()
        self._pushed = 0

    def pushlines(self, lines: list[str]) -> None:
        """Take more lines."""
        self._pushed += len(lines)
        super().pushlines(lines)

    @property
    def line(self) -> int:
        """The number of the next line."""
        return self._pushed - len(self._lines)


class _Parser(FeedParser):
    """The standard library's parser, which writes down on which lines it saw each part."""

    _cur: Node

    def __init__(self, factory: _Factory) -> None:
        super().__init__(factory)
        self._input = _Lines()

    def _new_message(self) -> None:
        super()._new_message()  # type: ignore[misc]  # private
        self._cur.first = self._input.line

    def _parse_headers(self, lines: list[str]) -> None:
        super()._parse_headers(lines)  # type: ignore[misc]  # private
        self._cur.body = self._input.line

    def _pop_message(self) -> Node:
        node: Node = super()._pop_message()  # type: ignore[misc]  # private
        node.after = self._input.line
        return node


def begin(raw: bytes) -> int:
    """Return where the first field stands: empty lines or a byte order mark before it would make the header a body."""
    if raw[:1] not in {b"\r", b"\n", b"\xef"}:
        return 0
    rest = raw.removeprefix(b"\xef\xbb\xbf")
    return len(raw) - len(rest.lstrip(b"\r\n"))


def line_starts(raw: bytes) -> "array[int]":
    """Return the offset of every line that `parse` counts, and last the end of what it reads."""
    starts = array("Q", (begin(raw),))
    starts.extend(end.end() for end in islice(_LINE_END.finditer(raw, starts[0]), MOST_LINES))
    if starts[-1] != len(raw) and len(starts) <= MOST_LINES:
        starts.append(len(raw))
    return starts


def parse(raw: bytes, budget: Budget, depth: int = 1) -> Node:
    """Parse a message, or a message embedded in one, whose root lies at `depth`; never fails."""
    if raw.count(b"\n") + raw.count(b"\r") > MOST_LINES:
        last = next(islice(_LINE_END.finditer(raw), MOST_LINES - 1, None), None)
        if last is not None and last.end() < len(raw):
            budget.cut(f"lines: only the first {MOST_LINES} were read")
            raw = raw[: last.end()]
    if start := begin(raw):
        raw = raw[start:]
    factory = _Factory(budget, depth)
    parser = _Parser(factory)
    try:
        for start in range(0, len(raw), _SLICE):  # it needs several times the memory of what it is given at once
            parser.feed(raw[start : start + _SLICE].decode("ascii", "surrogateescape"))
        parser.close()
    except _FullError:
        budget.too_many()
    except (AssertionError, AttributeError, IndexError, LookupError, RecursionError, TypeError, ValueError):
        # What the parser raises are its own defects, and each release has others: what it got so far is kept.
        budget.odd("the parser gave up in the middle")
    return factory.root
