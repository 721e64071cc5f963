"""The OpenPGP certificates of others: added, removed, and found by fingerprint, address and key id."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from abuse_triage.errors import InputError, NotFoundError
from abuse_triage.model.openpgp import KeyOrigin, KnownKey
from abuse_triage.store.sqlite.certificates import read_key, revoked_by, stored_key, write_key
from abuse_triage.store.sqlite.columns import moment
from abuse_triage.store.sqlite.connection import Connected, Connection
from abuse_triage.store.sqlite.signatures import seen_elsewhere

CANDIDATES = 20
"""Certificates that one look-up for a message returns at most: strangers may make as many as they like."""

_KEY_ID_DIGITS = 16
_SHOWN = 60
_FINGERPRINT_PART = re.compile(r"[0-9A-F]{1,64}")
_RANK = {KeyOrigin.ATTACHED: 0, KeyOrigin.WKD: 1, KeyOrigin.OPERATOR: 2}

_BEST_FIRST = "CASE origin WHEN 'operator' THEN 0 WHEN 'wkd' THEN 1 ELSE 2 END"
# What an operator added speaks for the addresses that he said, whatever else its names claim. A domain that publishes
# a key is heard about the address that it was asked for; what else the names in it claim counts no more than others'.
_OF_ADDRESS = f"""
SELECT certificate_id FROM certificate_addresses JOIN certificates ON certificates.id = certificate_id
WHERE address = ? AND (said OR origin <> 'operator')
GROUP BY certificate_id
ORDER BY CASE WHEN max (said) THEN {_BEST_FIRST} ELSE 2 END, certificate_id DESC LIMIT {CANDIDATES}
"""  # noqa: S608 - constants only
_WITH_KEY_IDS = f"""
SELECT DISTINCT certificate_id, {_BEST_FIRST} AS rank
FROM certificate_keys JOIN certificates ON certificates.id = certificate_id
WHERE key_id IN (SELECT value FROM json_each (?))
ORDER BY rank, certificate_id DESC LIMIT {CANDIDATES}
"""  # noqa: S608 - constants only
_EXPIRING = """
SELECT id FROM certificates WHERE origin = 'operator' AND expires IS NOT NULL AND expires < ? ORDER BY expires, id
"""
# Walks through the index over fingerprints: 10,000 of them take a millisecond, and only people ask.
_ENDING = """
SELECT id, fingerprint FROM certificates
WHERE substr (fingerprint, -?) = ? LIMIT 4
"""


class Keys(Connected):
    """Looking after certificates."""

    def add_key(self, key: KnownKey) -> None:
        """Keep a certificate in place of an earlier copy; one that was offered becomes whose it is now.

        Nothing changes where the one that is there came in a better way: what a domain publishes does not replace what
        the operator has added, unless its owner has revoked it. A copy from before a revocation takes nothing back.
        """
        with self._db.writing():
            known = stored_key(self._db, key.certificate.fingerprint)
            if known is None:
                write_key(self._db, key)
            elif _RANK[key.origin] >= _RANK[known.origin]:
                old = known.certificate.revoked and not key.certificate.revoked
                write_key(self._db, replace(key, certificate=known.certificate) if old else key)
            elif revoked := revoked_by(known, key.certificate):
                write_key(self._db, revoked)

    def remove_key(self, fingerprint: str) -> None:
        """Forget a certificate; raises `NotFoundError`, or `InputError` where several end like this."""
        with self._db.writing():
            self._db.run("DELETE FROM certificates WHERE id = ?", _resolve(self._db, fingerprint))

    def known_keys(self, origins: Sequence[KeyOrigin] = (), limit: int = 100) -> list[KnownKey]:
        """List certificates, stored last first; () means however they came."""
        among = f"origin IN ({', '.join('?' * len(origins))})" if origins else "TRUE"
        sql = f"SELECT id FROM certificates WHERE {among} ORDER BY id DESC LIMIT ?"  # noqa: S608 - placeholders only
        return self._listed(sql, *origins, limit)

    def known_key(self, fingerprint: str) -> KnownKey:
        """Return a certificate by its fingerprint or the end of it, written with blanks or without, in either case.

        Raises `NotFoundError`, and `InputError` where several end like this.
        """
        with self._db.reading():
            return read_key(self._db, _resolve(self._db, fingerprint))

    def keys_of(self, address: str) -> list[KnownKey]:
        """List the certificates that may speak for an address, at most `CANDIDATES`, in this order.

        First the operator's that he says belong to it, then those of WKD that were found under it, then whatever else
        names it and is not the operator's; of each, what was stored last comes first.
        """
        return self._listed(_OF_ADDRESS, address.lower())

    def keys_with(self, key_ids: Sequence[str]) -> list[KnownKey]:
        """List the certificates that have one of these key ids or fingerprints, of a primary key or subkey.

        At most `CANDIDATES`: the operator's first, then WKD's, then those that were offered, of each what was stored
        last first. A fingerprint stands for the key id that it ends with (RFC 9580 section 5.5.4.2), because strangers'
        subkeys are known by no more: who asks has to check.
        """
        return self._listed(_WITH_KEY_IDS, json.dumps([key_id[-_KEY_ID_DIGITS:].upper() for key_id in key_ids]))

    def expiring_keys(self, before: datetime) -> list[KnownKey]:
        """List the operator's certificates that expire before a time, or have expired, soonest first."""
        return self._listed(_EXPIRING, moment(before))

    def seen_signature(self, signature_id: str, message_id: str) -> bool:
        """Whether a signature or ciphertext was seen in another message before; the message's own is no replay."""
        with self._db.reading():
            return seen_elsewhere(self._db, signature_id, message_id)

    def _listed(self, sql: str, *values: str | int) -> list[KnownKey]:
        with self._db.reading():
            return [read_key(self._db, row_id) for row_id, *_ in self._db.all(sql, *values)]


def _resolve(db: Connection, fingerprint: str) -> int:
    """Find the row of the certificate whose fingerprint ends like this."""
    end = "".join(fingerprint.split()).upper().removeprefix("0X")
    rows = db.all(_ENDING, len(end), end) if _FINGERPRINT_PART.fullmatch(end) else []
    if not rows:
        raise NotFoundError(f"there is no key {fingerprint[:_SHOWN]!r}", advice="See key list.")
    if len(rows) > 1:
        some = ", ".join(sorted(found for _, found in rows)[:3])
        raise InputError(f"{end!r} may be several keys: {some}", advice="Write more of the fingerprint.")
    return int(rows[0][0])
