"""`init`, `check-config`, `print-config`, and the refusal of `serve` to start on a broken configuration."""

import os
import pty
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from csirt import Csirt, install

from abuse_triage import config
from abuse_triage.cli.main import cli
from abuse_triage.model.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


def init(*arguments: str) -> Result:
    """Run `init`, without OpenPGP; see test_cli_keys.py for that."""
    return CliRunner().invoke(cli, ["init", "--no-key", *arguments], prog_name="abuse-triage")


def test_init_writes_what_check_config_accepts(tmp_path: Path) -> None:
    """A first configuration has a secret, an outbox, every key with its explanation, and no problems."""
    result = init("--dir", str(tmp_path / "new"), "--yes")

    assert 0 == result.exit_code
    assert "check-config" in result.stderr
    settings = config.load(tmp_path / "new" / "config.toml")
    assert [] == config.problems(settings, tmp_path / "new" / "config.toml")
    assert 32 == len(config.secret(settings))
    assert config.render(config.neutral()) == (tmp_path / "new" / "config.toml").read_text("utf-8")


def test_what_init_writes_is_for_this_user_only(tmp_path: Path) -> None:
    """Configuration and secret cannot be read by others."""
    init("--dir", str(tmp_path), "--yes")

    assert [0o600, 0o600, 0o700] == [
        stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("config.toml", "message-id.key", "outbox")
    ]


def test_two_secrets_differ(tmp_path: Path) -> None:
    """Each installation has a secret of its own."""
    init("--dir", str(tmp_path / "a"), "--yes")
    init("--dir", str(tmp_path / "b"), "--yes")

    assert (tmp_path / "a" / "message-id.key").read_bytes() != (tmp_path / "b" / "message-id.key").read_bytes()


@pytest.mark.parametrize("name", ["config.toml", "message-id.key"])
def test_init_overwrites_nothing(tmp_path: Path, name: str) -> None:
    """Where one of the files exists, nothing is written at all."""
    (tmp_path / name).write_text("mine")

    result = init("--dir", str(tmp_path), "--yes")

    assert 65 == result.exit_code
    assert f"{tmp_path / name} exists already" in result.stderr
    assert ["mine"] == [path.read_text() for path in tmp_path.iterdir()]


def test_init_takes_an_identity_from_options(tmp_path: Path) -> None:
    """With options for all of it, the identity is no example's, and the scope is to be completed."""
    result = init(
        *("--dir", str(tmp_path), "--yes", "--name", "CERT-X", "--organisation", "X", "--ticket-prefix", "CERT-X"),
        *(
            "--timezone",
            "Europe/Lisbon",
            "--incidents",
            "abuse@nic.pt",
            "--enquiries",
            "cert@nic.pt",
            "--domain",
            ".PT",
        ),
    )

    settings = config.load(tmp_path / "config.toml")
    assert ("CERT-X", "X", "CERT-X", "Europe/Lisbon", False) == (
        settings.team.name,
        settings.team.organisation,
        settings.team.ticket_prefix,
        settings.team.timezone,
        settings.team.example,
    )
    assert ("pt",) == settings.scope.domains
    assert "Add your address blocks" in result.stderr


def test_init_refuses_a_wrong_identity_and_writes_nothing(tmp_path: Path) -> None:
    """What is wrong is said in the words of check-config."""
    result = init("--dir", str(tmp_path / "new"), "--yes", "--timezone", "Lisbon", "--incidents", "abuse")

    assert 65 == result.exit_code
    assert "identity: team.timezone: is not a time zone" in result.stderr
    assert "identity: mailbox[1].address: should be an e-mail address" in result.stderr
    assert not (tmp_path / "new").exists()


