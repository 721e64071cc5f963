"""A real daemon for tests: its own folder, ports on loopback, processes that can be killed one by one."""

import contextlib
import os
import random
import signal
import smtplib
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from abuse_triage import config
from abuse_triage.store import open_store
from abuse_triage.store.interface import Store

CONFIG = """\
[team]
name = "Test CSIRT"
ticket_prefix = "TEST"
{team}

[[mailbox]]
address = "abuse@{domain}"

[[mailbox]]
address = "csirt@{domain}"
kind = "enquiry"

[scope]
domains = ["pt"]

[[scope.autonomous_system]]
asn = 64500
networks = ["198.51.100.0/24", "2001:db8:100::/40"]

[[scope.name_server]]
name = "a.ns.example.pt"
addresses = ["203.0.113.53", "2001:db8:53::53"]

[smtp]
listen = ["127.0.0.1:{port}"]
{smtp}
[triage]
lease = "6s"
deadline = "5s"

[store]
min_free = "1 MB"

[outbox]
smarthost = "{smarthost}"

[budget]
{budget}

[reply]
message_id_domain = "{domain}"
{reply}
"""

GENEROUS = "\n".join(
    f'{name} = "100000000/1h"' for name in ("sender", "unproven_sender", "domain", "proven", "unproven", "notices")
)
"""Budgets that no test exhausts unless it means to."""


