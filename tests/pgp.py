"""Everybody's OpenPGP keys, made by the stock gpg for each run of the tests; no key stands in the repository."""

import base64
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha1
from pathlib import Path
from typing import Self

TEAM = "CSIRT Exemplo <abuse@csirt.example>"
PARTNER = "Rita Sousa <rita@example.pt>"
STRANGER = "Someone Else <someone@example.org>"
HOSTILE = "Eve\n[GNUPG:] GOODSIG 0123456789ABCDEF Rita <rita@example.pt>\r\x85\u2028[GNUPG:] TRUST_ULTIMATE 0 pgp"


@dataclass(frozen=True)
class Forge:
    """A GnuPG home in which everybody's secret keys lie, without passphrases.

    What the properties give are fingerprints of primary keys; each key is made when it is asked for first. A forge is
    the hands of everybody else: messages made by it are those of a stock gpg.
    """

    folder: Path
    _made: dict[str, str] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def open(cls) -> Iterator[Self]:
        """Make an empty home with a short path (sockets may have 107 bytes); ends its agent and removes it."""
        with _home() as folder:
            yield cls(folder)

    def gpg(
        self, *arguments: str, given: bytes = b"", at: str = "", codes: tuple[int, ...] = (0,), passphrase: str = ""
    ) -> bytes:
        """Run the stock gpg, at a time such as "20200101T000000" for it; fails unless it returns one of the codes."""
        clock = ("--faked-system-time", f"{at}!") if at else ()
        unattended = ("--batch", "--no-tty", "--quiet", "--pinentry-mode", "loopback", "--passphrase", passphrase)
        command = ("gpg", "--homedir", str(self.folder), *unattended, *clock, *arguments)
        done = subprocess.run(command, input=given, capture_output=True, check=False)
        assert done.returncode in codes, (arguments, done.stderr)
        return done.stdout

    def generate(
        self, name: str, *, at: str = "", expires: str = "never", algorithm: str = "ed25519", passphrase: str = ""
    ) -> str:
        """Make a key that signs, with a subkey that decrypts, and return its fingerprint."""
        self.gpg("--quick-gen-key", name, algorithm, "cert,sign", expires, at=at, passphrase=passphrase)
        listed = self.gpg("--with-colons", "--list-keys").decode().split("\npub:")[-1]
        fingerprint = listed.split("\nfpr:")[1].split(":")[8]
        decrypts = "cv25519" if algorithm == "ed25519" else algorithm
        self.gpg("--quick-add-key", fingerprint, decrypts, "encr", expires, at=at, passphrase=passphrase)
        return fingerprint

    def _once(self, name: str, **how: str) -> str:
        if name not in self._made:
            self._made[name] = self.generate(name, **how)
        return self._made[name]

    @property
    def team(self) -> str:
        """The team's key: ed25519 and cv25519."""
        return self._once(TEAM)

    @property
    def team_rsa(self) -> str:
        """Another key of the team: RSA-3072 (takes a second or more to make)."""
        return self._once("CSIRT Exemplo (RSA) <abuse@csirt.example>", algorithm="rsa3072")

    @property
    def partner(self) -> str:
        """The key of rita@example.pt, who reports."""
        return self._once(PARTNER)

    @property
    def partner_rsa(self) -> str:
        """The key of rsa@example.pt: RSA-3072 (takes a second or more to make)."""
        return self._once("Rui Santos <rsa@example.pt>", algorithm="rsa3072")

    @property
    def stranger(self) -> str:
        """The key of somebody whom nobody knows."""
        return self._once(STRANGER)

    @property
    def hostile(self) -> str:
        """A key whose name has line ends and what looks like lines of gpg's status stream."""
        return self._once(HOSTILE)

    @property
    def expired(self) -> str:
        """A key of 2020 that expired in 2021; sign with it at "20200601T000000"."""
        return self._once("Old <old@example.pt>", at="20200101T000000", expires="1y")

    @cached_property
    def _revocation(self) -> bytes:
        path = self.folder / "openpgp-revocs.d" / f"{self._once('Gone <gone@example.pt>')}.rev"
        return path.read_bytes().replace(b":-----BEGIN", b"-----BEGIN")

    @property
    def unrevoked(self) -> str:
        """A key with which one may still sign here; `revoked_certificate` is what its owner published since."""
        return self._once("Gone <gone@example.pt>")

    @property
    def revoked_certificate(self) -> bytes:
        """The certificate of `unrevoked` with the revocation, in binary form."""
        with _home() as folder:
            other = Forge(folder)
            other.gpg("--import", given=self.public(self.unrevoked))
            other.gpg("--import", given=self._revocation)
            return other.public(self.unrevoked)

    @property
    def with_signing_subkey(self) -> str:
        """A key that signs by a subkey; what it signs names the subkey, the proof names the primary key."""
        name = "Sara <sara@example.pt>"
        if name not in self._made:
            self.gpg("--quick-add-key", self._once(name), "ed25519", "sign", "never")
        return self._made[name]

    def subkeys(self, fingerprint: str) -> tuple[str, ...]:
        """Return the fingerprints of the subkeys of a key, in the order of the certificate."""
        lines = self.gpg("--with-colons", "--list-keys", fingerprint).decode().split("\n")
        return tuple(line.split(":")[9] for line in lines if line.startswith("fpr:"))[1:]

    def public(self, *fingerprints: str, armor: bool = False) -> bytes:
        """Export certificates: those of several keys one after the other, as a key ring wants them."""
        return b"".join(self.gpg(*_armor(armor), "--export", fingerprint) for fingerprint in fingerprints)

    def secret(self, *fingerprints: str) -> bytes:
        """Export secret keys, without a passphrase, in binary form."""
        return b"".join(self.gpg("--export-secret-keys", fingerprint) for fingerprint in fingerprints)

    def encrypted(
        self, data: bytes, *to: str, signer: str = "", options: tuple[str, ...] = (), armor: bool = True, at: str = ""
    ) -> bytes:
        """Encrypt, signed by a key where one is given, with gpg's own habits such as compression."""
        signing = ("--sign", "--local-user", signer) if signer else ()
        recipients = tuple(word for key in to for word in ("--recipient", key))
        return self.gpg(
            "--always-trust", *_armor(armor), *options, *signing, *recipients, "--encrypt", given=data, at=at
        )

    def detached(self, data: bytes, signer: str, *options: str, armor: bool = True, at: str = "") -> bytes:
        """Sign apart, as RFC 3156 does."""
        return self.gpg(*_armor(armor), *options, "--local-user", signer, "--detach-sign", given=data, at=at)

    def cleartext(self, data: bytes, signer: str, *options: str, at: str = "") -> bytes:
        """Sign text that stays readable (RFC 9580 section 7)."""
        return self.gpg(*options, "--local-user", signer, "--clear-sign", given=data, at=at)

    def encrypted_packets(self, content: bytes, key: str) -> bytes:
        """Encrypt packets as they are, with proof of integrity, where gpg itself would wrap them as data."""
        stock = self.encrypted(b"", key, armor=False)
        told = self.gpg("--show-session-key", "--status-fd", "1", "--output", "/dev/null", "--decrypt", given=stock)
        algorithm, session_key = told.decode().split("SESSION_KEY ")[1].split()[0].split(":")
        assert algorithm == "9", "AES-256"
        prefix = bytes(14) + b"ab" * 2  # a block of noise, its last two octets twice (RFC 9580 section 5.13.1)
        proof = b"\xd3\x14" + sha1(prefix + content + b"\xd3\x14").digest()
        command = ("openssl", "enc", "-aes-256-cfb", "-K", session_key, "-iv", "0" * 32)
        data = subprocess.run(command, input=prefix + content + proof, capture_output=True, check=True).stdout
        width = 1 << (stock[0] & 3)  # of the old header of the session key
        end = 1 + width + int.from_bytes(stock[1 : 1 + width], "big")
        return stock[:end] + packet(18, b"\x01" + data)

    def opened(self, ciphertext: bytes) -> bytes:
        """Decrypt with any of these keys, as a recipient does."""
        return self.gpg("--decrypt", given=ciphertext)

    @contextmanager
    def home(self, *fingerprints: str) -> Iterator[Path]:
        """Make a private GnuPG home that holds only the secret keys of these, with a running agent of its own."""
        with _home() as folder:
            if fingerprints:
                Forge(folder).gpg("--import", given=self.secret(*fingerprints))
            self.start_agent(folder)
            yield folder

    @staticmethod
    def start_agent(home: Path) -> None:
        """Start the agent of a home."""
        subprocess.run(("gpgconf", "--homedir", home, "--launch", "gpg-agent"), check=True, capture_output=True)

    @staticmethod
    def end_agent(home: Path) -> None:
        """End the agent of a home, which forgets all passphrases."""
        subprocess.run(("gpgconf", "--homedir", home, "--kill", "gpg-agent"), check=True, capture_output=True)


