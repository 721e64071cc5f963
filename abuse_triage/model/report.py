"""What a message says: the report, its indicators and its markings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from pydantic import Base64Bytes

from abuse_triage.model.decision import Tlp
from abuse_triage.model.message import Address, Header, Place
from abuse_triage.model.openpgp import UNPROTECTED, Certificate, Headers, Layer, Protection

SCHEMA = 1
"""Version of the JSON shape of a stored `Reading`; raised with every change that old rows do not follow."""


class Kind(StrEnum):
    """What an indicator is."""

    DOMAIN = "domain"
    IPV4 = "ipv4"
    IPV6 = "ipv6"
    URL = "url"
    EMAIL = "email"


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """Something a report points at, refanged and normalised.

    `value` is canonical: lower-case A-labels for names, the compressed form for addresses, URLs with scheme and host in
    lower case and the path untouched. `seen` is how it stood in the text, at most 500 characters. `host` is the host of
    a URL or e-mail address (an IP address or a name), "" for the others. `registrable` is the name below the public
    suffix, "" where there is none. `places` lists where it stood, in the order of `Place`, without repetitions.
    """

    kind: Kind
    value: str
    seen: str
    places: tuple[Place, ...]
    host: str = ""
    registrable: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Why an indicator is ours, or in which special range it lies.

    `ours` is True for the constituency; `asn` is our autonomous system, 0 where it is not in one; `name_server` the
    name of the name server at exactly this address, "" if none; `registry` the top-level or configured domain under
    which the name lies, "" if none; `special` names the IANA special-purpose range, "" if none; `reason` is one line
    for a person, such as "185.39.208.1: a.dns.pt, AS199993".
    """

    ours: bool
    reason: str
    asn: int = 0
    name_server: str = ""
    registry: str = ""
    special: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marking:
    """A TLP marking that stood in the message, as it was spelled (FIRST TLP 2.0)."""

    tlp: Tlp
    seen: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A part that is not the message's own text: name as given (never used as a path), types, bytes and hash."""

    name: str
    content_type: str
    detected_type: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One message read as a report.

    `format` is the name of the reader that took it ("arf", "plain", "unreadable"), `reason` why it did. `type` is what
    the format itself calls the kind of abuse, "" where it does not say. `fields` are the format's own fields, names in
    lower case, multi-valued ones repeated. `text` is all readable text, `new_text` what is left without quoted lines
    and the signature; both at most `limits.text` characters. `language` is "pt", "en" or "".
    """

    format: str
    reason: str
    text: str
    new_text: str
    language: str
    type: str = ""
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Everything that the reader process found in one message; all of it is the sender's claim, none of it is proven.

    `fingerprint` is a hash of subject, text and attachments, equal for the same content sent twice. `omitted` counts
    the indicators beyond the limit. `part_types` are the content types of its own parts in order, without those of
    embedded messages. `returned` are the Message-IDs of the mails that a delivery report (RFC 3464) says failed for
    good, bare, at most 10. `readable` is False where decoding gave up and only the raw message is left. `keys` are the
    OpenPGP certificates that were attached, at most 4 of at most 64,000 bytes, as they came (in base64 in JSON).
    `protected` is what protected headers say of the others, `only_sender` whether From holds exactly one address.

    `layers` are the pieces of OpenPGP in it, at most 10: the one that is the whole message first, and those that lie
    deeper, alone or inside a MIME_SIGNED one. Of a MIME_SIGNED message everything here comes from the signed part and
    the fields outside; of an encrypted one, only the fields outside are read. In the Reading of a message that was
    opened, `layers` is what its plaintext is as a whole, and nothing else: () or one MIME_SIGNED, whose offsets point
    into the plaintext of the encrypted layer, not into the raw message; only its signed part was read then. What is
    encrypted inside of that is not opened, and `defects` says so.
    """

    headers: tuple[Header, ...]
    subject: str
    sender: Address
    message_id: str
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    date: datetime | None
    content_type: str
    report: Report
    indicators: tuple[Indicator, ...]
    markings: tuple[Marking, ...]
    attachments: tuple[Attachment, ...]
    fingerprint: str
    part_types: tuple[str, ...] = ()
    returned: tuple[str, ...] = ()
    layers: tuple[Layer, ...] = ()
    keys: tuple[Base64Bytes, ...] = ()
    protected: Headers = Headers.NONE
    only_sender: bool = True
    omitted: int = 0
    readable: bool = True
    defects: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    schema: int = field(default=SCHEMA)

    def header(self, name: str) -> str:
        """Return the first value of a header field, "" where there is none; `name` in lower case."""
        return next((header.value for header in self.headers if header.name == name), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What OpenPGP adds to the `Reading` of a message.

    `reading` is that of the plaintext, None where nothing was encrypted or could be decrypted. `offered` are the
    certificates that came in clear. `reply_keys` name, by address, the fingerprint of a key that an answer to that
    address can be encrypted to.
    """

    protection: Protection = UNPROTECTED
    reading: Reading | None = None
    offered: tuple[Certificate, ...] = ()
    reply_keys: Mapping[str, str] = field(default_factory=dict)


NOT_OPENED = Opened()
"""Of a message without OpenPGP."""