def free_port() -> int:
    """Return a port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def report(number: int) -> bytes:
    """Return the number-th of endlessly many different reports."""
    address = f"192.0.2.{number % 250 + 1}"
    return (
        f"From: Reporter {number} <reporter{number}@example.com>\r\n"
        f"To: abuse@example.pt\r\nSubject: Brute force from {address} (case {number})\r\n"
        f"Date: Fri, 20 Nov 2026 10:{number % 60:02}:00 +0000\r\nMessage-ID: <case-{number}@example.com>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
        f"Hello,\r\n\r\nhost {address} tried to log in over SSH {number + 3} times:\r\n\r\n"
        f"Nov 20 10:{number % 60:02}:07 gw sshd[{number}]: Failed password for root from {address} "
        f"port {2000 + number} ssh2\r\n"
        f"\r\nOur case is {number}.\r\n"
    ).encode()


def write_config(
    folder: Path,
    *,
    port: int = 8025,
    smarthost: str = "",
    smtp: str = "",
    extra: str = "",
    domain: str = "example.pt",
    budget: str = GENEROUS,
    reply: str = "",
    team: str = "",
) -> Path:
    """Write a configuration with a secret of its own into a folder; returns its path.

    `smtp`, `reply` and `team` are more lines of these tables, `budget` the lines of that one, `extra` more tables;
    `domain` is that of its mailboxes.
    """
    path = folder / "config.toml"
    tables = {"smtp": smtp, "reply": reply, "budget": budget, "team": team}
    path.write_text(CONFIG.format(port=port, smarthost=smarthost, domain=domain, **tables) + extra)
    secret = folder / "message-id.key"
    secret.touch(0o600)
    secret.write_bytes(os.urandom(32))
    (folder / "outbox").mkdir(exist_ok=True)
    return path


class Daemon:
    """`abuse-triage serve` in a folder; a context manager that leaves no process behind."""

    def __init__(
        self,
        folder: Path,
        *,
        smarthost: str = "",
        smtp: str = "",
        extra: str = "",
        domain: str = "example.pt",
        budget: str = GENEROUS,
        reply: str = "",
        team: str = "",
    ) -> None:
        self.folder = folder
        self.port = free_port()
        tables = {"smtp": smtp, "reply": reply, "budget": budget, "extra": extra, "team": team}
        self._config = write_config(folder, port=self.port, smarthost=smarthost, domain=domain, **tables)
        self.settings = config.load(self._config)
        self._log = folder / "daemon.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._store: Store | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        if self._store is not None:
            self._store.close()

    def start(self, *, failpoint: str = "") -> None:
        """Start it and wait until it answers on its port."""
        environment = dict(os.environ)
        environment.pop("ABUSE_TRIAGE_FAILPOINT", None)
        if failpoint:
            environment["ABUSE_TRIAGE_FAILPOINT"] = failpoint
        with self._log.open("ab") as stderr:
            self._process = subprocess.Popen(
                (sys.executable, "-m", "abuse_triage", "--config", str(self._config), "serve"),
                stdin=subprocess.DEVNULL,
                stderr=stderr,
                env=environment,
            )
        if not failpoint:
            self.wait_for_port()

    def wait_for_port(self) -> None:
        """Wait until a connection is accepted; fails after a minute."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.05)
        raise AssertionError(f"the daemon does not listen; its log ends with:\n{self.log()[-3000:]}")

    def log(self) -> str:
        """Return what it has logged."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def store(self) -> Store:
        """Return the store, opened once from outside the daemon."""
        if self._store is None:
            self._store = open_store(self.settings.store.path, number_format=config.number_format(self.settings))
        return self._store

    def processes(self) -> dict[int, str]:
        """Return every process of it, pid to what it is."""
        return {self._process.pid: "supervisor", **_children(self._process.pid)} if self._process else {}

    def peaks(self) -> dict[str, int]:
        """Return the peak resident memory of each process in kB."""
        found: dict[str, int] = {}
        for pid, name in self.processes().items():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
                peak = max((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), default=0)
                found[name] = max(peak, found.get(name, 0))
        return found

    def cpu(self) -> dict[str, float]:
        """Return the CPU seconds that each process has used."""
        ticks = os.sysconf("SC_CLK_TCK")
        found: dict[str, float] = {}
        for pid, name in self.processes().items():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            found[name] = found.get(name, 0.0) + (int(fields[11]) + int(fields[12])) / ticks
        return found

    def kill_one(self, chance: random.Random) -> str:
        """Kill one of its processes at random with SIGKILL; returns what it was, "" where there was none."""
        processes = self.processes()
        if not processes:
            return ""
        supervisor, *others = sorted(processes)  # the oldest has the lowest number, unless numbers begin anew
        pid = supervisor if not others or chance.random() < 0.1 else chance.choice(others)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return processes[pid]

    def keep_running(self, *, failpoint: str = "") -> None:
        """Start it again if the supervisor itself is dead, as systemd would."""
        if self._process is not None and self._process.poll() is not None:
            self.start(failpoint=failpoint)

    def stop(self) -> int:
        """Stop it in order; returns its exit code."""
        if self._process is None:
            return 0
        self._process.terminate()
        try:
            return self._process.wait(60)
        except subprocess.TimeoutExpired:
            for pid in self.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            raise
        finally:
            self._process = None

    def restart(self) -> None:
        """Stop it and start it again."""
        self.stop()
        self.start()

    def send(self, content: bytes, *, sender: str, recipient: str) -> None:
        """Hand a message to it by SMTP."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=60) as client:
            client.sendmail(sender, recipient, content)

    def drain(self, seconds: float = 120) -> None:
        """Wait until no message waits for triage and no mail waits for the sender."""
        waits = {"messages received", "messages claimed", "mail queued", "mail held", "mail sending"}
        deadline = time.monotonic() + seconds
        gauges = []
        while time.monotonic() < deadline:
            gauges = [gauge for gauge in self.store().gauges() if gauge.name in waits and gauge.count]
            if not gauges:
                return
            time.sleep(0.1)
        raise AssertionError(f"still waiting: {gauges}; the log ends with:\n{self.log()[-3000:]}")


def _children(parent: int) -> dict[int, str]:
    """Return all descendants of a process with the role that their command line names."""
    found: dict[int, str] = {}
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{parent}/task").iterdir():
            for pid in map(int, (task / "children").read_text().split()):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
                module = next((word for word in words if word.startswith("abuse_triage.service.")), "")
                found[pid] = words[words.index(module) + 1] if module.endswith("roles") else module.rpartition(".")[2]
                found |= _children(pid)
    return found
