"""Certificates that came with messages: strangers' claims, so few of them are kept, and none touches another's."""

from collections.abc import Sequence
from datetime import datetime

from abuse_triage.model.openpgp import Certificate, KeyOrigin, KnownKey
from abuse_triage.store.sqlite.certificates import revoked_by, stored_key, write_key
from abuse_triage.store.sqlite.connection import Connection

OFFERED_PER_ADDRESS = 5
"""Certificates with one address that are kept, so that whoever writes a name into many does not push out all others."""

_FORGET_OF_ADDRESS = """
DELETE FROM certificates WHERE id IN (
    SELECT certificate_id FROM certificate_addresses JOIN certificates ON certificates.id = certificate_id
    WHERE address = ? AND NOT said AND origin = 'attached' ORDER BY certificate_id DESC LIMIT -1 OFFSET ?
)
"""
_FORGET = """
DELETE FROM certificates WHERE id IN (
    SELECT id FROM certificates WHERE origin = 'attached' ORDER BY id DESC LIMIT -1 OFFSET ?
)
"""


def offer(db: Connection, offered: Sequence[Certificate], *, message_id: str, at: datetime, most: int) -> None:
    """Keep certificates that came with a message, at most `most` in all; inside of a transaction.

    What the operator added or a domain publishes stays as it is, but for a copy that its owner has revoked. A later
    copy of one that was offered replaces that, but for the copy of a revoked one that hides the revocation. Where there
    are too many, with one address or in all, those that were stored first make room: whoever still writes brings his
    own again.
    """
    for certificate in offered:
        known = stored_key(db, certificate.fingerprint)
        if known and known.origin is not KeyOrigin.ATTACHED:
            if revoked := revoked_by(known, certificate):
                write_key(db, revoked)
            continue
        if known and not _replaces(certificate, known.certificate):
            continue
        write_key(
            db,
            KnownKey(certificate=certificate, origin=KeyOrigin.ATTACHED, added_at=at, added_by=f"message {message_id}"),
        )
        for address in certificate.emails:
            db.run(_FORGET_OF_ADDRESS, address, OFFERED_PER_ADDRESS)
        db.run(_FORGET, most)


def _replaces(offered: Certificate, known: Certificate) -> bool:
    return known != offered and (offered.revoked or not known.revoked)
