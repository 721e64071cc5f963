"""`key`: the team's own key from its making to the web server, and partners' keys from the file to their removal."""

import os
import re
import shutil
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from csirt import Csirt, install
from pgp import Forge

from abuse_triage import config
from abuse_triage.cli.main import cli
from abuse_triage.model.openpgp import KeyOrigin, KnownKey
from abuse_triage.openpgp import certificates, command

PARTNER = "rita@example.pt"


@pytest.fixture(scope="module")
def forge() -> Iterator[Forge]:
    """Everybody's keys."""
    with Forge.open() as forge:
        yield forge


@pytest.fixture
def csirt(tmp_path: Path) -> Csirt:
    """An installation without keys."""
    return install(tmp_path / "etc")


@pytest.fixture(scope="module")
def _with_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    csirt = install(tmp_path_factory.mktemp("etc") / "etc")
    configure(csirt, csirt.run("key", "generate").stdout)
    return csirt.folder


@pytest.fixture
def keyed(_with_key: Path, tmp_path: Path) -> Csirt:
    """An installation whose team has a key."""
    shutil.copytree(_with_key, tmp_path / "keyed")
    return Csirt(tmp_path / "keyed")


def configure(csirt: Csirt, printed: str) -> None:
    """Put what a command printed into the configuration, as a person does."""
    text = csirt.path.read_text("utf-8")
    for name, value in re.findall(r'^(\w+) = "(.*)"$', printed, re.MULTILINE):
        text, count = re.subn(rf'^{name} = ""$', f'{name} = "{value}"', text, count=1, flags=re.MULTILINE)
        assert 1 == count, name
    csirt.path.write_text(text, "utf-8")


def file_with(tmp_path: Path, content: bytes) -> str:
    """Write a file and return its path."""
    path = tmp_path / "given"
    path.write_bytes(content)
    return str(path)


def test_generate_says_what_to_configure_and_that_works(csirt: Csirt) -> None:
    """Key and passphrase are for this user only; with the three lines in the configuration the check is content."""
    result = csirt.run("key", "generate")

    assert ["[team]", "[openpgp]"] == [line for line in result.stdout.splitlines() if line.startswith("[")]
    assert "A daemon that runs uses the keys after a restart." in result.stderr
    unnamed = csirt.run("check-config").stderr
    assert f"{csirt.folder / 'team-key.asc'} is there, but openpgp.secret_key does not name it" in unnamed
    configure(csirt, result.stdout)
    assert f"{csirt.path}: no problems\n" == csirt.run("check-config").stderr
    for name in ("team-key.asc", "team-key.passphrase"):
        assert 0o600 == stat.S_IMODE((csirt.folder / name).stat().st_mode)
    passphrase = (csirt.folder / "team-key.passphrase").read_text().strip()
    assert re.fullmatch("[0-9a-f]{64}", passphrase)
    assert passphrase not in result.output
    assert '"event":"key-generated"' in result.stderr
    assert config.load(csirt.path).team.openpgp_fingerprint in result.stderr


def test_generate_replaces_nothing(keyed: Csirt) -> None:
    """A key that is there stays, byte for byte."""
    before = (keyed.folder / "team-key.asc").read_bytes()
    result = keyed.run("key", "generate", code=65)
    assert "exists already" in result.stderr
    assert before == (keyed.folder / "team-key.asc").read_bytes()


def test_check_config_and_serve_refuse_a_key_that_does_not_open(keyed: Csirt) -> None:
    """A wrong passphrase is code 78 for both, with the key of the configuration."""
    (keyed.folder / "team-key.passphrase").write_text("wrong\n")
    for name in ("check-config", "serve"):
        assert "openpgp.secret_key: " in keyed.run(name, code=78).output


def test_check_config_says_what_is_missing_for_encrypted_reports(csirt: Csirt) -> None:
    """A fingerprint without secret key is allowed, with a note."""
    configure(csirt, f'openpgp_fingerprint = "{"A" * 40}"')
    assert "encrypted reports cannot be opened" in csirt.run("check-config").stderr


