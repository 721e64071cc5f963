"""`triage`: the whole decision about one message, explained; nothing is stored or sent."""

import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from abuse_triage import logs, pipeline
from abuse_triage.cli.arrivals import arrival, assumes_sender, envelope_options, mailboxes
from abuse_triage.cli.context import State, common, json_option, pass_state
from abuse_triage.cli.lookedup import hosts_of, progress, show_lookups, sources_of
from abuse_triage.cli.mailfiles import mails_from, mails_in
from abuse_triage.cli.output import document, fields, say, show
from abuse_triage.cli.protection import protection_document, show_protection
from abuse_triage.errors import InputError
from abuse_triage.indicators.refang import defang, defang_text
from abuse_triage.judgement import judge
from abuse_triage.mail.addressee import Addressee
from abuse_triage.mail.origin import Origin, Witness
from abuse_triage.model.decision import Tlp, Verdict
from abuse_triage.model.message import Arrival
from abuse_triage.model.report import Reading
from abuse_triage.model.ticket import Outcome, Relations
from abuse_triage.outcomes import Decision
from abuse_triage.service.dry import Dry, enriched
from abuse_triage.service.knowledge import knowledge_of
from abuse_triage.service.tryout import try_opening

_OF_MAIL = frozenset(
    ("from", "sender", "to", "cc", "subject", "date", "message-id", "received", "return-path", "content-type")
)
"""Fields of which a mail has one at least."""
_SHOWN = 100
_ABSENT = ("", 0, False, (), -1)
"""What facts are that say nothing."""
_FACTS_LEFT_OUT = (
    *("auth.", "body.", "contact.", "decision.", "envelope.", "from.", "header.", "indicators.", "lang", "mailbox."),
    *("marking.", "message.readable", "report.format", "subject", "text"),
)
"""Shown elsewhere, or too long; --json has them."""


@click.command()
@click.argument(
    "source", metavar="FILE|-", type=click.Path(exists=True, allow_dash=True, dir_okay=False, path_type=Path)
)
@envelope_options
@click.option("--lookups", is_flag=True, help="Ask registries and DNS as far as the policy allows, and wait for it.")
@common
@json_option
@pass_state
def triage(
    state: State, *, source: Path, sender: str | None, recipients: tuple[str, ...], lookups: bool, as_json: bool
) -> None:
    """Explain what would become of one message; nothing is stored.

    Earlier tickets are not looked at, so the message counts as the first about its matter. Where the file has no
    Return-Path and there is no --sender, the address in From stands for the envelope sender. What is encrypted is
    opened with the team's key, shown, and kept nowhere. With --lookups what the message points at is asked about, even
    where lookups.enabled is false; budgets are those of the daemon.
    """
    settings = state.settings()
    if lookups:
        logs.setup(settings.log, lasting=False)
    knowledge = knowledge_of(settings)
    limit = settings.smtp.max_message
    mails = mails_from(sys.stdin.buffer, "-", limit) if str(source) == "-" else mails_in(source, limit)
    mail = next(mails, None)
    if mail is None:
        raise InputError(f"there is no message in {source}")
    message = arrival(mail, sender, mailboxes(settings, recipients))
    reading = pipeline.read(message.raw, settings.limits)
    if not any(header.name in _OF_MAIL for header in reading.headers):
        say(f"warning: {mail.source} has no header of a mail: is it one? It is read all the same.")
    keys = pipeline.keys(reading, message, knowledge)
    tried = try_opening(settings, reading, message)
    if tried.problem:
        say(f"warning: {tried.problem}. OpenPGP in {mail.source} is not looked at: the daemon would.")
    with Dry(settings, knowledge, ask=lookups) as dry:
        known = dry.known(reading, tried.opened, message)
        decision = judge(reading, message, keys, dry.knowledge, opened=tried.opened, enrichment=known)
        found = dry.looked_up(decision.wanted, progress)
        if lookups:
            known = enriched(known, found)
            decision = judge(reading, message, keys, dry.knowledge, opened=tried.opened, enrichment=known)
        sources = sources_of(dry.store, settings.lookups)
    outcome = pipeline.decide(
        reading,
        message,
        keys,
        Relations(),
        knowledge,
        lease="",
        previous=None,
        now=datetime.now(UTC),
        opened=tried.opened,
        enrichment=known,
    )
    inside = decision.inside
    if as_json:
        document(
            {
                "envelope": message.envelope,
                "facts": decision.facts,
                "indicators": [
                    {"indicator": indicator, "scope": scope}
                    for indicator, scope in zip(inside.indicators, decision.scopes, strict=True)
                ],
                "lookups": found,
                "markings": inside.markings,
                "outcome": outcome.kind,
                "origin": _origin_document(decision.origin),
                "acknowledgement": {
                    "to": [] if outcome.refused else [decision.addressee.address],
                    "reason": decision.addressee.reason,
                    "proven": decision.addressee.proven,
                    "refused": outcome.refused,
                },
                "openpgp": protection_document(tried, reading),
                "reading": {"format": inside.report.format, "defects": inside.defects, "limits": inside.limits},
                "verdict": decision.verdict,
            }
        )
        return
    _message(message, inside, assumed=assumes_sender(mail, sender))
    show_protection(tried, reading, inside)
    _origin(decision.origin)
    _facts(decision)
    _category(decision.verdict)
    _rules(decision.verdict)
    _tlp_and_priority(decision, inside)
    _indicators(inside, decision)
    hosts = hosts_of((one.kind, one.value) for one in inside.indicators)
    show_lookups(found, sources, settings.team.timezone, hosts=hosts)
    _acknowledgement(outcome, decision.addressee)


