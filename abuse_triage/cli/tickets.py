"""`ticket list` and `ticket show`; the group of all commands about tickets."""

import dataclasses
import json

import click

from abuse_triage import config
from abuse_triage.cli.context import State, common, json_option, pass_state
from abuse_triage.cli.decisions import confirm_contact, set_fields
from abuse_triage.cli.lookedup import Sources, hosts_of, show_lookups, sources_of
from abuse_triage.cli.options import Since, listing, one_of
from abuse_triage.cli.output import document, fields, moment, say, show, table
from abuse_triage.cli.texts import show_texts
from abuse_triage.cli.ticketlookups import lookup
from abuse_triage.indicators.refang import defang, defang_text
from abuse_triage.model.decision import Priority, TicketKind
from abuse_triage.model.openpgp import ADVICE, Failure, Signature, Source, signature_advice
from abuse_triage.model.settings import Settings
from abuse_triage.model.ticket import Ticket, TicketState
from abuse_triage.rules import taxonomy
from abuse_triage.store.interface import StoredReport, TicketFile, TicketFilter


@click.group()
def ticket() -> None:
    """List and show tickets, and decide about them."""


for command in (set_fields, confirm_contact, lookup):
    ticket.add_command(command)


@ticket.command("list")
@click.option("--state", "states", multiple=True, type=one_of(TicketState), help="Only these; may be repeated.")
@click.option("--kind", type=one_of(TicketKind), help="Only this kind.")
@click.option("--category", default="", help="Only this class of the taxonomy, such as fraud.")
@click.option("--priority", type=one_of(Priority), help="Only this priority.")
@click.option("--due", is_flag=True, help="Open tickets only, in the order in which they want a decision.")
@listing
@common
@json_option
@pass_state
def list_tickets(
    state: State,
    *,
    states: tuple[str, ...],
    kind: str | None,
    category: str,
    priority: str | None,
    since: Since | None,
    due: bool,
    limit: int,
    as_json: bool,
) -> None:
    """List tickets, newest first."""
    if due and (states or kind or category or priority or since):
        raise click.UsageError("--due goes with --limit only")
    with state.store() as (settings, store):
        zone = settings.team.timezone
        _check_category(settings, category)
        which = TicketFilter(
            states=tuple(TicketState(item) for item in states),
            kind=TicketKind(kind) if kind else None,
            category=category,
            priority=Priority(priority) if priority else None,
            since=since(zone) if since else None,
            limit=limit + 1,
        )
        found = store.open_tickets(limit + 1) if due else store.tickets(which)
    if len(found) > limit:
        found = found[:limit]
        say(f"only the first {limit} are shown; --limit shows more")
    if as_json:
        document(found)
        return
    table(
        ("NUMBER", "STATE", "PRI", "TLP", "CATEGORY", "DUE", "MSGS", "REPORTER", "SUMMARY"),
        (
            (
                item.number,
                item.state.value,
                item.priority.value + ("?" if _review(item) else ""),
                item.tlp.label.removeprefix("TLP:"),
                item.type or item.category,
                moment(item.due, zone),
                str(item.messages),
                item.reporter or "-",
                item.summary,
            )
            for item in found
        ),
    )


def _check_category(settings: Settings, category: str) -> None:
    """Refuse a class that does not exist, and say which do."""
    name, text = config.taxonomy(settings)
    known = taxonomy.parse(name, text)
    if category and category not in known.categories:
        of_type = known.category_of_type.get(category)
        hint = f"it is a type of {of_type}" if of_type else f"there are {', '.join(known.categories)}"
        raise click.UsageError(f"{category!r} is no category; {hint}")


@ticket.command("show")
@click.argument("number")
@click.option("--text", is_flag=True, help="Print what its messages say as well, decrypted where they came encrypted.")
@common
@json_option
@pass_state
def show_ticket(state: State, number: str, text: bool, as_json: bool) -> None:
    """Show all about one ticket, named by its number or the end of it.

    With --text, that something encrypted was read is journaled.
    """
    if text and as_json:
        raise click.UsageError("--text and --json exclude each other")
    with state.store() as (settings, store):
        found = store.ticket(number.lstrip("#"))
        if as_json:
            reports = [{**dataclasses.asdict(report), "facts": json.loads(report.facts)} for report in found.reports]
            document({**dataclasses.asdict(found), "reports": reports})
            return
        _show(found, settings.team.timezone, sources_of(store, settings.lookups))
        if text:
            show_texts(settings, store, [report.message_id for report in found.reports])


