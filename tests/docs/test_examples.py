"""The examples of the documents are run as they stand: the same commands, and what they print."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from daemon import free_port

from abuse_triage import config
from docs import transcript

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
SHARED = ("Makefile", "pyproject.toml", "rules", "tests", "config.example.toml")


@dataclass(frozen=True, slots=True)
class Checkout:
    """A checkout as a newcomer has it; `port` is where its daemon listens."""

    folder: Path
    port: int

    def check(self, document: Path, name: str) -> None:
        """Run a document's transcripts of that name in it."""
        transcript.check(document, name, self.folder, replace=transcript.at_port(self.port))


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A checkout in which everything is installed, and a port that is free."""
    for name in SHARED:
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for name in ("abuse-triage", "pip"):
        (tmp_path / ".venv" / "bin" / name).symlink_to(Path(sys.executable).parent / name)
    (tmp_path / ".venv" / ".installed").touch()
    return Checkout(tmp_path, free_port())


def settle(checkout: Checkout) -> None:
    """Write what `make run` writes at its first start, but with the test's port, and answers that do not take a minute.

    The key is made by `init`, as always.
    """
    config_file = checkout.folder / "var" / "config.toml"
    subprocess.run((sys.executable, "-m", "abuse_triage", "init", "--yes", "--dir", config_file.parent), check=True)
    made, neutral = config.parse(config_file.read_text("utf-8"), name=""), config.neutral()
    quick = {"timeout": timedelta(seconds=8), "answer_delay": timedelta(seconds=9)}
    settings = neutral.model_copy(
        update={
            "team": neutral.team.model_copy(update={"openpgp_fingerprint": made.team.openpgp_fingerprint}),
            "openpgp": made.openpgp.model_copy(update=quick),
        }
    )
    config_file.write_text(config.render(settings).replace(":8025", f":{checkout.port}"), "utf-8")


@pytest.fixture(params=["yes"])
def running(checkout: Checkout, request: pytest.FixtureRequest) -> Iterator[Checkout]:
    """A checkout in which `make run` runs and has shown all it shows at the start, in the file "printed".

    The parameter is SAMPLES.
    """
    settle(checkout)
    printed = checkout.folder / "printed"
    with printed.open("wb") as output:
        daemon = subprocess.Popen(
            ("make", "run", f"SAMPLES={request.param}"),
            cwd=checkout.folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # As from a terminal, and not as a part of `make test`.
            env={name: value for name, value in os.environ.items() if "MAKE" not in name},
        )
    try:
        give_up = time.monotonic() + 100
        while b"Ctrl-C ends" not in printed.read_bytes():
            assert daemon.poll() is None, printed.read_text()
            assert time.monotonic() < give_up, printed.read_text()
            time.sleep(0.1)
        yield checkout
    finally:
        if daemon.poll() is None:
            os.killpg(daemon.pid, signal.SIGINT)
        daemon.wait(60)


def test_readme_session(running: Checkout) -> None:
    """What README shows of `make run`, a report, its acknowledgement and an answer is what happens, in two seconds."""
    (start,) = transcript.transcripts(README, "run")
    # The configuration was there already, with a free port.
    expected = transcript.Command(start.line, start.printed.partition("\n")[2])
    printed = (running.folder / "printed").read_text().replace(str(running.port), "8025")
    transcript.compare(README, expected, printed)
    commands = transcript.transcripts(README, "session")
    commands[0] = transcript.Command(f"{commands[0].line} && sleep 2", commands[0].printed)
    for command, output in zip(
        commands, transcript.run(commands, running.folder, replace=transcript.at_port(running.port)), strict=True
    ):
        transcript.compare(README, command, output)


def test_handling(running: Checkout) -> None:
    """What the handlers' guide shows is what the commands print after `make run`."""
    replace = transcript.at_port(running.port)
    transcript.check(DOCS / "handling.md", "handling", running.folder / "var", replace=replace)


def test_contacts(running: Checkout) -> None:
    """What the page shows of the contact directory is what the commands print, and its rule passes its tests."""
    folder = running.folder / "var"
    transcript.write_files(DOCS / "contacts.md", folder)
    transcript.check(DOCS / "contacts.md", "contacts", folder, replace=transcript.at_port(running.port))


@pytest.fixture
def configured(checkout: Checkout) -> Checkout:
    """A checkout with a configuration of `init` and the files that the documents show, without a daemon."""
    init = (sys.executable, "-m", "abuse_triage", "init", "--yes", "--dir", checkout.folder / "var")
    subprocess.run(init, check=True)
    for document in (DOCS / "rules.md", DOCS / "configuration.md"):
        transcript.write_files(document, checkout.folder)
    return checkout


def test_rules(configured: Checkout) -> None:
    """The tutorial's rule and its faults do what the tutorial shows."""
    transcript.check(DOCS / "rules.md", "rules", configured.folder)


def test_configuration(configured: Checkout) -> None:
    """The broken configuration has exactly the problems that the page shows."""
    transcript.check(DOCS / "configuration.md", "configuration", configured.folder)


def test_lookups(configured: Checkout) -> None:
    """A table of owners says whom to write to without any network, as the page shows."""
    transcript.write_files(DOCS / "lookups.md", configured.folder)
    transcript.check(DOCS / "lookups.md", "lookups", configured.folder)


def test_templates(configured: Checkout) -> None:
    """The template that the page shows is refused, mended and seen as the page says."""
    transcript.write_files(DOCS / "templates.md", configured.folder)
    transcript.check(DOCS / "templates.md", "templates", configured.folder)


def test_install(tmp_path: Path) -> None:
    """The commands that make the configuration of a service make one without problems."""
    here = {
        "sudo -u abuse-triage ": "",
        "sudo ": "",
        "/var/lib/abuse-triage": str(tmp_path / "lib"),
        "/etc/abuse-triage": str(tmp_path / "etc"),
    }
    for folder in ("lib", "etc"):
        (tmp_path / folder).mkdir()
    transcript.check(DOCS / "install.md", "init", tmp_path, replace=here)


@pytest.mark.parametrize("running", ["no"], indirect=True)
def test_openpgp(running: Checkout) -> None:
    """What the page shows of a reporter with a stock gpg is what happens."""
    replace = {**transcript.at_port(running.port), "sleep 70": "sleep 15"}
    transcript.check(DOCS / "openpgp.md", "openpgp", running.folder, replace=replace)


def test_every_marked_example_is_run() -> None:
    """No transcript of a document is left out by this file."""
    run_here = {
        "README.md": {"run", "session"},
        "configuration.md": {"configuration"},
        "contacts.md": {"contacts"},
        "handling.md": {"handling"},
        "install.md": {"init"},
        "lookups.md": {"lookups"},
        "openpgp.md": {"openpgp"},
        "rules.md": {"rules"},
        "templates.md": {"templates"},
    }
    marked = {document.name: transcript.names(document) for document in (README, *DOCS.glob("*.md"))}
    assert run_here == {name: found for name, found in marked.items() if found}