def test_import_takes_over_and_keeps(keyed: Csirt, forge: Forge, tmp_path: Path) -> None:
    """A second key joins the first; the advertised one stays until the operator changes it."""
    result = keyed.run("key", "import-secret", file_with(tmp_path, forge.secret(forge.partner)))

    assert f"{forge.partner}  Rita Sousa <rita@example.pt>\n" == result.stdout
    assert "key-imported" in result.stderr
    assert "A daemon that runs uses the keys after a restart." in result.stderr
    assert f"signs and is published still; {forge.partner} would, in team.openpgp_fingerprint." in result.stderr
    assert keyed.run("check-config").stderr.endswith("no problems\n")
    text = keyed.path.read_text("utf-8")
    keyed.path.write_text(re.sub(r'openpgp_fingerprint = "\w+"', f'openpgp_fingerprint = "{forge.partner}"', text))
    assert keyed.run("check-config").stderr.endswith("no problems\n")


def test_import_into_an_empty_installation(csirt: Csirt, forge: Forge, tmp_path: Path) -> None:
    """The first key comes with a new passphrase and all that the configuration needs."""
    secret = forge.gpg("--armor", "--export-secret-keys", forge.with_signing_subkey)
    result = csirt.run("key", "import-secret", file_with(tmp_path, secret))
    configure(csirt, "\n".join(line for line in result.stdout.splitlines() if " = " in line))
    assert csirt.run("check-config").stderr.endswith("no problems\n")
    assert forge.with_signing_subkey == config.load(csirt.path).team.openpgp_fingerprint


def test_import_reads_the_passphrase_of_the_file(keyed: Csirt, tmp_path: Path) -> None:
    """A passphrase comes from a file, and a wrong one changes nothing."""
    other = install(tmp_path / "other")
    other.run("key", "generate")
    file, passphrase = other.folder / "team-key.asc", other.folder / "team-key.passphrase"
    before = (keyed.folder / "team-key.asc").read_bytes()

    told = keyed.run("key", "import-secret", str(file), code=65).stderr
    assert "cannot be opened" in told
    assert "--passphrase-file" in told
    passphrase.chmod(0o640)
    told = keyed.run("key", "import-secret", str(file), "--passphrase-file", str(passphrase), code=65).stderr
    assert "can be read by others" in told
    passphrase.chmod(0o600)
    assert before == (keyed.folder / "team-key.asc").read_bytes()
    keyed.run("key", "import-secret", str(file), "--passphrase-file", str(passphrase))
    assert keyed.run("check-config").stderr.endswith("no problems\n")


