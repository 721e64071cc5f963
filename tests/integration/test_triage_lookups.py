"""`triage --lookups` and `ticket lookup` as a handler meets them, with real servers on loopback."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from csirt import Csirt, install
from daemon import free_port
from servers import registries
from servers.rdap import RdapServer, too_many
from servers.whois import PT, WhoisServer

FOREIGN = "185.5.80.7"  # asked about nowhere but on loopback; documentation addresses are never asked about
REPORT = """\
Return-Path: <rita@reporter.example>
From: Rita <rita@reporter.example>
To: abuse@example.pt
Subject: Brute force and copied pages
Date: Sun, 22 Nov 2026 10:00:00 +0000
Message-ID: <1@reporter.example>
Content-Type: text/plain; charset=utf-8

Hello, 185.39.208.1 and {foreign} attack us, and these pages imitate ours:
hxxps://t0k3n.login.example[.]org/a and hxxp://t0k3n.loja-exemplo[.]pt/b

{mark}
"""


class Outside:
    """The registries."""

    def __init__(self, rdap: RdapServer, whois: WhoisServer) -> None:
        self.rdap, self.whois = rdap, whois

    def heard(self) -> list[str]:
        """Return what was asked, in order of the alphabet."""
        return sorted([*self.rdap.paths, *self.whois.names()])


@pytest.fixture
def outside() -> Iterator[Outside]:
    """A network, a foreign name and a name of ours are known."""
    with RdapServer() as rdap, WhoisServer({"loja-exemplo.pt": PT.replace("example.pt", "loja-exemplo.pt")}) as whois:
        rdap.networks["ripe"] = [registries.ripe("185.5.80.0/24")]
        rdap.domains["org"] = {"example.org": registries.domain("example.org")}
        yield Outside(rdap, whois)


@pytest.fixture
def csirt(tmp_path: Path, outside: Outside) -> Csirt:
    """An installation whose own network is that of AS199993."""
    made = install(tmp_path)
    text = made.path.read_text("utf-8")
    text = re.sub(r"(?m)^own_whois = .*$", f'own_whois = "{outside.whois.address}"', text)
    text = re.sub(r"(?m)^abuse_contacts = .*$", f'abuse_contacts = "{outside.rdap.base("rest")}"', text)
    services = "\n".join(f'{name} = "{outside.rdap.base(name)}"' for name in ("ripe", "org"))
    text = re.sub(r"(?m)^\[lookups\.rdap\].*$", f"[lookups.rdap]\n{services}", text)
    text += (
        '\n[[scope.autonomous_system]]\nasn = 199993\nname = "DNSPT"\nnetworks = ["185.39.208.0/22"]\n'
        '\n[[scope.name_server]]\nname = "a.dns.pt"\naddresses = ["185.39.208.1"]\n'
    )
    nobody = f"127.0.0.1:{free_port()}"  # names DNS look-ups possible, which nothing here may leave for
    text = re.sub(r"(?m)^(# Your own resolvers.*all DNS.*\n)resolver = .*$", rf'\1resolver = ["{nobody}"]', text)
    made.path.write_text(text, "utf-8")
    return made


def _report(mark: str = "") -> bytes:
    return REPORT.format(foreign=FOREIGN, mark=mark).encode()


def _section(output: str) -> str:
    """Return what stands under "Look-ups", without the times."""
    lines = output.partition("\nLook-ups\n")[2].partition("\n\n")[0]
    return re.sub(r", \d{4}-\d\d-\d\d \d\d:\d\d\]", "]", lines)


UNMARKED = """\
  185[.]5[.]80[.]7
    network       EXAMPLE-NET, 185.5.80.0 to 185.5.80.255, Example Hosting Lda, PT, ripe  [127.0.0.1]
    write to      abuse@example.org (Example Abuse Desk; RDAP abuse role of AR1-EXAMPLE)
  example[.]org
    domain        Example Shop, registrar Example Registrar, Inc.  [127.0.0.1]
                  registered 2019-03-04, expires 2027-03-04, client transfer prohibited
                  name servers ns1.example.org ns2.example.net
                  signed (DNSSEC)
                  DS 12345 13 2 ABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABAB
    not asked     delegation: withheld: not marked
    write to      abuse@registrar.example (RDAP abuse role of 9999, registrar)
  loja-exemplo[.]pt
    own-domain    Padaria Exemplo, Lda., PT, managed by Registos Exemplo S.A.  [127.0.0.1]
                  registered 1997-01-14, expires 2027-07-20, Registered
                  name servers ns1.loja-exemplo.pt ns2.example.net
                  administrative: dominios@registos.example (Registos Exemplo S.A.)
                  registrant: dominios@loja-exemplo.pt (Padaria Exemplo, Lda.)
    not asked     delegation: withheld: not marked
    write to      dominios@registos.example (Registos Exemplo S.A.; managing entity at 127.0.0.1)"""


def switch_on(csirt: Csirt) -> None:
    """Let the daemon make look-ups."""
    text = csirt.path.read_text("utf-8")
    csirt.path.write_text(re.sub(r"(?m)^(# true asks as far.*\n)enabled = false", r"\1enabled = true", text), "utf-8")


def test_a_handler_sees_whose_everything_is(csirt: Csirt, outside: Outside) -> None:
    """Scope with reasons, network, registrar, managing entity, contacts with their source, and what is withheld."""
    result = csirt.run("triage", "-", "--lookups", stdin=_report())

    assert "185[.]39[.]208[.]1: a[.]dns[.]pt, AS199993" in result.stdout
    assert UNMARKED == _section(result.stdout)
    assert "3 look-ups done" in result.stderr
    assert "lookup.registrar    Example Registrar, Inc., Registos Exemplo S[.]A." in result.stdout


def test_only_registrable_names_and_addresses_of_others_leave(csirt: Csirt, outside: Outside) -> None:
    """No full host name of the report and nothing about our own network is ever asked."""
    csirt.run("triage", "-", "--lookups", stdin=_report())

    assert ["/org/domain/example.org", f"/ripe/ip/{FOREIGN}", "loja-exemplo.pt"] == outside.heard()


def test_amber_withholds_foreign_names(csirt: Csirt, outside: Outside) -> None:
    """What is marked AMBER asks registries of addresses and our own, and says what a handler could release."""
    result = csirt.run("triage", "-", "--lookups", stdin=_report("TLP:AMBER"))

    assert "    not asked     domain: withheld by TLP:AMBER" in _section(result.stdout)
    assert [f"/ripe/ip/{FOREIGN}", "loja-exemplo.pt"] == outside.heard()


def test_red_connects_to_nobody(csirt: Csirt, outside: Outside) -> None:
    """TLP:RED: not one connection, even where somebody asks for look-ups."""
    result = csirt.run("triage", "-", "--lookups", stdin=_report("TLP:RED"))

    assert 3 == _section(result.stdout).count("withheld by TLP:RED")
    assert (0, 0) == (outside.rdap.connections, outside.whois.connections)


def test_without_the_option_nobody_is_asked(csirt: Csirt, outside: Outside) -> None:
    """`triage` alone asks nobody, and says what the daemon would ask."""
    switch_on(csirt)

    result = csirt.run("triage", "-", stdin=_report())

    assert "    network       not asked yet" in _section(result.stdout)
    assert (0, 0) == (outside.rdap.connections, outside.whois.connections)


def test_nothing_is_stored(csirt: Csirt, outside: Outside) -> None:
    """The answers of a dry run are shown and kept nowhere: the next run asks again."""
    for _ in range(2):
        csirt.run("triage", "-", "--lookups", stdin=_report())

    assert 2 == outside.rdap.paths.count("/org/domain/example.org")


def test_the_document_has_the_look_ups(csirt: Csirt, outside: Outside) -> None:
    """With --json every look-up stands there with its answer and its state."""
    found = csirt.json("triage", "-", "--lookups", stdin=_report("TLP:AMBER"))["lookups"]

    assert {("network", "answered"), ("domain", "withheld"), ("own-domain", "answered"), ("delegation", "waiting")} >= {
        (one["kind"], one["state"]) for one in found
    }


def test_a_registry_that_fails_is_named(csirt: Csirt, outside: Outside) -> None:
    """What could not be asked in time says what it waits for, and the rest is there."""
    outside.rdap.faults["/ripe/"] = too_many("30")

    shown = _section(csirt.run("triage", "-", "--lookups", stdin=_report()).stdout)

    assert "network       no answer: " in shown
    assert "managed by Registos Exemplo S.A." in shown


def test_a_handler_releases_what_is_withheld_one_by_one(csirt: Csirt, outside: Outside) -> None:
    """`ticket lookup --allow` lets one subject go, journaled; the others stay withheld; "no" stays no."""
    switch_on(csirt)
    csirt.take(_report("TLP:RED"))
    csirt.work()

    assert "not asked     network: withheld by TLP:RED" in csirt.run("ticket", "show", "1").stdout
    assert "domain (never), delegation (never): withheld by TLP:RED" in csirt.run("ticket", "lookup", "1").stdout
    released = csirt.run("ticket", "lookup", "1", "--allow", "185[.]5[.]80[.]7")

    assert "released: network 185.5.80.7" in released.stderr
    states = {(one["kind"], one["state"]) for one in csirt.json("ticket", "lookup", "1") if "185" in one["subject"]}
    assert {("network", "waiting")} == states
    assert "policy forbids" in csirt.run("ticket", "lookup", "1", "--allow", "example.org", code=65).stderr
    assert "look-ups released" in csirt.run("ticket", "show", "1").stdout
