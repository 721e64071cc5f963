"""Whose an indicator is follows from the settings, with a reason that a person understands."""

from ipaddress import ip_address, ip_network

import pytest

from abuse_triage.indicators.extract import extract
from abuse_triage.indicators.scope import Constituency
from abuse_triage.model.identity import AutonomousSystem, NameServer, ScopeSettings
from abuse_triage.model.message import Place
from abuse_triage.model.report import Indicator, Kind, Scope

SETTINGS = ScopeSettings(
    domains=("pt",),
    second_level=("com.pt", "nome.pt"),
    autonomous_system=(
        AutonomousSystem(
            asn=64500, name="EXEMPLO", networks=(ip_network("198.51.100.0/24"), ip_network("2001:db8::/32"))
        ),
        AutonomousSystem(asn=64501, networks=(ip_network("198.51.100.128/25"),)),
    ),
    name_server=(
        NameServer(name="A.dns.example.pt", addresses=(ip_address("198.51.100.1"), ip_address("2001:db8::1"))),
        NameServer(name="ns.example.net", addresses=(ip_address("203.0.113.53"),)),
    ),
)
CONSTITUENCY = Constituency(SETTINGS)


def _scope(text: str, constituency: Constituency = CONSTITUENCY) -> Scope:
    (indicator,), _ = extract([(Place.BODY, text)], 10)
    return constituency.of(indicator)


@pytest.mark.parametrize(
    ("text", "ours", "reason"),
    [
        ("198.51.100.1", True, "198.51.100.1: a.dns.example.pt, AS64500, documentation range (TEST-NET-2)"),
        ("198.51.100.7", True, "198.51.100.7: AS64500, documentation range (TEST-NET-2)"),
        ("198.51.100.200", True, "198.51.100.200: AS64501, documentation range (TEST-NET-2)"),
        ("203.0.113.53", True, "203.0.113.53: ns.example.net, documentation range (TEST-NET-3)"),
        ("203.0.113.54", False, "203.0.113.54: documentation range (TEST-NET-3), not in scope"),
        ("8.8.8.8", False, "8.8.8.8: outside our networks"),
        ("2001:db8::1", True, "2001:db8::1: a.dns.example.pt, AS64500, documentation range"),
        ("2001:db7::1", False, "2001:db7::1: outside our networks"),
        ("2002:c633:6407::1", True, "2002:c633:6407::1 (inside it 198.51.100.7): AS64500, 6to4 range"),
        ("64:ff9b::cb00:7135", True, "64:ff9b::cb00:7135 (inside it 203.0.113.53): ns.example.net, NAT64 range"),
        ("2002:808:808::1", False, "2002:808:808::1: 6to4 range, not in scope"),
        ("::ffff:198.51.100.7", True, "198.51.100.7: AS64500, documentation range (TEST-NET-2)"),
        ("loja.example.pt", True, "loja.example.pt: below .pt (registrable example.pt)"),
        ("a.loja.com.pt", True, "a.loja.com.pt: below .pt (registrable loja.com.pt)"),
        ("com.pt", True, "com.pt: registration zone below .pt"),
        ("a.dns.example.pt", True, "a.dns.example.pt: name server, below .pt (registrable example.pt)"),
        ("ns.example.net", True, "ns.example.net: name server"),
        ("crédito.pt", True, "xn--crdito-cva.pt (crédito.pt): below .pt (registrable xn--crdito-cva.pt)"),
        ("example.org", False, "example.org: not below .pt"),
        ("examplept.org", False, "examplept.org: not below .pt"),
        ("http://loja.example.pt:8080/x", True, "loja.example.pt: below .pt (registrable example.pt)"),
        ("http://198.51.100.7/x", True, "198.51.100.7: AS64500, documentation range (TEST-NET-2)"),
        ("http://[2001:db8::7]/x", True, "2001:db8::7: AS64500, documentation range"),
        ("ana@example.pt", True, "example.pt: below .pt (registrable example.pt)"),
        ("ana@example.org", False, "example.org: not below .pt"),
    ],
)
def test_scope(text: str, ours: bool, reason: str) -> None:
    """An indicator is ours by its exact name server, its registered block, or its name, and says so."""
    scope = _scope(text)

    assert (ours, reason) == (scope.ours, scope.reason)


def test_facts_of_an_address() -> None:
    """The facts stand beside the reason: number, name server and special range."""
    scope = _scope("198.51.100.1")

    assert (64500, "a.dns.example.pt", "", "documentation range (TEST-NET-2)") == (
        scope.asn,
        scope.name_server,
        scope.registry,
        scope.special,
    )


def test_facts_of_a_name() -> None:
    """A name below a configured domain names that domain, without dot; a foreign one names none."""
    assert ("pt", "", 0, "") == (
        _scope("loja.example.pt").registry,
        _scope("loja.example.pt").name_server,
        _scope("loja.example.pt").asn,
        _scope("loja.example.pt").special,
    )
    assert "a.dns.example.pt" == _scope("a.dns.example.pt").name_server
    assert "" == _scope("example.org").registry


def test_the_longest_domain_counts() -> None:
    """Of two domains around a name, the longer one is its registry, and zones refine the registrable name."""
    constituency = Constituency(
        ScopeSettings(domains=("example", "clientes.example"), second_level=("lojas.clientes.example",)),
    )
    url = "http://www.ana.lojas.clientes.example/"
    reason = "www.ana.lojas.clientes.example: below .clientes.example (registrable ana.lojas.clientes.example)"

    assert "clientes.example" == _scope(url, constituency).registry
    assert reason == _scope(url, constituency).reason
    assert "clientes.example: the domain .clientes.example itself" == (
        _scope("http://clientes.example/", constituency).reason
    )


def test_a_domain_in_the_private_part_of_the_suffix_list() -> None:
    """A configured domain may be any name, and what it delegates is registrable below it."""
    constituency = Constituency(ScopeSettings(domains=("example.org",)))

    assert "a.b.example.org: below .example.org (registrable b.example.org)" == (
        _scope("a.b.example.org", constituency).reason
    )


def test_without_settings_nothing_is_ours() -> None:
    """An empty configuration has no constituency, and says nothing about domains."""
    constituency = Constituency(ScopeSettings())

    assert Scope(ours=False, reason="example.pt: not ours") == _scope("example.pt", constituency)
    assert Scope(ours=False, reason="8.8.8.8: outside our networks") == _scope("8.8.8.8", constituency)


def test_many_domains_are_not_all_listed() -> None:
    """The reason stays one line, however many domains are configured."""
    constituency = Constituency(ScopeSettings(domains=("pt", "ao", "cv", "gw", "st")))

    assert "example.org: not below .pt, .ao, .cv and 2 more" == _scope("example.org", constituency).reason


def test_a_second_level_zone_that_no_list_knows() -> None:
    """What the settings call a registration zone is one, and the name below it the registrable one."""
    constituency = Constituency(ScopeSettings(domains=("pt",), second_level=("novo.pt",)))

    assert "a.b.novo.pt: below .pt (registrable b.novo.pt)" == _scope("a.b.novo.pt", constituency).reason
    assert "novo.pt: registration zone below .pt" == _scope("novo.pt", constituency).reason


def test_a_value_that_is_no_address() -> None:
    """A stored value that no version of ours would write any more still gets an answer."""
    broken = Indicator(kind=Kind.IPV4, value="1.2.3", seen="1.2.3", places=(Place.BODY,))

    assert Scope(ours=False, reason="1.2.3: not below .pt") == CONSTITUENCY.of(broken)
