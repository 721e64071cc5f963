"""Made-up messages, decisions and mails that the contract tests store."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from abuse_triage.model.decision import Phase, Priority, TicketKind, Tlp, TraceEntry, Verdict
from abuse_triage.model.message import Arrival, Channel, Envelope
from abuse_triage.model.openpgp import Certificate, KeyOrigin, KnownKey
from abuse_triage.model.report import Scope
from abuse_triage.model.ticket import (
    NUMBER_PLACEHOLDER,
    JournalEntry,
    MailKind,
    Outcome,
    OutcomeKind,
    Outgoing,
    RelationKeys,
    Relations,
    ScopedIndicator,
    TicketDraft,
)
from abuse_triage.store.interface import Claimed, Finished, Store

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LEASE = timedelta(minutes=5)
REPORTER = "ana@example.org"
ABUSE = "abuse@example.pt"


def arrival(
    name: str = "m1", *, minutes: int = 0, sender: str = REPORTER, raw: bytes = b"Subject: fraude\r\n\r\n"
) -> Arrival:
    """A message that came in so many minutes after noon."""
    return Arrival(
        id=name,
        received_at=NOON + timedelta(minutes=minutes),
        envelope=Envelope(
            sender=sender, recipients=(ABUSE,), channel=Channel.SMTP, peer="192.0.2.7", helo="mx.example.org", tls=True
        ),
        raw=raw,
    )


def arrivals(count: int) -> list[Arrival]:
    """Messages "m000", "m001" and so on, a minute apart, each from somebody else."""
    return [arrival(f"m{n:03}", minutes=n, sender=f"reporter{n}@example.org") for n in range(count)]


def keys(
    fingerprint: str,
    *,
    sender: str = REPORTER,
    ids: Sequence[str] = (),
    numbers: Sequence[str] = (),
    days: int = 7,
    peer: str = "",
) -> RelationKeys:
    """What a message names; its window began so many days before noon."""
    return RelationKeys(
        our_message_ids=tuple(ids),
        numbers=tuple(numbers),
        fingerprint=fingerprint,
        sender=sender,
        since=NOON - timedelta(days=days),
        peer=peer,
    )


VERDICT = Verdict(
    category="fraud",
    type="fraud:phishing",
    tlp=Tlp.AMBER_STRICT,
    tlp_marked=True,
    priority=Priority.P2,
    kind=TicketKind.INCIDENT,
    reason="fraud, 70 points",
    generation="a1b2",
    tags=("bank",),
    scores=(("fraud", 70), ("other", 10)),
    trace=(
        TraceEntry(
            phase=Phase.CLASSIFY,
            rule="fraud.login-page",
            file="rules/classify.yaml",
            line=12,
            why="a copy of a login page",
            because=(("text.new", "página falsa"),),
            effect="fraud +70 (strong)",
        ),
    ),
)

DRAFT = TicketDraft(
    kind=TicketKind.INCIDENT,
    category="fraud",
    type="fraud:phishing",
    tlp=Tlp.AMBER_STRICT,
    tlp_marked=True,
    priority=Priority.P2,
    review=False,
    summary="Página falsa em hxxps://banco.example[.]com",
    reporter=REPORTER,
    mailbox=ABUSE,
    due=NOON + timedelta(hours=8),
    year=2026,
    protection="encrypted, signed and verified",
)

DOMAIN = ScopedIndicator(
    kind="domain",
    value="banco.example.pt",
    registrable="banco.example.pt",
    scope=Scope(ours=True, reason="banco.example.pt: below .pt", registry="pt"),
)
ADDRESS = ScopedIndicator(
    kind="ipv4",
    value="192.0.2.80",
    registrable="",
    scope=Scope(ours=False, reason="192.0.2.80: documentation", special="TEST-NET-1"),
)


def acknowledgement(name: str, recipient: str = REPORTER) -> Outgoing:
    """The mail that answers a message."""
    return Outgoing(
        kind=MailKind.ACKNOWLEDGEMENT,
        message_id=f"ack.{name}@example.pt",
        recipient=recipient,
        content=f"Subject: [{NUMBER_PLACEHOLDER}] recebido\r\n\r\nReferência {NUMBER_PLACEHOLDER}\r\n".encode(),
    )


def notice(name: str = "n1") -> Outgoing:
    """A mail that tells handlers something at once."""
    return replace(digest(), kind=MailKind.NOTICE, message_id=f"notice.{name}@example.pt")


def digest(name: str = "d1") -> Outgoing:
    """An overview for handlers."""
    return Outgoing(
        kind=MailKind.DIGEST,
        message_id=f"digest.{name}@example.pt",
        recipient="handlers@example.pt",
        content=b"Subject: digest\r\n\r\n",
    )


def entry(action: str, detail: str = "", *, minutes: int = 1) -> JournalEntry:
    """One line of history, written so many minutes after noon."""
    return JournalEntry(at=NOON + timedelta(minutes=minutes), actor="triage", action=action, detail=detail)


def opens(claimed: Claimed, **changes: object) -> Outcome:
    """The usual outcome: a new ticket and one acknowledgement; unlike all others unless `keys` are given."""
    message = claimed.arrival
    plain = Outcome(
        message_id=message.id,
        lease=claimed.lease,
        kind=OutcomeKind.OPENED,
        reason="fraud, 70 points",
        format="plain",
        verdict=VERDICT,
        facts='{"schema": 1, "facts": {"text": "página"}}',
        keys=keys(f"content of {message.id}", sender=message.envelope.sender),
        assumed=Relations(),
        opens=replace(DRAFT, reporter=message.envelope.sender),
        indicators=(DOMAIN, ADDRESS),
        journal=(entry("opened", "fraud, 70 points"),),
        outgoing=(acknowledgement(message.id, message.envelope.sender),),
        participants=(message.envelope.sender,),
    )
    return replace(plain, **changes)


def joins(claimed: Claimed, ticket_id: int, **changes: object) -> Outcome:
    """A follow-up, which gets no acknowledgement."""
    given = {"kind": OutcomeKind.JOINED, "opens": None, "joins": ticket_id, "outgoing": (), "refused": "a follow-up"}
    return opens(claimed, **{"journal": (entry("joined", minutes=2),), **given, **changes})


def parks(claimed: Claimed, **changes: object) -> Outcome:
    """A message that opens nothing."""
    given = {"kind": OutcomeKind.PARKED, "opens": None, "outgoing": (), "refused": "parked", "reason": "newsletter"}
    return opens(claimed, **{"journal": (), "indicators": (), **given, **changes})


def quarantines(claimed: Claimed, **changes: object) -> Outcome:
    """A message that could not be read: a ticket that says so, and nothing else."""
    given = {"kind": OutcomeKind.QUARANTINED, "outgoing": (), "refused": "unreadable", "verdict": None, "facts": "{}"}
    return opens(claimed, **{"journal": (entry("quarantined"),), "indicators": (), **given, **changes})


def certificate(number: int = 1, *emails: str, **changes: object) -> Certificate:
    """An OpenPGP certificate unlike those of other numbers, with one subkey, in which a name claims these addresses."""
    fingerprint = f"{number:040X}"
    plain = Certificate(
        fingerprint=fingerprint,
        key_ids=(fingerprint[-16:], f"5{number:015X}"),
        names=tuple(f"Ana Conceição <{email}>" for email in emails),
        emails=emails,
        blob=b"\x98\x33\x00" + number.to_bytes(4, "big"),
        created=NOON - timedelta(days=400),
        expires=NOON + timedelta(days=400),
        can_encrypt=True,
    )
    return replace(plain, **changes)


def known(found: Certificate, *addresses: str, origin: KeyOrigin = KeyOrigin.OPERATOR, **changes: object) -> KnownKey:
    """A certificate that the operator added and says belongs to these addresses."""
    plain = KnownKey(
        certificate=found, origin=origin, addresses=addresses, note="call 21 000 00 00", added_at=NOON, added_by="rui"
    )
    return replace(plain, **changes)


def claim_one(store: Store, lease: timedelta = LEASE) -> Claimed:
    """Claim exactly one message."""
    (claimed,) = store.claim(1, lease)
    return claimed


def open_ticket(store: Store, name: str = "m1", **changes: object) -> Finished:
    """Bring one message the whole way to a ticket."""
    sender = changes.pop("sender", REPORTER)
    store.accept([arrival(name, sender=str(sender))])
    (finished,) = store.finish([opens(claim_one(store), **changes)])
    assert isinstance(finished, Finished)
    return finished


def content_of(store: Store, fingerprint: str, *, sender: str = REPORTER) -> Relations:
    """What a message with this content from this sender relates to now."""
    return store.relations(keys(fingerprint, sender=sender))
