"""Ticket numbers."""

from datetime import UTC, datetime

from abuse_triage.tickets.number import format_number, year_of


def test_a_number_is_written_by_its_format() -> None:
    """Prefix, year and sequence stand where the format says."""
    assert "DNSPT-CSIRT#2026-000123" == format_number("{prefix}#{year}-{sequence:06}", "DNSPT-CSIRT", 2026, 123)
    assert "2027/1234567" == format_number("{year}/{sequence:06}", "X", 2027, 1234567)


def test_the_year_is_the_teams() -> None:
    """Around midnight of New Year the team's own zone decides."""
    almost = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    assert 2026 == year_of(almost, "Europe/Lisbon")
    assert 2027 == year_of(almost, "Europe/Madrid")
    assert 2026 == year_of(datetime(2027, 1, 1, 0, 30, tzinfo=UTC), "Atlantic/Azores")
