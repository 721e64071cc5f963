"""Key rings for single operations: certificates one after the other, those that were checked before marked as checked.

gpg checks the signatures by which a certificate holds together again in each operation, which costs more than all the
rest of a message. In rings of its own it notes the result beside each signature (its trust packets, tag 12); here such
notes are made for certificates that gpg has found faultless in this process, and thrown away wherever else they stand:
a note that came with a certificate from outside would make gpg believe whatever its author likes.
"""

from collections import OrderedDict
from hashlib import sha256
from typing import NewType

from abuse_triage.openpgp import packets
from abuse_triage.openpgp.gpg import Gpg, RunError

Ring = NewType("Ring", bytes)
"""Certificates that gpg may know in one operation, without notes from outside."""
NOBODY = Ring(b"")
MOST = 256
"""Certificates that are remembered, of at most 64 kB each (`openpgp.max_key`)."""
_CHECKED_AND_VALID = b"\xb0\x06\x00\x03gpg\x00"
"""gpg's note beside a signature (parse-packet.c, parse_trust: flags, cache, magic, kind)."""


class Rings:
    """Makes rings, and remembers what gpg found in certificates; for one thread."""

    def __init__(self, gpg: Gpg) -> None:
        """Take the gpg that checks certificates that were not seen before, an operation for each."""
        self._gpg = gpg
        self._known: OrderedDict[bytes, bytes] = OrderedDict()

    def of(self, *certificates: bytes) -> Ring:
        """Return a ring of certificates in binary form, for `messages`; one that is no certificate is left out."""
        return Ring(b"".join(map(self._one, certificates)))

    def _one(self, certificate: bytes) -> bytes:
        name = sha256(certificate).digest()
        if name in self._known:
            self._known.move_to_end(name)
            return self._known[name]
        try:
            pieces = packets.pieces(certificate)
        except packets.PacketError:
            return b""
        plain = b"".join(octets for tag, octets in pieces if tag != packets.Tag.TRUST)
        count = sum(tag == packets.Tag.SIGNATURE for tag, _ in pieces)
        try:
            faultless = self._good(plain) == count
        except RunError:
            return plain
        self._known[name] = plain if not faultless else b"".join(map(_noted, pieces))
        if len(self._known) > MOST:
            self._known.popitem(last=False)
        return self._known[name]

    def _good(self, certificate: bytes) -> int:
        """Return how many good signatures the certificate has by its own key, -1 if it has any other."""
        run = self._gpg.run("--with-colons", "--check-signatures", ring=certificate)
        lines = [
            line.split(b":", 2) for line in run.output.split(b"\n") if line.startswith((b"sig:", b"rev:", b"rvs:"))
        ]
        return len(lines) if run.code == 0 and all(line[1] == b"!" for line in lines) else -1


def _noted(piece: tuple[int, bytes]) -> bytes:
    tag, octets = piece
    if tag == packets.Tag.TRUST:
        return b""
    return octets + _CHECKED_AND_VALID if tag == packets.Tag.SIGNATURE else octets
