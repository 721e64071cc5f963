"""What a decision writes: the ticket, its journal, the facts to keep, and the acknowledgement or why there is none."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from abuse_triage import records
from abuse_triage.enrichment.late import LATE_FACTS
from abuse_triage.indicators.refang import defang_text
from abuse_triage.indicators.scope import Constituency
from abuse_triage.mail import automatic, thread
from abuse_triage.mail.addressee import Addressee
from abuse_triage.mail.origin import Origin
from abuse_triage.model.decision import Priority, Verdict
from abuse_triage.model.identity import Mailbox
from abuse_triage.model.lookups import Wanted
from abuse_triage.model.message import Arrival
from abuse_triage.model.openpgp import Encrypted, Protection
from abuse_triage.model.report import NOT_OPENED, Opened, Reading, Scope
from abuse_triage.model.settings import Settings
from abuse_triage.model.ticket import (
    JournalEntry,
    Outcome,
    OutcomeKind,
    Outgoing,
    RelationKeys,
    Relations,
    ScopedIndicator,
    TicketDraft,
    TicketRef,
)
from abuse_triage.replies.acknowledgement import acknowledge, incident_address, promised
from abuse_triage.replies.missing import asked, missing
from abuse_triage.replies.notice import notice, reasons
from abuse_triage.replies.wording import SHIPPED, Wording
from abuse_triage.rules.facts import Facts
from abuse_triage.rules.ruleset import Ruleset
from abuse_triage.tickets.number import year_of
from abuse_triage.tickets.relate import Relation

ACTOR = "triage"
"""Who the journal names for what the daemon does by itself."""
_SUMMARY = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """One generation of what decisions are made with.

    `secret` signs our Message-IDs; `robots` are addresses and domains that are never answered.
    """

    settings: Settings
    ruleset: Ruleset
    constituency: Constituency
    secret: bytes
    wording: Wording = SHIPPED
    robots: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided about one message, before it is told what it relates to.

    `inside` is the reading that the rules saw: that of the plaintext where one was opened. All that a stranger may
    learn of the decision (refusal, origin, addressee) depends on the outside of the message only. `wanted` are the
    look-ups that it asks for.
    """

    inside: Reading
    protection: Protection
    facts: Facts
    verdict: Verdict
    scopes: tuple[Scope, ...]
    refusal: automatic.Refusal | None
    mailbox: Mailbox
    origin: Origin
    addressee: Addressee
    wanted: tuple[Wanted, ...] = ()

    @property
    def sealed(self) -> bool:
        """Whether anything of the message was encrypted."""
        return self.protection.sealed


