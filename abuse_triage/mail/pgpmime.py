"""What we send, signed and encrypted (RFC 3156): from a complete mail to the part that gpg is given, and back.

In two steps, because gpg stands between them: `payload` is what is signed or encrypted, `signed` and `encrypted` put
gpg's answer into the mail again. Header fields are protected as RFC 9788 says, and marked for older programs as well.
"""

import re
from collections.abc import Iterable
from hashlib import sha256

from abuse_triage.mail.fields import Entity, Field, describes_content, joined, split

HIDDEN_SUBJECT = b"Subject: [...]\r\n"
"""What stands outside of an encrypted mail (RFC 9788 section 3.2.1, hcp_baseline)."""

_SIGNATURE_HEAD = (
    b'Content-Type: application/pgp-signature; name="signature.asc"\r\n'
    b'Content-Disposition: attachment; filename="signature.asc"\r\n\r\n'
)
_CIPHERTEXT_HEAD = (
    b'Content-Type: application/octet-stream; name="encrypted.asc"\r\n'
    b'Content-Disposition: inline; filename="encrypted.asc"\r\n\r\n'
)
_TRAILING = re.compile(rb"[ \t](?=\r\n|\Z)")
_TRAILING_IN_HEADER = re.compile(rb"[ \t]+(?=\r\n)")
_FROM = re.compile(rb"^From ", re.MULTILINE)
_MICALG = re.compile(r"pgp-[a-z0-9]{2,20}")
_CHUNK = 40
_THEIRS = frozenset(["in-reply-to", "references"])
_LINE_END = re.compile(rb"\r\n|\r|\n")


def payload(mail: bytes, *, encrypted: bool) -> bytes:
    """Return the part of a mail that is to be signed, or signed and encrypted in one OpenPGP message.

    CRLF line ends, quoted-printable, no blank at the end of a line and no line that begins with "From " (RFC 3156
    sections 3 and 5), so that it survives every transport; only an address in UTF-8 (RFC 6532) stays 8-bit. The fields
    of the mail stand in it (RFC 9788), and in one that is encrypted how they look outside as well; but not the ids that
    it answers, because whoever wrote to us chose them, and nobody's words are signed but ours.

    Args:
        mail: complete, quoted-printable, as `compose` writes it; else `ValueError`.
        encrypted: it is going to be encrypted: Subject will be hidden outside.
    """
    whole = split(mail)
    if whole.first("content-transfer-encoding").lower() != "quoted-printable" or not whole.first("content-type"):
        raise ValueError("only a mail in quoted-printable can be signed")
    fields = [field for field in _of_message(whole) if field.name not in _THEIRS]
    how = b"cipher" if encrypted else b"clear"
    kind = whole.first("content-type").encode("ascii")
    head = b'Content-Type: %s;\r\n protected-headers="v1"; hp="%s"\r\n' % (kind, how)
    head += b"Content-Transfer-Encoding: quoted-printable\r\n" + joined(fields)
    if encrypted:
        head += b"".join(b"HP-Outer: " + outer.raw for outer in _hidden(fields))
    body = _TRAILING.sub(_encoded, mail[whole.body :])
    body = _FROM.sub(b"=46rom ", body)
    return _TRAILING_IN_HEADER.sub(b"", head) + b"\r\n" + body


def signed_part(part: bytes, signature: bytes, micalg: str) -> bytes:
    """Return a multipart/signed with its header (RFC 3156 section 5): what may be encrypted, or stand in a mail.

    Args:
        part: what was signed, as `payload` returned it.
        signature: armoured, detached.
        micalg: the signature's hash as RFC 3156 section 5 names it, such as "pgp-sha512"; else `ValueError`.
    """
    if not _MICALG.fullmatch(micalg):
        raise ValueError("the name of the hash makes no sense")
    boundary = _boundary(part, signature)
    return b"".join(
        [
            b'Content-Type: multipart/signed; micalg="%s";\r\n' % micalg.encode("ascii"),
            b' protocol="application/pgp-signature";\r\n boundary="%s"\r\n\r\n--%s\r\n' % (boundary, boundary),
            part,
            b"\r\n--%s\r\n" % boundary,
            _SIGNATURE_HEAD,
            _lines(signature),
            b"\r\n--%s--\r\n" % boundary,
        ]
    )


def signed(mail: bytes, part: bytes, signature: bytes, micalg: str) -> bytes:
    """Return the mail with a signature; its fields stay as they are outside, and `signed_part` says the rest."""
    return _outside(_of_message(split(mail))) + signed_part(part, signature, micalg)


def encrypted(mail: bytes, ciphertext: bytes) -> bytes:
    """Return the mail with a ciphertext in the place of its body (RFC 3156 section 4), and its Subject hidden.

    Args:
        mail: the mail of which `payload` was encrypted.
        ciphertext: armoured.
    """
    boundary = _boundary(ciphertext)
    return b"".join(
        [
            _outside(_hidden(_of_message(split(mail)))),
            b'Content-Type: multipart/encrypted;\r\n protocol="application/pgp-encrypted";\r\n',
            b' boundary="%s"\r\n\r\n--%s\r\n' % (boundary, boundary),
            b"Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n",
            b"\r\n--%s\r\n" % boundary,
            _CIPHERTEXT_HEAD,
            _lines(ciphertext),
            b"\r\n--%s--\r\n" % boundary,
        ]
    )


def _of_message(whole: Entity) -> list[Field]:
    return [field for field in whole.fields if not describes_content(field)]


def _hidden(fields: Iterable[Field]) -> list[Field]:
    return [Field("subject", HIDDEN_SUBJECT) if field.name == "subject" else field for field in fields]


def _outside(fields: Iterable[Field]) -> bytes:
    return joined(fields) + b"MIME-Version: 1.0\r\n"


def _boundary(*parts: bytes) -> bytes:
    """Return a boundary that is in none of the parts: neither quoted-printable nor armour has "=_" in it."""
    digest = sha256()
    for part in parts:
        digest.update(part)
    return b"=_" + digest.hexdigest()[:_CHUNK].encode("ascii")


def _lines(armoured: bytes) -> bytes:
    return _LINE_END.sub(b"\r\n", armoured.strip()) + b"\r\n"


def _encoded(blank: re.Match[bytes]) -> bytes:
    return b"=%02X" % blank[0][0]
