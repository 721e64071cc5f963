"""`lookups`: the lists that say whom to ask, and the servers that do not answer."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import click
import structlog
from pydantic import TypeAdapter, ValidationError

from abuse_triage.cli.context import State, common, json_option, operator, pass_state
from abuse_triage.cli.output import age, document, moment, say, table
from abuse_triage.cli.ownkey import logged_settings
from abuse_triage.errors import TemporaryError
from abuse_triage.lookups import bootstrap, refresh
from abuse_triage.lookups.bootstrap import Staleness
from abuse_triage.lookups.refresh import Fetched
from abuse_triage.lookups.transport import Transport
from abuse_triage.model.fields import BaseUrl
from abuse_triage.service.clients import outside
from abuse_triage.store.interface import Gauge
from abuse_triage.store.lookups import Server

log = structlog.get_logger()

SECONDS = 30.0
"""For one list."""
_COUNTED = "look-ups "
"""How the names of the gauges about look-ups begin."""
_ADVICE = "Fetch them with `lookups refresh`, here or on a machine that has a network."


@dataclass(frozen=True, slots=True)
class List:
    """A list that says whom to ask: its file or "built-in table", its date, its entries, and whether it is too old."""

    name: str
    published: datetime
    entries: int
    state: Staleness


@dataclass(frozen=True, slots=True)
class Standing:
    """What `lookups status` shows."""

    enabled: bool
    lists: tuple[List, ...]
    problems: tuple[str, ...]
    servers: tuple[Server, ...]
    gauges: tuple[Gauge, ...]


@click.group()
def lookups() -> None:
    """Fetch the lists of whom to ask, and show how asking goes."""


def _base(_ctx: click.Context, _parameter: click.Parameter, value: str) -> str:
    try:
        base: str = TypeAdapter(BaseUrl).validate_python(value)
    except ValidationError as error:
        raise click.BadParameter(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
    if not base:
        raise click.BadParameter("it is empty")
    return base


@lookups.command("refresh")
@click.option(
    "--from",
    "base",
    metavar="URL",
    default=refresh.IANA,
    show_default=True,
    callback=_base,
    help="Where they are fetched from, if you have a mirror.",
)
@common
@json_option
@pass_state
def refresh_lists(state: State, *, base: str, as_json: bool) -> None:
    """Fetch IANA's lists of RDAP services into lookups.bootstrap.

    They are dns.json, ipv4.json, ipv6.json and asn.json. One that does not come, or is no such list, leaves the one
    that is there. A daemon that runs reads the new ones within a minute. Exit code 75 if one did not come.
    """
    settings = logged_settings(state)
    is_iana = base == refresh.IANA.rstrip("/")
    transport = Transport(
        outside(settings.lookups),
        limit=bootstrap.LARGEST,
        configured=() if is_iana else (base,),
        published=(base,) if is_iana else (),
    )
    fetched = []
    for one in refresh.fetch(settings.lookups.bootstrap, transport, seconds=SECONDS, base=base):
        if one.changed and one.published:
            log.info("bootstrap-fetched", name=one.name, published=one.published.date().isoformat(), by=operator())
        fetched.append(one)
    now = datetime.now(UTC)
    if as_json:
        document(fetched)
    else:
        zone = settings.team.timezone
        rows = [(one.name, moment(one.published, zone), str(one.entries or "-"), _told(one, now)) for one in fetched]
        table(("LIST", "PUBLISHED", "ENTRIES", "WHAT BECAME OF IT"), rows)
    failed = [one for one in fetched if one.problem]
    if failed:
        raise TemporaryError(
            "\n".join(f"{one.name} was not fetched: {one.problem}" for one in failed),
            advice="What was there before stays. Try again later, or see whether a firewall is in the way.",
        )


@lookups.command("status")
@common
@json_option
@pass_state
def status(state: State, *, as_json: bool) -> None:
    """Show how old the lists of whom to ask are, which servers fail, and how many look-ups wait or are withheld.

    A list is old after 30 days and too old after 90. Nobody is asked.
    """
    now = datetime.now(UTC)
    with state.store() as (settings, store):
        known = bootstrap.load(settings.lookups.bootstrap)
        standing = Standing(
            enabled=settings.lookups.enabled,
            lists=tuple(
                List(one.name, one.published, len(one.bases), bootstrap.staleness(one.published, now))
                for one in known.lists
            ),
            problems=known.problems,
            servers=tuple(store.servers()),
            gauges=tuple(gauge for gauge in store.gauges() if gauge.name.startswith(_COUNTED)),
        )
    if as_json:
        document(standing)
        return
    _show(standing, settings.team.timezone, now)


def _show(standing: Standing, zone: str, now: datetime) -> None:
    table(
        ("LIST", "PUBLISHED", "AGE", "ENTRIES", "STATE"),
        [
            (one.name, moment(one.published, zone), age(one.published, now), str(one.entries), one.state)
            for one in standing.lists
        ],
    )
    table(
        ("SERVER", "FAILURES", "LEFT ALONE UNTIL", "LAST TROUBLE"),
        [(one.name, str(one.failures), _until(one, zone, now), one.reason) for one in standing.servers],
    )
    table(
        ("WHAT", "COUNT", "OLDEST"),
        [(gauge.name, str(gauge.count), age(gauge.oldest, now)) for gauge in standing.gauges],
    )
    for problem in standing.problems:
        say(problem)
    if standing.problems or _is_old(standing.lists):
        say(_ADVICE)
    if not standing.enabled:
        say("lookups.enabled is false: nobody is asked.")


def _is_old(lists: Iterable[List]) -> bool:
    return any(one.state is not Staleness.FRESH for one in lists)


def _until(server: Server, zone: str, now: datetime) -> str:
    return moment(server.open_until, zone) if server.open_until and server.open_until > now else "-"


def _told(one: Fetched, now: datetime) -> str:
    """Say what became of a list."""
    before = f"the one before was published {age(one.previous, now)} ago" if one.previous else "there was none before"
    if one.problem:
        return f"not fetched; {before}"
    return f"new; {before}" if one.changed else "unchanged"
