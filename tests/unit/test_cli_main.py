"""The command line as a whole: help, errors, exit codes, and where the configuration is found."""

import importlib
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from csirt import PHISHING, install, worked

from abuse_triage import __version__
from abuse_triage.cli import context
from abuse_triage.cli.main import COMMANDS, cli
from abuse_triage.service.supervisor import Role

ROOT = Path(__file__).resolve().parents[2]


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> dict[str, click.Command]:
    """Return every command that is no group, by its full name."""
    found = {}
    parent = click.Context(group)
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        assert command is not None
        if isinstance(command, click.Group):
            found |= leaves(command, (*path, name))
        else:
            found[" ".join((*path, name))] = command
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_where_the_table_says(name: str) -> None:
    """A command's line in the list is the first line of its own help."""
    module, attribute = COMMANDS[name][0].split(":")
    command = getattr(importlib.import_module(f"abuse_triage.cli.{module}"), attribute)

    assert name == command.name
    assert COMMANDS[name][1] == (command.help or "").splitlines()[0]


def test_every_command_has_help() -> None:
    """Each command and each of its options says what it is for."""
    for name, command in leaves(cli).items():
        assert (command.help or "").rstrip().endswith("."), name
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{name} {parameter.name}"


def test_every_command_that_prints_data_prints_json() -> None:
    """--json is there wherever a command prints something to work with."""
    without = {name for name, command in leaves(cli).items() if "as_json" not in {item.name for item in command.params}}

    keys = {f"key {name}" for name in ("generate", "import-secret", "publish", "add", "fetch", "remove")}
    contacts = {f"contacts {name}" for name in ("add", "change", "remove", "import", "export")}
    tickets = {"ticket set", "ticket contact"}
    others = {"init", "serve", "message promote", "message retry", "mail resend", "tour"}
    assert others | keys | contacts | tickets == without


def test_help_lists_the_commands_without_importing_them() -> None:
    """`--help` loads neither pydantic nor structlog, and so is fast."""
    program = (
        "import sys; from abuse_triage.cli.main import cli\n"
        "try: cli(['--help'])\n"
        "except SystemExit: print(sorted({'pydantic', 'structlog', 'rich', 'sqlite_utils', 're2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.endswith("[]\n")
    for name, (_, text) in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(text)}$", done.stdout, re.MULTILINE)


def test_version() -> None:
    """`version` names program, Python and SQLite; --version the program."""
    runner = CliRunner()

    versions = json.loads(runner.invoke(cli, ["version", "--json"]).stdout)
    assert {"abuse-triage", "python", "sqlite"} == set(versions)
    assert __version__ == versions["abuse-triage"]
    assert f"abuse-triage  {__version__}" in runner.invoke(cli, ["version"]).stdout
    assert (
        f"abuse-triage, version {__version__}\n" == runner.invoke(cli, ["--version"], prog_name="abuse-triage").stdout
    )


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["ticket", "nonsense"], ["ticket", "list", "--nonsense"], ["triage"]]
)
def test_wrong_usage_ends_with_exit_code_2(arguments: list[str]) -> None:
    """Unknown commands and options, and missing arguments, are wrong usage."""
    assert 2 == CliRunner().invoke(cli, arguments).exit_code


def test_without_configuration_the_advice_says_how_to_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where neither usual file exists, exit code 78 and the way to one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(context, "SYSTEM_CONFIG", tmp_path / "etc" / "config.toml")

    result = CliRunner().invoke(cli, ["status"])

    assert (78, "") == (result.exit_code, result.stdout)
    assert "neither config.toml here nor" in result.stderr
    assert "abuse-triage init" in result.stderr


def test_the_configuration_here_goes_before_that_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """./config.toml is used where there is one, else the system's."""
    install(tmp_path / "here")
    install(tmp_path / "etc")
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(context, "SYSTEM_CONFIG", tmp_path / "etc" / "config.toml")
    used = []

    for folder in ("here", "empty"):
        monkeypatch.chdir(tmp_path / folder)
        printed = json.loads(CliRunner().invoke(cli, ["print-config", "--json"]).stdout)
        used.append(Path(printed["store"]["path"]).parent)

    assert [tmp_path / "here", tmp_path / "etc"] == used


