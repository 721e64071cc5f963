"""The kinds of values that configuration keys have, each with a message for operators where one is written wrongly."""

import re
from dataclasses import dataclass
from datetime import time, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from string import Formatter
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, ValidationInfo

_DURATION = re.compile(r"(\d{1,9})(ms|s|m|h|d)")
_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
LONGEST = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in so much time."""

    count: int
    span: timedelta


_RATE = re.compile(r"(\d{1,9})/(\d{1,9})(ms|s|m|h|d)")
_SOCKET_BYTES = 107
"""Longest path of a unix socket (unix(7): 108 with the NUL behind it)."""
_SIZE = re.compile(r"(\d{1,12}) ?(B|kB|MB|GB)")
_FACTORS = {"B": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3}
_HOST = r"(?!-)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,126}"
_MAILBOX = r"[A-Za-z0-9._+=/-]{1,64}@[A-Za-z0-9.-]{1,253}"
_LITERAL = re.compile(r"[A-Za-z0-9#._/:+-]{0,60}")
_NUMBER_FIELDS = {"prefix": re.compile(""), "year": re.compile(""), "sequence": re.compile(r"(?:0?[1-9]d?)?")}


def _duration(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('write a duration as a string like "90s", "15m", "24h" or "7d"')
    return int(match[1]) * _UNITS[match[2]]


def _duration_limits(value: timedelta) -> timedelta:
    if not timedelta(0) < value <= LONGEST:
        raise ValueError(f"should be more than nothing and at most {LONGEST.days}d")
    return value


def _show_duration(value: timedelta) -> str:
    for unit in ("d", "h", "m", "s"):
        if not value % _UNITS[unit]:
            return f"{value // _UNITS[unit]}{unit}"
    return f"{value // _UNITS['ms']}ms"


def _size(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('write a size as a string like "36 MB", "256 kB" or "1 GB" (powers of 1000)')
    return int(match[1]) * _FACTORS[match[2]]


def _show_size(value: int) -> str:
    for unit in ("GB", "MB", "kB"):
        if not value % _FACTORS[unit]:
            return f"{value // _FACTORS[unit]} {unit}"
    return f"{value} B"


def _time_of_day(value: object, info: ValidationInfo) -> object:
    # JSON has no times, and is only what our own processes tell each other.
    if not isinstance(value, time) and info.mode != "json":
        raise ValueError("write a time of day as 08:00:00, without quotation marks")
    return value


def _ip_network(value: object) -> object:
    return ip_network(value) if isinstance(value, str) else value


def _ip_address(value: object) -> object:
    return ip_address(value) if isinstance(value, str) else value


def written(pattern: str, expected: str) -> AfterValidator:
    """Accept a string of which the pattern matches all; otherwise say what was expected."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if compiled.fullmatch(value) is None:
            raise ValueError(f"should be {expected}")
        return value

    return AfterValidator(check)


def _path(value: Path, info: ValidationInfo) -> Path:
    if re.search(r"[\x00-\x1f\x7f]", str(value)):
        raise ValueError("has a control character")
    return info.context / value if isinstance(info.context, Path) else value


def host_port(text: str) -> tuple[str, int]:
    """Split "127.0.0.1:25", "[::1]:25" or "mail.example.pt:25"; raises ValueError that says how to write it."""
    host, colon, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    bracketed = host == f"[{bare}]"
    if not colon or not bare or bracketed != (":" in bare) or not re.fullmatch(r"\d{1,5}", port, re.ASCII):
        raise ValueError('write host and port as "127.0.0.1:25", "[::1]:25" or "mail.example.pt:25"')
    if bracketed:
        ip_address(bare)
    elif not re.fullmatch(_HOST, bare):
        raise ValueError(f"{bare!r} is not a host name")
    if int(port) > 65535:
        raise ValueError("a port is at most 65535")
    return bare, int(port)


def _listen(value: str) -> str:
    host, _ = host_port(value)
    try:
        ip_address(host)
    except ValueError:
        raise ValueError('write an IP address and a port, as "127.0.0.1:8025" or "[::1]:8025"') from None
    return value


def _listen_or_socket(value: str) -> str:
    if value.startswith("/"):
        if re.search(r"[\x00-\x1f\x7f]", value) or len(value.encode()) > _SOCKET_BYTES:
            raise ValueError(f"the path of a socket has at most {_SOCKET_BYTES} bytes and no control character")
        return value
    try:
        return _listen(value)
    except ValueError:
        raise ValueError('write "127.0.0.1:8024", "[::1]:8024", or the absolute path of a socket') from None


