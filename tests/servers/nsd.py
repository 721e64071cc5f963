"""A real name server (NSD from Debian) on a loopback port, with the zones that a test writes."""

from collections.abc import Mapping
from pathlib import Path

from servers.dnsprogram import DnsProgram

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


class NameServer(DnsProgram):
    """NSD in a folder; a context manager. `address` is what `authentication.resolver` takes."""

    name = "nsd"

    def __init__(self, folder: Path, zones: Mapping[str, str], start: str = START) -> None:
        """Write the zones: from their names to the lines behind SOA and NS, or behind another `start`."""
        super().__init__(folder)
        config = CONFIG.format(port=self.port, folder=folder)
        for name, lines in zones.items():
            (folder / f"{name}.zone").write_text(start + lines)
            config += f'zone:\n  name: "{name}"\n  zonefile: "{name}.zone"\n'
        self.configure(config)


def text(value: str | bytes) -> str:
    r"""Write a TXT record's data: strings of 255 octets, escaped for a zone file."""
    data = value if isinstance(value, bytes) else value.encode()
    pieces = [data[start : start + 255] for start in range(0, len(data), 255)] or [b""]
    return " ".join('"' + "".join(f"\\{octet:03}" for octet in piece) + '"' for piece in pieces)
