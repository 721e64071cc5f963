"""IANA's lists of RDAP services: read, measured by their age, and fetched from a real server."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network, ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers.rdap import RdapServer, body, drip, json_body, large, redirect, too_many

from abuse_triage.errors import ConfigError, InputError
from abuse_triage.lookups import bootstrap, refresh
from abuse_triage.lookups.bootstrap import BUILT_IN, FILES, LARGEST, MOST_ENTRIES, Services, Staleness, staleness
from abuse_triage.lookups.rdaptable import COMPILED, SERVICES
from abuse_triage.lookups.transport import Transport

NOW = datetime(2026, 11, 22, tzinfo=UTC)
OLDER = "2026-10-01T00:00:00Z"
NEWER = "2026-11-20T18:00:02Z"
ENTRIES: dict[str, list[Any]] = {
    "dns.json": [
        [["example", "xn--exmplo-xta"], ["http://rdap.nic.example/", "https://rdap.nic.example/v1"]],
        [["co.example"], ["https://rdap.co.example/"]],
        [["plain"], ["http://rdap.plain.example/"]],
    ],
    "ipv4.json": [
        [["192.0.0.0/8", "198.51.100.0/24"], ["https://rdap.first.example/"]],
        [["192.0.2.0/24"], ["https://rdap.second.example/"]],
    ],
    "ipv6.json": [[["2001:db8::/32"], ["https://rdap.first.example/"]]],
    "asn.json": [[["64496-64500", "64511"], ["https://rdap.first.example/"]]],
}


def document(name: str, published: str = NEWER, services: object = None) -> bytes:
    """Return a list as IANA writes it."""
    return json.dumps(
        {
            "version": "1.0",
            "publication": published,
            "description": "for the test",
            "services": ENTRIES[name] if services is None else services,
        }
    ).encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with all four lists."""
    for name in FILES:
        (tmp_path / name).write_bytes(document(name))
    return tmp_path


def test_names_by_their_longest_end(folder: Path) -> None:
    """The longest end of a name that is listed counts, and of its URLs the first with HTTPS."""
    known = bootstrap.load(folder)
    assert "https://rdap.nic.example/v1/" == known.domain("shop.example")
    assert "https://rdap.nic.example/v1/" == known.domain("shop.xn--exmplo-xta")
    assert "https://rdap.co.example/" == known.domain("shop.co.example")
    assert "https://rdap.co.example/" == known.domain("co.example")
    assert "" == known.domain("shop.plain")
    assert "" == known.domain("shopexample")
    assert "" == known.domain("example.org")
    assert () == known.problems
    assert {datetime(2026, 11, 20, 18, 0, 2, tzinfo=UTC)} == {services.published for services in known.lists}


def test_addresses_by_their_longest_prefix(folder: Path) -> None:
    """A smaller network inside of a larger one has its own service."""
    known = bootstrap.load(folder)
    assert "https://rdap.second.example/" == known.address("192.0.2.7")
    assert "https://rdap.first.example/" == known.address("192.1.2.7")
    assert "" == known.address("203.0.113.1")
    assert "https://rdap.first.example/" == known.address("2001:db8::1")
    assert "" == known.address("2001:db9::1")


def test_autonomous_systems_by_their_range(folder: Path) -> None:
    """Both ends of a range belong to it."""
    known = bootstrap.load(folder)
    for number, expected in ((64495, False), (64496, True), (64500, True), (64501, False), (64511, True)):
        assert expected == bool(known.autonomous_system(number))


def test_every_service_is_known_before_anybody_is_asked(folder: Path) -> None:
    """The transport is told all of them, and nothing without HTTPS."""
    assert {
        "https://rdap.nic.example/v1/",
        "https://rdap.co.example/",
        "https://rdap.first.example/",
        "https://rdap.second.example/",
    } == bootstrap.load(folder).bases()


def test_without_files_our_own_table_counts(tmp_path: Path) -> None:
    """It has the names that are asked about most, is dated, and knows that .pt has no service."""
    known = bootstrap.load(tmp_path / "absent")
    assert [(BUILT_IN, COMPILED)] == [(services.name, services.published) for services in known.lists]
    assert "https://rdap.verisign.com/com/v1/" == known.domain("example.com")
    assert "https://rdap.registro.br/" == known.domain("example.com.br")
    assert "" == known.domain("example.pt")
    assert "" == known.address("192.0.2.1")
    assert () == known.problems


def test_our_own_table_is_as_strict_as_a_file() -> None:
    """Every entry would be taken from IANA's list too."""
    listed = document("dns.json", services=[[[name], [base]] for name, base in SERVICES.items()])
    assert dict(SERVICES) == bootstrap.parse("dns.json", listed).bases


