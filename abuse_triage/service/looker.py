"""The looker: asks registries and name servers what tickets want to know, as politely as they expect it.

Nothing waits for it. A server that is slow, refuses or is dead delays what is asked of that server, and nothing else.
"""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from abuse_triage import config
from abuse_triage.enrichment.late import LATE_FACTS
from abuse_triage.enrichment.questions import lacks_contact
from abuse_triage.errors import TemporaryError
from abuse_triage.lookups.client import Client
from abuse_triage.model.decision import Tlp
from abuse_triage.model.lookup_settings import LookupSettings
from abuse_triage.model.lookups import Answer, Level, LookupKind, Permission, Result
from abuse_triage.model.settings import Settings
from abuse_triage.rules.load import load
from abuse_triage.service.asking import Asked, Asking
from abuse_triage.service.lifeline import Stop
from abuse_triage.service.lifetimes import lifetime
from abuse_triage.service.politeness import Politeness, Servers
from abuse_triage.store.lookups import LookupQueue, Task

log = structlog.get_logger()

RETRIES = (timedelta(seconds=15), timedelta(minutes=1), timedelta(minutes=5))
"""Pauses before a question that failed for a reason that passes is asked again; then the failure is the answer."""
_MOST_TRIES = len(RETRIES) + 3
"""A question that was handed out more often stopped whoever had it: it is asked no more."""
_MOST_PUT_OFF = 50
"""Questions that one step puts off: those for a server that is left alone do not hold up the others behind them."""
_MOST_CLAIMED = 25
"""Questions that are claimed at once to be put off."""
_IDLE_SECONDS = 1.0
_BUSY_SECONDS = 0.2
_LAST_SECONDS = 1.0
_MOST_REFERRED = 1000


class Supply(LookupQueue, Servers, Protocol):
    """What is needed of a store."""


class Directory(Protocol):
    """Who can be asked what."""

    def client(self, kind: LookupKind, subject: str) -> Client | None:
        """Return who asks such a question, None where nobody can be asked."""

    def why_not(self, kind: LookupKind, subject: str) -> str:
        """Say why nobody can be asked."""

    def registry_of(self, address: str) -> str:
        """Return the regional Internet registry that an address belongs to, "" where none is known."""

    def at_registry(self, registry: str) -> Client | None:
        """Return who asks a certain registry about addresses, None for what is no registry."""


def run_looker(
    settings: Settings,
    store: Supply,
    stop: Stop,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    chance: Callable[[], float] = random.random,
) -> None:
    """Ask what waits until `stop` is set; what is under way then is waiting again once its lease runs out.

    Raises `ConfigError` where rules or files are wrong.

    Args:
        settings: the whole configuration.
        store: look-ups and budgets of the store.
        stop: asks to stop; it takes a second at most.
        now: the clock.
        chance: random numbers from 0 to 1 for the jitter of pauses and lifetimes.
    """
    from abuse_triage.service.clients import Clients  # noqa: PLC0415 -- only who asks pays for what asking needs

    again = load(*config.rule_files(settings)).looks_at(LATE_FACTS)
    looker = Looker(settings.lookups, store, Clients(settings), again=again, now=now, chance=chance)
    while not stop.is_set():
        try:
            if not looker.work():
                stop.wait(_IDLE_SECONDS)
        except TemporaryError as error:
            log.error("looker-waits", error=str(error))  # noqa: TRY400 -- the store's trouble, no traceback of ours
            stop.wait(_IDLE_SECONDS)
    looker.finish()


