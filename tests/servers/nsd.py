"""A real name server (NSD from Debian) on a loopback port, with the zones that a test writes."""

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

PROGRAM = shutil.which("nsd", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "/usr/sbin/nsd"
CONFIG = """\
server:
  ip-address: 127.0.0.1@{port}
  username: ""
  chroot: ""
  zonesdir: "{folder}"
  database: ""
  zonelistfile: "{folder}/zone.list"
  xfrdfile: "{folder}/xfrd.state"
  pidfile: "{folder}/nsd.pid"
  logfile: "{folder}/nsd.log"
  hide-version: yes
  server-count: 1
  rrl-ratelimit: 0
remote-control:
  control-enable: no
"""
START = """\
$TTL 300
@ IN SOA ns.example.pt. hostmaster.example.pt. 1 3600 900 604800 60
@ IN NS ns.example.pt.
"""


class NameServer:
    """NSD in a folder; a context manager. `address` is what `authentication.resolver` takes."""

    def __init__(self, folder: Path, zones: Mapping[str, str], start: str = START) -> None:
        """Write the zones: from their names to the lines behind SOA and NS, or behind another `start`."""
        self._folder = folder
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        config = CONFIG.format(port=self.port, folder=folder)
        for name, lines in zones.items():
            (folder / f"{name}.zone").write_text(start + lines)
            config += f'zone:\n  name: "{name}"\n  zonefile: "{name}.zone"\n'
        (folder / "nsd.conf").write_text(config)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with (self._folder / "stderr").open("wb") as stderr:
            self._process = subprocess.Popen((PROGRAM, "-d", "-c", str(self._folder / "nsd.conf")), stderr=stderr)
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
        said = "".join((self._folder / name).read_text("utf-8", "replace") for name in ("stderr", "nsd.log"))
        raise AssertionError(f"the name server does not start:\n{said}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)


def text(value: str | bytes) -> str:
    r"""Write a TXT record's data: strings of 255 octets, escaped for a zone file."""
    data = value if isinstance(value, bytes) else value.encode()
    pieces = [data[start : start + 255] for start in range(0, len(data), 255)] or [b""]
    return " ".join('"' + "".join(f"\\{octet:03}" for octet in piece) + '"' for piece in pieces)
