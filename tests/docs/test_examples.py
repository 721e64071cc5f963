"""The examples of the documents are run as they stand: the same commands, and what they print."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from daemon import free_port
from docs import transcript

from abuse_triage import config

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


@pytest.fixture
def running(checkout: Checkout) -> Iterator[Checkout]:
    """A checkout in which `make run` runs and has shown all it shows at the start, in the file "printed"."""
    settings = config.render(config.neutral()).replace(":8025", f":{checkout.port}")
    config_file = checkout.folder / "var" / "config.toml"
    subprocess.run((sys.executable, "-m", "abuse_triage", "init", "--yes", "--dir", config_file.parent), check=True)
    config_file.write_text(settings)
    printed = checkout.folder / "printed"
    with printed.open("wb") as output:
        daemon = subprocess.Popen(
            ("make", "run"),
            cwd=checkout.folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "MAKEFLAGS": ""},
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
    """What the handlers' guide shows is what the commands print."""
    running.check(DOCS / "handling.md", "handling")
