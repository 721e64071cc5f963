"""Ticket numbers: how they are written, and which year they belong to."""

from datetime import datetime
from zoneinfo import ZoneInfo


def format_number(fmt: str, prefix: str, year: int, sequence: int) -> str:
    """Write a ticket number, such as "DNSPT-CSIRT#2026-000123".

    Args:
        fmt: `settings.tickets.number`, whose fields the settings have checked.
        prefix: `settings.team.ticket_prefix`.
        year: four digits, from `year_of`.
        sequence: counts from 1 in each year.
    """
    return fmt.format(prefix=prefix, year=year, sequence=sequence)


def year_of(at: datetime, timezone: str) -> int:
    """Return the year that an aware moment falls into in the team's zone (an IANA name)."""
    return at.astimezone(ZoneInfo(timezone)).year
