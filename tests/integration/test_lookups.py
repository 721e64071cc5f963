"""The daemon with look-ups: real mail, real registries on loopback, real processes; and what never leaves."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from daemon import Daemon
from servers import rdap, registries
from servers.rdap import RdapServer
from servers.whois import PT, WhoisServer

from abuse_triage.model.lookups import LookupKind, LookupState
from abuse_triage.model.ticket import MailKind, MailState
from abuse_triage.store.interface import MessageFilter
from abuse_triage.store.lookups import TicketLookup

CONFIG = """
[lookups]
enabled = true
spread = "1ms"
timeout = "1s"
rate = "1000/1s"
own_whois = "{whois}"
abuse_contacts = "{rest}"

[lookups.rdap]
ripe = "{ripe}"
arin = "{ripe}"
apnic = "{ripe}"
lacnic = "{ripe}"
afrinic = "{ripe}"
org = "{org}"

[log]
level = "debug"
"""
NETWORK = "185.5.80.0/24"  # asked about nowhere but at 127.0.0.1; documentation addresses are never asked about
OWN = "exemplo-banco.pt"
SECRET = "token-7f3a91"
REPORT = (
    "From: Rita <rita@reporter.example>\r\nTo: abuse@example.pt\r\nSubject: {subject}\r\n"
    "Date: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{number}@reporter.example>\r\n"
    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    "Hello,\r\n\r\nthe host {address} tried to log in over SSH, and there is a copy of our login page at\r\n"
    "hxxps://{secret}.login.example[.]org/session?id={secret} and hxxp://{secret}.conta.exemplo-banco[.]pt/\r\n\r\n"
    "Nov 22 10:00:07 gw sshd[{number}]: Failed password for root from {address} port 2000 ssh2\r\n\r\n{mark}\r\n"
)


class Outside:
    """The registries."""

    def __init__(self, rdap_server: RdapServer, whois: WhoisServer) -> None:
        self.rdap = rdap_server
        self.whois = whois

    @property
    def connections(self) -> int:
        """How often anybody connected to any of them."""
        return self.rdap.connections + self.whois.connections

    def log(self) -> str:
        """Return every word that they heard."""
        fields = [f"{asked.path} {asked.fields}" for asked in self.rdap.asked]
        return "\n".join([*fields, *(query.decode("latin-1") for query in self.whois.queries)])


@pytest.fixture
def outside() -> Iterator[Outside]:
    """Registries that know one network and two names."""
    with RdapServer() as server, WhoisServer({OWN: PT.replace("example.pt", OWN)}) as whois:
        server.networks["ripe"] = [registries.ripe(NETWORK)]
        server.domains["org"] = {"example.org": registries.domain("example.org")}
        yield Outside(server, whois)


@pytest.fixture
def daemon(tmp_path: Path, outside: Outside) -> Iterator[Daemon]:
    """A daemon that asks them, not yet started."""
    extra = CONFIG.format(
        whois=outside.whois.address,
        ripe=outside.rdap.base("ripe"),
        org=outside.rdap.base("org"),
        rest=outside.rdap.base("rest"),
    )
    with Daemon(tmp_path, extra=extra) as made:
        yield made


def send(daemon: Daemon, number: int = 1, *, address: str = "185.5.80.7", mark: str = "", sender: str = "rita") -> None:
    """Send a report."""
    subject = f"Brute force and a copied page, case {number}"
    raw = REPORT.format(subject=subject, number=number, address=address, secret=SECRET, mark=mark)
    raw = raw.replace("rita@", f"{sender}@")
    daemon.send(raw.encode(), sender=f"{sender}@reporter.example", recipient="abuse@example.pt")


def tickets(daemon: Daemon) -> list[str]:
    """Return the numbers of all tickets."""
    return sorted({message.ticket for message in daemon.store().messages(MessageFilter(limit=1000))} - {""})


def lookups(daemon: Daemon, number: str) -> dict[LookupKind, list[TicketLookup]]:
    """Return the look-ups of a ticket by kind."""
    found: dict[LookupKind, list[TicketLookup]] = {}
    for one in daemon.store().lookups_of(number):
        found.setdefault(one.kind, []).append(one)
    return found


def wait_until(condition: Callable[[], bool], daemon: Daemon, seconds: float = 40) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, daemon.log()[-4000:]
        time.sleep(0.05)


def all_over(daemon: Daemon) -> bool:
    """Tell whether no look-up of any ticket waits."""
    changing = {LookupState.WAITING, LookupState.ASKING}
    return not any(one.state in changing for number in tickets(daemon) for one in daemon.store().lookups_of(number))


def looker(daemon: Daemon) -> int:
    """Return the process id of the looker, 0 where there is none."""
    return next((pid for pid, name in daemon.processes().items() if name == "looker"), 0)


def test_a_report_learns_whose_network_and_names_it_is_about(daemon: Daemon, outside: Outside) -> None:
    """Network, foreign name and own name are answered; only registrable names and the address left the host."""
    daemon.start()
    send(daemon, mark="TLP:GREEN")
    daemon.drain()
    wait_until(lambda: all_over(daemon), daemon)
    (number,) = tickets(daemon)
    found = lookups(daemon, number)
    assert {LookupState.ANSWERED} == {one.state for some in found.values() for one in some}
    network, name, own = (
        found[kind][0].known for kind in (LookupKind.NETWORK, LookupKind.DOMAIN, LookupKind.OWN_DOMAIN)
    )
    assert network is not None
    assert ("185.5.80.0", "EXAMPLE-NET", "PT") == (network.answer.first, network.answer.network, network.answer.country)
    assert ["abuse@example.org"] == [one.email for one in network.answer.contacts if one.role == "abuse"]
    assert name is not None
    assert "Example Registrar, Inc." == name.answer.registrar
    assert own is not None
    assert "Registos Exemplo S.A." == own.answer.managed_by
    assert ["/org/domain/example.org", "/ripe/ip/185.5.80.7"] == sorted(outside.rdap.paths)
    assert [OWN] == outside.whois.names()
    assert SECRET not in outside.log()
    assert "login" not in outside.log()
    assert "reporter" not in outside.log()
    spoken = [line for line in daemon.log().splitlines() if '"level":"debug"' not in line]
    assert spoken
    assert [] == [line for line in spoken if SECRET in line or OWN in line or "185.5.80.7" in line]


def test_red_asks_nobody_until_a_handler_releases_one(daemon: Daemon, outside: Outside) -> None:
    """TLP:RED: not one connection; a released look-up is exactly one question, and the journal says who did it."""
    daemon.start()
    send(daemon, mark="TLP:RED")
    daemon.drain()
    time.sleep(3)
    (number,) = tickets(daemon)
    found = lookups(daemon, number)
    assert {LookupState.WITHHELD} == {one.state for some in found.values() for one in some}
    assert "withheld by TLP:RED" == found[LookupKind.NETWORK][0].reason
    assert (0, "") == (outside.connections, outside.log())
    outside.rdap.networks["ripe"][0]["entities"] = []  # no abuse contact: nobody released a question about it
    released = daemon.store().release_lookups(number, ["185.5.80.7"], [LookupKind.NETWORK], "ana", datetime.now(UTC))
    assert ["185.5.80.7"] == [one.subject for one in released]
    wait_until(lambda: all_over(daemon), daemon)
    time.sleep(2)
    assert (["/ripe/ip/185.5.80.7"], 1) == (outside.rdap.paths, outside.connections)
    journal = daemon.store().ticket(number).journal
    assert any(entry.actor == "ana" and "185.5.80.7" in entry.detail.replace("[.]", ".") for entry in journal)


def test_a_network_without_abuse_contact_asks_ripe_for_it(daemon: Daemon, outside: Outside) -> None:
    """The further question is part of the same ticket."""
    outside.rdap.networks["ripe"][0]["entities"] = []
    outside.rdap.abuse["185.5.80.7"] = ["abuse@hosting.example"]
    daemon.start()
    send(daemon, mark="TLP:GREEN")
    daemon.drain()
    wait_until(lambda: all_over(daemon) and len(outside.rdap.paths) == 3, daemon)
    wait_until(lambda: all_over(daemon), daemon)
    (number,) = tickets(daemon)
    (contact,) = lookups(daemon, number)[LookupKind.ABUSE_CONTACT]
    assert contact.known is not None
    assert ["abuse@hosting.example"] == [one.email for one in contact.known.answer.contacts]


def test_many_reports_about_one_network_ask_once(daemon: Daemon, outside: Outside) -> None:
    """A hundred reports name addresses of the same network: one question, and all of them know the answer."""
    outside.rdap.latency = 0.3
    daemon.start()
    for number in range(100):
        send(daemon, number, address=f"185.5.80.{number + 1}", mark="TLP:GREEN", sender=f"rita{number}")
    daemon.drain()
    wait_until(lambda: all_over(daemon), daemon, 120)
    found = [one for number in tickets(daemon) for one in lookups(daemon, number)[LookupKind.NETWORK]]
    assert 100 == len(found)
    assert {"EXAMPLE-NET"} == {one.known.answer.network for one in found if one.known is not None}
    asked = [path for path in outside.rdap.paths if path.startswith("/ripe/")]
    assert 4 >= len(asked)  # those that were under way together before the first answer came
    assert [OWN] == outside.whois.names()
    assert 1 == outside.rdap.paths.count("/org/domain/example.org")


def test_dead_registries_delay_no_ticket_and_no_acknowledgement(daemon: Daemon, outside: Outside) -> None:
    """Nobody answers; tickets and acknowledgements are there all the same, and the look-ups say what they wait for."""
    outside.rdap.faults["/"] = rdap.silence
    outside.whois.fault = "silent"
    daemon.start()
    began = time.monotonic()
    for number in range(10):
        send(daemon, number, address=f"185.5.{80 + number}.7", mark="TLP:GREEN", sender=f"rita{number}")
    daemon.drain()
    took = time.monotonic() - began
    assert 10 == len(tickets(daemon))
    mails = daemon.store().mails((MailState.SENT,), 100)
    assert 10 == sum(mail.kind is MailKind.ACKNOWLEDGEMENT for mail in mails)
    assert 10 > took
    wait_until(lambda: bool(daemon.store().servers()), daemon)
    assert not all_over(daemon)
    began = time.monotonic()
    assert 0 == daemon.stop()
    assert 10 > time.monotonic() - began


def test_a_killed_looker_asks_again_and_answers_once(daemon: Daemon, outside: Outside) -> None:
    """What it asked when it was killed is asked once more when its lease is over, and every ticket is told once."""
    outside.rdap.accept_nobody()
    daemon.start()
    send(daemon, mark="TLP:GREEN")
    daemon.drain()
    (number,) = tickets(daemon)
    wait_until(lambda: lookups(daemon, number)[LookupKind.NETWORK][0].state is LookupState.ASKING, daemon)
    killed = looker(daemon)
    os.kill(killed, signal.SIGKILL)
    outside.rdap.accept_again()
    wait_until(lambda: looker(daemon) not in {0, killed}, daemon)
    wait_until(lambda: all_over(daemon), daemon, 60)
    found = lookups(daemon, number)
    assert {LookupState.ANSWERED} == {one.state for some in found.values() for one in some}
    network = found[LookupKind.NETWORK][0].known
    assert network is not None
    assert "EXAMPLE-NET" == network.answer.network
    assert 1 == len({entry.at for entry in daemon.store().ticket(number).journal if "look" in entry.action})


def test_without_look_ups_there_is_no_looker(tmp_path: Path, outside: Outside) -> None:
    """Nobody is asked and nothing runs for it where look-ups are off."""
    with Daemon(tmp_path) as daemon:
        daemon.start()
        send(daemon, mark="TLP:CLEAR")
        daemon.drain()
        assert 0 == looker(daemon)
        assert "looker" not in daemon.log()
    assert 0 == outside.connections
