"""What all questions to name servers have in common: one resolver, one deadline, and answers that hold for a while."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from datetime import timedelta
from typing import ClassVar

from abuse_triage.lookups.cleaning import clean
from abuse_triage.lookups.resolver import Record, Resolver, UnansweredError
from abuse_triage.model.lookups import MOST_ITEMS, Answer, LookupKind, Result

SERVER = "dns"
"""What budgets and failures of all of DNS are counted by: the operator's own resolver is behind each question."""
SHORTEST, LONGEST = timedelta(minutes=1), timedelta(hours=1)
"""For how long an answer holds, whatever its TTL says."""


class DnsClient(ABC):
    """A `Client` that asks through the operator's own resolver; used by several threads at once.

    Names are taken as they are given: whoever asks makes sure that a name is registrable, and never the full name of a
    host in a report, whose labels could tell its owner who is looking.
    """

    kind: ClassVar[LookupKind]

    def __init__(self, resolver: Resolver | None) -> None:
        """Without a resolver nobody is asked."""
        self._resolver = resolver

    def server(self, subject: str) -> str:  # noqa: ARG002 -- the same for every subject
        """Return "dns", "" where no resolver is configured."""
        return SERVER if self._resolver else ""

    def ask(self, subject: str, seconds: float) -> Answer:
        """Ask within so many seconds in all; "no such name" and "no such record" are both NOT_FOUND."""
        if self._resolver is None:
            return self._failed(subject, "", "no resolver is configured")
        try:
            return self._find(self._resolver, subject, time.monotonic() + seconds)
        except UnansweredError as error:
            return self._failed(subject, SERVER, str(error))

    @abstractmethod
    def _find(self, resolver: Resolver, subject: str, deadline: float) -> Answer:
        """Ask until a deadline on the monotonic clock; raises `UnansweredError`."""

    def _absent(self, subject: str, seconds: float) -> Answer:
        return Answer(
            kind=self.kind, subject=subject, server=SERVER, result=Result.NOT_FOUND, lifetime=lifetime(seconds)
        )

    def _failed(self, subject: str, server: str, reason: str) -> Answer:
        return Answer(
            kind=self.kind,
            subject=subject,
            server=server,
            result=Result.FAILED,
            reason=reason,
            temporary=bool(server),
        )


def lifetime(seconds: float) -> timedelta:
    """Return for how long an answer with this TTL holds."""
    return min(max(SHORTEST, timedelta(seconds=round(seconds))), LONGEST)


def names(records: Iterable[Record]) -> tuple[str, ...]:
    """Return names, as name servers give them, fit to be kept: small letters, each once, in order, so many at most."""
    found = {clean(str(record)).lower() for record in records}
    return tuple(sorted(found - {"", "."}))[:MOST_ITEMS]
