"""`triage` of messages with OpenPGP, made by a stock gpg: opened, checked, explained, and kept nowhere."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from csirt import PHISHING, Csirt
from keyed import RITA, keyed, sealed, written
from openpgp_shapes import multipart, signed, text
from pgp import Forge

from abuse_triage.cli import protection
from abuse_triage.model.openpgp import KeyOrigin, KnownKey, Protection, Signature, Source
from abuse_triage.openpgp import command
from abuse_triage.openpgp.certificates import inspect
from abuse_triage.service.opening import Opener, OpeningError

INSIDE = (
    "Content-Type: text/plain; charset=utf-8\n\n"
    "A phishing page stands at hxxps://login.banco-exemplo[.]pt/entrar on 198.51.100.7.\n"
)


@pytest.fixture(scope="module")
def forge() -> Iterator[Forge]:
    """Everybody's keys."""
    with Forge.open() as forge:
        yield forge


@pytest.fixture
def csirt(tmp_path: Path, forge: Forge) -> Iterator[Csirt]:
    """An installation whose team has a key, and no store."""
    with keyed(tmp_path, forge) as made:
        yield made


def know(csirt: Csirt, forge: Forge, fingerprint: str, origin: KeyOrigin = KeyOrigin.OPERATOR) -> None:
    """Keep a key for Rita's address."""
    now = datetime.now(UTC)
    certificate = inspect(forge.public(fingerprint), limit=64_000, now=now)
    store = csirt.store()
    store.add_key(
        KnownKey(certificate=certificate, origin=origin, addresses=(RITA,), added_at=now, added_by="the operator")
    )
    store.close()


def test_an_encrypted_report_is_explained_by_its_plaintext(csirt: Csirt, forge: Forge) -> None:
    """Without a store the signer is unknown; category, indicators and facts come from inside; no store is made."""
    raw = sealed(forge, INSIDE, forge.team, signer=forge.partner)

    shown = csirt.run("triage", "-", stdin=raw).stdout

    assert "OpenPGP\n  so         encrypted, signature: unknown-key\n  form       pgp-mime-encrypted\n" in shown
    assert "to do      Ask the sender for the key, compare the fingerprint with its owner, then `key add`." in shown
    assert "Decided: fraud (fraud:phishing)" in shown
    assert "* url    hxxps://login[.]banco-exemplo[.]pt/entrar" in shown
    assert "TLP:AMBER is the least for what comes encrypted" in shown
    assert "openpgp.encrypted  " in shown
    assert not list(csirt.folder.glob("*.sqlite*"))


def test_a_verified_report_names_its_signer(csirt: Csirt, forge: Forge) -> None:
    """Keys of the store count; that the message itself is stored makes it no replay, and is said."""
    know(csirt, forge, forge.partner)
    raw = sealed(forge, INSIDE, forge.team, signer=forge.partner)

    shown = csirt.run("triage", "-", stdin=raw).stdout
    found = csirt.json("triage", "-", stdin=raw)

    assert "so         encrypted, signed and verified" in shown
    assert f"signer     {forge.partner}: you vouch for it" in shown
    assert (True, forge.partner, "pinned") == tuple(found["openpgp"][key] for key in ("verified", "signer", "source"))
    assert (False, "", "") == tuple(found["openpgp"][key] for key in ("seen_before", "advice", "problem"))
    assert True is found["facts"]["openpgp.verified"]
    assert "fraud" == found["verdict"]["category"]
    assert {"url", "ipv4"} == {one["indicator"]["kind"] for one in found["indicators"]}


def test_what_cannot_be_opened_says_why_and_what_to_do(csirt: Csirt, forge: Forge) -> None:
    """A message to another key is decided on from outside, with the advice of docs/openpgp.md."""
    raw = sealed(forge, INSIDE, forge.stranger)

    shown = csirt.run("triage", "-", stdin=raw).stdout

    assert "so       could not be decrypted: no secret key" in shown
    assert "to do    It is encrypted to another key" in shown
    assert "Indicators: 0" in shown
    found = csirt.json("triage", "-", stdin=raw)["openpgp"]
    assert ("failed", "no secret key") == (found["encrypted"], found["reason"])
    assert found["advice"].startswith("It is encrypted to another key")


