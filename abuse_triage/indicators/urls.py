"""URLs in running text: where they end, and their canonical form."""

import re
from ipaddress import IPv6Address
from typing import NamedTuple

from abuse_triage.indicators.grammar import AUTHORITY, IPV4, TAIL
from abuse_triage.indicators.names import canonical

_KNOWN_SCHEME = re.compile(r"(?:https?|s?ftps?)$", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9-]{1,15}")  # RFC 3986 section 3.1, without "+" and ".", which end words
# Where the next field begins: an escaped quote or bracket of HTML, or a comma before a URL or an address.
_NEXT_FIELD = re.compile(r"&(?:lt|gt|quot|#39|#34);|[,;](?=[A-Za-z]{3,5}://|[0-9]{1,3}(?:\.[0-9]{1,3}){3})")
_CLOSES = {"'": "'", ",": ",", ";": ";"}  # a URL behind one of these ends at the next
_BRACKETS = {")": "(", "]": "[", "}": "{"}
_ENDS = frozenset(".,;:!?'*")
_HIGHEST_PORT = 65535


class Url(NamedTuple):
    """A URL at `start` to `end` of a text: canonical `value`, and its `host` without brackets."""

    start: int
    end: int
    value: str
    host: str


def url_at(text: str, word: int, colon: int) -> Url | None:
    """Return the URL whose scheme ends at `colon`, where "://" stands, and begins at `word` or later; None if none is.

    The host has to be an address or a name with a dot. Scheme and host become lower case, the rest stays untouched up
    to 2048 characters; user names (at most 128 characters) and ports stay where they are.
    """
    scheme = _scheme(text[word:colon])
    match = AUTHORITY.match(text, colon)
    if not scheme or match is None or int(match["port"] or 0) > _HIGHEST_PORT:
        return None
    host, behind, whole = _host(match)
    if not host:
        return None
    start = colon - len(scheme)
    path, end = "", behind
    if whole:
        path = trimmed(match["path"] or "", text[start - 1 : start])
        end = match.start("path") + len(path) if path else match.end("port") if match["port"] else behind
    user = f"{match['user']}@" if match["user"] else ""
    port = f":{match['port']}" if match["port"] and whole else ""
    shown = f"[{host}]" if ":" in host else host
    return Url(start, end, f"{scheme.lower()}://{user}{shown}{port}{path}", host)


def tail_at(text: str, start: int, end: int, host: str) -> Url | None:
    """Return the URL that a host at `start` to `end` begins without a scheme; None where no path follows.

    Its value gets the scheme http, which is what a browser would try. Behind an address there has to be a letter: its
    "/24" and "/443" are a mask and a port.
    """
    match = TAIL.match(text, end)
    if match is None or int(match["port"] or 0) > _HIGHEST_PORT:
        return None
    path = trimmed(match["path"], text[start - 1 : start])
    word = path[1:].lower()
    if word in {"tcp", "udp"} or (IPV4.match(word) and word[-1].isdigit()):
        return None
    if host[-1].isdigit() and not (word[:1].isalpha() or word[:1] in {"~", "%", "_", "?"}):
        return None
    port = f":{match['port']}" if match["port"] else ""
    return Url(start, match.start("path") + len(path), f"http://{host}{port}{path}", host)


def _scheme(word: str) -> str:
    """Return the scheme at the end of a word, such as "http" of "href_http" or "3Dhttp"; "" where there is none."""
    known = _KNOWN_SCHEME.search(word[-8:])
    if known:
        return known[0]
    last = word.rpartition(".")[2]
    return last if _SCHEME.fullmatch(last) else ""


def _host(match: re.Match[str]) -> tuple[str, int, bool]:
    """Return the canonical host ("" where invalid), where it ends, and whether port and path belong to it."""
    raw, end = match["host"], match.end("host")
    if raw.startswith("["):
        try:
            return IPv6Address(raw[1:-1]).compressed, end, True
        except ValueError:
            return "", end, True
    bare = raw.rstrip(".-_")
    host = bare if IPV4.fullmatch(bare) else canonical(bare)
    if host and host is not bare and host.rpartition(".")[2].isdigit():
        host = ""  # "1.2.3" and "300.1.1.1" are neither
    whole = len(bare) == len(raw) or raw[len(bare) :] == "."  # a single dot is the root's
    return host, end if whole else end - len(raw) + len(bare), whole


def trimmed(path: str, before: str) -> str:
    """Return a path without what belongs to the sentence: punctuation, and brackets that it did not open.

    `before` is the character in front of the URL: behind an apostrophe, comma or semicolon it ends at the next one.
    """
    closing = _CLOSES.get(before)
    if closing:
        path = path.partition(closing)[0]
    next_field = _NEXT_FIELD.search(path)
    if next_field:
        path = path[: next_field.start()]
    end = len(path)
    surplus = {close: path.count(close) - path.count(opens) for close, opens in _BRACKETS.items()}
    while end and (path[end - 1] in _ENDS or surplus.get(path[end - 1], 0) > 0):
        end -= 1
        if path[end] in surplus:
            surplus[path[end]] -= 1
    return path[:end]
