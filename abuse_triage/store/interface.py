"""What the rest of the program may ask of a store: whole use-cases, no connection handed out.

Every method is one transaction. Times are aware. Methods raise `TemporaryError` where the engine does not answer, and
nothing else for reasons of the engine. NUL and lone surrogates in texts are replaced before they are stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from abuse_triage.model.decision import Priority, TicketKind, Tlp, Verdict
from abuse_triage.model.message import Arrival, Envelope
from abuse_triage.model.report import Scope
from abuse_triage.model.ticket import (
    JournalEntry,
    MessageState,
    Outcome,
    OutcomeKind,
    RelationKeys,
    Relations,
    Ticket,
    TicketRef,
    TicketState,
)
from abuse_triage.store.contacts import Contacts
from abuse_triage.store.keys import Keys
from abuse_triage.store.lookups import Lookups, TicketLookup
from abuse_triage.store.outbox import Outbox, StoredMail


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A message that a worker holds.

    `attempts` counts this one too, `lease` must still be held at `finish`, `previous` is the ticket that the message
    already has because it was finished before and is tried again. `promoted` says that a person took it for a report:
    no rule parks it any more. `again` says that late answers came about a message that has its outcome: where it
    fails too often, `leave` gives it back as it was.
    """

    arrival: Arrival
    attempts: int
    lease: str
    previous: TicketRef | None = None
    promoted: bool = False
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What `finish` made of a message; `number` is its ticket's, "" where it was parked."""

    message_id: str
    kind: OutcomeKind
    number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """Why an outcome was not stored; nothing of it was.

    With `stale` the relations are no longer those that were assumed: decide again. With an `error` the outcome itself
    cannot be stored, such as one that joins a ticket which does not exist: the message is still held, and `fail` gives
    it back. Otherwise the lease is lost and somebody else has the message.
    """

    message_id: str
    stale: bool
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMessage:
    """A message as operators see it.

    `raw_size` is in bytes, `refused` says why it was not acknowledged, "" where it was. `subject` is defanged, at most
    200 characters, and known of parked messages only: all others have a ticket that tells.
    """

    id: str
    received_at: datetime
    envelope: Envelope
    raw_size: int
    truncated: bool
    state: MessageState
    attempts: int
    error: str
    outcome: OutcomeKind | None
    reason: str
    refused: str
    ticket: str
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredIndicator:
    """An indicator of a ticket."""

    kind: str
    value: str
    scope: Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReport:
    """What one message said and what the rules made of it; `facts` is JSON, None where the message was unreadable."""

    message_id: str
    received_at: datetime
    sender: str
    format: str
    facts: str
    verdict: Verdict | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketFile:
    """All about one ticket."""

    ticket: Ticket
    reports: tuple[StoredReport, ...]
    indicators: tuple[StoredIndicator, ...]
    journal: tuple[JournalEntry, ...]
    mails: tuple[StoredMail, ...]
    linked: tuple[str, ...]
    lookups: tuple[TicketLookup, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """How many things are in one state, and since when the oldest of them is."""

    name: str
    count: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketFilter:
    """Which tickets to list; None and "" do not restrict. Newest first, at most `limit`."""

    states: tuple[TicketState, ...] = ()
    kind: TicketKind | None = None
    category: str = ""
    priority: Priority | None = None
    since: datetime | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ByHand:
    """What a handler sets; None and "" leave a field as it is. `type` belongs to `category`, and goes with it."""

    kind: TicketKind | None = None
    category: str = ""
    type: str = ""
    tlp: Tlp | None = None
    priority: Priority | None = None
    due: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFilter:
    """Which messages to list; () and False do not restrict. Newest first, at most `limit`."""

    states: tuple[MessageState, ...] = ()
    outcomes: tuple[OutcomeKind, ...] = ()
    unanswered: bool = False
    since: datetime | None = None
    limit: int = 50


class Inbox(Protocol):
    """Messages on their way in."""

    def accept(self, arrivals: Sequence[Arrival]) -> None:
        """Make all of them durable together: when this returns, they survive a power failure."""

    def waiting(self) -> int:
        """Count the messages that wait for triage (received or claimed)."""

    def claim(self, limit: int, lease: timedelta) -> list[Claimed]:
        """Take waiting messages, oldest first, each with its attempt already counted and committed.

        All of one call share one lease. Messages whose lease ran out are waiting again. A message that has failed
        before is claimed alone. The store's own clock measures leases.
        """

    def give_back(self, lease: str, charged: str = "") -> None:
        """Give back whatever is still held under a lease, because its worker stopped.

        The attempts of these messages are uncounted, except that of the one with the id `charged`, on which the worker
        died. One `claim` has one lease for all its messages.
        """

    def fail(self, claimed: Claimed, error: str) -> None:
        """Give back a message that could not be worked on; its attempt stays counted and `error` is kept."""

    def leave(self, claimed: Claimed, error: str) -> None:
        """Let a message that was claimed `again` keep the outcome that it has; `error` is journaled on its ticket."""

    def relations(self, keys: RelationKeys) -> Relations:
        """Find the tickets that a message relates to."""

    def finish(self, outcomes: Sequence[Outcome]) -> list[Finished | Unfinished]:
        """Store everything that each outcome consists of; one commit for all, and each of them wholly or not at all.

        The answers stand in the order of the outcomes. The ticket counter is taken inside the transaction, so that
        numbers have no gaps; `NUMBER_PLACEHOLDER` in outgoing mail is replaced there.
        """

    def messages(self, which: MessageFilter) -> list[StoredMessage]:
        """List messages, newest first."""

    def message(self, message_id: str) -> tuple[StoredMessage, bytes]:
        """Return a message and its raw bytes; raises `NotFoundError`. An unambiguous beginning of the id will do."""

    def note(self, message_id: str, entry: JournalEntry) -> None:
        """Add a line to the journal of a message's ticket, or of the message itself; raises `NotFoundError`."""

    def retry(self, message_id: str, actor: str, now: datetime) -> None:
        """Let a quarantined or parked message go the whole way again, once; raises `NotFoundError` or `InputError`."""

    def promote(self, message_id: str, actor: str, now: datetime) -> None:
        """Let a parked message go the whole way again, this time to a ticket, whatever the rules say.

        Raises `NotFoundError` or `InputError`.
        """


class Tickets(Protocol):
    """Tickets for people."""

    def set_by_hand(self, number: str, changes: ByHand, actor: str, now: datetime) -> Ticket:
        """Set fields of a ticket as a handler decides, journaled; from then on nothing else changes them.

        Raises `NotFoundError` or `InputError`.
        """

    def journal(self, number: str, entry: JournalEntry) -> None:
        """Add a line to a ticket's journal; raises `NotFoundError`."""

    def tickets(self, which: TicketFilter) -> list[Ticket]:
        """List tickets, newest first."""

    def ticket(self, number: str) -> TicketFile:
        """Return all about one ticket, by its full number or the end of it; raises `NotFoundError`."""

    def open_tickets(self, limit: int) -> list[Ticket]:
        """List open tickets in the order in which they want a decision: priority, then due time, then age."""

    def opened_since(self, since: datetime) -> list[tuple[str, int]]:
        """Count the tickets opened since then by category, most first."""


class Health(Protocol):
    """What operators and the scheduler ask."""

    def gauges(self) -> list[Gauge]:
        """Count what waits, by state, with the age of the oldest: "messages received", "mail queued".

        "mail held" is what waits for its budget; "mail queued" is what does not.
        """

    def remember(self, name: str, value: str) -> None:
        """Keep one small fact across restarts, such as when the last digest was queued."""

    def recall(self, name: str) -> str:
        """Return what was remembered under a name, "" for nothing."""

    def wait(self, timeout: float) -> bool:
        """Wait at most so many seconds for anybody to change the store; False where nothing did."""

    def check(self) -> list[str]:
        """Verify that the engine is set up so that a commit survives a power failure; returns problems."""

    def close(self) -> None:
        """Let go of the engine."""


class Store(Inbox, Tickets, Outbox, Keys, Lookups, Contacts, Health, Protocol):
    """All of it, as one engine implements it."""