def test_import_asks_for_the_passphrase_on_a_terminal(
    keyed: Csirt, forge: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal it asks, without echo."""
    monkeypatch.setattr("abuse_triage.cli.ownkey.on_terminal", lambda: True)
    file = file_with(tmp_path, forge.secret(forge.partner))
    result = keyed.run("key", "import-secret", file, stdin=b"\n")
    assert f"Passphrase of {file} (empty for none): " in result.output


def test_import_refuses_what_is_too_large(keyed: Csirt, tmp_path: Path) -> None:
    """A megabyte is no key."""
    assert (
        "larger than 1 MB" in keyed.run("key", "import-secret", file_with(tmp_path, bytes(1_000_001)), code=65).stderr
    )


def test_import_says_that_a_key_has_no_encryption(keyed: Csirt, forge: Forge, tmp_path: Path) -> None:
    """A retired key is taken for what is in the archive."""
    result = keyed.run("key", "import-secret", file_with(tmp_path, forge.secret(forge.expired)))
    assert "no encryption key that is valid now" in result.stderr


def test_publish_writes_key_and_tree(keyed: Csirt, forge: Forge, tmp_path: Path) -> None:
    """Each mailbox is found under its own name, with its own user id only; stock gpg reads all of them."""
    printed = keyed.run("key", "publish", str(tmp_path / "www")).stdout.splitlines()

    files = {path.relative_to(tmp_path / "www"): path for path in (tmp_path / "www").rglob("*") if path.is_file()}
    assert sorted(map(str, files.values())) == sorted(printed)
    fingerprint = config.load(keyed.path).team.openpgp_fingerprint
    armoured = files.pop(Path("EXAMPLE-CSIRT.asc")).read_bytes()
    assert b"PRIVATE" not in armoured
    whole = certificates.inspect(armoured, limit=64_000, now=datetime.now(UTC))
    assert (fingerprint, {"abuse@example.pt", "csirt@example.pt"}) == (whole.fingerprint, set(whole.emails))
    alone = [path for path in files.values() if path.parent.name == "hu"]
    assert 4 == len(alone)
    for path in alone:
        content = path.read_bytes()
        found = certificates.inspect(content, limit=64_000, now=datetime.now(UTC))
        assert (fingerprint, 1) == (found.fingerprint, len(found.names))
        assert path.name in forge.gpg("--with-wkd-hash", "--show-keys", given=content).decode()
    assert 2 == len([path for path in files.values() if path.name == "policy"])


def test_publish_needs_a_key(csirt: Csirt, keyed: Csirt, tmp_path: Path) -> None:
    """Without a key there is nothing, and with another than the advertised one neither."""
    assert "key generate" in csirt.run("key", "publish", str(tmp_path / "www"), code=3).stderr
    text = keyed.path.read_text("utf-8")
    keyed.path.write_text(re.sub(r'openpgp_fingerprint = "\w+"', f'openpgp_fingerprint = "{"A" * 40}"', text))
    assert "is not in openpgp.secret_key" in keyed.run("key", "publish", str(tmp_path / "www"), code=3).stderr
    assert not (tmp_path / "www").exists()


def test_a_partner_s_key_from_file_to_removal(csirt: Csirt, forge: Forge, tmp_path: Path) -> None:
    """It is added for addresses, listed, shown and removed; each change is logged with who made it."""
    file = file_with(tmp_path, forge.public(forge.partner, armor=True))
    added = csirt.run("key", "add", file, "--address", "Rita@example.pt", "--note", "by telephone")
    assert "Compare it by telephone or on paper" in added.stderr
    assert '"event":"key-added"' in added.stderr
    assert PARTNER not in added.stderr.splitlines()[0]

    assert forge.partner in csirt.lines("key", "list")[1]
    (listed,) = csirt.json("key", "list")
    assert ([PARTNER], "by telephone", "operator", True, None) == tuple(
        listed[name] for name in ("addresses", "note", "origin", "can_encrypt", "expires")
    )
    assert "blob" not in listed
    assert [] == csirt.json("key", "list", "--offered")

    shown = csirt.run("key", "show", forge.partner[-16:])
    spaced = " ".join(forge.partner[start : start + 4] for start in range(0, 40, 4))
    assert spaced in shown.stdout
    assert "by telephone" in shown.stdout
    assert listed == csirt.json("key", "show", forge.partner)

    assert '"event":"key-removed"' in csirt.run("key", "remove", forge.partner).stderr
    assert [] == csirt.json("key", "list")
    csirt.run("key", "remove", forge.partner, code=3)
    csirt.run("key", "show", forge.partner, code=3)


def test_a_key_comes_by_standard_input(csirt: Csirt, forge: Forge) -> None:
    """`-` is standard input; an address that the key does not name is accepted with a word."""
    result = csirt.run("key", "add", "-", "--address", "team@example.org", stdin=forge.public(forge.partner))
    assert "does not name team@example.org; your word counts" in result.stderr


def offer(csirt: Csirt, forge: Forge, fingerprint: str) -> None:
    """Let a key come with a report."""
    now = datetime.now(UTC)
    certificate = certificates.inspect(forge.public(fingerprint), limit=64_000, now=now)
    store = csirt.store()
    store.add_key(KnownKey(certificate=certificate, origin=KeyOrigin.ATTACHED, added_at=now, added_by="message 01m7"))
    store.close()


def test_an_offered_key_is_nobody_s_until_it_is_added(csirt: Csirt, forge: Forge) -> None:
    """It shows how it came and that nobody vouches; `key add FINGERPRINT` makes it the operator's."""
    offer(csirt, forge, forge.hostile)
    shown = csirt.run("key", "show", forge.hostile)
    assert "came with a report message 01m7" in shown.stdout
    assert "Nobody vouches for it." in shown.stderr
    assert [] == csirt.json("key", "list")
    lines = csirt.lines("key", "list", "--offered")
    assert 2 == len(lines)
    assert all(line.isprintable() for line in (*lines, *shown.stdout.splitlines()))

    added = csirt.run("key", "add", forge.hostile[-16:], "--address", "eve@example.org")

    assert f"{forge.hostile} came with a report" in added.stderr
    assert [forge.hostile] == [one["fingerprint"] for one in csirt.json("key", "list")]


@pytest.mark.parametrize("kind", ["secret", "revoked", "expired", "two", "huge", "absent", "own"])
def test_unfit_keys_are_not_added(keyed: Csirt, forge: Forge, tmp_path: Path, kind: str) -> None:
    """Each is refused with what to do, and nothing is stored."""
    if kind == "own":
        keyed.run("key", "publish", str(tmp_path / "www"))
    data = {
        "secret": lambda: forge.secret(forge.partner),
        "revoked": lambda: forge.revoked_certificate,
        "expired": lambda: forge.public(forge.expired),
        "two": lambda: forge.public(forge.partner, forge.stranger),
        "huge": lambda: bytes(10_000_000),
        "absent": lambda: b"",
        "own": (tmp_path / "www" / "EXAMPLE-CSIRT.asc").read_bytes,
    }[kind]()
    file = "/nonexistent" if kind == "absent" else file_with(tmp_path, data)
    words = {
        "secret": "SECRET key",
        "revoked": "was revoked",
        "expired": "expired on 2020-12-31",
        "two": "there are 2 keys",
        "huge": "more than 64000 bytes",
        "absent": "No such file",
        "own": "the team's own key",
    }

    result = keyed.run("key", "add", file, "--address", PARTNER, code=65)

    assert words[kind] in result.stderr
    assert [] == keyed.json("key", "list")


def test_a_revoked_copy_takes_the_place_of_the_key(csirt: Csirt, forge: Forge, tmp_path: Path) -> None:
    """It is stored for the same addresses with a word, and the copy from before does not come back."""
    before = file_with(tmp_path, forge.public(forge.unrevoked))
    csirt.run("key", "add", before, "--address", "gone@example.pt", "--note", "by telephone")
    (tmp_path / "revoked.asc").write_bytes(forge.revoked_certificate)

    told = csirt.run("key", "add", str(tmp_path / "revoked.asc")).stderr

    assert f"{forge.unrevoked} was revoked by its owner: this copy takes the place of the one" in told
    assert "for gone@example.pt" in told
    assert '"event":"key-revoked"' in told
    (listed,) = csirt.json("key", "list")
    assert (True, False, ["gone@example.pt"], "by telephone", "operator") == tuple(
        listed[name] for name in ("revoked", "can_encrypt", "addresses", "note", "origin")
    )
    assert "this is a copy from before" in csirt.run("key", "add", before, code=65).stderr
    assert csirt.json("key", "list")[0]["revoked"]


def test_addresses_are_added_and_taken_away(csirt: Csirt, forge: Forge, tmp_path: Path) -> None:
    """Who adds a key again adds to what he said before, and reads all of it; one address goes without the others."""
    file = file_with(tmp_path, forge.public(forge.partner))
    csirt.run("key", "add", file, "--address", PARTNER, "--note", "by telephone")
    told = csirt.run("key", "add", file, "--address", "team@example.org", "--address", PARTNER).stderr
    assert "You vouch for it for rita@example.pt, team@example.org now." in told
    csirt.run("key", "add", file)
    (listed,) = csirt.json("key", "list")
    assert ([PARTNER, "team@example.org"], "by telephone") == (listed["addresses"], listed["note"])

    told = csirt.run("key", "remove", forge.partner, "--address", "Rita@example.pt").stderr

    assert f"You vouch for {forge.partner} for team@example.org now." in told
    assert '"event":"key-addresses-removed"' in told
    csirt.run("key", "remove", forge.partner, "--address", PARTNER, code=3)
    last = csirt.run("key", "remove", forge.partner, "--address", "team@example.org", code=65)
    assert f"To forget it: key remove {forge.partner}" in last.stderr
    (listed,) = csirt.json("key", "list")
    assert (["team@example.org"], "by telephone") == (listed["addresses"], listed["note"])


def test_an_offered_key_has_no_addresses_to_take_away(csirt: Csirt, forge: Forge) -> None:
    """What it names is a claim, and nobody's word."""
    offer(csirt, forge, forge.stranger)
    told = csirt.run("key", "remove", forge.stranger, "--address", "someone@example.org", code=65)
    assert "you do not vouch for" in told.stderr
    assert 1 == len(csirt.json("key", "list", "--offered"))


def test_nobody_vouches_for_the_team_s_own_address(csirt: Csirt, forge: Forge) -> None:
    """A partner's key that spoke for one of our mailboxes would make mail in our name verified."""
    told = csirt.run(
        "key",
        "add",
        "-",
        "--address",
        PARTNER,
        "--address",
        "Abuse@example.pt",
        code=65,
        stdin=forge.public(forge.partner),
    )
    assert "abuse@example.pt: this is the team's own address" in told.stderr
    assert "key import-secret" in told.stderr
    assert [] == csirt.json("key", "list")


def test_wrong_usage_is_told(csirt: Csirt, forge: Forge, tmp_path: Path) -> None:
    """An address is needed, and must be one; an unknown fingerprint is not found."""
    file = file_with(tmp_path, forge.public(forge.partner))
    csirt.run("key", "add", file, code=2)
    assert "is no e-mail address" in csirt.run("key", "add", file, "--address", "Rita", code=2).stderr
    csirt.run("key", "add", "A" * 40, "--address", PARTNER, code=3)


def test_a_key_without_encryption_is_added_with_a_word(csirt: Csirt, forge: Forge) -> None:
    """Its signatures count; answers to it leave unencrypted, and the operator knows."""
    forge.gpg("--quick-gen-key", "Signs only <signs@example.pt>", "ed25519", "sign", "never")
    data = forge.public("signs@example.pt")
    result = csirt.run("key", "add", "-", "--address", "signs@example.pt", stdin=data)
    assert "answers to it leave unencrypted" in result.stderr


def test_long_lists_are_cut_with_a_word(csirt: Csirt, forge: Forge) -> None:
    """--limit cuts, and says so; a key's end is shown."""
    for fingerprint in (forge.partner, forge.expired, forge.stranger):
        offer(csirt, forge, fingerprint)
    result = csirt.run("key", "list", "--offered", "--limit", "2")
    assert "only the newest 2 are shown" in result.stderr
    assert "EXPIRED 2020-12-31" in csirt.run("key", "list", "--offered").stdout
    offer(csirt, forge, forge.unrevoked)
    store = csirt.store()
    now = datetime.now(UTC)
    revoked = certificates.inspect(forge.revoked_certificate, limit=64_000, now=now)
    store.add_key(KnownKey(certificate=revoked, origin=KeyOrigin.WKD, added_at=now, added_by=""))
    store.close()
    assert "REVOKED" in csirt.run("key", "list", "--offered").stdout


def test_status_names_keys_that_end_soon(keyed: Csirt, forge: Forge) -> None:
    """They are counted, and each is named with what to do."""
    forge.gpg("--quick-gen-key", "Ends <ends@example.pt>", "ed25519", "sign", "30d")
    keyed.run("key", "add", "-", "--address", "ends@example.pt", stdin=forge.public("ends@example.pt"))

    result = keyed.run("status")

    assert re.search(r"^openpgp keys expiring +1 ", result.stdout, re.MULTILINE)
    assert "of ends@example.pt expires on " in result.stderr
    assert {"name": "openpgp keys expiring", "count": 1, "oldest": None} in keyed.json("status")


def test_init_makes_a_key(tmp_path: Path) -> None:
    """A first configuration has a key that works, in files for this user only."""
    result = CliRunner().invoke(cli, ["init", "--dir", str(tmp_path / "new"), "--yes"])
    assert 0 == result.exit_code
    made = Csirt(tmp_path / "new")
    fingerprint = config.load(made.path).team.openpgp_fingerprint
    assert f"key is {fingerprint}, valid for two years" in result.stderr
    assert made.run("check-config").stderr.endswith("no problems\n")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in made.folder.iterdir() if path.is_file()}
    assert {"config.toml", "message-id.key", "team-key.asc", "team-key.passphrase"} == set(modes)
    assert {0o600} == set(modes.values())
    assert 'secret_key = "team-key.asc"' in made.path.read_text("utf-8")


def test_init_goes_on_without_gnupg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where GnuPG is absent, everything else is made, and the way to a key is named."""
    monkeypatch.setitem(command.ENVIRONMENT, "PATH", "/nonexistent")
    result = CliRunner().invoke(cli, ["init", "--dir", str(tmp_path / "new"), "--yes"])
    assert 0 == result.exit_code
    assert "No OpenPGP key was made: gpg is not installed" in result.stderr
    assert "key generate" in result.stderr
    assert "" == config.load(tmp_path / "new" / "config.toml").team.openpgp_fingerprint


def test_no_home_outlives_its_command() -> None:
    """What these tests unlocked is gone."""
    assert [] == list(Path("/dev/shm").glob(f"gpg-{os.getpid()}-*"))
