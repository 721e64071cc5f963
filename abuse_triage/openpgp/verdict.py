"""What the status of one gpg operation proves, and what it does not: statuses in, words out.

Return codes alone say nothing: gpg returns 0 for good signatures of revoked and of expired keys, and 2 for a message
that was opened and is intact but whose signer is unknown. So the statuses decide; the code must then be the one that
they explain.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from abuse_triage.model.openpgp import Failure, Signature
from abuse_triage.openpgp.status import Status, Statuses

_FINAL = {
    "GOODSIG": Signature.GOOD,
    "BADSIG": Signature.BAD,
    "EXPSIG": Signature.EXPIRED_SIGNATURE,
    "EXPKEYSIG": Signature.EXPIRED_KEY,
    "REVKEYSIG": Signature.REVOKED_KEY,
    "ERRSIG": Signature.ERROR,
}
"""For each signature gpg writes exactly one of these."""
_PROVEN = frozenset(["GOODSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG"])
"""Those that come with VALIDSIG: the key made the signature, whatever else is wrong."""
_NO_PUBLIC_KEY = "9"
_DOCUMENT_CLASSES = frozenset(["00", "01"])
"""Signatures of a document and of a text (RFC 9580 section 5.2.1)."""
_BROKEN_HASHES = frozenset(["1", "2", "3"])
"""MD5, SHA-1 and RIPEMD-160 (RFC 9580 section 9.5): two texts with one signature can be made."""
_HIDDEN = "0" * 16
_NO_SESSION_KEY = "pkdecrypt_failed"
_WRONG = ("BADMDC", "DECRYPTION_FAILED", "NODATA", "UNEXPECTED", "BADARMOR")
_LOCKED = frozenset([11, 77, 85, 99, 177])
"""The agent's bad passphrase, no agent, no pinentry, cancelled and fully cancelled (libgpg-error)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What became of the check of a signature.

    `signer` is the fingerprint of the primary key that made it, "" unless its mathematics are right. `issuer` is the
    fingerprint, or the key id, of the key that it names: a claim, by which an unknown key may be looked for.
    `signed_at` is its own claim, proven as the signer's where there is a signer. `reason` says why it is ERROR.
    `signature_id` tells one signed text from all others, "" where there is no signer (see `messages`).
    """

    signature: Signature
    signer: str = ""
    issuer: str = ""
    signed_at: datetime | None = None
    reason: Failure | None = None
    signature_id: str = ""


UNSIGNED = Check(signature=Signature.NONE)
"""Of what has no signature."""


def failed(reason: Failure, issuer: str = "") -> Check:
    """Return the check of a signature that could not be checked."""
    return Check(signature=Signature.ERROR, issuer=issuer, reason=reason)


def signature(statuses: Statuses, code: int) -> Check:
    """Judge the signatures of one operation: good is one GOODSIG with all that belongs to it, and nothing else."""
    finals = statuses.of(*_FINAL)
    count = statuses.count("NEWSIG")
    if max(count, len(finals)) > 1:
        return Check(signature=Signature.MIXED)
    if not count and not finals and not statuses.count("VALIDSIG"):
        return failed(Failure.MALFORMED) if _complaints(statuses) else UNSIGNED
    if count != 1 or len(finals) != 1 or _complaints(statuses):
        return failed(Failure.UNTRUSTED_OUTPUT)
    final, valid = finals[0], statuses.of("VALIDSIG")
    if not _explained(statuses, code) or len(valid) != (final.keyword in _PROVEN):
        return failed(Failure.UNTRUSTED_OUTPUT)
    return _proven(final, valid[0]) if valid else _unproven(final)


def _proven(final: Status, valid: Status) -> Check:
    made_by, _, made_at, _, _, _, _, hashing, kind, primary = valid.arguments
    if kind not in _DOCUMENT_CLASSES or final.arguments[0] not in {made_by, made_by[-16:]}:
        return failed(Failure.UNTRUSTED_OUTPUT)
    if hashing in _BROKEN_HASHES:
        return failed(Failure.NOT_INTACT, made_by)
    return Check(signature=_FINAL[final.keyword], signer=primary, issuer=made_by, signed_at=_time(made_at))


def _unproven(final: Status) -> Check:
    if final.keyword == "BADSIG":
        return Check(signature=Signature.BAD, issuer=final.arguments[0])
    key_id, _, _, _, made_at, reason, made_by = final.arguments
    issuer = made_by.strip("-") or key_id
    if reason != _NO_PUBLIC_KEY:
        return failed(Failure.MALFORMED, issuer)
    return Check(signature=Signature.UNKNOWN_KEY, issuer=issuer, signed_at=_time(made_at))


def decryption(statuses: Statuses, code: int) -> Failure | None:
    """Say why the output of a decryption must be thrown away, or None where its integrity is proven.

    Proof is exactly one decryption of exactly one plaintext, with DECRYPTION_OKAY and GOODMDC and without any
    complaint; the presence of these, never the absence of the opposite.
    """
    if not statuses.lines:
        return Failure.ENGINE
    if statuses.count("BEGIN_DECRYPTION") > 1 or statuses.count("PLAINTEXT") > 1:
        return Failure.SEVERAL
    proven = all(
        statuses.count(keyword) == 1
        for keyword in ("BEGIN_DECRYPTION", "PLAINTEXT", "DECRYPTION_OKAY", "GOODMDC", "END_DECRYPTION")
    )
    if not proven or _complaints(statuses):
        return _reason(statuses)
    return None if _explained(statuses, code) else Failure.UNTRUSTED_OUTPUT


def _reason(statuses: Statuses) -> Failure:
    if statuses.count("DECRYPTION_INFO"):  # there was a session key
        return Failure.NOT_INTACT
    errors = [line.arguments[1] for line in statuses.of("ERROR") if line.arguments[0] == _NO_SESSION_KEY]
    if any(map(_is_locked, errors)):
        return Failure.ENGINE
    return Failure.NO_SECRET_KEY if statuses.count("NO_SECKEY") and not errors else Failure.MALFORMED


def _complaints(statuses: Statuses) -> int:
    """Count what must not be there; that one of several session keys is none of ours, or is broken, may be."""
    errors = sum(line.arguments[0] != _NO_SESSION_KEY for line in statuses.of("ERROR"))
    return errors + statuses.count(*_WRONG)


def _explained(statuses: Statuses, code: int) -> bool:
    """Return whether the return code is the one that the statuses lead to.

    A signature that cannot be checked makes it 2, and so does a hidden recipient who is not us or a key that is locked;
    a bad or expired signature makes it 1.
    """
    if code == 0:
        return not statuses.count("BADSIG", "ERRSIG")
    if code == 1:
        return bool(statuses.count("BADSIG", "EXPSIG"))
    hidden = any(line.arguments[0] == _HIDDEN for line in statuses.of("NO_SECKEY"))
    return code == 2 and (hidden or bool(statuses.count("ERRSIG", "ERROR")))


def _is_locked(code: str) -> bool:
    number = code.partition("_")[0]
    return number.isdigit() and int(number) & 0xFFFF in _LOCKED


def _time(seconds: str) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)
