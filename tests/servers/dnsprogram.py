"""A DNS program of Debian's that a test starts in a folder on a loopback port, waits for, and stops."""

import os
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import dns.exception
import dns.message
import dns.query
from daemon import free_port


class DnsProgram:
    """A context manager; `address` is where it answers, as a resolver is configured.

    `name` is the program's, and in the folder that of its configuration file and of its log.
    """

    name: str

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def configure(self, text: str) -> None:
        """Write its configuration."""
        (self._folder / f"{self.name}.conf").write_text(text)

    def __enter__(self) -> Self:
        program = shutil.which(self.name, path=f"{os.environ.get('PATH', '')}:/usr/sbin") or f"/usr/sbin/{self.name}"
        with (self._folder / "stderr").open("wb") as stderr:
            command = (program, "-d", "-c", str(self._folder / f"{self.name}.conf"))
            self._process = subprocess.Popen(command, stderr=stderr)
        query = dns.message.make_query("version.bind", "TXT", "CH")
        give_up = time.monotonic() + 10
        while time.monotonic() < give_up and self._process.poll() is None:
            try:
                dns.query.udp(query, "127.0.0.1", 0.2, self.port)
            except (OSError, dns.exception.DNSException):
                time.sleep(0.02)
            else:
                return self
        self.__exit__(None, None, None)
        logs = [self._folder / "stderr", self._folder / f"{self.name}.log"]
        said = "".join(log.read_text("utf-8", "replace") for log in logs if log.exists())
        raise AssertionError(f"{self.name} does not start:\n{said}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
