"""The configuration as frozen values; every key, its default and the one line that explains it stand here only.

Values are checked here as far as one value or its neighbours can be wrong. `abuse_triage.config` reads the file.
"""

from datetime import time, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from abuse_triage.model.decision import Priority
from abuse_triage.model.fields import (
    LONGEST,
    AllowedRate,
    AuthservId,
    Count,
    Duration,
    FilePath,
    Flag,
    HostName,
    ListenAddress,
    ListenAddressOrSocket,
    ListId,
    MailAddress,
    MailAddressOrNone,
    Network,
    NumberFormat,
    OptionalPath,
    Permissions,
    Rate,
    Size,
    Smarthost,
    TimeOfDay,
)
from abuse_triage.model.identity import Contact, Mailbox, ScopeSettings, Team
from abuse_triage.model.lookup_settings import LookupSettings
from abuse_triage.model.section import Section

_LATEST_NOTICE = timedelta(minutes=10)
_RESPONSE = {
    Priority.P1: timedelta(hours=1),
    Priority.P2: timedelta(hours=8),
    Priority.P3: timedelta(hours=24),
    Priority.P4: timedelta(hours=24),
}


def _all_priorities(value: object) -> object:
    """Priorities that the file does not name keep their default."""
    return {**_RESPONSE, **value} if isinstance(value, dict) else value


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
    """Connections at once; one in ten is kept for relays and unix sockets."""
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
    min_rate: Size = 200
    """Bytes in a second that a text has to bring on average, after a minute's grace, or the connection is closed."""
    max_connections_per_network: Count = 20
    """Connections at once from one IPv4 /24 or IPv6 /64."""
    relays: tuple[Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
    """Networks of your own mail hosts: not limited each by itself, and SPF is not checked against them."""
    certificate: OptionalPath = None
    """PEM file with the certificate and its chain, for STARTTLS; "" offers none."""
    certificate_key: OptionalPath = None
    """PEM file with the private key of the certificate, without passphrase; "" where it is in the same file."""


class LmtpSettings(Section):
    """The LMTP listener (RFC 2033), for an MTA on the same machine; the limits of [smtp] hold here too."""

    listen: tuple[ListenAddressOrSocket, ...] = ()
    """Addresses and ports, or absolute paths of unix sockets, to listen on; [] for none."""
    socket_mode: Permissions = "660"
    """Permissions of the sockets; their group is that of the folder."""
    keep: Size = 1_000_000
    """Of a message above smtp.max_message so much is kept, from its beginning; the ticket says that it was cut."""


class AuthenticationSettings(Section):
    """Who wrote, proven: by your own MTA's word, or by asking DNS ourselves."""

    authserv_id: AuthservId = ""
    """The authserv-id of your own MTA, whose Authentication-Results are believed; "" believes none."""
    check: Flag = False
    """true checks SPF, DKIM and DMARC ourselves where no authserv_id is given; this asks DNS about senders."""
    resolver: tuple[ListenAddress, ...] = ()
    """Your own resolvers, as addresses with ports, such as "127.0.0.1:53"; needed for check."""
    timeout: Duration = timedelta(seconds=5)
    """Longest time for all questions about one message; then the result is temperror."""

    @field_validator("resolver")
    @classmethod
    def _needed_for_check(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if info.data.get("check") and not value:
            raise ValueError("authentication.check needs at least one resolver")
        return value


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
    templates: OptionalPath = None
    """Folder with your own templates, such as pt/incident.txt.j2, in place of those that come with the program."""
    dsa_notice: Flag = False
    """true adds what the Digital Services Act asks a hosting service to say (article 16)."""
    own_lists: tuple[ListId, ...] = ()
    """List-Ids of lists of your own that your mail comes through, such as "abuse.lists.example.pt"."""
    robots: OptionalPath = None
    """File with addresses and domains that are never answered, one a line, besides those that come with the program."""
    freemail: OptionalPath = None
    """File with domains that have no budget of their own, one a line, besides those that come with the program."""
    message_id_domain: HostName = "localhost"
    """Domain of the Message-IDs of what we send."""
    secret_file: FilePath = Path("message-id.key")
    """File with the secret that signs our Message-IDs, 32 bytes or more; `init` makes it."""


class BudgetSettings(Section):
    """How many acknowledgements may leave; what is over waits and is folded into one mail, nothing is dropped."""

    sender: AllowedRate = Rate(10, timedelta(hours=1))
    """To one address whose sender is proven."""
    unproven_sender: AllowedRate = Rate(3, timedelta(days=1))
    """To one address whose sender is not proven."""
    domain: AllowedRate = Rate(20, timedelta(hours=1))
    """To one domain that is not a freemail service."""
    proven: AllowedRate = Rate(600, timedelta(hours=1))
    """To all proven senders together: nobody else can use this up."""
    unproven: AllowedRate = Rate(120, timedelta(hours=1))
    """To all others together."""
    notices: AllowedRate = Rate(30, timedelta(hours=1))
    """Notices to one handler, of mail whose sender is proven and of other mail each; those over it are told in one."""
    alarm: Annotated[int, Field(ge=1, le=100, strict=True)] = 80
    """Percentage of proven or unproven at which an alarm is given."""

    @field_validator("notices")
    @classmethod
    def _soon(cls, value: Rate) -> Rate:
        if value.span / value.count > _LATEST_NOTICE:
            raise ValueError("should let one leave every ten minutes, because a handler hears of urgent tickets by it")
        return value


class OpenPgpSettings(Section):
    """Encrypted and signed mail; team.openpgp_fingerprint names the key that reporters are told to use."""

    secret_key: OptionalPath = None
    """File with the team's secret keys, as `key generate` or `key import-secret` writes it; "" for none."""
    passphrase: OptionalPath = None
    """File with their passphrase, one line; "" looks for the systemd credential openpgp-passphrase, then for none."""
    runtime: OptionalPath = None
    """Folder in memory for key rings in use; "" for systemd's RuntimeDirectory, else $XDG_RUNTIME_DIR or /dev/shm."""
    sign: Flag = True
    """true signs what we send with the advertised key."""
    timeout: Duration = timedelta(seconds=20)
    """Longest time for one message."""
    cpu: Duration = timedelta(seconds=10)
    """Most CPU time for one message."""
    memory: Size = 512_000_000
    """Memory of gpg for one message."""
    max_output: Size = 50_000_000
    """Largest plaintext."""
    max_recipients: Count = 32
    """Keys that one message may be encrypted to."""
    max_key: Size = 64_000
    """Largest certificate of somebody else."""
    max_offered: Count = 1000
    """Certificates that came with reports and are kept; the oldest make room."""
    freshness: Duration = timedelta(days=7)
    """Most time between a signature and the Date of its message for it to count as verified."""
    answer_delay: Duration = timedelta(seconds=60)
    """Encrypted reports are acknowledged so long after they arrived, whether they could be opened or not."""

    @field_validator("answer_delay")
    @classmethod
    def _hides_the_work(cls, value: timedelta, info: ValidationInfo) -> timedelta:
        if value <= info.data.get("timeout", timedelta(0)):
            raise ValueError("should be longer than openpgp.timeout, or it tells whether something could be opened")
        return value


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
    """Addresses of the handlers, who also get the notices that cannot wait; [] sends none."""
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
    contact: tuple[Contact, ...] = ()
    """Teams and robots that you know; write each as [[contact]]."""
    smtp: SmtpSettings = SmtpSettings()
    lmtp: LmtpSettings = LmtpSettings()
    authentication: AuthenticationSettings = AuthenticationSettings()
    limits: LimitSettings = LimitSettings()
    store: StoreSettings = StoreSettings()
    triage: TriageSettings = TriageSettings()
    rules: RuleSettings = RuleSettings()
    tickets: TicketSettings = TicketSettings()
    reply: ReplySettings = ReplySettings()
    budget: BudgetSettings = BudgetSettings()
    openpgp: OpenPgpSettings = OpenPgpSettings()
    lookups: LookupSettings = LookupSettings()
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
