"""Tickets, what relates a message to them, and what one message changes in the store."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from abuse_triage.model.decision import Priority, TicketKind, Tlp, Verdict
from abuse_triage.model.lookups import Wanted
from abuse_triage.model.openpgp import Certificate
from abuse_triage.model.report import Scope

NUMBER_PLACEHOLDER = "@TICKET-NUMBER-PENDING@"
"""Stands in outgoing mail where the ticket's number goes, which is known only inside the transaction."""


class TicketState(StrEnum):
    """Where a ticket stands."""

    NEW = "new"
    RESOLVED = "resolved"
    CLOSED = "closed"

    @property
    def open(self) -> bool:
        """Whether somebody still has to work on it."""
        return self is TicketState.NEW


class MessageState(StrEnum):
    """Where a message stands on its way; the last three are outcomes that a person may still change."""

    RECEIVED = "received"
    CLAIMED = "claimed"
    DONE = "done"
    QUARANTINED = "quarantined"


class OutcomeKind(StrEnum):
    """What became of a message; every finished message has exactly one."""

    OPENED = "opened"
    JOINED = "joined"
    PARKED = "parked"
    QUARANTINED = "quarantined"


class MailKind(StrEnum):
    """What an outgoing mail is for."""

    ACKNOWLEDGEMENT = "acknowledgement"
    DIGEST = "digest"
    NOTICE = "notice"


