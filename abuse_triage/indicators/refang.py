r"""Defanging: indicators written so that no program makes a link of them, "hxxps://loja[.]example[.]pt".

`refang` undoes what reporters usually do, in one pass over the text, and remembers where everything stood. Each form is
a pattern of bounded length, and its neighbours decide whether it is meant: "[.]" between two letters is, "[.]" alone is
not.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass

from abuse_triage.indicators.grammar import NAME

SEEN_LIMIT = 500
"""Most characters of the original text that are kept with an indicator."""

# Every match begins with one of the characters that defanging is made of and ordinary text has few of ("x", not the "h"
# of "hxxp"), so that the engine skips to it: eight times as fast as the obvious pattern.
_FIRST = r"\[({<\]\\xX*"
_FORMS = r"""(?:
    (?<=[\[({<])
    (?: (?P<mark> [ ]? (?: (?P<dot> \.|(?i:dot|ponto|punto) ) | (?P<at> @|(?i:at|arroba) ) | (?P<sep> ://|:|//|/ ) )
        [ ]? [\])}>] )
      | (?P<secure> [sS][\])] (?= [\[({<]?:[\])}>/\\] ) ) )
  | (?P<open> (?<=\[)\. )
  | (?P<close> (?<=\.\]) )
  | (?P<slash> (?<=\\)/ )
  | (?: (?<=[hH][xX*])[tTxX*] | (?<=[hH][tT][xX*]) | (?<=[fF][xX*]) )
    (?P<scheme> [pP] (?: [sS] | [\[(][sS][\])] )? ) (?= [\[({<]?:[\])}>/\\] )
)"""
# What people do not see (soft hyphen, zero width, direction), and the full stops that UTS 46 reads as a dot.
_UNSEEN = r"\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff"
_STOPS = r"\u3002\uff0e\uff61"
_ASCII = re.compile(rf"[{_FIRST}]{_FORMS}", re.VERBOSE)
_ANY = re.compile(
    rf"[{_FIRST}{_UNSEEN}{_STOPS}](?: (?P<unseen>(?<=[{_UNSEEN}])) | (?P<stop>(?<=[{_STOPS}])) | {_FORMS} )", re.VERBOSE
)
_SPACES = 2  # at most so many on each side of "evil [.] example"
_JOINERS = "\u200c\u200d"
_BRACKETS = frozenset("[({<")
_ENDS = re.compile(f"[{NAME}*'+=~&-]")
_DOT = re.compile(rf"(?<=[{NAME}*-])\.(?=[{NAME}*])")
_BEGINS = re.compile(f"[{NAME}*]")

Replacement = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class Refanged:
    """A text after refanging, and the way back to the text as it stood.

    `starts` and `ends` are where each replacement lies in `text`, `origins` where the replaced stood in `source`; all
    three in order and equally long.
    """

    text: str
    source: str
    starts: tuple[int, ...] = ()
    ends: tuple[int, ...] = ()
    origins: tuple[tuple[int, int], ...] = ()

    def seen(self, start: int, end: int) -> str:
        """Return what stood at `text[start:end]`, at most `SEEN_LIMIT` characters of it."""
        if not self.starts:
            return self.source[start : min(end, start + SEEN_LIMIT)]
        first = self._origin(start, at_end=False)
        return self.source[first : min(self._origin(end, at_end=True), first + SEEN_LIMIT)]

    def changed(self, start: int, end: int) -> bool:
        """Tell whether anything inside `text[start:end]` was defanged; dropping what nobody sees does not count."""
        for index in range(bisect_right(self.ends, start), len(self.starts)):
            if self.starts[index] >= end:
                break
            if self.starts[index] < self.ends[index]:
                return True
        return False

    def _origin(self, offset: int, *, at_end: bool) -> int:
        # A start looks for the last replacement that begins at or before it, an end for one that begins before it.
        index = bisect_right(self.starts, offset - at_end) - 1
        if index < 0:
            return offset
        before, behind = self.origins[index]
        if offset <= self.ends[index] if at_end else offset < self.ends[index]:
            return behind if at_end else before
        return behind + offset - self.ends[index]


def refang(text: str) -> Refanged:
    r"""Undo the defanging in a text; what is not defanged stays as it is, character for character.

    Known are hxxp, hXXps, hxtp, h**p, fxp, http[s]; "." as [.] (.) {.} <.> [dot] (dot) [ponto] (ponto) or with half a
    bracket; "@" as [@] [at] (at) [arroba] (arroba); ":" and "/" as [:] [://] [/] [//], and the "\/" of JSON; dots and
    at signs also with spaces on both sides. Characters that nobody sees are dropped. The time is linear in the text.
    """
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    origins: list[tuple[int, int]] = []
    done = length = 0
    for match in (_ASCII if text.isascii() else _ANY).finditer(text):
        replacement = _FORM[match.lastgroup or ""](text, match, done)
        if replacement is None:
            continue
        start, end, new = replacement
        pieces += (text[done:start], new)
        length += start - done
        starts.append(length)
        length += len(new)
        ends.append(length)
        origins.append((start, end))
        done = end
    if not origins:
        return Refanged(text, text)
    pieces.append(text[done:])
    return Refanged("".join(pieces), text, tuple(starts), tuple(ends), tuple(origins))


def _mark(text: str, match: re.Match[str], done: int) -> Replacement | None:
    start, end = match.span()
    if match["sep"]:
        meant = start == done or text[start - 1 : start] not in _BRACKETS
        return (start, end, match["sep"]) if meant else None
    for _ in range(_SPACES):
        if text[start - 1 : start] == " " == text[end : end + 1]:
            start, end = start - 1, end + 1
    meant = start >= done and _may_end(text, start, done) and _goes_on(text, end)
    return (start, end, "." if match["dot"] else "@") if meant else None


def _half(text: str, match: re.Match[str], done: int) -> Replacement | None:
    start = match.start() - (match.lastgroup == "close")
    meant = start >= done and _may_end(text, start, done) and _goes_on(text, match.end())
    return (start, match.end(), ".") if meant else None


def _scheme(text: str, match: re.Match[str], done: int) -> Replacement | None:
    """Replace from the "h" or "f", one or two characters before the match, to the "s" in its brackets."""
    start = match.start() - 1
    if text[start] in "tT":
        start -= 1
    if start < done or text[start - 1 : start].isalpha():
        return None
    secure = "s" if match["scheme"][1:] else ""
    return start, match.end(), ("ftp" if text[start] in "fF" else "http") + secure


def _secure(text: str, match: re.Match[str], _done: int) -> Replacement | None:
    start, end = match.span()
    return (start, end, "s") if text[max(0, start - 4) : start].lower() == "http" else None


def _unseen(text: str, match: re.Match[str], done: int) -> Replacement | None:
    # Joiners belong to the spelling of some scripts, but of none of those below U+0250.
    start, end = match.span()
    meant = text[start] not in _JOINERS or start == done or text[start - 1 : start] < "\u0250"
    return (start, end, "") if meant else None


def _slash(_text: str, match: re.Match[str], _done: int) -> Replacement | None:
    return match.start(), match.end(), "/"


_FORM = {
    "mark": _mark,
    "open": _half,
    "close": _half,
    "stop": _half,
    "scheme": _scheme,
    "secure": _secure,
    "unseen": _unseen,
    "slash": _slash,
}


def _may_end(text: str, index: int, done: int) -> bool:
    """Tell whether a name may go on at this place: behind a word, a wild card, or what was just replaced."""
    before = text[index - 1 : index]
    return bool(before) and (index == done or _ENDS.match(before) is not None)


def _goes_on(text: str, index: int) -> bool:
    return _BEGINS.match(text, index) is not None


def defang(value: str) -> str:
    """Write an indicator so that no program makes a link of it; `refang` gives the value back.

    Dots of hosts become "[.]", the "@" of an address "[@]", the colons of an IPv6 address "[:]", http "hxxp" and the
    "://" of any other scheme "[://]". Paths stay as they are.
    """
    scheme, separator, rest = value.partition("://")
    if separator:
        end = next((index for index, char in enumerate(rest) if char in "/?#"), len(rest))
        authority = _DOT.sub("[.]", rest[:end])
        if scheme in {"http", "https"}:
            return f"hxxp{scheme[4:]}://{authority}{rest[end:]}"
        return f"{scheme}[://]{authority}{rest[end:]}"
    local, at, host = value.rpartition("@")
    if at:
        return f"{local}[@]{_DOT.sub('[.]', host)}"
    return _DOT.sub("[.]", value.replace(":", "[:]"))


_LIVE = re.compile(r"(?<=[^\W_])\.(?=[^\W_])|(?<=\S)@(?=\S)|(?i:http(?=s?:))|(?<!http)(?<!https):(?=//)")
"""What makes a program see a link in a text: dots inside names, the "@" of addresses, schemes."""
_DEAD = {".": "[.]", "@": "[@]", ":": "[:]"}


def defang_text(text: str) -> str:
    """Write a stranger's text on one line so that no program makes links of it, without control characters.

    Unlike `defang` it cannot be undone: every dot between two letters or digits is bracketed, wherever it stands.
    """
    line = text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)
    return " ".join(_LIVE.sub(lambda match: _DEAD.get(match[0], "hxxp"), line).split())
