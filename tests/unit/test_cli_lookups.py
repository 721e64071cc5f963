"""`lookups refresh` and `lookups status`, with a real server in IANA's place."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from csirt import Csirt, install
from servers.rdap import RdapServer, body, too_many

from abuse_triage import config
from abuse_triage.cli.output import moment
from abuse_triage.lookups import bootstrap
from abuse_triage.lookups.bootstrap import FILES, Staleness
from abuse_triage.lookups.rdaptable import COMPILED, SERVICES

ENTRIES = {"dns.json": "example", "ipv4.json": "192.0.2.0/24", "ipv6.json": "2001:db8::/32", "asn.json": "64496-64511"}


def listed(name: str, days: int) -> bytes:
    """Return a list that was published so many days ago."""
    published = datetime.now(UTC) - timedelta(days=days)
    services = [[[ENTRIES[name]], ["https://rdap.example/"]]]
    return json.dumps({"publication": published.isoformat(), "services": services}).encode()


@pytest.fixture
def csirt(tmp_path: Path) -> Csirt:
    """An installation."""
    return install(tmp_path)


@pytest.fixture
def iana() -> Iterator[RdapServer]:
    """A server with lists that are a day old."""
    with RdapServer() as server:
        server.faults = {f"/iana/{name}": body(listed(name, 1)) for name in FILES}
        yield server


def folder(csirt: Csirt) -> Path:
    """Return where the lists are."""
    return csirt.folder / "bootstrap"


def test_refresh_fetches_the_lists_and_says_what_changed(csirt: Csirt, iana: RdapServer) -> None:
    """The first time all are new, the second time nothing; an old one is told with its age; nobody is prompted."""
    result = csirt.run("lookups", "refresh", "--from", iana.base("iana"))
    assert [f"/iana/{name}" for name in FILES] == iana.paths
    rows = [line.split(maxsplit=4) for line in result.stdout.splitlines()[1:]]
    assert [(name, "1", "new; there was none before") for name in FILES] == [(row[0], row[3], row[4]) for row in rows]
    assert 4 == result.stderr.count('"event":"bootstrap-fetched"')
    assert sorted(FILES) == sorted(path.name for path in folder(csirt).iterdir())

    again = csirt.run("lookups", "refresh", "--from", f"{iana.base('iana')}/")
    assert 4 == again.stdout.count("unchanged")
    assert "bootstrap-fetched" not in again.stderr

    (folder(csirt) / "dns.json").write_bytes(listed("dns.json", 40))
    assert (
        "new; the one before was published 40d ago" in csirt.lines("lookups", "refresh", "--from", iana.base("iana"))[1]
    )


def test_refresh_in_json(csirt: Csirt, iana: RdapServer) -> None:
    """One document says the same of each list."""
    found = csirt.json("lookups", "refresh", "--from", iana.base("iana"))
    assert [(name, None, True, "") for name in FILES] == [
        (one["name"], one["previous"], one["changed"], one["problem"]) for one in found
    ]


def test_a_list_that_does_not_come_ends_with_its_own_exit_code(csirt: Csirt, iana: RdapServer) -> None:
    """The others are kept; what was there stays; the server and its trouble are named."""
    folder(csirt).mkdir()
    old = listed("dns.json", 100)
    (folder(csirt) / "dns.json").write_bytes(old)
    iana.faults["/iana/dns.json"] = too_many()
    result = csirt.run("lookups", "refresh", "--from", iana.base("iana"), code=75)
    assert "not fetched; the one before was published 100d ago" in result.stdout
    assert "dns.json was not fetched: 127.0.0.1 was asked too often" in result.stderr
    assert "What was there before stays." in result.stderr
    assert old == (folder(csirt) / "dns.json").read_bytes()
    assert (folder(csirt) / "asn.json").exists()


def test_without_from_only_iana_is_asked_and_never_inside(csirt: Csirt, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where somebody makes IANA's name point inside, nothing is connected to."""
    monkeypatch.setattr("abuse_triage.service.clients.by_system", lambda *_: ("127.0.0.1",))
    result = csirt.run("lookups", "refresh", code=75)
    assert 4 == result.stderr.count("data.iana.org is at 127.0.0.1 (loopback")
    assert not (folder(csirt) / "dns.json").exists()


