"""A real resolver (unbound from Debian) on a loopback port, which validates and asks nobody but loopback."""

from collections.abc import Mapping
from pathlib import Path

from servers.dnsprogram import DnsProgram

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


class ValidatingResolver(DnsProgram):
    """unbound in a folder; a context manager. `address` is what `lookups.resolver` takes."""

    name = "unbound"

    def __init__(self, folder: Path, stubs: Mapping[str, str], anchor: str) -> None:
        """Write the configuration: zones with the servers that have them, as address:port, and a DS record to trust."""
        super().__init__(folder)
        config = CONFIG.format(port=self.port, folder=folder, anchor=anchor.strip())
        for name, address in stubs.items():
            config += STUB.format(name=name, address=address.replace(":", "@"))
        self.configure(config)
