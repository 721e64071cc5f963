"""Runs gpg for one operation within limits: what goes in, what comes out, and for how long.

python-gnupg is no base for this. It reads gpg's status and gpg's log for people from one stream, cuts that at more
characters than LF, waits without end, keeps any amount of output, and writes signatures to files; its Popen, its pipes
and its threads are made in one private method each that subclasses could only write anew. It stays with what has no
hostile input: making and exporting the team's keys.

gpg-agent is not started from here (`--no-autostart`): it would inherit the limits of one message, and die of them.
"""

import os
import re
import resource
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from abuse_triage.errors import TemporaryError
from abuse_triage.model.openpgp import Failure
from abuse_triage.openpgp import status

_PATH = os.environ.get("PATH", os.defpath)
_PIECE = 65_536
"""Octets that a pipe takes or gives at once."""
_NOW_AND_THEN = 0.02
"""Seconds between two looks at the status, if nothing else happens: a full pipe holds gpg up no longer."""
_BEYOND = 1_048_576
"""gpg's own limit of output is so much higher than ours: it stops without a word, and we want to know."""
_OPTIONS = (
    "--no-options",
    "--batch",
    "--no-tty",
    "--no-verbose",
    "--no-greeting",
    "--pinentry-mode=error",
    "--no-autostart",
    "--no-random-seed-file",
    "--no-auto-check-trustdb",
    "--no-auto-key-retrieve",
    "--no-auto-key-locate",
    "--disable-dirmngr",
    "--lock-never",
    "--trust-model=always",
    "--exit-on-status-write-error",
)
_FINGERPRINT = re.compile(r"[0-9A-F]{40}")
_ARGUMENT = re.compile(r"--[a-z][a-z-]*(?:=[A-Za-z0-9,-]{1,40})?|[0-9A-F]{40}|-")


class RunError(TemporaryError):
    """gpg ended without a result that counts; `failure` says why."""

    def __init__(self, failure: Failure) -> None:
        """Keep the reason."""
        super().__init__(failure.value, advice="See docs/openpgp.md, where every reason stands.")
        self.failure = failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one operation may take: seconds by the clock and of the processor, octets of memory and of output."""

    timeout: float = 20.0
    cpu: int = 10
    memory: int = 512_000_000
    output: int = 50_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What gpg did: its return code, its status, and what it wrote, which proves nothing by itself."""

    code: int
    statuses: status.Statuses
    output: bytes


def fingerprint(word: str) -> str:
    """Return a fingerprint of 40 upper-case hexadecimal digits as it is, the only name of a key that gpg is given."""
    if _FINGERPRINT.fullmatch(word) is None:
        raise ValueError("no fingerprint of 40 upper-case hexadecimal digits")
    return word


