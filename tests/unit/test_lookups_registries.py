"""Which registry has an address: our table, against ipwhois's and Debian's whois, and what stands above it."""

import shutil
import subprocess
from ipaddress import ip_address, ip_network

import pytest
from ipwhois.rdap import RIR_RDAP

from abuse_triage.lookups.registries import KNOWN, Registries, _networks, allocated

_OF_WHOIS = {
    "whois.arin.net": "arin",
    "rwhois.gin.ntt.net": "arin",
    "whois.ripe.net": "ripe",
    "whois.apnic.net": "apnic",
    "whois.nic.ad.jp": "apnic",
    "whois.nic.or.kr": "apnic",
    "whois.twnic.net": "apnic",
    "whois.lacnic.net": "lacnic",
    "whois.registro.br": "lacnic",
    "whois.afrinic.net": "afrinic",
}
_OTHERWISE = (
    "25.0.0.0/8",  # whois takes all of the old class A that it does not list for ARIN's; IANA says RIPE NCC
    "53.0.0.0/8",
    "57.0.0.0/8",
    "45.0.0.0/8",  # its later parts went to all registries; ARIN says where they are
    "141.0.0.0/8",  # so do the ends of these two
    "151.0.0.0/8",
    "2410::/12",  # newer than its list
)


@pytest.mark.parametrize(
    ("expected", "address"),
    [
        ("ripe", "185.39.208.1"),
        ("ripe", "2a04:6d80::1"),
        ("ripe", "193.136.0.1"),
        ("arin", "8.8.8.8"),
        ("arin", "192.0.2.1"),
        ("arin", "2606:4700::1"),
        ("apnic", "1.1.1.1"),
        ("apnic", "203.0.113.1"),
        ("apnic", "2001:db8::1"),
        ("lacnic", "200.160.0.8"),
        ("lacnic", "2801:80::1"),
        ("afrinic", "41.0.0.1"),
        ("afrinic", "2c0f::1"),
        ("ripe", "24.132.0.1"),
        ("arin", "24.136.0.1"),
        ("ripe", "163.173.0.1"),
        ("apnic", "163.192.0.1"),
        ("afrinic", "155.232.0.1"),
        ("arin", "192.72.253.1"),
        ("apnic", "192.72.252.1"),
        ("", "10.0.0.1"),
        ("", "0.0.0.0"),
        ("", "127.0.0.1"),
        ("", "255.255.255.255"),
        ("", "2002:c000:201::1"),
        ("", "fe80::1"),
        ("", "::"),
    ],
)
def test_who_has_an_address(expected: str, address: str) -> None:
    """By the most specific line of the table; what is given to nobody has no registry."""
    assert expected == allocated(ip_address(address))


def test_no_block_is_listed_twice() -> None:
    """The table contradicts itself nowhere."""
    networks = [network for _, network in _networks()]
    assert len(networks) == len(set(networks))


def test_ipwhois_asks_at_the_same_places() -> None:
    """Its five registries have the same services as ours."""
    ours = {registry.name: registry.base for registry in KNOWN if registry.name == registry.region}
    theirs = {name.removesuffix("ncc"): urls["ip_url"].removesuffix("ip/{0}") for name, urls in RIR_RDAP.items()}
    assert theirs == ours


def _whois_servers(addresses: list[str]) -> list[str]:
    """Return which servers Debian's whois would ask, in a namespace without any network."""
    servers = []
    for address in addresses:
        command = ["unshare", "-rn", "whois", "--verbose", address]
        output = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20).stdout
        servers.append(output.partition("Using server ")[2].partition("\n")[0].strip(" ."))
    return servers


def _without_network() -> bool:
    tools = shutil.which("unshare") and shutil.which("whois")
    return bool(tools) and subprocess.run(["unshare", "-rn", "true"], check=False, capture_output=True).returncode == 0


@pytest.mark.skipif(not _without_network(), reason="needs Debian's whois, and a namespace without network")
def test_debians_whois_agrees() -> None:
    """Its table and ours name the same registry for both ends of every block, where theirs is not known to lag."""
    otherwise = [ip_network(network) for network in _OTHERWISE]
    blocks = [network for _, network in _networks() if network not in otherwise]
    addresses = [str(address) for network in blocks for address in (network[1], network[-2])]
    assert len(addresses) > 500
    answers = [_OF_WHOIS.get(server, server) for server in _whois_servers(addresses)]
    table = [allocated(ip_address(address)) for address in addresses]
    assert [] == [row for row in zip(addresses, answers, table, strict=True) if row[1] != row[2]]


def test_the_configuration_counts_most() -> None:
    """Then IANA's files, then our own table."""
    published = {"203.0.113.9": "https://rdap.apnic.net", "192.0.2.9": "https://rdap.db.ripe.net/"}
    registries = Registries({"ripe": "http://127.0.0.1:8080/ripe"}, lambda address: published.get(address, ""))

    def asked(address: str) -> tuple[str, str, str]:
        registry = registries.of(address)
        assert registry is not None
        return registry.name, registry.base, registry.host

    assert ("ripe", "http://127.0.0.1:8080/ripe/", "127.0.0.1") == asked("193.136.0.1")
    assert ("ripe", "http://127.0.0.1:8080/ripe/", "127.0.0.1") == asked("192.0.2.9")
    assert ("apnic", "https://rdap.apnic.net/", "rdap.apnic.net") == asked("203.0.113.9")
    assert ("arin", "https://rdap.arin.net/registry/", "rdap.arin.net") == asked("198.51.100.9")
    assert "https://rdap.db.ripe.net/" not in registries.bases
    assert "https://rdap.registro.br/" in registries.bases


def test_a_service_that_only_iana_knows() -> None:
    """It is asked, and the registry is that of our table."""
    registries = Registries({}, lambda _: "https://rdap.example.org/v2")
    registry = registries.of("41.0.0.1")
    assert registry is not None
    assert ("afrinic", "afrinic", "https://rdap.example.org/v2/") == (registry.name, registry.region, registry.base)


def test_nobody_has_a_private_address() -> None:
    """Then nobody is asked; what is no address is a mistake of the caller."""
    assert Registries({}).of("10.0.0.1") is None
    with pytest.raises(ValueError, match="example"):
        Registries({}).of("example.org")


def test_registries_by_name_and_by_host() -> None:
    """A host is that of a registry, wherever it is asked; one that the configuration has for several is nobody's."""
    registries = Registries({"ripe": "http://127.0.0.1:1/a", "arin": "http://127.0.0.1:1/b", "apnic": "http://[::1]:2"})
    names = [registries.at(host) for host in ("rdap.db.ripe.net", "::1", "127.0.0.1", "rdap.example.org", "")]
    assert ["ripe", "apnic", "", "", ""] == names
    brazil = registries.named("registro.br")
    assert brazil is not None
    assert ("lacnic", "https://rdap.registro.br/") == (brazil.region, brazil.base)
    assert registries.named("example") is None


def test_the_configuration_counts_for_a_service_that_only_iana_knows() -> None:
    """The registry of our table is the one that is configured; an empty address asks nobody."""
    registries = Registries({"afrinic": "http://127.0.0.1:1/af", "arin": ""}, lambda _: "https://rdap.example.org/v2")
    registry = registries.of("41.0.0.1")
    assert registry is not None
    assert "http://127.0.0.1:1/af/" == registry.base
    assert registries.of("192.0.2.1") is None
    assert registries.named("arin") is None
    assert "https://rdap.arin.net/registry/" not in registries.bases
    assert Registries({"arin": ""}).of("192.0.2.1") is None
