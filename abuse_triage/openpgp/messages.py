"""What is done with messages: decrypt, check signatures, sign and encrypt, each one gpg operation within limits.

Nothing here looks for keys: the caller gives the ring of those that gpg may know (`rings`), and so decides whose
signature can be good. A signature by a key that is not among them names its key, and the caller may run the operation
again with it.

gpg's SIG_ID is not what replays are found by: an (EC)DSA signature has a second form that is as good and has another
id, and everybody can compute it. The id here is made of signer, time and text, which cannot be changed.
"""

import re
from dataclasses import dataclass, replace
from hashlib import sha256

from abuse_triage.errors import InputError
from abuse_triage.model.openpgp import Failure, Signature
from abuse_triage.openpgp import packets, verdict
from abuse_triage.openpgp.gpg import Gpg, Run, RunError, fingerprint
from abuse_triage.openpgp.rings import Ring
from abuse_triage.openpgp.verdict import Check

_BLOCK = re.compile(
    rb"-----BEGIN PGP SIGNED MESSAGE-----[ \t]*\r?\n"
    rb"(?:Hash: [A-Z0-9, -]{1,100}[ \t]*\r?\n){0,8}"
    rb"[ \t]*\r?\n"
)
"""The begin of a cleartext-signed block; no other header than Hash is allowed (RFC 9580 section 7.1)."""
_FORBIDDEN = re.compile(rb"[\0\x0b\x0c]")
"""No text has them, and gpg up to 2.4.8 reads what follows a form feed wrongly (CVE-2025-68972)."""
_GROWTH, _SMALL = 100, 1_000_000
"""A plaintext may be so many times as large as its ciphertext, and these octets more: logs compress to a fiftieth."""
_MICALG = {"8": "pgp-sha256", "9": "pgp-sha384", "10": "pgp-sha512", "11": "pgp-sha224"}


