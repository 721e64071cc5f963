"""The table of owners: which lines are entries, and whose an address or name is."""

from ipaddress import IPv4Network, IPv6Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.enrichment.owners import Owner, Owners, owner, registrar
from abuse_triage.model.lookups import Registrar


def line(key: str, name: str = "Rede Exemplo") -> Owner:
    """Read a line with a key."""
    return owner((key, name, "abuse@example.pt", "uma nota"))


@pytest.mark.parametrize(
    ("key", "canonical"),
    [
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:DB8:0::/32", "2001:db8::/32"),
        ("2001:db8::0:1", "2001:db8::1"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("Loja.Example.PT", "loja.example.pt"),
        ("crédito.pt", "xn--crdito-cva.pt"),
        (".example.pt", "example.pt"),
        ("*.example.pt.", "example.pt"),
        ("example.xn--io0a7i", "example.xn--io0a7i"),
    ],
)
def test_keys_have_a_canonical_form(key: str, canonical: str) -> None:
    """However somebody writes a network, an address or a domain."""
    found = line(key)
    assert (canonical, "Rede Exemplo", "abuse@example.pt", "uma nota") == (
        found.key,
        found.name,
        found.contact,
        found.note,
    )


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("192.0.2.1/24", r"key is an address in a network; write 192\.0\.2\.0/24 for the network"),
        ("2001:db8::1/32", "write 2001:db8::/32 for the network"),
        ("", "key is not a network"),
        ("pt", "key is not a network"),
        ("192.0.2", "key is not a network"),
        ("192.0.2.0/33", "key is not a network"),
        ("192.0.2.300", "key is not a network"),
        ("fe80::1%eth0", "key is not a network"),
        ("fe80::%eth0/64", "key is not a network"),
        ("https://example.pt/", "key is not a network"),
        ("a b.pt", "key is not a network"),
        ("a" * 300 + ".pt", "key is not a network"),
    ],
)
def test_what_is_no_key_says_so(key: str, problem: str) -> None:
    """A network with host bits is told as it should be; other things are nothing."""
    with pytest.raises(ValueError, match=problem):
        line(key)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (("", "", ""), "name is empty"),
        (("a", "nobody", ""), "contact is not an e-mail address"),
        (("a", "x@example.pt, y@example.pt", ""), "contact is not an e-mail address"),
        (("a", "", "x" * 201), "more than 200 characters"),
        (("a\u202eb", "", ""), "hidden character"),
        (("a", "", "\udcff"), "not UTF-8"),
    ],
)
def test_what_is_no_entry_says_so(fields: tuple[str, str, str], problem: str) -> None:
    """Both tables have the same rules for names, contacts and notes."""
    with pytest.raises(ValueError, match=problem):
        registrar(fields)
    with pytest.raises(ValueError, match=problem.replace("name is", "owner is")):
        owner(("192.0.2.1", *fields))


def test_registrars_are_found_in_small_letters() -> None:
    """A contact is not needed: a note may say how they are reached."""
    expected = Registrar(name="registo exemplo, lda", contact="", note="só por formulário")
    assert expected == registrar(("Registo Exemplo, Lda", "", "só por formulário"))


TABLE = Owners(
    line(key, name)
    for key, name in [
        ("192.0.2.0/24", "network"),
        ("192.0.2.128/25", "half"),
        ("192.0.2.200", "address"),
        ("2001:db8::/32", "six"),
        ("2001:db8::/128", "zero"),
        ("example.pt", "first"),
        ("example.pt", "domain"),
        ("shop.example.pt", "shop"),
    ]
)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.1", "network"),
        ("192.0.2.129", "half"),
        ("192.0.2.200", "address"),
        ("192.0.3.0", None),
        ("2001:db8::1", "six"),
        ("2001:db8::", "zero"),
        ("2001:db9::", None),
    ],
)
def test_the_longest_network_counts(address: str, name: str | None) -> None:
    """An address is its own, then of the smallest network around it."""
    found = TABLE.of(ip_address(address))
    assert name == (found.name if found else None)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("example.pt", "domain"),
        ("www.example.pt", "domain"),
        ("a.shop.example.pt", "shop"),
        ("notexample.pt", None),
        ("pt", None),
        ("", None),
    ],
)
def test_the_longest_domain_counts(name: str, expected: str | None) -> None:
    """A name is its own entry's, then that of the nearest one above; of two lines the later one holds."""
    found = TABLE.of(name)
    assert expected == (found.name if found else None)


NETWORKS = st.builds(
    lambda number, length: str(IPv4Network((number << 24, length), strict=False)),
    st.integers(0, 255),
    st.integers(0, 32),
) | st.builds(
    lambda number, length: str(IPv6Network((number << 96, length), strict=False)),
    st.integers(0, 255),
    st.integers(0, 64),
)


@given(st.lists(NETWORKS, max_size=20, unique=True), st.ip_addresses())
def test_the_table_agrees_with_asking_every_network(keys: list[str], address: object) -> None:
    """At both ends of every network, and anywhere else, the entry is that of the longest network."""
    table = Owners(line(key) for key in keys)
    networks = [IPv6Network(key) if ":" in key else IPv4Network(key) for key in keys]
    for place in [address, *(network[0] for network in networks), *(network[-1] for network in networks)]:
        around = [network for network in networks if network.version == place.version and place in network]
        found = table.of(place)
        expected = str(max(around, key=lambda network: network.prefixlen)) if around else None
        assert expected == (found.key if found else None)
