"""Running gpg within limits: against programs that misbehave, and against the real one."""

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pgp import Forge, fake

from abuse_triage.model.openpgp import Failure
from abuse_triage.openpgp.gpg import Gpg, Limits, RunError, fingerprint

PATIENT = Limits(timeout=30, cpu=1, output=100_000)
QUICK = replace(PATIENT, timeout=0.5)


def failure(gpg: Gpg, *arguments: str | bytes, given: bytes = b"") -> Failure:
    """Return why a run does not count."""
    with pytest.raises(RunError) as caught:
        gpg.run(*arguments, given=given)
    return caught.value.failure


@pytest.fixture
def home(forge: Forge) -> Iterator[Path]:
    """Give a home with the team's secret key."""
    with forge.home(forge.team) as folder:
        yield folder


@pytest.mark.parametrize(
    ("expected", "script"),
    [
        (Failure.TOO_LONG, "sleep 60"),
        (Failure.TOO_LONG, 'exec <&- >&-; eval "exec $S>&-"; sleep 60'),
        (Failure.TOO_LONG, "sleep 60 & exit 0"),
        (Failure.TOO_LARGE, "head -c 10000000 /dev/zero; sleep 60"),
        (Failure.TOO_LARGE, "exec cat /dev/zero"),
        (Failure.UNTRUSTED_OUTPUT, 'exec yes "[GNUPG:] NEWSIG" >&$S'),
        (Failure.UNTRUSTED_OUTPUT, 'echo "gpg: Good signature" >&$S'),
        (Failure.UNTRUSTED_OUTPUT, 'printf "[GNUPG:] NEWSIG" >&$S'),
        (Failure.UNTRUSTED_OUTPUT, "kill -SEGV $$"),
        (Failure.TOO_LONG, "kill -XCPU $$"),
        (Failure.TOO_LONG, "kill -KILL $$"),
    ],
)
def test_a_program_that_misbehaves_is_ended(tmp_path: Path, expected: Failure, script: str) -> None:
    """Hanging, flooding, babbling and dying each have a reason, and end within the limit."""
    limits = QUICK if expected is Failure.TOO_LONG else PATIENT
    start = time.monotonic()
    assert expected == failure(
        Gpg(tmp_path, limits, program=fake(tmp_path, script)), "--decrypt", given=bytes(1_000_000)
    )
    assert time.monotonic() - start < 20


def test_all_that_it_started_ends_with_it(tmp_path: Path) -> None:
    """Children of a gpg that hangs are ended, too."""
    mark = f"60.{os.getpid()}"

    def alive() -> bool:
        lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")]
        return b"sleep\0" + mark.encode() + b"\0" in lines

    def becomes(wanted: bool) -> bool:
        deadline = time.monotonic() + 5
        while alive() is not wanted and time.monotonic() < deadline:
            time.sleep(0.01)
        return alive() is wanted

    gpg = Gpg(tmp_path, replace(PATIENT, timeout=3), program=fake(tmp_path, f"sleep {mark} & wait"))
    seen: list[bool] = []
    watch = threading.Thread(target=lambda: seen.append(becomes(wanted=True)))
    watch.start()
    assert failure(gpg, "--decrypt") is Failure.TOO_LONG
    watch.join()
    assert seen == [True]
    assert becomes(wanted=False)


def test_input_that_is_not_read_is_no_error(tmp_path: Path) -> None:
    """A gpg that has seen enough may close its input; what counts is what it said."""
    gpg = Gpg(tmp_path, PATIENT, program=fake(tmp_path, 'exec <&-; echo "[GNUPG:] BADMDC" >&$S; exit 2'))
    run = gpg.run("--decrypt", given=bytes(5_000_000))
    assert (2, 1) == (run.code, run.statuses.count("BADMDC"))


def test_stderr_is_never_read(tmp_path: Path) -> None:
    """What gpg writes for people counts for nothing, however much it is."""
    script = 'head -c 1000000 /dev/zero >&2; echo "[GNUPG:] GOODSIG 0123456789ABCDEF x" >&2'
    run = Gpg(tmp_path, PATIENT, program=fake(tmp_path, script)).run("--verify")
    assert () == run.statuses.lines


def test_output_up_to_the_limit(tmp_path: Path) -> None:
    """The limit itself is allowed, one octet more is not."""
    limit = PATIENT.output
    allowed = Gpg(tmp_path, PATIENT, program=fake(tmp_path, f"head -c {limit} /dev/zero"))
    assert limit == len(allowed.run("--decrypt").output)
    beyond = Gpg(tmp_path, PATIENT, program=fake(tmp_path, f"head -c {limit + 1} /dev/zero"))
    assert failure(beyond, "--decrypt") is Failure.TOO_LARGE


