"""The year of a ticket's number."""

from datetime import UTC, datetime

from abuse_triage.tickets.number import year_of


def test_the_year_is_the_teams() -> None:
    """Around midnight of New Year the team's own zone decides."""
    almost = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    assert 2026 == year_of(almost, "Europe/Lisbon")
    assert 2027 == year_of(almost, "Europe/Madrid")
    assert 2026 == year_of(datetime(2027, 1, 1, 0, 30, tzinfo=UTC), "Atlantic/Azores")