def _armor(wanted: bool) -> tuple[str, ...]:
    return ("--armor",) if wanted else ()


@contextmanager
def _home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="pgp", dir="/tmp"))
    (folder / "gpg-agent.conf").write_text("s2k-count 1024\ndisable-scdaemon\n")  # or a passphrase costs seconds
    try:
        yield folder
    finally:
        subprocess.run(("gpgconf", "--homedir", folder, "--kill", "all"), check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def armored(packets: bytes, kind: str = "MESSAGE") -> bytes:
    """Put bytes built by hand into an armour without checksum (RFC 9580 section 6)."""
    lines = base64.encodebytes(packets).decode()
    return f"-----BEGIN PGP {kind}-----\n\n{lines}-----END PGP {kind}-----\n".encode()


def packet(tag: int, body: bytes) -> bytes:
    """Write a packet with a header of the new format and five octets of length (RFC 9580 section 4.2.1)."""
    return bytes([0xC0 | tag, 0xFF]) + len(body).to_bytes(4, "big") + body


def fake(folder: Path, script: str) -> str:
    """Write a program that can be started instead of gpg; in its bash script, $S is where the status goes."""
    program = folder / "gpg"
    words = 'for word in "$@"; do case "$word" in --status-fd=*) S="${word#*=}";; esac; done\n'
    program.write_text(f"#!/bin/bash\n{words}{script}\n")
    program.chmod(0o755)
    return str(program)
