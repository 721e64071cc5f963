"""The configuration as frozen values; every key, its default and the one line that explains it stand here only.

Values are checked here as far as one value or its neighbours can be wrong. `abuse_triage.config` reads the file.
"""

from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from abuse_triage.model.decision import Priority, TicketKind, Tlp
from abuse_triage.model.fields import (
    LONGEST,
    Count,
    Duration,
    FilePath,
    Flag,
    HostName,
    IPAddress,
    ListenAddress,
    MailAddress,
    MailAddressOrNone,
    Network,
    NumberFormat,
    PrintableLine,
    Size,
    Smarthost,
    TimeOfDay,
    TimeZone,
    ZoneName,
    written,
)

_RESPONSE = {
    Priority.P1: timedelta(hours=1),
    Priority.P2: timedelta(hours=8),
    Priority.P3: timedelta(hours=24),
    Priority.P4: timedelta(hours=24),
}


def _all_priorities(value: object) -> object:
    """Priorities that the file does not name keep their default."""
    return {**_RESPONSE, **value} if isinstance(value, dict) else value


class Section(BaseModel):
    """One table of the configuration file: frozen, and no key that is not described here."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True, revalidate_instances="always"
    )


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


class SmtpSettings(Section):
    """The SMTP listener; put an MTA in front of it on a public address."""

    listen: tuple[ListenAddress, ...] = ("127.0.0.1:8025",)
    """Addresses and ports to listen on; [] for none."""
    hostname: HostName = "localhost"
    """Name in the greeting and in the Received field."""
    max_message: Size = 36_000_000
    """Largest message; above it the sender gets 552."""
    max_recipients: Count = 20
    """Recipients of one message."""
    max_connections: Count = 200
    """Connections at once."""
    max_commands: Count = 1000
    """Commands in one connection."""
    max_errors: Count = 10
    """Refused commands in one connection before it is closed."""
    idle_timeout: Duration = timedelta(minutes=5)
    """Silence of a client before the connection is closed (RFC 5321 section 4.5.3.2 asks for 5 minutes)."""
    data_timeout: Duration = timedelta(minutes=10)
    """Longest time for the text of one message."""
    session_timeout: Duration = timedelta(hours=1)
    """Longest life of a connection."""
    authserv_id: PrintableLine = ""
    """The authserv-id of your own MTA, whose Authentication-Results are believed; "" believes none."""


class LimitSettings(Section):
    """How much of one message is read; what is beyond stays in the raw message and is said in the ticket."""

    header_bytes: Size = 256_000
    """The whole header block."""
    header_line: Size = 16_000
    """One header field."""
    headers: Count = 1000
    """Header fields."""
    parts: Count = 500
    """MIME parts."""
    depth: Count = 30
    """Nesting of MIME parts."""
    decoded_bytes: Size = 100_000_000
    """All parts after transfer decoding."""
    html_bytes: Size = 2_000_000
    """HTML of one part."""
    text: Count = 512_000
    """Characters of text in which indicators are looked for."""
    indicators: Count = 2000
    """Indicators of one message."""


class StoreSettings(Section):
    """Where everything is kept."""

    path: FilePath = Path("abuse-triage.sqlite")
    """SQLite file; relative paths start at the configuration file."""
    min_free: Size = 500_000_000
    """Free disk space below which new mail is put off with 452."""
    max_waiting: Count = 100_000
    """Messages waiting for triage above which new mail is put off with 452."""


class TriageSettings(Section):
    """The workers that turn messages into tickets."""

    workers: Annotated[int, Field(ge=1, le=64, strict=True)] = 1
    """Number of workers, each a decider and a reader process."""
    batch: Annotated[int, Field(ge=1, le=500, strict=True)] = 50
    """Messages that a worker claims at once."""
    lease: Duration = timedelta(minutes=5)
    """Time after which the messages of a silent worker go to another."""
    attempts: Annotated[int, Field(ge=1, le=20, strict=True)] = 3
    """Failures after which a message goes to quarantine."""
    deadline: Duration = timedelta(seconds=20)
    """Longest time for reading one message."""
    memory: Size = 1_000_000_000
    """Memory of the reader process."""

    @field_validator("deadline")
    @classmethod
    def _within_the_lease(cls, value: timedelta, info: ValidationInfo) -> timedelta:
        if value >= info.data.get("lease", LONGEST):
            raise ValueError("should be shorter than triage.lease")
        return value


class RuleSettings(Section):
    """The rules that decide."""

    paths: tuple[FilePath, ...] = ()
    """Folders with *.yaml; [] for the rules that come with the program."""


class TicketSettings(Section):
    """Numbers, clocks and windows."""

    number: NumberFormat = "{prefix}#{year}-{sequence:06}"
    """Format of the number, from prefix, year and sequence."""
    response: Annotated[dict[Priority, Duration], BeforeValidator(_all_priorities)] = _RESPONSE
    """Time to the first answer of a person, by priority."""
    duplicate_window: Duration = timedelta(days=7)
    """Time in which the same content counts as the same report."""


class ReplySettings(Section):
    """Acknowledgements."""

    enabled: Flag = True
    """false sends none; each ticket then says so."""
    sender: MailAddressOrNone = ""
    """Address in From; "" for the mailbox that was written to."""
    message_id_domain: HostName = "localhost"
    """Domain of the Message-IDs of what we send."""
    secret_file: FilePath = Path("message-id.key")
    """File with the secret that signs our Message-IDs, 32 bytes or more; `init` makes it."""


class OutboxSettings(Section):
    """How mail leaves."""

    smarthost: Smarthost = ""
    """host:port of the MTA that takes our mail; "" writes it to the folder."""
    folder: FilePath = Path("outbox")
    """Folder for mail while there is no smarthost, one .eml file each."""
    retry_first: Duration = timedelta(minutes=1)
    """Pause after the first failure; it doubles with each further one, with jitter."""
    retry_cap: Duration = timedelta(hours=1)
    """Longest pause between two tries."""
    lifetime: Duration = timedelta(days=5)
    """Time after which an undelivered mail is given up."""
    timeout: Duration = timedelta(seconds=60)
    """Longest wait for one answer of the smarthost."""

    @field_validator("retry_cap")
    @classmethod
    def _not_below_the_first(cls, value: timedelta, info: ValidationInfo) -> timedelta:
        if value < info.data.get("retry_first", value):
            raise ValueError("should not be shorter than outbox.retry_first")
        return value


class DigestSettings(Section):
    """The overview that handlers get."""

    recipients: tuple[MailAddress, ...] = ()
    """Addresses of the handlers; [] sends none."""
    times: tuple[TimeOfDay, ...] = (time(8, 0),)
    """Times of day in the team's zone."""


class LogSettings(Section):
    """What is logged, to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is written; addresses and texts appear at debug only."""
    format: Literal["auto", "console", "json"] = "auto"
    """What it looks like: "auto" is console on a terminal and JSON lines elsewhere."""


class Settings(Section):
    """The whole configuration."""

    team: Team
    mailbox: Annotated[tuple[Mailbox, ...], Field(min_length=1)]
    scope: ScopeSettings = ScopeSettings()
    smtp: SmtpSettings = SmtpSettings()
    limits: LimitSettings = LimitSettings()
    store: StoreSettings = StoreSettings()
    triage: TriageSettings = TriageSettings()
    rules: RuleSettings = RuleSettings()
    tickets: TicketSettings = TicketSettings()
    reply: ReplySettings = ReplySettings()
    outbox: OutboxSettings = OutboxSettings()
    digest: DigestSettings = DigestSettings()
    log: LogSettings = LogSettings()

    @field_validator("mailbox")
    @classmethod
    def _each_once(cls, value: tuple[Mailbox, ...]) -> tuple[Mailbox, ...]:
        addresses = [mailbox.address for mailbox in value]
        for address in addresses:
            if addresses.count(address) > 1:
                raise ValueError(f"{address} stands there twice")
        return value
