"""Who is asked what: which clients there are for a configuration, and why there is none."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from daemon import write_config
from servers import registries
from servers.rdap import RdapServer
from servers.whois import WhoisServer

from abuse_triage import config
from abuse_triage.model.lookups import LookupKind, Result
from abuse_triage.model.settings import Settings
from abuse_triage.service.clients import Clients

SUBJECTS = {
    LookupKind.NETWORK: "193.0.6.139",
    LookupKind.ABUSE_CONTACT: "193.0.6.139",
    LookupKind.DOMAIN: "example.org",
    LookupKind.OWN_DOMAIN: "example.pt",
    LookupKind.DELEGATION: "example.org",
    LookupKind.HOSTS: "example.org",
    LookupKind.POINTER: "193.0.6.139",
}
NAMES = '{"publication": "2026-11-01T00:00:00Z", "services": [[["test"], ["https://rdap.%s.example/"]]]}'


def settings(folder: Path, lookups: str = "") -> Settings:
    """Return a configuration with some lines of [lookups]."""
    return config.load(write_config(folder, extra=f"\n[lookups]\nenabled = true\n{lookups}\n"))


def servers(clients: Clients) -> dict[LookupKind, str]:
    """Return the server of each kind of question, for those that can be asked."""
    found = {kind: clients.client(kind, subject) for kind, subject in SUBJECTS.items()}
    return {kind: client.server(SUBJECTS[kind]) for kind, client in found.items() if client is not None}


def test_without_further_settings_only_registries_are_asked(tmp_path: Path) -> None:
    """Addresses at the registries and names at theirs; no name server, and no WHOIS."""
    found = servers(Clients(settings(tmp_path)))
    assert {LookupKind.NETWORK, LookupKind.ABUSE_CONTACT, LookupKind.DOMAIN} == set(found)
    assert ("rdap.db.ripe.net", "rest.db.ripe.net") == (found[LookupKind.NETWORK], found[LookupKind.ABUSE_CONTACT])


@pytest.mark.parametrize(
    ("kind", "subject", "words"),
    [
        (LookupKind.NETWORK, "192.0.2.7", "no registry is known for this address"),
        (
            LookupKind.DOMAIN,
            "example.zz",
            "no RDAP service is known for .zz, and lookups.whois names no server",
        ),
        (LookupKind.ABUSE_CONTACT, "193.0.6.139", "lookups.abuse_contacts is empty"),
        (LookupKind.OWN_DOMAIN, "example.pt", "lookups.own_whois is empty"),
        (LookupKind.DELEGATION, "example.org", "lookups.resolver is empty"),
        (LookupKind.HOSTS, "example.org", "lookups.resolver is empty"),
        (LookupKind.POINTER, "193.0.6.139", "lookups.resolver is empty"),
    ],
)
def test_it_is_said_why_nobody_can_be_asked(tmp_path: Path, kind: LookupKind, subject: str, words: str) -> None:
    """Each kind names the key of the configuration that would change it."""
    clients = Clients(settings(tmp_path, 'abuse_contacts = ""'))
    if subject != "192.0.2.7":  # the table of registries has documentation addresses, too: they are never asked about
        assert clients.client(kind, subject) is None
    assert words == clients.why_not(kind, subject)


def test_everything_can_be_configured(tmp_path: Path) -> None:
    """Each kind goes to the server that the configuration names."""
    clients = Clients(
        settings(
            tmp_path,
            'resolver = ["127.0.0.1:53"]\nown_whois = "whois.example.pt:43"\n'
            'abuse_contacts = "http://127.0.0.5:80"\n[lookups.whois]\ntest = "whois.example.test:43"\n'
            '[lookups.rdap]\nripe = "http://127.0.0.6:80/ripe"\norg = "http://127.0.0.7:80/org"\n',
        )
    )
    assert {
        LookupKind.NETWORK: "127.0.0.6",
        LookupKind.ABUSE_CONTACT: "127.0.0.5",
        LookupKind.DOMAIN: "127.0.0.7",
        LookupKind.OWN_DOMAIN: "whois.example.pt",
        LookupKind.DELEGATION: "dns",
        LookupKind.HOSTS: "dns",
        LookupKind.POINTER: "dns",
    } == servers(clients)
    other = clients.client(LookupKind.DOMAIN, "example.test")
    assert other is not None
    assert "whois.example.test" == other.server("example.test")


@pytest.mark.parametrize(
    ("address", "registry"), [("193.0.6.139", "ripe"), ("199.43.0.1", "arin"), ("2001:dc0::1", "apnic")]
)
def test_the_registry_of_an_address_is_known(tmp_path: Path, address: str, registry: str) -> None:
    """By our own table where IANA's lists are not there."""
    assert registry == Clients(settings(tmp_path)).registry_of(address)


