"""The private GnuPG home: keys that are unlocked once, an agent that ends with its process, folders that are short."""

import os
import select
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pgp import Forge

from abuse_triage.errors import ConfigError, InputError, TemporaryError
from abuse_triage.openpgp import command, teamkey
from abuse_triage.openpgp.agent import Agent
from abuse_triage.openpgp.command import CommandError, run
from abuse_triage.openpgp.home import CHEAP, Home
from abuse_triage.openpgp.runtime import in_memory, private_folder, runtime_folder

PASSPHRASE = "correct horse % battery é"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def forge() -> Iterator[Forge]:
    """Everybody's keys."""
    with Forge.open() as forge:
        yield forge


@pytest.fixture(scope="module")
def team() -> tuple[str, bytes]:
    """A team's fingerprint and its file of secret keys."""
    return teamkey.generate(
        "CSIRT Exemplo", ["abuse@example.pt"], passphrase=PASSPHRASE, runtime=Path("/dev/shm"), stretch=CHEAP
    )


@pytest.fixture
def runtime() -> Iterator[Path]:
    """A folder with a short path."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


def processes_with(text: str) -> list[int]:
    """Return the ids of processes that have a text in their command line, zombies aside."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if text.encode() in (process / "cmdline").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue
    return found


def test_a_home_signs_and_decrypts_without_being_asked(team: tuple[str, bytes], runtime: Path) -> None:
    """With the right passphrase both work, no matter which passphrase a run of gpg brings: none."""
    fingerprint, file = team
    with Home(runtime) as home:
        home.take(file, PASSPHRASE.encode())
        assert [] == home.problems(fingerprint)
        assert [fingerprint] == [key.fingerprint for key in home.keys]
        assert home.certificates() == home.certificates([fingerprint])
        assert 0o700 == stat.S_IMODE(home.folder.stat().st_mode)
    assert [] == list(runtime.iterdir())