class MailState(StrEnum):
    """Where an outgoing mail stands.

    HELD is queued, too: it waits for its budget, and leaves by itself when that comes back.
    SENDING is committed before DATA. What is SENDING after a crash becomes UNKNOWN: it may or may not have been
    delivered, and only a person releases it. FAILED is final: refused for good or too old. FOLDED was told in another
    mail to the same person. UNDELIVERABLE was sent, and came back as a bounce.
    """

    QUEUED = "queued"
    HELD = "held"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "delivery-unknown"
    FOLDED = "folded"
    UNDELIVERABLE = "undeliverable"


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One line of a ticket's history: who did what, when, and why; never changed afterwards."""

    at: datetime
    actor: str
    action: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What handlers work on.

    `number` is the public one ("DNSPT-CSIRT#2026-000123"), `id` the row. `summary` is the defanged subject, control
    characters removed, at most 200 characters. `reporter` is the envelope sender of the first message,
    or over a list of our own, whoever wrote to it; "" if null. `protection` says in words what OpenPGP proves about
    that message, "" where it has none. `due` is when the response clock runs out. `by_hand` names the fields that a
    handler set (of "kind", "category", "tlp", "priority", "due"): nothing changes them by itself any more.
    """

    id: int
    number: str
    kind: TicketKind
    state: TicketState
    category: str
    type: str
    tlp: Tlp
    tlp_marked: bool
    priority: Priority
    review: bool
    summary: str
    reporter: str
    mailbox: str
    created_at: datetime
    updated_at: datetime
    due: datetime
    messages: int = 1
    protection: str = ""
    by_hand: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketDraft:
    """A ticket before it has its number; `year` is the year of arrival in the team's zone."""

    kind: TicketKind
    category: str
    type: str
    tlp: Tlp
    tlp_marked: bool
    priority: Priority
    review: bool
    summary: str
    reporter: str
    mailbox: str
    due: datetime
    year: int
    protection: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A mail of ours on its way out.

    `message_id` is ours: deterministic and signed, so that the same mail can never be queued twice (it is unique in the
    store). `recipient` is one bare address. `content` is the whole mail as bytes, with `NUMBER_PLACEHOLDER` where the
    number goes. `proven` says whether its recipient is proven to have written, which decides the budget it draws from.
    `answers` is the Message-ID that it answers, `language` the one it begins with: both are needed to fold it.
    `encrypt_to` is the fingerprint of the recipient's key that it is encrypted to on its way out, "" for none; its text
    stays free of content all the same. `not_before` is when it may leave at the earliest, None for at once.
    """

    kind: MailKind
    message_id: str
    recipient: str
    content: bytes
    proven: bool = False
    answers: str = ""
    language: str = ""
    encrypt_to: str = ""
    not_before: datetime | None = None

    def numbered(self, number: str) -> bytes:
        """Return the mail with the ticket's number in place; `number` is printable ASCII."""
        return self.content.replace(NUMBER_PLACEHOLDER.encode("ascii"), number.encode("ascii"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationKeys:
    """What a message names that may connect it with tickets.

    `our_message_ids` are ids whose signature proved that we sent them: from In-Reply-To and References, those that a
    bounce reports as failed, and the message's own id where that is ours. `numbers` are ticket numbers from the
    subject's tag and the plus-address. `peer` is the number that an authenticated contact gave the matter, behind the
    contact's name, "" for none. `fingerprint` is that of the content, `sender` the envelope sender, or over a list
    of our own, whoever wrote to it; "" where that is null or forged. `since` is the beginning of the window in which
    the same content counts as a duplicate.
    """

    our_message_ids: tuple[str, ...]
    numbers: tuple[str, ...]
    fingerprint: str
    sender: str
    since: datetime
    peer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketRef:
    """As much of a ticket as relating needs.

    `participants` are the addresses that wrote to it or were written to. `acknowledged` says whether an acknowledgement
    of it has left or waits, and none where all of them were refused or became too old; it is found out of `peer` and
    `same_sender` only.
    """

    id: int
    number: str
    state: TicketState
    participants: tuple[str, ...] = ()
    acknowledged: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Relations:
    """What the store knows about a message's `RelationKeys`.

    `answered` is the ticket of the newest of our mails that it answers, `tagged` the ticket of the first number that
    exists, `peer` the newest ticket with the same number of the same contact. `same_sender` and `same_content` are the
    newest tickets in the window whose report had the same fingerprint, from the same envelope sender and from any
    other.
    """

    answered: TicketRef | None = None
    tagged: TicketRef | None = None
    peer: TicketRef | None = None
    same_sender: TicketRef | None = None
    same_content: TicketRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopedIndicator:
    """An indicator as it is stored with its ticket."""

    kind: str
    value: str
    registrable: str
    scope: Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything that one message writes, in one transaction.

    OPENED has `opens`, JOINED has `joins`, PARKED has neither; QUARANTINED opens an "unreadable report" the first time
    and joins it afterwards; the message then stays retryable. `updates` are the new values of the joined ticket where a
    message was tried again. A joined ticket takes the stricter of its TLP and the verdict's, journaled. `links` are ids
    of tickets that the new one mentions. `reopens` sets a joined ticket that is not open back to new. `participants`
    are the bare addresses of those who wrote. `refused` holds why no acknowledgement goes out, "" where one does.
    `facts` and `verdict` are stored as they are. `keys` and `assumed` are the relations that the decision was made on:
    where the store finds others inside the transaction, it writes nothing and says "stale". `undeliverable` are the
    Message-IDs of mails of ours that this message reports as not delivered: they are marked, and their tickets say so.
    `signature_id` is remembered as seen in this message; `offered` are certificates that came with it, kept apart from
    those of the operator. With `unseen` the decision takes it for new: where the store knows it from another message,
    that is "stale" too. `wanted` are the look-ups that it asks for; those that its ticket has already are left out.
    With `again` the message was decided before and late answers came: outcome, acknowledgement and what was refused
    stay as they are, and `updates` touch no field that a handler set by hand.
    """

    message_id: str
    lease: str
    kind: OutcomeKind
    reason: str
    format: str
    verdict: Verdict | None
    facts: str
    keys: RelationKeys
    assumed: Relations
    opens: TicketDraft | None = None
    joins: int | None = None
    updates: TicketDraft | None = None
    reopens: bool = False
    links: tuple[int, ...] = ()
    indicators: tuple[ScopedIndicator, ...] = ()
    journal: tuple[JournalEntry, ...] = ()
    outgoing: tuple[Outgoing, ...] = ()
    participants: tuple[str, ...] = ()
    refused: str = ""
    undeliverable: tuple[str, ...] = ()
    signature_id: str = ""
    unseen: bool = False
    offered: tuple[Certificate, ...] = ()
    wanted: tuple[Wanted, ...] = ()
    again: bool = False
