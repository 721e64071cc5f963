"""What the rest of the program may ask of a store about the OpenPGP certificates of others."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from abuse_triage.model.openpgp import KeyOrigin, KnownKey


class KeyLookup(Protocol):
    """What opening one message asks: which certificates may matter for it, and whether its signature is new."""

    def keys_of(self, address: str) -> list[KnownKey]:
        """List the certificates that may speak for an address, at most 20, the operator's first.

        These are the operator's for it, then WKD's, then those that were offered with the address in a name.
        """

    def keys_with(self, key_ids: Sequence[str]) -> list[KnownKey]:
        """List the certificates that have one of these key ids or fingerprints (of a primary key or subkey).

        At most 20, the operator's first. A fingerprint stands for the key id in it: who asks has to check.
        """

    def seen_signature(self, signature_id: str, message_id: str) -> bool:
        """Whether a signature or ciphertext was seen in another message before; False for ""."""


class Keys(KeyLookup, Protocol):
    """OpenPGP certificates of others: those that the operator has added, and those that came with reports."""

    def add_key(self, key: KnownKey) -> None:
        """Keep a certificate; an earlier copy is replaced, and one that was offered becomes the operator's.

        What a domain publishes changes nothing about what the operator has added, but for a revocation: the key itself
        signs that, so a revoked copy takes the place of the certificate whoever brings it, and is never taken back.
        """

    def remove_key(self, fingerprint: str) -> None:
        """Forget a certificate, by the same; raises `NotFoundError` or `InputError`."""

    def known_keys(self, origins: Sequence[KeyOrigin] = (), limit: int = 100) -> list[KnownKey]:
        """List certificates, newest first; () means however they came."""

    def known_key(self, fingerprint: str) -> KnownKey:
        """Return a certificate by its fingerprint or the end of it; raises `NotFoundError` or `InputError`."""

    def expiring_keys(self, before: datetime) -> list[KnownKey]:
        """List the operator's certificates that expire before a time, or have expired, soonest first."""
