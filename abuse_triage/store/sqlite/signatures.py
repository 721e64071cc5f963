"""Signatures and ciphertexts that came before, so that nobody uses them a second time."""

from abuse_triage.store.sqlite.connection import Connection

_SEEN = "SELECT 1 FROM signatures WHERE signature_id = ? AND message_id <> ?"
_REMEMBER = "INSERT INTO signatures (signature_id, message_id, seen_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"


def seen_elsewhere(db: Connection, signature_id: str, message_id: str) -> bool:
    """Whether another message brought a signature first; inside of a transaction."""
    return db.one(_SEEN, signature_id, message_id) is not None


def remember_signature(db: Connection, signature_id: str, message_id: str, at: str) -> None:
    """Note that a message brought a signature; the first one that did stays. `at` as its column holds it."""
    db.run(_REMEMBER, signature_id, message_id, at)
