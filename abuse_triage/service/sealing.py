"""The sender's OpenPGP: signs what we send, and encrypts it to a person whose report was encrypted (RFC 3156)."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import structlog

from abuse_triage.errors import NotFoundError, TemporaryError, TriageError
from abuse_triage.mail import pgpmime
from abuse_triage.model.settings import Settings
from abuse_triage.openpgp import messages
from abuse_triage.openpgp.gpg import Gpg, RunError
from abuse_triage.openpgp.messages import UnusableKeyError
from abuse_triage.openpgp.rings import Rings
from abuse_triage.service.keyring import team_home
from abuse_triage.service.opening import limits_of
from abuse_triage.store.keys import Keys
from abuse_triage.store.outbox import StoredMail

log = structlog.get_logger()


class SealingError(TemporaryError):
    """Ours: a mail cannot be signed or encrypted at the moment; it waits, because unsigned it would not be believed."""


class Sealer:
    """The team's signing key, unlocked, and the certificates of those who are written to; a context manager."""

    def __init__(self, settings: Settings, store: Keys) -> None:
        """Unlock the key; raises `ConfigError` where the files are not fit, `TemporaryError` without GnuPG."""
        team = team_home(settings)
        self._signer = settings.team.openpgp_fingerprint if team and settings.openpgp.sign else ""
        self._store = store
        self._home = team
        # What only encrypts needs no home.
        self._gpg = Gpg(team.folder if team else Path("/nonexistent"), limits_of(settings.openpgp))
        self._rings = Rings(self._gpg)
        self._own = team.certificates((self._signer,)) if team and self._signer else b""

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """End the agent and remove the keys from memory."""
        if self._home is not None:
            self._home.close()

    def seal(self, mail: StoredMail, content: bytes) -> bytes:
        """Return a mail as it leaves: signed where there is a key for that, and encrypted where it is asked for.

        A key that cannot be encrypted to any more is done without: what we send says nothing about a report that was
        encrypted. Raises `SealingError`.
        """
        theirs = self._certificate(mail.encrypt_to) if mail.encrypt_to else b""
        try:
            return self._sealed(mail, content, theirs)
        except (UnusableKeyError, RunError) as error:
            reason: TriageError = error
        try:
            if self._home is not None and self._home.revive():  # so it was the end of the agent
                return self._sealed(mail, content, theirs)
        except TriageError as error:
            reason = error
        raise SealingError(f"it cannot be signed or encrypted: {reason}", advice=reason.advice) from reason

    def _sealed(self, mail: StoredMail, content: bytes, theirs: bytes) -> bytes:
        if not theirs and not self._signer:
            return content
        part = pgpmime.payload(content, encrypted=bool(theirs))
        if self._signer:
            signature = messages.sign(self._gpg, part, self._signer, self._rings.of(self._own))
            if not theirs:
                return pgpmime.signed(content, part, signature.armored, signature.micalg)
            part = pgpmime.signed_part(part, signature.armored, signature.micalg)
        try:
            ciphertext = messages.encrypt(self._gpg, part, (mail.encrypt_to,), self._rings.of(theirs))
        except UnusableKeyError:  # gpg finds more wrong than we knew
            log.warning("key-unusable", fingerprint=mail.encrypt_to)
            return self._sealed(mail, content, b"")
        return pgpmime.encrypted(content, ciphertext)

    def _certificate(self, fingerprint: str) -> bytes:
        """Return a certificate that can be encrypted to now, b"" where there is none any more."""
        with suppress(NotFoundError):
            certificate = self._store.known_key(fingerprint).certificate
            if certificate.usable(datetime.now(UTC)):
                return certificate.blob
        log.warning("key-unusable", fingerprint=fingerprint)
        return b""
