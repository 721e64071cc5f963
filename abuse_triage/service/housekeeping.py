"""What has to be done now and then: answers are forgotten in time, and lists that grow old are named."""

from datetime import datetime, timedelta

import structlog

from abuse_triage.lookups import bootstrap
from abuse_triage.lookups.bootstrap import Staleness
from abuse_triage.model.settings import Settings
from abuse_triage.store.lookups import Lookups

log = structlog.get_logger()

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_REFRESH = "Run abuse-triage lookups refresh where there is a network."


class Housekeeping:
    """Does each chore at the start, and again when its time has passed; used by one thread."""

    def __init__(self, settings: Settings, store: Lookups) -> None:
        """Begin with everything due."""
        self._lookups = settings.lookups
        self._store = store
        self._next: dict[str, datetime] = {}

    def tick(self, now: datetime) -> None:
        """Do what is due; raises `TemporaryError`, and what failed is due again."""
        if self._due("answers", now):
            if forgotten := self._store.forget_answers(now - self._lookups.retention):
                log.info("answers-forgotten", count=forgotten)
            self._next["answers"] = now + _HOUR
        if self._lookups.enabled and self._due("bootstrap", now):
            self._look_at_lists(now)
            self._next["bootstrap"] = now + _DAY

    def _due(self, chore: str, now: datetime) -> bool:
        return now >= self._next.get(chore, now)

    def _look_at_lists(self, now: datetime) -> None:
        found = bootstrap.load(self._lookups.bootstrap)
        for problem in found.problems:
            log.error("bootstrap-broken", problem=problem, advice=_REFRESH)
        for services in found.lists:
            age = bootstrap.staleness(services.published, now)
            level = log.error if age is Staleness.ALARM else log.warning
            if age is not Staleness.FRESH:
                level(
                    "bootstrap-old",
                    name=services.name,
                    published=services.published.date().isoformat(),
                    advice=_REFRESH,
                )
