"""OpenPGP certificates as rows: one of its own, and one for each key and each address in it."""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from abuse_triage.model.openpgp import Certificate, KeyOrigin, KnownKey
from abuse_triage.store.sqlite.columns import clean_json, moment, time_of
from abuse_triage.store.sqlite.connection import Connection

_READ = """
SELECT fingerprint, origin, names, created, expires, revoked, can_encrypt, note, added_at, added_by, blob
FROM certificates WHERE id = ?
"""
_KEY_IDS = "SELECT key_id FROM certificate_keys WHERE certificate_id = ? ORDER BY id"
_ADDRESSES = "SELECT address, said FROM certificate_addresses WHERE certificate_id = ? ORDER BY id"
_WRITE = """
INSERT INTO certificates (fingerprint, origin, names, created, expires, revoked, can_encrypt, note, added_at, added_by,
    blob)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_WRITE_KEY_ID = "INSERT INTO certificate_keys (certificate_id, key_id) VALUES (?, ?) ON CONFLICT DO NOTHING"
_WRITE_ADDRESS = """
INSERT INTO certificate_addresses (certificate_id, address, said) VALUES (?, ?, ?) ON CONFLICT DO NOTHING
"""


def stored_key(db: Connection, fingerprint: str) -> KnownKey | None:
    """Return the certificate with a whole fingerprint, None where it is not there; inside of a transaction."""
    row = db.one("SELECT id FROM certificates WHERE fingerprint = ?", fingerprint)
    return read_key(db, row[0]) if row else None


def read_key(db: Connection, row_id: int) -> KnownKey:
    """Return the certificate in a row that is there; inside of a transaction."""
    row: Any = db.one(_READ, row_id)
    fingerprint, origin, names, created, expires, revoked, can_encrypt, note, added_at, added_by, blob = row
    addresses = db.all(_ADDRESSES, row_id)
    return KnownKey(
        certificate=Certificate(
            fingerprint=fingerprint,
            key_ids=tuple(key_id for (key_id,) in db.all(_KEY_IDS, row_id)),
            names=tuple(json.loads(names)),
            emails=tuple(address for address, said in addresses if not said),
            blob=blob,
            created=time_of(created),
            expires=expires and time_of(expires),
            revoked=bool(revoked),
            can_encrypt=bool(can_encrypt),
        ),
        origin=KeyOrigin(origin),
        addresses=tuple(address for address, said in addresses if said),
        note=note,
        added_at=time_of(added_at),
        added_by=added_by,
    )


def revoked_by(known: KnownKey, copy: Certificate) -> KnownKey | None:
    """Return a stored key as a copy of it leaves it that its owner has revoked; None where that is nothing new.

    Whoever brings the copy, the key itself has signed the revocation: it is believed, and all else stays.
    """
    return replace(known, certificate=copy) if copy.revoked and not known.certificate.revoked else None


def write_key(db: Connection, key: KnownKey) -> None:
    """Store a certificate in place of any with its fingerprint; inside of a transaction."""
    found = key.certificate
    db.run("DELETE FROM certificates WHERE fingerprint = ?", found.fingerprint)
    row_id = db.add(
        *(_WRITE, found.fingerprint, key.origin.value, clean_json(json.dumps(found.names)), moment(found.created)),
        *(moment(found.expires) if found.expires else None, int(found.revoked), int(found.can_encrypt)),
        *(key.note, moment(key.added_at), key.added_by, found.blob),
    )
    db.run_many(_WRITE_KEY_ID, [(row_id, key_id) for key_id in found.key_ids])
    db.run_many(_WRITE_ADDRESS, [(row_id, address, said) for address, said in _addresses(key)])


def _addresses(key: KnownKey) -> Iterable[tuple[str, int]]:
    yield from ((address, 1) for address in key.addresses)
    yield from ((address, 0) for address in key.certificate.emails)
