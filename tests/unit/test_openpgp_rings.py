"""Rings of certificates with gpg's own notes about what it checked."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pgp import Forge, packet

from abuse_triage.model.openpgp import Signature
from abuse_triage.openpgp import messages, packets, rings
from abuse_triage.openpgp.gpg import Gpg, Limits
from abuse_triage.openpgp.rings import Rings

TEXT = b"Bom dia"
NOTE = b"\xb0\x06\x00\x03gpg\x00"


@pytest.fixture(scope="module")
def gpg(forge: Forge) -> Iterator[Gpg]:
    """Give gpg with no secret keys."""
    with forge.home() as folder:
        yield Gpg(folder, Limits())


def noted(certificate: bytes) -> bytes:
    """Put gpg's note that all is well behind each signature, as only gpg should."""
    return b"".join(octets + (NOTE if tag == 2 else b"") for tag, octets in packets.pieces(certificate))


def test_the_notes_are_those_of_gpg(forge: Forge, gpg: Gpg) -> None:
    """A faultless certificate gets the note that gpg writes into its own rings, and all else stays."""
    ring = Rings(gpg).of(forge.public(forge.partner))
    assert noted(forge.public(forge.partner)) == ring
    forge.gpg("--check-signatures")
    assert NOTE in forge.gpg("--export-options", "backup", "--export", forge.partner)
    assert forge.public(forge.partner) == b"".join(o for tag, o in packets.pieces(ring) if tag != packets.Tag.TRUST)


def test_verdicts_stay_the_same(forge: Forge, gpg: Gpg) -> None:
    """Good, expired, revoked and subkeys: the notes change what a check costs, not what it says."""
    made = Rings(gpg)
    for signer, certificate, at in (
        (forge.partner, forge.public(forge.partner), ""),
        (forge.with_signing_subkey, forge.public(forge.with_signing_subkey), ""),
        (forge.expired, forge.public(forge.expired), "20200601T000000"),
        (forge.unrevoked, forge.revoked_certificate, ""),
        (forge.hostile, forge.public(forge.hostile), ""),
    ):
        signature = forge.detached(TEXT, signer, at=at)
        ring = made.of(certificate, forge.public(forge.stranger))
        assert ring.count(NOTE) > 2
        plain = messages.verify_detached(gpg, TEXT, signature, certificate)
        assert plain == messages.verify_detached(gpg, TEXT, signature, ring)
        assert signer == plain.signer


def test_notes_from_outside_are_thrown_away(forge: Forge, gpg: Gpg) -> None:
    """A certificate altered to expire never, with a note that it is checked, fools gpg and not us."""
    signature = forge.detached(TEXT, forge.expired, at="20200601T000000")
    certificate = forge.public(forge.expired)
    at = certificate.index(b"\x05\x09") + 2  # the key expiration time (RFC 9580 section 5.2.3.13)
    altered = noted(certificate[:at] + b"\x7f\xff\xff\xff" + certificate[at + 4 :])
    assert Signature.GOOD is messages.verify_detached(gpg, TEXT, signature, altered).signature, "the control"
    ring = Rings(gpg).of(altered)
    assert NOTE not in ring
    assert Signature.GOOD is not messages.verify_detached(gpg, TEXT, signature, ring).signature


def test_what_is_not_all_good_gets_no_notes(forge: Forge, gpg: Gpg) -> None:
    """Signatures by others, whose keys are not there, and broken ones leave the certificate as it came."""
    forge.gpg("--yes", "--local-user", forge.stranger, "--quick-sign-key", forge.with_signing_subkey)
    by_others = forge.public(forge.with_signing_subkey)
    assert by_others == Rings(gpg).of(by_others)
    broken = bytearray(forge.public(forge.partner))
    broken[-3] ^= 1
    assert bytes(broken) == Rings(gpg).of(bytes(broken))
    two = forge.public(forge.partner) + packet(2, bytes(30))
    assert two == Rings(gpg).of(two)


def test_what_is_no_certificate_is_left_out(forge: Forge, gpg: Gpg) -> None:
    """One blob that cannot be cut into packets does not spoil the ring of others."""
    good = forge.public(forge.partner)
    assert noted(good) == Rings(gpg).of(b"garbage", good, good[:-1], b"")


def test_each_is_checked_once(forge: Forge, gpg: Gpg, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found is remembered for so many, and the oldest make room."""
    monkeypatch.setattr(rings, "MOST", 2)
    made, checks = Rings(gpg), []
    check = gpg.run
    monkeypatch.setattr(gpg, "run", lambda *words, **more: (checks.append(words), check(*words, **more))[1])
    first, second, third = (forge.public(key) for key in (forge.partner, forge.stranger, forge.team))
    for certificates, expected in (((first, second), 2), ((first,), 2), ((third,), 3), ((first,), 3), ((second,), 4)):
        assert b"".join(map(noted, certificates)) == made.of(*certificates)
        assert expected == len(checks)


def test_a_gpg_that_fails_is_asked_again(forge: Forge, gpg: Gpg, tmp_path: Path) -> None:
    """Without a check the certificate is used as it is, and is not remembered."""
    made = Rings(Gpg(tmp_path, Limits(), program="/nowhere"))
    certificate = forge.public(forge.partner)
    assert certificate == made.of(certificate)
    made._gpg = gpg
    assert noted(certificate) == made.of(certificate)
