"""The team's key: made, taken over, never lost, written safely; and the tree in which it is published."""

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import gnupg
import pytest
from pgp import Forge

from abuse_triage.errors import ConfigError, InputError, TemporaryError
from abuse_triage.openpgp import teamkey, wkd
from abuse_triage.openpgp.home import CHEAP, Home

RUNTIME = Path("/dev/shm")
PASSPHRASE = "a" * 64


@pytest.fixture(scope="module")
def forge() -> Iterator[Forge]:
    """Everybody's keys."""
    with Forge.open() as forge:
        yield forge


@pytest.fixture(scope="module")
def team() -> tuple[str, bytes]:
    """A team's fingerprint and its file of secret keys."""
    addresses = ["abuse@example.pt", "csirt@example.pt"]
    return teamkey.generate("Équipa <de> Resposta", addresses, passphrase=PASSPHRASE, runtime=RUNTIME, stretch=CHEAP)


def merged(new: bytes, existing: bytes, new_passphrase: str = "", old: str = PASSPHRASE) -> tuple[list[str], bytes]:
    """Merge and return the fingerprints and the file."""
    keys, file = teamkey.merge(
        new, new_passphrase, existing, old, passphrase=PASSPHRASE, runtime=RUNTIME, stretch=CHEAP
    )
    return [key.fingerprint for key in keys], file


def test_a_made_key_has_a_name_for_each_mailbox_and_an_end(team: tuple[str, bytes]) -> None:
    """Two years, ed25519 and cv25519, and no angle brackets of a team's name in the user id."""
    (key,) = teamkey.described(team[1])

    assert team[0] == key.fingerprint
    assert {"Équipa de Resposta <abuse@example.pt>", "Équipa de Resposta <csirt@example.pt>"} == set(key.names)
    end = key.expires(datetime.now(UTC))
    assert end is not None
    assert timedelta(days=728) < end - datetime.now(UTC) < timedelta(days=732)
    assert ["sc", "e"] == [part.uses for part in key.parts]
    assert b" PRIVATE KEY BLOCK-----" in team[1]


def test_stock_gpg_reads_the_file(team: tuple[str, bytes], forge: Forge) -> None:
    """What is written is what gpg writes: another gpg lists it."""
    assert team[0] in forge.gpg("--with-colons", "--show-keys", given=team[1]).decode()


def test_nothing_is_lost_by_taking_over_another_key(team: tuple[str, bytes], forge: Forge) -> None:
    """The retired key still opens what was encrypted to it, after its successor came with another passphrase."""
    fingerprint, file = team
    fingerprints, both = merged(forge.secret(forge.partner), file)
    assert {fingerprint, forge.partner} == set(fingerprints)
    other, alone = teamkey.generate("Other", ["x@example.pt"], passphrase="other", runtime=RUNTIME, stretch=CHEAP)
    fingerprints, three = merged(alone, both, "other")
    assert {fingerprint, forge.partner, other} == set(fingerprints)

    with Home(RUNTIME) as home:
        home.take(three, PASSPHRASE.encode())
        assert [[], [], []] == [home.problems(one) for one in (fingerprint, forge.partner, other)]


def test_a_key_without_its_primary_is_taken_over(forge: Forge) -> None:
    """Where the primary key stays offline, its subkeys are enough to decrypt and to sign."""
    fingerprint = forge.with_signing_subkey
    fingerprints, file = merged(forge.gpg("--export-secret-subkeys", fingerprint), b"")

    assert [fingerprint] == fingerprints
    with Home(RUNTIME) as home:
        home.take(file, PASSPHRASE.encode())
        assert [False, True, True] == [part.secret for part in home.keys[0].parts]
        assert [] == home.problems(fingerprint)


def test_a_renewed_copy_replaces_what_it_says(forge: Forge) -> None:
    """The same key with a new end is the same key; its old subkeys stay."""
    forge.gpg("--quick-gen-key", "Renewed <renewed@example.pt>", "ed25519", "sign,cert", "30d")
    listed = forge.gpg("--with-colons", "--list-keys", "renewed@example.pt").decode()
    fingerprint = listed.split("\nfpr:")[1].split(":")[8]
    forge.gpg("--quick-add-key", fingerprint, "cv25519", "encr", "30d")
    _, first = merged(forge.secret(fingerprint), b"")
    forge.gpg("--quick-set-expire", fingerprint, "1y")
    forge.gpg("--quick-set-expire", fingerprint, "1y", "*")
    _, second = merged(forge.secret(fingerprint), first)

    now = datetime.now(UTC)
    ends = [teamkey.described(file)[0].expires(now) for file in (first, second)]
    assert [True, True] == [end is not None for end in ends]
    assert [29, 364] == [(end - now).days for end in ends if end is not None]