def outcome(
    reading: Reading,
    arrival: Arrival,
    decision: Decision,
    relation: Relation,
    knowledge: Knowledge,
    *,
    keys: RelationKeys,
    assumed: Relations,
    lease: str,
    retried: bool,
    now: datetime,
    opened: Opened = NOT_OPENED,
    again: bool = False,
) -> Outcome:
    """Write down what was decided about a message: all that its one transaction stores.

    `reading` is that of the outside, and `opened` what OpenPGP added to it. With `retried` the message had its ticket
    before, which then takes the new values. With `again` it was decided before, and late answers came: nobody is
    answered, and handlers are told at once only of what was not urgent before, which the store knows.
    """
    verdict = decision.verdict
    stored_verdict = records.kept(verdict, sealed=decision.sealed)
    inside = decision.inside
    summary = _summary(reading.subject, decision.protection)
    draft = _draft(summary, arrival, decision, knowledge.settings)
    kind = OutcomeKind.OPENED
    if relation.joins is not None:
        kind = OutcomeKind.JOINED
    elif verdict.parked:
        kind = OutcomeKind.PARKED
    refused = _refused(decision, relation, knowledge.settings, kind)
    lacking = missing(inside)
    outgoing = (
        ()
        if refused or again
        else (_acknowledgement(reading, arrival, decision, opened, lacking=lacking, knowledge=knowledge, now=now),)
    )
    notices, told = _notices(arrival, decision, knowledge, now) if kind is OutcomeKind.OPENED or retried else ((), ())
    return Outcome(
        message_id=arrival.id,
        lease=lease,
        kind=kind,
        reason=_late_reason(stored_verdict) if again else relation.reason if relation.joins else _reason(verdict),
        format=inside.report.format,
        verdict=stored_verdict,
        facts=records.stored(
            inside,
            summary=summary,
            facts=decision.facts,
            origin=decision.origin,
            lacking=lacking,
            protection=decision.protection,
        ),
        keys=keys,
        assumed=assumed,
        opens=draft if kind is OutcomeKind.OPENED else None,
        joins=relation.joins.id if relation.joins else None,
        updates=draft if relation.joins and retried else None,
        reopens=relation.reopens,
        links=tuple(ticket.id for ticket in relation.links),
        indicators=tuple(
            ScopedIndicator(kind=indicator.kind, value=indicator.value, registrable=indicator.registrable, scope=scope)
            for indicator, scope in zip(inside.indicators, decision.scopes, strict=True)
        ),
        journal=_again(verdict, now) if again else (*_journal(kind, decision, relation, refused, now), *told),
        outgoing=(*outgoing, *notices),
        participants=_participants(arrival, decision.origin) if relation.admits else (),
        refused=refused,
        undeliverable=undeliverable(reading, knowledge),
        signature_id=decision.protection.signature_id,
        unseen=bool(decision.protection.signature_id) and not decision.protection.replayed,
        offered=opened.offered,
        wanted=decision.wanted if kind is not OutcomeKind.PARKED else (),
        again=again,
    )


def _reason(verdict: Verdict) -> str:
    return verdict.parked or verdict.reason


def _late_reason(verdict: Verdict) -> str:
    """Name the rules that late answers made speak, and those answers."""
    spoke = [
        f"{entry.rule} ({name} = {words})" if words else f"{entry.rule} ({name})"
        for entry in verdict.trace
        if entry.applied
        for name, words in entry.because
        if name.startswith(LATE_FACTS)
    ]
    return ", ".join(spoke) or verdict.reason


def undeliverable(reading: Reading, knowledge: Knowledge) -> tuple[str, ...]:
    """Return the Message-IDs of mails of ours that a message reports as failed; those of others are left out."""
    return tuple(one.lower() for one in reading.returned if thread.is_own(one, knowledge.secret))


def quarantine(
    arrival: Arrival, error: str, knowledge: Knowledge, *, lease: str, previous: TicketRef | None, now: datetime
) -> Outcome:
    """Make the outcome of a message that could not be read: a ticket that says so, and no acknowledgement yet."""
    mailbox = mailbox_of(knowledge.settings, arrival)
    reason = f"unreadable report: {error}"
    draft = TicketDraft(
        kind=mailbox.kind,
        category="other",
        type="other:undetermined",
        tlp=mailbox.default_tlp,
        tlp_marked=False,
        priority=Priority.P3,
        review=True,
        summary=f"unreadable report (message {arrival.id})",
        reporter=arrival.envelope.sender,
        mailbox=mailbox.address,
        due=_due(arrival, Priority.P3, knowledge.settings),
        year=year_of(arrival.received_at, knowledge.settings.team.timezone),
    )
    return Outcome(
        message_id=arrival.id,
        lease=lease,
        kind=OutcomeKind.QUARANTINED,
        reason=reason,
        format="unreadable",
        verdict=None,
        facts="{}",
        keys=RelationKeys(
            our_message_ids=(),
            numbers=(),
            fingerprint=hashlib.sha256(arrival.raw).hexdigest(),
            sender=arrival.envelope.sender,
            since=now,
        ),
        assumed=Relations(),
        opens=None if previous else draft,
        joins=previous.id if previous else None,
        journal=(JournalEntry(at=now, actor=ACTOR, action="quarantined", detail=reason),),
        participants=(arrival.envelope.sender,) if arrival.envelope.sender else (),
        refused="it could not be read; it is acknowledged when a retry succeeds",
    )


