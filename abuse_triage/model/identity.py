"""Who you are, what is yours, and whom you know: the tables of the configuration that make it a team's own."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from abuse_triage.model.decision import TicketKind, Tlp
from abuse_triage.model.fields import (
    Flag,
    HostName,
    IPAddress,
    MailAddress,
    Network,
    PrintableLine,
    TimeZone,
    ZoneName,
    written,
)
from abuse_triage.model.section import Section


class Team(Section):
    """Who you are: everything here is shown to reporters."""

    name: Annotated[str, written(r"[^\x00-\x1f\x7f-\x9f]{1,60}", "a name of 1 to 60 characters")]
    """Short name of the team, as it signs its mail."""
    organisation: PrintableLine = ""
    """The organisation that the team belongs to."""
    ticket_prefix: Annotated[str, written(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}", "letters, digits, dot, hyphen; 1 to 32")]
    """Beginning of every ticket number; letters, digits, dot, hyphen."""
    timezone: TimeZone = "UTC"
    """IANA name of the zone in which numbers, digests and hours are meant."""
    hours_pt: PrintableLine = ""
    """Working hours in Portuguese, as the acknowledgement says them."""
    hours_en: PrintableLine = ""
    """Working hours in English, as the acknowledgement says them."""
    telephones: tuple[PrintableLine, ...] = ()
    """Telephone numbers for what cannot wait."""
    openpgp_fingerprint: Annotated[str, written(r"(?:[0-9A-F]{40})?", "40 digits of 0-9 and A-F without spaces")] = ""
    """Fingerprint of the team's OpenPGP key, 40 hexadecimal digits; "" for none."""
    policy_url: PrintableLine = ""
    """Address of the page with the team's policy (RFC 2350); "" for none."""
    example: Flag = False
    """true marks the identity as an example: nothing is then sent to a smarthost."""


class Mailbox(Section):
    """One address that reports are sent to."""

    address: Annotated[MailAddress, AfterValidator(str.lower)]
    """The address; mail for any other recipient is refused."""
    kind: TicketKind = TicketKind.INCIDENT
    """What a message to it opens: "incident" or "enquiry"."""
    default_tlp: Tlp = Tlp.GREEN
    """TLP of what arrives here without a marking of its own."""


class AutonomousSystem(Section):
    """One autonomous system of the constituency."""

    asn: Annotated[int, Field(gt=0, lt=2**32, strict=True)]
    """Its number."""
    name: PrintableLine = ""
    """What it is called."""
    networks: Annotated[tuple[Network, ...], Field(min_length=1)]
    """Its address blocks as registered."""


class NameServer(Section):
    """One name server of the registry: only these exact addresses count, not their networks."""

    name: HostName
    """Host name."""
    addresses: Annotated[tuple[IPAddress, ...], Field(min_length=1)]
    """Its IPv4 and IPv6 addresses."""


class ScopeSettings(Section):
    """What is yours: reports about it come first."""

    domains: tuple[ZoneName, ...] = ()
    """Names whose subdomains are yours, without leading dot, such as a top-level domain."""
    second_level: tuple[ZoneName, ...] = ()
    """Registration zones below your domains, such as com.pt."""
    autonomous_system: tuple[AutonomousSystem, ...] = ()
    """Your autonomous systems."""
    name_server: tuple[NameServer, ...] = ()
    """Your name servers."""

    @field_validator("second_level")
    @classmethod
    def _below_a_domain(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        domains = info.data.get("domains", ())
        for name in value:
            if not any(name.endswith(f".{domain}") for domain in domains):
                raise ValueError(f"{name} lies below none of the domains")
        return value


class Contact(Section):
    """Somebody known: another team whose ticket system writes to you, or a robot that reports."""

    name: PrintableLine
    """Who it is."""
    kind: Literal["team", "robot"] = "team"
    """"team", where it is proven, is acknowledged once for each number of theirs; "robot" never."""
    addresses: tuple[Annotated[MailAddress, AfterValidator(str.lower)], ...] = ()
    """Addresses that it writes from."""
    domains: tuple[ZoneName, ...] = ()
    """Domains that it writes from, with all below them."""

    @field_validator("domains")
    @classmethod
    def _somehow_known(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if not value and not info.data.get("addresses"):
            raise ValueError("a contact needs addresses or domains")
        return value
