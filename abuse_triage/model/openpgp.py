"""OpenPGP in a message: where it lies, what was proven, and the keys that we know."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Form(StrEnum):
    """How OpenPGP is wrapped in a message."""

    MIME_ENCRYPTED = "pgp-mime-encrypted"
    """multipart/encrypted at the root (RFC 3156 section 4)."""
    MIME_SIGNED = "pgp-mime-signed"
    """multipart/signed at the root (RFC 3156 section 5)."""
    INLINE_ENCRYPTED = "inline-encrypted"
    """An armoured message that is the whole text of a message without parts."""
    INLINE_SIGNED = "inline-signed"
    """A cleartext-signed block that is the whole text of a message without parts (RFC 9580 section 7)."""
    DEEPER = "deeper"
    """A ciphertext that is not the whole of the message: an attachment, a part, a block between other text."""


class Encoding(StrEnum):
    """How the bytes of a span are transferred."""

    NONE = "7bit"
    BASE64 = "base64"
    QUOTED_PRINTABLE = "quoted-printable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Where something lies in the raw bytes: from `start` to before `end`, transferred as `encoding`."""

    start: int
    end: int
    encoding: Encoding = Encoding.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One piece of OpenPGP in a message.

    `body` is the ciphertext, the cleartext-signed block, or of MIME_SIGNED the first part as it was signed, with its
    header and without the line end before the boundary. `signature` is that of MIME_SIGNED. `part` is what the
    plaintext stands in the place of, for DEEPER: the whole part with its header, or the block in the text. `charset` is
    the declared one of a text, "" where there is none. `repaired` names what a mail system had broken, "" for nothing.
    """

    form: Form
    body: Span
    signature: Span | None = None
    part: Span | None = None
    charset: str = ""
    repaired: str = ""


class Encrypted(StrEnum):
    """Whether a message was encrypted, and could be opened."""

    NO = "no"
    YES = "yes"
    FAILED = "failed"


class Signature(StrEnum):
    """What became of the check of the signature."""

    NONE = "none"
    GOOD = "good"
    BAD = "bad"
    EXPIRED_SIGNATURE = "expired-signature"
    EXPIRED_KEY = "expired-key"
    REVOKED_KEY = "revoked-key"
    UNKNOWN_KEY = "unknown-key"
    MIXED = "mixed"
    """More than one signature."""
    ERROR = "error"


class Source(StrEnum):
    """How we know a key; the first two are the operator's word, the others nobody's."""

    PINNED = "pinned"
    """The operator says to which addresses it belongs, and From is one of them."""
    RING = "ring"
    """The operator has added it, for other addresses."""
    ATTACHED = "attached"
    """It came with a report."""
    WKD = "wkd"
    """Its domain publishes it (Web Key Directory)."""
    NONE = ""


class Headers(StrEnum):
    """What protected headers (RFC 9788) say of those outside."""

    NONE = "none"
    MATCH = "match"
    MISMATCH = "mismatch"


class Failure(StrEnum):
    """Why something could not be decrypted or checked; what to do about each stands in docs/openpgp.md."""

    NO_SECRET_KEY = "no secret key"  # noqa: S105 -- words, no password
    NOT_CONFIGURED = "no key is configured"
    NOT_INTACT = "integrity not proven"
    MALFORMED = "malformed"
    TOO_LARGE = "too large"
    TOO_LONG = "took too long"
    TOO_MANY_KEYS = "encrypted to too many keys"
    PASSWORD = "encrypted with a password"  # noqa: S105 -- words, no password
    NOT_ENCRYPTED = "not encrypted at all"
    SEVERAL = "several messages in one"
    UNREADABLE = "its text cannot be read"
    UNTRUSTED_OUTPUT = "gpg said something that makes no sense"
    ENGINE = "gpg does not work"


_ASK_AGAIN = "Ask the sender for it again, encrypted with a usual program."
ADVICE: Mapping[Failure, str] = {
    Failure.NO_SECRET_KEY: "It is encrypted to another key: ask the sender to use the key that you publish, or bring"
    " in a retired one with `key import-secret` and open it with `message show --text`.",
    Failure.NOT_CONFIGURED: "Make a key with `key generate`, or bring yours in with `key import-secret`.",
    Failure.NOT_INTACT: "It was changed on the way, or its program proves no integrity (MDC, AEAD): nothing of it is"
    f" used. {_ASK_AGAIN}",
    Failure.MALFORMED: _ASK_AGAIN,
    Failure.TOO_LARGE: "What it holds is larger than openpgp.max_output, or a bomb. Ask for it in smaller pieces.",
    Failure.TOO_LONG: "It took longer than openpgp.timeout or openpgp.cpu; this may be an attack.",
    Failure.TOO_MANY_KEYS: "It names more keys than openpgp.max_recipients; this may be an attack.",
    Failure.PASSWORD: "Ask the sender to encrypt it to your key; nobody should send passwords by mail.",
    Failure.NOT_ENCRYPTED: "It only looks encrypted: look at it with `message show --raw`.",
    Failure.SEVERAL: "There is more than one OpenPGP message in the place of one; this may be an attack.",
    Failure.UNREADABLE: "What is inside made the reader fail, or took it longer than triage.deadline; this may be an"
    " attack. Decrypt it by hand, on a machine that holds nothing else.",
    Failure.UNTRUSTED_OUTPUT: "Nothing of it is used; please report it, without the message.",
    Failure.ENGINE: "Run `abuse-triage check-config`.",
}
"""What a handler or operator does about each failure."""


_COMPARE = "compare the fingerprint with its owner, then `key add`"
SIGNATURE_ADVICE: Mapping[Signature, str] = {
    Signature.BAD: "Ask the sender to send it again: it was changed, or it is not his.",
    Signature.EXPIRED_SIGNATURE: "Ask the sender whether it still holds.",
    Signature.EXPIRED_KEY: "Ask for a copy of the key with a new end, then `key add`.",
    Signature.REVOKED_KEY: "Anybody may have this key: ask its owner for the new one.",
    Signature.UNKNOWN_KEY: f"Ask the sender for the key, {_COMPARE}.",
    Signature.MIXED: "Nobody can say whose message it is: ask the sender.",
}
"""What a handler or operator does about each signature that does not count."""


def signature_advice(signature: Signature, source: Source, signer: str) -> str:
    """Say what to do about a signature that does not count, "" for nothing; `signer` is the fingerprint of its key."""
    if signature is Signature.GOOD and source in {Source.ATTACHED, Source.WKD}:
        return (
            f"If it should count, compare the fingerprint with its owner (`key show {signer}`),"
            f" then `key add {signer} --address ADDRESS`."
        )
    return SIGNATURE_ADVICE.get(signature, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """What OpenPGP proves about one message; from a closed vocabulary, so that all of it may be stored and shown.

    `form` is "" where there is no OpenPGP in it. `reason` says why `encrypted` is FAILED, or `signature` ERROR.
    `signer` is the fingerprint of the signer's primary key, 40 upper-case hexadecimal digits, "" where none is proven.
    `signed_at` is the signature's own claim. `from_match` says whether the operator vouches that the key belongs to the
    only address in From. `replayed` says that the same signature or ciphertext came before in another message.
    `signature_id` is a hash that tells one signature or ciphertext from all others, "" for none.
    """

    form: Form | None = None
    encrypted: Encrypted = Encrypted.NO
    reason: Failure | None = None
    signature: Signature = Signature.NONE
    signer: str = ""
    source: Source = Source.NONE
    signed_at: datetime | None = None
    from_match: bool = False
    headers: Headers = Headers.NONE
    replayed: bool = False
    fresh: bool = False
    """Whether the signature was made near the time at which the message says it was written."""
    signature_id: str = ""

    @property
    def verified(self) -> bool:
        """Whether the person in From is proven to have written all of it: every condition holds, or it is not."""
        return (
            self.form is not None
            and self.form is not Form.DEEPER
            and self.encrypted is not Encrypted.FAILED
            and not self._wraps
            and self.signature is Signature.GOOD
            and self.source is Source.PINNED
            and self.from_match
            and self.headers is not Headers.MISMATCH
            and self.fresh
            and not self.replayed
        )

    @property
    def _wraps(self) -> bool:
        """Whether a signature is around something encrypted: who made it may have stolen that, and not know it."""
        return self.form is Form.MIME_SIGNED and self.encrypted is not Encrypted.NO

    @property
    def sealed(self) -> bool:
        """Whether anything in it was encrypted: then nothing of what it says is stored in clear, or told to anybody."""
        return self.encrypted is not Encrypted.NO

    @property
    def words(self) -> str:
        """Say all of it in one line for a person, "" where there is no OpenPGP."""
        if self.form is None:
            return ""
        said = {Encrypted.NO: [], Encrypted.YES: ["encrypted"], Encrypted.FAILED: ["could not be decrypted"]}
        found = said[self.encrypted]
        if self.encrypted is Encrypted.FAILED and self.reason:
            found[0] += f": {self.reason}"
        if (self.form is Form.DEEPER or self._wraps) and self.encrypted is Encrypted.YES:
            found[0] += " in part"
        if self.verified:
            return ", ".join([*found, "signed and verified"])
        if self.signature is Signature.GOOD:
            doubts = [
                doubt
                for holds, doubt in (
                    (self.encrypted is Encrypted.FAILED, "not all of it was read"),
                    (self._wraps and self.encrypted is Encrypted.YES, "the signature is around what was encrypted"),
                    (self.source is not Source.PINNED, f"key not pinned{f' ({self.source})' if self.source else ''}"),
                    (not self.from_match, "signer is not From"),
                    (self.headers is Headers.MISMATCH, "headers differ"),
                    (not self.fresh, "signature not of the time of the message"),
                    (self.replayed, "seen before in another message"),
                )
                if holds
            ]
            return ", ".join([*found, f"signed, not verified: {'; '.join(doubts)}"])
        again = ["seen before in another message"] if self.replayed else []
        if self.signature is not Signature.NONE:
            why = f" ({self.reason})" if self.signature is Signature.ERROR and self.reason else ""
            return ", ".join([*found, f"signature: {self.signature}{why}", *again])
        return ", ".join([*found, "not signed", *again])


UNPROTECTED = Protection()
"""Of a message without OpenPGP."""


class KeyOrigin(StrEnum):
    """How a stored key came to us."""

    OPERATOR = "operator"
    WKD = "wkd"
    ATTACHED = "attached"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """An OpenPGP certificate (a public key with its names) of somebody else, as it was inspected once.

    `fingerprint` is that of the primary key; `key_ids` are the 16 upper-case hexadecimal digits of it and of each
    subkey, by which a signature or ciphertext names its key. `names` are at most 10 user ids, control characters
    removed: a stranger's claim. `emails` are the addresses in them, lower case. `blob` is the certificate in binary
    form, own signatures only. `expires` is None for never. `can_encrypt` says that it had a valid key for that when
    it was inspected.
    """

    fingerprint: str
    key_ids: tuple[str, ...]
    names: tuple[str, ...]
    emails: tuple[str, ...]
    blob: bytes
    created: datetime
    expires: datetime | None = None
    revoked: bool = False
    can_encrypt: bool = False

    def usable(self, now: datetime) -> bool:
        """Whether something can be encrypted to it at a time."""
        return self.can_encrypt and not self.revoked and (self.expires is None or self.expires > now)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownKey:
    """A certificate in the store: how it came, and the addresses that the operator says it belongs to, lower case."""

    certificate: Certificate
    origin: KeyOrigin
    addresses: tuple[str, ...] = ()
    note: str = ""
    added_at: datetime
    added_by: str