def mailbox_of(settings: Settings, arrival: Arrival) -> Mailbox:
    """Return the mailbox that a message was sent to: the first configured one among its recipients."""
    recipients = set(arrival.envelope.recipients)
    return next((mailbox for mailbox in settings.mailbox if mailbox.address.lower() in recipients), settings.mailbox[0])


def _due(arrival: Arrival, priority: Priority, settings: Settings) -> datetime:
    return arrival.received_at + settings.tickets.response[priority]


def _draft(summary: str, arrival: Arrival, decision: Decision, settings: Settings) -> TicketDraft:
    verdict = decision.verdict
    return TicketDraft(
        kind=verdict.kind,
        category=verdict.category,
        type=verdict.type,
        tlp=verdict.tlp,
        tlp_marked=verdict.tlp_marked,
        priority=verdict.priority,
        review=verdict.review,
        summary=summary,
        reporter=decision.origin.correspondent(arrival.envelope.sender),
        mailbox=decision.mailbox.address,
        due=_due(arrival, verdict.priority, settings),
        year=year_of(arrival.received_at, settings.team.timezone),
        protection=decision.protection.words,
    )


def _summary(subject: str, protection: Protection) -> str:
    """Return the line that stands for a message in lists: its subject outside, and what keeps it from being read."""
    failed = protection.encrypted is Encrypted.FAILED
    notice = f"[could not be decrypted: {protection.reason}] " if failed else ""
    return f"{notice}{defang_text(subject)}"[:_SUMMARY]


def _participants(arrival: Arrival, origin: Origin) -> tuple[str, ...]:
    """Return who wrote; the addresses that a list of our own put in their place are nobody's."""
    return_path = "" if origin.own_list else arrival.envelope.sender
    return tuple(dict.fromkeys(address for address in (return_path, origin.writer.email) if address))


def _refused(decision: Decision, relation: Relation, settings: Settings, kind: OutcomeKind) -> str:
    """Say why no acknowledgement goes out; "" where one does."""
    parked, robot = decision.verdict.parked, decision.refusal.reason if decision.refusal else ""
    why = f"; {robot}" if robot and robot != parked else ""
    reasons = (
        (kind is OutcomeKind.PARKED, f"parked: {parked}{why}"),
        (robot != "", robot),
        (not relation.acknowledge, f"{relation.reason}; only the first message of a ticket is acknowledged"),
        (bool(decision.verdict.parked), f"it would be parked now: {decision.verdict.parked}"),
        (not decision.verdict.acknowledge, "a rule asks for no acknowledgement"),
        (not settings.reply.enabled, "acknowledgements are switched off"),
        (not decision.addressee.address, decision.addressee.reason),
    )
    return next((reason for applies, reason in reasons if applies), "")


def _acknowledgement(
    reading: Reading,
    arrival: Arrival,
    decision: Decision,
    opened: Opened,
    *,
    lacking: tuple[str, ...],
    knowledge: Knowledge,
    now: datetime,
) -> Outgoing:
    settings, verdict = knowledge.settings, decision.verdict
    category = knowledge.ruleset.taxonomy.category(verdict.category)
    return acknowledge(
        team=settings.team,
        kind=decision.mailbox.kind if decision.sealed else verdict.kind,  # rules saw the inside
        language=reading.report.language,
        category_names={"pt": category.pt, "en": category.en},
        counts=Counter(indicator.kind for indicator in decision.inside.indicators),
        tlp=verdict.tlp,
        tlp_marked=verdict.tlp_marked,
        missing=asked(lacking, verdict.category, verdict.type),
        received_at=arrival.received_at,
        response=promised(settings.tickets.response),
        message_id=thread.own_id("ack", arrival.id, knowledge.secret, settings.reply.message_id_domain),
        sender=settings.reply.sender or decision.mailbox.address,
        recipient=decision.addressee.address,
        date=now,
        in_reply_to=reading.message_id,
        references=reading.references or reading.in_reply_to,
        incident_address=incident_address(settings.mailbox),
        their_number=decision.origin.number,
        proven=decision.addressee.proven,
        dsa_notice=settings.reply.dsa_notice,
        sealed=decision.sealed,
        encrypt_to=opened.reply_keys.get(decision.addressee.address.lower(), "") if decision.sealed else "",
        not_before=_answered_at(arrival.received_at, settings.openpgp.answer_delay, now) if decision.sealed else None,
        wording=knowledge.wording,
    )


