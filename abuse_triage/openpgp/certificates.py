"""Certificates of others: walked before gpg sees them, cleaned by gpg, and described as values.

What is offered here was written by strangers. Nothing is imported anywhere: gpg reads a certificate without a home,
an agent or the right to write a file, keeps the owner's own signatures only, and writes it out again.
"""

import base64
import binascii
import re
from collections import Counter
from datetime import datetime
from pathlib import Path

from abuse_triage.errors import InputError
from abuse_triage.model.openpgp import Certificate, Failure
from abuse_triage.openpgp import listing
from abuse_triage.openpgp.gpg import Gpg, Limits, RunError
from abuse_triage.openpgp.packets import PacketError, walk

_BLOCK = re.compile(rb"-----BEGIN PGP ([A-Z ]{1,40})-----[ \t]*\r?\n")
_SECRET_KEY, _PUBLIC_KEY, _SECRET_SUBKEY, _USER_ID, _PUBLIC_SUBKEY, _USER_ATTRIBUTE = 5, 6, 7, 13, 14, 17
_SIGNATURE, _MARKER, _TRUST, _PADDING = 2, 10, 12, 21
_EXPECTED = {_SIGNATURE, _PUBLIC_KEY, _MARKER, _TRUST, _USER_ID, _PUBLIC_SUBKEY, _USER_ATTRIBUTE, _PADDING}
"""Packet types of a transferable public key (RFC 9580 sections 5 and 10.1)."""
_MOST = 50
"""User ids and subkeys of one certificate: gpg's time grows with the square of them."""
_RSA, _DSA = (16_384, 64), (4096, 512)
_MOST_BITS = {1: _RSA, 2: _RSA, 3: _RSA, 17: _DSA}
"""Bits of modulus and exponent, or of p and q: with more of them each signature takes seconds (section 5.5.5)."""
_CLEAN = ("--import-options=import-export", "--import-options=self-sigs-only,import-clean", "--import")
_NO_HOME = Path("/nonexistent")
_LIMITS = Limits(timeout=10.0, cpu=5, memory=256_000_000, output=1_000_000)
_MINIMAL = "Ask for a small one: gpg --armor --export-options export-minimal --export FINGERPRINT."
_EXPORT = "A certificate is made by gpg --armor --export FINGERPRINT."


def inspect(data: bytes, *, limit: int, now: datetime) -> Certificate:
    """Describe the one certificate in a file, armoured or binary, with nothing in it but its owner's own words.

    Args:
        data: what somebody gave.
        limit: most octets, of `data` and of the certificate.
        now: aware.

    Raises:
        InputError: if it is not exactly one certificate within the limits, or a secret key; nothing of it is kept.
        TemporaryError: if gpg does not work.
    """
    if len(data) > limit * 2:
        raise InputError(f"a key of more than {limit} bytes is not taken", advice=_MINIMAL)
    packets = dearmored(data)
    _check(packets, limit)
    blob = _gpg(*_CLEAN, given=packets)
    try:
        keys = listing.parse(_gpg(*listing.OPTIONS, "--show-keys", given=blob))
    except listing.ListingError as error:
        raise InputError("this key is of a kind that is not known here", advice=_EXPORT) from error
    if len(keys) != 1 or not keys[0].names:
        raise InputError(
            "no name in this key is confirmed by its owner", advice="Ask its owner for a new copy; this one is damaged."
        )
    (key,) = keys
    return Certificate(
        fingerprint=key.fingerprint,
        key_ids=tuple(part.fingerprint[-16:] for part in key.parts),
        names=key.names,
        emails=key.emails,
        blob=blob,
        created=key.primary.created,
        expires=key.expires(now),
        revoked=key.primary.revoked,
        can_encrypt=bool(key.parts_for("e", now)),
    )


def _gpg(*arguments: str, given: bytes) -> bytes:
    try:
        done = Gpg(_NO_HOME, _LIMITS).run(*arguments, given=given)
    except RunError as error:
        if error.failure is Failure.ENGINE:
            raise
        raise InputError(f"gpg cannot read this key: {error.failure}", advice=_MINIMAL) from error
    if done.code:
        raise InputError("gpg cannot read this key", advice=_EXPORT)
    return done.output


def dearmored(data: bytes) -> bytes:
    """Return the packets of a key file: the content of its armours (RFC 9580 section 6), or itself without one.

    Raises `InputError` for an armour that holds something else, above all a secret key, or is damaged.
    """
    found = b""
    position = 0
    while begin := _BLOCK.search(data, position):
        if b"PRIVATE" in begin[1]:
            raise _secret()
        if begin[1] != b"PUBLIC KEY BLOCK":
            raise InputError(f"this is an OpenPGP {begin[1].decode().lower()}, not a key", advice=_EXPORT)
        end = data.find(b"-----END PGP", begin.end())
        if end < 0:
            raise InputError("the key is cut off: its last line is missing", advice="Copy the whole block.")
        found += _decoded(data[begin.end() : end])
        position = end + 1
    return found or data


def _decoded(armour: bytes) -> bytes:
    lines = [line.strip() for line in armour.split(b"\n")]
    while lines and b":" in lines[0]:  # armour headers
        del lines[0]
    text = b"".join(line for line in lines if not line.startswith(b"="))  # without the checksum
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise InputError("the key is damaged: its lines are no base64", advice="Copy the block as it is.") from error


def _check(packets: bytes, limit: int) -> None:
    if len(packets) > limit:
        raise InputError(f"a key of more than {limit} bytes is not taken", advice=_MINIMAL)
    try:
        found = list(walk(packets))
    except PacketError as error:
        raise InputError(
            "this is not an OpenPGP key, or it is cut off, or of more than 1000 parts", advice=_EXPORT
        ) from error
    counts = Counter(tag for tag, _ in found)
    if counts[_SECRET_KEY] or counts[_SECRET_SUBKEY]:
        raise _secret()
    if not counts.keys() <= _EXPECTED or not counts[_PUBLIC_KEY]:
        raise InputError("this is not an OpenPGP key", advice=_EXPORT)
    if counts[_PUBLIC_KEY] > 1:
        raise InputError(f"there are {counts[_PUBLIC_KEY]} keys in it", advice="Give each in a file of its own.")
    if counts[_USER_ID] + counts[_USER_ATTRIBUTE] > _MOST or counts[_PUBLIC_SUBKEY] > _MOST:
        raise InputError(f"a key with more than {_MOST} names or subkeys is not taken", advice=_MINIMAL)
    if not all(_is_usual(body) for tag, body in found if tag in {_PUBLIC_KEY, _PUBLIC_SUBKEY}):
        raise InputError("this key is of a kind that is not known here", advice=_EXPORT)


def _is_usual(key: bytes) -> bool:
    """Tell whether a key is of version 4, with numbers that nobody has chosen to make signatures slow to check."""
    if len(key) < 6 or key[0] != 4:
        return False
    position = 6
    for most in _MOST_BITS.get(key[5], ()):
        bits = int.from_bytes(key[position : position + 2], "big")
        if bits > most:
            return False
        position += 2 + (bits + 7) // 8
    return True


def _secret() -> InputError:
    return InputError(
        "this is a SECRET key, and was not stored",
        advice="Nobody but its owner may have it: whoever sent it should revoke it. Ask for the public key.",
    )