def _rate(value: object) -> object:
    if isinstance(value, Rate):
        return value
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('write how many in how long as a string like "10/1h" or "3/1d"')
    return Rate(int(match[1]), _duration_limits(int(match[2]) * _UNITS[match[3]]))


def _is_rate(value: Rate) -> Rate:
    if value.count < 1:
        raise ValueError("should allow at least one")
    return value


def _or_none(value: object) -> object:
    return None if value == "" else value


def _smarthost(value: str) -> str:
    if value and not host_port(value)[1]:
        raise ValueError("a port is at least 1")
    return value


def _base_url(value: str) -> str:
    if value and not re.fullmatch(
        rf"https?://(?:{_HOST}|\[[0-9a-f:.]+\])(?::\d{{1,5}})?(?:/[A-Za-z0-9._~/-]{{0,200}})?", value
    ):
        raise ValueError('write an address like "https://rdap.example.org/", without query, or ""')
    return value.rstrip("/")


def _timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError('is not a time zone; names look like "Europe/Lisbon" or "UTC"') from None
    return value


def _number(value: str) -> str:
    try:
        fields = list(Formatter().parse(value))
    except ValueError as error:
        raise ValueError(f"is not a format: {error}") from None
    names = [name for _, name, _, _ in fields if name is not None]
    for literal, name, spec, conversion in fields:
        if not _LITERAL.fullmatch(literal):
            raise ValueError("has a character other than letters, digits and #._/:+- outside the braces")
        if name is not None and (
            name not in _NUMBER_FIELDS or conversion or not _NUMBER_FIELDS[name].fullmatch(spec or "")
        ):
            raise ValueError("between braces, use prefix, year and sequence only, sequence with a width like :06")
    if names.count("year") != 1 or names.count("sequence") != 1:
        raise ValueError("should have {year} and {sequence} once each")
    return value


Duration = Annotated[
    timedelta, BeforeValidator(_duration), AfterValidator(_duration_limits), PlainSerializer(_show_duration)
]
Size = Annotated[int, BeforeValidator(_size), PlainSerializer(_show_size), Field(gt=0)]
Count = Annotated[int, Field(gt=0, strict=True)]
Flag = Annotated[bool, Field(strict=True)]
TimeOfDay = Annotated[time, BeforeValidator(_time_of_day)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_ip_network)]
IPAddress = Annotated[IPv4Address | IPv6Address, BeforeValidator(_ip_address)]
FilePath = Annotated[Path, AfterValidator(_path)]
MailAddress = Annotated[str, written(_MAILBOX, "an e-mail address like abuse@example.pt")]
MailAddressOrNone = Annotated[str, written(f"(?:{_MAILBOX})?", 'an e-mail address like abuse@example.pt, or ""')]
PrintableLine = Annotated[str, written(r"[^\x00-\x1f\x7f-\x9f]{0,200}", "one line of at most 200 characters")]
AuthservId = Annotated[
    str,
    written(
        r"[^\x00-\x20\x7f-\x9f()<>@,;:\\\"/\[\]?=]{0,200}",
        'the one word with which your MTA begins Authentication-Results, such as mx.example.pt, or ""',
    ),
]
"""RFC 8601 section 2.2: a token of RFC 2045 section 5.1, with letters of all languages."""
ListId = Annotated[
    str,
    written(
        r"<?[!-;=?A-~]{1,200}>?",
        'the id between "<" and ">" in List-Id, such as abuse.lists.example.pt: without "@" and blanks',
    ),
]
"""RFC 2919 section 2."""
HostName = Annotated[str, Field(max_length=253), written(_HOST, "a host name like mail.example.pt")]
ZoneName = Annotated[
    str,
    Field(max_length=253),
    written(r"[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,126}", "a name like com.pt: small letters, no dot in front"),
]
ListenAddress = Annotated[str, AfterValidator(_listen)]
ListenAddressOrSocket = Annotated[str, AfterValidator(_listen_or_socket)]
AllowedRate = Annotated[
    Rate,
    BeforeValidator(_rate),
    AfterValidator(_is_rate),
    PlainSerializer(lambda rate: f"{rate.count}/{_show_duration(rate.span)}"),
]
OptionalPath = Annotated[
    Annotated[Path, AfterValidator(_path)] | None,
    BeforeValidator(_or_none),
    PlainSerializer(lambda path: "" if path is None else str(path)),
]
Permissions = Annotated[str, written(r"[0-7]{3}", "three octal digits like 660")]
Smarthost = Annotated[str, AfterValidator(_smarthost)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
TimeZone = Annotated[str, AfterValidator(_timezone)]
NumberFormat = Annotated[str, AfterValidator(_number)]
