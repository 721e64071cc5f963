"""Which year the number of a ticket belongs to."""

from datetime import datetime
from zoneinfo import ZoneInfo


def year_of(at: datetime, timezone: str) -> int:
    """Return the year that an aware moment falls into in the team's zone (an IANA name)."""
    return at.astimezone(ZoneInfo(timezone)).year
