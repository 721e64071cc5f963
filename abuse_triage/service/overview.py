"""The digest as mail: what the store knows, gathered, written and addressed to every handler."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from abuse_triage import config
from abuse_triage.mail import thread
from abuse_triage.mail.compose import compose
from abuse_triage.model.settings import Settings
from abuse_triage.model.ticket import MailKind, MailState, MessageState, OutcomeKind, Outgoing
from abuse_triage.replies.digest import (
    DigestInput,
    HeldMessage,
    RefusedAcknowledgement,
    TroubledMail,
    Waiting,
    digest,
    digest_subject,
)
from abuse_triage.rules import taxonomy
from abuse_triage.service import keyring
from abuse_triage.service.sender import own_address
from abuse_triage.store.interface import MessageFilter, Store, StoredMessage

PARKED_LISTED = "parked listed"
"""Under this name the store remembers until when parked messages were listed in a digest."""
_LISTED = 200
"""Entries of each kind that are asked for; the digest lists fewer and says how many more there are."""
_PARKED = 10_000
"""Parked messages that are asked for, so that they are counted rightly."""
_ON_ITS_WAY = timedelta(minutes=15)
"""A message may have arrived so long before it is in the store: it is older than what it overtakes there."""
_CAME_BACK = timedelta(days=14)
"""Mail that came back is listed so long after it was written, and counted afterwards."""


def digest_input(
    settings: Settings, store: Store, *, since: datetime | None, parked_since: datetime | None, now: datetime
) -> DigestInput:
    """Gather what a digest says, from the store and the names of the taxonomy.

    Args:
        settings: that hold.
        store: to ask.
        since: the last digest, None for none; what is newer counts as new.
        parked_since: parked messages that arrived before it have been listed; None lists all.
        now: aware.
    """
    name, text = config.taxonomy(settings)
    names = taxonomy.parse(name, text).categories
    gauges = {gauge.name: gauge for gauge in store.gauges()}  # before all else: see DigestInput.settled
    undecided = [gauges[name].oldest for name in ("messages received", "messages claimed") if name in gauges]
    lost = store.mails((MailState.FAILED, MailState.UNKNOWN), _LISTED)
    # Asked for apart, so that bounces, which strangers can cause, hide nothing of ours.
    mails = lost + store.mails((MailState.UNDELIVERABLE,), _LISTED - len(lost))
    return DigestInput(
        team=settings.team.name,
        timezone=settings.team.timezone,
        at=now,
        since=since,
        open_tickets=tuple(store.open_tickets(_LISTED)),
        open_count=sum(gauge.count for gauge in gauges.values() if gauge.name.startswith("tickets open")),
        new=tuple(store.opened_since(since)) if since else (),
        category_names={category: names[category].en for category in names},
        unreadable=_held(store.messages(MessageFilter(states=(MessageState.QUARANTINED,), limit=_LISTED))),
        parked=_held(store.messages(MessageFilter(outcomes=(OutcomeKind.PARKED,), since=parked_since, limit=_PARKED))),
        parked_count=gauges["messages parked"].count,
        settled=min([now, *filter(None, undecided)]) - _ON_ITS_WAY,
        refused=tuple(
            RefusedAcknowledgement(at=message.received_at, ticket=message.ticket, reason=message.refused)
            for message in store.messages(MessageFilter(unanswered=True, since=since, limit=_LISTED))
            if message.outcome is not OutcomeKind.PARKED
        ),
        troubled=tuple(
            TroubledMail(id=mail.id, at=mail.created_at, ticket=mail.ticket, state=mail.state, error=mail.error)
            for mail in mails
            if mail.state is not MailState.UNDELIVERABLE or mail.created_at > now - _CAME_BACK
        ),
        waiting=tuple(
            Waiting(name=gauge.name, count=gauge.count, oldest=gauge.oldest)
            for gauge in gauges.values()
            if not gauge.name.startswith("tickets")
        ),
        expiring=tuple(keyring.expiring(settings, store, now)),
    )


def parked_since(store: Store) -> datetime | None:
    """Return since when parked messages were not listed in a digest yet; None where none ever was."""
    remembered = store.recall(PARKED_LISTED)
    return datetime.fromisoformat(remembered) if remembered else None


def digest_text(settings: Settings, store: Store, *, since: datetime | None, now: datetime) -> str:
    """Write the digest of everything since a moment."""
    return digest(digest_input(settings, store, since=since, parked_since=since, now=now))


def digest_mails(settings: Settings, given: DigestInput, *, due: datetime) -> list[Outgoing]:
    """Write one mail for each handler; the Message-ID is made of the time that was due and the recipient."""
    body, subject, secret = digest(given), digest_subject(given), config.secret(settings)
    sender = own_address(settings)
    mails = []
    for recipient in settings.digest.recipients:
        key = f"{due.astimezone(ZoneInfo('UTC')).isoformat()} {recipient}"
        message_id = thread.own_id("digest", key, secret, settings.reply.message_id_domain)
        content = compose(
            kind=MailKind.DIGEST,
            message_id=message_id,
            sender_name=settings.team.name,
            sender=sender,
            recipient=recipient,
            subject=subject,
            body=body,
            date=given.at,
        )
        mails.append(Outgoing(kind=MailKind.DIGEST, message_id=message_id, recipient=recipient, content=content))
    return mails


def _held(messages: Sequence[StoredMessage]) -> tuple[HeldMessage, ...]:
    return tuple(
        HeldMessage(
            id=message.id,
            received_at=message.received_at,
            sender=message.envelope.sender,
            reason=message.reason or message.error,
            subject=message.subject,
        )
        for message in messages
    )
