"""What is shown of somebody else's OpenPGP key, and which keys are of no use."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from abuse_triage.cli.output import moment
from abuse_triage.errors import InputError
from abuse_triage.model.openpgp import Certificate, KeyOrigin, KnownKey
from abuse_triage.model.settings import Settings

ADDRESS = re.compile(r"[a-z0-9._+=/-]{1,64}@[a-z0-9.-]{1,253}")
"""An address in lower case that a key may belong to."""
COMPARE = "Compare it by telephone or on paper with its owner: nothing that came by mail proves it."
_HOW = {
    KeyOrigin.OPERATOR: "added by",
    KeyOrigin.ATTACHED: "came with a report",
    KeyOrigin.WKD: "published by its domain",
}


def refuse_unusable(certificate: Certificate, settings: Settings, now: datetime) -> None:
    """Raise `InputError` for the team's own key, and for one that was revoked or has expired."""
    if certificate.fingerprint == settings.team.openpgp_fingerprint:
        raise InputError("this is the team's own key", advice="It needs no entry here.")
    if certificate.revoked:
        raise InputError(f"{certificate.fingerprint} was revoked", advice="Ask its owner for the new key.")
    if certificate.expires is not None and certificate.expires <= now:
        raise InputError(
            f"{certificate.fingerprint} {_when(certificate.expires, settings, now)}",
            advice="Ask its owner for a copy with a new end; the key itself may stay the same.",
        )


def described(certificate: Certificate, settings: Settings) -> Iterator[tuple[str, str]]:
    """Give the names and values that a person compares, for `fields`."""
    digits = certificate.fingerprint
    yield "Fingerprint", " ".join(digits[start : start + 4] for start in range(0, 40, 4))
    for name in certificate.names:
        yield "It says", name
    yield "Made", moment(certificate.created, settings.team.timezone)
    yield "Expires", end_of(certificate, settings, datetime.now(UTC))
    yield "Answers", "can be encrypted to it" if certificate.can_encrypt else "cannot be encrypted to it"


def plain(known: KnownKey) -> dict[str, object]:
    """Give what JSON shows of a key: all but its bytes."""
    certificate = known.certificate
    return {
        "fingerprint": certificate.fingerprint,
        "names": certificate.names,
        "emails": certificate.emails,
        "created": certificate.created,
        "expires": certificate.expires,
        "revoked": certificate.revoked,
        "can_encrypt": certificate.can_encrypt,
        "origin": known.origin,
        "addresses": known.addresses,
        "note": known.note,
        "added_at": known.added_at,
        "added_by": known.added_by,
    }


def how(known: KnownKey) -> str:
    """Say how a key came."""
    by = f" {known.added_by}" if known.added_by else ""
    return f"{_HOW[known.origin]}{by}"


def end_of(certificate: Certificate, settings: Settings, now: datetime) -> str:
    """Say when a key ends, or that it has ended."""
    if certificate.revoked:
        return "REVOKED"
    if certificate.expires is None:
        return "never"
    return ("EXPIRED " if certificate.expires <= now else "") + moment(certificate.expires, settings.team.timezone)


def _when(end: datetime, settings: Settings, now: datetime) -> str:
    return f"{'expired' if end <= now else 'expires'} on {moment(end, settings.team.timezone)}"