def _show(found: TicketFile, zone: str, sources: Sources) -> None:
    item = found.ticket
    due = moment(item.due, zone)
    show(f"{item.number}  {item.summary}")
    fields(
        [
            ("state", f"{item.state}, {item.kind}{_by_hand(item, 'kind')}"),
            ("category", f"{item.type or item.category}{_by_hand(item, 'category')}{_review(item)}"),
            ("priority", f"{item.priority.upper()}{_by_hand(item, 'priority')}, first answer due {due} ({zone})"),
            ("TLP", f"{item.tlp.label}{_by_hand(item, 'tlp') or _marked(item)}"),
            ("OpenPGP", item.protection),
            ("reporter", item.reporter or "none (null sender)"),
            ("mailbox", item.mailbox),
            ("opened", moment(item.created_at, zone)),
            ("changed", moment(item.updated_at, zone)),
            ("linked", ", ".join(found.linked)),
        ],
        indent=2,
    )
    for report in found.reports:
        _show_report(report, zone)
    _section("Indicators")
    for indicator in found.indicators:
        mark = "*" if indicator.scope.ours else " "
        show(f"  {mark} {defang(indicator.value)}  {defang_text(indicator.scope.reason)}")
    hosts = hosts_of((one.kind, one.value) for one in found.indicators)
    show_lookups(found.lookups, sources, zone, hosts=hosts, number=item.number)
    _section("Our mail")
    for mail in found.mails:
        show(f"  {mail.id}  {mail.kind} to {mail.recipient}: {mail.state}{f', {mail.error}' if mail.error else ''}")
    _section("Journal")
    for entry in found.journal:
        show(f"  {moment(entry.at, zone)}  {entry.actor}: {entry.action}{f' ({entry.detail})' if entry.detail else ''}")


def _by_hand(item: Ticket, field: str) -> str:
    """Say that a handler set a field; "" where none did."""
    return " (set by hand)" if field in item.by_hand else ""


def _review(item: Ticket) -> str:
    """Say that the rules could not decide, and nobody else has."""
    return " (a person should look)" if item.review and "category" not in item.by_hand else ""


def _marked(item: Ticket) -> str:
    return ", as marked in the message" if item.tlp_marked else ", by default, not marked"


def _show_report(report: StoredReport, zone: str) -> None:
    _section(f"Message {report.message_id}")
    verdict = report.verdict
    fields(
        [
            ("received", f"{moment(report.received_at, zone)} from {report.sender or 'a null sender'}"),
            ("read as", report.format),
            ("OpenPGP", _openpgp(report)),
            ("decided", verdict.reason if verdict else ""),
            ("cut off", _cut_off(report)),
        ],
        indent=2,
    )
    for entry in verdict.trace if verdict else ():
        words = ", ".join(f"{fact} = {defang_text(words)}" if words else fact for fact, words in entry.because)
        show(f"  {entry.file}:{entry.line}  {entry.rule}: {entry.effect}{'' if entry.applied else ' (in shadow)'}")
        if words:
            show(f"      because {words}")


def _openpgp(report: StoredReport) -> str:
    """Say what OpenPGP proves about a message, who signed, and what to do where it could not be opened."""
    found = json.loads(report.facts).get("openpgp")
    if not found:
        return ""
    signer = f"; key {found['signer']}" if found["signer"] else ""
    advice = (
        ADVICE[Failure(found["reason"])]
        if found["reason"]
        else signature_advice(Signature(found["signature"]), Source(found["source"]), found["signer"])
    )
    return f"{found['words']}{signer}{f'. {advice}' if advice else ''}"


def _cut_off(report: StoredReport) -> str:
    """Say what of a message was not kept or not read, "" where all was."""
    kept = json.loads(report.facts)
    found = kept.get("limits", [])
    if kept.get("facts", {}).get("message.truncated"):
        found = ["only its beginning was kept (smtp.max_message)", *found]
    return "; ".join(found)


def _section(title: str) -> None:
    show()
    show(title)