def test_a_broken_file_is_told_and_the_others_count(folder: Path) -> None:
    """Without a list of names our own table takes its place."""
    (folder / "dns.json").write_bytes(b'{"services": [')
    (folder / "asn.json").unlink()
    (folder / "asn.json").mkdir()
    known = bootstrap.load(folder)
    assert [BUILT_IN, "ipv4.json", "ipv6.json"] == [services.name for services in known.lists]
    names, systems = known.problems
    assert names.startswith("dns.json: is no list of RDAP services: Expecting value")
    assert "asn.json: cannot be read: Is a directory" == systems


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "Expecting value"),
        (b"\xff\xfe\xff", "decode"),
        (b"[]", "list indices"),
        (b"[" * 100_000, "."),
        (b"{}", "lacks 'publication'"),
        (b'{"publication": "2026-11-20T18:00:02Z"}', "lacks 'services'"),
        (b'{"publication": 1, "services": []}', "fromisoformat"),
        (document("dns.json", "yesterday"), "isoformat"),
        (document("dns.json", "2026-11-20T18:00:02"), "no time zone"),
        (document("dns.json", "0001-01-01T00:00:00+14:00"), "."),
        (document("dns.json", services=[]), "lists no service"),
        (document("dns.json", services=7), "not iterable"),
        (document("dns.json", services=[[["a"] * (MOST_ENTRIES + 1), []]]), "more than 20000 entries"),
        (b" " * (LARGEST + 1), "larger than 2000000 bytes"),
    ],
)
def test_what_is_no_list(content: bytes, words: str) -> None:
    """It is refused as a whole, with the reason in one sentence."""
    with pytest.raises(InputError, match=rf"(?s)^dns\.json: is no list of RDAP services: .*{words}") as caught:
        bootstrap.parse("dns.json", content)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "url",
    [
        "http://rdap.nic.example/",
        "https://user@rdap.nic.example/",
        "https://rdap.nic.example/?a=b",
        "https://rdap.nic.example/#a",
        "https://rdap.nic.example/../x y",
        "https://rdap.nic.example\r\n/",
        "https://127.0.0.1:x/",
        "https://localhost/",
        "file:///etc/passwd",
        f"https://rdap.nic.example/{'a' * 1000}",
        7,
        None,
    ],
)
def test_odd_urls_are_left_out(url: object) -> None:
    """What is no plain base URL with HTTPS is no service; the others of the list are."""
    listed = document("dns.json", services=[[["bad"], [url]], [["good"], ["https://rdap.good.example/"]]])
    assert {"good": "https://rdap.good.example/"} == bootstrap.parse("dns.json", listed).bases


def test_odd_entries_are_left_out() -> None:
    """What no name, network or range is stands for nothing."""
    urls = ["https://rdap.good.example/"]
    odd = [[["a b", "", "x..y", 7, None, ["x"], "GOOD"], urls], "odd", [], [["short"]], [["long"], urls, urls]]
    assert ["good"] == list(bootstrap.parse("dns.json", document("dns.json", services=odd)).bases)
    odd = [[["192.0.2.0/99", "192.0.2.1/24", "text", "192.0.2.0/24"], urls]]
    assert [IPv4Network("192.0.2.0/24")] == list(
        bootstrap.parse("ipv4.json", document("ipv4.json", services=odd)).bases
    )
    odd = [[["1-2-3", "x", "-1", "9" * 30, "5"], urls]]
    assert [(5, 5)] == list(bootstrap.parse("asn.json", document("asn.json", services=odd)).bases)


@given(st.integers(0, 2**32 - 1), st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)), max_size=20))
def test_the_longest_prefix_counts(number: int, networks: list[tuple[int, int]]) -> None:
    """It is the one that looking at every network would find."""
    bases = {IPv4Network((first, length), strict=False): f"https://{length}.example/" for first, length in networks}
    known = bootstrap.Bootstrap([Services("ipv4.json", NOW, dict(bases))])
    address = ip_address(number)
    around = [network for network in bases if address in network]
    expected = bases[max(around, key=lambda network: network.prefixlen)] if around else ""
    assert expected == known.address(str(address))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.sampled_from(["https://a.example/", NEWER]),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=12), inside, max_size=4),
    max_leaves=20,
)