class UnusableKeyError(InputError):
    """Ours or theirs: a key that should sign, or be encrypted to, is expired, revoked or not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decrypted:
    """What a ciphertext held: `plaintext`, whose integrity is proven, or the reason why there is none.

    `check` is of the signature inside. `key_ids` are those of the recipients' keys, "0" sixteen times for hidden ones.
    `ciphertext_id` tells this ciphertext from all others, to whomever it is encrypted again.
    """

    plaintext: bytes | None = None
    failure: Failure | None = None
    check: Check = verdict.UNSIGNED
    key_ids: tuple[str, ...] = ()
    ciphertext_id: str = ""

    @property
    def signature_id(self) -> str:
        """What a replay is known by: the signature inside, whose text can be encrypted anew, else the ciphertext."""
        return self.check.signature_id or self.ciphertext_id


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedText:
    """The only text that a cleartext signature is about, LF at line ends, b"" where nothing was checked."""

    text: bytes = b""
    check: Check


@dataclass(frozen=True, slots=True, kw_only=True)
class DetachedSignature:
    """An armoured detached signature, and the value of micalg for it (RFC 3156 section 5)."""

    armored: bytes
    micalg: str


def decrypt(gpg: Gpg, ciphertext: bytes, ring: Ring, *, most_recipients: int = 32) -> Decrypted:
    """Open a ciphertext, armoured or binary; never fails.

    `ring` needs the team's certificates, too: if the agent has the secret key of none of them, that is ENGINE, and not
    NO_SECRET_KEY, because a dead agent looks the same.
    """
    try:
        message = packets.encrypted(ciphertext, most_recipients)
    except packets.PacketError as error:
        return Decrypted(failure=error.failure)
    opened = Decrypted(key_ids=message.key_ids, ciphertext_id=message.digest)
    try:
        most = _GROWTH * len(message.packets) + _SMALL
        run = gpg.run("--decrypt", ring=ring, given=message.packets, most=most)
    except RunError as error:
        return replace(opened, failure=error.failure)
    failure = verdict.decryption(run.statuses, run.code)
    if failure is Failure.NO_SECRET_KEY and not gpg.has_secret_keys(ring):
        failure = Failure.ENGINE  # a dead agent has no key either, but that passes
    if failure is not None:
        return replace(opened, failure=failure)
    return replace(opened, plaintext=run.output, check=_checked(run, run.output))


def verify_detached(gpg: Gpg, signed: bytes, signature: bytes, ring: Ring) -> Check:
    """Check a detached signature, armoured or binary, over exactly these octets. Never fails."""
    try:
        found = packets.signatures(signature)
    except packets.PacketError as error:
        return verdict.failed(error.failure)
    if len(found.issuers) > 1:
        return Check(signature=Signature.MIXED)
    try:
        run = gpg.run("--verify", found.packets, "-", ring=ring, given=signed)
    except RunError as error:
        return verdict.failed(error.failure, found.issuers[0])
    return _required(_checked(run, signed), found.issuers[0])


def verify_cleartext(gpg: Gpg, block: bytes, ring: Ring) -> SignedText:
    """Check a cleartext-signed block with nothing before or after it. Never fails.

    What gpg gives as the signed text must be the text of the block, or neither is believed.
    """
    block = block.strip(b" \t\r\n") + b"\n"
    try:
        text, armored = _parts(block)
        found = packets.signatures(armored)
    except packets.PacketError as error:
        return SignedText(check=verdict.failed(error.failure))
    if len(found.issuers) > 1:
        return SignedText(check=Check(signature=Signature.MIXED))
    try:
        run = gpg.run("--decrypt", ring=ring, given=block)
    except RunError as error:
        return SignedText(check=verdict.failed(error.failure, found.issuers[0]))
    if run.statuses.count("PLAINTEXT") != 1 or run.statuses.count("BEGIN_DECRYPTION"):
        return SignedText(check=verdict.failed(Failure.UNTRUSTED_OUTPUT))
    if _visible(run.output) != _visible(text):
        return SignedText(check=verdict.failed(Failure.UNTRUSTED_OUTPUT))
    return SignedText(text=run.output, check=_required(_checked(run, run.output), found.issuers[0]))


def issuers(signature: bytes) -> tuple[str, ...]:
    """Return whom a detached signature or cleartext-signed block names as signers: fingerprints or key ids, or nobody.

    Claims, by which the caller chooses the certificates for the check. Never fails.
    """
    try:
        armored = _parts(signature)[1] if _BLOCK.match(signature) else signature
        return tuple(filter(None, packets.signatures(armored).issuers))
    except packets.PacketError:
        return ()


def sign(gpg: Gpg, data: bytes, signer: str, ring: Ring) -> DetachedSignature:
    """Sign exactly these octets with a key of the home, given by its primary key's fingerprint.

    `ring` has its certificate. Raises UnusableKeyError, and RunError where gpg does not work.
    """
    run = gpg.run(
        "--local-user", fingerprint(signer), "--digest-algo=SHA512", "--armor", "--detach-sign", ring=ring, given=data
    )
    if run.statuses.count("INV_SGNR"):
        raise UnusableKeyError(f"the key {signer} cannot sign", advice="See docs/openpgp.md about keys.")
    created = run.statuses.of("SIG_CREATED")
    micalg = _MICALG.get(created[0].arguments[2], "") if len(created) == 1 else ""
    if run.code != 0 or not micalg or run.statuses.count("FAILURE", "ERROR"):
        raise RunError(Failure.ENGINE)
    return DetachedSignature(armored=run.output, micalg=micalg)


def encrypt(gpg: Gpg, data: bytes, recipients: tuple[str, ...], ring: Ring) -> bytes:
    """Encrypt to keys given by fingerprints of primary keys, whose certificates `ring` has; returns an armour.

    Nothing is compressed, so that the length tells nothing about repetitions. Raises UnusableKeyError if one of them
    cannot be encrypted to, and RunError where gpg does not work.
    """
    if not recipients:
        raise ValueError("somebody must be able to read it")
    named = tuple(word for key in recipients for word in ("--recipient", fingerprint(key)))
    run = gpg.run("--armor", "--compress-algo=none", "--no-encrypt-to", *named, "--encrypt", ring=ring, given=data)
    if run.statuses.count("INV_RECP", "NO_RECP"):
        raise UnusableKeyError("one of the keys cannot be encrypted to", advice="See docs/openpgp.md about keys.")
    if run.code != 0 or run.statuses.count("END_ENCRYPTION") != 1 or run.statuses.count("FAILURE", "ERROR"):
        raise RunError(Failure.ENGINE)
    return run.output


def _checked(run: Run, text: bytes) -> Check:
    """Judge the signature of an operation, and give it an id."""
    check = verdict.signature(run.statuses, run.code)
    if not check.signer or check.signed_at is None:
        return check
    hashed = sha256(f"{check.signer} {check.signed_at.timestamp():.0f}\n".encode() + _visible(text))
    return replace(check, signature_id=hashed.hexdigest())


def _required(check: Check, issuer: str) -> Check:
    """Return the check of a signature that is there: gpg must have seen it, too."""
    if check.signature is Signature.NONE:
        return verdict.failed(Failure.UNTRUSTED_OUTPUT, issuer)
    return replace(check, issuer=max(check.issuer, issuer, key=len))


def _visible(text: bytes) -> bytes:
    """Return a text without blanks and line ends, of which signatures of texts leave out some (RFC 9580 7.2)."""
    return text.translate(None, b" \t\r\n")


def _parts(block: bytes) -> tuple[bytes, bytes]:
    """Cut a cleartext-signed block (RFC 9580 section 7) into text, without dashes escaped, and armoured signature."""
    begin = _BLOCK.match(block)
    text, mark, signature = block.partition(b"\n-----BEGIN PGP SIGNATURE-----")
    if begin is None or not signature.rstrip().endswith(b"-----END PGP SIGNATURE-----"):
        raise packets.PacketError(Failure.MALFORMED)
    if block.count(b"-----END PGP SIGNATURE-----") > 1 or _FORBIDDEN.search(block):
        raise packets.PacketError(Failure.MALFORMED)
    body = text[begin.end() :]
    if b"\n-----" in b"\n" + body:  # an unescaped dash: another block, or a mail system's work
        raise packets.PacketError(Failure.SEVERAL)
    return (b"\n" + body).replace(b"\n- ", b"\n")[1:], mark[1:] + signature
