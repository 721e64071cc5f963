"""`status` and `version`."""

import platform
import sqlite3
from datetime import UTC, datetime

import click

from abuse_triage import __version__
from abuse_triage.cli.context import State, common, json_option, pass_state
from abuse_triage.cli.output import age, document, fields, say, table
from abuse_triage.replies.budget import overall
from abuse_triage.store.interface import Gauge


@click.command()
@common
@json_option
@pass_state
def status(state: State, as_json: bool) -> None:
    """Count what waits and since when, and what budgets are used.

    OpenPGP keys that expire within 60 days are named.
    """
    from abuse_triage.service import keyring  # noqa: PLC0415 -- late: `version` needs none

    now = datetime.now(UTC)
    with state.store() as (settings, store):
        ending = keyring.expiring(settings, store, now)
        totals = overall(settings.budget)
        gauges = [
            *store.gauges(),
            Gauge(name="openpgp keys expiring", count=len(ending), oldest=None),
            *(
                Gauge(name=f"budget {bucket.kind}, % used", count=round(100 * used), oldest=None)
                for bucket, used in zip(totals, store.used(totals, now), strict=True)
            ),
        ]
    if as_json:
        document(gauges)
        return
    rows = [(gauge.name, str(gauge.count), age(gauge.oldest, now)) for gauge in gauges]
    table(("WHAT", "COUNT", "OLDEST"), rows)
    for line in ending:
        say(line)


@click.command()
@common
@json_option
def version(as_json: bool) -> None:
    """Print the versions of the program and of what it stands on."""
    versions = {
        "abuse-triage": __version__,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }
    if as_json:
        document(versions)
    else:
        fields(versions.items())
