"""How servers are treated: not too often, not while they fail, and no more about persons than they allow.

What is spent and what failed stands in the store, so that all processes and hosts are polite together.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from abuse_triage.enrichment.questions import RIPE
from abuse_triage.model.budget import Bucket
from abuse_triage.model.lookup_settings import LookupSettings
from abuse_triage.model.lookups import Answer, LookupKind, Result
from abuse_triage.store.lookups import LookupServers

log = structlog.get_logger()

FAILURES = 5
"""So many failures in a row, and the server is left alone for a while."""
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)
"""The pause doubles from one to the other with every further failure; no longer one is believed of Retry-After."""
_JITTER = 0.2
_LEAST_PAUSE = timedelta(seconds=1)
_LONGEST_QUEUE = timedelta(hours=1)
_MOST_SERVERS = 1000
_OF_RESOLVERS = frozenset([LookupKind.DELEGATION, LookupKind.HOSTS, LookupKind.POINTER])
"""Whose name has servers that are silent is told by them, not by our resolver, which knows itself whether it works."""


class Servers(LookupServers, Protocol):
    """What is needed of a store."""

    def used(self, buckets: Sequence[Bucket], now: datetime) -> list[float]:
        """Return how much of each budget is used up, from 0 to 1."""


class Politeness:
    """Decides when a server may be asked; used by one thread."""

    def __init__(self, settings: LookupSettings, store: Servers, chance: Callable[[], float]) -> None:
        """Take the rates, and random numbers from 0 to 1 for the jitter of pauses."""
        self._settings = settings
        self._store = store
        self._chance = chance
        self._probe = settings.timeout * 2
        self._personal = Bucket(
            name=f"lookup-personal:{RIPE}", count=settings.ripe_personal.count, span=settings.ripe_personal.span
        )
        self._turns: dict[str, datetime] = {}
        self._shut: dict[tuple[str, str], datetime] = {}
        self._alone: set[str] = set()
        self._failures: dict[str, int] = {}

    def admit(self, server: str, registry: str, now: datetime) -> datetime | None:
        """Take what one question to a server costs, and return None; else the time at which to try again.

        `registry` is that of the question where it may bring data about persons, "" otherwise. Those who are told to
        come back get different times, one share of the budget apart, so that they do not all come at once. Until then
        nobody asks the store about such a question again.
        """
        shut = self._shut.get((server, registry), now)
        until = shut if shut > now else self._until(server, registry, now)
        if until is None:
            return None
        if len(self._shut) > _MOST_SERVERS:
            self._shut.clear()
        self._shut[server, registry] = until
        return self._turn(server, until)

    def busy(self, server: str, now: datetime) -> datetime:
        """Return when to try again where a server has enough questions under way."""
        return self._turn(server, now + max(self._share(server), _LEAST_PAUSE))

    def _turn(self, server: str, earliest: datetime) -> datetime:
        """Return a time of its own for whoever waits for a server, not before `earliest`."""
        last = self._turns.get(server, earliest - self._share(server))
        if len(self._turns) > _MOST_SERVERS:
            self._turns.clear()
        self._turns[server] = min(max(earliest, last + self._share(server)), earliest + _LONGEST_QUEUE)
        return self._turns[server]

    def settle(self, answer: Answer, server: str, now: datetime) -> int:
        """Take note of how a server answered; returns its failures in a row."""
        if answer.registry == RIPE and (persons := sum(contact.personal for contact in answer.contacts)):
            self._store.spend(self._personal, persons, now)
        if answer.kind in _OF_RESOLVERS:
            return 1 if answer.result is Result.FAILED else 0
        if answer.result is not Result.FAILED or answer.refers_to:
            self._store.server_answered(server)
            self._failures.pop(server, None)
            if server in self._alone:
                self._alone.discard(server)
                log.info("server-back", server=server)
            return 0
        failures = 1 + self._failed_before(server)
        pause = pause_after(failures, answer.retry_after, self._chance())
        if pause is not None:
            self._alone.add(server)
            log.warning(
                "server-left-alone",
                server=server,
                failures=failures,
                reason=answer.reason,
                pause=round(pause.total_seconds()),
            )
        if len(self._failures) > _MOST_SERVERS:
            self._failures.clear()
        until = None if pause is None else now + pause
        self._failures[server] = self._store.server_failed(server, answer.reason, until)
        return self._failures[server]

    def _failed_before(self, server: str) -> int:
        """Return failures in a row as far as they are known: the store lists the worst servers only."""
        listed = next((one.failures for one in self._store.servers() if one.name == server), 0)
        return max(listed, self._failures.get(server, 0))

    def _until(self, server: str, registry: str, now: datetime) -> datetime | None:
        share = 1 / self._personal.count
        if registry == RIPE and self._store.used([self._personal], now)[0] > 1 - share:
            return now + self._personal.span * share
        return self._store.admit(server, [self._bucket(server)], self._probe, now)

    def _share(self, server: str) -> timedelta:
        bucket = self._bucket(server)
        return bucket.span / bucket.count

    def _bucket(self, server: str) -> Bucket:
        rate = self._settings.rates.get(server, self._settings.rate)
        return Bucket(name=f"lookup:{server}", count=rate.count, span=rate.span)


def pause_after(failures: int, retry_after: timedelta | None, chance: float) -> timedelta | None:
    """Return how long to leave a server alone that failed so often in a row, None for not at all.

    What it asks for itself counts, up to an hour; else the pause grows from the fifth failure on. `chance` from 0 to 1
    shifts a pause of our own by up to a fifth, so that not everybody comes back at the same moment.
    """
    if retry_after is not None and retry_after > timedelta(0):
        return min(retry_after, LONGEST_PAUSE)
    if failures < FAILURES:
        return None
    pause: timedelta = min(FIRST_PAUSE * (1 << min(failures - FAILURES, 10)), LONGEST_PAUSE)
    return pause * (1 + _JITTER * (2 * chance - 1))
