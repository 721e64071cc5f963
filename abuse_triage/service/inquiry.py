"""Look-ups that a person waits for: asked at once and by the same rules, but nothing is queued and no ticket changes.

Budgets and failures of servers are those of the store, which all processes share; answers that it has are used.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from abuse_triage.enrichment.questions import Question
from abuse_triage.model.budget import Bucket
from abuse_triage.model.lookups import Answer, Known, LookupKind, LookupState, Result, Wanted
from abuse_triage.model.settings import Settings
from abuse_triage.service.clients import Clients
from abuse_triage.service.looker import Looker
from abuse_triage.store.interface import Store
from abuse_triage.store.lookups import Server, Task, TicketLookup

_PAUSE_SECONDS = 0.1
LONGEST = timedelta(seconds=60)
"""A person waits no longer; what is not answered then says what it waits for."""


def inquire(
    settings: Settings, store: Store, wanted: Sequence[Wanted], progress: Callable[[int, int], None]
) -> list[TicketLookup]:
    """Ask what is WAITING among some look-ups, and return all of them with their answers.

    Args:
        settings: the whole configuration; `lookups.enabled` does not matter.
        store: budgets, failures of servers, and the cache.
        wanted: the look-ups of one message, as they were planned.
        progress: told how many of how many questions are over, whenever that changes.

    Raises:
        ConfigError: if files that tell whom to ask are wrong.
        TemporaryError: if the store does not answer.
    """
    errand = _Errand(store, wanted)
    looker = Looker(
        settings.lookups, errand, Clients(settings), again=False, now=lambda: datetime.now(UTC), chance=random.random
    )
    give_up = time.monotonic() + LONGEST.total_seconds()
    told = (-1, -1)
    while errand.waiting and time.monotonic() < give_up:
        if not looker.work():
            time.sleep(_PAUSE_SECONDS)
        if told != (over := errand.over):
            progress(*over)
            told = over
    looker.finish()
    return errand.results()


def planned(store: Store, wanted: Sequence[Wanted]) -> list[TicketLookup]:
    """Return look-ups as they are planned, with the answers that the store has; nothing is asked."""
    return _Errand(store, wanted).results()


class _Errand:
    """The look-ups of one message in place of the store's queue; budgets and servers are the store's."""

    def __init__(self, store: Store, wanted: Sequence[Wanted]) -> None:
        self._store = store
        self._wanted = {(one.kind, one.subject): one for one in wanted}
        self._due = {
            question: datetime.min.replace(tzinfo=UTC)
            for question, one in self._wanted.items()
            if one.state is LookupState.WAITING
        }
        self._total = len(self._due)
        self._asking: set[Question] = set()
        self._reasons: dict[Question, str] = {}
        self._answers: dict[Question, Known] = {}

    @property
    def waiting(self) -> bool:
        """Whether anything is not answered."""
        return bool(self._due or self._asking)

    @property
    def over(self) -> tuple[int, int]:
        """How many of how many questions are over."""
        return self._total - len(self._due) - len(self._asking), self._total

    def results(self) -> list[TicketLookup]:
        """Return every look-up as a ticket would show it."""
        now = datetime.now(UTC)
        found = dict(self._answers)
        for tlp in {one.tlp for one in self._wanted.values()}:
            for known in self._store.known(list(self._wanted), tlp, now):
                question = (known.answer.kind, known.answer.subject)
                if question not in found or found[question].answer.result is Result.FAILED:
                    found[question] = known
        return [
            TicketLookup(
                kind=one.kind,
                subject=one.subject,
                state=self._state(question, one, found),
                permission=one.permission,
                reason=self._reasons.get(question, one.reason),
                at=now,
                known=found.get(question),
            )
            for question, one in self._wanted.items()
        ]

    def _state(self, question: Question, one: Wanted, found: Mapping[Question, Known]) -> LookupState:
        """Say where a look-up stands."""
        if question in found:
            return LookupState.ANSWERED
        return LookupState.ASKING if question in self._asking else one.state

    def claim_lookups(
        self,
        limit: int,
        lease: timedelta,  # noqa: ARG002 -- as in Lookups
        now: datetime,
        *,
        again: bool = True,  # noqa: ARG002 -- as in Lookups
    ) -> list[Task]:
        """Hand out what is due."""
        due = [question for question, at in self._due.items() if at <= now][:limit]
        for question in due:
            del self._due[question]
            self._asking.add(question)
        return [
            Task(kind=question[0], subject=question[1], tlp=self._wanted[question].tlp, lease="inquiry")
            for question in due
        ]

    def answer_lookup(
        self, task: Task, answer: Answer, *, fresh: timedelta, stale: timedelta, again: bool, now: datetime
    ) -> None:
        """Keep an answer for the person who waits."""
        del again
        question = (task.kind, task.subject)
        self._asking.discard(question)
        self._answers[question] = Known(
            answer=answer, asked_at=now, fresh_until=now + fresh, stale_until=now + stale, tlp=task.tlp
        )

    def put_off_lookups(self, tasks: Sequence[tuple[Task, datetime, str]], *, tried: bool) -> None:
        """Let questions wait for their turn; what was tried in vain is not tried again while somebody waits."""
        for task, until, reason in tasks:
            question = (task.kind, task.subject)
            self._asking.discard(question)
            self._reasons[question] = f"{'no answer' if tried else 'not asked'}: {reason}"
            if not tried:
                self._due[question] = until

    def want(self, task: Task, kind: LookupKind, now: datetime) -> None:
        """Ask a further question about a task's subject."""
        question = (kind, task.subject)
        if question not in self._wanted:
            self._wanted[question] = Wanted(
                kind=kind, subject=task.subject, tlp=task.tlp, state=LookupState.WAITING, not_before=now
            )
            self._due[question] = now
            self._total += 1

    def admit(self, server: str, budgets: Sequence[Bucket], pause: timedelta, now: datetime) -> datetime | None:
        """Ask the store."""
        return self._store.admit(server, budgets, pause, now)

    def server_answered(self, server: str) -> None:
        """Tell the store."""
        self._store.server_answered(server)

    def server_failed(self, server: str, reason: str, until: datetime | None) -> int:
        """Tell the store."""
        return self._store.server_failed(server, reason, until)

    def spend(self, bucket: Bucket, count: int, now: datetime) -> None:
        """Tell the store."""
        self._store.spend(bucket, count, now)

    def servers(self) -> list[Server]:
        """Ask the store."""
        return self._store.servers()

    def used(self, buckets: Sequence[Bucket], now: datetime) -> list[float]:
        """Ask the store."""
        return self._store.used(buckets, now)
