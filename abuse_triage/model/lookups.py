"""Questions to registries and name servers, what they answered, and what may be asked at all."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from abuse_triage.model.decision import Tlp

LONGEST_TEXT = 200
"""Characters of one text of an answer."""
MOST_ITEMS = 20
"""Name servers, contacts, addresses, statuses … of one answer, each."""


class LookupKind(StrEnum):
    """What is asked, and of whom; the policy has one row for each."""

    NETWORK = "network"
    """An address, at its regional Internet registry (RDAP)."""
    ABUSE_CONTACT = "abuse-contact"
    """The abuse contact of an address, at the registry that has a service of its own for that (RIPE)."""
    DOMAIN = "domain"
    """A registrable name that is not ours, at its registry (RDAP, or WHOIS where configured)."""
    OWN_DOMAIN = "own-domain"
    """A registrable name below our domains, at our own registry's WHOIS."""
    DELEGATION = "delegation"
    """Name servers and DS records of a registrable name, at the servers of the zone above."""
    HOSTS = "hosts"
    """Addresses, mail hosts and texts of a registrable name: its own name servers learn of it."""
    POINTER = "pointer"
    """The name of an address: the name servers of its network learn of it."""


class Level(StrEnum):
    """How a report is marked, as the policy sees it; "unmarked" is what has a default only."""

    UNMARKED = "unmarked"
    CLEAR = "clear"
    GREEN = "green"
    AMBER = "amber"
    AMBER_STRICT = "amber+strict"
    RED = "red"


class Permission(StrEnum):
    """Whether a look-up leaves: by itself, when a handler releases it, or never."""

    YES = "yes"
    ASK = "ask"
    NO = "no"


class Result(StrEnum):
    """What became of a question: there is an answer, there is no such thing, or nobody answered as they should."""

    FOUND = "found"
    NOT_FOUND = "not-found"
    FAILED = "failed"


