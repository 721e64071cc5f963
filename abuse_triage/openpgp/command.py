"""Runs gpg for work on our own keys in a private home.

Whatever others wrote goes another way (`gpg`). Here gpg's status lines are not read at all: what is believed is the
exit code, and the listing that `listing` parses.
"""

import contextlib
import os
import resource
import shutil
import subprocess
from pathlib import Path

from abuse_triage.errors import TemporaryError, TriageError

ENVIRONMENT = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8"}
OPTIONS = (
    "--no-options",
    "--no-tty",
    "--no-verbose",
    "--quiet",
    "--no-autostart",
    "--no-auto-check-trustdb",
    "--no-auto-key-retrieve",
    "--no-auto-key-locate",
    "--disable-dirmngr",
)
"""What every run of gpg has: it asks nobody, starts nothing, and reads no configuration."""
_SECONDS = 20.0
_CPU_SECONDS = 10
_MOST_PASSPHRASE = 4096
"""What a pipe takes at once, on every system (PIPE_BUF, pipe(7))."""


class CommandError(TriageError):
    """Ours or theirs, whoever calls knows: gpg said no."""


def installed() -> bool:
    """Tell whether GnuPG is there: gpg with its agent."""
    return all(shutil.which(program, path=ENVIRONMENT["PATH"]) for program in ("gpg", "gpg-agent", "gpgconf"))


def require() -> None:
    """Raise `TemporaryError` where GnuPG is not installed."""
    if not installed():
        raise TemporaryError("gpg is not installed", advice="Install GnuPG: apt-get install gpg gpg-agent gpgconf.")


def run(home: Path, *arguments: str, given: bytes = b"", passphrase: bytes | None = None) -> bytes:
    """Run gpg in a home and return what it wrote on standard output.

    Args:
        home: a GnuPG home of ours.
        arguments: commands and options; nothing that others wrote, keys as 40 digits.
        given: standard input.
        passphrase: for the agent's questions, through a pipe; None lets every question fail.

    Raises:
        CommandError: if its exit code is not 0; what it said is not in the message.
        TemporaryError: if it is not installed, or takes longer than 20 seconds or 10 seconds of CPU.
    """
    with contextlib.ExitStack() as opened:
        descriptors: tuple[int, ...] = ()
        if passphrase is None:
            asking: tuple[str, ...] = ("--batch", "--pinentry-mode", "error")
        else:
            reading = opened.enter_context(os.fdopen(_pipe_with(passphrase), "rb"))
            descriptors = (reading.fileno(),)
            # Not --batch: keys would then be stored as they are, with nobody knowing if the passphrase fits.
            asking = ("--pinentry-mode", "loopback", "--passphrase-fd", str(reading.fileno()))
        command = ("gpg", "--homedir", str(home), *OPTIONS, *asking, *arguments)
        return _finish(command, given, descriptors)


def _finish(command: tuple[str, ...], given: bytes, descriptors: tuple[int, ...]) -> bytes:
    try:
        process = subprocess.Popen(  # noqa: S603 -- a list of our own words, no shell
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=ENVIRONMENT,
            pass_fds=descriptors,
        )
    except FileNotFoundError:
        require()
        raise
    with process:
        try:
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(process.pid, resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
                resource.prlimit(process.pid, resource.RLIMIT_CORE, (0, 0))
            output, _ = process.communicate(given, timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            raise TemporaryError("gpg takes too long", advice="Look at the load of this machine.") from None
        finally:
            process.kill()
    if process.returncode < 0:
        raise TemporaryError("gpg was killed, perhaps for its use of CPU", advice="Look at the load of this machine.")
    if process.returncode:
        raise CommandError(f"gpg ended with code {process.returncode}")
    return output


def _pipe_with(passphrase: bytes) -> int:
    """Return the end of a pipe from which a passphrase can be read."""
    if len(passphrase) >= _MOST_PASSPHRASE or b"\n" in passphrase or b"\0" in passphrase:
        raise ValueError("a passphrase is one line")
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as stream:
        stream.write(passphrase + b"\n")
    return reading
