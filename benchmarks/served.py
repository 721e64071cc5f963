"""The intake alone, as the daemon runs it: `abuse-triage serve --role intake` with SMTP and LMTP, logs into a file."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from daemon import free_port, write_config

from abuse_triage.store import open_store

_LMTP = """
[lmtp]
listen = ["127.0.0.1:{port}", "{socket}"]
"""
_READY = re.compile(r"process-ready\b.*?\bpid\W+(\d+)")
_START_SECONDS = 30.0


@dataclass(frozen=True)
class Served:
    """A running intake; `pid` is that of the process that accepts mail, not of its supervisor."""

    pid: int
    port: int
    lmtp_port: int
    lmtp_socket: Path
    store: Path

    def cpu_seconds(self) -> float:
        """Return the processor time that it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, name: str) -> int:
        """Return a figure of proc(5) status, such as "VmHWM", in bytes."""
        lines = Path(f"/proc/{self.pid}/status").read_text("ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))

    def forget_peak(self) -> None:
        """Let "VmHWM" begin anew with what is resident now (proc(5), clear_refs)."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5", "ascii")

    def stored(self) -> int:
        """Count the messages in the store."""
        with contextlib.closing(open_store(self.store)) as store:
            return store.waiting()


@contextlib.contextmanager
def intake(folder: Path, smtp: str = "") -> Iterator[Served]:
    """Run the intake with its store in `folder` while the block runs; `smtp` are more lines of that table."""
    folder.mkdir(parents=True, exist_ok=True)
    port, lmtp_port, socket = free_port(), free_port(), folder / "lmtp"
    config = write_config(folder, port=port, smtp=smtp, extra=_LMTP.format(port=lmtp_port, socket=socket))
    log = folder / "intake.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            (sys.executable, "-m", "abuse_triage", "--config", config, "serve", "--role", "intake"),
            stdin=subprocess.DEVNULL,
            stderr=errors,
        )
    try:
        pid = _pid(process, log)
        yield Served(pid, port, lmtp_port, socket, folder / "abuse-triage.sqlite")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _pid(supervisor: "subprocess.Popen[bytes]", log: Path) -> int:
    """Wait until the intake is ready; return its process id."""
    give_up = time.monotonic() + _START_SECONDS
    while time.monotonic() < give_up and supervisor.poll() is None:
        if found := _READY.search(log.read_text("utf-8")):
            return int(found[1])
        time.sleep(0.02)
    raise RuntimeError(log.read_text("utf-8"))
