"""The scheduler: queues the digest at its times, and keeps house."""

from datetime import UTC, datetime, timedelta
from threading import Event
from zoneinfo import ZoneInfo

import structlog

from abuse_triage.errors import TemporaryError
from abuse_triage.model.settings import DigestSettings, Settings
from abuse_triage.service.housekeeping import Housekeeping
from abuse_triage.service.overview import PARKED_LISTED, digest_input, digest_mails, parked_since
from abuse_triage.store.interface import Store

log = structlog.get_logger()

LAST_DIGEST = "last digest"
"""Under this name the store remembers when the last digest was queued."""
_TICK_SECONDS = 5.0


def run_scheduler(settings: Settings, store: Store, stop: Event) -> None:
    """Queue a digest whenever one of its times has passed, and keep house, until `stop` is set."""
    housekeeping = Housekeeping(settings, store)
    while not stop.is_set():
        try:
            tick(settings, store, datetime.now(UTC))
            housekeeping.tick(datetime.now(UTC))
        except TemporaryError as error:
            log.error("scheduler-waits", error=str(error))  # noqa: TRY400 -- the store's trouble, no traceback of ours
        stop.wait(_TICK_SECONDS)


def tick(settings: Settings, store: Store, now: datetime) -> None:
    """Queue the digest that is due, once: its Message-ID is made from its time, and the store takes each only once."""
    if not settings.digest.recipients:
        return
    remembered = store.recall(LAST_DIGEST)
    if not remembered:  # the first start: the next time of day is the first digest
        store.remember(LAST_DIGEST, now.isoformat())
        return
    last = datetime.fromisoformat(remembered)
    due = latest_time(settings.digest, settings.team.timezone, now)
    if due is None or due <= last:
        return
    given = digest_input(settings, store, since=last, parked_since=parked_since(store), now=now)
    for mail in digest_mails(settings, given, due=due):
        store.queue(mail, now)
    store.remember(PARKED_LISTED, given.settled.isoformat())
    store.remember(LAST_DIGEST, now.isoformat())
    log.info("digest-queued", recipients=len(settings.digest.recipients), due=due.isoformat())


def latest_time(settings: DigestSettings, timezone: str, now: datetime) -> datetime | None:
    """Return the newest configured time of day, in the team's zone, that is not after `now`; None without times.

    A time that the clocks pass twice counts the first time; one that they leave out comes as much later as they jump.
    """
    zone = ZoneInfo(timezone)
    today = now.astimezone(zone).date()
    moments = [  # in UTC, because Python compares times of one zone by their wall clocks
        datetime.combine(today - timedelta(days=days), moment, tzinfo=zone).astimezone(UTC)
        for days in (0, 1)
        for moment in settings.times
    ]
    return max((moment for moment in moments if moment <= now), default=None)