@given(JSON, st.sampled_from(FILES))
def test_no_json_breaks_it(services: object, name: str) -> None:
    """Whatever JSON there is, it is a list or it is refused."""
    content = json.dumps({"publication": NEWER, "services": services}).encode()
    try:
        bases = bootstrap.parse(name, content).bases
    except InputError:
        return
    assert bases
    assert {"https://a.example/"} == set(bases.values())


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (-5, Staleness.FRESH),
        (0, Staleness.FRESH),
        (29, Staleness.FRESH),
        (30, Staleness.WARNING),
        (89, Staleness.WARNING),
        (90, Staleness.ALARM),
        (3000, Staleness.ALARM),
    ],
)
def test_staleness(days: int, expected: Staleness) -> None:
    """A month is worth a word, three months are too long."""
    assert expected == staleness(NOW - timedelta(days=days), NOW)


@pytest.fixture
def iana() -> Iterator[RdapServer]:
    """A server with IANA's four lists."""
    with RdapServer() as server:
        for name in FILES:
            server.faults[f"/iana/{name}"] = body(document(name), "application/json")
        yield server


def fetched(server: RdapServer, folder: Path, seconds: float = 5.0) -> list[refresh.Fetched]:
    """Fetch everything from a server."""
    transport = Transport(server.reach(), limit=LARGEST, configured=[server.base("iana")])
    return list(refresh.fetch(folder, transport, seconds=seconds, base=server.base("iana")))


def test_fetching(iana: RdapServer, tmp_path: Path) -> None:
    """The folder is made, everybody may read the files, and a second time there is nothing new."""
    folder = tmp_path / "var" / "bootstrap"
    published = datetime(2026, 11, 20, 18, 0, 2, tzinfo=UTC)

    first = fetched(iana, folder)

    assert [f"/iana/{name}" for name in FILES] == iana.paths
    assert [(name, None, published, True, "") for name in FILES] == [
        (one.name, one.previous, one.published, one.changed, one.problem) for one in first
    ]
    assert [3, 3, 1, 2] == [one.entries for one in first]
    assert sorted(FILES) == sorted(path.name for path in folder.iterdir())
    assert {0o644} == {path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert document("dns.json") == (folder / "dns.json").read_bytes()
    assert [(published, False, "")] * 4 == [(one.previous, one.changed, one.problem) for one in fetched(iana, folder)]


def test_only_a_newer_list_takes_the_place_of_one(iana: RdapServer, folder: Path) -> None:
    """An older one is told and left; a file that is broken is worse than any."""
    (folder / "asn.json").write_bytes(b"broken")
    for name in ("dns.json", "asn.json"):
        iana.faults[f"/iana/{name}"] = body(document(name, OLDER), "application/json")
    names, _, _, systems = fetched(iana, folder)
    assert (False, "dns.json: the list that is published is older than the one that is here") == (
        names.changed,
        names.problem,
    )
    assert document("dns.json") == (folder / "dns.json").read_bytes()
    assert (None, True, "") == (systems.previous, systems.changed, systems.problem)
    assert document("asn.json", OLDER) == (folder / "asn.json").read_bytes()


def test_what_does_not_come_leaves_what_is_there(iana: RdapServer, folder: Path) -> None:
    """Each way in which a server fails is told, no file is touched, and nothing is left behind."""
    iana.faults["/iana/dns.json"] = redirect("http://169.254.169.254/latest")
    iana.faults["/iana/ipv4.json"] = too_many()
    iana.faults["/iana/ipv6.json"] = json_body({"services": []})
    iana.faults["/iana/asn.json"] = drip()
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}

    results = fetched(iana, folder, seconds=0.5)

    problems = " / ".join(one.problem for one in results)
    for words in (
        "127.0.0.1 refers to 169.254.169.254",
        "127.0.0.1 was asked too often",
        "ipv6.json: is no list of RDAP services: lacks 'publication'",
        "127.0.0.1 does not answer",
    ):
        assert words in problems
    assert before == {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    assert {datetime(2026, 11, 20, 18, 0, 2, tzinfo=UTC)} == {one.published for one in results}


def test_a_list_without_end(iana: RdapServer, tmp_path: Path) -> None:
    """It is not read to its end."""
    iana.faults["/iana/"] = large()
    for name in FILES:
        del iana.faults[f"/iana/{name}"]
    assert all("larger than 2000000 bytes" in one.problem for one in fetched(iana, tmp_path))


def test_a_folder_that_cannot_be_written(iana: RdapServer, tmp_path: Path) -> None:
    """It is told with what to do, and nothing is left half."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match=r"file/bootstrap: cannot be written: Not a directory"):
        fetched(iana, tmp_path / "file" / "bootstrap")
    (tmp_path / "dns.json").mkdir()
    with pytest.raises(ConfigError, match=r"dns\.json: cannot be written"):
        fetched(iana, tmp_path)
    assert ["dns.json", "file"] == sorted(path.name for path in tmp_path.iterdir())