def test_it_runs_within_limits_and_a_clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its limits are set before it gets input; it knows nothing of our environment, and is in a session of its own."""
    monkeypatch.setenv("GNUPGHOME", "/nowhere")
    monkeypatch.setenv("LC_ALL", "pt_PT.UTF-8")
    monkeypatch.setenv("SECRET", "secret")
    script = "cat > /dev/null; cat /proc/self/limits; echo; env; echo; cut -d' ' -f5,6 /proc/$$/stat; echo $$; pwd"
    limits = Limits(timeout=30, cpu=7, memory=256_000_000)
    output = Gpg(tmp_path, limits, program=fake(tmp_path, script)).run("--decrypt", given=b"x").output.decode()
    table, environment, rest = output.split("\n\n")
    found = {line[:26].strip(): line[26:].split()[:2] for line in table.split("\n")}
    assert ["7", "8"] == found["Max cpu time"]
    assert ["256000000"] * 2 == found["Max address space"]
    assert ["0"] * 2 == found["Max core file size"]
    assert ["0"] * 2 == found["Max file size"]
    variables = dict(line.split("=", 1) for line in environment.split("\n"))
    assert {"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"], "GNUPGHOME": str(tmp_path)} == {
        name: value for name, value in variables.items() if name not in {"PWD", "SHLVL", "_", "OLDPWD"}
    }
    session, pid, folder = rest.split("\n")[:3]
    assert [pid, pid] == session.split()
    assert folder == "/"


def test_a_loop_ends_by_its_cpu_time(tmp_path: Path) -> None:
    """A gpg that computes without end is ended by the kernel, long before the clock."""
    limits = Limits(timeout=60, cpu=1)
    assert (
        failure(Gpg(tmp_path, limits, program=fake(tmp_path, "while :; do :; done")), "--decrypt") is Failure.TOO_LONG
    )


def test_no_gpg_is_a_fault_of_the_installation(tmp_path: Path) -> None:
    """A program that is not there, or cannot be run, is our fault, with a reason and advice."""
    gpg = Gpg(tmp_path, QUICK, program="/nowhere/gpg")
    assert failure(gpg, "--decrypt") is Failure.ENGINE
    assert not gpg.has_secret_keys(b"")


@pytest.mark.parametrize(
    "word", ["", "rita", "0123456789ABCDEF", "0" * 39, "a" * 40, "0" * 40 + "\n", "--output=/tmp/x"]
)
def test_only_fingerprints_name_keys(word: str) -> None:
    """Names, key ids, lower case and what looks like options are refused."""
    with pytest.raises(ValueError, match="fingerprint"):
        fingerprint(word)


@pytest.mark.parametrize(
    "word", ["-o", "rita@example.pt", "/etc/passwd", "--output=/tmp/x", "--options\n", "0x" + "0" * 40]
)
def test_only_harmless_arguments_are_passed(tmp_path: Path, word: str) -> None:
    """What is neither an option of ours, nor a fingerprint, nor octets never reaches a command line."""
    with pytest.raises(ValueError, match="gpg is given"):
        Gpg(tmp_path, QUICK, program="/bin/true").run("--decrypt", word)


def test_nothing_stays_open(forge: Forge, home: Path, tmp_path: Path) -> None:
    """Neither success nor any failure leaves a descriptor or a child behind."""
    real, broken = Gpg(home, Limits()), Gpg(tmp_path, QUICK, program=fake(tmp_path, "sleep 60"))

    def use() -> int:
        real.run("--list-secret-keys", b"a file", ring=forge.public(forge.team))
        for gpg in (broken, Gpg(home, QUICK, program="/nowhere")):
            assert failure(gpg, "--decrypt", b"a file") in {Failure.TOO_LONG, Failure.ENGINE}
        with pytest.raises(ValueError, match="gpg is given"):
            real.run("--decrypt", b"a file", "rita")
        return len(list(Path("/proc/self/fd").iterdir()))

    assert use() == use()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_threads_may_share_one(forge: Forge, home: Path) -> None:
    """Operations at the same time do not mix what goes in and comes out."""
    gpg, ring = Gpg(home, Limits()), forge.public(forge.team)
    texts = [f"texto {number}\n".encode() * 20_000 for number in range(8)]
    ciphertexts = [forge.encrypted(text, forge.team) for text in texts]
    outputs: dict[int, bytes] = {}

    def work(number: int) -> None:
        outputs[number] = gpg.run("--decrypt", ring=ring, given=ciphertexts[number]).output

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert dict(enumerate(texts)) == outputs


def test_only_the_ring_is_known_and_nothing_is_written(forge: Forge, home: Path) -> None:
    """Keys in the home's own ring do not count, and the home stays as it is."""

    def state() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in home.rglob("*") if path.is_file()}

    before, gpg = state(), Gpg(home, Limits())
    made = forge.detached(b"Bom dia", forge.team)
    assert 1 == gpg.run("--verify", made, "-", given=b"Bom dia").statuses.count("NO_PUBKEY")
    run = gpg.run("--verify", made, "-", ring=forge.public(forge.team), given=b"Bom dia")
    assert 1 == run.statuses.count("GOODSIG")
    assert before == state()


def test_has_secret_keys(forge: Forge, home: Path) -> None:
    """It is told whether the agent answers and has a key of the ring."""
    gpg = Gpg(home, Limits())
    assert gpg.has_secret_keys(forge.public(forge.team, forge.partner))
    assert not gpg.has_secret_keys(forge.public(forge.partner))
    assert not gpg.has_secret_keys(b"")
