"""Options that several listing commands share."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])
_AGO = re.compile(r"(\d{1,5})([mhd])", re.ASCII)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}

Since = Callable[[str], datetime]
"""A moment that was typed, once the zone (an IANA name) is known in which its date is meant."""


def one_of(kind: type[StrEnum]) -> click.Choice[str]:
    """Accept the values of an enumeration."""
    return click.Choice([member.value for member in kind])


def listing(command: _Command) -> _Command:
    """Give a command --since, which it gets as a `Since` or None, and --limit."""
    command = click.option(
        "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most so many."
    )(command)
    return click.option(
        "--since",
        callback=since,
        metavar="TIME",
        help='Only newer than a time ago ("24h", "7d") or a date (2026-11-21).',
    )(command)


def since(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> Since | None:
    """Parse what was typed, as a callback of click's options."""
    if value is None:
        return None
    if match := _AGO.fullmatch(value):
        begin = datetime.now(UTC) - int(match[1]) * _UNITS[match[2]]
        return lambda _zone: begin
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f'{value!r} is neither like "24h" or "7d" nor like 2026-11-21') from None
    return lambda zone: datetime.combine(day, time(), ZoneInfo(zone))
