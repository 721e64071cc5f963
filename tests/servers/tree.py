"""A small tree of zones on loopback: a root, a country's zone, its names, and a log of what the names' servers saw.

The country's zone is signed with keys of the moment, and so is one of its names; another is not, and one has servers
that do not answer. The names are served by one server, behind what writes down each question; all zones above by
another.
"""

import contextlib
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import dns.message
import dns.query
from daemon import free_port
from servers.nsd import NameServer
from servers.resolvers import FakeResolver
from servers.unbound import ValidatingResolver

SOA = "@ 300 IN SOA ns.invalid. hostmaster.invalid. 1 3600 900 604800 120\n"
ROOT = f"""{SOA}
@ 300 IN NS a.dns.pt.
pt. 300 IN NS a.dns.pt.
"""
COUNTRY = f"""{SOA}
@ 7200 IN NS a.dns.pt.
@ 7200 IN NS b.dns.pt.
a.dns 7200 IN A 127.0.0.1
b.dns 7200 IN A 127.0.0.1
com 300 IN NS a.dns.pt.
signed 1800 IN NS NS2.signed.pt.
signed 1800 IN NS ns1.signed.pt.
ns1.signed 300 IN A 127.0.0.1
ns2.signed 300 IN A 127.0.0.1
unsigned 20 IN NS ns.unsigned.pt.
ns.unsigned 20 IN A 127.0.0.1
dead 300 IN NS ns.dead.pt.
ns.dead 300 IN A 127.0.0.1
loja.org 300 IN NS ns1.signed.pt.
text 300 IN TXT "no delegation"
alias 300 IN CNAME dns
"""
COMMERCE = f"""{SOA}
@ 300 IN NS a.dns.pt.
loja 300 IN NS ns1.signed.pt.
"""
NAME = f"""{SOA}
@ 300 IN NS ns1.signed.pt.
@ 300 IN A 192.0.2.10
@ 300 IN AAAA 2001:db8::10
@ 300 IN MX 20 Mail2
@ 300 IN MX 10 mail1
@ 300 IN TXT "v=spf1 -all"
www 300 IN A 192.0.2.11
"""
BARE = f"""{SOA}
@ 300 IN NS ns.unsigned.pt.
@ 300 IN MX 0 .
www 300 IN A 192.0.2.12
"""
REVERSE = f"""{SOA}
@ 300 IN NS ns1.signed.pt.
10 300 IN PTR WWW.signed.pt.
10 300 IN PTR signed.pt.
"""


@dataclass(frozen=True)
class Key:
    """A signing key in files, and its DS record as a line of the zone above."""

    base: Path
    ds: str


def make_key(folder: Path, zone: str) -> Key:
    """Make an ECDSA key for a zone."""
    command = ("ldns-keygen", "-r", "/dev/urandom", "-k", "-a", "ECDSAP256SHA256", zone)
    name = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()
    return Key(base=folder / name, ds=(folder / f"{name}.ds").read_text())


def sign(folder: Path, zone: str, text: str, key: Key) -> str:
    """Return a zone file with signatures."""
    source, target = folder / f"{zone}.plain", folder / f"{zone}.signed"
    source.write_text(f"$ORIGIN {zone}.\n$TTL 300\n{text}")
    subprocess.run(("ldns-signzone", "-o", zone, "-f", target, source, key.base), check=True, capture_output=True)
    return target.read_text()


class Tree:
    """The servers and a resolver; a context manager.

    `resolver` is the address of the resolver, `port` that of the servers above the names, and `seen` every question
    that came to the servers of the names.
    """

    def __init__(self, folder: Path) -> None:
        """Sign the zones."""
        country, name = make_key(folder, "pt"), make_key(folder, "signed.pt")
        (folder / "above").mkdir()
        (folder / "names").mkdir()
        (folder / "resolver").mkdir()
        above = {".": ROOT, "pt": sign(folder, "pt", COUNTRY + name.ds, country), "com.pt": COMMERCE}
        names = {
            "signed.pt": sign(folder, "signed.pt", NAME, name),
            "unsigned.pt": BARE,
            "2.0.192.in-addr.arpa": REVERSE,
        }
        self._above = NameServer(folder / "above", above, start="")
        self._names = NameServer(folder / "names", names, start="")
        self._log = FakeResolver(self._ask)
        stubs = dict.fromkeys((".", "pt", "com.pt"), self._above.address) | dict.fromkeys(names, self._log.address)
        stubs["dead.pt"] = f"127.0.0.1:{free_port()}"
        self._resolver = ValidatingResolver(folder / "resolver", stubs, country.ds)
        self._stack = contextlib.ExitStack()
        self.resolver = self._resolver.address
        self.port = self._above.port
        self.seen = self._log.questions

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            for server in (self._above, self._names, self._log, self._resolver):
                stack.enter_context(server)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def _ask(self, query: dns.message.Message) -> bytes:
        return dns.query.udp(query, "127.0.0.1", 2, self._names.port).to_wire()
