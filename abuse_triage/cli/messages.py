"""`message list`, `message show`, `message retry` and `message promote`: what came in."""

import sys
from datetime import UTC, datetime

import click

from abuse_triage.cli.context import State, common, json_option, operator, pass_state
from abuse_triage.cli.options import Since, listing, one_of
from abuse_triage.cli.output import document, fields, moment, say, show, table
from abuse_triage.cli.texts import show_texts
from abuse_triage.model.ticket import MessageState, OutcomeKind
from abuse_triage.store.interface import MessageFilter


@click.group()
def message() -> None:
    """List and show incoming messages, and send them the way again."""


@message.command("list")
@click.option("--state", "states", multiple=True, type=one_of(MessageState), help="Only these; may be repeated.")
@click.option("--outcome", "outcomes", multiple=True, type=one_of(OutcomeKind), help="Only these; may be repeated.")
@click.option("--unanswered", is_flag=True, help="Only those that got no acknowledgement, with the reason.")
@listing
@common
@json_option
@pass_state
def list_messages(
    state: State,
    *,
    states: tuple[str, ...],
    outcomes: tuple[str, ...],
    unanswered: bool,
    since: Since | None,
    limit: int,
    as_json: bool,
) -> None:
    """List incoming messages, newest first."""
    with state.store() as (settings, store):
        zone = settings.team.timezone
        which = MessageFilter(
            states=tuple(MessageState(item) for item in states),
            outcomes=tuple(OutcomeKind(item) for item in outcomes),
            unanswered=unanswered,
            since=since(zone) if since else None,
            limit=limit + 1,
        )
        found = store.messages(which)
    if len(found) > limit:
        found = found[:limit]
        say(f"only the newest {limit} are shown; --limit shows more")
    if as_json:
        document(found)
        return
    parked = outcomes == (OutcomeKind.PARKED.value,)
    table(
        (
            *("ID", "RECEIVED", "STATE", "OUTCOME", "SUBJECT" if parked else "TICKET", "SENDER"),
            "NO REPLY BECAUSE" if unanswered else "WHY",
        ),
        (
            (
                item.id,
                moment(item.received_at, zone),
                item.state.value,
                item.outcome.value if item.outcome else "-",
                (item.subject if parked else item.ticket) or "-",
                item.envelope.sender or "<>",
                item.refused if unanswered else item.error or item.reason,
            )
            for item in found
        ),
    )


@message.command("show")
@click.argument("message_id", metavar="ID")
@click.option("--raw", is_flag=True, help="Print the message as it came in.")
@click.option("--text", is_flag=True, help="Print what it says, decrypted where it came encrypted.")
@common
@json_option
@pass_state
def show_message(state: State, message_id: str, raw: bool, text: bool, as_json: bool) -> None:
    """Show one incoming message, named by its id or the beginning of it.

    With --raw a file or pipe gets the bytes as they came in, a terminal gets them made safe to look at. With --text,
    that something encrypted was read is journaled.
    """
    if raw + text + as_json > 1:
        raise click.UsageError("--raw, --text and --json exclude each other")
    with state.store() as (settings, store):
        found, content = store.message(message_id)
        if text:
            show_texts(settings, store, [found.id])
            return
    if raw:
        _raw(content)
        return
    if as_json:
        document(found)
        return
    envelope = found.envelope
    fields(
        [
            ("id", found.id),
            ("received", f"{moment(found.received_at, settings.team.timezone)} by {envelope.channel.value}"),
            ("from", envelope.sender or "<> (null sender)"),
            ("to", ", ".join(envelope.recipients)),
            ("detail", ", ".join(envelope.details)),
            ("client", " ".join(filter(None, (envelope.peer, envelope.helo, "TLS" if envelope.tls else "")))),
            ("size", f"{found.raw_size} bytes{', truncated' if found.truncated else ''}"),
            ("state", f"{found.state} after {found.attempts} attempt{'' if found.attempts == 1 else 's'}"),
            ("error", found.error),
            ("outcome", f"{found.outcome}: {found.reason}" if found.outcome else ""),
            ("ticket", found.ticket),
            ("subject", found.subject),
            ("no reply", found.refused),
        ]
    )


def _raw(content: bytes) -> None:
    if sys.stdout.isatty():
        for line in content.decode("utf-8", "replace").splitlines():
            show(line)
    else:
        sys.stdout.buffer.write(content)


@message.command()
@click.argument("message_id", metavar="ID")
@common
@pass_state
def retry(state: State, message_id: str) -> None:
    """Let a quarantined or parked message go the whole way again, once."""
    with state.store() as (_, store):
        found = store.message(message_id)[0]
        store.retry(found.id, operator(), datetime.now(UTC))
    say(f"{found.id} waits for triage again")


@message.command()
@click.argument("message_id", metavar="ID")
@common
@pass_state
def promote(state: State, message_id: str) -> None:
    """Take a parked message for a report: it goes the whole way again, to a ticket and a number.

    No rule parks it any more; its ticket says who promoted it.
    """
    with state.store() as (_, store):
        found = store.message(message_id)[0]
        store.promote(found.id, operator(), datetime.now(UTC))
    say(f"{found.id} waits for triage again and will be a ticket")
