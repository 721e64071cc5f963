"""`ticket set` and `ticket contact`: what a handler decides about a ticket, journaled with who did."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, TypeVar

import click

from abuse_triage import config
from abuse_triage.cli.context import State, common, operator, pass_state
from abuse_triage.cli.options import one_of
from abuse_triage.cli.output import moment, say
from abuse_triage.enrichment import directory
from abuse_triage.indicators import names
from abuse_triage.indicators.refang import refang
from abuse_triage.model.decision import Priority, TicketKind, Tlp
from abuse_triage.model.ticket import JournalEntry, Ticket
from abuse_triage.rules import taxonomy
from abuse_triage.rules.taxonomy import Taxonomy
from abuse_triage.store.interface import ByHand, TicketFile

_Command = TypeVar("_Command", bound=Callable[..., Any])
_LONGEST_NAME = 80


def _actor(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str:
    """Return who decided, for the journal: a name that was given never hides the system user who typed it."""
    user = operator()
    if value is None or value == user:
        return user
    name = " ".join(value.split())
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise click.BadParameter(f"{value!r} is no name of at most {_LONGEST_NAME} characters")
    return f"{name} (as {user})"


def _by(command: _Command) -> _Command:
    """Give a command --by, which it gets as `actor`."""
    option = click.option("--by", "actor", callback=_actor, metavar="NAME", help="Who decided  [default: you]")
    return option(command)


@click.command("set")
@click.argument("number")
@click.option(
    "--category", metavar="CATEGORY[:TYPE]", help="Its class of the taxonomy, and the type where there is one."
)
@click.option("--type", "type_", metavar="TYPE", help="Its type, such as fraud:phishing; the class goes with it.")
@click.option("--tlp", type=one_of(Tlp), help="Its TLP.")
@click.option("--priority", type=one_of(Priority), help="Its priority; the first answer is due by it.")
@click.option("--kind", type=one_of(TicketKind), help="Which kind of matter it is.")
@_by
@common
@pass_state
def set_fields(
    state: State,
    *,
    number: str,
    category: str | None,
    type_: str | None,
    tlp: str | None,
    priority: str | None,
    kind: str | None,
    actor: str,
) -> None:
    """Decide about fields of a ticket; from then on no rule and no late answer changes them.

    A category without a type has none afterwards.
    """
    if not any((category, type_, tlp, priority, kind)):
        raise click.UsageError("Say what to set: --category, --type, --tlp, --priority or --kind.")
    with state.store() as (settings, store):
        changes = ByHand(
            kind=TicketKind(kind) if kind else None,
            tlp=Tlp(tlp) if tlp else None,
            priority=Priority(priority) if priority else None,
        )
        if category or type_:
            known = taxonomy.parse(*config.taxonomy(settings))
            found, its_type = _class(known, category or "", type_ or "")
            changes = replace(changes, category=found, type=its_type)
        before = store.ticket(number.lstrip("#")).ticket
        if changes.priority:
            changes = replace(changes, due=before.created_at + settings.tickets.response[changes.priority])
        after = store.set_by_hand(before.number, changes, actor, datetime.now(UTC))
    for line in _differences(before, after, changes, settings.team.timezone):
        say(f"{after.number}: {line}")


def _class(known: Taxonomy, category: str, type_: str) -> tuple[str, str]:
    """Return the class and the type that were meant, "" for no type; raises `click.UsageError`.

    A type is known by its id ("fraud:phishing") or, with its class, by the end of it ("phishing").
    """
    category, _, end = category.partition(":")
    if end and type_:
        raise click.UsageError("The type stands in --category and in --type.")
    if end:
        whole = f"{category}:{end}"
        category, type_ = ("", whole) if whole in known.category_of_type else (category, end)
    if category and category not in known.categories:
        raise click.UsageError(f"{category!r} is no category; there are {', '.join(known.categories)}")
    if not type_:
        return category, ""
    of_it = [one.id for one in known.categories[category].types] if category else list(known.category_of_type)
    found = [one for one in of_it if type_ in (one, one.partition(":")[2])]
    if len(found) != 1:
        place = f" of {category}" if category else ""
        raise click.UsageError(f"{type_!r} is no type{place}; there are {', '.join(found or of_it)}")
    return known.category_of_type[found[0]], found[0]


def _differences(before: Ticket, after: Ticket, changes: ByHand, zone: str) -> list[str]:
    """Say of each field that was set what it was and what it is."""

    def told(what: str, was: str, now: str) -> str:
        return f"{what} {was} → {now}" if was != now else f"{what} {now}, as before, now by hand"

    lines = []
    if changes.category:
        lines.append(told("category", before.type or before.category, after.type or after.category))
    if changes.tlp:
        lines.append(told("TLP", before.tlp.label, after.tlp.label))
    if changes.priority:
        due = f"first answer due {moment(after.due, zone)} ({zone})"
        lines.append(f"{told('priority', before.priority.upper(), after.priority.upper())}; {due}")
    if changes.kind:
        lines.append(told("kind", before.kind, after.kind))
    return lines


@click.command("contact")
@click.argument("number")
@click.argument("address")
@click.option("--for", "subject", required=True, help="The address or name that is reported to it.")
@_by
@common
@pass_state
def confirm_contact(state: State, *, number: str, address: str, subject: str, actor: str) -> None:
    """Confirm that reports about an address or name go to this contact; it is journaled, and nothing is sent."""
    fit, problems = directory.checked({"email": address})
    if problems:
        raise click.UsageError(f"ADDRESS: {problems[0][1]}")
    about = _subject(subject)
    with state.store() as (_, store):
        found = store.ticket(number.lstrip("#"))
        detail = f"{about}: {fit['email']}"
        entry = JournalEntry(at=datetime.now(UTC), actor=actor, action="contact confirmed", detail=detail)
        store.journal(found.ticket.number, entry)
    say(f"{found.ticket.number}: contact confirmed, {detail}")
    if not _named(found, about):
        say(f"No indicator of this ticket names {about}: see that it is the right ticket.")


def _subject(text: str) -> str:
    """Return an address or name in its canonical form; raises `click.BadParameter`."""
    plain = refang(text.strip()).text
    try:
        return str(ip_address(plain.strip("[]")))
    except ValueError:
        name = names.canonical(plain)
    if not name:
        raise click.BadParameter(f"{text!r} is neither an IP address nor a name", param_hint="--for")
    return name


def _named(found: TicketFile, subject: str) -> bool:
    """Tell whether a ticket is about a subject, or about something in it."""
    return any(subject in one.value for one in found.indicators) or any(subject == one.subject for one in found.lookups)