def _message(message: Arrival, reading: Reading, *, assumed: bool) -> None:
    show("What came in")
    report = reading.report
    note = " (assumed: the address in From)" if assumed else ""
    fields(
        [
            ("subject", _short(reading.subject)),
            ("From", f"{reading.sender.name} <{reading.sender.email}>".strip()),
            ("envelope", f"from <{message.envelope.sender}>{note} to {', '.join(message.envelope.recipients)}"),
            ("read as", f"{report.format}: {report.reason}"),
            ("language", report.language or "not recognised"),
            ("attachments", ", ".join(_short(f"{item.name} ({item.content_type})") for item in reading.attachments)),
            ("odd", "; ".join(reading.defects)),
            ("cut off", "; ".join(reading.limits)),
        ],
        indent=2,
    )


def _origin(origin: Origin) -> None:
    """Show what is proven about the sender, and by whom."""
    proof, contact = origin.proof, origin.contact
    said = f"SPF {proof.spf}, DKIM {proof.dkim}, DMARC {proof.dmarc}"
    meant = "From may be forged" if proof.forged else f"From is {'' if proof.aligned else 'not '}proven"
    _section("Who wrote")
    fields(
        [
            ("says", str(origin.witness)),
            ("results", said if origin.witness is not Witness.NOBODY else ""),
            ("so", meant),
            ("contact", f"{contact.name}, {contact.kind}" if contact else ""),
            ("their number", origin.number),
            ("own list", origin.own_list),
            ("wrote to it", origin.writer.email if origin.rewritten else ""),
        ],
        indent=2,
    )


def _origin_document(origin: Origin) -> dict[str, object]:
    return {
        "witness": origin.witness,
        "proof": origin.proof,
        "aligned": origin.proof.aligned,
        "forged": origin.proof.forged,
        "writer": origin.writer,
        "own_list": origin.own_list,
        "contact": origin.contact.name if origin.contact else "",
        "number": origin.number,
    }


def _facts(decision: Decision) -> None:
    _section("What the rules could see besides")
    fields(
        (
            (name, _value(value))
            for name, value in sorted(decision.facts.items())
            if value not in _ABSENT and not name.startswith(_FACTS_LEFT_OUT)
        ),
        indent=2,
    )


def _category(verdict: Verdict) -> None:
    decided = f"Decided: {verdict.category}{f' ({verdict.type})' if verdict.type else ''}"
    _section("Parked: no ticket" if verdict.parked else decided)
    scores = ", ".join(f"{category} {score}" for category, score in verdict.scores)
    fields(
        [
            ("because", verdict.reason),
            ("outcome", "" if verdict.parked else f"opens a ticket, {verdict.kind}"),
            ("evidence", "" if verdict.parked else scores or "none"),
            ("review", "a person should look" if verdict.review else ""),
            ("tags", ", ".join(verdict.tags)),
            ("queue", verdict.queue),
            ("assign", verdict.assign),
        ],
        indent=2,
    )


def _rules(verdict: Verdict) -> None:
    _section("Rules that spoke, in their order")
    if not verdict.trace:
        show("  none")
    for entry in verdict.trace:
        shadow = "" if entry.applied else "  (in shadow: counted for nothing)"
        show(f"  {entry.phase}: {entry.effect}{shadow}")
        show(f"    {entry.rule}  ({entry.file}:{entry.line})")
        show(f"    why: {entry.why}")
        for fact, words in entry.because:
            show(f"    because {fact}: {defang_text(words)}")


def _tlp_and_priority(decision: Decision, reading: Reading) -> None:
    verdict = decision.verdict
    _section(f"{verdict.tlp.label}, priority {verdict.priority.upper()}")
    for marking in reading.markings:
        show(f"  marked {marking.tlp.label} in the {marking.place}: {_short(marking.seen)}")
    if not verdict.tlp_marked:
        default = decision.mailbox.default_tlp
        if decision.protection.sealed and default < Tlp.AMBER:
            show(f"  not marked; {Tlp.AMBER.label} is the least for what comes encrypted")
        else:
            show(f"  not marked; {default.label} is the default of {decision.mailbox.address}")
    speaking = [entry for entry in verdict.trace if entry.applied and re.search("TLP|priority", entry.effect)]
    for entry in speaking:
        show(f"  {entry.effect}, says {entry.rule}")
    if not any("priority" in entry.effect for entry in speaking):
        show(f"  no rule speaks of the priority; {verdict.priority.upper()} is the usual one")


def _indicators(reading: Reading, decision: Decision) -> None:
    omitted = f", {reading.omitted} more omitted" if reading.omitted else ""
    _section(f"Indicators: {len(reading.indicators)}{omitted} (* is yours)")
    for indicator, scope in zip(reading.indicators, decision.scopes, strict=True):
        places = ", ".join(indicator.places)
        show(f"  {'*' if scope.ours else ' '} {indicator.kind.value:6} {defang(indicator.value)}  [{places}]")
        if scope.reason:
            show(f"             {defang_text(scope.reason)}")


def _acknowledgement(outcome: Outcome, addressee: Addressee) -> None:
    if outcome.refused:
        _section("No acknowledgement")
        show(f"  {outcome.refused}")
    else:
        _section(f"Acknowledged to {addressee.address}")
        show(f"  {addressee.reason}")
        show(f"  the sender is {'proven' if addressee.proven else 'not proven: the smaller budget holds'}")


def _value(value: object) -> str:
    if value is True:
        return "yes"
    if isinstance(value, tuple):
        return defang_text(_short(", ".join(map(str, value))))
    return defang_text(_short(str(value)))


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _section(title: str) -> None:
    show()
    show(title)
