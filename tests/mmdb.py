"""Files of autonomous systems in the forms that their makers give them, for documentation addresses."""

from collections.abc import Mapping
from pathlib import Path

from mmdb_writer import MMDBWriter
from netaddr import IPSet


def write(path: Path, networks: Mapping[str, object], ip_version: int = 6) -> Path:
    """Write a file with a record for each network, and move it to its place at once; returns that place."""
    writer = MMDBWriter(ip_version=ip_version, ipv4_compatible=ip_version == 6, database_type="Test-ASN")
    for network, record in networks.items():
        writer.insert_network(IPSet([network]), record)
    made = path.with_name(f".{path.name}.new")
    writer.to_db_file(str(made))
    return made.replace(path)