def test_config_may_stand_before_and_behind_the_command(tmp_path: Path) -> None:
    """Both places work, and the one behind wins."""
    csirt = install(tmp_path)

    for arguments in (
        ["--config", str(csirt.path), "status"],
        ["--config", "/absent", "status", "--config", str(csirt.path)],
    ):
        assert 0 == CliRunner().invoke(cli, arguments).exit_code


def test_known_errors_are_a_message_and_an_advice(tmp_path: Path) -> None:
    """An error of ours has neither traceback nor class name."""
    csirt = install(tmp_path)

    result = csirt.run("ticket", "show", "1", code=3)

    assert result.stderr.startswith("abuse-triage: ")
    assert "Error" not in result.stderr


def test_unexpected_errors_are_one_line_and_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault in the program is one line, exit code 1, and the way to its traceback."""
    csirt = install(tmp_path)
    monkeypatch.setattr("abuse_triage.store.open_store", lambda *_args, **_options: 1 / 0)

    result = csirt.run("status", code=1)

    assert ["abuse-triage: ZeroDivisionError: division by zero", "With --debug it shows where that happened."] == (
        result.stderr.splitlines()
    )
    raised = CliRunner().invoke(cli, ["--config", str(csirt.path), "status", "--debug"])
    assert isinstance(raised.exception, ZeroDivisionError)


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    """`abuse-triage ticket list | head -0` shows no traceback."""
    csirt = install(tmp_path)
    command = f"{sys.executable} -m abuse_triage --config {csirt.path} print-config | true"

    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)

    assert "Traceback" not in done.stderr


def test_a_poor_encoding_shows_escapes(tmp_path: Path) -> None:
    """Where the terminal's encoding lacks a character, it is escaped instead of failing."""
    csirt = install(tmp_path)
    csirt.path.write_text(csirt.path.read_text("utf-8").replace("Example Organisation", "日本"), "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "abuse_triage", "--config", str(csirt.path), "print-config"],
        cwd=ROOT,
        env={"PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=True,
    )

    assert b"\\u65e5\\u672c" in done.stdout


def test_status_counts_what_waits(tmp_path: Path) -> None:
    """`status` shows each state with its count and the age of the oldest."""
    csirt = worked(tmp_path)
    csirt.take(PHISHING)

    lines = csirt.lines("status")
    assert ["WHAT", "COUNT", "OLDEST"] == lines[0].split()
    assert any(re.fullmatch(r"messages received +1 +\d+s", line) for line in lines)
    gauges = {gauge["name"]: gauge["count"] for gauge in csirt.json("status")}
    assert (1, 0) == (gauges["messages received"], gauges["mail delivery-unknown"])


def test_the_digest_can_be_previewed(tmp_path: Path) -> None:
    """The preview has the open tickets; nothing is queued by looking."""
    csirt = worked(tmp_path)

    assert any("EXAMPLE-CSIRT#2026-000001" in line for line in csirt.lines("digest", "--preview"))
    assert 2 == csirt.json("digest", "--preview", "--since", "1h")["open_count"]
    assert [] == csirt.json("mail", "list", "--state", "sent")
    csirt.run("digest", code=2)


def test_serve_runs_one_role_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """`serve --role` starts the process of that role, and SIGTERM ends it with exit code 0."""
    csirt = install(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-m", "abuse_triage", "--config", str(csirt.path), "serve", "--role", "scheduler"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    events = []
    give_up = time.monotonic() + 60
    for line in process.stderr:
        entry = json.loads(line)
        events.append((entry["event"], entry.get("process")))
        if entry["event"] == "process-ready" or time.monotonic() > give_up:
            break
    process.send_signal(signal.SIGTERM)
    rest = process.stderr.read()
    process.stderr.close()

    assert 0 == process.wait(30)
    assert ("process-ready", "scheduler") in events
    assert "stopped" == json.loads(rest.splitlines()[-1])["event"]


def test_serve_knows_every_role() -> None:
    """The roles of the supervisor are the choices of --role; anything else is wrong usage."""
    result = CliRunner().invoke(cli, ["serve", "--help"])

    for role in Role:
        assert role.value in result.stdout
    assert 2 == CliRunner().invoke(cli, ["serve", "--role", "nonsense"]).exit_code
