"""`contacts`: the directory of those to whom handlers write, and whose requests count for more."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
import structlog

from abuse_triage.cli.context import State, common, json_option, operator, pass_state
from abuse_triage.cli.options import one_of
from abuse_triage.cli.output import document, fields, moment, say, table
from abuse_triage.cli.ownkey import logged_settings
from abuse_triage.enrichment import directory
from abuse_triage.errors import InputError, NotFoundError
from abuse_triage.model.lookups import ContactKind, DirectoryEntry
from abuse_triage.store.interface import Store

log = structlog.get_logger()

_Command = TypeVar("_Command", bound=Callable[..., Any])
_LONGEST_FILE = 20_000_000


@click.group()
def contacts() -> None:
    """Keep the contact directory: registries, teams, the police."""


def _option(column: directory.Column) -> str:
    """Return the option for a column, such as --emergency-telephone."""
    return f"--{column.field.replace('_', '-')}"


def _columns(*, needed: bool) -> Callable[[_Command], _Command]:
    """Give a command an option for each column but the address; `needed` has those demanded that an entry needs."""

    def decorate(command: _Command) -> _Command:
        for column in reversed(directory.COLUMNS):
            if column.field != "email":
                command = click.option(
                    _option(column),
                    column.field,
                    required=needed and column.needed,
                    help=f"{column.about[0].upper()}{column.about[1:]}.",
                )(command)
        return command

    return decorate


@contacts.command("list")
@click.option("--kind", "kinds", multiple=True, type=one_of(ContactKind), help="Only these; may be repeated.")
@click.option("--country", default="", help="Only this country, two letters.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=1000, show_default=True, help="At most so many.")
@common
@json_option
@pass_state
def list_contacts(state: State, kinds: tuple[str, ...], country: str, limit: int, as_json: bool) -> None:
    """List the directory, by kind, country and organisation."""
    with state.store() as (_, store):
        found = store.contacts([ContactKind(kind) for kind in kinds], country.upper(), limit + 1)
    if len(found) > limit:
        found = found[:limit]
        say(f"only the first {limit} are shown; --limit shows more")
    if as_json:
        document(found)
        return
    table(
        ("ADDRESS", "KIND", "COUNTRY", "ORGANISATION", "REPRESENTATIVE", "EMERGENCY TELEPHONE"),
        (
            (
                one.email,
                one.kind.value,
                one.country or "-",
                one.organisation,
                one.representative or "-",
                one.emergency_telephone or one.telephone or "-",
            )
            for one in found
        ),
    )


@contacts.command("show")
@click.argument("address")
@common
@json_option
@pass_state
def show_contact(state: State, address: str, as_json: bool) -> None:
    """Show all about one contact."""
    with state.store() as (settings, store):
        found = _known(store, address)
    if as_json:
        document(found)
        return
    fields(
        (
            *((column.title, str(getattr(found, column.field))) for column in directory.COLUMNS),
            ("Changed", f"{moment(found.updated_at, settings.team.timezone)} by {found.updated_by}"),
        )
    )


@contacts.command()
@click.argument("address")
@_columns(needed=True)
@common
@pass_state
def add(state: State, /, address: str, **given: str | None) -> None:
    """Add a contact; rules know it by mail that is proven to come from this address."""
    fit = _fit({"email": address, **{field: value for field, value in given.items() if value is not None}})
    logged_settings(state)
    with state.store() as (_, store):
        if store.contact_at(fit["email"]):
            raise InputError(f"{fit['email']} is in the directory already", advice="See contacts change.")
        _put(store, [DirectoryEntry(**fit)])
    say(f"Added: {fit['email']}")


@contacts.command()
@click.argument("address")
@_columns(needed=False)
@common
@pass_state
def change(state: State, /, address: str, **given: str | None) -> None:
    """Change fields of a contact; an empty value clears one, the others stay as they are."""
    values = {field: value for field, value in given.items() if value is not None}
    if not values:
        raise click.UsageError("Say what to change, such as --telephone.")
    fit = _fit(values)
    logged_settings(state)
    with state.store() as (_, store):
        before = _known(store, address)
        changed = _put(store, [replace(before, **fit)])[1]
    say(f"Changed: {before.email}" if changed else f"As before: {before.email}")


@contacts.command()
@click.argument("address")
@common
@pass_state
def remove(state: State, address: str) -> None:
    """Forget a contact."""
    logged_settings(state)
    with state.store() as (_, store):
        found = _known(store, address)
        store.remove_contact(found.email)
        log.info("contacts-changed", new=0, changed=0, removed=1, by=operator())
    say(f"Removed: {found.email}")


@contacts.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check the file and count, but change nothing.")
@common
@pass_state
def import_file(state: State, file: Path, dry_run: bool) -> None:
    """Add and change contacts from a CSV file ("-" is standard input): all of it, or nothing where a line is wrong.

    Contacts that the file lacks stay, and so do fields whose column it lacks.
    """
    text = _text(file)
    logged_settings(state)
    with state.store() as (_, store):
        known = {entry.email: entry for entry in store.contacts(limit=directory.MOST_ENTRIES)}
        entries = directory.parse(str(file), text, known)
        new, changed = map(len, directory.compare(entries, known))
        if len(known) + new > directory.MOST_ENTRIES:
            raise InputError(f"the directory would have more than {directory.MOST_ENTRIES:,} contacts")
        if not dry_run:
            new, changed = _put(store, entries)
    counted = f"{new} new, {changed} changed, {len(entries) - new - changed} as before"
    say(f"{counted}; nothing was imported" if dry_run else counted)


@contacts.command("export")
@click.argument("file", type=click.Path(path_type=Path), default=Path("-"))
@click.option("--kind", "kinds", multiple=True, type=one_of(ContactKind), help="Only these; may be repeated.")
@common
@pass_state
def export_file(state: State, file: Path, kinds: tuple[str, ...]) -> None:
    """Write the directory as a CSV file that `contacts import` reads; without FILE to standard output.

    A file that is there already is left alone.
    """
    with state.store() as (_, store):
        found = store.contacts([ContactKind(kind) for kind in kinds], limit=directory.MOST_ENTRIES)
    content = directory.render(found).encode()
    if str(file) == "-":
        sys.stdout.buffer.write(content)
        return
    try:
        with file.open("xb") as stream:
            stream.write(content)
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}", advice="Name a file that can be written.") from error
    say(f"{len(found)} contacts written to {file}")


def _text(file: Path) -> str:
    """Return what stands in a file, or standard input; raises `InputError`."""
    try:
        with sys.stdin.buffer if str(file) == "-" else file.open("rb") as stream:
            content = stream.read(_LONGEST_FILE + 1)
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}", advice="Name a CSV file that can be read.") from error
    if len(content) > _LONGEST_FILE:
        raise InputError(f"{file}: it has more than {_LONGEST_FILE:,} bytes", advice="Divide it.")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{file}:{line}: it is not UTF-8", advice='Nothing was imported. Save it again as "CSV UTF-8".'
        ) from error


def _fit(values: Mapping[str, str]) -> dict[str, Any]:
    """Return fields as they are kept; raises `click.UsageError` that has everything that is wrong."""
    fit, problems = directory.checked(values)
    if problems:
        names = ("ADDRESS" if column.field == "email" else _option(column) for column, _ in problems)
        raise click.UsageError("\n".join(f"{name}: {what}" for name, (_, what) in zip(names, problems, strict=True)))
    return fit


def _known(store: Store, address: str) -> DirectoryEntry:
    """Return the entry with an address; raises `NotFoundError`."""
    found = store.contact_at(address.strip())
    if found is None:
        raise NotFoundError(f"{address!r} is not in the directory", advice="See contacts list.")
    return found


def _put(store: Store, entries: Sequence[DirectoryEntry]) -> tuple[int, int]:
    """Keep some entries, and log how many are new and how many changed."""
    new, changed = store.put_contacts(entries, operator(), datetime.now(UTC))
    log.info("contacts-changed", new=new, changed=changed, removed=0, by=operator())
    return new, changed
