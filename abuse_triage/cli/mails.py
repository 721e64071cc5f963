"""`mail list` and `mail resend`: what goes out."""

from datetime import UTC, datetime

import click

from abuse_triage.cli.context import State, common, json_option, operator, pass_state
from abuse_triage.cli.options import one_of
from abuse_triage.cli.output import document, moment, say, table
from abuse_triage.model.ticket import MailState
from abuse_triage.store.outbox import StoredMail


@click.group()
def mail() -> None:
    """List outgoing mail, and release what may not have arrived."""


@mail.command("list")
@click.option("--state", "states", multiple=True, type=one_of(MailState), help="Only these; may be repeated.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most so many.")
@common
@json_option
@pass_state
def list_mails(state: State, states: tuple[str, ...], limit: int, as_json: bool) -> None:
    """List outgoing mail, newest first."""
    with state.store() as (settings, store):
        found = store.mails(tuple(MailState(item) for item in states), limit + 1)
    if len(found) > limit:
        found = found[:limit]
        say(f"only the newest {limit} are shown; --limit shows more")
    if as_json:
        document(found)
        return
    zone = settings.team.timezone
    table(
        ("ID", "KIND", "STATE", "TICKET", "RECIPIENT", "CREATED", "TRIES", "NEXT TRY", "WHY"),
        (
            (
                str(item.id),
                item.kind.value,
                item.state.value,
                item.ticket or "-",
                item.recipient,
                moment(item.created_at, zone),
                str(item.tries),
                moment(item.next_try, zone) if item.state in {MailState.QUEUED, MailState.HELD} else "-",
                _why(item, zone),
            )
            for item in found
        ),
    )


@mail.command()
@click.argument("mail_id", metavar="ID", type=click.IntRange(min=1))
@common
@pass_state
def resend(state: State, mail_id: int) -> None:
    """Queue a mail again that is delivery-unknown, failed or undeliverable.

    A delivery-unknown mail may have arrived already: sending it again is a person's decision, and is journaled.
    """
    with state.store() as (_, store):
        store.resend(mail_id, operator(), datetime.now(UTC))
    say(f"mail {mail_id} is queued again")


def _why(mail: StoredMail, zone: str) -> str:
    if mail.folded_into is not None:
        return f"told in mail {mail.folded_into}"
    if mail.held_at is not None:
        return f"{mail.error} since {moment(mail.held_at, zone)}"
    return mail.error or "-"