@pytest.mark.parametrize("origin", [KeyOrigin.WKD, KeyOrigin.ATTACHED])
def test_a_key_that_nobody_vouches_for_proves_nobody(csirt: Csirt, forge: Forge, origin: KeyOrigin) -> None:
    """A good signature by it is good, never verified, and says what would make it count."""
    know(csirt, forge, forge.partner, origin)
    part = INSIDE.replace("\n", "\r\n").removesuffix("\r\n")
    signature = forge.detached(part.encode(), forge.partner).decode()
    raw = written(signed(INSIDE.removesuffix("\n"), armour=signature))

    shown = csirt.run("triage", "-", stdin=raw).stdout

    assert f"signed, not verified: key not pinned ({origin})" in shown
    assert "If it should count, compare the fingerprint with its owner (`key show " in shown
    assert False is csirt.json("triage", "-", stdin=raw)["facts"]["openpgp.verified"]
    csirt.take(raw)
    csirt.work(opening=True)
    assert f"`key add {forge.partner} --address ADDRESS`." in csirt.run("ticket", "show", "1").stdout


def test_what_the_store_has_already_is_said(csirt: Csirt, forge: Forge) -> None:
    """A message that is stored is explained as the first of its kind, with a word that a second one is a replay."""
    know(csirt, forge, forge.partner)
    raw = sealed(forge, INSIDE, forge.team, signer=forge.partner)
    csirt.take(raw)
    csirt.work(opening=True)

    shown = csirt.run("triage", "-", stdin=raw).stdout

    assert "so         encrypted, signed and verified" in shown
    assert "before     the store has a message with the same one: this, or else it is replayed" in shown
    assert True is csirt.json("triage", "-", stdin=raw)["openpgp"]["seen_before"]


def test_an_attached_key_and_another_subject_are_shown(csirt: Csirt, forge: Forge) -> None:
    """A protected subject is the subject; the one outside is named, and so are keys that came in clear."""
    inside = 'Content-Type: text/plain; charset=utf-8; hp="cipher"\nSubject: Phishing do banco\n\nphishing\n'
    shown = csirt.run("triage", "-", stdin=sealed(forge, inside, forge.team)).stdout

    assert "subject   Phishing do banco" in shown
    assert "outside    subject ..." in shown

    key = "Content-Type: application/pgp-keys\n\n" + forge.public(forge.partner, armor=True).decode()
    part = text("phishing")
    ciphertext = forge.encrypted(b"phishing", forge.team).decode()
    shown = csirt.run("triage", "-", stdin=written(multipart("mixed", part, text(ciphertext), key))).stdout

    assert "so         encrypted in part, not signed" in shown
    assert f"keys       {forge.partner} (Rita Sousa <rita@example.pt>), attached" in shown


def test_a_key_that_cannot_be_unlocked_is_an_error(csirt: Csirt, forge: Forge) -> None:
    """Exit code 78, as everywhere; a message without OpenPGP asks for no key."""
    (csirt.folder / "team.key").write_bytes(b"nonsense")

    result = csirt.run("triage", "-", stdin=sealed(forge, INSIDE, forge.team), code=78)

    assert "openpgp.secret_key: " in result.stderr
    found = csirt.json("triage", "-", stdin=PHISHING)
    assert None is found["openpgp"]


def test_without_gnupg_there_is_a_warning(csirt: Csirt, forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is explained from outside, and it is said that the daemon would know more."""
    raw = sealed(forge, INSIDE, forge.team)
    monkeypatch.setitem(command.ENVIRONMENT, "PATH", "/nonexistent")

    result = csirt.run("triage", "-", stdin=raw)

    assert result.stderr.startswith("warning: gpg is not installed. OpenPGP in - is not looked at")
    assert "OpenPGP\n  so       not looked at: gpg is not installed\n" in result.stdout
    assert "gpg is not installed" == csirt.json("triage", "-", stdin=raw)["openpgp"]["problem"]


def test_every_word_about_a_signature_has_its_advice() -> None:
    """Whatever is less than a verified signature says what to do, except where there is no signature."""
    quiet = [one for one in Signature if not protection.advice(Protection(signature=one, source=Source.WKD))]
    assert [Signature.NONE, Signature.ERROR] == quiet


def test_where_gnupg_stops_working_there_is_a_warning(
    csirt: Csirt, forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the daemon would try again later is explained from outside now."""

    def fails(*_: object) -> None:
        raise OpeningError("gpg does not work")

    monkeypatch.setattr(Opener, "open", fails)
    result = csirt.run("triage", "-", stdin=sealed(forge, INSIDE, forge.team))
    assert "warning: gpg does not work. OpenPGP in - is not looked at" in result.stderr
    assert "not looked at: gpg does not work" in result.stdout
