"""The decider: claims messages, has them read, applies the rules, and commits one outcome for each."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from threading import Event

import structlog

from abuse_triage import pipeline
from abuse_triage.errors import TemporaryError
from abuse_triage.model.report import Reading
from abuse_triage.model.settings import TriageSettings
from abuse_triage.model.ticket import Outcome, OutcomeKind
from abuse_triage.service.failpoints import failpoint
from abuse_triage.service.reading import Reader, ReadingError
from abuse_triage.store.interface import Claimed, Finished, Inbox

log = structlog.get_logger()

_FLUSH_SECONDS = 0.2
"""Decided messages wait at most so long for the others of their batch before they are committed."""
_PAUSE_SECONDS = 1.0


class Decider:
    """One triage worker: everything it needs, and the loop body."""

    def __init__(
        self, knowledge: pipeline.Knowledge, store: Inbox, reader: Reader, *, announce: Callable[[str], None]
    ) -> None:
        """Take the parts; `announce` tells the supervisor which claim and which message is being worked on."""
        self._knowledge = knowledge
        self._settings: TriageSettings = knowledge.settings.triage
        self._store = store
        self._reader = reader
        self._announce = announce

    def work(self, stop: Event) -> int:
        """Claim one batch and finish it; returns how many messages were claimed, 0 where none wait."""
        batch = self._store.claim(self._settings.batch, self._settings.lease)
        if not batch:
            return 0
        self._announce(f"claim {batch[0].lease}")
        failpoint("triage.claimed")
        done = self._batch(batch, stop)
        if done < len(batch):
            self._store.give_back(batch[0].lease)
        self._announce("idle")
        return len(batch)

    def _batch(self, batch: Sequence[Claimed], stop: Event) -> int:
        """Work through a batch while nobody asks to stop; returns how many were dealt with."""
        decided: list[tuple[Claimed, Reading, Outcome]] = []
        flushed_at = time.monotonic()
        with ExitStack() as stack:
            pool = stack.enter_context(ThreadPoolExecutor(1, "reader"))
            ahead: Future[Reading] = pool.submit(self._reader.read, batch[0].arrival.raw)
            for position, claimed in enumerate(batch):
                if stop.is_set():
                    ahead.cancel()
                    break
                self._announce(f"on {claimed.arrival.id}")
                try:
                    reading = ahead.result()
                except TemporaryError as error:
                    reading = None
                    self._unreadable(claimed, str(error))
                if position + 1 < len(batch):
                    ahead = pool.submit(self._reader.read, batch[position + 1].arrival.raw)
                if reading is not None:
                    decided.append((claimed, reading, self._decide(claimed, reading)))
                if decided and time.monotonic() - flushed_at > _FLUSH_SECONDS:
                    self._finish(decided)
                    decided, flushed_at = [], time.monotonic()
            else:
                position = len(batch)
        self._finish(decided)
        return position

    def _decide(self, claimed: Claimed, reading: Reading) -> Outcome:
        keys = pipeline.keys(reading, claimed.arrival, self._knowledge)
        return pipeline.decide(
            reading,
            claimed.arrival,
            keys,
            self._store.relations(keys),
            self._knowledge,
            lease=claimed.lease,
            previous=claimed.previous,
            now=datetime.now(UTC),
        )

    def _finish(self, decided: Sequence[tuple[Claimed, Reading, Outcome]]) -> None:
        """Commit; what turned stale meanwhile is decided again, on what is known now."""
        waiting = list(decided)
        while waiting:
            failpoint("triage.before-commit")
            results = self._store.finish([outcome for _, _, outcome in waiting])
            failpoint("triage.after-commit")
            stale = []
            for (claimed, reading, outcome), result in zip(waiting, results, strict=True):
                if isinstance(result, Finished):
                    _log_finished(result, outcome)
                elif result.stale:
                    stale.append((claimed, reading, self._decide(claimed, reading)))
                else:
                    log.warning("lease-lost", id=claimed.arrival.id)
            waiting = stale

    def _unreadable(self, claimed: Claimed, error: str) -> None:
        """Count a failure against a message; the last one parks it in quarantine, with a ticket that says so."""
        log.warning("reading-failed", id=claimed.arrival.id, attempt=claimed.attempts, error=error)
        if claimed.attempts < self._settings.attempts:
            self._store.fail(claimed, error)
            return
        outcome = pipeline.quarantine(
            claimed.arrival,
            error,
            self._knowledge,
            lease=claimed.lease,
            previous=claimed.previous,
            now=datetime.now(UTC),
        )
        for result in self._store.finish([outcome]):
            if isinstance(result, Finished):
                _log_finished(result, outcome)


def run_triage(decider: Decider, store_wait: Callable[[float], bool], stop: Event) -> None:
    """Work until `stop` is set; a store that does not answer is asked again after a pause."""
    while not stop.is_set():
        try:
            if not decider.work(stop):
                store_wait(_PAUSE_SECONDS)
        except ReadingError:
            raise
        except TemporaryError as error:
            log.error("triage-waits", error=str(error))  # noqa: TRY400 -- the store's trouble, no traceback of ours
            stop.wait(_PAUSE_SECONDS)


def _log_finished(result: Finished, outcome: Outcome) -> None:
    verdict = outcome.verdict
    log.info(
        "triaged",
        id=result.message_id,
        outcome=result.kind.value,
        ticket=result.number,
        category=verdict.category if verdict else "",
        priority=verdict.priority.value if verdict else "",
        answered=bool(outcome.outgoing),
        refused=outcome.refused,
    )
    if result.kind is OutcomeKind.QUARANTINED:
        log.error("quarantined", id=result.message_id, ticket=result.number)
