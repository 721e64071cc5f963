"""A message as it reads when its OpenPGP is opened: bytes for the same reader that reads every other message.

The fields outside stay what they are: From, Date, Message-ID, Received, Authentication-Results and all others that
decide anything. From inside come only those that describe the content, and a protected Subject. Of a signed message
nothing is left but what was signed.
"""

from base64 import encodebytes
from binascii import b2a_qp
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import zip_longest
from urllib.parse import quote

from abuse_triage.mail import charset, headers, layers
from abuse_triage.mail.armor import cleartext, is_message
from abuse_triage.mail.fields import Entity, Field, describes_content, joined, split
from abuse_triage.mail.protected import Protected, compare
from abuse_triage.mail.structure import begin
from abuse_triage.model.openpgp import Encoding, Form, Headers, Layer, Span
from abuse_triage.model.settings import LimitSettings

INNER = "an encrypted message lies inside the encrypted one; it was not opened"

_SIGNED = frozenset([Form.MIME_SIGNED, Form.INLINE_SIGNED])
_ENDINGS = (".asc", ".gpg", ".pgp")
_ARMOUR = b"-----BEGIN PGP MESSAGE-----"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwrapped:
    """A message as it reads: `message` is raw again, `headers` what protected fields say of those outside.

    `layers` is the multipart/signed that a plaintext is as a whole, with offsets into that plaintext; `keys` are the
    certificates attached inside; `defects` are for a person.
    """

    message: bytes
    headers: Headers = Headers.NONE
    layers: tuple[Layer, ...] = ()
    keys: tuple[bytes, ...] = ()
    defects: tuple[str, ...] = ()


def opened(
    raw: bytes, found: Sequence[Layer], plaintexts: Sequence[bytes | None], limits: LimitSettings
) -> Unwrapped | None:
    """Return a message as it reads with these plaintexts, None where it reads as it did.

    Args:
        raw: the message.
        found: its layers, as `layers.find` returned them for it.
        plaintexts: for each layer in order what gpg made of it, None for one that was not opened; those that are
            missing at the end were not opened either. That of MIME_SIGNED is not used: what was signed stands in `raw`.
            Of INLINE_SIGNED the text is taken without its frame where gpg's output is missing.
        limits: for reading the plaintext.
    """
    pairs = [(layer, text) for layer, text in zip_longest(found, plaintexts) if layer is not None]
    if not pairs:
        return None
    layer, plaintext = pairs[0]
    if layer.form is Form.MIME_SIGNED:
        return _signed(raw, layer, pairs[1:])
    if layer.form is Form.DEEPER:
        done = [(one, text) for one, text in pairs if text is not None]
        return Unwrapped(message=_spliced(raw, 0, len(raw), pairs), defects=_defects(done)) if done else None
    if plaintext is None and layer.form is Form.INLINE_SIGNED:
        plaintext = cleartext(layers.content(raw, layer))
    if plaintext is None:
        return None
    if layer.form is Form.MIME_ENCRYPTED:
        return _decrypted(raw, plaintext, limits)
    message = _message(_outside(raw), (), _text(plaintext, layer.charset))
    return Unwrapped(message=message, defects=_defects([(layer, plaintext)]))


def _signed(raw: bytes, layer: Layer, deeper: list[tuple[Layer, bytes | None]]) -> Unwrapped:
    outside = _outside(raw)
    checked = compare(outside, split(raw[layer.body.start : layer.body.end]), encrypted=False)
    payload = _spliced(raw, layer.body.start, layer.body.end, deeper)
    message = _message(outside, (), payload)
    return Unwrapped(message=message, headers=checked.headers, defects=_defects(deeper))


def _decrypted(raw: bytes, plaintext: bytes, limits: LimitSettings) -> Unwrapped:
    """Open RFC 3156 section 4: the plaintext is a part with its header, which may be a multipart/signed."""
    found = layers.find(plaintext, limits)
    signed = tuple(layer for layer in found.layers[:1] if layer.form is Form.MIME_SIGNED)
    payload = plaintext
    if signed:
        payload = plaintext[signed[0].body.start : signed[0].body.end]
    elif "content-type" in _names(split(plaintext, begin(plaintext))):
        payload = plaintext[begin(plaintext) :]
    outside = _outside(raw)
    checked = compare(outside, split(payload), encrypted=True)
    return Unwrapped(
        message=_message(outside, _replacing(checked), payload),
        headers=checked.headers,
        layers=signed,
        keys=found.keys,
        defects=() if all(layer.form in _SIGNED for layer in found.layers) else (INNER,),
    )


def _defects(deeper: list[tuple[Layer, bytes | None]]) -> tuple[str, ...]:
    return (INNER,) if any(text is not None and _ARMOUR in text for _, text in deeper) else ()


def _outside(raw: bytes) -> Entity:
    return split(raw, begin(raw))


