"""A real resolver (unbound from Debian) on a loopback port, which validates and asks nobody but loopback."""

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import dns.exception
import dns.message
import dns.query
from daemon import free_port

PROGRAM = shutil.which("unbound", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "/usr/sbin/unbound"
CONFIG = """\
server:
  interface: 127.0.0.1@{port}
  outgoing-interface: 127.0.0.1
  do-ip6: no
  do-not-query-localhost: no
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: "{folder}/unbound.pid"
  logfile: "{folder}/unbound.log"
  use-syslog: no
  do-daemonize: no
  num-threads: 1
  unblock-lan-zones: yes
  module-config: "validator iterator"
  trust-anchor: "{anchor}"
remote-control:
  control-enable: no
"""
STUB = """\
stub-zone:
  name: "{name}"
  stub-addr: {address}
"""


class ValidatingResolver:
    """unbound in a folder; a context manager. `address` is what `lookups.resolver` takes."""

    def __init__(self, folder: Path, stubs: Mapping[str, str], anchor: str) -> None:
        """Write the configuration: zones with the servers that have them, as address:port, and a DS record to trust."""
        self._folder = folder
        self._port = free_port()
        self.address = f"127.0.0.1:{self._port}"
        config = CONFIG.format(port=self._port, folder=folder, anchor=anchor.strip())
        for name, address in stubs.items():
            config += STUB.format(name=name, address=address.replace(":", "@"))
        (folder / "unbound.conf").write_text(config)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with (self._folder / "stderr").open("wb") as stderr:
            self._process = subprocess.Popen((PROGRAM, "-d", "-c", str(self._folder / "unbound.conf")), stderr=stderr)
        query = dns.message.make_query("version.bind", "TXT", "CH")
        give_up = time.monotonic() + 10
        while time.monotonic() < give_up and self._process.poll() is None:
            try:
                dns.query.udp(query, "127.0.0.1", 0.2, self._port)
            except (OSError, dns.exception.DNSException):
                time.sleep(0.02)
            else:
                return self
        self.__exit__(None, None, None)
        said = "".join((self._folder / name).read_text("utf-8", "replace") for name in ("stderr", "unbound.log"))
        raise AssertionError(f"the resolver does not start:\n{said}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
