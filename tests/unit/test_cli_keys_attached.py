"""`key add --message`: a key that is attached to a message, in clear or inside of what is encrypted."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from csirt import PHISHING, Csirt
from keyed import RITA, keyed, sealed, written
from openpgp_shapes import multipart, text
from pgp import Forge


@pytest.fixture(scope="module")
def forge() -> Iterator[Forge]:
    """Everybody's keys."""
    with Forge.open() as forge:
        yield forge


@pytest.fixture
def csirt(tmp_path: Path, forge: Forge) -> Iterator[Csirt]:
    """An installation whose team has a key."""
    with keyed(tmp_path, forge) as made:
        yield made


def with_keys(*blobs: bytes) -> str:
    """Return the entity of a mail with keys attached."""
    parts = (f"Content-Type: application/pgp-keys\n\n{blob.decode()}" for blob in blobs)
    return multipart("mixed", text("Our key is attached. A phishing page stands on 198.51.100.7."), *parts)


def journal(csirt: Csirt) -> list[str]:
    """Return what the journal of the one ticket says was done."""
    return [entry["action"] for entry in csirt.json("ticket", "show", "1")["journal"]]


def test_a_key_inside_of_an_encrypted_message_is_taken(csirt: Csirt, forge: Forge) -> None:
    """It is opened for that, which the journal says; the key is the operator's then, with where it came from."""
    given = csirt.take(sealed(forge, with_keys(forge.public(forge.partner, armor=True)), forge.team))
    csirt.work(opening=True)
    assert "decrypted for a key in it" not in journal(csirt)

    result = csirt.run("key", "add", "--message", given, "--address", RITA)

    assert "Rita Sousa <rita@example.pt>" in result.stdout
    assert f"Added for {RITA}. Compare it" in result.stderr
    (known,) = csirt.json("key", "list")
    assert (forge.partner, [RITA], f"attached to message {given}") == tuple(
        known[name] for name in ("fingerprint", "addresses", "note")
    )
    assert 1 == journal(csirt).count("decrypted for a key in it")


def test_a_key_in_clear_is_taken(csirt: Csirt, forge: Forge) -> None:
    """Nothing was decrypted, and nothing is journaled."""
    given = csirt.take(written(with_keys(forge.public(forge.partner, armor=True))))
    csirt.work()

    csirt.run("key", "add", "--message", given, "--address", RITA, "--note", "by telephone")

    assert [(forge.partner, "by telephone")] == [(one["fingerprint"], one["note"]) for one in csirt.json("key", "list")]
    assert "decrypted for a key in it" not in journal(csirt)


def test_of_several_keys_the_fingerprint_says_which(csirt: Csirt, forge: Forge) -> None:
    """Without it each is named; what is no key is left out with a word, and another fingerprint is not found."""
    armoured = [forge.public(one, armor=True) for one in (forge.partner, forge.stranger)]
    damaged = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n????\n-----END PGP PUBLIC KEY BLOCK-----\n"
    given = csirt.take(written(with_keys(*armoured, damaged)))

    asked = csirt.run("key", "add", "--message", given, "--address", RITA, code=65)

    assert f"there are 2 such keys in message {given}" in asked.stderr
    assert f"{forge.partner}  Rita Sousa <rita@example.pt>\n" in asked.stderr
    assert f"{forge.stranger}  " in asked.stderr
    assert "A key in it is left out: " in asked.stderr
    other = csirt.run("key", "add", "A" * 40, "--message", given, "--address", RITA, code=3)
    assert "ends with AAAA" in other.stderr
    assert [] == csirt.json("key", "list")
    csirt.run("key", "add", forge.partner[-16:].lower(), "--message", given, "--address", RITA)
    assert [forge.partner] == [one["fingerprint"] for one in csirt.json("key", "list")]


def test_a_message_without_a_key_says_so(csirt: Csirt, forge: Forge) -> None:
    """Also one that cannot be opened, with what to do about that, and one that does not exist."""
    plain = csirt.take(PHISHING)
    closed = csirt.take(sealed(forge, with_keys(forge.public(forge.partner, armor=True)), forge.stranger))

    asked = csirt.run("key", "add", "--message", plain, "--address", RITA, code=3)
    assert f"no key that can be used is attached to message {plain}" in asked.stderr
    asked = csirt.run("key", "add", "--message", closed, "--address", RITA, code=3)
    assert "as far as it can be opened: no secret key" in asked.stderr
    assert "ask the sender to use the key that you publish" in asked.stderr
    csirt.run("key", "add", "--message", "01m7zzzzzzzzzzzzzzzzzzzzzz", "--address", RITA, code=3)


def test_a_source_is_needed(csirt: Csirt) -> None:
    """Neither file nor fingerprint nor message is wrong usage."""
    assert "--message ID" in csirt.run("key", "add", "--address", RITA, code=2).stderr
