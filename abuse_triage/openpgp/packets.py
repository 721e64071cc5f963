"""What an OpenPGP message is made of (RFC 9580 section 4), read before gpg sees it: only headers of packets.

gpg gets exactly the octets that were read here, out of their armour, and therefore cannot find more in them: no session
keys by the thousand, no passwords to try, no encryption without proof of integrity, no second message.
"""

import binascii
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256

from abuse_triage.model.openpgp import Failure

MOST_SIGNATURES = 4
"""Signatures in one detached signature."""
_MOST_PACKETS = 1000
_MOST_CHUNKS = 100_000
"""Partial lengths of one packet (section 4.2.1.4): each costs time."""
_LONGEST_SIGNATURE = 65_536

_BEGIN = re.compile(rb"^(?:\xef\xbb\xbf)?-----BEGIN PGP (?:MESSAGE|SIGNATURE)-----[ \t\r]*\n", re.MULTILINE)
_END = re.compile(rb"^-----END PGP (?:MESSAGE|SIGNATURE)-----[ \t\r]*$", re.MULTILINE)


class Tag(IntEnum):
    """The packets that matter here (section 5)."""

    PUBLIC_KEY_SESSION = 1
    SIGNATURE = 2
    PASSWORD_SESSION = 3
    ENCRYPTED_WITHOUT_PROOF = 9
    MARKER = 10
    TRUST = 12
    """Notes in a local key ring, which nobody should send (section 5.10)."""
    ENCRYPTED = 18
    AUTHENTICATED = 20
    """GnuPG's own (draft-ietf-openpgp-rfc4880bis)."""


_STREAMED = frozenset([8, 9, 11, 18, 20])
"""Data packets, the only ones that may have partial or no lengths."""


class PacketError(Exception):
    """Theirs: gpg must not see it; `failure` says why."""

    def __init__(self, failure: Failure) -> None:
        """Keep the reason."""
        super().__init__(failure.value)
        self.failure = failure


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptedMessage:
    """One encrypted message in binary form.

    `key_ids` are those of the keys that it names, 16 upper-case hexadecimal digits each, all zeros for a hidden one.
    `digest` is the SHA-256 of the encrypted data, whatever its framing and whomever it is encrypted to.
    """

    packets: bytes
    key_ids: tuple[str, ...]
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DetachedSignature:
    """The signatures of one detached signature in binary form.

    `issuers` has for each the fingerprint (40 or 64 digits) or else the key id (16 digits) that it names as its maker,
    "" where it names none: a claim until the signature is checked.
    """

    packets: bytes
    issuers: tuple[str, ...]


def encrypted(data: bytes, most_recipients: int) -> EncryptedMessage:
    """Read an encrypted message, armoured or binary; raises PacketError for everything else.

    It is session keys for 1 to `most_recipients` keys and then one packet of encrypted data with proof of integrity.
    """
    packets = _binary(data)
    key_ids: list[str] = []
    digest = ""
    for tag, body in walk(packets):
        if tag == Tag.MARKER:
            continue
        if digest:
            raise PacketError(Failure.SEVERAL)
        if tag == Tag.PUBLIC_KEY_SESSION:
            if len(key_ids) == most_recipients:
                raise PacketError(Failure.TOO_MANY_KEYS)
            key_ids.append(_recipient(body))
        elif tag in {Tag.ENCRYPTED, Tag.AUTHENTICATED}:
            digest = sha256(body).hexdigest()
        elif tag == Tag.PASSWORD_SESSION:
            raise PacketError(Failure.PASSWORD)
        elif tag == Tag.ENCRYPTED_WITHOUT_PROOF:
            raise PacketError(Failure.NOT_INTACT)
        else:
            raise PacketError(Failure.MALFORMED if key_ids else Failure.NOT_ENCRYPTED)
    if not digest or not key_ids:
        raise PacketError(Failure.MALFORMED)
    return EncryptedMessage(packets=packets, key_ids=tuple(key_ids), digest=digest)


def signatures(data: bytes) -> DetachedSignature:
    """Read a detached signature, armoured or binary, of at most MOST_SIGNATURES; raises PacketError for others."""
    if len(data) > 2 * _LONGEST_SIGNATURE:
        raise PacketError(Failure.TOO_LARGE)
    packets = _binary(data)
    issuers: list[str] = []
    for tag, body in walk(packets):
        if tag == Tag.MARKER:
            continue
        if tag != Tag.SIGNATURE:
            raise PacketError(Failure.MALFORMED)
        if len(issuers) == MOST_SIGNATURES:
            raise PacketError(Failure.SEVERAL)
        issuers.append(_issuer(body))
    if not issuers:
        raise PacketError(Failure.MALFORMED)
    return DetachedSignature(packets=packets, issuers=tuple(issuers))


def pieces(data: bytes) -> list[tuple[int, bytes]]:
    """Cut binary packets apart: the tag and all octets of each, with its header; raises PacketError."""
    return [(tag, data[start:end]) for tag, start, end, _ in _spans(data)]