class LookupState(StrEnum):
    """Where a look-up of a ticket stands; the first two still change by themselves."""

    WAITING = "waiting"
    ASKING = "asking"
    ANSWERED = "answered"
    WITHHELD = "withheld"
    """The policy forbids it at this TLP; a handler may release it where the policy says "ask"."""
    SKIPPED = "skipped"
    """Not asked: beyond the limit of one message, or nobody is known who could be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundContact:
    """Somebody whom an answer names.

    `role` is the registry's word ("abuse", "registrar", "technical", "administrative", "registrant"); `source` tells
    where it stood, such as "RDAP abuse role of ORG-EX1-RIPE". `personal` marks what is about a person, not a role or
    organisation.
    """

    role: str
    name: str = ""
    email: str = ""
    telephone: str = ""
    source: str = ""
    personal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one question brought; every text in it was written by strangers, cleaned and capped (`LONGEST_TEXT`).

    `subject` is what was asked: a canonical address, or a registrable name as A-labels. `server` is the host that was
    asked, "" where nobody was. `reason` says why it FAILED, in our words; `temporary` that the same question may have
    an answer a little later (no answer in time, cut off, HTTP 429 and 5xx). `retry_after` is what the server asked for.
    `refers_to` names another registry that would know (such as "apnic"), "" for none; it is not asked by itself.

    Of a network: `first` and `last` are its ends, `network` its name, `holder` its organisation, `country` two
    capitals, `registry` the RIR. Of a name: `registrar`, `managed_by` (the managing entity of a .pt name), `holder`,
    `created`, `expires`, `statuses`, `name_servers`; `ds` are DS records in presentation form, and `signed` says
    whether the delegation is, None where that is not known. `addresses`, `mail_hosts`, `texts` and `names` are those
    of HOSTS and POINTER. `lifetime` is how long the answer itself says that it holds (the TTL of DNS), None otherwise.
    """

    kind: LookupKind
    subject: str
    server: str
    result: Result
    reason: str = ""
    temporary: bool = False
    retry_after: timedelta | None = None
    refers_to: str = ""
    first: str = ""
    last: str = ""
    network: str = ""
    holder: str = ""
    country: str = ""
    registry: str = ""
    registrar: str = ""
    managed_by: str = ""
    created: datetime | None = None
    expires: datetime | None = None
    statuses: tuple[str, ...] = ()
    name_servers: tuple[str, ...] = ()
    ds: tuple[str, ...] = ()
    signed: bool | None = None
    addresses: tuple[str, ...] = ()
    mail_hosts: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    contacts: tuple[FoundContact, ...] = ()
    lifetime: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An answer as the store has it: when it was asked for, until when it counts, and the TLP it was asked under.

    Until `fresh_until` nobody asks again; until `stale_until` it is still shown and used while somebody asks again.
    """

    answer: Answer
    asked_at: datetime
    fresh_until: datetime
    stale_until: datetime
    tlp: Tlp


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A look-up that a message asks for, or why it is not made; stored with the message's outcome.

    `tlp` is that of the ticket: no answer is shown to what is less strict. `state` is WAITING, WITHHELD, SKIPPED, or
    ANSWERED where the cache had it. `reason` is for a person ("withheld by TLP:RED"). `not_before` is when it may leave
    at the earliest: some time after the arrival, so that nobody sees when mail comes. `cached` is False where the cache
    had no answer, not even an old one, when it was planned.
    """

    kind: LookupKind
    subject: str
    tlp: Tlp
    state: LookupState
    reason: str = ""
    permission: Permission = Permission.YES
    not_before: datetime | None = None
    cached: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Offline:
    """What local files say about an address or name, without any network: 0 and "" where they say nothing.

    `asn`, `as_name` and `country` come from the ASN file; `owner` and `owner_contact` from the owner table, with
    `owner_note`; `owner_key` is the entry that matched, such as "192.0.2.0/24".
    """

    asn: int = 0
    as_name: str = ""
    country: str = ""
    owner: str = ""
    owner_contact: str = ""
    owner_note: str = ""
    owner_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registrar:
    """A line of the registrar table: how it is found in answers (`name`, lower case), and whom to write to."""

    name: str
    contact: str
    note: str = ""


class ContactKind(StrEnum):
    """What somebody in the directory is."""

    CCTLD = "cctld"
    CSIRT = "csirt"
    NATIONAL_CSIRT = "national-csirt"
    REGISTRAR = "registrar"
    LAW_ENFORCEMENT = "law-enforcement"
    CUSTOMER = "customer"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryEntry:
    """Somebody in the contact directory: the twelve fields of the ccNSO's contact template, and what we add.

    `email` is the address, lower case, and the entry's identity; `domain` is the Internet domain of the organisation.
    Mail from `email`, and from nobody else, is from this contact once it is proven. `country` is two capitals.
    """

    email: str
    kind: ContactKind
    organisation: str
    cctld: str = ""
    representative: str = ""
    country: str = ""
    domain: str = ""
    telephone: str = ""
    emergency_telephone: str = ""
    messengers: str = ""
    facsimile: str = ""
    other_means: str = ""
    language: str = ""
    openpgp_fingerprint: str = ""
    note: str = ""
    updated_at: datetime | None = None
    updated_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrichment:
    """What is known at the moment about one message's subjects, without asking anybody.

    `known` are answers that the cache has, by what was asked; `offline` what local files say, by subject; `reporter`
    is the directory's entry for the address in From, which counts only where that is proven. `subjects` is what the
    message points at, `asked` every question about that which could be asked. `at` is when somebody looked, by which
    answers are fresh or not; None for when the message came.
    """

    known: Mapping[tuple[LookupKind, str], Known] = field(default_factory=dict)
    offline: Mapping[str, Offline] = field(default_factory=dict)
    reporter: DirectoryEntry | None = None
    subjects: tuple[str, ...] = ()
    asked: tuple[tuple[LookupKind, str], ...] = ()
    at: datetime | None = None


NOTHING_KNOWN = Enrichment()
"""Where nobody looked."""
