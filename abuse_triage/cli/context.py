"""What every command has: the configuration file, --debug, and the way to settings and store."""

import getpass
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from abuse_triage.errors import ConfigError

if TYPE_CHECKING:
    from abuse_triage.model.settings import Settings
    from abuse_triage.store.interface import Store

SYSTEM_CONFIG = Path("/etc/abuse-triage/config.toml")
_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass
class State:
    """What the options that all commands share say."""

    config: Path | None = None
    debug: bool = False

    @property
    def path(self) -> Path:
        """The configuration file: the one named with --config, or the first of the two usual ones."""
        if self.config is not None:
            return self.config
        for path in (Path("config.toml"), SYSTEM_CONFIG):
            if path.exists():
                return path
        raise ConfigError(
            (f"there is neither config.toml here nor {SYSTEM_CONFIG}",),
            advice="Name the configuration with --config, or write a first one with `abuse-triage init`.",
        )

    def settings(self) -> "Settings":
        """Load the configuration; raises `ConfigError`."""
        from abuse_triage import config  # noqa: PLC0415 -- late: --help needs no pydantic

        return config.load(self.path)

    @contextmanager
    def store(self) -> "Iterator[tuple[Settings, Store]]":
        """Open the store that the configuration names, and close it."""
        from abuse_triage import config  # noqa: PLC0415 -- see settings
        from abuse_triage.store import open_store  # noqa: PLC0415 -- see settings

        settings = self.settings()
        store = open_store(settings.store.path, number_format=config.number_format(settings))
        try:
            yield settings, store
        finally:
            store.close()


def _set_config(ctx: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
    if value is not None:
        ctx.ensure_object(State).config = value


def _set_debug(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        ctx.ensure_object(State).debug = True


def common(command: _Command) -> _Command:
    """Give a command the options that may stand before and behind its name."""
    command = click.option(
        "--debug",
        is_flag=True,
        expose_value=False,
        callback=_set_debug,
        help="Show where an unexpected error happened.",
    )(command)
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        expose_value=False,
        callback=_set_config,
        metavar="FILE",
        help=f"Configuration file  [default: config.toml here, else {SYSTEM_CONFIG}]",
    )(command)


def json_option(command: _Command) -> _Command:
    """Give a command --json, which it gets as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)


def operator() -> str:
    """Return who works here, for the journal: the system user, or the one who called sudo."""
    return os.environ.get("SUDO_USER") or getpass.getuser()


pass_state = click.make_pass_decorator(State, ensure=True)