class Looker:
    """Takes questions from the store, asks them, and keeps the answers; used by one thread."""

    def __init__(
        self,
        settings: LookupSettings,
        store: Supply,
        directory: Directory,
        *,
        again: bool,
        now: Callable[[], datetime],
        chance: Callable[[], float],
    ) -> None:
        """Begin with nothing under way; `again` says that rules look at answers."""
        self._policy = settings.policy
        self._store = store
        self._directory = directory
        self._again = again
        self._now = now
        self._chance = chance
        self._lease = settings.timeout * 2 + timedelta(seconds=10)
        self._asking = Asking(settings.workers, settings.timeout.total_seconds())
        self._politeness = Politeness(settings, store, chance)
        self._referred: dict[str, str] = {}

    def work(self) -> bool:
        """Take the answers that have come and ask what waits; False where there is nothing of either.

        Waits a moment for answers where some are under way.
        """
        for asked, answer in self._asking.finished(_BUSY_SECONDS):
            self._take(asked, answer)
        now = self._now()
        begun, most = 0, self._asking.free
        while self._asking.free and begun < _MOST_PUT_OFF:
            tasks = self._store.claim_lookups(most, self._lease, now, again=self._again)
            if not tasks:
                break
            later = [(task, until, why) for task in tasks for until, why in self._begin(task, now)]
            if later:
                self._store.put_off_lookups(later, tried=False)
            begun += len(tasks)
            # A queue for servers that cannot take more is passed in long steps.
            most = min(4 * most, _MOST_CLAIMED) if len(later) == len(tasks) else self._asking.free
        return not self._asking.idle

    def finish(self) -> None:
        """Keep the answers that come within a second; the others are asked for again, by whoever is next."""
        try:
            for asked, answer in self._asking.finished(_LAST_SECONDS):
                self._take(asked, answer)
        except TemporaryError as error:
            log.error("looker-waits", error=str(error))  # noqa: TRY400 -- the store's trouble, no traceback of ours

    def _begin(self, task: Task, now: datetime) -> Iterator[tuple[datetime, str]]:
        """Ask, or answer what nobody can be asked; yields until when to wait, and why, where it cannot be asked now."""
        if task.tries > _MOST_TRIES:
            self._fail(task, "whoever asked it stopped, again and again")
            return
        client, registry = self._client(task)
        server = client.server(task.subject) if client else ""
        if client is None or not server:
            self._fail(task, self._directory.why_not(task.kind, task.subject))
            return
        if self._asking.busy(server) or not self._asking.free:
            until: datetime | None = self._politeness.busy(server, now)
        else:
            until = self._politeness.admit(server, registry, now)
        if until is None:
            self._asking.start(task, client, server)
        else:
            yield until, f"waits for {server}"

    def _fail(self, task: Task, reason: str) -> None:
        """Answer a question that nobody is asked."""
        answer = Answer(kind=task.kind, subject=task.subject, server="", result=Result.FAILED, reason=reason)
        self._keep(task, answer, failures=0)

    def _client(self, task: Task) -> tuple[Client | None, str]:
        """Return who asks, and the registry that is asked about an address."""
        if task.kind is not LookupKind.NETWORK:
            return self._directory.client(task.kind, task.subject), ""
        if registry := self._referred.get(task.subject, ""):
            return self._directory.at_registry(registry), registry
        return self._directory.client(task.kind, task.subject), self._directory.registry_of(task.subject)

    def _take(self, asked: Asked, answer: Answer) -> None:
        """Keep an answer, or ask once more: later, or elsewhere."""
        now, task = self._now(), asked.task
        log.debug(
            "lookup-answered",
            kind=task.kind,
            subject=task.subject,
            server=asked.server,
            result=answer.result,
            reason=answer.reason,
        )
        failures = self._politeness.settle(answer, asked.server, now)
        if self._refers(task, answer):
            self._store.put_off_lookups([(task, now, f"referred to {answer.refers_to}")], tried=False)
            return
        if answer.result is Result.FAILED and answer.temporary and task.tries < len(RETRIES):
            pause = max(RETRIES[task.tries] * (1 + self._chance() / 2), answer.retry_after or timedelta(0))
            self._store.put_off_lookups([(task, now + pause, answer.reason)], tried=True)
            return
        if self._lacks_contact(task, answer):
            self._store.want(task, LookupKind.ABUSE_CONTACT, now)
        self._keep(task, answer, failures)

    def _refers(self, task: Task, answer: Answer) -> bool:
        """Note that another registry is to be asked, once: it is one that we know, never the place that was named."""
        elsewhere = answer.refers_to if task.kind is LookupKind.NETWORK else ""
        if not elsewhere or task.subject in self._referred or self._directory.at_registry(elsewhere) is None:
            return False
        if len(self._referred) >= _MOST_REFERRED:  # forgotten ones are asked from the beginning
            self._referred.clear()
        self._referred[task.subject] = elsewhere
        return True

    def _lacks_contact(self, task: Task, answer: Answer) -> bool:
        """Tell whether RIPE's service for abuse contacts can and may be asked about an answer that has none."""
        return (
            lacks_contact(answer)
            and self._leaves(LookupKind.ABUSE_CONTACT, task.tlp)
            and self._directory.client(LookupKind.ABUSE_CONTACT, task.subject) is not None
        )

    def _leaves(self, kind: LookupKind, tlp: Tlp) -> bool:
        """Tell whether a question leaves by itself at a TLP, marked or not; what a handler released was one."""
        levels = (Level.UNMARKED, Level(tlp.value))
        return all(self._policy.permission(kind, level) is Permission.YES for level in levels)

    def _keep(self, task: Task, answer: Answer, failures: int) -> None:
        now = self._now()
        fresh, stale = lifetime(answer, failures=failures, now=now, chance=self._chance())
        if task.kind is LookupKind.NETWORK:
            self._referred.pop(task.subject, None)
        self._store.answer_lookup(task, answer, fresh=fresh, stale=stale, again=self._again, now=now)
