"""What the rest of the program may ask of a store about look-ups: their cache, their queue and their servers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from abuse_triage.model.budget import Bucket
from abuse_triage.model.decision import Tlp
from abuse_triage.model.lookups import Answer, Known, LookupKind, LookupState, Permission


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A question that the looker holds: the same of all tickets at once, under the least strict of their TLPs.

    `tries` counts earlier attempts.
    """

    kind: LookupKind
    subject: str
    tlp: Tlp
    lease: str
    tries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketLookup:
    """A look-up of a ticket; `known` is None where there is no answer that this ticket may see, or not any more."""

    kind: LookupKind
    subject: str
    state: LookupState
    permission: Permission
    reason: str
    at: datetime
    released_by: str = ""
    known: Known | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that was asked: failures in a row, until when it is left alone, and its last trouble."""

    name: str
    failures: int
    open_until: datetime | None
    reason: str


class LookupCache(Protocol):
    """What is known already."""

    def known(self, asked: Sequence[tuple[LookupKind, str]], tlp: Tlp, now: datetime) -> list[Known]:
        """Return the newest answers to some questions that may be seen at a TLP and are not stale, with no order.

        What was asked for under a stricter TLP is not seen. Of NETWORK, the answer for the smallest network that holds
        the address counts, whichever address of it was asked for; the `subject` of the answer is then that asked for
        here. An answer that FAILED is returned as long as it is fresh, so that nobody asks again.
        """


class LookupQueue(Protocol):
    """Look-ups on their way: each question is asked once, for all tickets that want to know."""

    def claim_lookups(self, limit: int, lease: timedelta, now: datetime, *, again: bool = True) -> list[Task]:
        """Take waiting look-ups whose time has come, oldest first; the same question never twice at once.

        Look-ups whose lease ran out are waiting again. A question that the cache answers by now, for the TLP of the
        ticket that asks, is answered here and not handed out; `again` is as in `answer_lookup`. A look-up whose ticket
        has become stricter since it was planned is withheld instead. The store's own clock measures leases, and one
        that ran out counts as a try.
        """

    def answer_lookup(
        self, task: Task, answer: Answer, *, fresh: timedelta, stale: timedelta, again: bool, now: datetime
    ) -> None:
        """Keep an answer, and give it to every look-up that waits for it; journaled on each ticket that has all then.

        It is fresh for `fresh`, and stale for `stale` after that. A network's answer is also given to what waits for
        other addresses of it.
        The lookups that it answers are those of the same question at the TLP of the task or a stricter one. With
        `again` the messages whose look-ups are all over go to the rules again, once. Nothing where the lease is lost.
        A FAILED answer never takes the place of one that is fresh or stale.
        """

    def put_off_lookups(self, tasks: Sequence[tuple[Task, datetime, str]], *, tried: bool) -> None:
        """Let look-ups wait for their servers, each until a time and for a reason; `tried` counts an attempt.

        Nothing happens to those whose lease is lost.
        """

    def want(self, task: Task, kind: LookupKind, now: datetime) -> None:
        """Ask a further question about a task's subject, for every ticket that asked the first one by itself.

        To be called before the task is answered.
        """


class LookupServers(Protocol):
    """The servers that are asked: what all processes spend of their patience together."""

    def admit(self, server: str, budgets: Sequence[Bucket], pause: timedelta, now: datetime) -> datetime | None:
        """Take one from each of a server's budgets, or nothing where one is empty; None to go ahead, else until when.

        A server that failed is left alone until its time; then one question is let through, and the others wait for
        `pause` or until that one is answered.
        """

    def server_answered(self, server: str) -> None:
        """Take note that a server answered as it should."""

    def server_failed(self, server: str, reason: str, until: datetime | None) -> int:
        """Take note that it did not, and leave it alone until then if given; returns failures in a row."""

    def spend(self, bucket: Bucket, count: int, now: datetime) -> None:
        """Take so many from a budget, more than it has where need be."""

    def servers(self) -> list[Server]:
        """List the servers that fail, worst first, at most 100."""


class Lookups(LookupCache, LookupQueue, LookupServers, Protocol):
    """All of it, with what tickets and the scheduler need."""

    def release_lookups(
        self,
        number: str,
        subjects: Sequence[str],
        kinds: Sequence[LookupKind],
        actor: str,
        now: datetime,
        *,
        forbids: Callable[[LookupKind, Tlp], bool] = ...,
    ) -> list[TicketLookup]:
        """Let withheld look-ups of a ticket be made, journaled, and return them; () means all.

        `forbids` tells what the policy never allows at a TLP: it counts where the ticket has another one than when the
        look-up was planned. Without it, what the policy said then counts alone.
        Raises `NotFoundError`, and `InputError` where the policy says "no" to one of those that were named or none
        of them is withheld.
        """

    def lookups_of(self, number: str) -> list[TicketLookup]:
        """List a ticket's look-ups with the answers that it may see, in the order they came; raises `NotFoundError`."""

    def forget_answers(self, before: datetime) -> int:
        """Remove the answers that were asked for before a time; returns how many."""
