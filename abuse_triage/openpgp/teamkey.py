"""The team's own key: made, taken over, and written as one file that a passphrase protects.

python-gnupg does what it is for, the management of keys: nothing here was written by a stranger, and keys are named by
their fingerprints only.
"""

import logging
import os
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import gnupg

from abuse_triage.errors import ConfigError, InputError, TemporaryError
from abuse_triage.openpgp import listing
from abuse_triage.openpgp.command import ENVIRONMENT, OPTIONS, run
from abuse_triage.openpgp.gpg import Gpg, Limits, RunError
from abuse_triage.openpgp.home import Home

logging.getLogger("gnupg").setLevel(logging.WARNING)  # below it, python-gnupg logs what goes in and comes out

LARGEST = 1_000_000
"""Bytes of a file with secret keys."""
_LIFETIME = timedelta(days=730)
_NO_NAME = str.maketrans(dict.fromkeys("<>()@\\", " "))
_KEYS = MappingProxyType(
    {
        "key_type": "EDDSA",
        "key_curve": "ed25519",
        "key_usage": "sign,cert",
        "subkey_type": "ECDH",
        "subkey_curve": "cv25519",
        "subkey_usage": "encrypt",
    }
)
"""The algorithms that every OpenPGP program of today knows (RFC 9580 sections 9.2 and 12.6)."""


def generate(
    name: str, addresses: Sequence[str], passphrase: str, runtime: Path, *, stretch: int = 0
) -> tuple[str, bytes]:
    """Make a key for a team that is valid for two years; returns its fingerprint and the file with the secret keys.

    Args:
        name: of the team.
        addresses: one user id is made for each.
        passphrase: of the file.
        runtime: the folder in memory in which it is made.
        stretch: see `Home`; 0 for a passphrase that a person made.

    Raises:
        ConfigError: if the folder is not fit.
        TemporaryError: if GnuPG is not there, or does not make it.
    """
    readable = " ".join(name.translate(_NO_NAME).split()) or "CSIRT"
    with Home(runtime, stretch=stretch) as home:
        engine = _engine(home)
        expires = (datetime.now(UTC) + _LIFETIME).strftime("%Y-%m-%d")
        made = engine.gen_key(
            engine.gen_key_input(
                **_KEYS, name_real=readable, name_email=addresses[0], expire_date=expires, passphrase=passphrase
            )
        )
        if not made.fingerprint:
            raise TemporaryError("gpg does not make a key", advice=f"Try it by hand: gpg --quick-gen-key {readable}.")
        secret = passphrase.encode()
        for address in addresses[1:]:
            words = ("--quick-add-uid", made.fingerprint, f"{readable} <{address}>")
            run(home.folder, *words, passphrase=secret)
        home.adopt(secret)
        return made.fingerprint, _exported(home, passphrase)


def merge(
    new: bytes,
    new_passphrase: str,
    existing: bytes,
    existing_passphrase: str,
    *,
    passphrase: str,
    runtime: Path,
    stretch: int = 0,
) -> tuple[tuple[listing.Key, ...], bytes]:
    """Add secret keys to those of a file, of which none is lost.

    Args:
        new: what is to be taken over, armoured or binary, perhaps several keys, perhaps only their subkeys.
        new_passphrase: of all of these.
        existing: the file as it is, b"" for none.
        existing_passphrase: of the file as it is.
        passphrase: of the file as it will be; not empty.
        runtime: the folder in memory in which it is done.
        stretch: see `Home`; 0 for a passphrase that a person made.

    Returns:
        The keys that are in the file then, and the file.

    Raises:
        InputError: if there is no secret key in `new`, or a passphrase is wrong.
        ConfigError: if the folder is not fit.
        TemporaryError: if GnuPG is not there.
    """
    with Home(runtime, stretch=stretch) as home:
        home.take(new, new_passphrase.encode())
        if existing:
            try:
                home.take(existing, existing_passphrase.encode())
            except InputError as error:
                raise InputError(
                    "the keys that are there already cannot be opened with their passphrase", advice=error.advice
                ) from error
        home.change_passphrase(passphrase.encode())
        return home.keys, _exported(home, passphrase)


def described(secret_keys: bytes) -> tuple[listing.Key, ...]:
    """List the keys in a file with secret keys without opening them; () where that cannot be done."""
    try:
        done = Gpg(Path("/nonexistent"), Limits()).run(*listing.OPTIONS, "--show-keys", given=secret_keys)
        return () if done.code else tuple(listing.parse(done.output))
    except (RunError, listing.ListingError):
        return ()


def write(path: Path, content: bytes) -> None:
    """Write a file for this user only, wholly or not at all, even if the power fails; raises `ConfigError`."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise ConfigError((f"{path}: cannot be written: {error.strerror}",), advice="Nothing was changed.") from error


def _exported(home: Home, passphrase: str) -> bytes:
    fingerprints = [key.fingerprint for key in home.keys]
    exported: str = _engine(home).export_keys(fingerprints, secret=True, passphrase=passphrase)
    if " PRIVATE KEY BLOCK-----" not in exported:
        raise InputError("gpg does not export the secret keys", advice="Nothing was changed.")
    return exported.encode()


def _engine(home: Home) -> gnupg.GPG:
    return gnupg.GPG(gnupghome=str(home.folder), options=list(OPTIONS), env=dict(ENVIRONMENT), encoding="utf-8")
