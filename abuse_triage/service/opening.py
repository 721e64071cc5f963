"""The decider's OpenPGP: opens and checks messages with the team's keys, and says what is proven.

gpg is given exactly the certificates that may matter for one message: those of the address in From, those that the
signature names, and the team's own. Whose signature counts as whose is decided here, by what the operator vouches for.
"""

import hmac
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Self, TypeVar

from abuse_triage.errors import InputError, TemporaryError, TriageError
from abuse_triage.mail import layers
from abuse_triage.model.message import Arrival
from abuse_triage.model.openpgp import (
    Certificate,
    Encrypted,
    Failure,
    Form,
    KeyOrigin,
    KnownKey,
    Layer,
    Protection,
    Signature,
    Source,
)
from abuse_triage.model.report import NOT_OPENED, Opened, Reading
from abuse_triage.model.settings import OpenPgpSettings, Settings
from abuse_triage.openpgp import messages
from abuse_triage.openpgp.certificates import inspect
from abuse_triage.openpgp.gpg import Gpg, Limits
from abuse_triage.openpgp.home import Home
from abuse_triage.openpgp.rings import Ring, Rings
from abuse_triage.openpgp.runtime import runtime_folder
from abuse_triage.openpgp.verdict import UNSIGNED, Check
from abuse_triage.service.keyring import secret_keys, team_home
from abuse_triage.store.keys import KeyLookup

Reread = Callable[[Sequence[bytes | None]], Reading]
"""Reads a message again with the plaintexts of its layers, None for those that were not opened."""

_ENCRYPTED = layers.ROOT_ENCRYPTED | {Form.DEEPER}
_EXHAUSTING = frozenset([Failure.TOO_LARGE, Failure.TOO_LONG])
"""After one of these nothing more of a message is opened: ten bombs cost no more than one."""
_Result = TypeVar("_Result")
_SOURCES = {KeyOrigin.OPERATOR: Source.RING, KeyOrigin.WKD: Source.WKD, KeyOrigin.ATTACHED: Source.ATTACHED}


class OpeningError(TemporaryError):
    """Ours: GnuPG does not work, and its agent could not be revived."""


@dataclass(frozen=True, slots=True)
class _Plain:
    """What the ciphertexts of a message held: for each of its layers in order the plaintext, or None."""

    texts: tuple[bytes | None, ...] = ()
    encrypted: Encrypted = Encrypted.NO
    reason: Failure | None = None
    check: Check = UNSIGNED
    ids: tuple[str, ...] = ()
    """What replays of them are known by, in their order."""