def test_init_asks_on_a_terminal(tmp_path: Path) -> None:
    """On a terminal it asks for what the options do not say; Return takes the proposal."""
    master, slave = pty.openpty()
    answers = ["CERT-X", "", "CERT-X", "Europe/Lisbon", "abuse@nic.pt", "cert@nic.pt", ".pt, com.pt"]
    os.write(master, "".join(f"{answer}\n" for answer in answers).encode())
    subprocess.run(
        [sys.executable, "-m", "abuse_triage", "init", "--no-key", "--dir", str(tmp_path / "new")],
        cwd=ROOT,
        stdin=slave,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    os.close(slave)
    os.close(master)

    settings = config.load(tmp_path / "new" / "config.toml")
    assert ("CERT-X", "Example Organisation") == (settings.team.name, settings.team.organisation)
    assert ("abuse@nic.pt", "cert@nic.pt") == tuple(mailbox.address for mailbox in settings.mailbox)
    assert ("pt", "com.pt") == settings.scope.domains


def test_an_empty_answer_for_domains_stays_an_example(tmp_path: Path) -> None:
    """Whoever presses Return at every question gets the example."""
    master, slave = pty.openpty()
    os.write(master, b"\n" * 7)
    subprocess.run(
        [sys.executable, "-m", "abuse_triage", "init", "--no-key", "--dir", str(tmp_path / "new")],
        cwd=ROOT,
        stdin=slave,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    os.close(slave)
    os.close(master)

    assert config.render(config.neutral()) == (tmp_path / "new" / "config.toml").read_text("utf-8")


def test_check_config_finds_nothing_wrong(tmp_path: Path) -> None:
    """A good installation prints nothing on standard output and ends with exit code 0."""
    csirt = install(tmp_path)

    result = csirt.run("check-config")

    assert ("", f"{csirt.path}: no problems\n") == (result.stdout, result.stderr)
    assert [] == csirt.json("check-config")


def broken(csirt: Csirt) -> list[str]:
    """Break configuration, secret and rules; returns the problems to expect."""
    (csirt.folder / "message-id.key").chmod(0o644)
    (csirt.folder / "outbox").rmdir()
    rule = csirt.folder / "rules" / "10-test.yaml"
    rule.write_text(rule.read_text("utf-8").replace("{text: fishing}", "{text: phishing}"), "utf-8")
    key = csirt.folder / "message-id.key"
    return [
        f"{csirt.path}: reply.secret_file: {key} can be read by others; chmod 600 it",
        f"{csirt.path}: outbox.folder: the folder {csirt.folder / 'outbox'} does not exist",
        'rules/10-test.yaml:5: cls.phishing: test "another word": expected match false, got true',
    ]


def test_check_config_prints_all_problems_at_once(tmp_path: Path) -> None:
    """Files, folders and the tests inside the rules: every problem is a line, and the exit code is 78."""
    csirt = install(tmp_path)
    expected = broken(csirt)

    assert expected == csirt.run("check-config", code=78).stdout.splitlines()


def test_check_config_as_json(tmp_path: Path) -> None:
    """With --json the problems are a list, the exit code is the same."""
    csirt = install(tmp_path)
    csirt.path.write_text("[team]\n", "utf-8")

    result = csirt.run("check-config", "--json", code=78)

    assert f"{csirt.path}: team.name: is missing" in result.stdout
    assert "" == result.stderr


def test_a_rule_that_does_not_load_is_a_problem(tmp_path: Path) -> None:
    """Broken rules are named by file and line."""
    csirt = install(tmp_path)
    (csirt.folder / "rules" / "10-test.yaml").write_text("version: 1\nrules: [", "utf-8")

    assert csirt.run("check-config", code=78).stdout.startswith("rules/10-test.yaml:3: ")


def test_serve_does_not_start_on_a_broken_configuration(tmp_path: Path) -> None:
    """`serve` refuses everything that check-config would print: exit code 78, which systemd does not restart on."""
    csirt = install(tmp_path)
    broken(csirt)

    result = csirt.run("serve", code=78)

    assert "can be read by others" in result.stderr
    assert "run check-config again" in result.stderr


def test_print_config_shows_what_holds(tmp_path: Path) -> None:
    """Every key is there, defaults included, and reads back as the same settings."""
    csirt = install(tmp_path)
    settings = config.load(csirt.path)

    assert settings == config.parse(csirt.run("print-config").stdout, name="printed")
    assert settings == Settings.model_validate_json(csirt.run("print-config", "--json").stdout)