def test_nothing_on_the_way_shows_the_passphrase(
    team: tuple[str, bytes], runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands in no argument of a process and in no file of the home, in no form."""
    seen = []

    class Watched(subprocess.Popen):
        def __init__(self, args: tuple[str, ...], **options: object) -> None:
            seen.append(" ".join(map(str, args)) + str(options.get("env")))
            super().__init__(args, **options)

    monkeypatch.setattr(subprocess, "Popen", Watched)
    with Home(runtime) as home:
        home.take(team[1], PASSPHRASE.encode())
        home.problems(team[0])
        files = b"".join(path.read_bytes() for path in home.folder.rglob("*") if path.is_file())
    assert len(seen) > 3
    assert b"protected-private-key" in files
    for form in (PASSPHRASE, PASSPHRASE.encode().hex()):
        assert form.lower() not in "".join(seen).lower()
        assert form.lower().encode() not in files.lower()


def test_a_wrong_passphrase_opens_nothing(team: tuple[str, bytes], runtime: Path) -> None:
    """It is refused at once, not at the first message."""
    with Home(runtime) as home:
        with pytest.raises(InputError, match="cannot be opened"):
            home.take(team[1], b"wrong")
        assert () == home.keys
        assert ["the secret key of " + team[0] + " is not in it"] == home.problems(team[0])


@pytest.mark.parametrize("kind", ["nothing", "certificate", "text"])
def test_what_is_no_secret_key_is_refused(forge: Forge, runtime: Path, kind: str) -> None:
    """A public key or a text in place of secret keys is theirs to mend."""
    data = {"nothing": b"", "certificate": forge.public(forge.partner), "text": b"hello"}[kind]
    with Home(runtime) as home, pytest.raises(InputError):
        home.take(data, b"")


def test_keys_without_a_passphrase_are_taken_too(forge: Forge, runtime: Path) -> None:
    """An export without a passphrase works as it is."""
    with Home(runtime) as home:
        home.take(forge.secret(forge.partner), b"")
        assert [] == home.problems(forge.partner)


def test_unlocking_costs_nothing_per_message(team: tuple[str, bytes], runtime: Path) -> None:
    """Whatever protects the file, fifty signatures take the agent less time than unlocking it once for each would."""
    strong = teamkey.merge(team[1], PASSPHRASE, b"", "", passphrase=PASSPHRASE, runtime=runtime)[1]
    with Home(runtime) as home:
        home.take(strong, PASSPHRASE.encode())
        pid = home._agent.ask("GETINFO pid").decode()

        def cpu() -> float:
            fields = Path(f"/proc/{pid}/stat").read_text().split()
            return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")

        before = cpu()
        for _ in range(50):
            run(home.folder, "--local-user", team[0], "--detach-sign", given=b"x")
        assert cpu() - before < 1.0


def test_an_agent_that_died_comes_back_unlocked(team: tuple[str, bytes], runtime: Path) -> None:
    """`revive` starts it again with what it knew, and leaves one that lives alone."""
    with Home(runtime) as home:
        home.take(team[1], PASSPHRASE.encode())
        assert not home.revive()
        os.kill(int(home._agent.ask("GETINFO pid")), signal.SIGKILL)
        assert select.select([home._agent._process], [], [], 5)[0]
        assert [] != home.problems(team[0])
        assert home.revive()
        assert [] == home.problems(team[0])


def test_a_kill_leaves_no_agent_and_the_next_home_no_folder(runtime: Path) -> None:
    """After SIGKILL of its process the agent ends by itself, and its folder goes when the next home is made."""
    code = (
        "import os, pathlib, sys; from abuse_triage.openpgp.home import Home;"
        "h = Home(pathlib.Path(sys.argv[1])); print(h.folder, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(runtime)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert -signal.SIGKILL == done.returncode
    folder = Path(done.stdout.strip())
    assert folder.is_dir()
    give_up = time.monotonic() + 30
    while processes_with(str(folder)) and time.monotonic() < give_up:
        time.sleep(0.1)
    assert [] == processes_with(str(folder))

    with Home(runtime) as home:
        assert [home.folder] == list(runtime.iterdir())


def test_a_home_ends_its_agent(runtime: Path) -> None:
    """Nothing of it runs after `close`."""
    with Home(runtime) as home:
        assert [] != processes_with(str(home.folder))
    assert [] == processes_with(str(home.folder))


def test_homes_of_the_living_stay(runtime: Path) -> None:
    """A second home beside the first leaves it alone, and so does a folder that is not ours to judge."""
    (runtime / "gpg-mine").mkdir()
    with Home(runtime) as first, Home(runtime) as second:
        assert {first.folder, second.folder, runtime / "gpg-mine"} == set(runtime.iterdir())
        assert first.folder != second.folder


def test_every_passphrase_can_become_another(forge: Forge, team: tuple[str, bytes], runtime: Path) -> None:
    """Keys with and without passphrases get a common one."""
    with Home(runtime) as home:
        home.take(team[1], PASSPHRASE.encode())
        home.take(forge.secret(forge.partner), b"")
        home.change_passphrase(b"new % one")
        assert [[], []] == [home.problems(team[0]), home.problems(forge.partner)]


def test_an_expired_key_is_no_problem(forge: Forge, runtime: Path) -> None:
    """Nothing may refuse to start for it: it still opens what comes."""
    with Home(runtime) as home:
        home.take(forge.secret(forge.expired), b"")
        assert [] == home.problems(forge.expired)


def test_a_key_without_its_parts_is_named(forge: Forge, runtime: Path) -> None:
    """Where only an encryption subkey is there, decrypting works and signing does not."""
    with Home(runtime) as home:
        home.take(forge.gpg("--export-secret-subkeys", forge.partner), b"")
        (problem,) = home.problems(forge.partner)
        assert "cannot sign" in problem


def test_a_certificate_has_the_user_ids_of_one_address(runtime: Path) -> None:
    """What is published for an address names no other."""
    fingerprint, file = teamkey.generate(
        "A <B>", ["abuse@example.pt", "csirt@example.org"], passphrase=PASSPHRASE, runtime=runtime, stretch=CHEAP
    )
    with Home(runtime) as home:
        home.take(file, PASSPHRASE.encode())
        assert b"A B <csirt@example.org>" in home.certificates()
        one = home.published(fingerprint, "abuse@example.pt")
        assert b"abuse@example.pt" in one
        assert b"example.org" not in one
        assert home.published(fingerprint).startswith(b"-----BEGIN PGP PUBLIC KEY BLOCK-----")
        with pytest.raises(ValueError, match="40 digits"):
            home.certificates(["--output=x"])


def test_a_runtime_folder_that_is_too_long_is_refused(tmp_path: Path) -> None:
    """The message says what to set, and by how much it is too long."""
    long = tmp_path / ("x" * 100)
    long.mkdir()
    with pytest.raises(ConfigError, match=r"openpgp.runtime: .* bytes too long"):
        runtime_folder(long)


def test_the_runtime_folder_comes_from_systemd_then_the_user(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RuntimeDirectory= comes first, then the user's own, then /dev/shm; what is not there is passed over."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        monkeypatch.setenv("RUNTIME_DIRECTORY", f"{one}:/somewhere")
        monkeypatch.setenv("XDG_RUNTIME_DIR", two)
        assert Path(one) == runtime_folder(None)
        monkeypatch.delenv("RUNTIME_DIRECTORY")
        assert Path(two) == runtime_folder(None)
        assert Path(one) == runtime_folder(Path(one))
    assert Path("/dev/shm") == runtime_folder(None)
    with pytest.raises(ConfigError, match="may write"):
        runtime_folder(Path(two))
    monkeypatch.setattr(os, "access", lambda *_arguments: False)
    with pytest.raises(ConfigError, match="name a folder in memory"):
        runtime_folder(None)


def test_a_folder_on_a_disk_is_told_from_one_in_memory() -> None:
    """/dev/shm is memory, the checkout is not."""
    assert in_memory(Path("/dev/shm"))
    assert not in_memory(Path("/proc"))


def test_a_folder_that_cannot_be_made_is_a_problem_of_the_configuration() -> None:
    """Where nothing can be made, the key of the setting is named."""
    with pytest.raises(ConfigError, match=r"openpgp.runtime: /proc"), private_folder(Path("/proc")):
        pass


def test_without_gnupg_it_says_what_to_install(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither home nor gpg: the package is named, and nothing is left behind."""
    monkeypatch.setitem(command.ENVIRONMENT, "PATH", "/nonexistent")
    assert not command.installed()
    with pytest.raises(TemporaryError) as caught:
        Home(runtime)
    assert "apt-get install" in caught.value.advice
    assert [] == list(runtime.iterdir())


def test_an_agent_that_does_not_start_is_reported(tmp_path: Path) -> None:
    """A home that is no folder has no agent."""
    with pytest.raises(TemporaryError, match="does not start"):
        Agent(tmp_path / "absent", stretch=CHEAP)


def test_an_agent_says_no(runtime: Path) -> None:
    """An unknown command, and an inquiry without an answer, are errors."""
    with Home(runtime) as home:
        with pytest.raises(CommandError, match="gpg-agent says"):
            home._agent.ask("NONSENSE")
        with pytest.raises(CommandError):
            home._agent.ask("GENKEY --no-protection")


def test_an_agent_that_does_not_answer_is_noticed(runtime: Path) -> None:
    """Whoever hangs up in the middle has not said yes; data and status lines before the answer are read."""
    with Home(runtime) as home, socket.create_server(str(runtime / "s"), family=socket.AF_UNIX) as listener:
        assert home._agent.ask("GETINFO version").startswith(b"2.")
        real, home._agent.socket = home._agent.socket, str(runtime / "s")

        def hang_up() -> None:
            for greeting in (b"", b"OK hello\nS STATUS x\n# comment\n"):
                peer, _ = listener.accept()
                peer.sendall(greeting)
                peer.shutdown(socket.SHUT_WR)
                peer.recv(100)
                peer.close()

        other = threading.Thread(target=hang_up)
        other.start()
        for _ in range(2):
            with pytest.raises(OSError, match="does not answer"):
                home._agent.ask("NOP")
        other.join()
        home._agent.socket = real


def test_gpg_that_takes_too_long_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits without end, and a kill is no answer."""
    monkeypatch.setattr(command, "_SECONDS", 0.2)
    with pytest.raises(TemporaryError, match="too long"):
        command._finish(("sleep", "10"), b"", ())
    with pytest.raises(TemporaryError, match="killed"):
        command._finish(("sh", "-c", "kill -9 $$"), b"", ())


@pytest.mark.parametrize("passphrase", [b"two\nlines", b"nul\0", b"x" * 5000])
def test_a_passphrase_is_one_line(passphrase: bytes) -> None:
    """What would be cut, or be read as something else, is refused."""
    with pytest.raises(ValueError, match="one line"):
        run(Path("/nonexistent"), "--version", passphrase=passphrase)