def test_what_is_given_to_nobody_has_no_registry(tmp_path: Path) -> None:
    """Of an address that no registry has, nobody is asked."""
    clients = Clients(settings(tmp_path))
    assert "" == clients.registry_of("240.0.0.1")
    assert clients.client(LookupKind.NETWORK, "240.0.0.1") is None


def test_another_registry_can_be_asked_by_name(tmp_path: Path) -> None:
    """At its known place; what is no registry is not asked."""
    clients = Clients(settings(tmp_path))
    apnic = clients.at_registry("apnic")
    assert apnic is not None
    assert "rdap.apnic.net" == apnic.server("193.0.6.139")
    for name in ("", "https://192.0.2.1/", "example"):
        assert clients.at_registry(name) is None


def test_new_lists_are_read_without_a_restart(tmp_path: Path) -> None:
    """The folder is looked at once a minute; what `lookups refresh` wrote counts then."""
    now = 1000.0
    made = settings(tmp_path)
    clients = Clients(made, clock=lambda: now)

    def server() -> str:
        client = clients.client(LookupKind.DOMAIN, "example.test")
        return client.server("example.test") if client else ""

    before = server()
    made.lookups.bootstrap.mkdir()
    file = made.lookups.bootstrap / "dns.json"
    file.write_text(NAMES % "first")
    too_early = server()
    now += 61
    first = server()
    file.write_text(NAMES % "second")
    os.utime(file, ns=(1, 1))
    now += 61
    assert ("", "", "rdap.first.example", "rdap.second.example") == (before, too_early, first, server())


def test_configured_servers_may_be_inside(tmp_path: Path) -> None:
    """Registries on loopback answer, as far as the configuration names them."""
    with RdapServer() as rdap, WhoisServer() as whois:
        rdap.networks["ripe"] = [registries.ripe("193.0.0.0/21")]
        rdap.abuse["193.0.6.139"] = ["abuse@example.org"]
        rdap.domains["org"] = {"example.org": registries.domain("example.org")}
        clients = Clients(
            settings(
                tmp_path,
                f'own_whois = "{whois.address}"\nabuse_contacts = "{rdap.base("rest")}"\n[lookups.rdap]\n'
                f'ripe = "{rdap.base("ripe")}"\norg = "{rdap.base("org")}"\n',
            )
        )
        kinds = (LookupKind.NETWORK, LookupKind.ABUSE_CONTACT, LookupKind.DOMAIN, LookupKind.OWN_DOMAIN)
        results = []
        for kind in kinds:
            client = clients.client(kind, SUBJECTS[kind])
            assert client is not None
            results.append(client.ask(SUBJECTS[kind], 5).result)
        assert [Result.FOUND] * 4 == results


@pytest.mark.parametrize("resolver", [(), ("127.0.0.1:9",)])
def test_published_servers_may_not_be_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resolver: tuple[str, ...]
) -> None:
    """Where the name of a registry points inside, by whichever resolver, it is not connected to."""
    resolved: Callable[..., tuple[str, ...]] = lambda *_: ("127.0.0.1",)  # noqa: E731 -- used once
    monkeypatch.setattr("abuse_triage.service.clients.by_system", resolved)
    monkeypatch.setattr("abuse_triage.service.clients.by_resolver", lambda *_: resolved)
    clients = Clients(settings(tmp_path, f"resolver = {list(resolver)}".replace("'", '"')))
    for kind in (LookupKind.NETWORK, LookupKind.ABUSE_CONTACT):
        client = clients.client(kind, SUBJECTS[kind])
        assert client is not None
        answer = client.ask(SUBJECTS[kind], 2)
        assert Result.FAILED is answer.result
        assert "127.0.0.1 (loopback range), which is not asked" in answer.reason