def _binary(data: bytes) -> bytes:
    """Return the octets of the only armour (section 6.2) in `data`, or `data` itself where it is binary.

    Text around the armour is ignored: nobody uses it. So is the checksum, which proves nothing (section 6.1).
    """
    if data[:1] >= b"\x80" and not data.startswith(BOM_UTF8):
        return data
    begins = list(_BEGIN.finditer(data))[:2]
    if not begins:
        raise PacketError(Failure.MALFORMED)
    if len(begins) > 1:
        raise PacketError(Failure.SEVERAL)
    end = _END.search(data, begins[0].end())
    if end is None:
        raise PacketError(Failure.MALFORMED)
    lines = data[begins[0].end() : end.start()].split(b"\n")
    first = next((number for number, line in enumerate(lines) if line.strip() and b":" not in line), len(lines))
    wanted = [line.strip() for line in lines[first:]]
    while wanted and (not wanted[-1] or (len(wanted[-1]) == 5 and wanted[-1].startswith(b"="))):
        wanted.pop()
    try:
        return binascii.a2b_base64(b"".join(wanted), strict_mode=True)
    except binascii.Error:
        raise PacketError(Failure.MALFORMED) from None


def walk(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and body of each packet (section 4.2); raises PacketError."""
    return ((tag, body) for tag, _, _, body in _spans(data))


def _spans(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield tag, begin, end and body of each packet; raises PacketError."""
    position = 0
    for _ in range(_MOST_PACKETS):
        if position == len(data):
            return
        start, first = position, data[position]
        if not first & 0x80:
            raise PacketError(Failure.MALFORMED)
        position += 1
        if first & 0x40:
            tag = first & 0x3F
            body, position = _new_body(data, position, streamed=tag in _STREAMED)
        else:
            tag = first >> 2 & 0x0F
            body, position = _old_body(data, position, first & 3, streamed=tag in _STREAMED)
        yield tag, start, position, body
    raise PacketError(Failure.MALFORMED)


def _old_body(data: bytes, position: int, kind: int, *, streamed: bool) -> tuple[bytes, int]:
    """Return a body after a header of the old format (section 4.2.2), and where the next packet begins."""
    if kind == 3:
        if not streamed:
            raise PacketError(Failure.MALFORMED)
        return data[position:], len(data)
    width = 1 << kind
    return _cut(data, position + width, int.from_bytes(_cut(data, position, width)[0], "big"))


def _new_body(data: bytes, position: int, *, streamed: bool) -> tuple[bytes, int]:
    """Return a body after a header of the new format (section 4.2.1), and where the next packet begins."""
    chunks: list[bytes] = []
    for _ in range(_MOST_CHUNKS):
        length = _cut(data, position, 1)[0][0]
        position += 1
        partial = 224 <= length < 255
        if partial:
            if not streamed:
                raise PacketError(Failure.MALFORMED)
            length = 1 << (length & 0x1F)
        elif length == 255:
            length = int.from_bytes(_cut(data, position, 4)[0], "big")
            position += 4
        elif length >= 192:
            length = (length - 192 << 8) + _cut(data, position, 1)[0][0] + 192
            position += 1
        chunk, position = _cut(data, position, length)
        chunks.append(chunk)
        if not partial:
            return b"".join(chunks), position
    raise PacketError(Failure.MALFORMED)


def _cut(data: bytes, position: int, length: int) -> tuple[bytes, int]:
    end = position + length
    if end > len(data):
        raise PacketError(Failure.MALFORMED)
    return data[position:end], end


def _recipient(body: bytes) -> str:
    """Return the key id of a session key (section 5.1.1), all zeros for a version that has none."""
    if not body:
        raise PacketError(Failure.MALFORMED)
    key_id = body[1:9] if body[0] in {2, 3} else b""
    return key_id.hex().upper().rjust(16, "0")


def _issuer(body: bytes) -> str:
    """Return what a signature (section 5.2) names as its key."""
    if body[:1] == b"\x03":
        return body[7:15].hex().upper()
    if body[:1] not in {b"\x04", b"\x05"}:
        return ""
    hashed_end = 6 + int.from_bytes(body[4:6], "big")
    unhashed_end = hashed_end + 2 + int.from_bytes(body[hashed_end : hashed_end + 2], "big")
    key_id = ""
    for kind, content in (*_subpackets(body[6:hashed_end]), *_subpackets(body[hashed_end + 2 : unhashed_end])):
        if kind == 33 and content[:1] in {b"\x04", b"\x05"} and len(content) in {21, 33}:
            return content[1:].hex().upper()
        if kind == 16 and len(content) == 8:
            key_id = key_id or content.hex().upper()
    return key_id


def _subpackets(area: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield kind, without its critical bit, and content of each subpacket (section 5.2.3.7); raises PacketError."""
    position = 0
    while position < len(area):
        length = area[position]
        position += 1
        if length == 255:
            length = int.from_bytes(_cut(area, position, 4)[0], "big")
            position += 4
        elif length >= 192:
            length = (length - 192 << 8) + _cut(area, position, 1)[0][0] + 192
            position += 1
        body, position = _cut(area, position, length)
        if not body:
            raise PacketError(Failure.MALFORMED)
        yield body[0] & 0x7F, body[1:]
