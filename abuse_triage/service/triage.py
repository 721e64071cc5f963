"""The decider: claims messages, has them read, applies the rules, and commits one outcome for each."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Event
from typing import Any

import structlog

from abuse_triage import outcomes, pipeline
from abuse_triage.errors import TemporaryError
from abuse_triage.model.lookups import NOTHING_KNOWN
from abuse_triage.model.message import Arrival, Authentication
from abuse_triage.model.report import NOT_OPENED, Opened, Reading
from abuse_triage.model.settings import TriageSettings
from abuse_triage.model.ticket import MailKind, Outcome, OutcomeKind
from abuse_triage.outcomes import Knowledge
from abuse_triage.service.enriching import Enricher
from abuse_triage.service.failpoints import failpoint
from abuse_triage.service.opening import Opener, OpeningError
from abuse_triage.service.reading import Reader, ReadingError
from abuse_triage.store.interface import Claimed, Finished, Inbox

log = structlog.get_logger()

_FLUSH_SECONDS = 0.2
"""Decided messages wait at most so long for the others of their batch before they are committed."""
_PAUSE_SECONDS = 1.0
_STOP_SECONDS = 0.2
"""How long it may take to notice, while a message is being read, that somebody asks to stop."""


@dataclass(frozen=True, slots=True)
class _Read:
    """A message that can be decided; `checked` is None where nothing is checked."""

    claimed: Claimed
    reading: Reading
    checked: Authentication | None
    opened: Opened


class Decider:
    """One triage worker: everything it needs, and the loop body."""

    def __init__(
        self,
        knowledge: Knowledge,
        store: Inbox,
        reader: Reader,
        *,
        announce: Callable[[str], None],
        check: Callable[[Arrival], Future[Authentication]] | None = None,
        opener: Opener | None = None,
        enricher: Enricher | None = None,
    ) -> None:
        """Take the parts; `announce` tells the supervisor which claim and which message is being worked on.

        `check` has the sender of a message checked, if that is wanted; what it promises must come, and may not fail.
        `opener` has the team's keys; without it nothing is opened, and no signature checked. `enricher` knows what is
        known about indicators and reporters; without it nothing is.
        """
        self._knowledge = knowledge
        self._settings: TriageSettings = knowledge.settings.triage
        self._store = store
        self._reader = reader
        self._announce = announce
        self._check = check
        self._opener = opener
        self._enricher = enricher
        opening = knowledge.settings.openpgp.timeout + self._settings.deadline
        self._opening = opening.total_seconds()

    def work(self, stop: Event) -> int:
        """Claim one batch and finish it; returns how many messages were claimed, 0 where none wait.

        What is not finished is given back: at a stop, when the lease nears its end, and where the store or the reader
        does not work, which is raised as `TemporaryError`.
        """
        give_up = time.monotonic() + (self._settings.lease - self._settings.deadline).total_seconds()
        batch = self._store.claim(self._settings.batch, self._settings.lease)
        if not batch:
            return 0
        self._announce(f"claim {batch[0].lease}")
        failpoint("triage.claimed")
        try:
            if batch[0].attempts > self._settings.attempts:  # claimed alone, as whatever was tried before
                self._failed(batch[0], "each worker that had it stopped")
            else:
                self._batch(batch, stop, give_up)
        except TemporaryError:
            with suppress(TemporaryError):  # a store that does not answer: the lease ends by itself
                self._store.give_back(batch[0].lease)
            raise
        self._announce("idle")
        return len(batch)

    def _batch(self, batch: Sequence[Claimed], stop: Event, give_up: float) -> None:
        """Work through a batch while nobody asks to stop and its lease lasts, and give back the rest."""
        decided: list[tuple[_Read, Outcome]] = []
        checks = [self._check(claimed.arrival) for claimed in batch] if self._check else []
        flushed_at = time.monotonic()
        done = 0
        with ThreadPoolExecutor(1, "reader") as pool:
            ahead = pool.submit(self._reader.read, batch[0].arrival.raw)
            while done < len(batch):
                claimed = batch[done]
                self._announce(f"on {claimed.arrival.id}")
                if (done and time.monotonic() > give_up) or not self._is_done((ahead, *checks[done : done + 1]), stop):
                    ahead.cancel()
                    break
                reading = self._result(claimed, ahead)
                if done and reading and reading.layers and time.monotonic() > give_up - self._opening:
                    break
                checked = checks[done].result() if checks else None
                done += 1
                if done < len(batch):
                    ahead = pool.submit(self._reader.read, batch[done].arrival.raw)
                opened = self._opened(claimed, reading, pool) if reading else None
                if reading and opened:
                    read = _Read(claimed, reading, checked, opened)
                    decided.append((read, self._decide(read)))
                if decided and time.monotonic() - flushed_at > _FLUSH_SECONDS:
                    self._finish(decided)
                    decided, flushed_at = [], time.monotonic()
        self._finish(decided)
        if done < len(batch):
            self._store.give_back(batch[0].lease)

    def _result(self, claimed: Claimed, ahead: Future[Reading]) -> Reading | None:
        """Return what the reader found, None where it failed, which is then counted against the message."""
        try:
            return ahead.result()
        except ReadingError as error:
            self._failed(claimed, str(error))
            return None

    def _opened(self, claimed: Claimed, reading: Reading, pool: ThreadPoolExecutor) -> Opened | None:
        """Open a message; the reader reads one thing at a time, so that its second reading waits for its turn.

        None where that failed, which is then counted against the message. A plaintext that cannot be read does not
        quarantine its message in the end: that would leave it without an answer, and so tell that it could be opened.
        """
        if self._opener is None:
            return NOT_OPENED
        raw = claimed.arrival.raw
        try:
            return self._opener.open(
                reading, claimed.arrival, lambda texts: pool.submit(self._reader.read_opened, raw, texts).result()
            )
        except (ReadingError, OpeningError) as error:
            if isinstance(error, ReadingError) and claimed.attempts >= self._settings.attempts:
                log.warning("reading-failed", id=claimed.arrival.id, attempt=claimed.attempts, error=str(error))
                return self._opener.unread(reading, claimed.arrival)
            self._failed(claimed, str(error))
            return None

    def _is_done(self, awaited: Sequence[Future[Any]], stop: Event) -> bool:
        """Wait until a message is read and checked; False, with the reader ended, where somebody asks to stop."""
        while not stop.is_set():
            if not wait(awaited, _STOP_SECONDS).not_done:
                return True
        self._reader.interrupt()
        return False

    def _decide(self, read: _Read) -> Outcome:
        claimed = read.claimed
        keys = pipeline.keys(read.reading, claimed.arrival, self._knowledge, checked=read.checked)
        now = datetime.now(UTC)
        known = self._enricher.of(read.reading, read.opened, claimed.arrival, now) if self._enricher else NOTHING_KNOWN
        return pipeline.decide(
            read.reading,
            claimed.arrival,
            keys,
            self._store.relations(keys),
            self._knowledge,
            lease=claimed.lease,
            previous=claimed.previous,
            now=now,
            checked=read.checked,
            promoted=claimed.promoted,
            opened=read.opened,
            enrichment=known,
            again=claimed.again,
        )

    def _finish(self, decided: Sequence[tuple[_Read, Outcome]]) -> None:
        """Commit; what turned stale meanwhile is decided again, on what is known now."""
        waiting = list(decided)
        while waiting:
            failpoint("triage.before-commit")
            results = self._store.finish([outcome for _, outcome in waiting])
            failpoint("triage.after-commit")
            stale = []
            for (read, outcome), result in zip(waiting, results, strict=True):
                if isinstance(result, Finished):
                    _log_finished(result, outcome)
                elif result.stale:
                    again = self._renewed(read)
                    stale.append((again, self._decide(again)))
                elif result.error:
                    self._failed(read.claimed, result.error)
                else:
                    log.warning("lease-lost", id=read.claimed.arrival.id)
            waiting = stale

    def _renewed(self, read: _Read) -> _Read:
        if self._opener is None or not read.opened.protection.signature_id:
            return read
        return replace(read, opened=self._opener.renewed(read.opened, read.claimed.arrival))

    def _failed(self, claimed: Claimed, error: str) -> None:
        """Count a failure against a message; the last one parks it in quarantine, with a ticket that says so."""
        log.warning("reading-failed", id=claimed.arrival.id, attempt=claimed.attempts, error=error)
        if claimed.attempts < self._settings.attempts:
            self._store.fail(claimed, error)
            return
        if claimed.again:
            self._store.leave(claimed, error)
            return
        outcome = outcomes.quarantine(
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
            elif result.error:
                self._store.fail(claimed, result.error)
            else:
                log.warning("lease-lost", id=claimed.arrival.id)


def run_triage(decider: Decider, store_wait: Callable[[float], bool], stop: Event) -> None:
    """Work until `stop` is set; a store that does not answer is asked again after a pause."""
    while not stop.is_set():
        try:
            if not decider.work(stop):
                store_wait(_PAUSE_SECONDS)
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
        answered=any(mail.kind is MailKind.ACKNOWLEDGEMENT for mail in outcome.outgoing),
        refused=outcome.refused,
    )
    if result.kind is OutcomeKind.QUARANTINED:
        log.error("quarantined", id=result.message_id, ticket=result.number)
