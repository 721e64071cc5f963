"""`init`, `check-config` and `print-config`."""

import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click

from abuse_triage import config
from abuse_triage.cli.context import State, common, json_option, pass_state
from abuse_triage.cli.output import document, say, show
from abuse_triage.errors import ConfigError, InputError, TriageError
from abuse_triage.model.settings import Settings
from abuse_triage.replies import rehearsal
from abuse_triage.replies.wording import MAILS
from abuse_triage.rules import testing
from abuse_triage.rules.load import load as load_rules
from abuse_triage.service import keymaking, keyring, localfiles
from abuse_triage.service.templates import wording_of

_SIGN = dict.fromkeys(
    (f"{mail}.txt.j2" for mail in MAILS), "end it with {{ contact }}, or with a name and how to reach you"
) | {"team.txt.j2": "it is the end of every mail: put {{ team.name }} into it"}
"""What makes a template say who answers."""
_QUESTIONS = (
    ("name", "Short name of the team"),
    ("organisation", "Organisation"),
    ("ticket_prefix", "Beginning of ticket numbers"),
    ("timezone", "Time zone"),
    ("incidents", "Mailbox for incident reports"),
    ("enquiries", "Mailbox for other matters"),
)


@click.command()
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Where to write; made if absent.",
)
@click.option("--name", help="Short name of the team.")
@click.option("--organisation", help="The organisation that it belongs to.")
@click.option("--ticket-prefix", help="Beginning of ticket numbers.")
@click.option("--timezone", help="IANA name of the team's time zone.")
@click.option("--incidents", metavar="ADDRESS", help="Mailbox for incident reports.")
@click.option("--enquiries", metavar="ADDRESS", help="Mailbox for other matters.")
@click.option("--domain", "domains", multiple=True, help="A domain below which names are yours; may be repeated.")
@click.option("--no-key", is_flag=True, help="Make no OpenPGP key for the team.")
@click.option("--yes", is_flag=True, help="Ask nothing; what is not given is an example's.")
@common
def init(folder: Path, domains: tuple[str, ...], no_key: bool, yes: bool, **given: str | None) -> None:
    """Write a first configuration.

    With it come the secret that signs our Message-IDs, an OpenPGP key for the team, and the outbox folder. On a
    terminal it asks for what the options do not say. Nothing that exists is overwritten.
    """
    identity: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if domains:
        identity["domains"] = tuple(domain.lstrip(".").lower() for domain in domains)
    if not yes and sys.stdin.isatty():
        identity |= _ask(identity)
    try:
        settings = config.neutral(**identity)
    except ConfigError as error:
        raise InputError(str(error), advice="Nothing was written.") from error
    settings, files = (settings, {}) if no_key else with_key(folder, settings)
    create(folder, settings, files)
    names = (
        "config.toml",
        str(settings.reply.secret_file),
        *(file.name for file in files),
        f"{settings.outbox.folder}/",
    )
    say(f"Written to {folder}: {', '.join(names)}")
    if settings.team.example:
        say("The identity is an example's, and mail stays in the outbox folder: fill in [team], [[mailbox]], [scope].")
    elif not settings.scope.autonomous_system:
        say("Add your address blocks and name servers to [scope], so that reports about them come first.")
    say(f"Next: abuse-triage check-config --config {folder / 'config.toml'}")


def _ask(given: dict[str, Any]) -> dict[str, Any]:
    example = config.neutral()
    defaults = {
        **{key: getattr(example.team, key) for key in ("name", "organisation", "ticket_prefix", "timezone")},
        "incidents": example.mailbox[0].address,
        "enquiries": example.mailbox[1].address,
    }
    answers: dict[str, Any] = {
        key: click.prompt(question, default=defaults[key], err=True) for key, question in _QUESTIONS if key not in given
    }
    if "domains" not in given:
        domains = click.prompt(
            "Domains below which names are yours, such as pt (empty: an example)", default="", err=True
        )
        if domains.split():
            answers["domains"] = tuple(domain.lstrip(".").lower() for domain in domains.replace(",", " ").split())
    return answers