class Opener:
    """The team's keys in a private home, and what is done with them; a context manager."""

    def __init__(self, settings: Settings, store: KeyLookup) -> None:
        """Unlock the keys; raises `ConfigError` where the files are not fit, `TemporaryError` without GnuPG."""
        self._settings: OpenPgpSettings = settings.openpgp
        self._store = store
        team = team_home(settings)
        self._has_keys = team is not None
        self._home = team or Home(runtime_folder(settings.openpgp.runtime))
        self._own = self._home.certificates() if self._has_keys else b""
        self._gpg = Gpg(self._home.folder, limits_of(settings.openpgp))
        self._rings = Rings(self._gpg)
        self._pepper = _pepper(settings)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """End the agent and remove the keys from memory."""
        self._home.close()

    def open(self, reading: Reading, arrival: Arrival, reread: Reread) -> Opened:
        """Open and check one message that was read; one without OpenPGP costs nothing.

        Raises `OpeningError`, and whatever `reread` raises.
        """
        if not reading.layers and not reading.keys:
            return NOT_OPENED
        attached = self._attached(reading, arrival)
        if not reading.layers:
            return Opened(offered=attached)
        root = reading.layers[0]
        plain = self._plain(reading, arrival, attached)
        opened = reread(plain.texts) if any(text is not None for text in plain.texts) else None
        inside = opened or reading
        check = self._signature(root, plain, inside, arrival, attached)
        protection = self._proven(check, inside, arrival, attached)
        ids = [self._remembered(one) for one in dict.fromkeys((check.signature_id, *plain.ids)) if one]
        return Opened(
            protection=replace(
                protection,
                form=root.form,
                encrypted=plain.encrypted,
                reason=plain.reason or check.reason,
                headers=inside.protected,
                signature_id=ids[0] if ids else "",
                replayed=any(self._replayed(one, arrival) for one in ids),
            ),
            reading=opened,
            offered=attached,
            reply_keys=self._reply_keys(reading, arrival) if plain.encrypted is not Encrypted.NO else {},
        )

    def unread(self, reading: Reading, arrival: Arrival) -> Opened:
        """Return what is known of a message whose plaintext no reader can read: as if it could not be decrypted."""
        return Opened(
            protection=Protection(form=reading.layers[0].form, encrypted=Encrypted.FAILED, reason=Failure.UNREADABLE),
            reply_keys=self._reply_keys(reading, arrival),
        )

    def renewed(self, opened: Opened, arrival: Arrival) -> Opened:
        """Look again whether a signature came before, because another message may have brought it meanwhile."""
        found = opened.protection
        replayed = found.replayed or self._replayed(found.signature_id, arrival)
        return replace(opened, protection=replace(found, replayed=replayed))

    def _plain(self, reading: Reading, arrival: Arrival, attached: Sequence[Certificate]) -> _Plain:
        """Decrypt what is encrypted, within one time limit and one size for all of it."""
        if not any(layer.form in _ENCRYPTED for layer in reading.layers):
            return _Plain((None,) * len(reading.layers))
        give_up = time.monotonic() + self._settings.timeout.total_seconds()
        room = self._settings.max_output
        texts: list[bytes | None] = []
        found: list[messages.Decrypted] = []
        for layer in reading.layers:
            text = None
            if layer.form in _ENCRYPTED:
                late = time.monotonic() > give_up or any(one.failure in _EXHAUSTING for one in found)
                result = self._decrypted(layer, reading, arrival, attached, late=late)
                if result.plaintext is not None and len(result.plaintext) > room:
                    result = replace(result, plaintext=None, failure=Failure.TOO_LARGE)
                text = result.plaintext
                room -= len(text or b"")
                found.append(result)
            texts.append(text)
        opened = [one for one in found if one.plaintext is not None]
        return _Plain(
            texts=tuple(texts),
            encrypted=Encrypted.YES if opened else Encrypted.FAILED,
            reason=next((one.failure for one in found if one.failure), None),
            # A signature counts at the root only: in what lies deeper it is somebody else's, or anybody's.
            check=found[0].check if reading.layers[0].form in layers.ROOT_ENCRYPTED else UNSIGNED,
            ids=tuple(one.signature_id for one in found),
        )

    def _decrypted(
        self, layer: Layer, reading: Reading, arrival: Arrival, attached: Sequence[Certificate], *, late: bool
    ) -> messages.Decrypted:
        if not self._has_keys:
            return messages.Decrypted(failure=Failure.NOT_CONFIGURED)
        if late:
            return messages.Decrypted(failure=Failure.TOO_LONG)
        content = layers.content(arrival.raw, layer)
        most = self._settings.max_recipients
        ring = self._candidates(reading, (), attached)
        result = self._working(
            lambda: messages.decrypt(self._gpg, content, ring, most_recipients=most), lambda one: one.failure
        )
        if result.check.signature is Signature.UNKNOWN_KEY:  # only now it is known whose key that would be
            more = self._candidates(reading, (result.check.issuer,), attached)
            if more != ring:
                again = messages.decrypt(self._gpg, content, more, most_recipients=most)
                result = again if again.plaintext is not None else result
        return result

    def _signature(
        self, root: Layer, plain: _Plain, inside: Reading, arrival: Arrival, attached: Sequence[Certificate]
    ) -> Check:
        """Check the one signature that is about the whole message, whichever way it was made."""
        if root.form in {Form.MIME_SIGNED, Form.INLINE_SIGNED}:
            return self._checked(root, arrival.raw, inside, attached)
        signed = inside.layers[0] if plain.texts[0] is not None and inside.layers else None
        if root.form is Form.DEEPER or signed is None or signed.form is not Form.MIME_SIGNED:
            return plain.check
        if plain.check.signature is not Signature.NONE:
            return Check(signature=Signature.MIXED)
        return self._checked(signed, plain.texts[0] or b"", inside, attached)

    def _checked(self, layer: Layer, source: bytes, reading: Reading, attached: Sequence[Certificate]) -> Check:
        content = layers.content(source, layer)
        if layer.form is Form.INLINE_SIGNED:
            ring = self._candidates(reading, messages.issuers(content), attached)
            return self._working(
                lambda: messages.verify_cleartext(self._gpg, content, ring).check, lambda check: check.reason
            )
        signature = layers.cut(source, layer.signature) if layer.signature else b""
        ring = self._candidates(reading, messages.issuers(signature), attached)
        return self._working(
            lambda: messages.verify_detached(self._gpg, content, signature, ring), lambda check: check.reason
        )

    def _working(self, operation: Callable[[], _Result], failure: Callable[[_Result], Failure | None]) -> _Result:
        """Run an operation, once more where GnuPG itself failed; raises `OpeningError` where that does not help."""
        result = operation()
        if failure(result) is not Failure.ENGINE:
            return result
        try:
            self._home.revive()
        except TriageError as error:
            raise _broken() from error
        result = operation()
        if failure(result) is Failure.ENGINE:
            raise _broken()
        return result

    def _candidates(self, reading: Reading, issuers: Sequence[str], attached: Sequence[Certificate]) -> Ring:
        """Return the team's certificates, and those that may have signed a message, each once."""
        known = [*self._store.keys_of(reading.sender.email), *(self._store.keys_with(issuers) if issuers else ())]
        found = {one.fingerprint: one.blob for one in attached}
        found |= {key.certificate.fingerprint: key.certificate.blob for key in known}
        found |= {one.fingerprint: one.blob for one in attached if one.revoked}  # by the key itself: always believed
        return self._rings.of(self._own, *found.values())

    def _proven(self, check: Check, reading: Reading, arrival: Arrival, attached: Sequence[Certificate]) -> Protection:
        """Say what a signature proves about the person in From."""
        source, addresses = self._vouched(check.signer, attached)
        matches = reading.only_sender and reading.sender.email != "" and reading.sender.email in addresses
        if matches and source is Source.RING:
            source = Source.PINNED
        return Protection(
            signature=check.signature,
            signer=check.signer,
            source=source,
            signed_at=check.signed_at,
            from_match=matches,
            fresh=check.signed_at is not None and self._is_fresh(check.signed_at, reading.date, arrival.received_at),
        )

    def _is_fresh(self, signed_at: datetime, date: datetime | None, received_at: datetime) -> bool:
        """Tell whether a signature was made about when the message says it was written, and when it came."""
        return all(abs(signed_at - moment) <= self._settings.freshness for moment in (date or received_at, received_at))

    def _vouched(self, signer: str, attached: Sequence[Certificate]) -> tuple[Source, tuple[str, ...]]:
        """Return how a key is known, and the addresses that it belongs to by whoever's word that is."""
        for key in self._store.keys_with((signer,)) if signer else ():
            if key.certificate.fingerprint == signer:
                claimed = key.origin is KeyOrigin.ATTACHED
                return _SOURCES[key.origin], key.certificate.emails if claimed else key.addresses
        for certificate in attached:
            if certificate.fingerprint == signer:
                return Source.ATTACHED, certificate.emails
        return Source.NONE, ()

    def _replayed(self, signature_id: str, arrival: Arrival) -> bool:
        return signature_id != "" and self._store.seen_signature(signature_id, arrival.id)

    def _remembered(self, signature_id: str) -> str:
        """Return an id as it is stored: the text of an encrypted message can be guessed, and must not be confirmed."""
        return hmac.digest(self._pepper, signature_id.encode(), "sha256").hex()

    def _attached(self, reading: Reading, arrival: Arrival) -> tuple[Certificate, ...]:
        """Return the certificates that came with a message in clear; what is none is left where it is."""
        found = []
        for blob in reading.keys:
            try:
                with suppress(InputError):
                    found.append(inspect(blob, limit=self._settings.max_key, now=arrival.received_at))
            except TemporaryError as error:
                raise _broken() from error
        return tuple(found)

    def _reply_keys(self, reading: Reading, arrival: Arrival) -> dict[str, str]:
        """Name a key for each address that may be answered: only such as were known before, or the answer would tell.

        A key that came inside of the ciphertext would make the answer to what we could open look different.
        """
        addresses = {arrival.envelope.sender.lower(), reading.sender.email} - {""}
        keys = {address: usable_key(self._store, address, arrival.received_at) for address in addresses}
        return {address: key.certificate.fingerprint for address, key in keys.items() if key is not None}


def _pepper(settings: Settings) -> bytes:
    """Return what only those know who can open the messages anyway; another one after `key import-secret`."""
    secret, passphrase = secret_keys(settings) or (b"", "")
    return sha256(passphrase.encode() + b"\0" + secret).digest()


def _broken() -> OpeningError:
    return OpeningError("gpg does not work", advice="Run `abuse-triage check-config`.")


def usable_key(store: KeyLookup, address: str, now: datetime) -> KnownKey | None:
    """Return the key that mail to an address is encrypted to: the operator's word, else its domain's; None for none."""
    for key in store.keys_of(address):
        if key.origin is not KeyOrigin.ATTACHED and address in key.addresses and key.certificate.usable(now):
            return key
    return None


def limits_of(settings: OpenPgpSettings) -> Limits:
    """Return the limits of one gpg operation."""
    return Limits(
        timeout=settings.timeout.total_seconds(),
        cpu=max(1, round(settings.cpu.total_seconds())),
        memory=settings.memory,
        output=settings.max_output,
    )
