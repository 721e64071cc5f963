"""Which autonomous system an address belongs to, from a file in MaxMind's format that the operator has (MMDB 2.0).

The file is mapped into memory, which all processes share: it may be replaced by another at any time, but never be
written in place.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import maxminddb

from abuse_triage.errors import ConfigError
from abuse_triage.lookups.cleaning import clean, clean_country
from abuse_triage.model.lookups import Offline

# GeoLite2-ASN and DB-IP; IPinfo; CIRCL's Geo Open, which has them below "country".
_NUMBERS = ("autonomous_system_number", "asn", "as_number", "AutonomousSystemNumber")
_NAMES = ("autonomous_system_organization", "as_name", "as_organization", "name", "AutonomousSystemOrganization")
_COUNTRIES = ("country_code", "country", "iso_code")
_INNER = "country"
_LARGEST = 2**32  # RFC 6793


class AsnFile:
    """The open file; used by several threads at once."""

    def __init__(self, path: Path, key: str) -> None:
        """Open it; `key` is the setting that names it. Raises `ConfigError` where it is absent or none."""
        try:
            self._reader = maxminddb.open_database(path)
            self._built = datetime.fromtimestamp(self._reader.metadata().build_epoch, UTC)
        except OSError as error:
            raise ConfigError((f"{path}: {key}: cannot be read: {error.strerror or error}",)) from error
        except (maxminddb.InvalidDatabaseError, ValueError, OverflowError) as error:
            raise ConfigError((f"{path}: {key}: is not an MMDB file, or is damaged",)) from error

    @property
    def built(self) -> datetime:
        """When the file was made."""
        return self._built

    def of(self, address: IPv4Address | IPv6Address) -> Offline:
        """Return number, name and country of the system that announces an address; odd records say nothing."""
        try:
            record = self._reader.get(address)
        except (maxminddb.InvalidDatabaseError, ValueError):  # damaged, or IPv6 in a file of IPv4
            return Offline()
        parts = tuple(_parts(record))
        return Offline(
            asn=next((number for part in parts for key in _NUMBERS if (number := _number(part.get(key)))), 0),
            as_name=next((name for part in parts for key in _NAMES if (name := clean(part.get(key)))), ""),
            country=next((code for part in parts for key in _COUNTRIES if (code := clean_country(part.get(key)))), ""),
        )


def _parts(record: object) -> Iterator[dict[str, object]]:
    """Yield a record and what it has about a country, as far as they are tables."""
    if isinstance(record, dict):
        yield record
        inner = record.get(_INNER)
        if isinstance(inner, dict):
            yield inner


def _number(value: object) -> int:
    """Return the number of an autonomous system, written as 64500, "64500" or "AS64500"; 0 for anything else."""
    if isinstance(value, str):
        digits = value.strip().upper().removeprefix("AS")
        value = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 10 else 0
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _LARGEST else 0
