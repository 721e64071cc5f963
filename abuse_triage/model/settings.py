"""The configuration as frozen values; every key, its default and the one line that explains it stand here only."""

import re
from datetime import time, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from abuse_triage.model.decision import Priority, TicketKind, Tlp

_DURATION = re.compile(r"(\d{1,9})(ms|s|m|h|d)")
_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_SIZE = re.compile(r"(\d{1,12}) ?(B|kB|MB|GB)")
_FACTORS = {"B": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3}


def _duration(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('write a duration as a string like "90s", "15m", "24h" or "7d"')
    return int(match[1]) * _UNITS[match[2]]


def _show_duration(value: timedelta) -> str:
    for unit in ("d", "h", "m", "s"):
        if value and not value % _UNITS[unit]:
            return f"{value // _UNITS[unit]}{unit}"
    return f"{value // _UNITS['ms']}ms"


def _size(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('write a size as a string like "36 MB", "256 kB" or "1 GB" (powers of 1000)')
    return int(match[1]) * _FACTORS[match[2]]


def _show_size(value: int) -> str:
    for unit in ("GB", "MB", "kB"):
        if value and not value % _FACTORS[unit]:
            return f"{value // _FACTORS[unit]} {unit}"
    return f"{value} B"


Duration = Annotated[timedelta, BeforeValidator(_duration), PlainSerializer(_show_duration)]
Size = Annotated[int, BeforeValidator(_size), PlainSerializer(_show_size), Field(gt=0)]
Count = Annotated[int, Field(gt=0)]
Network = IPv4Network | IPv6Network
IPAddress = IPv4Address | IPv6Address
MailAddress = Annotated[str, Field(pattern=r"^[A-Za-z0-9._+=/-]{1,64}@[A-Za-z0-9.-]{1,253}$")]
PrintableLine = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]


class Section(BaseModel):
    """One table of the configuration file: frozen, and no key that is not described here."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True)


class Team(Section):
    """Who you are: everything here is shown to reporters."""

    name: Annotated[PrintableLine, Field(min_length=1)]
    """Short name of the team, as it signs its mail."""
    organisation: PrintableLine = ""
    """The organisation that the team belongs to."""
    ticket_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")]
    """Beginning of every ticket number; letters, digits, dot, hyphen."""
    timezone: str = "UTC"
    """IANA name of the zone in which numbers, digests and hours are meant."""
    hours_pt: PrintableLine = ""
    """Working hours in Portuguese, as the acknowledgement says them."""
    hours_en: PrintableLine = ""
    """Working hours in English, as the acknowledgement says them."""
    telephones: tuple[PrintableLine, ...] = ()
    """Telephone numbers for what cannot wait."""
    openpgp_fingerprint: Annotated[str, Field(pattern=r"^([0-9A-F]{40})?$")] = ""
    """Fingerprint of the team's OpenPGP key, 40 hexadecimal digits; "" for none."""
    policy_url: PrintableLine = ""
    """Address of the page with the team's policy (RFC 2350); "" for none."""
    example: bool = False
    """True marks the identity as an example: nothing is then sent to a smarthost."""


class Mailbox(Section):
    """One address that reports are sent to."""

    address: MailAddress
    """The address; mail for any other recipient is refused."""
    kind: TicketKind = TicketKind.INCIDENT
    """What a message to it opens: "incident" or "enquiry"."""
    default_tlp: Tlp = Tlp.GREEN
    """TLP of what arrives here without a marking of its own."""


class AutonomousSystem(Section):
    """One autonomous system of the constituency."""

    asn: Annotated[int, Field(gt=0, lt=2**32)]
    """The number."""
    name: PrintableLine = ""
    """What it is called."""
    networks: tuple[Network, ...]
    """Its address blocks as registered."""


class NameServer(Section):
    """One name server of the registry: only these exact addresses count, not their networks."""

    name: PrintableLine
    """Host name."""
    addresses: tuple[IPAddress, ...]
    """Its IPv4 and IPv6 addresses."""


class ScopeSettings(Section):
    """What is yours: reports about it come first."""

    domains: tuple[Annotated[str, Field(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)*$")], ...] = ()
    """Names whose subdomains are yours, without leading dot, such as a top-level domain."""
    second_level: tuple[str, ...] = ()
    """Registration zones below your domains, such as com.pt."""
    autonomous_system: tuple[AutonomousSystem, ...] = ()
    """Your autonomous systems."""
    name_server: tuple[NameServer, ...] = ()
    """Your name servers."""


class SmtpSettings(Section):
    """The SMTP listener; put an MTA in front of it on a public address."""

    listen: tuple[str, ...] = ("127.0.0.1:8025",)
    """Addresses and ports to listen on; [] for none."""
    hostname: PrintableLine = "localhost"
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

    path: Path = Path("abuse-triage.sqlite")
    """SQLite file; relative paths start at the configuration file."""
    min_free: Size = 500_000_000
    """Free disk space below which new mail is put off with 452."""
    max_waiting: Count = 100_000
    """Messages waiting for triage above which new mail is put off with 452."""


class TriageSettings(Section):
    """The workers that turn messages into tickets."""

    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Number of workers, each a decider and a reader process."""
    batch: Annotated[int, Field(ge=1, le=500)] = 50
    """Messages that a worker claims at once."""
    lease: Duration = timedelta(minutes=5)
    """Time after which the messages of a silent worker go to another."""
    attempts: Annotated[int, Field(ge=1, le=20)] = 3
    """Failures after which a message goes to quarantine."""
    deadline: Duration = timedelta(seconds=20)
    """Longest time for reading one message."""
    memory: Size = 1_000_000_000
    """Memory of the reader process."""


class RuleSettings(Section):
    """The rules that decide."""

    paths: tuple[Path, ...] = ()
    """Folders with *.yaml; [] for the rules that come with the program."""


class TicketSettings(Section):
    """Numbers, clocks and windows."""

    number: Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,100}$")] = "{prefix}#{year}-{sequence:06}"
    """Format of the number, from prefix, year and sequence."""
    response: dict[Priority, Duration] = {
        Priority.P1: timedelta(hours=1),
        Priority.P2: timedelta(hours=8),
        Priority.P3: timedelta(hours=24),
        Priority.P4: timedelta(hours=24),
    }
    """Time to the first answer of a person, by priority."""
    duplicate_window: Duration = timedelta(days=7)
    """Time in which the same content counts as the same report."""


class ReplySettings(Section):
    """Acknowledgements."""

    enabled: bool = True
    """False sends none; each ticket then says so."""
    sender: MailAddress | Literal[""] = ""
    """Address in From; "" for the mailbox that was written to."""
    message_id_domain: PrintableLine = "localhost"
    """Domain of the Message-IDs of what we send."""
    secret_file: Path = Path("message-id.key")
    """File with the secret that signs our Message-IDs, 32 bytes or more; `init` makes it."""


class OutboxSettings(Section):
    """How mail leaves."""

    smarthost: Annotated[str, Field(pattern=r"^([A-Za-z0-9.:\[\]-]+:\d{1,5})?$")] = ""
    """host:port of the MTA that takes our mail; "" writes it to the folder."""
    folder: Path = Path("outbox")
    """Folder for mail while there is no smarthost, one .eml file each."""
    retry_first: Duration = timedelta(minutes=1)
    """Pause after the first failure; it doubles with each further one, with jitter."""
    retry_cap: Duration = timedelta(hours=1)
    """Longest pause between two tries."""
    lifetime: Duration = timedelta(days=5)
    """Time after which an undelivered mail is given up."""
    timeout: Duration = timedelta(seconds=60)
    """Longest wait for one answer of the smarthost."""


class DigestSettings(Section):
    """The overview that handlers get."""

    recipients: tuple[MailAddress, ...] = ()
    """Addresses of the handlers; [] sends none."""
    times: tuple[time, ...] = (time(8, 0),)
    """Times of day in the team's zone."""


class LogSettings(Section):
    """What is logged, to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is written; addresses and texts appear at debug only."""
    format: Literal["auto", "console", "json"] = "auto"
    """"auto" is console on a terminal and JSON lines elsewhere."""


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
