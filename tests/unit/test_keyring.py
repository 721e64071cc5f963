"""The team's keys as the configuration names them: what check-config finds, where the passphrase comes from."""

import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pgp import Forge

from abuse_triage import config
from abuse_triage.cli.configuration import create
from abuse_triage.errors import ConfigError
from abuse_triage.model.openpgp import Certificate, KeyOrigin, KnownKey
from abuse_triage.model.settings import Settings
from abuse_triage.openpgp import command
from abuse_triage.service import keymaking, keyring
from abuse_triage.store import open_store


@pytest.fixture(scope="module")
def forge() -> Iterator[Forge]:
    """Everybody's keys."""
    with Forge.open() as forge:
        yield forge


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a configuration and a team's key; tests get a copy."""
    folder = tmp_path_factory.mktemp("team")
    result = keymaking.new_key(config.neutral(), folder)
    create(folder, result.settings, result.files)
    return folder


@pytest.fixture
def settings(made: Path, tmp_path: Path) -> Settings:
    """Settings with a team's key."""
    shutil.copytree(made, tmp_path / "etc")
    return config.load(tmp_path / "etc" / "config.toml")


def changed(settings: Settings, **openpgp: object) -> Settings:
    """Change settings of [openpgp]."""
    return settings.model_copy(update={"openpgp": settings.openpgp.model_copy(update=openpgp)})


def advertising(settings: Settings, fingerprint: str) -> Settings:
    """Advertise another key."""
    return settings.model_copy(update={"team": settings.team.model_copy(update={"openpgp_fingerprint": fingerprint})})


def key_file(settings: Settings) -> Path:
    """Return the file with the secret keys."""
    assert settings.openpgp.secret_key is not None
    return settings.openpgp.secret_key


def passphrase_file(settings: Settings) -> Path:
    """Return the file with the passphrase."""
    assert settings.openpgp.passphrase is not None
    return settings.openpgp.passphrase


def test_a_made_key_has_no_problems(settings: Settings) -> None:
    """What is made passes the check, and opens at once."""
    assert ([], []) == (keyring.problems(settings), keyring.notes(settings))
    home = keyring.team_home(settings)
    assert home is not None
    with home:
        assert [settings.team.openpgp_fingerprint] == [key.fingerprint for key in home.keys]


def test_without_a_key_there_is_nothing_to_check() -> None:
    """A team without OpenPGP has no home, no problem and no note."""
    assert (None, [], []) == (
        keyring.team_home(config.neutral()),
        keyring.problems(config.neutral()),
        keyring.notes(config.neutral()),
    )


def test_the_passphrase_may_be_a_credential(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no file is configured, systemd's credential is taken."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    passphrase_file(settings).rename(folder / keyring.CREDENTIAL)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    assert [] == keyring.problems(changed(settings, passphrase=None))
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    (problem,) = keyring.problems(changed(settings, passphrase=None))
    assert "cannot be opened; no openpgp.passphrase is set, and no credential" in problem


@pytest.mark.parametrize("name", ["secret_key", "passphrase"])
@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("readable", "can be read by others; chmod 600 it"),
        ("absent", "No such file or directory; `abuse-triage key generate` or"),
        ("folder", "is not a file"),
    ],
)
def test_files_must_be_there_and_for_us_only(settings: Settings, name: str, harm: str, words: str) -> None:
    """Both files are checked; the problem names the key of the configuration."""
    file = key_file(settings) if name == "secret_key" else passphrase_file(settings)
    if harm == "readable":
        file.chmod(0o640)
    else:
        file.unlink()
    if harm == "folder":
        file.symlink_to("/dev/null")

    (problem,) = keyring.problems(settings)

    assert problem.startswith(f"openpgp.{name}: {file}")
    assert words in problem


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines\n", b"\xff\n", b"x" * 300, b"bell\x07\n", b"x" * 256])
def test_a_passphrase_file_is_one_line(settings: Settings, content: bytes) -> None:
    """Everything else is a problem before gpg is asked."""
    passphrase_file(settings).write_bytes(content)
    (problem,) = keyring.problems(settings)
    assert problem.startswith("openpgp.passphrase: ")


def test_a_wrong_passphrase_is_a_problem(settings: Settings) -> None:
    """It is found by the check, not by the first report."""
    passphrase_file(settings).write_text("wrong\n")
    (problem,) = keyring.problems(settings)
    assert "the secret keys cannot be opened: the passphrase is wrong" in problem


@pytest.mark.parametrize(
    ("content", "words"), [(b"", "is empty"), (b"garbage\n", "holds no OpenPGP keys, or is damaged")]
)
def test_a_key_file_that_is_none_is_a_problem(settings: Settings, content: bytes, words: str) -> None:
    """It is not said to be the passphrase's fault."""
    key_file(settings).write_bytes(content)
    (problem,) = keyring.problems(settings)
    assert words in problem
    assert "passphrase" not in problem


def test_the_fingerprint_of_a_subkey_names_its_primary(settings: Settings) -> None:
    """Who has copied the wrong line reads the right one."""
    home = keyring.team_home(settings)
    assert home is not None
    with home:
        subkey = home.keys[0].parts[1].fingerprint
    (problem,) = keyring.problems(advertising(settings, subkey))
    assert f"{subkey} is a subkey" in problem
    assert settings.team.openpgp_fingerprint in problem


def test_a_file_that_is_too_large_is_a_problem(settings: Settings) -> None:
    """Nobody reads a disk image as a key."""
    with key_file(settings).open("r+b") as stream:
        stream.truncate(2_000_000)
    (problem,) = keyring.problems(settings)
    assert "larger than 1000000 bytes" in problem


