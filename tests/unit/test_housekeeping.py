"""Chores of the scheduler: what is forgotten in time, and which lists grow old."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from daemon import write_config
from structlog.testing import capture_logs

from abuse_triage import config
from abuse_triage.model.settings import Settings
from abuse_triage.service.housekeeping import Housekeeping
from abuse_triage.store import open_store
from abuse_triage.store.interface import Store

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NAMES = '{"publication": "%s", "services": [[["org"], ["https://rdap.example.org/"]]]}'


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation that looks things up."""
    return config.load(write_config(tmp_path, extra="\n[lookups]\nenabled = true\n"))


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """Its store, empty."""
    made = open_store(settings.store.path, number_format=config.number_format(settings))
    yield made
    made.close()


class Shelf:
    """Stands for a store that forgets, and notes what it is asked to forget."""

    def __init__(self) -> None:
        self.asked: list[datetime] = []

    def forget_answers(self, before: datetime) -> int:
        """Forget three."""
        self.asked.append(before)
        return 3


def events(settings: Settings, store: Store, *times: datetime) -> list[tuple[str, str]]:
    """Return what is logged at some times, with its level."""
    house = Housekeeping(settings, store)
    with capture_logs() as logs:
        for time in times:
            house.tick(time)
    return [(line["event"], line["log_level"]) for line in logs]


def test_answers_are_forgotten_once_an_hour(settings: Settings, monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    """What is older than the retention goes; the store is not asked all the time."""
    shelf = Shelf()
    monkeypatch.setattr(store, "forget_answers", shelf.forget_answers)
    times = [NOW + timedelta(minutes=minute) for minute in range(0, 121, 5)]
    house = Housekeeping(settings, store)
    with capture_logs() as logs:
        for time in times:
            house.tick(time)
    hours = [NOW, NOW + timedelta(hours=1), NOW + timedelta(hours=2)]
    assert [hour - timedelta(days=90) for hour in hours] == shelf.asked
    assert [3, 3, 3] == [line["count"] for line in logs if line["event"] == "answers-forgotten"]


def test_an_empty_store_has_nothing_to_forget(settings: Settings, store: Store) -> None:
    """Nothing is said where nothing was forgotten."""
    assert "answers-forgotten" not in dict(events(settings, store, NOW))


@pytest.mark.parametrize(
    ("days", "expected"),
    [(1, []), (28, []), (31, [("bootstrap-old", "warning")]), (91, [("bootstrap-old", "error")])],
)
def test_an_old_list_is_named_once_a_day(
    settings: Settings, store: Store, days: int, expected: list[tuple[str, str]]
) -> None:
    """After 30 days it is a warning, after 90 an error, each day again."""
    folder = settings.lookups.bootstrap
    folder.mkdir()
    (folder / "dns.json").write_text(NAMES % (NOW - timedelta(days=days)).isoformat())
    hours = [NOW + timedelta(hours=hour) for hour in (0, 1, 12, 23)]
    assert expected == events(settings, store, *hours)
    assert expected * 2 == events(settings, store, NOW, NOW + timedelta(hours=24.1))


def test_a_broken_list_is_named(settings: Settings, store: Store) -> None:
    """What cannot be used is an error; the table that comes with the program counts, and has its age."""
    folder = settings.lookups.bootstrap
    folder.mkdir()
    (folder / "dns.json").write_text("<html>")
    assert ("bootstrap-broken", "error") in events(settings, store, NOW)


def test_without_look_ups_no_list_matters(settings: Settings, store: Store) -> None:
    """Who asks nobody is not told to fetch lists, however old the table of the program is."""
    off = settings.model_copy(update={"lookups": settings.lookups.model_copy(update={"enabled": False})})
    assert [] == events(off, store, NOW + timedelta(days=1000))
    assert [("bootstrap-old", "error")] == events(settings, store, NOW + timedelta(days=1000))