@pytest.mark.parametrize("url", ["", "ftp://example.org/", "https://example.org/?a=b", "example.org", "https://a b/"])
def test_from_takes_an_address(csirt: Csirt, url: str) -> None:
    """Anything else is wrong usage."""
    assert "Invalid value for '--from'" in csirt.run("lookups", "refresh", "--from", url, code=2).stderr


def test_a_folder_that_cannot_be_made(csirt: Csirt, iana: RdapServer) -> None:
    """It is a matter of the configuration, and nobody is asked in vain."""
    folder(csirt).write_text("in the way")
    result = csirt.run("lookups", "refresh", "--from", iana.base("iana"), code=78)
    assert "bootstrap: cannot be written: File exists" in result.stderr
    assert [] == iana.asked


def test_status_of_a_new_installation(csirt: Csirt) -> None:
    """Our own table counts; no server failed; nothing waits; and nobody is asked at all."""
    result = csirt.run("lookups", "status")
    lines = result.stdout.splitlines()
    assert lines[1].startswith("built-in table  ")
    assert str(len(SERVICES)) == lines[1].split(maxsplit=6)[5]
    assert "SERVER" not in result.stdout
    assert ["look-ups waiting", "look-ups withheld"] == [line.rsplit(maxsplit=2)[0] for line in lines[-2:]]
    assert "lookups.enabled is false: nobody is asked." in result.stderr


def test_status_tells_how_old_the_lists_are(csirt: Csirt) -> None:
    """Fresh, old and too old; what is broken is named, and what to do."""
    folder(csirt).mkdir()
    for name, days in (("dns.json", 1), ("ipv4.json", 31), ("ipv6.json", 91)):
        (folder(csirt) / name).write_bytes(listed(name, days))
    (folder(csirt) / "asn.json").write_text("{")
    result = csirt.run("lookups", "status")
    rows = [line.split(maxsplit=5) for line in result.stdout.splitlines()[1:4]]
    assert [("dns.json", "1d", "fresh"), ("ipv4.json", "31d", "old"), ("ipv6.json", "91d", "too old")] == [
        (row[0], row[3], row[5]) for row in rows
    ]
    assert "asn.json: is no list of RDAP services" in result.stderr
    assert "Fetch them with `lookups refresh`" in result.stderr


def test_status_names_the_servers_that_fail(csirt: Csirt) -> None:
    """The worst first, with what they did, and until when they are left alone; strangers' words are harmless."""
    store = csirt.store()
    now = datetime.now(UTC)
    store.server_failed("rdap.quiet.example", "it takes too long", None)
    for _ in range(2):
        store.server_failed("rdap.bad.example", "broken \x1b[31mJSON", now + timedelta(hours=1))
    store.server_failed("rdap.past.example", "reset", now - timedelta(hours=1))
    store.close()

    result = csirt.run("lookups", "status")

    servers = [line.split(maxsplit=2) for line in result.stdout.splitlines() if line.startswith("rdap.")]
    assert [("rdap.bad.example", "2"), ("rdap.past.example", "1"), ("rdap.quiet.example", "1")] == [
        (name, failures) for name, failures, _ in servers
    ]
    until = moment(now + timedelta(hours=1), config.load(csirt.path).team.timezone)
    assert servers[0][2].startswith(f"{until}  broken ")
    assert ["-  ", "-  "] == [rest[:3] for _, _, rest in servers[1:]]
    assert "\x1b" not in result.stdout


def test_status_in_json(csirt: Csirt) -> None:
    """One document has the same."""
    found = csirt.json("lookups", "status")
    assert not found["enabled"]
    (table,) = found["lists"]
    published = COMPILED.isoformat().replace("+00:00", "Z")
    expected = {"name": "built-in table", "published": published, "entries": len(SERVICES)}
    assert expected == {key: table[key] for key in expected}
    assert table["state"] in set(Staleness)
    assert [0, 0] == [gauge["count"] for gauge in found["gauges"]]
    assert ([], []) == (found["servers"], found["problems"])


def test_a_fresh_list_needs_no_advice(csirt: Csirt, iana: RdapServer) -> None:
    """What was fetched a moment ago is fresh, and its services are the ones that count."""
    csirt.run("lookups", "refresh", "--from", iana.base("iana"))
    result = csirt.run("lookups", "status")
    assert "refresh" not in result.stderr
    assert "https://rdap.example/" == bootstrap.load(folder(csirt)).domain("shop.example")