def test_the_advertised_key_must_be_in_the_file(settings: Settings) -> None:
    """Another key than the one reporters are told to use is a problem."""
    (problem,) = keyring.problems(advertising(settings, "A" * 40))
    assert "the secret key of " + "A" * 40 + " is not in it" in problem


def test_both_signing_and_decrypting_must_work(settings: Settings, forge: Forge) -> None:
    """A file with the encryption subkey only is not enough."""
    subkeys = forge.gpg("--export-secret-subkeys", forge.partner)
    result = keymaking.imported(settings, Path("/"), subkeys, "")
    for path, content in result.files.items():
        path.write_bytes(content)
    (problem,) = keyring.problems(advertising(settings, forge.partner))
    assert "cannot sign" in problem
    assert [] == keyring.problems(settings)  # what was there before still works


def test_a_fingerprint_without_secret_key_is_said() -> None:
    """Nothing forbids it, but reports cannot be opened then."""
    (note,) = keyring.notes(advertising(config.neutral(), "A" * 40))
    assert "encrypted reports cannot be opened" in note


def test_a_key_that_has_expired_is_said_and_stops_nothing(settings: Settings, forge: Forge) -> None:
    """A daemon that would not start again would accept no mail."""
    assert settings.openpgp.secret_key is not None
    settings.openpgp.secret_key.write_bytes(forge.secret(forge.expired))
    expired = changed(advertising(settings, forge.expired), passphrase=None)
    assert [] == keyring.problems(expired)
    (note,) = keyring.notes(expired)
    assert f"{forge.expired} has expired: answers to reporters wait" in note


def test_a_secret_key_that_nobody_is_told_of_is_said(settings: Settings) -> None:
    """The key works, and nothing is signed."""
    silent = advertising(settings, "")
    assert [] == keyring.problems(silent)
    assert ["openpgp.secret_key is there, but team.openpgp_fingerprint is empty: nothing is signed"] == keyring.notes(
        silent
    )


def test_a_runtime_folder_on_a_disk_is_said(settings: Settings) -> None:
    """It works, and the operator is told what is written where."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        on_disk = changed(settings, runtime=Path(folder))
        found = keyring.notes(on_disk)
        assert [] == keyring.problems(on_disk)
    assert [] == found or "is on a disk" in found[0]


def test_without_gnupg_the_problem_says_so(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing gpg is named, with the package."""
    monkeypatch.setitem(command.ENVIRONMENT, "PATH", "/nonexistent")
    (problem,) = keyring.problems(settings)
    assert "gpg is not installed" in problem
    assert "apt-get install" in problem


def known(forge: Forge, expires: datetime | None) -> KnownKey:
    """A partner's key with an end."""
    certificate = Certificate(
        fingerprint=forge.partner,
        key_ids=(forge.partner[-16:],),
        names=("Rita Sousa <rita@example.pt>",),
        emails=("rita@example.pt",),
        blob=b"x",
        created=datetime(2026, 1, 1, tzinfo=UTC),
        expires=expires,
        can_encrypt=True,
    )
    return KnownKey(
        certificate=certificate,
        origin=KeyOrigin.OPERATOR,
        addresses=("rita@example.pt",),
        added_at=datetime(2026, 1, 1, tzinfo=UTC),
        added_by="op",
    )


def test_keys_that_end_soon_are_named(settings: Settings, forge: Forge) -> None:
    """Sixty days before the end, of the team's own key and of those that the operator vouches for."""
    now = datetime.now(UTC)
    store = open_store(settings.store.path)
    try:
        assert [] == keyring.expiring(settings, store, now)
        store.add_key(known(forge, now + timedelta(days=61)))
        assert [] == keyring.expiring(settings, store, now)
        store.add_key(known(forge, now + timedelta(days=59)))
        (line,) = keyring.expiring(settings, store, now)
        assert line.startswith(f"the key {forge.partner} of rita@example.pt expires on ")
        later = now + timedelta(days=700)
        own, partner = keyring.expiring(settings, store, later)
        assert f"the team's own key {settings.team.openpgp_fingerprint} expires on " in own
        assert "expired on" in partner
        key_file(settings).chmod(0o644)
        assert 1 == len(keyring.expiring(settings, store, later))
    finally:
        store.close()


def test_a_key_that_is_not_configured_yet_is_not_lost(tmp_path: Path, forge: Forge) -> None:
    """What was made beside the configuration is merged, even before the configuration names it."""
    first = keymaking.new_key(config.neutral(), tmp_path)
    for path, content in first.files.items():
        path.write_bytes(content)
        path.chmod(0o600)
    second = keymaking.imported(config.neutral(), tmp_path, forge.secret(forge.partner), "")
    for path, content in second.files.items():
        path.write_bytes(content)

    home = keyring.team_home(second.settings)
    assert home is not None
    with home:
        assert {forge.partner, first.settings.team.openpgp_fingerprint} == {key.fingerprint for key in home.keys}


def test_a_configured_passphrase_is_kept(settings: Settings, forge: Forge) -> None:
    """Taking over a key writes no other passphrase, and the key gets the configured one."""
    result = keymaking.imported(settings, Path("/"), forge.secret(forge.partner), "")
    assert [key_file(settings)] == list(result.files)
    assert settings.openpgp == result.settings.openpgp


def test_a_folder_that_does_not_exist_is_no_runtime(settings: Settings) -> None:
    """The problem names the setting."""
    missing = changed(settings, runtime=Path("/nonexistent"))
    with pytest.raises(ConfigError, match=r"openpgp\.runtime"):
        keyring.team_home(missing)
    assert ["openpgp.runtime: /nonexistent is no folder that this user may write"] == keyring.problems(missing)
