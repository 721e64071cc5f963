"""The way of a message on one page: bytes → reading → verdict → outcome. Everything here is a function of values."""

import hashlib
from dataclasses import replace
from datetime import datetime

from abuse_triage import reports
from abuse_triage.indicators import names
from abuse_triage.indicators.extract import extract
from abuse_triage.mail import authentication, automatic, peers, thread
from abuse_triage.mail.decode import decode
from abuse_triage.model.message import Address, Arrival, Authentication, Place
from abuse_triage.model.report import Reading
from abuse_triage.model.settings import LimitSettings, Settings
from abuse_triage.model.ticket import (
    Outcome,
    RelationKeys,
    Relations,
    TicketRef,
)
from abuse_triage.outcomes import Decision, Knowledge, mailbox_of, outcome
from abuse_triage.reports.bounce import returned
from abuse_triage.reports.marking import markings
from abuse_triage.reports.reading import fingerprint, texts
from abuse_triage.rules.evaluate import evaluate
from abuse_triage.rules.facts import Facts, facts_of
from abuse_triage.tickets.relate import relate


def read(raw: bytes, limits: LimitSettings) -> Reading:
    """Decode, read and extract: everything that touches the bytes of a stranger, done in the reader process."""
    mail = decode(raw, limits)
    report = reports.read(mail, limits)
    indicators, omitted = extract(texts(mail, limits), limits.indicators)
    return Reading(
        headers=mail.headers,
        subject=mail.subject,
        sender=mail.senders[0] if mail.senders else Address("", ""),
        message_id=mail.message_id,
        in_reply_to=mail.in_reply_to,
        references=mail.references,
        date=mail.date,
        content_type=mail.content_type,
        report=report,
        indicators=indicators,
        omitted=omitted,
        markings=markings(mail, report),
        attachments=reports.attachments(mail),
        part_types=tuple(part.content_type for part in mail.parts if part.place is not Place.FORWARDED),
        returned=returned(mail),
        fingerprint=fingerprint(mail, hashlib.sha256(raw).hexdigest()),
        defects=mail.defects,
        limits=mail.limits,
    )


def keys(reading: Reading, arrival: Arrival, knowledge: Knowledge) -> RelationKeys:
    """Name what may connect a message with tickets; ids that we did not sign are left out."""
    settings = knowledge.settings
    answered = dict.fromkeys((*reading.in_reply_to, *reversed(reading.references)))
    return RelationKeys(
        our_message_ids=tuple(own for own in answered if thread.is_own(own, knowledge.secret)),
        numbers=thread.ticket_numbers(reading.subject, settings.tickets.number, settings.team.ticket_prefix),
        fingerprint=reading.fingerprint,
        sender=arrival.envelope.sender,
        since=arrival.received_at - settings.tickets.duplicate_window,
    )


def judge(
    reading: Reading,
    arrival: Arrival,
    keys: RelationKeys,
    knowledge: Knowledge,
    *,
    checked: Authentication | None = None,
    promoted: bool = False,
) -> Decision:
    """Look up what is known offline and let the rules decide.

    `checked` is what our own check of SPF, DKIM and DMARC found; it counts where no MTA of ours is believed. `promoted`
    says that a person took the message for a report: no rule parks it then.
    """
    settings = knowledge.settings
    proof = _proof(reading, settings, checked)
    contact = peers.contact_of(reading.sender, settings.contact, proof)
    mailbox = mailbox_of(settings, arrival)
    refusal = automatic.refusal(
        reading.headers,
        reading.content_type,
        reading.sender,
        arrival.envelope,
        own_addresses=_own_addresses(settings),
        part_types=reading.part_types,
        text=reading.report.new_text or reading.report.text,
    )
    scopes = tuple(knowledge.constituency.of(indicator) for indicator in reading.indicators)
    facts = facts_of(
        reading,
        arrival.envelope,
        scopes,
        mailbox=mailbox.address,
        mailbox_kind=mailbox.kind,
        automatic_kind=refusal.kind if refusal else "",
        authentication=proof,
        contact=contact,
        truncated=arrival.truncated,
        answers_ours=bool(keys.our_message_ids),
        mentions_ticket=bool(keys.numbers),
    )
    marked = max((marking.tlp for marking in reading.markings), default=None)
    verdict = evaluate(
        knowledge.ruleset,
        facts,
        kind=mailbox.kind,
        default_tlp=mailbox.default_tlp,
        marked=marked,
        promoted=promoted,
    )
    if promoted:
        verdict = replace(verdict, reason=f"{verdict.reason}; a person took it for a report")
    return Decision(facts=facts, verdict=verdict, scopes=scopes, refusal=refusal, mailbox=mailbox)


def decide(
    reading: Reading,
    arrival: Arrival,
    keys: RelationKeys,
    relations: Relations,
    knowledge: Knowledge,
    *,
    lease: str,
    previous: TicketRef | None,
    now: datetime,
    checked: Authentication | None = None,
    promoted: bool = False,
) -> Outcome:
    """Turn a reading into the outcome that the store keeps; the same values always give the same outcome.

    `checked` and `promoted` are those of `judge`.
    """
    decision = judge(reading, arrival, keys, knowledge, checked=checked, promoted=promoted)
    relation = relate(
        relations=relations,
        automatic=decision.refusal is not None,
        authenticated_from=_authenticated(reading, decision.facts),
        sender=arrival.envelope.sender,
        previous=previous,
    )
    return outcome(
        reading,
        arrival,
        decision,
        relation,
        knowledge,
        keys=keys,
        assumed=relations,
        lease=lease,
        retried=previous is not None,
        now=now,
    )


def _proof(reading: Reading, settings: Settings, checked: Authentication | None) -> Authentication:
    """Say what is proven about the sender: by our own MTA where one is configured, else by our own check."""
    trusted = settings.authentication.authserv_id
    if not trusted:
        return checked or Authentication()
    domain = names.canonical(reading.sender.domain)
    return authentication.results(reading.headers, trusted, domain, names.organisation)


def _own_addresses(settings: Settings) -> frozenset[str]:
    return frozenset(
        address.lower()
        for address in (*(mailbox.address for mailbox in settings.mailbox), settings.reply.sender)
        if address
    )


def _authenticated(reading: Reading, facts: Facts) -> str:
    """Return the From address where its domain is proven; "" otherwise."""
    return reading.sender.email if facts["auth.aligned"] else ""