def _answered_at(received_at: datetime, delay: timedelta, now: datetime) -> datetime:
    """Return when an encrypted report is answered: whole delays after it came, however long it took to open it."""
    return received_at + max(1, -((received_at - now) // delay)) * delay


def _notices(
    arrival: Arrival, decision: Decision, knowledge: Knowledge, now: datetime
) -> tuple[tuple[Outgoing, ...], tuple[JournalEntry, ...]]:
    """Write to every handler where a rule asks to tell them at once, and the line of the journal that says so."""
    settings, verdict, facts = knowledge.settings, decision.verdict, decision.facts
    rules = ", ".join(entry.rule for entry in reasons(verdict))
    if not rules:
        return (), ()
    domain = settings.reply.message_id_domain
    mails = tuple(
        notice(
            team=settings.team,
            verdict=verdict,
            category=knowledge.ruleset.taxonomy.category(verdict.category).en,
            due=_due(arrival, verdict.priority, settings),
            reporter=decision.origin.writer.email,
            proven=bool(decision.origin.proven_writer),
            forged=facts["auth.forged"] is True,
            message_id=thread.own_id("notice", f"{arrival.id} {recipient}", knowledge.secret, domain),
            sender=settings.reply.sender or decision.mailbox.address,
            recipient=recipient,
            date=now,
        )
        for recipient in settings.digest.recipients
    )
    action, detail = "handlers told at once", f"{len(mails)} notices queued, asked for by {rules}"
    if not mails:
        action, detail = "nobody told at once", f"digest.recipients is empty; asked for by {rules}"
    return mails, (JournalEntry(at=now, actor=ACTOR, action=action, detail=detail),)


def _again(verdict: Verdict, now: datetime) -> tuple[JournalEntry, ...]:
    """Write down that late answers were looked at; what they changed is written by whoever knows what was before."""
    detail = f"with what look-ups answered: {_classified(verdict)}"
    return (JournalEntry(at=now, actor=ACTOR, action="decided again", detail=detail),)


def _classified(verdict: Verdict) -> str:
    return f"{verdict.category} {verdict.type} {verdict.tlp.label} {verdict.priority.upper()}: {verdict.reason}"


def _journal(
    kind: OutcomeKind, decision: Decision, relation: Relation, refused: str, now: datetime
) -> tuple[JournalEntry, ...]:
    """Write down what happened; a parked message has no ticket, and its reasons stand with the message."""
    if kind is OutcomeKind.PARKED:
        return ()
    verdict = decision.verdict
    decided = _classified(verdict)
    lines = [("opened" if kind is OutcomeKind.OPENED else "joined", relation.reason)]
    if decision.protection.words:
        lines.append(("OpenPGP", decision.protection.words))
    lines.append(("classified", decided))
    if relation.reopens:
        lines.append(("reopened", relation.reason))
    answered = decision.addressee.reason + ("" if decision.addressee.proven else "; the sender is not proven")
    lines.append(("not acknowledged", refused) if refused else ("acknowledgement queued", answered))
    return tuple(JournalEntry(at=now, actor=ACTOR, action=action, detail=detail) for action, detail in lines)
