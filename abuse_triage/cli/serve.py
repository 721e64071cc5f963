"""`serve`: the daemon in the foreground."""

import click

from abuse_triage import logs
from abuse_triage.cli.configuration import problems_of
from abuse_triage.cli.context import State, common, pass_state
from abuse_triage.errors import ConfigError
from abuse_triage.service.supervisor import Role
from abuse_triage.service.supervisor import serve as run


@click.command()
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice([role.value for role in Role]),
    help="Run only this role here; may be repeated.  [default: all]",
)
@common
@pass_state
def serve(state: State, roles: tuple[str, ...]) -> None:
    """Run the daemon in the foreground.

    SIGTERM and Ctrl-C stop it in order: what was accepted is on the disk, what was begun is ended.
    """
    settings = state.settings()
    if problems := problems_of(settings, state.path):
        raise ConfigError(tuple(problems))
    logs.setup(settings.log)
    run(settings, [Role(role) for role in roles] or list(Role))
