"""A message as it came in, and as it was decoded."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Channel(StrEnum):
    """How a message reached us."""

    SMTP = "smtp"
    LMTP = "lmtp"
    IMAP = "imap"
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Who handed us a message, for whom (RFC 5321 section 2.3.1).

    `sender` is the reverse-path without angle brackets, "" for the null reverse-path. `recipients` are configured
    mailboxes in lower case, at least one. `details` are what stood behind the "+" of the addresses that were written
    to (RFC 5233), at most 64 characters each. `peer` is the client's IP address, "" where there was none.
    """

    sender: str
    recipients: tuple[str, ...]
    channel: Channel
    peer: str = ""
    helo: str = ""
    tls: bool = False
    details: tuple[str, ...] = ()


NO_RESULT = "none"
"""The result of a method that was not tried, or that nobody we believe speaks of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    """What is proven about the sender of a message.

    `spf`, `dkim` and `dmarc` are result words in lower case (RFC 8601 section 2.7): "pass", "fail", "softfail",
    "neutral", "none", "policy", "temperror" and "permerror". `spf_aligned` and `dkim_aligned` say whether what passed
    belongs to the same organisation as the domain in From (RFC 7489 section 3.1, relaxed). `over_own_list` says that
    the message is proven to come from a host of a list of our own, which may have broken what DMARC needs.
    """

    spf: str = NO_RESULT
    dkim: str = NO_RESULT
    dmarc: str = NO_RESULT
    spf_aligned: bool = False
    dkim_aligned: bool = False
    over_own_list: bool = False

    @property
    def aligned(self) -> bool:
        """Whether the domain in From is proven."""
        return self.dmarc == "pass" or self.spf_aligned or self.dkim_aligned

    @property
    def forged(self) -> bool:
        """Whether the owner of the domain disowns the message: SPF or DMARC failed, and no aligned signature holds.

        Over a list of our own that tells nothing: the list changed the message, and sent it from its own host.
        """
        return (
            not self.over_own_list
            and not self.dkim_aligned
            and self.dmarc != "pass"
            and "fail" in (self.spf, self.dmarc)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A raw message with its envelope, ready to be made durable.

    `id` sorts by time of arrival and is ours; `raw` is byte for byte what came in; `truncated` says that only the
    beginning was kept because the message was over the size limit.
    """

    id: str
    received_at: datetime
    envelope: Envelope
    raw: bytes
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Header:
    """One header field: name in lower case, value decoded (RFC 2047), unfolded, free of control characters."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox from a header: `email` in lower case with its domain, or "" where there was none to find."""

    name: str
    email: str

    @property
    def domain(self) -> str:
        """The part behind the last "@"."""
        return self.email.rpartition("@")[2]


class Place(StrEnum):
    """Where in a message something stood."""

    HEADER = "header"
    BODY = "body"
    QUOTED = "quoted"
    ATTACHMENT = "attachment"
    FORWARDED = "forwarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One leaf of the MIME tree, or the start of an embedded message.

    `path` counts from 1 as in IMAP ("2.1"). `content_type` is what the sender declared, lower case; `detected_type`
    is what the first bytes say, "" where they say nothing. `size` is in bytes after transfer decoding, `sha256` is of
    those bytes. `text` is the decoded text of text parts (HTML already turned to text), None of all others. `hrefs` are
    the targets of links in HTML. `headers` are filled for message/rfc822 only: those of the embedded message. `twin` is
    True for the text of a multipart/alternative that says again what a plain text before it says (RFC 2046, 5.1.4).
    """

    path: str
    content_type: str
    size: int
    sha256: str
    place: Place
    filename: str = ""
    detected_type: str = ""
    charset: str = ""
    text: str | None = None
    hrefs: tuple[str, ...] = ()
    headers: tuple[Header, ...] = ()
    twin: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A decoded message: what the sender wrote, as far as it could be read.

    `senders` are the mailboxes of From, `reply_to` of Reply-To. `message_id`, `in_reply_to` and `references` are bare
    ids without angle brackets, in order and without repetitions. `date` is aware, None where absent or nonsense.
    `params` are the parameters of the top-level Content-Type, names in lower case. `defects` and `limits` name, for a
    person, what was odd and which limit cut something off.
    """

    headers: tuple[Header, ...]
    subject: str
    senders: tuple[Address, ...]
    reply_to: tuple[Address, ...]
    message_id: str
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    date: datetime | None
    content_type: str
    params: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]
    defects: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()

    def header(self, name: str) -> str:
        """Return the first value of a header field, "" where there is none; `name` in lower case."""
        return next(self.all(name), "")

    def all(self, name: str) -> Iterator[str]:
        """Yield every value of a header field in order; `name` in lower case."""
        return (header.value for header in self.headers if header.name == name)
