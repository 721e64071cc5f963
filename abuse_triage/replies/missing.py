"""What a report lacks before somebody can work on it, and what of that its sender is asked for."""

import re
from collections.abc import Iterable, Mapping

from abuse_triage.model.message import Place
from abuse_triage.model.report import Indicator, Kind, Reading

TIME, SOURCE, EVIDENCE = "time", "source", "evidence"
"""What may be lacking, in the order in which the acknowledgement asks."""
PAGE, LOGS, MESSAGE = "page", "logs", "message"
"""What is asked for besides time and source: the address of a page, lines of a log, an e-mail with its headers."""

_ANYTHING = {SOURCE: SOURCE}
"""Whatever it is, nobody can begin without knowing what it is about."""
_ATTACK = {TIME: TIME, SOURCE: SOURCE, EVIDENCE: LOGS}
_WHEN_AND_WHERE = {TIME: TIME, SOURCE: SOURCE}
_ON_A_PAGE = {SOURCE: PAGE}
_BY_MAIL = {EVIDENCE: MESSAGE}
_ASKED: Mapping[str, Mapping[str, str]] = {
    "malicious-code:infected-system": _WHEN_AND_WHERE,
    "malicious-code:c2-server": _WHEN_AND_WHERE,
    "availability": _WHEN_AND_WHERE,
    "availability:dos": _ATTACK,
    "availability:ddos": _ATTACK,
    "information-gathering": _ATTACK,
    "information-gathering:sniffing": _WHEN_AND_WHERE,
    "information-gathering:social-engineering": {},
    "intrusion-attempt": _ATTACK,
    "intrusion": _WHEN_AND_WHERE,
    "fraud": _ON_A_PAGE,
    "fraud:unauthorised-use-of-resources": _WHEN_AND_WHERE,
    "abusive-content": _ON_A_PAGE,
    "abusive-content:spam": _BY_MAIL,
}
"""What is asked for in place of what is lacking, by type or category (RNCSIRT 3.0, RSIT 1003)."""

# The patterns begin with what is rare in text and look back from there, so that most positions cost next to nothing.
_CLOCK = re.compile(r"[:h](?:(?<=(?<![\d.])\d.)|(?<=(?<![\d.])[01]\d.)|(?<=(?<![\d.])2[0-3].))[0-5]\d(?!\d)", re.ASCII)
"""A time of day such as 9:41, 10h07 or 10:07:31, but no port behind an IPv4 address."""
_ZONES: tuple[str, ...] = (
    "UTC",
    "GMT",
    "WET",
    "WEST",
    "CET",
    "CEST",
    "AZOT",
    "AZOST",
    "EET",
    "EEST",
    "BST",
    "MSK",
    "BRT",
)
_ZONES += ("EST", "EDT", "CST", "CDT", "MST", "MDT", "PST", "PDT")
_IN_ZONES = ("UTC", "GMT", "ET", "ST", "DT", "AZOT", "BRT", "MSK")
"""Each of them has one of these, which are looked for first."""
_ZONE = {zone: re.compile(rf"{zone}(?<![A-Za-z]{zone})(?![A-Za-z])") for zone in _ZONES}
_HOURS = r"(?:0\d|1[0-4]):?[0-5]\d(?!\d)"
_BEHIND_TIME = (
    r"(?:(?<=[:\d][0-5]\dZ)|(?<=[.,]\dZ)|(?<=[.,]\d{3}Z)|(?<=[.,]\d{6}Z)"
    r"|(?<=[0-5]\d[+-]\d{4})|(?<=[0-5]\d [+-]\d{4})|(?<=[0-5]\d[+-]\d\d:\d\d)|(?<=[0-5]\d [+-]\d\d:\d\d)"
    r"|(?<=[.,]\d{3}[+-]\d\d:\d\d)|(?<=[.,]\d{6}[+-]\d\d:\d\d))"
)
# Each begins with one sign that is rare in text, which the engine skips to; of two it would look at every character.
_OFFSETS = tuple(
    re.compile(start + _BEHIND_TIME, re.ASCII) for start in (r"Z(?![A-Za-z])", rf"\+{_HOURS}", rf"-{_HOURS}")
)
_WRITTEN_OUT = ("ora de Lisboa", "isbon time", "uso horário", "uso horario", "ime zone", "imezone")
"""Without their first letters, which may be capitals."""
_UNIX_TIME = re.compile(r"1(?<![\d.].)[4-9]\d{8}(?:\.\d{1,6})?(?![\d.])", re.ASCII)
"""Seconds since 1970 between 2014 and 2033, which need no zone."""
_LOG_TIME = re.compile(r":(?<=(?<!\d)[0-2]\d:)[0-5]\d:[0-5]\d(?!\d)", re.ASCII)
_HEADER_LINE = re.compile(r"^[> \t]{0,20}Received: ", re.MULTILINE)
_TIME_FIELDS = frozenset({"arrival-date", "received-date", "date", "timestamp", "attack-date"})


