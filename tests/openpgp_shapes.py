"""Messages in every shape of OpenPGP; what is inside their armour is no real packet, only its frame is."""

from base64 import encodebytes

ARMOUR = "-----BEGIN PGP MESSAGE-----\n\nwcBMA0pUcm9uY29NZW5zYWdlbVNlY3JldGE=\n=AbCd\n-----END PGP MESSAGE-----\n"
SIGNATURE = (
    "-----BEGIN PGP SIGNATURE-----\n\nwsBzBAEBCgAdFiEEdG9kb3Nhc3NpbmFkb3M=\n=AbCd\n-----END PGP SIGNATURE-----\n"
)
KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nxsBNBGNlcnRpZmljYWRv\n=AbCd\n-----END PGP PUBLIC KEY BLOCK-----\n"
CLEARSIGNED = (
    "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nO site https://assinado.example.net/ imita o banco.\n"
    + SIGNATURE
)
HEAD = (
    "From: Ana Silva <ana@example.pt>\nTo: abuse@example.org\nSubject: Phishing contra clientes\n"
    "Date: Mon, 16 Nov 2026 10:00:00 +0000\nMessage-ID: <case-1@example.pt>\nMIME-Version: 1.0\n"
)
REPORT = "Content-Type: text/plain; charset=utf-8\n\nA página https://assinado.example.net/ imita o banco.\n"


def mail(body: str, *, head: str = HEAD, end: str = "\r\n") -> bytes:
    """Return a message with these line ends; `body` begins with its fields."""
    return (head + body).replace("\n", end).encode()


def multipart(kind: str, *parts: str, boundary: str = "b1", params: str = "") -> str:
    """Return a multipart with its header; each part begins with its own."""
    inner = "".join(f"--{boundary}\n{part}\n" for part in parts)
    return f'Content-Type: multipart/{kind}; boundary="{boundary}"{params}\n\n{inner}--{boundary}--\n'


def signature_part(armour: str = SIGNATURE) -> str:
    """Return the second part of a signed message."""
    return f'Content-Type: application/pgp-signature; name="signature.asc"\n\n{armour}'


def signed(part: str = REPORT, *more: str, boundary: str = "b1", armour: str = SIGNATURE) -> str:
    """Return a multipart/signed."""
    return multipart(
        "signed",
        part,
        signature_part(armour),
        *more,
        boundary=boundary,
        params='; micalg=pgp-sha512;\n protocol="application/pgp-signature"',
    )


def encrypted(ciphertext: str = ARMOUR, *more: str, boundary: str = "e1") -> str:
    """Return a multipart/encrypted."""
    return multipart(
        "encrypted",
        "Content-Type: application/pgp-encrypted\n\nVersion: 1\n",
        f'Content-Type: application/octet-stream; name="encrypted.asc"\n\n{ciphertext}',
        *more,
        boundary=boundary,
        params='; protocol="application/pgp-encrypted"',
    )


def attachment(content: bytes, name: str, kind: str = "application/octet-stream") -> str:
    """Return an attached file in base64."""
    return (
        f'Content-Type: {kind}; name="{name}"\nContent-Disposition: attachment; filename="{name}"\n'
        f"Content-Transfer-Encoding: base64\n\n{encodebytes(content).decode()}"
    )


def text(content: str, kind: str = "plain", encoding: str = "8bit") -> str:
    """Return a text part."""
    return f"Content-Type: text/{kind}; charset=utf-8\nContent-Transfer-Encoding: {encoding}\n\n{content}"
