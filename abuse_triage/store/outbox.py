"""What the rest of the program may ask of a store about mail on its way out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from abuse_triage.model.budget import Bucket
from abuse_triage.model.decision import Priority, Tlp
from abuse_triage.model.ticket import MailKind, MailState, Outgoing


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMail:
    """A mail of ours: `tries` counts attempts, `error` is the last answer, `ticket` its number ("" for a digest).

    Of what is held `error` says which budget it waits for. `proven`, `answers` and `language` are those of its
    `Outgoing`. `held_at` is since when it waits for its budget, `paid_at` when that was paid, `folded_into` the mail
    that told the recipient in its place. `priority` and `tlp` are those of its ticket as they are now, None where it
    has none.
    """

    id: int
    kind: MailKind
    message_id: str
    recipient: str
    state: MailState
    tries: int
    created_at: datetime
    next_try: datetime
    error: str
    ticket: str
    proven: bool = False
    answers: str = ""
    language: str = ""
    held_at: datetime | None = None
    paid_at: datetime | None = None
    folded_into: int | None = None
    priority: Priority | None = None
    tlp: Tlp | None = None
    encrypt_to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What `pay` made of one mail.

    `until` is None where it may be sent; else it is held until then, and `bucket` is the budget that is empty. `others`
    says that more mails of its kind to the same address are held.
    """

    until: datetime | None = None
    bucket: Bucket | None = None
    others: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MailToSend:
    """A mail that the sender holds; `content` is complete."""

    mail: StoredMail
    content: bytes


class Outbox(Protocol):
    """Mail on its way out."""

    def queue(self, mail: Outgoing, now: datetime) -> bool:
        """Queue a mail that belongs to no ticket; False where one with its Message-ID was queued before."""

    def due(self, now: datetime, limit: int) -> list[MailToSend]:
        """List queued mails whose time has come, oldest first; nothing changes."""

    def sending(self, mail_id: int, now: datetime) -> bool:
        """Commit that a mail is about to be sent; False where it is not queued any more."""

    def sent(self, mail_id: int, now: datetime, answer: str) -> None:
        """Commit that a mail was taken over; `answer` is the peer's, cut to 200 characters. Journaled on its ticket.

        What has come back already stays "undeliverable", here and in `unknown`.
        """

    def put_off(self, mail_id: int, next_try: datetime, error: str) -> None:
        """Commit that a mail was certainly not taken over and is to be tried again; it may be queued or "sending".

        Where `sending` was not called for this attempt, this counts the attempt.
        """

    def give_up(self, mail_id: int, now: datetime, error: str) -> None:
        """Commit that a mail was refused for good or became too old; it may be queued or "sending". Journaled."""

    def unknown(self, mail_id: int, now: datetime, error: str) -> None:
        """Commit that nobody can tell whether a mail was taken over: "delivery-unknown", journaled on its ticket.

        Only `resend` releases it.
        """

    def recover(self, now: datetime) -> list[StoredMail]:
        """Turn what a stopped sender left as "sending" into "delivery-unknown", journaled; only one sender may run.

        A digest or notice goes back to "queued" instead: it is sent at least once.
        """

    def pay(self, mails: Sequence[tuple[int, Sequence[Bucket]]], now: datetime) -> list[Spent]:
        """Pay for queued mails, or commit that they wait, in their order and in one transaction.

        A mail takes one from each of its budgets, or nothing where one of them is empty, and is then held until there
        should be one for it; that is no attempt. What is paid for once stays so, however often it is tried. All
        processes share the budgets.
        """

    def used(self, buckets: Sequence[Bucket], now: datetime) -> list[float]:
        """Return how much of each budget is used up, from 0 to 1; nothing changes."""

    def foldable(
        self, recipient: str, limit: int, *, proven: bool, kind: MailKind = MailKind.ACKNOWLEDGEMENT
    ) -> list[StoredMail]:
        """List the mails of one kind to one address, proven or not, that are held, oldest first."""

    def fold(self, mail: Outgoing, mail_ids: Sequence[int], now: datetime) -> StoredMail | None:
        """Queue one mail in place of several, which become FOLDED, journaled on their tickets; in one transaction.

        It belongs to the ticket of the last of them, and is paid for where one of them is. None, and nothing changes,
        where one of them is not queued any more or its Message-ID is there already.
        """

    def mails(self, states: tuple[MailState, ...], limit: int) -> list[StoredMail]:
        """List mails, newest first; () means every state."""

    def content(self, mail_id: int) -> bytes:
        """Return a whole mail as it is queued or was sent; raises `NotFoundError`."""

    def resend(self, mail_id: int, actor: str, now: datetime) -> None:
        """Queue a mail again that is "delivery-unknown", "failed" or "undeliverable".

        Raises `NotFoundError` or `InputError`.
        """
