"""The way of a message on one page: bytes → reading → verdict → outcome. Everything here is a function of values."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from abuse_triage import reports
from abuse_triage.indicators.extract import extract
from abuse_triage.judgement import judge, numbers, origin_of, park
from abuse_triage.mail import layers, thread
from abuse_triage.mail.decode import decode
from abuse_triage.mail.opened import opened
from abuse_triage.model.lookups import NOTHING_KNOWN, Enrichment
from abuse_triage.model.message import Address, Arrival, Authentication, Mail, Place
from abuse_triage.model.openpgp import Headers
from abuse_triage.model.report import NOT_OPENED, Opened, Reading
from abuse_triage.model.settings import LimitSettings
from abuse_triage.model.ticket import (
    Outcome,
    RelationKeys,
    Relations,
    TicketRef,
)
from abuse_triage.outcomes import Knowledge, outcome, undeliverable
from abuse_triage.reports.bounce import returned
from abuse_triage.reports.marking import markings
from abuse_triage.reports.reading import fingerprint, texts
from abuse_triage.tickets.relate import relate


def read(raw: bytes, limits: LimitSettings) -> Reading:
    """Decode, read and extract: everything that touches the bytes of a stranger, done in the reader process.

    Of a signed message only what was signed is read. Of one that is encrypted as a whole the fields outside are; its
    ciphertext is no text.
    """
    mail = decode(raw, limits)
    if not layers.suspected(raw, mail):
        return _reading(mail, raw, limits)
    found = layers.find(raw, limits)
    reads = opened(raw, found.layers, (), limits)
    if reads is not None:
        mail = decode(reads.message, limits)
    reading = _reading(mail, raw, limits, encrypted=any(layer.form in layers.ROOT_ENCRYPTED for layer in found.layers))
    return replace(reading, layers=found.layers, keys=found.keys, protected=reads.headers if reads else Headers.NONE)


def read_opened(raw: bytes, plaintexts: Sequence[bytes | None], limits: LimitSettings) -> Reading:
    """Read a message again with what OpenPGP hid in it; `plaintexts` stand in the order of the layers of `read`.

    What `layers` means in the answer, `Reading` says. Without a plaintext for any layer it is what `read` returns.
    """
    found = layers.find(raw, limits)
    reads = opened(raw, found.layers, plaintexts, limits) if any(text is not None for text in plaintexts) else None
    if reads is None:
        return read(raw, limits)
    reading = _reading(decode(reads.message, limits), raw, limits)
    return replace(
        reading,
        layers=reads.layers,
        keys=(*reads.keys, *found.keys)[: layers.MOST_KEYS],
        protected=reads.headers,
        defects=(*reading.defects, *reads.defects),
    )


def _reading(mail: Mail, raw: bytes, limits: LimitSettings, *, encrypted: bool = False) -> Reading:
    """Read and extract from a decoded mail; the text of one that is encrypted as a whole is nothing to read."""
    digest = fingerprint(mail, hashlib.sha256(raw).hexdigest())
    if encrypted:
        mail = replace(mail, parts=tuple(replace(part, text=None, hrefs=()) for part in mail.parts))
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
        fingerprint=digest,
        only_sender=len(mail.senders) == 1 and len(list(mail.all("from"))) == 1,
        defects=mail.defects,
        limits=mail.limits,
    )


def keys(
    reading: Reading, arrival: Arrival, knowledge: Knowledge, *, checked: Authentication | None = None
) -> RelationKeys:
    """Name what may connect a message with tickets; ids that we did not sign, and forged senders, are left out.

    `checked` as in `judge`.
    """
    settings = knowledge.settings
    named = (*reading.in_reply_to, *reversed(reading.references), *reading.returned, reading.message_id)
    # Mail systems that fold case exist; ours are lower case.
    ours = (one.lower() for one in named if thread.is_own(one, knowledge.secret))
    subject = numbers(reading.subject, settings)
    address = thread.detail_numbers(arrival.envelope.details, settings.tickets.number, settings.team.ticket_prefix)
    who = origin_of(reading, arrival, knowledge, checked)
    return RelationKeys(
        our_message_ids=tuple(dict.fromkeys(ours)),
        numbers=tuple(dict.fromkeys((*subject, *address))),
        fingerprint=reading.fingerprint,
        # What is forged, and was not answered, must not make a duplicate of what the real sender writes.
        sender="" if who.proof.forged else who.correspondent(arrival.envelope.sender),
        since=arrival.received_at - settings.tickets.duplicate_window,
        peer=f"{who.contact.name} {who.number}" if who.contact and who.number else "",
    )


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
    opened: Opened = NOT_OPENED,
    enrichment: Enrichment = NOTHING_KNOWN,
    again: bool = False,
) -> Outcome:
    """Turn a reading into the outcome that the store keeps; the same values always give the same outcome.

    `checked`, `promoted`, `opened` and `enrichment` are those of `judge`; `again` is that of `outcome`.
    """
    decision = judge(
        *(reading, arrival, keys, knowledge),
        checked=checked,
        promoted=promoted,
        opened=opened,
        enrichment=enrichment,
    )
    refusal = decision.refusal
    relation = relate(
        relations=relations,
        automatic=refusal.kind if refusal and not refusal.by_person else "",
        authenticated_from=decision.origin.proven_writer,
        sender=decision.origin.correspondent(arrival.envelope.sender),
        previous=previous,
    )
    came_back = undeliverable(reading, knowledge)
    if came_back and relation.joins is None and not promoted:
        kinds = ", ".join(sorted({thread.kind_of(own) for own in came_back}))
        reason = f"it reports that mail of ours which belongs to no ticket ({kinds}) could not be delivered"
        decision = replace(decision, verdict=park(decision.verdict, reason))
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
        opened=opened,
        again=again,
    )
