"""Signatures and ciphertexts that somebody uses a second time, and what is remembered to know them by."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest
from contract.values import parks
from daemon import write_config
from pgp import Forge

from abuse_triage import config, pipeline
from abuse_triage.model.message import Arrival, Channel, Envelope
from abuse_triage.model.openpgp import KeyOrigin, KnownKey, Protection
from abuse_triage.model.settings import Settings
from abuse_triage.openpgp.certificates import inspect
from abuse_triage.service.opening import Opener
from abuse_triage.store import open_store
from abuse_triage.store.interface import Store

RITA, RSA = "rita@example.pt", "rsa@example.pt"
PART = b"Content-Type: text/plain; charset=utf-8\r\n\r\nPhishing em https://login.example.pt/\r\n"


@dataclass
class Desk:
    """Opens messages with the keys of a team that knows two partners."""

    settings: Settings
    store: Store
    opener: Opener
    sent: list[Protection] = field(default_factory=list)

    def open(self, content: bytes, sender: str) -> Protection:
        """Open a message and remember what it brought, as the store does."""
        now = datetime.now(UTC)
        arrival = Arrival(
            id=f"m{len(self.sent):025}",
            received_at=now,
            envelope=Envelope(sender=sender, recipients=("abuse@example.pt",), channel=Channel.SMTP),
            raw=f"From: {sender}\r\nTo: abuse@example.pt\r\nSubject: x\r\nMIME-Version: 1.0\r\n".encode() + content,
        )
        limits = self.settings.limits
        again = partial(pipeline.read_opened, arrival.raw, limits=limits)
        found = self.opener.open(pipeline.read(arrival.raw, limits), arrival, again).protection
        self.store.accept([arrival])
        (claimed,) = self.store.claim(1, timedelta(minutes=5))
        self.store.finish([parks(claimed, signature_id=found.signature_id)])
        self.sent.append(found)
        return found


@pytest.fixture(scope="module")
def forge() -> Iterator[Forge]:
    """Everybody's keys."""
    with Forge.open() as forge:
        yield forge


@pytest.fixture
def desk(forge: Forge, tmp_path: Path) -> Iterator[Desk]:
    """A team with its key and two partners."""
    secret = tmp_path / "team.pgp"
    secret.touch(mode=0o600)
    secret.write_bytes(forge.secret(forge.team))
    settings = config.load(write_config(tmp_path))
    openpgp = settings.openpgp.model_copy(update={"secret_key": secret, "runtime": Path("/dev/shm")})
    settings = settings.model_copy(update={"openpgp": openpgp})
    now = datetime.now(UTC)
    with ExitStack() as opened:
        store = open_store(tmp_path / "store.sqlite")
        opened.callback(store.close)
        for key, address in ((forge.partner, RITA), (forge.with_signing_subkey, RSA)):
            certificate = inspect(forge.public(key), limit=64_000, now=now)
            store.add_key(
                KnownKey(
                    certificate=certificate,
                    origin=KeyOrigin.OPERATOR,
                    addresses=(address,),
                    added_at=now,
                    added_by="test",
                )
            )
        yield Desk(settings, store, opened.enter_context(Opener(settings, store)))


def encrypted(ciphertext: bytes) -> bytes:
    """Wrap a ciphertext as RFC 3156 does."""
    return (
        b'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary="e"\r\n\r\n'
        b"--e\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n"
        b"--e\r\nContent-Type: application/octet-stream\r\n\r\n" + crlf(ciphertext) + b"\r\n--e--\r\n"
    )


def signed(part: bytes, forge: Forge, key: str) -> bytes:
    """Sign a part as RFC 3156 does."""
    return (
        b'Content-Type: multipart/signed; protocol="application/pgp-signature"; micalg=pgp-sha512; boundary="s"\r\n\r\n'
        b"--s\r\n"
        + part
        + b"\r\n--s\r\nContent-Type: application/pgp-signature\r\n\r\n"
        + crlf(forge.detached(part, key))
        + b"\r\n--s--\r\n"
    )


def crlf(text: bytes) -> bytes:
    """Return a text with the line ends of mail."""
    return text.replace(b"\n", b"\r\n")


@pytest.mark.parametrize("signer", ["", "partner"])
def test_a_stolen_ciphertext_in_somebody_elses_signature_is_seen_before_and_not_verified(
    desk: Desk, forge: Forge, signer: str
) -> None:
    """A partner who signs what somebody else encrypted is not its author, and a handler reads so."""
    ciphertext = forge.encrypted(PART, forge.team, signer=signer and getattr(forge, signer))
    assert not desk.open(encrypted(ciphertext), RITA).replayed
    stolen = desk.open(signed(encrypted(ciphertext), forge, forge.with_signing_subkey), RSA)
    assert (True, True, False) == (stolen.from_match, stolen.replayed, stolen.verified)
    assert "encrypted in part, signed, not verified: " in stolen.words
    assert "seen before in another message" in stolen.words


def test_whoever_signs_around_a_ciphertext_has_not_proven_to_know_what_is_in_it(desk: Desk, forge: Forge) -> None:
    """Even one that nobody has seen before: it may be stolen on its way."""
    found = desk.open(signed(encrypted(forge.encrypted(PART, forge.team)), forge, forge.partner), RITA)
    assert (True, False, False) == (found.from_match, found.replayed, found.verified)
    assert "encrypted in part, signed, not verified: the signature is around what was encrypted" == found.words


def test_an_unsigned_ciphertext_that_came_before_is_named(desk: Desk, forge: Forge) -> None:
    """Whoever sends another person's ciphertext in his own name did not write it."""
    ciphertext = forge.encrypted(PART, forge.team)
    assert "encrypted, not signed" == desk.open(encrypted(ciphertext), RITA).words
    assert "encrypted, not signed, seen before in another message" == desk.open(encrypted(ciphertext), RSA).words


def test_one_of_several_ciphertexts_that_came_before_is_enough(desk: Desk, forge: Forge) -> None:
    """It may hide behind one of the sender's own."""
    first, other = (forge.encrypted(part, forge.team, signer=forge.partner) for part in (PART, PART + b"2\r\n"))
    desk.open(encrypted(other), RITA)
    both = b"".join(b"--m\r\n" + encrypted(one) for one in (first, other)) + b"--m--\r\n"
    assert desk.open(b"Content-Type: multipart/mixed; boundary=m\r\n\r\n" + both, RSA).replayed


def test_what_is_remembered_of_an_encrypted_text_confirms_no_guess(desk: Desk, forge: Forge) -> None:
    """Its id is no hash that somebody with the database can compute for a text that he suspects."""
    found = desk.open(encrypted(forge.encrypted(PART, forge.team, signer=forge.partner)), RITA)
    assert found.verified
    assert found.signed_at is not None
    seconds = f"{found.signed_at.timestamp():.0f}"
    guess = sha256(f"{found.signer} {seconds}\n".encode() + PART.translate(None, b" \t\r\n")).hexdigest()
    assert guess != found.signature_id
    assert 64 == len(found.signature_id)
    again = desk.open(encrypted(forge.encrypted(PART, forge.team, signer=forge.partner)), RITA)
    assert again.replayed is (again.signed_at == found.signed_at)
