"""`ticket lookup`: what a ticket's look-ups brought, and letting withheld ones be made."""

from datetime import UTC, datetime

import click

from abuse_triage.cli.context import State, common, json_option, operator, pass_state
from abuse_triage.cli.lookedup import show_lookups, sources_of
from abuse_triage.cli.options import one_of
from abuse_triage.cli.output import document, say
from abuse_triage.errors import InputError
from abuse_triage.indicators.refang import refang
from abuse_triage.model.lookups import Level, LookupKind, LookupState, Permission


@click.command()
@click.argument("number")
@click.option("--allow", "allowed", multiple=True, metavar="SUBJECT", help="Let this be asked; may be repeated.")
@click.option("--kind", "kinds", multiple=True, type=one_of(LookupKind), help="With --allow: only this kind.")
@common
@json_option
@pass_state
def lookup(state: State, *, number: str, allowed: tuple[str, ...], kinds: tuple[str, ...], as_json: bool) -> None:
    """Show the look-ups of a ticket, or let withheld ones be made.

    What is released leaves the host: a registry or a name server learns what is asked. It is journaled who did it.
    """
    if kinds and not allowed:
        raise click.UsageError("--kind goes with --allow")
    with state.store() as (settings, store):
        number = number.lstrip("#")
        if allowed:
            subjects = [refang(one).text.strip().lower() for one in allowed]
            policy = settings.lookups.policy
            released = store.release_lookups(
                *(number, subjects, [LookupKind(kind) for kind in kinds], operator(), datetime.now(UTC)),
                forbids=lambda kind, tlp: policy.permission(kind, Level(tlp.value)) is Permission.NO,
            )
            for one in released:
                say(f"released: {one.kind} {one.subject}")
            if not settings.lookups.enabled:
                say("lookups.enabled is false: nothing is asked until that is true and the daemon runs")
        found = store.lookups_of(number)
        if as_json:
            document(found)
            return
        if not found:
            raise InputError(
                "this ticket has no look-ups",
                advice="It points at nothing that could be asked about, or look-ups were off (lookups.enabled).",
            )
        show_lookups(found, sources_of(store, settings.lookups), settings.team.timezone, number=number)
        waiting = sum(one.state in {LookupState.WAITING, LookupState.ASKING} for one in found)
        if waiting:
            say(f"{waiting} not answered yet")
