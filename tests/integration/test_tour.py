"""`tour` as a newcomer runs it: a folder, a port on loopback, Ctrl-C."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from daemon import free_port
from golden import FOLDER

from abuse_triage import config
from abuse_triage.cli.configuration import create, with_key
from abuse_triage.openpgp import teamkey


class Tour:
    """One run of `tour`."""

    def __init__(self, folder: Path, samples: Path | None) -> None:
        command = [sys.executable, "-m", "abuse_triage", "tour", "--dir", str(folder)]
        self.process = subprocess.Popen(
            command + (["--samples", str(samples)] if samples else []),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            env=os.environ | {"PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"},
        )
        self.output = ""
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line

    def wait_for(self, words: str) -> None:
        """Wait until it has said something."""
        give_up = time.monotonic() + 90
        while words not in self.output and time.monotonic() < give_up and self.process.poll() is None:
            time.sleep(0.05)
        assert words in self.output, self.output

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Press Ctrl-C, or end it otherwise; returns its exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for its end; returns its exit code."""
        code = self.process.wait(60)
        self._listener.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the configuration that `tour` itself writes, but with a free port."""
    folder = tmp_path / "var"
    settings = config.neutral()
    smtp = settings.smtp.model_copy(update={"listen": (f"127.0.0.1:{free_port()}",)})
    store = settings.store.model_copy(update={"min_free": 1_000_000})
    create(folder, settings.model_copy(update={"smtp": smtp, "store": store}))
    return folder


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """Three messages."""
    folder = tmp_path / "samples"
    for case in sorted(FOLDER.glob("0[1-3]-*")):
        shutil.copytree(case, folder / case.name)
    return folder


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of all processes that have a file of a folder open or name it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace")
            files = [str(file.readlink()) for file in (process / "fd").iterdir()]
        except OSError:
            continue
        if any(str(folder) in text for text in (command, *files)):
            found.append(command.replace("\0", " "))
    return found


def test_a_tour_shows_each_message_s_way_ends_by_ctrl_c_and_goes_on(folder: Path, samples: Path) -> None:
    """Three samples are sent once and told with the digest; Ctrl-C ends all processes with code 0; the next goes on."""
    first = Tour(folder, samples)
    first.wait_for("Ctrl-C ends the daemon.")
    ways = [line for line in first.output.splitlines() if " received " in line]
    assert 3 == len(ways), first.output
    ends = ["acknowledged", "acknowledged", "not acknowledged: Auto-Submitted is not no (RFC 3834 section 5)"]
    assert ends == sorted(line.rpartition(" → ")[2] for line in ways)
    assert all("→ EXAMPLE-CSIRT#" in line for line in ways)
    assert "Sent 3 sample messages." in first.output
    assert "The digest that handlers would get now:" in first.output
    assert "NEEDS A DECISION (3 open, 0 overdue)" in first.output
    assert 2 == len(list((folder / "outbox").glob("*.eml")))
    assert 0 == first.end()
    assert first.output.endswith("Stopped. The next start goes on where it was.\n")
    assert [] == processes_of(folder)

    second = Tour(folder, samples)
    second.wait_for("Ctrl-C ends the daemon.")
    assert "Sent" not in second.output
    time.sleep(1.5)
    assert " received " not in second.output
    assert 0 == second.end(signal.SIGTERM)
    assert [] == processes_of(folder)


def test_a_tour_does_not_talk_to_whoever_has_its_port(folder: Path, samples: Path) -> None:
    """Where the port is taken nothing is started or sent, and the message says what to do."""
    host, port = config.host_port(config.load(folder / "config.toml").smtp.listen[0])
    with socket.create_server((host, port)) as other:
        other.settimeout(0.1)
        tour = Tour(folder, samples)
        assert 75 == tour.wait()
        with pytest.raises(TimeoutError):
            other.accept()
    assert "Address already in use" in tour.output
    assert "perhaps another tour" in tour.output
    assert [] == processes_of(folder)


def test_a_tour_whose_daemon_does_not_start_says_where_to_look(folder: Path) -> None:
    """A daemon that ends at once is no reason to wait; its log is named."""
    (folder / "message-id.key").write_bytes(b"short")
    tour = Tour(folder, None)
    assert 75 == tour.wait()
    assert "the daemon did not start" in tour.output
    assert "daemon.log" in tour.output
    assert "message-id.key" in (folder / "daemon.log").read_text()


def test_a_tour_whose_daemon_dies_ends_too(folder: Path) -> None:
    """Nobody waits for messages that no process would take."""
    tour = Tour(folder, None)
    tour.wait_for("Ctrl-C ends the daemon.")
    children = Path(f"/proc/{tour.process.pid}/task/{tour.process.pid}/children").read_text().split()
    for child in children:
        os.kill(int(child), signal.SIGKILL)
    assert 75 == tour.wait()
    assert "the daemon ended by itself" in tour.output


def test_the_first_tour_writes_a_configuration(tmp_path: Path) -> None:
    """Without a configuration one is written, with an example identity and a key, before anything else."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 8025))
            taken.listen()
        except OSError:
            pass  # somebody else has it, which is as good
        tour = Tour(tmp_path / "var", None)
        assert 75 == tour.wait()
    assert "with an example identity" in tour.output
    settings = config.load(tmp_path / "var" / "config.toml")
    assert config.neutral().team == settings.team.model_copy(update={"openpgp_fingerprint": ""})
    assert [settings.team.openpgp_fingerprint] == [
        key.fingerprint for key in teamkey.described((tmp_path / "var" / "team-key.asc").read_bytes())
    ]


def test_a_daemon_without_room_for_samples_is_reported(folder: Path, samples: Path) -> None:
    """Samples that the daemon puts off end the tour with what it answered."""
    path = folder / "config.toml"
    path.write_text(path.read_text("utf-8").replace('min_free = "1 MB"', 'min_free = "1000000 GB"'), "utf-8")
    tour = Tour(folder, samples)
    assert 75 == tour.wait()
    assert "the daemon did not take a sample" in tour.output
    assert "store.min_free" in tour.output
    assert [] == processes_of(folder)


def test_an_unfit_key_is_told_before_anything_starts(tmp_path: Path) -> None:
    """The exit code is the configuration's, and the line that `check-config` prints stands on the terminal."""
    settings, files = with_key(tmp_path, config.neutral())
    create(tmp_path, settings, files)
    (tmp_path / "team-key.asc").write_bytes(b"")
    run = Tour(tmp_path, None)
    assert 78 == run.wait()
    assert "config.toml: openpgp.secret_key: " in run.output
    assert "team-key.asc: is empty" in run.output
    assert not (tmp_path / "daemon.log").exists()
