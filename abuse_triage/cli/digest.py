"""`digest`: what handlers would get now."""

from datetime import UTC, datetime, timedelta

import click

from abuse_triage.cli.context import State, common, json_option, pass_state
from abuse_triage.cli.options import Since
from abuse_triage.cli.options import since as parse_since
from abuse_triage.cli.output import document, show
from abuse_triage.replies.digest import digest as write
from abuse_triage.service import overview
from abuse_triage.service.scheduler import LAST_DIGEST

_FIRST = timedelta(days=1)
"""Before the first digest, the preview covers so much."""


@click.command()
@click.option("--preview", is_flag=True, required=True, help="Print it; nothing is sent.")
@click.option(
    "--since", callback=parse_since, metavar="TIME", help="Count as new what is newer.  [default: the last digest]"
)
@common
@json_option
@pass_state
def digest(state: State, *, preview: bool, since: Since | None, as_json: bool) -> None:  # noqa: ARG001 -- says it aloud
    """Show the digest that handlers would get now.

    Nothing is sent; `serve` does that at the configured times.
    """
    now = datetime.now(UTC)
    with state.store() as (settings, store):
        last = store.recall(LAST_DIGEST)
        begin = datetime.fromisoformat(last) if last else now - _FIRST
        parked = overview.parked_since(store)
        if since:
            begin = parked = since(settings.team.timezone)
        given = overview.digest_input(settings, store, since=begin, parked_since=parked, now=now)
    if as_json:
        document(given)
        return
    for line in write(given).splitlines():
        show(line)
