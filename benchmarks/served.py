"""The intake as a process of its own, as the daemon runs it: real store, real limits, logs into a file."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from abuse_triage import logs
from abuse_triage.model.settings import Settings
from abuse_triage.service.intake import run_intake
from abuse_triage.store import open_store


@dataclass(frozen=True)
class Served:
    """A running intake."""

    pid: int
    port: int
    store: Path

    def cpu_seconds(self) -> float:
        """Return the processor time that it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, name: str) -> int:
        """Return a figure of proc(5) status, such as "VmHWM", in bytes."""
        lines = Path(f"/proc/{self.pid}/status").read_text("ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))

    def stored(self) -> int:
        """Count the messages in the store."""
        store = open_store(self.store)
        try:
            return store.waiting()
        finally:
            store.close()


@contextlib.contextmanager
def intake(folder: Path) -> Iterator[Served]:
    """Run the intake with its store in `folder` while the block runs."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "intake.log").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, __file__, str(folder), str(port)], stdout=subprocess.PIPE, stderr=errors
        )
    try:
        assert process.stdout is not None
        if process.stdout.readline() != b"ready\n":
            raise RuntimeError((folder / "intake.log").read_text("utf-8"))
        yield Served(process.pid, port, folder / "store.sqlite")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def free_port() -> int:
    """Find a port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _serve(folder: Path, port: int) -> None:
    settings = Settings.model_validate(
        {
            "team": {"name": "CSIRT Exemplo", "ticket_prefix": "EX"},
            "mailbox": [{"address": "abuse@example.pt"}],
            "smtp": {"listen": [f"127.0.0.1:{port}"], "hostname": "mail.example.pt"},
            "store": {"path": str(folder / "store.sqlite")},
            "log": {"format": "json"},
        }
    )
    logs.setup(settings.log)

    async def serve() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await run_intake(settings, lambda: open_store(settings.store.path), stop, lambda: print("ready", flush=True))

    asyncio.run(serve())


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), int(sys.argv[2]))