def missing(reading: Reading) -> tuple[str, ...]:
    """Name what a report lacks, in the order time, source, evidence; () where it lacks nothing or is unreadable.

    - "time": neither a field of the report's format tells a time, nor does the text have a number of seconds since
      1970, nor a time of day together with a time zone. The Date of the mail does not count: it says when it was
      written, not when something happened.
    - "source": no IP address and no URL anywhere but in the mail's own headers, and no domain or e-mail address except
      those of the sender.
    - "evidence": no attachment, no forwarded message, no format of its own, no time with seconds as in logs, no
      Received line; a URL outside the headers is evidence too, because a handler can look at it.
    """
    if not reading.readable:
        return ()
    pointed = [indicator for indicator in reading.indicators if _points(indicator, reading)]
    lacking = {
        TIME: not _tells_time(reading),
        SOURCE: not pointed,
        EVIDENCE: not (any(indicator.kind is Kind.URL for indicator in pointed) or _has_evidence(reading)),
    }
    return tuple(code for code, lacks in lacking.items() if lacks)


def asked(lacking: Iterable[str], category: str, type_id: str) -> tuple[str, ...]:
    """Name what to ask a reporter for: of what is `lacking`, that which makes sense for this kind of matter.

    A log is asked of whom somebody attacks, the mail itself of who got spam, the address of the page of who saw a
    fraud; nobody is asked for what there cannot be. Categories of another taxonomy are asked what they are about.

    Args:
        lacking: from `missing`, in its order.
        category: id of the category.
        type_id: id of its type, "" for none.
    """
    wanted = _ASKED.get(type_id, _ASKED.get(category, _ANYTHING))
    return tuple(wanted[code] for code in lacking if code in wanted)


def _tells_time(reading: Reading) -> bool:
    if any(name in _TIME_FIELDS and value for name, value in reading.report.fields):
        return True
    text = reading.report.text
    if _UNIX_TIME.search(text):
        return True
    return _CLOCK.search(text) is not None and _names_zone(text)


def _names_zone(text: str) -> bool:
    if any(offset.search(text) for offset in _OFFSETS) or _has(text, _WRITTEN_OUT):
        return True
    return _has(text, _IN_ZONES) and any(zone in text and alone.search(text) for zone, alone in _ZONE.items())


def _has(text: str, words: Iterable[str]) -> bool:
    for word in words:  # noqa: SIM110 -- a generator would take as long as the search itself
        if word in text:
            return True
    return False


def _points(indicator: Indicator, reading: Reading) -> bool:
    """Whether an indicator says what the report is about, rather than who sent it."""
    if all(place is Place.HEADER for place in indicator.places):
        return False
    if indicator.kind not in {Kind.DOMAIN, Kind.EMAIL}:
        return True
    own = reading.sender.domain
    name = indicator.host or indicator.value
    return not own or not (name == own or own.endswith(f".{indicator.registrable or name}"))


def _has_evidence(reading: Reading) -> bool:
    if reading.attachments or reading.report.format != "plain":
        return True
    if any(Place.FORWARDED in indicator.places for indicator in reading.indicators):
        return True
    text = reading.report.text
    return _LOG_TIME.search(text) is not None or ("Received: " in text and _HEADER_LINE.search(text) is not None)
