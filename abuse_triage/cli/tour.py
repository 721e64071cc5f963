"""`tour`: the whole daemon in one folder on loopback, with each message's way printed as it happens."""

import contextlib
import os
import signal
import smtplib
import socket
import subprocess
import sys
import time
import tomllib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from abuse_triage import config
from abuse_triage.cli.configuration import create, with_key
from abuse_triage.cli.output import say, show
from abuse_triage.errors import ConfigError, TemporaryError
from abuse_triage.model.fields import Rate
from abuse_triage.model.settings import BudgetSettings, Settings
from abuse_triage.model.ticket import MailState, OutcomeKind
from abuse_triage.service import keyring
from abuse_triage.service.overview import digest_text
from abuse_triage.store import open_store
from abuse_triage.store.interface import MessageFilter, Store, StoredMessage

_BUDGET = BudgetSettings(domain=Rate(1000, timedelta(hours=1)), unproven=Rate(1000, timedelta(hours=1)))
"""The samples come all at once, and from few domains."""
_FED = "samples fed"
_START_SECONDS = 30.0
_SETTLE_SECONDS = 60.0
_REMEMBERED = 10_000
_NEWEST = MessageFilter(limit=500)


@click.command()
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path),
    default=Path("var"),
    show_default=True,
    help="Where all of it is.",
)
@click.option(
    "--samples", type=click.Path(path_type=Path, exists=True), help="Folder with messages for the first start."
)
def tour(folder: Path, samples: Path | None) -> None:
    """Run everything in one folder and show each message's way.

    The first start writes a configuration with an example identity, sends the samples by SMTP, and prints a digest.
    Ctrl-C ends it; the next start goes on where it was.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends in order however it is ended
    path = folder / "config.toml"
    if not path.exists():
        create(folder, *with_key(folder, config.neutral().model_copy(update={"budget": _BUDGET})))
        say(f"Wrote {path} with an example identity.")
    settings = config.load(path)
    if problems := keyring.problems(settings):
        raise ConfigError(tuple(f"{path}: {problem}" for problem in problems))
    with (
        contextlib.suppress(KeyboardInterrupt),
        _daemon(path, folder / "daemon.log", settings) as daemon,
        _store(settings) as store,
    ):
        say(f"The daemon listens on {settings.smtp.listen[0]}; its log is {folder / 'daemon.log'}.")
        seen: deque[str] = deque((one.id for one in store.messages(_NEWEST) if one.outcome), _REMEMBERED)
        if samples is not None and not store.recall(_FED):
            count = _feed(samples, settings)
            store.remember(_FED, datetime.now(UTC).isoformat())
            say(f"Sent {count} sample messages.\n")
            _follow(store, seen, daemon, until_seen=count)
            say("\nThe digest that handlers would get now:\n")
            now = datetime.now(UTC)
            for line in digest_text(settings, store, since=now.replace(hour=0, minute=0), now=now).splitlines():
                show(line)
        program = sys.argv[0] if Path(sys.argv[0]).name == "abuse-triage" else "abuse-triage"
        say(
            f"\nTry:  {program} --config {path} ticket list\n"
            f"      {program} --config {path} ticket show 1\n"
            f"      swaks --server {settings.smtp.listen[0]} --from you@example.org"
            f" --to {settings.mailbox[0].address}\n"
            f"Acknowledgements are in {settings.outbox.folder}. Ctrl-C ends the daemon."
        )
        _follow(store, seen, daemon, until_seen=None)
    say("Stopped. The next start goes on where it was.")


@contextmanager
def _daemon(path: Path, log: Path, settings: Settings) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `serve` as its own process, with its log in a file, and stop it in order at the end."""
    _refuse_a_taken_port(settings.smtp.listen[0])  # or samples would go to whoever listens there
    with log.open("ab") as stderr:
        process = subprocess.Popen(  # noqa: S603 -- this program itself
            (sys.executable, "-m", "abuse_triage", "--config", str(path), "serve"),
            stdin=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,  # Ctrl-C is for this process, which then ends that one
        )
    try:
        _wait_until_it_listens(process, settings, log)
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait()


def _refuse_a_taken_port(listen: str) -> None:
    host, port = config.host_port(listen)
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        raise TemporaryError(
            f"cannot listen on {listen}: {os.strerror(error.errno or 0)}",
            advice="Stop what listens there, perhaps another tour, or change smtp.listen.",
        ) from error


def _wait_until_it_listens(process: subprocess.Popen[bytes], settings: Settings, log: Path) -> None:
    host, port = config.host_port(settings.smtp.listen[0])
    give_up = time.monotonic() + _START_SECONDS
    while time.monotonic() < give_up and process.poll() is None:
        with contextlib.suppress(OSError), smtplib.SMTP(host, port, timeout=2):
            return
        time.sleep(0.1)
    raise TemporaryError("the daemon did not start", advice=f"Its log says why: {log}")


@contextmanager
def _store(settings: Settings) -> Iterator[Store]:
    store = open_store(settings.store.path, number_format=config.number_format(settings))
    try:
        yield store
    finally:
        store.close()


def _feed(samples: Path, settings: Settings) -> int:
    """Send every sample by SMTP with the envelope that its case.toml names; returns how many were taken."""
    host, port = config.host_port(settings.smtp.listen[0])
    count = 0
    try:
        with smtplib.SMTP(host, port, timeout=30) as client:
            for mail in sorted(samples.glob("*/mail.eml")):
                envelope = tomllib.loads((mail.parent / "case.toml").read_text("utf-8"))["envelope"]
                client.sendmail(envelope["sender"], envelope["recipients"], mail.read_bytes())
                count += 1
    except smtplib.SMTPException as error:
        raise TemporaryError(
            f"the daemon did not take a sample: {error}", advice="Perhaps the disk is as good as full (store.min_free)."
        ) from error
    return count


def _follow(store: Store, seen: deque[str], daemon: "subprocess.Popen[bytes]", *, until_seen: int | None) -> None:
    """Print the way of each message once it is at its end; stops after so many, in the order they came, or never."""
    left, give_up = until_seen, time.monotonic() + _SETTLE_SECONDS
    while left is None or (left > 0 and time.monotonic() < give_up):
        if daemon.poll() is not None:
            raise TemporaryError(
                "the daemon ended by itself", advice="Its log, daemon.log beside the configuration, says why."
            )
        for message in reversed(store.messages(_NEWEST)):
            if message.id in seen:
                continue
            if line := _way(message, store):
                seen.append(message.id)
                show(line)
                left = None if left is None else left - 1
            elif left is not None:
                break
        store.wait(1.0)


def _way(message: StoredMessage, store: Store) -> str:
    """Describe a message's way in one line; "" while it is still on it."""
    if message.outcome is None:
        return ""
    start = f"{message.received_at.astimezone():%H:%M:%S} received {message.envelope.sender or '<>'}"
    if not message.ticket:
        return f"{start} → {message.outcome} ({message.reason})"
    file = store.ticket(message.ticket)
    if not message.refused and any(
        mail.state in {MailState.QUEUED, MailState.HELD, MailState.SENDING} for mail in file.mails
    ):
        return ""
    ticket = file.ticket
    what = f"{ticket.number} {ticket.type or ticket.category} {ticket.tlp.label} {ticket.priority.upper()}"
    verb = "joined " if message.outcome is OutcomeKind.JOINED else ""
    return f"{start} → {verb}{what} → " + (
        f"not acknowledged: {message.refused}" if message.refused else "acknowledged"
    )
