"""What is decided about one message by itself: who wrote, whether and to whom it is answered, what the rules say."""

from dataclasses import dataclass, replace

from abuse_triage.enrichment.late import late_facts
from abuse_triage.enrichment.plan import plan
from abuse_triage.enrichment.policy import level_of
from abuse_triage.enrichment.questions import Question, questions, subjects
from abuse_triage.indicators import names
from abuse_triage.mail import automatic, thread
from abuse_triage.mail.addressee import addressee
from abuse_triage.mail.origin import Origin, origin, own_addresses
from abuse_triage.model.decision import Tlp, Verdict
from abuse_triage.model.lookups import NOTHING_KNOWN, DirectoryEntry, Enrichment, Wanted
from abuse_triage.model.message import Arrival, Authentication
from abuse_triage.model.openpgp import Encrypted, Protection
from abuse_triage.model.report import NOT_OPENED, Opened, Reading, Scope
from abuse_triage.model.settings import Settings
from abuse_triage.model.ticket import RelationKeys
from abuse_triage.outcomes import Decision, Knowledge, mailbox_of
from abuse_triage.reports.reading import points
from abuse_triage.rules.evaluate import evaluate
from abuse_triage.rules.facts import Facts, facts_of


def judge(
    reading: Reading,
    arrival: Arrival,
    keys: RelationKeys,
    knowledge: Knowledge,
    *,
    checked: Authentication | None = None,
    promoted: bool = False,
    opened: Opened = NOT_OPENED,
    enrichment: Enrichment = NOTHING_KNOWN,
) -> Decision:
    """Let the rules decide on what the message says and on what is known about it, and plan what else to ask.

    `checked` is what our own check of SPF, DKIM and DMARC found; it counts where no MTA of ours is believed. `promoted`
    says that a person took the message for a report: it is not parked then. `opened` is what OpenPGP adds: the rules
    see the plaintext, but whether and to whom an encrypted message is answered is decided on its outside alone, or our
    answer would tell strangers whether we could open what they sent. `enrichment` is what the cache, local files and
    the contact directory know; nothing is asked here.
    """
    who = origin_of(reading, arrival, knowledge, checked)
    refusal = _refusal(reading, arrival, keys, knowledge, who)
    known = _Known(arrival, keys, knowledge, who, refusal, opened.protection, enrichment)
    inside = opened.reading or reading
    sealed = opened.protection.sealed
    facts, scopes = _facts(inside, known)
    verdict = _verdict(inside, facts, known, promoted=promoted or sealed)
    if sealed:
        known = replace(known, protection=_as_a_stranger_sees(opened.protection), enrichment=NOTHING_KNOWN)
        outside = _verdict(reading, _facts(reading, known)[0], known, promoted=promoted)
        verdict = outside if outside.parked else replace(verdict, acknowledge=outside.acknowledge)
    if promoted:
        verdict = replace(verdict, reason=f"{verdict.reason}; a person took it for a report")
    elif refusal is not None and refusal.parks:
        verdict = park(verdict, refusal.reason)
    if opened.protection.encrypted is Encrypted.FAILED:
        verdict = replace(verdict, review=True)
    return Decision(
        inside=inside,
        protection=opened.protection,
        facts=facts,
        verdict=verdict,
        scopes=scopes,
        refusal=refusal,
        mailbox=mailbox_of(knowledge.settings, arrival),
        origin=who,
        addressee=addressee(
            arrival.envelope.sender,
            who.writer,
            who.proof,
            names.organisation,
            over_own_list=bool(who.own_list),
            rewritten=who.rewritten,
            signed=opened.protection.verified and not sealed,
        ),
        wanted=() if verdict.parked else _wanted(verdict, enrichment, arrival, knowledge, sealed=sealed),
    )


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known about a message before anybody looks at what it says."""

    arrival: Arrival
    keys: RelationKeys
    knowledge: Knowledge
    who: Origin
    refusal: automatic.Refusal | None
    protection: Protection
    enrichment: Enrichment


def _as_a_stranger_sees(protection: Protection) -> Protection:
    """Return what is known of a message that was encrypted without trying to open it."""
    return Protection(form=protection.form, encrypted=Encrypted.YES)


def _refusal(
    reading: Reading, arrival: Arrival, keys: RelationKeys, knowledge: Knowledge, who: Origin
) -> automatic.Refusal | None:
    """Return why a message must not be answered, None where it may be."""
    settings = knowledge.settings
    text = reading.report.new_text or reading.report.text
    return automatic.refusal(
        reading.headers,
        reading.content_type,
        who.writer,
        arrival.envelope,
        own_addresses=own_addresses(settings),
        part_types=reading.part_types,
        text=text,
        circumstances=automatic.Circumstances(
            own_message=thread.is_own(reading.message_id, knowledge.secret),
            answers_us=bool(keys.our_message_ids or keys.numbers),
            quotes_us=bool(numbers(text, settings)),
            points=points(reading.indicators, [names.organisation(domain) for domain in _domains(reading, arrival)]),
            team=who.team,
            own_list=who.own_list,
            robots=knowledge.robots,
        ),
    )


def asked_of(reading: Reading, arrival: Arrival, knowledge: Knowledge) -> tuple[tuple[str, ...], tuple[Question, ...]]:
    """Return the subjects of a reading, and what could be asked about them; nothing about the sender's own domain."""
    constituency, domains = knowledge.constituency, _domains(reading, arrival)
    found = subjects(
        reading.indicators,
        [constituency.of(indicator) for indicator in reading.indicators],
        constituency,
        apart={name for one in domains for name in (names.organisation(one), constituency.registrable(one))},
    )
    return tuple(found), questions(found, knowledge.settings.lookups)


