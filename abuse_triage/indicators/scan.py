"""Where in a refanged text which indicator stands, judged by what is around it."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from abuse_triage.indicators.addresses import Found, ipv4_in, ipv6_in
from abuse_triage.indicators.grammar import IPV4, LOCAL_REVERSED, RUN
from abuse_triage.indicators.names import FILE_SUFFIXES, canonical, known_tld, registrable
from abuse_triage.indicators.refang import Refanged
from abuse_triage.indicators.urls import Url, tail_at, url_at
from abuse_triage.model.report import Kind

_LABELLED = re.compile(
    r"(?:dom[aií]ni[ao]s?|domains?|host(?:name)?s?|sites?|fqdn|r?dns|ptr|urls?)[\"']?[ \t]{0,2}[:=][ \t]{0,2}[\"'<]?$",
    re.IGNORECASE,
)
_LABEL_REACH = 24  # more than it can match
_ID_FIELDS = tuple(
    f"{field}:"
    for field in (
        "message-id",
        "in-reply-to",
        "references",
        "content-id",
        "report-id",
        "x-message-id",
        "original-message-id",
    )
)
_ID_KEYS = ("message-id=<", "message-id: <", "message-id of ", "msgid=<", "cid:")
_KEY = re.compile(r"[A-Za-z][A-Za-z_.-]{0,31}=")
_NO_BEGINNING = ".=~'&-\u200c\u200d"  # of a local part
_LONGEST_LOCAL = 64  # RFC 5321 section 4.5.3.1.1
_LINE = 998  # RFC 5322 section 2.1.1: nothing looks further back for the beginning of its line
_HEX_PAIR = re.compile(r"[0-9A-Fa-f]{2}")


class Hit(NamedTuple):
    """An indicator at `start` to `end` of the refanged text."""

    start: int
    end: int
    kind: Kind
    value: str
    host: str = ""
    registrable: str = ""


def scan(refanged: Refanged) -> list[Hit]:
    """Return the indicators of a text in order, none overlapping another; of two that do, the one that begins first.

    - A URL takes its host with it, an e-mail address its domain: there they are no indicators of their own.
    - A bare name needs a known top-level domain, and more than itself where it may be a file or the end of a sentence.
    - "www.example.pt/path" is a URL without scheme; ports behind hosts and masks behind addresses are dropped.
    - Times, hardware addresses, fingerprints, version numbers, netmasks and Message-IDs are none.
    """
    addresses = map(_address, ipv6_in(refanged.text))
    hits = sorted([*_runs(refanged), *addresses], key=lambda hit: (hit.start, -hit.end))
    clear: list[Hit] = []
    for hit in hits:
        if not clear or hit.start >= clear[-1].end:
            clear.append(hit)
    return clear


def _runs(refanged: Refanged) -> Iterator[Hit]:
    text = refanged.text
    match = RUN.search(text)
    while match:
        start, position = match.span()
        if text.startswith("://", position):
            url = url_at(text, start, position)
            hits = [_url(url)] if url else []
            position += len("://")
        elif text[position - 1].isdigit() and IPV4.match(text, start):
            hits = [_url_or_address(text, found) for found in ipv4_in(text, start, position)]
        else:
            hits = [hit for hit in [_name(refanged, start, position)] if hit]
        yield from hits
        match = RUN.search(text, max(position, hits[-1].end) if hits else position)


def _url(url: Url) -> Hit:
    is_name = ":" not in url.host and not url.host[-1].isdigit()
    return Hit(url.start, url.end, Kind.URL, url.value, url.host, registrable(url.host) if is_name else "")


def _address(found: Found) -> Hit:
    return Hit(found.start, found.end, Kind.IPV6 if ":" in found.value else Kind.IPV4, found.value)


def _url_or_address(text: str, found: Found) -> Hit:
    url = tail_at(text, found.start, found.end, found.value)
    return _url(url) if url else _address(found)


def _name(refanged: Refanged, start: int, end: int) -> Hit | None:
    """Judge a run of labels: e-mail address, URL without scheme, domain, or nothing."""
    text = refanged.text
    if text[start - 1 : start] == "%" and _HEX_PAIR.match(text, start):
        start += 2  # "%2Fexample.pt", cut out of a URL
    if text[end - 1] == "_":  # "_example.pt_" in italics; alone at the beginning it is a service's (RFC 8552)
        start += text[start] == "_"
    raw = text[start:end].rstrip("_-")
    end = start + len(raw)
    name = _known_name(raw)
    if not name or text[end : end + 1] == "@":  # an address is found at its "@", with all of its local part
        return None
    local = _local(text, start) if text[start - 1 : start] == "@" else ""
    if not local:
        return _site(refanged, start, raw, name)
    begin = start - 1 - len(local)
    if _is_message_id(text, begin):
        return None
    return Hit(begin, end, Kind.EMAIL, f"{local.lower()}@{name}", name, registrable(name))


def _known_name(raw: str) -> str:
    """Return the canonical form of a name below a known top-level domain, "" for any other text."""
    suffix = raw[raw.rfind(".") + 1 :]
    if suffix.isascii() and not known_tld(suffix.lower()):  # most runs end here, at the cost of one look-up
        return ""
    name = canonical(raw)
    return name if name and known_tld(name[name.rfind(".") + 1 :]) else ""


def _site(refanged: Refanged, start: int, raw: str, name: str) -> Hit | None:
    """Return the URL that begins with a name, else the name as a domain where it counts as one."""
    text, end = refanged.text, start + len(raw)
    before = text[max(0, start - 2) : start]
    if before.endswith("\\") and before != "\\\\":
        return None  # "\nexample.pt" of some programming language, or a Windows path
    in_path = before.endswith("/") and before != "//"
    url = None if in_path else tail_at(text, start, end, name)
    if url:
        return _url(url)
    return Hit(start, end, Kind.DOMAIN, name, "", registrable(name)) if _counts(refanged, start, raw, name) else None


def _counts(refanged: Refanged, start: int, raw: str, name: str) -> bool:
    """Tell whether a bare name is meant as one; the rest of a file name or of two sentences is not."""
    first, _, suffix = raw.rpartition(".")
    file_like = suffix.lower() in FILE_SUFFIXES and registrable(name).count(".") < 2  # no file ends in ".com.pl"
    glued = suffix.istitle() and ("." not in first or first[-2:-1] == ".")  # "obrigado.Com os melhores", "P.O.Box"
    if not (file_like or glued) or name.startswith("www.") or refanged.changed(start, start + len(raw)):
        return True
    before = refanged.text[max(0, start - _LABEL_REACH) : start]
    return before.endswith("@") or bool(_LABELLED.search(before))


def _local(text: str, at: int) -> str:
    """Return the local part in front of the "@" that stands before `at`, "" where there is none."""
    match = LOCAL_REVERSED.match(text[max(0, at - _LONGEST_LOCAL - 2) : at - 1][::-1])
    if match is None or len(match[0]) > _LONGEST_LOCAL or match[0][0] == ".":
        return ""
    local = match[0][::-1].lstrip(_NO_BEGINNING)
    key = _KEY.match(local)
    if key and not known_tld(local.rpartition(".")[2].lower()):
        return local[key.end() :].lstrip(_NO_BEGINNING)  # "from=ana@example.pt", but not "bounce=example.org@"
    return local


def _is_message_id(text: str, start: int) -> bool:
    earliest = max(0, start - _LINE)
    line = max(text.rfind("\n", earliest, start) + 1, earliest)
    field = text[line : line + 40].lstrip("> \t*").lower()
    return field.startswith(_ID_FIELDS) or text[max(0, start - 16) : start].lower().endswith(_ID_KEYS)
