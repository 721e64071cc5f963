"""The command line: which commands there are, where each is found, and how errors end."""

import importlib
import sys
from collections.abc import Mapping
from typing import Any

import click

from abuse_triage import __version__
from abuse_triage.cli.context import State, common
from abuse_triage.errors import TriageError
from abuse_triage.logs import escape

COMMANDS = {
    "init": ("configuration:init", "Write a first configuration."),
    "check-config": ("configuration:check_config", "Print every problem of configuration, rules and templates."),
    "print-config": ("configuration:print_config", "Print the configuration that holds."),
    "serve": ("serve:serve", "Run the daemon in the foreground."),
    "ingest": ("ingest:ingest", "Take in mail from files, as if it had been sent."),
    "triage": ("triage:triage", "Explain what would become of one message; nothing is stored."),
    "ticket": ("tickets:ticket", "List and show tickets, and decide about them."),
    "message": ("messages:message", "List and show incoming messages, and send them the way again."),
    "mail": ("mails:mail", "List outgoing mail, and release what may not have arrived."),
    "reply": ("replies:reply", "Show what reporters get."),
    "contacts": ("contacts:contacts", "Keep the contact directory: registries, teams, the police."),
    "key": ("keys:key", "Keep OpenPGP keys: the team's own and those of partners."),
    "lookups": ("lookups:lookups", "Fetch the lists of whom to ask, and show how asking goes."),
    "digest": ("digest:digest", "Show the digest that handlers would get now."),
    "status": ("status:status", "Count what waits and since when, and what budgets are used."),
    "tour": ("tour:tour", "Run everything in one folder and show each message's way."),
    "version": ("status:version", "Print the versions of the program and of what it stands on."),
}
"""Name → module in this package and its object, and one line of help that shows without importing it."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they run: `--help` and completion stay fast."""

    def __init__(self, *, lazy: Mapping[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(**options)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        """Name the commands in the order in which a newcomer needs them."""
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- click's
        """Import one command."""
        if cmd_name not in self._lazy:
            return None
        module, name = self._lazy[cmd_name][0].split(":")
        command = getattr(importlib.import_module(f"abuse_triage.cli.{module}"), name)
        assert isinstance(command, click.Command)  # noqa: S101 -- a slip in COMMANDS
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- click's
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self._lazy.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an error becomes its message, its advice and its exit code, in this one place."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if ctx.ensure_object(State).debug:
                raise
            raise click.exceptions.Exit(_tell(error)) from error


def _tell(error: Exception) -> int:
    """Write an error to standard error, one problem a line, with what to do next; returns the exit code."""
    if isinstance(error, TriageError):
        message, advice, code = str(error), error.advice, error.exit_code
    else:
        message, advice, code = f"{type(error).__name__}: {error}", "With --debug it shows where that happened.", 1
    for line in message.splitlines():
        click.echo(f"abuse-triage: {escape(line)}", err=True)
    if advice:
        click.echo(escape(advice), err=True)
    return code


@click.group(cls=LazyGroup, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="abuse-triage")
@common
def cli() -> None:
    """Triage for the abuse mailbox of a CSIRT: reports come in by mail and become tickets.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 65 input cannot be used, 75 try later, 78 configuration.
    """


def main() -> None:
    """Start the command line; characters that the terminal's encoding lacks are shown as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    cli(prog_name="abuse-triage")
