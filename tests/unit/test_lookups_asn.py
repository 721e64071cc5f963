"""Files of autonomous systems: every maker's fields, and whatever else stands in them."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import mmdb
import pytest

from abuse_triage.errors import ConfigError
from abuse_triage.lookups.asn import AsnFile
from abuse_triage.model.lookups import Offline

RECORDS: dict[str, object] = {
    # GeoLite2-ASN and DB-IP
    "192.0.2.0/26": {"autonomous_system_number": 64500, "autonomous_system_organization": "Rede Exemplo"},
    # IPinfo
    "192.0.2.64/26": {"asn": "AS64501", "as_name": "Example Net", "country": "Portugal", "country_code": "PT"},
    "192.0.2.128/26": {"asn": "AS64502", "name": "Example Two", "country": "es", "domain": "example.org"},
    # CIRCL Geo Open
    "192.0.2.192/26": {
        "country": {"iso_code": "FR", "AutonomousSystemNumber": "64503", "AutonomousSystemOrganization": "Example 3"}
    },
    "2001:db8::/32": {"autonomous_system_number": 4_200_000_000, "autonomous_system_organization": "Six"},
    # oddities
    "198.51.100.0/28": {"asn": True, "as_name": 5, "country": ["PT"]},
    "198.51.100.16/28": {"asn": "AS", "as_name": "\x1b[31m\u202ered", "country": "Portugal"},
    "198.51.100.32/28": {"asn": 2**32, "autonomous_system_number": -1, "as_name": {"en": "x"}},
    "198.51.100.48/28": {"asn": "AS" + "9" * 5000},
    "198.51.100.64/28": ["AS64500"],
    "198.51.100.80/28": {"country": {"iso_code": {}}},
    "198.51.100.96/28": {"asn": 0, "as_name": "x" * 5000, "autonomous_system_organization": ""},
    "198.51.100.112/28": {"asn": "AS٦٤"},
}


@pytest.fixture(scope="module")
def systems(tmp_path_factory: pytest.TempPathFactory) -> AsnFile:
    """A file with records of every form."""
    return AsnFile(mmdb.write(tmp_path_factory.mktemp("asn") / "asn.mmdb", RECORDS), "lookups.asn")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.1", Offline(asn=64500, as_name="Rede Exemplo")),
        ("192.0.2.65", Offline(asn=64501, as_name="Example Net", country="PT")),
        ("192.0.2.129", Offline(asn=64502, as_name="Example Two", country="ES")),
        ("192.0.2.193", Offline(asn=64503, as_name="Example 3", country="FR")),
        ("2001:db8::1", Offline(asn=4_200_000_000, as_name="Six")),
        ("203.0.113.1", Offline()),
        ("198.51.100.1", Offline()),
        ("198.51.100.17", Offline(as_name="[31mred")),
        ("198.51.100.33", Offline()),
        ("198.51.100.49", Offline()),
        ("198.51.100.65", Offline()),
        ("198.51.100.81", Offline()),
        ("198.51.100.97", Offline(as_name="x" * 199 + "…")),
        ("198.51.100.113", Offline()),
    ],
)
def test_records_become_facts(systems: AsnFile, address: str, expected: Offline) -> None:
    """Numbers, names and countries under the names of all makers; what is odd says nothing."""
    assert expected == systems.of(ip_address(address))


def test_the_age_of_the_file_is_known(systems: AsnFile) -> None:
    """It says itself when it was made."""
    assert timedelta(0) <= datetime.now(UTC) - systems.built < timedelta(minutes=10)


def test_a_file_of_ipv4_knows_nothing_else(tmp_path: Path) -> None:
    """An IPv6 address is no error there."""
    systems = AsnFile(mmdb.write(tmp_path / "asn.mmdb", {"192.0.2.0/24": {"asn": 64500}}, 4), "lookups.asn")
    assert (64500, 0) == (systems.of(ip_address("192.0.2.1")).asn, systems.of(ip_address("2001:db8::1")).asn)


def test_a_damaged_record_says_nothing(tmp_path: Path) -> None:
    """Octets that were changed in the part with the data end in no facts, and never in an error."""
    path = mmdb.write(tmp_path / "asn.mmdb", RECORDS)
    content = bytearray(path.read_bytes())
    start, end = content.index(b"autonomous_system_number") - 2, content.rindex(b"\xab\xcd\xefMaxMind.com")
    content[start:end] = b"\xff" * (end - start)
    path.write_bytes(content)
    assert Offline() == AsnFile(path, "lookups.asn").of(ip_address("192.0.2.1"))


@pytest.mark.parametrize("content", [None, b"", b"key,owner\n", b"\xab\xcd\xefMaxMind.com"])
def test_what_is_no_such_file_says_so(tmp_path: Path, content: bytes | None) -> None:
    """Absent, empty, a table, or cut off: one problem, with the setting that names it."""
    path = tmp_path / "asn.mmdb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        AsnFile(path, "lookups.asn")
    words = "cannot be read: No such file or directory" if content is None else "is not an MMDB file, or is damaged"
    assert (f"{path}: lookups.asn: {words}",) == raised.value.problems
