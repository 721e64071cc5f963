"""`key generate`, `key import-secret` and `key publish`: the team's own OpenPGP key."""

import stat
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
import structlog

from abuse_triage import logs
from abuse_triage.cli.context import State, common, operator, pass_state
from abuse_triage.cli.output import say, show
from abuse_triage.errors import InputError, NotFoundError
from abuse_triage.model.settings import Settings
from abuse_triage.openpgp import teamkey, wkd
from abuse_triage.service import keymaking, keyring

log = structlog.get_logger()


@click.command()
@common
@pass_state
def generate(state: State) -> None:
    """Make a key for the team, valid for two years.

    It is written to openpgp.secret_key, or beside the configuration, with a random passphrase in a file of its own
    where none is configured. Then it says what to put into the configuration.
    """
    settings = logged_settings(state)
    folder = state.path.absolute().parent
    file = folder / (settings.openpgp.secret_key or keymaking.KEY_FILE)
    if file.exists():
        raise InputError(
            f"{file} exists already",
            advice="A second key for the team comes in by `key import-secret`; nobody's old mail is then lost.",
        )
    made = keymaking.new_key(settings, folder)
    _write(made)
    log.info("key-generated", fingerprint=made.settings.team.openpgp_fingerprint, by=operator())
    _configure(made.settings, settings)
    say("Then: `abuse-triage check-config`, and `abuse-triage key publish DIR` for your web server.")


@click.command("import-secret")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="File with the passphrase of FILE.  [default: asked for on a terminal, else none]",
)
@common
@pass_state
def import_secret(state: State, file: Path, passphrase_file: Path | None) -> None:
    """Take over secret keys that gpg exported: --export-secret-keys, or -secret-subkeys where the primary is offline.

    What is there already stays, so that mail to retired keys can still be opened.
    """
    content = read(file, teamkey.LARGEST)
    if len(content) > teamkey.LARGEST:
        raise InputError(f"{file} is larger than 1 MB", advice="Export only the team's keys.")
    if passphrase_file is not None:
        if passphrase_file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise InputError(f"{passphrase_file} can be read by others", advice=f"chmod 600 {passphrase_file}")
        given = keyring.passphrase_in(read(passphrase_file, 255), str(passphrase_file))
    elif on_terminal():
        given = click.prompt(f"Passphrase of {file} (empty for none)", default="", hide_input=True, show_default=False)
    else:
        given = ""
    settings = logged_settings(state)
    try:
        made = keymaking.imported(settings, state.path.absolute().parent, content, given)
    except InputError as error:
        if given:
            raise
        how = "Where a passphrase protects it: --passphrase-file, or run this on a terminal."
        raise InputError(str(error), advice=f"{error.advice} {how}") from error
    _write(made)
    now = datetime.now(UTC)
    for one in teamkey.described(content):
        show(f"{one.fingerprint}  {', '.join(one.names)}")
        if not one.parts_for("e", now):
            say(f"{one.fingerprint}: has no encryption key that is valid now; old mail can be opened with it")
        log.info("key-imported", fingerprint=one.fingerprint, by=operator())
    _configure(made.settings, settings)
    advertised = made.settings.team.openpgp_fingerprint
    others = [one.fingerprint for one in teamkey.described(content) if one.fingerprint != advertised]
    if others:
        say(f"{advertised} signs and is published still; {', '.join(others)} would, in team.openpgp_fingerprint.")


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@common
@pass_state
def publish(state: State, folder: Path) -> None:
    """Write the team's public key for a web server: armoured, and as a Web Key Directory.

    DIR becomes the root of https://DOMAIN/ or https://openpgpkey.DOMAIN/, where mail programs look for it.
    """
    settings = logged_settings(state)
    advertised = settings.team.openpgp_fingerprint
    home = keyring.team_home(settings) if advertised else None
    if home is None:
        raise NotFoundError(
            "there is no key of the team", advice="Make one with `key generate` or `key import-secret`."
        )
    with home:
        own = next((one for one in home.keys if one.fingerprint == advertised), None)
        if own is None:
            raise NotFoundError(f"{advertised} is not in openpgp.secret_key", advice="Run check-config.")
        files = {f"{settings.team.ticket_prefix}.asc": home.published(advertised)}
        files |= wkd.tree([(email, home.published(advertised, email)) for email in own.emails])
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        show(str(path))
    log.info("key-published", fingerprint=advertised, by=operator())
    say("Let the web server add Access-Control-Allow-Origin: * and serve the tree as application/octet-stream.")


def _write(made: keymaking.Made) -> None:
    for path, content in made.files.items():
        teamkey.write(path, content)
        say(f"Written: {path}")


def _configure(made: Settings, settings: Settings) -> None:
    """Say what the configuration still lacks, and when a daemon takes note."""
    lines = []
    if made.team.openpgp_fingerprint != settings.team.openpgp_fingerprint:
        lines += ["[team]", f'openpgp_fingerprint = "{made.team.openpgp_fingerprint}"']
    sections = (made.openpgp, settings.openpgp)
    changed = [name for name in ("secret_key", "passphrase") if len({getattr(one, name) for one in sections}) > 1]
    if changed:
        lines += ["[openpgp]", *(f'{name} = "{getattr(made.openpgp, name)}"' for name in changed)]
    if lines:
        say("Put this into the configuration:")
        for line in lines:
            show(line)
    say("A daemon that runs uses the keys after a restart.")


def on_terminal() -> bool:
    """Tell whether somebody is there to answer."""
    return sys.stdin.isatty()


def logged_settings(state: State) -> Settings:
    """Load the settings and set up the log as they want it: what happens to keys is logged here too."""
    settings = state.settings()
    logs.setup(settings.log, lasting=False)
    return settings


def read(file: Path, most: int) -> bytes:
    """Read a file, "-" being standard input, at most so many bytes and one more, which tells that there are.

    Raises `InputError`.
    """
    if str(file) == "-":
        return sys.stdin.buffer.read(most + 1)
    try:
        with file.open("rb") as stream:
            return stream.read(most + 1)
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}", advice="Name a file, or the fingerprint of a key.") from error