def _names(entity: Entity) -> set[str]:
    return {field.name for field in entity.fields}


def _replacing(checked: Protected) -> tuple[Field, ...]:
    return (checked.subject,) if checked.subject else ()


def _message(outside: Entity, replacing: tuple[Field, ...], payload: bytes) -> bytes:
    """Put a part into the place of a message's body.

    Our own first line is never missing: behind a header without any, the first lines of a body would be read as one.
    """
    inside = split(payload)
    replaced = {field.name for field in replacing}
    kept = [field for field in outside.fields if not describes_content(field) and field.name not in replaced]
    described = [field for field in inside.fields if describes_content(field) and field.name != "mime-version"]
    head = b"MIME-Version: 1.0\r\n" + joined([*described, *kept, *replacing]) + b"\r\n"
    return head + memoryview(payload)[inside.body :]


def _text(plaintext: bytes, named: str) -> bytes:
    return (
        b"Content-Type: text/plain; charset=%s\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" % _charset(plaintext, named)
        + plaintext
    )


def _charset(plaintext: bytes, named: str) -> bytes:
    """Name the charset of a text: UTF-8 (RFC 9580 section 6.2.2.5), or what its sender says where that cannot be."""
    if named and charset.codec(named):
        if plaintext.isascii():
            return named.encode("ascii")
        try:
            plaintext.decode("utf-8")
        except UnicodeDecodeError:
            return named.encode("ascii")
    return b"utf-8"


def _spliced(raw: bytes, start: int, end: int, deeper: Sequence[tuple[Layer, bytes | None]]) -> bytes:
    """Return raw bytes from `start` to before `end` with plaintexts in the place of what they were encrypted in."""
    pieces: list[bytes | memoryview] = []
    view = memoryview(raw)
    for layer, plaintext in deeper:
        part = layer.part
        if plaintext is None or part is None:
            continue
        pieces.append(view[start : part.start])
        pieces.append(_in_text(plaintext, layer) if part == layer.body else _part(raw, part, layer, plaintext))
        start = part.end
    pieces.append(view[start:end])
    return b"".join(pieces)


def _in_text(plaintext: bytes, layer: Layer) -> bytes:
    """Write a plaintext the way the text around its block is written."""
    if codec := charset.codec(layer.charset):
        plaintext = charset.text(plaintext, "utf-8")[0].encode(codec, "replace")
    return b2a_qp(plaintext) if layer.body.encoding is Encoding.QUOTED_PRINTABLE else plaintext


def _part(raw: bytes, part: Span, layer: Layer, plaintext: bytes) -> bytes:
    """Return what stands in the place of a part: its plaintext, or itself and the plaintext of the block in it."""
    whole = raw[part.start : part.end]
    entity = split(whole)
    kept = joined(field for field in entity.fields if not describes_content(field))
    ciphertext = layers.cut(raw, layer.body)
    inside = _entity(plaintext, entity, layer.charset)
    if is_message(ciphertext) or _ARMOUR not in ciphertext:
        return kept + inside
    boundary = b"opened-" + sha256(whole + plaintext).hexdigest()[:40].encode("ascii")
    described = joined(field for field in entity.fields if describes_content(field))
    return b"".join(
        [
            kept,
            b'Content-Type: multipart/mixed; boundary="%s"\r\n\r\n--%s\r\n' % (boundary, boundary),
            described,
            b"\r\n",
            whole[entity.body :],
            b"\r\n--%s\r\n" % boundary,
            inside,
            b"\r\n--%s--" % boundary,
        ]
    )


def _entity(plaintext: bytes, encrypted: Entity, named: str) -> bytes:
    """Return a plaintext as a part: a part with a header as it is, anything else as text or as a file.

    Base64, so that no line in it can be a boundary of the message around it.
    """
    inside = split(plaintext, begin(plaintext))
    if "/" in inside.first("content-type"):
        described = joined(field for field in inside.fields if describes_content(field))
        return described + b"\r\n" + plaintext[inside.body :]
    name = _name(encrypted)
    if not name and b"\0" not in plaintext[:1000]:
        kind = b"text/plain; charset=" + _charset(plaintext, named)
    else:
        quoted = quote(name or "decrypted", safe="").encode("ascii")
        kind = b"application/octet-stream\r\nContent-Disposition: attachment; filename*=utf-8''" + quoted
    encoded = encodebytes(plaintext).replace(b"\n", b"\r\n")
    return b"Content-Type: " + kind + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + encoded


def _name(encrypted: Entity) -> str:
    """Return the name of an encrypted file without what encryption added to it, "" where it has none."""
    given = headers.parameters(encrypted.first("content-disposition")).get("filename", "")
    name = headers.filename(given or headers.parameters(encrypted.first("content-type")).get("name", ""))
    return name[:-4] if name.lower().endswith(_ENDINGS) else name