def with_key(folder: Path, settings: Settings) -> tuple[Settings, dict[Path, bytes]]:
    """Make an OpenPGP key for a first configuration; without GnuPG it goes on without one and says so.

    Returns settings that name it, and the files to write.
    """
    try:
        made = keymaking.new_key(settings, folder)
    except TriageError as error:
        say(f"No OpenPGP key was made: {error}. {error.advice} Then: abuse-triage key generate")
        return settings, {}
    say(f"The team's OpenPGP key is {made.settings.team.openpgp_fingerprint}, valid for two years.")
    return made.settings, made.files


def create(folder: Path, settings: Settings, more: Mapping[Path, bytes] = MappingProxyType({})) -> None:
    """Write secret, outbox folder and configuration, readable by this user only; raises `InputError` if any exists.

    `more` are further files, by path.
    """
    files = {
        **more,
        folder / settings.reply.secret_file: secrets.token_bytes(32),
        folder / "config.toml": config.render(settings).encode(),
    }
    if existing := [str(file) for file in files if file.exists()]:
        raise InputError(
            f"{' and '.join(existing)} exist{'s' if len(existing) == 1 else ''} already",
            advice="Nothing was changed. Choose another folder with --dir, or remove what you do not want to keep.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / settings.outbox.folder).mkdir(mode=0o700, exist_ok=True)
    for file, content in files.items():
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)


@click.command("check-config")
@common
@json_option
@pass_state
def check_config(state: State, as_json: bool) -> None:
    """Print every problem of configuration, rules and templates.

    One line each, `file: key: problem`; exit code 78 where there is one.
    """
    try:
        problems = problems_of(state.settings(), state.path)
    except ConfigError as error:
        problems = list(error.problems)
    if as_json:
        document(problems)
    else:
        for problem in problems:
            show(problem)
    if problems:
        raise click.exceptions.Exit(ConfigError.exit_code)
    for note in notes_of(state.settings(), state.path):
        say(note)
    say(f"{state.path}: no problems")


def problems_of(settings: Settings, path: Path) -> list[str]:
    """Check everything that a daemon with these settings would stand on; returns lines `file: key: problem`."""
    found = config.problems(settings, path) + [f"{path}: {problem}" for problem in keyring.problems(settings)]
    found += localfiles.problems(settings.lookups)
    names: Sequence[tuple[str, str]] = ()
    try:
        files, taxonomy = config.rule_files(settings)
        rules = load_rules(files, taxonomy)
        names = [(category.pt, category.en) for category in rules.taxonomy.categories.values()]
        found += testing.failures(rules)
    except ConfigError as error:
        found += error.problems
    try:
        found += rehearsal.problems(wording_of(settings), settings, names)
    except ConfigError as error:
        found += error.problems
    return found


def notes_of(settings: Settings, path: Path) -> list[str]:
    """Say what is right, and still worth knowing: own templates beside shipped ones, and those that name nobody."""
    wording = wording_of(settings)
    own = wording.own
    twins = ((name, "/".join(("en" if name[:2] == "pt" else "pt", name[3:]))) for name in own)
    return (
        keyring.notes(settings)
        + localfiles.notes(settings.lookups)
        + keymaking.unnamed(settings, path.absolute().parent)
        + [f"{name} is yours, {twin} is the one that comes with the program" for name, twin in twins if twin not in own]
        + [
            f"warning: {name} does not say who answers; {_SIGN[name[3:]]}"
            for name in rehearsal.unsigned(wording, settings)
        ]
    )


@click.command("print-config")
@common
@json_option
@pass_state
def print_config(state: State, as_json: bool) -> None:
    """Print the configuration that holds.

    Every key is there, with its default where the file does not say it.
    """
    settings = state.settings()
    if as_json:
        document(settings.model_dump(mode="json"))
    else:
        click.echo(config.render(settings, comments=False), nl=False)