@pytest.mark.parametrize("with_existing", [True, False])
def test_what_has_no_secret_is_refused(team: tuple[str, bytes], forge: Forge, with_existing: bool) -> None:
    """A public key, a message and nothing at all are refused, whether or not there are keys already."""
    for data in (forge.public(forge.partner), forge.encrypted(b"x", forge.partner), b""):
        with pytest.raises(InputError):
            merged(data, team[1] if with_existing else b"")


def test_a_wrong_passphrase_is_told_apart(team: tuple[str, bytes], forge: Forge) -> None:
    """Either the new keys cannot be opened, or those that are there."""
    with pytest.raises(InputError, match="the secret keys cannot be opened"):
        merged(team[1], b"", "wrong")
    with pytest.raises(InputError, match="there already cannot be opened"):
        merged(forge.secret(forge.partner), team[1], old="wrong")


def test_what_is_no_key_file_has_no_keys() -> None:
    """Describing rubbish gives nothing."""
    assert () == teamkey.described(b"rubbish")


def test_a_passphrase_of_a_person_is_stretched(forge: Forge, tmp_path: Path) -> None:
    """Without `stretch` the file takes far more work to guess at."""
    counts = []
    for stretch in (CHEAP, 0):
        _, file = teamkey.merge(
            forge.secret(forge.partner), "", b"", "", passphrase="summer", runtime=RUNTIME, stretch=stretch
        )
        listed = forge.gpg("--list-packets", given=file, codes=(0, 2)).decode(errors="replace")
        counts.append(int(listed.split("protect count: ")[1].split()[0]))
    assert 65_536 == counts[0]  # the least that gpg writes into a file
    assert counts[1] > 1_000_000


def test_a_file_is_written_wholly_and_for_its_owner_only(tmp_path: Path) -> None:
    """0600 even where there was a file that others could read, and no temporary file stays."""
    path = tmp_path / "key"
    path.write_text("old")
    path.chmod(0o644)
    teamkey.write(path, b"new")

    assert (b"new", 0o600) == (path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
    assert [path] == list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full changes nothing."""
    path = tmp_path / "key"
    path.write_text("old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        teamkey.write(path, b"new")
    assert ["old"] == [one.read_text() for one in tmp_path.iterdir()]


def test_a_gpg_that_makes_or_exports_nothing_is_reported(
    team: tuple[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No empty file is taken for a key."""
    monkeypatch.setattr(gnupg.GPG, "export_keys", lambda *_arguments, **_options: "")
    with pytest.raises(InputError, match="does not export"):
        merged(team[1], b"", PASSPHRASE)
    monkeypatch.setattr(gnupg.GPG, "gen_key_input", lambda *_arguments, **_options: "Key-Type: NONE\n%commit\n")
    with pytest.raises(TemporaryError, match="does not make a key"):
        teamkey.generate("A", ["a@example.pt"], passphrase=PASSPHRASE, runtime=RUNTIME)


def test_the_name_of_an_address_is_that_of_the_draft() -> None:
    """The example of draft-koch-openpgp-webkey-service section 3.1."""
    assert "iy9q119eutrkn8s1mk4r39qejnbu3n5q" == wkd.name("Joe.Doe@Example.ORG")


def test_stock_gpg_finds_the_same_name(forge: Forge) -> None:
    """Gpg computes the same names for the addresses of a key."""
    listed = forge.gpg("--with-wkd-hash", "--list-keys", forge.partner).decode()
    assert f"{wkd.name('rita@example.pt')}@example.pt" in listed


def test_a_tree_has_both_methods_for_one_domain() -> None:
    """The advanced method below the domain's name, the direct one without it, a policy file in each."""
    found = wkd.tree([("a@example.pt", b"A"), ("B@Example.PT", b"B")])
    a, b = wkd.name("a@x"), wkd.name("b@x")
    direct, advanced = ".well-known/openpgpkey", ".well-known/openpgpkey/example.pt"
    assert {
        f"{root}/{file}": content
        for root in (direct, advanced)
        for file, content in (("policy", b""), (f"hu/{a}", b"A"), (f"hu/{b}", b"B"))
    } == found


def test_a_tree_of_two_domains_does_not_mix_them() -> None:
    """Names are of local parts only: the direct method would show one domain's key for the other's."""
    found = wkd.tree([("a@example.pt", b"A"), ("a@example.org", b"O")])
    name = wkd.name("a@x")
    assert b"A" == found[f".well-known/openpgpkey/example.pt/hu/{name}"]
    assert b"O" == found[f".well-known/openpgpkey/example.org/hu/{name}"]
    assert 4 == len(found)