def _facts(reading: Reading, known: _Known) -> tuple[Facts, tuple[Scope, ...]]:
    """Return the facts of a reading, and whose each of its indicators is."""
    mailbox = mailbox_of(known.knowledge.settings, known.arrival)
    scopes = tuple(known.knowledge.constituency.of(indicator) for indicator in reading.indicators)
    facts = facts_of(
        reading,
        known.arrival.envelope,
        scopes,
        mailbox=mailbox.address,
        mailbox_kind=mailbox.kind,
        automatic_kind=known.refusal.kind if known.refusal else "",
        authentication=known.who.proof,
        contact=known.who.contact,
        truncated=known.arrival.truncated,
        answers_ours=bool(known.keys.our_message_ids),
        mentions_ticket=bool(known.keys.numbers),
        protection=known.protection,
        reporter=_reporter(reading, known),
    )
    facts.update(late_facts(known.enrichment, known.arrival.received_at))
    return facts, scopes


def _reporter(reading: Reading, known: _Known) -> DirectoryEntry | None:
    """Return the directory's entry for whoever wrote, None where that is not proven."""
    entry = known.enrichment.reporter
    proven = {known.who.proven_writer, reading.sender.email if known.protection.verified else ""} - {""}
    return entry if entry is not None and entry.email in proven else None


def _wanted(
    verdict: Verdict,
    enrichment: Enrichment,
    arrival: Arrival,
    knowledge: Knowledge,
    *,
    sealed: bool,
) -> tuple[Wanted, ...]:
    """Plan what to ask, as far as the TLP that was decided allows."""
    settings = knowledge.settings
    if not settings.lookups.enabled:
        return ()
    default = mailbox_of(settings, arrival).default_tlp
    return plan(
        enrichment,
        settings.lookups,
        tlp=verdict.tlp,
        level=level_of(verdict.tlp, default, marked=verdict.tlp_marked, sealed=sealed),
        message_id=arrival.id,
        received_at=arrival.received_at,
        secret=knowledge.secret,
    )


def _verdict(reading: Reading, facts: Facts, known: _Known, *, promoted: bool) -> Verdict:
    """Let the rules decide; what was encrypted is at least AMBER unless its sender says otherwise."""
    mailbox = mailbox_of(known.knowledge.settings, known.arrival)
    default = max(mailbox.default_tlp, Tlp.AMBER) if known.protection.sealed else mailbox.default_tlp
    return evaluate(
        known.knowledge.ruleset,
        facts,
        kind=mailbox.kind,
        default_tlp=default,
        marked=max((marking.tlp for marking in reading.markings), default=None),
        promoted=promoted,
    )


def origin_of(reading: Reading, arrival: Arrival, knowledge: Knowledge, checked: Authentication | None) -> Origin:
    """Find out who wrote a message; `checked` as in `judge`."""
    return origin(
        reading.headers,
        reading.subject,
        reading.sender,
        knowledge.settings,
        return_path=arrival.envelope.sender,
        checked=checked,
        canonical=names.canonical,
        organisation=names.organisation,
    )


def park(verdict: Verdict, reason: str) -> Verdict:
    """Return a verdict that parks the message instead: no ticket, no answer."""
    return replace(verdict, parked=reason, reason=f"parked: {reason}", acknowledge=False)


def _domains(reading: Reading, arrival: Arrival) -> tuple[str, ...]:
    """Return the domains of the sender, which stand in whatever comes from there."""
    addresses = (reading.sender.email, arrival.envelope.sender)
    return tuple(address.rpartition("@")[2].lower() for address in addresses)


def numbers(text: str, settings: Settings) -> tuple[str, ...]:
    """Return the numbers of ours in the beginning of a text."""
    return thread.ticket_numbers(text, settings.tickets.number, settings.team.ticket_prefix)
