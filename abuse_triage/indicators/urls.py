"""URLs in running text: where they end, and their canonical form."""

import re
from ipaddress import IPv6Address
from typing import NamedTuple

from abuse_triage.indicators.grammar import ADDRESS_TAIL, AUTHORITY, IPV4, PATH, TAIL
from abuse_triage.indicators.names import canonical

_KNOWN_SCHEME = re.compile(r"(?:https?|s?ftps?)$", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9-]{1,15}")  # RFC 3986 section 3.1, without "+" and ".", which end words
# Where the next field begins: an escaped quote or bracket of HTML, a comma before a URL or an address, a semicolon that
# neither ends an entity nor begins a parameter such as ";jsessionid=".
_NEXT_FIELD = re.compile(
    r"&(?:lt|gt|quot|#39|#34);|(?<!&amp);(?![A-Za-z_][\w.-]{0,40}=)|[,;](?=[A-Za-z]{3,5}://|[0-9]{1,3}(?:\.[0-9]{1,3}){3})"
)
_SEPARATORS = frozenset(",;'")  # a URL behind one of these ends at the next
_ENTITY = re.compile(r"&[a-z]{2,4};|&#[0-9]{1,3};")
_LONGEST_ENTITY = 6
_BRACKET = re.compile(r"[()\[\]{}]")
_BRACKETS = {")": "(", "]": "[", "}": "{"}
_ENDS = ".,;:!?'*([{"
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
    match = AUTHORITY.match(text, colon) if scheme else None
    if match is None or int(match["port"] or 0) > _HIGHEST_PORT:
        return None
    host, end, whole = _host(match)
    if not host:
        return None
    start = colon - len(scheme)
    user = f"{match['user']}@" if match["user"] else ""
    port, path = "", ""
    if whole:
        if match["port"]:
            port, end = f":{match['port']}", match.end("port")
        found = PATH.match(text, match.end())
        path = trimmed(found[0], _before(text, start)) if found else ""
        end = match.end() + len(path) if path else end
    shown = f"[{host}]" if ":" in host else host
    return Url(start, end, f"{scheme.lower()}://{user}{shown}{port}{path}", host)


def tail_at(text: str, start: int, end: int, host: str) -> Url | None:
    """Return the URL that a host at `start` to `end` begins without a scheme; None where no path follows.

    Its value gets the scheme http, which is what a browser would try.
    """
    match = (ADDRESS_TAIL if host[-1].isdigit() else TAIL).match(text, end)
    if match is None or int(match["port"] or 0) > _HIGHEST_PORT:
        return None
    path = trimmed(match["path"], _before(text, start))
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


def _before(text: str, start: int) -> str:
    return text[max(0, start - _LONGEST_ENTITY) : start]


def trimmed(path: str, before: str) -> str:
    """Return a path without what belongs to the sentence: punctuation, and brackets that it did not open.

    `before` is what stands in front of the URL: behind an apostrophe, comma or semicolon it ends at the next one.
    """
    next_field = _NEXT_FIELD.search(path)
    if next_field:
        path = path[: next_field.start()]
    if before[-1:] in _SEPARATORS and not _ENTITY.search(before):
        path = path.partition(before[-1])[0]
    return path[: _first_unopened(path)].rstrip(_ENDS)


def _first_unopened(path: str) -> int:
    """Return where a bracket closes that none in the path opened, else the length of the path."""
    depth = dict.fromkeys(_BRACKETS.values(), 0)
    for match in _BRACKET.finditer(path):
        char = match[0]
        opens = _BRACKETS.get(char)
        if opens is None:
            depth[char] += 1
        elif depth[opens]:
            depth[opens] -= 1
        else:
            return match.start()
    return len(path)
