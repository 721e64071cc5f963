"""Letters with signatures, the zones of those who sign, and a check of both in the process of the test."""

import base64
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import dkim
import nacl.signing
from servers.nsd import text

from abuse_triage.model.message import Authentication
from abuse_triage.model.settings import LimitSettings
from abuse_triage.service import checker
from abuse_triage.service.checker import Answer, Request, Start

BODY = (
    b"Bom dia,\r\n\r\no servidor 203.0.113.7  tentou entrar por SSH no nosso.\t\r\n"
    b"Nov 20 10:01:07 gw sshd[811]: Failed password for root from 203.0.113.7\r\n\r\n\r\n"
)
HEADERS = (b"from", b"to", b"subject", b"date", b"message-id")


@dataclass(frozen=True)
class Key:
    """A pair: what signs, and the data of its TXT record."""

    private: bytes
    record: str
    algorithm: bytes


@cache
def rsa(bits: int, exponent: int = 65537) -> Key:
    """Make an RSA key, once for all tests of a process."""
    private = openssl("genrsa", "-traditional", *(("-3",) if exponent == 3 else ()), str(bits))
    public = base64.b64encode(openssl("rsa", "-pubout", "-outform", "DER", given=private)).decode()
    return Key(private, f"v=DKIM1; k=rsa; p={public}", b"rsa-sha256")


@cache
def ed25519() -> Key:
    """Make an Ed25519 key (RFC 8463)."""
    private = nacl.signing.SigningKey.generate()
    public = base64.b64encode(bytes(private.verify_key)).decode()
    return Key(base64.b64encode(bytes(private)), f"v=DKIM1; k=ed25519; p={public}", b"ed25519-sha256")


def openssl(*arguments: str, given: bytes = b"") -> bytes:
    """Run openssl."""
    return subprocess.run(("openssl", *arguments), input=given, capture_output=True, check=True).stdout


def letter(author: str = "Rita Sousa <rita@example.pt>", *, body: bytes = BODY, extra: bytes = b"") -> bytes:
    """Write a message; `author` is the value of From, `extra` are further fields."""
    return (
        extra
        + f"From: {author}\r\nTo: abuse@csirt.example\r\n".encode()
        + b"Subject: Tentativas de acesso a 203.0.113.7\r\nDate: Fri, 20 Nov 2026 10:02:00 +0000\r\n"
        + b"Message-ID: <20261120100200.811@example.pt>\r\n\r\n"
        + body
    )


def signed(
    raw: bytes,
    key: Key,
    domain: str = "example.pt",
    selector: str = "s1",
    *,
    headers: Sequence[bytes] = HEADERS,
    canonical: tuple[bytes, bytes] = (b"relaxed", b"relaxed"),
    length: bool = False,
    identity: str = "",
) -> bytes:
    """Put a signature on top of a message."""
    made = dkim.sign(
        raw,
        selector.encode(),
        domain.encode(),
        key.private,
        signature_algorithm=key.algorithm,
        include_headers=list(headers),
        canonicalize=canonical,
        length=length,
        identity=identity.encode() or None,
    )
    return bytes(made) + raw


def key_records(**keys: Key) -> str:
    """Write the TXT records of keys, from their selectors."""
    return "".join(f"{selector}._domainkey IN TXT {text(key.record)}\n" for selector, key in keys.items())


class Prover:
    """What the checker process does with one message after the other, without the process."""

    def __init__(self, *servers: str, timeout: float = 5.0) -> None:
        """Take resolvers with ports, and the seconds for one message."""
        self._timeout = timeout
        self._check, _ = checker._check_with(
            Start(servers=servers, timeout=timeout, limits=LimitSettings(), memory=1_000_000_000)
        )

    def answer(
        self, raw: bytes, *, sender: str = "", helo: str = "mx.example.pt", peer: str = "", whole: bool = True
    ) -> Answer:
        """Check a message; without `peer` SPF is not asked."""
        proven, notes = self._check(
            Request(
                number=1,
                sender=sender,
                helo=helo,
                peer=peer,
                whole=whole,
                deadline=time.monotonic() + self._timeout,
            ),
            raw,
        )
        return Answer(number=1, proven=proven, notes=notes, unreachable=False)

    def prove(self, raw: bytes, **envelope: str) -> Authentication:
        """Return what is proven about a message."""
        return self.answer(raw, **envelope).proven  # type: ignore[arg-type]  # only words are given here
