"""When the digest is due, and that each one is queued once."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from threading import Event

import pytest
from daemon import write_config
from structlog.testing import capture_logs

from abuse_triage import config
from abuse_triage.errors import TemporaryError
from abuse_triage.model.settings import DigestSettings, Settings
from abuse_triage.model.ticket import MailKind
from abuse_triage.service import scheduler
from abuse_triage.service.scheduler import LAST_DIGEST, latest_time, run_scheduler, tick
from abuse_triage.store import open_store
from abuse_triage.store.interface import Store

DIGEST = """
[digest]
recipients = ["ana@example.pt", "rui@example.pt"]
times = [08:00:00, 17:30:00]
"""
START = datetime(2026, 11, 21, 7, 59, 50, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation with two handlers and two digests a day, in UTC."""
    return config.load(write_config(tmp_path, extra=DIGEST))


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """Its store, empty."""
    made = open_store(settings.store.path, number_format=config.number_format(settings))
    yield made
    made.close()


def utc(text: str) -> datetime:
    """Read a time such as 2026-10-25 00:30 as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("times", "now", "expected"),
    [
        ("08:00", "2026-11-21 08:00", "2026-11-21 08:00"),
        ("08:00", "2026-11-21 07:59", "2026-11-20 08:00"),
        ("08:00 17:30", "2026-11-21 12:00", "2026-11-21 08:00"),
        ("17:30 08:00", "2026-11-21 23:59", "2026-11-21 17:30"),
        ("08:00", "2026-07-01 07:00", "2026-07-01 07:00"),  # 08:00 WEST
        ("00:15", "2026-06-30 23:14", "2026-06-29 23:15"),  # already the next day in Lisbon, a minute too early
        ("00:15", "2026-06-30 23:15", "2026-06-30 23:15"),
        # In 2026 the clocks go from 01:00 to 02:00 on 29 March and from 02:00 back to 01:00 on 25 October.
        ("01:30", "2026-03-29 01:00", "2026-03-28 01:30"),
        ("01:30", "2026-03-29 01:29", "2026-03-28 01:30"),
        ("01:30", "2026-03-29 01:30", "2026-03-29 01:30"),
        ("08:00", "2026-03-29 07:00", "2026-03-29 07:00"),
        ("01:30", "2026-10-25 00:29", "2026-10-24 00:30"),
        ("01:30", "2026-10-25 00:30", "2026-10-25 00:30"),
        ("01:30", "2026-10-25 01:10", "2026-10-25 00:30"),
        ("01:30", "2026-10-25 01:40", "2026-10-25 00:30"),
        ("01:30", "2026-10-26 01:30", "2026-10-26 01:30"),
    ],
)
def test_the_latest_time_is_right_in_lisbon_all_year(times: str, now: str, expected: str) -> None:
    """Times of day are the team's; the hour that comes twice counts once, the one that is left out comes later."""
    digest = DigestSettings(times=tuple(time.fromisoformat(one) for one in times.split()))
    assert utc(expected) == latest_time(digest, "Europe/Lisbon", utc(now))


@pytest.mark.parametrize(("day", "count"), [("2026-03-28", 3), ("2026-10-24", 3)])
def test_every_day_has_each_digest_once_when_the_clocks_change(day: str, count: int) -> None:
    """Minute by minute over three days, a time that lies in the changed hour comes up three times, never backwards."""
    digest = DigestSettings(times=(time(1, 30),))
    minutes = [utc(f"{day} 00:15") + timedelta(minutes=minute) for minute in range(3 * 1440)]
    found = [latest_time(digest, "Europe/Lisbon", now) for now in minutes]
    moments = [moment for moment in found if moment is not None and moment >= minutes[0]]
    assert sorted(moments) == moments
    assert count == len(set(moments))


def test_without_times_nothing_is_ever_due() -> None:
    """No times of day, no digest."""
    assert None is latest_time(DigestSettings(times=()), "UTC", START)


def test_the_first_start_sends_none_and_then_each_time_sends_one_to_each(settings: Settings, store: Store) -> None:
    """The times before the first start do not count; each later one gives one mail to each handler."""
    for seconds in (0, 5, 10, 15, 3600):
        tick(settings, store, START + timedelta(seconds=seconds))
        queued = [(mail.kind, mail.recipient) for mail in store.mails((), 10)]
        both = [(MailKind.DIGEST, "ana@example.pt"), (MailKind.DIGEST, "rui@example.pt")]
        assert ([] if seconds < 10 else both) == sorted(queued)
    tick(settings, store, START + timedelta(days=3))
    assert 4 == len(store.mails((), 10))
    assert (START + timedelta(days=3)).isoformat() == store.recall(LAST_DIGEST)


def test_a_crash_between_queueing_and_remembering_sends_nothing_twice(settings: Settings, store: Store) -> None:
    """The next start makes the same Message-IDs, which the store takes only once."""
    tick(settings, store, START)
    remembered = store.recall(LAST_DIGEST)
    tick(settings, store, START + timedelta(seconds=10))
    ids = {mail.message_id for mail in store.mails((), 10)}
    store.remember(LAST_DIGEST, remembered)
    tick(settings, store, START + timedelta(seconds=40))
    assert 2 == len(ids)
    assert ids == {mail.message_id for mail in store.mails((), 10)}


def test_a_time_in_the_hour_that_is_left_out_is_queued_and_told_once(tmp_path: Path) -> None:
    """In spring one digest is queued and logged for the time that does not exist, although it is asked all the time."""
    settings = config.load(write_config(tmp_path, extra=DIGEST.replace("08:00:00, 17:30:00", "01:30:00")))
    settings = settings.model_copy(update={"team": settings.team.model_copy(update={"timezone": "Europe/Lisbon"})})
    store = open_store(settings.store.path, number_format=config.number_format(settings))
    with capture_logs() as logs:
        for minute in range(180):
            tick(settings, store, utc("2026-03-29 00:30") + timedelta(minutes=minute))
    assert ["2026-03-29T01:30:00+00:00"] == [line["due"] for line in logs if line["event"] == "digest-queued"]
    store.close()


def test_without_recipients_nothing_is_remembered(settings: Settings, store: Store) -> None:
    """Who adds recipients later has a first start then."""
    nobody = settings.model_copy(update={"digest": DigestSettings()})
    tick(nobody, store, START)
    assert "" == store.recall(LAST_DIGEST)


def test_the_loop_asks_again_after_trouble_and_ends_when_asked(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that does not answer is asked again; `stop` ends the loop."""
    stop, calls = Event(), []

    def troubled(_settings: Settings, _store: Store, now: datetime) -> None:
        calls.append(now)
        if len(calls) == 1:
            raise TemporaryError("the store is busy")
        tick(settings, store, now)
        stop.set()

    monkeypatch.setattr(scheduler, "tick", troubled)
    monkeypatch.setattr(scheduler, "_TICK_SECONDS", 0.01)
    with capture_logs() as logs:
        run_scheduler(settings, store, stop)
    assert ["scheduler-waits"] == [line["event"] for line in logs]
    assert calls[1].isoformat() == store.recall(LAST_DIGEST)
