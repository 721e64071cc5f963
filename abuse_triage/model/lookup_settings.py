"""The tables of the configuration about look-ups: whom to ask, how politely, and what the TLP forbids."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from abuse_triage.model.fields import (
    AllowedRate,
    BaseUrl,
    Count,
    Duration,
    FilePath,
    Flag,
    HostName,
    ListenAddress,
    OptionalPath,
    Rate,
    Size,
    Smarthost,
    ZoneName,
)
from abuse_triage.model.lookups import Level, LookupKind, Permission
from abuse_triage.model.section import Section

_RIPE_PERSONAL = Rate(800, timedelta(days=1))
_RATES = {"rdap.lacnic.net": Rate(6, timedelta(minutes=1))}

Row = Mapping[Level, Permission]


def _row(*permissions: str) -> dict[Level, Permission]:
    return {level: Permission(permission) for level, permission in zip(Level, permissions, strict=True)}


_ROWS: dict[LookupKind, dict[Level, Permission]] = {
    # unmarked, clear, green, amber, amber+strict, red
    LookupKind.NETWORK: _row("yes", "yes", "yes", "yes", "ask", "ask"),
    LookupKind.ABUSE_CONTACT: _row("yes", "yes", "yes", "yes", "ask", "ask"),
    LookupKind.DOMAIN: _row("yes", "yes", "yes", "ask", "ask", "no"),
    LookupKind.OWN_DOMAIN: _row("yes", "yes", "yes", "yes", "ask", "ask"),
    LookupKind.DELEGATION: _row("ask", "yes", "yes", "yes", "ask", "no"),
    LookupKind.HOSTS: _row("no", "ask", "ask", "no", "no", "no"),
    LookupKind.POINTER: _row("no", "ask", "ask", "no", "no", "no"),
}


def _complete(row: LookupKind) -> BeforeValidator:
    """Levels that the file does not name keep their default."""

    def fill(value: object) -> object:
        return {**_ROWS[row], **value} if isinstance(value, dict) else value

    return BeforeValidator(fill)


class PolicySettings(Section):
    """Which look-ups leave by themselves ("yes"), when a handler releases them ("ask"), or never ("no"), by TLP."""

    network: Annotated[dict[Level, Permission], _complete(LookupKind.NETWORK)] = _ROWS[LookupKind.NETWORK]
    """Addresses at the regional Internet registries."""
    abuse_contact: Annotated[dict[Level, Permission], _complete(LookupKind.ABUSE_CONTACT)] = _ROWS[
        LookupKind.ABUSE_CONTACT
    ]
    """Abuse contacts of addresses at RIPE."""
    domain: Annotated[dict[Level, Permission], _complete(LookupKind.DOMAIN)] = _ROWS[LookupKind.DOMAIN]
    """Registrable names that are not yours, at their registries."""
    own_domain: Annotated[dict[Level, Permission], _complete(LookupKind.OWN_DOMAIN)] = _ROWS[LookupKind.OWN_DOMAIN]
    """Registrable names below your domains, at own_whois."""
    delegation: Annotated[dict[Level, Permission], _complete(LookupKind.DELEGATION)] = _ROWS[LookupKind.DELEGATION]
    """Name servers and DS records of registrable names, at the servers of the zone above."""
    hosts: Annotated[dict[Level, Permission], _complete(LookupKind.HOSTS)] = _ROWS[LookupKind.HOSTS]
    """Addresses and mail hosts of registrable names: whoever runs their name servers learns of it."""
    pointer: Annotated[dict[Level, Permission], _complete(LookupKind.POINTER)] = _ROWS[LookupKind.POINTER]
    """Names of addresses: whoever runs the name servers of their network learns of it."""

    def permission(self, kind: LookupKind, level: Level) -> Permission:
        """Return what the table says."""
        row: dict[Level, Permission] = getattr(self, kind.replace("-", "_"))
        return row[level]


class LookupSettings(Section):
    """Questions to registries and name servers; docs/lookups.md says who is asked what."""

    enabled: Flag = False
    """true asks as far as the policy allows; false asks nobody, and only local files are used."""
    bootstrap: FilePath = Path("bootstrap")
    """Folder with IANA's list of RDAP services, as `lookups refresh` fetches it."""
    rdap: dict[ZoneName, BaseUrl] = Field(default_factory=dict)
    """RDAP services in place of IANA's, by registry (ripe, arin, apnic, lacnic, afrinic) or top-level domain."""
    whois: dict[ZoneName, Smarthost] = Field(default_factory=dict)
    """WHOIS servers as host:port for top-level domains that have no RDAP service; no others are asked."""
    own_whois: Smarthost = ""
    """WHOIS server of your own registry as host:port, for names below scope.domains; "" for none."""
    abuse_contacts: BaseUrl = "https://rest.db.ripe.net"
    """RIPE's service for abuse contacts; "" asks nobody."""
    resolver: tuple[ListenAddress, ...] = ()
    """Your own resolvers, such as "127.0.0.1:53", for all DNS; [] asks the system for hosts of registries only."""
    spread: Duration = timedelta(minutes=2)
    """Look-ups leave at a random moment within so long after a message came, so that nobody sees when mail comes."""
    timeout: Duration = timedelta(seconds=8)
    """Longest time for one question."""
    max_answer: Size = 500_000
    """Largest answer."""
    per_message: Count = 50
    """Questions about one message; what is beyond is listed as not asked."""
    workers: Annotated[int, Field(ge=1, le=16, strict=True)] = 4
    """Questions at once."""
    rate: AllowedRate = Rate(5, timedelta(seconds=5))
    """Questions to one server."""
    rates: dict[HostName, AllowedRate] = _RATES
    """Questions to servers that have a rate of their own."""
    ripe_personal: AllowedRate = _RIPE_PERSONAL
    """Answers of RIPE with data about persons; RIPE blocks after 1000 in a day."""
    retention: Duration = timedelta(days=90)
    """Time for which answers are kept."""
    asn: OptionalPath = None
    """MMDB file with autonomous systems, such as DB-IP's, IPinfo's or GeoLite2's; "" for none."""
    owners: OptionalPath = None
    """CSV file with networks and domains of your customers: key,owner,contact,note; "" for none."""
    registrars: OptionalPath = None
    """CSV file with registrars and managing entities: name,contact,note; "" for none."""
    policy: PolicySettings = PolicySettings()
    """What each TLP lets leave."""