class Gpg:
    """gpg with one GnuPG home, whose agent runs. May be used by several threads at once."""

    def __init__(self, home: Path, limits: Limits, *, program: str = "gpg") -> None:
        """Take the home, whose path should have at most 80 octets because of the agent's socket."""
        self._limits = limits
        self._program = shutil.which(program, path=_PATH) or program
        self._environment = {"LC_ALL": "C.UTF-8", "PATH": _PATH, "GNUPGHOME": str(home)}

    def run(self, *arguments: str | bytes, ring: bytes = b"", given: bytes = b"", most: int | None = None) -> Run:
        """Run one operation with `given` on standard input; raises RunError. `most` octets come out, or fewer.

        `ring` holds the only certificates that gpg knows, one after the other in binary form. Arguments are options,
        fingerprints, or octets, which gpg gets as a file in memory that it may read.
        """
        limits = self._limits if most is None else replace(self._limits, output=min(most, self._limits.output))
        with ExitStack() as held:
            ring_file = held.enter_context(_file(ring))
            files = {word: held.enter_context(_file(word)) for word in arguments if isinstance(word, bytes)}
            words = [_checked(word) if isinstance(word, str) else f"/dev/fd/{files[word]}" for word in arguments]
            status_out, status_in = os.pipe()
            held.callback(os.close, status_out)
            with os.fdopen(status_in, "wb", buffering=0) as written_by_gpg:
                options = (
                    f"--status-fd={status_in}",
                    f"--max-output={limits.output + _BEYOND}",
                    "--no-default-keyring",
                    f"--keyring=/dev/fd/{ring_file}",
                )
                process = self._start([*_OPTIONS, *options, *words], (status_in, ring_file, *files.values()))
                held.enter_context(_ended(process))
                written_by_gpg.close()
                self._confine(process.pid)
            output, stream = _exchange(process, given, status_out, limits)
            process.wait()
        return _result(process.returncode, output, stream)

    def has_secret_keys(self, ring: bytes) -> bool:
        """Return whether the agent answers, and has a secret key of the ring; takes hundredths of a second."""
        try:
            run = self.run("--with-colons", "--list-secret-keys", ring=ring)
        except RunError:
            return False
        return run.code == 0 and run.output != b""

    def _start(self, arguments: Sequence[str], descriptors: tuple[int, ...]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(  # noqa: S603 -- a list of our own words, see _checked
                [self._program, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                pass_fds=descriptors,
                env=self._environment,
                cwd="/",
                start_new_session=True,
            )
        except OSError:
            raise RunError(Failure.ENGINE) from None

    def _confine(self, pid: int) -> None:
        """Limit a gpg that waits for its input: from outside, because threads forbid to run code after a fork."""
        cpu = self._limits.cpu
        with suppress(ProcessLookupError):  # it ended already
            for name, soft, hard in (
                (resource.RLIMIT_CPU, cpu, cpu + 1),
                (resource.RLIMIT_AS, self._limits.memory, self._limits.memory),
                (resource.RLIMIT_CORE, 0, 0),
                (resource.RLIMIT_FSIZE, 0, 0),
            ):
                resource.prlimit(pid, name, (soft, hard))


def _checked(word: str) -> str:
    if _ARGUMENT.fullmatch(word) is None:
        raise ValueError("gpg is given options, fingerprints and octets only")
    return word


@contextmanager
def _file(content: bytes) -> Iterator[int]:
    """Hold a file in memory, and yield its descriptor."""
    descriptor = os.memfd_create("openpgp")
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(content)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """See to it that a process and all that it started are gone at the end, whatever happens."""
    try:
        yield
    finally:
        if process.returncode is None:  # not waited for yet, so that the number is still its own
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def _exchange(process: subprocess.Popen[bytes], given: bytes, status_out: int, limits: Limits) -> tuple[bytes, bytes]:
    """Write to and read from a process until it has ended; returns output and status, raises RunError.

    gpg writes its status line by line. To be woken by each costs more than to look now and then.
    """
    deadline = time.monotonic() + limits.timeout
    output: list[bytes] = []
    stream: list[bytes] = []
    if process.stdin is None or process.stdout is None:
        raise AssertionError("both are pipes")
    take_output = _collect(process.stdout.fileno(), output, limits.output, Failure.TOO_LARGE)
    take_status = _collect(status_out, stream, status.LONGEST, Failure.UNTRUSTED_OUTPUT)
    os.set_blocking(status_out, False)
    ended = os.pidfd_open(process.pid)
    try:
        with selectors.PollSelector() as selector:
            _feed(selector, process.stdin.fileno(), given, process.stdin.close)
            selector.register(process.stdout, selectors.EVENT_READ, take_output)
            selector.register(ended, selectors.EVENT_READ, lambda: False)
            while selector.get_map():
                left = deadline - time.monotonic()
                if left <= 0:
                    raise RunError(Failure.TOO_LONG)
                for key, _ in selector.select(min(left, _NOW_AND_THEN)):
                    if not key.data():
                        selector.unregister(key.fileobj)
                while take_status():
                    pass
    finally:
        os.close(ended)
    return b"".join(output), b"".join(stream)


def _feed(selector: selectors.BaseSelector, descriptor: int, given: bytes, close: Callable[[], None]) -> None:
    """Have the selector write all of `given` and then close; a reader that goes away early is no error here."""
    os.set_blocking(descriptor, False)
    rest = memoryview(given)

    def write() -> bool:
        nonlocal rest
        try:
            rest = rest[os.write(descriptor, rest[:_PIECE]) :]
        except BrokenPipeError:
            rest = rest[:0]
        if not rest:
            selector.unregister(descriptor)
            close()
        return True

    selector.register(descriptor, selectors.EVENT_WRITE, write)


def _collect(descriptor: int, pieces: list[bytes], most: int, excess: Failure) -> Callable[[], bool]:
    """Return what reads into `pieces`, and returns whether there was something; more than `most` octets raise."""
    left = most

    def read() -> bool:
        nonlocal left
        try:
            piece = os.read(descriptor, _PIECE)
        except BlockingIOError:
            return False
        left -= len(piece)
        if left < 0:
            raise RunError(excess)
        pieces.append(piece)
        return piece != b""

    return read


def _result(code: int, output: bytes, stream: bytes) -> Run:
    if code in {-signal.SIGXCPU, -signal.SIGKILL}:  # the soft and the hard limit of the processor
        raise RunError(Failure.TOO_LONG)
    if code < 0:
        raise RunError(Failure.UNTRUSTED_OUTPUT)
    try:
        statuses = status.read(stream)
    except status.StatusError:
        raise RunError(Failure.UNTRUSTED_OUTPUT) from None
    return Run(code=code, statuses=statuses, output=output)
