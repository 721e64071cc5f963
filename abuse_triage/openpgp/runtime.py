"""Folders for private GnuPG homes: where they may lie, that they are short, and that none is left behind."""

import contextlib
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from abuse_triage.errors import ConfigError
from abuse_triage.openpgp.agent import LONGEST_SOCKET

_PREFIX = "gpg-"
_NAME = re.compile(r"gpg-\d{1,10}-[0-9a-f]{6}")
_LAST = "/S.gpg-agent.browser"
"""The longest name of the agent's sockets."""
_IN_MEMORY = {"tmpfs", "ramfs"}
_ESCAPE = re.compile(r"\\([0-7]{3})")


@contextmanager
def private_folder(runtime: Path) -> Iterator[Path]:
    """Make a folder 0700 in another and remove it at the end; raises `ConfigError`.

    What processes that are gone have left there is removed first: each has its folder locked as long as it lives.
    """
    _remove_abandoned(runtime)
    folder, lock = _make(runtime)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def runtime_folder(configured: Path | None) -> Path:
    """Choose the folder for homes: the configured one, systemd's, the user's, or /dev/shm; raises `ConfigError`."""
    if configured is not None:
        if not os.access(configured, os.W_OK | os.X_OK):
            raise ConfigError((f"openpgp.runtime: {configured} is no folder that this user may write",))
        return _short(configured)
    by_systemd = os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    for name in (by_systemd, os.environ.get("XDG_RUNTIME_DIR", ""), "/dev/shm"):  # noqa: S108 -- a folder 0700 in it
        if Path(name).is_absolute() and os.access(name, os.W_OK | os.X_OK):
            return _short(Path(name))
    raise ConfigError(("openpgp.runtime: name a folder in memory that this user may write, such as one on a tmpfs",))


def in_memory(folder: Path) -> bool:
    """Tell whether a folder lies on a file system that is never on a disk, swap aside (proc_pid_mountinfo(5))."""
    best, kind = Path("/"), ""
    real = folder.resolve()
    for line in Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines():
        mounted, _, after = line.partition(" - ")
        place = Path(_ESCAPE.sub(lambda match: chr(int(match[1], 8)), mounted.split(" ")[4]))
        if real.is_relative_to(place) and len(place.parts) >= len(best.parts):
            best, kind = place, after.split(" ")[0]
    return kind in _IN_MEMORY


def _short(folder: Path) -> Path:
    longest = len(os.fsencode(folder)) + len(f"/{_PREFIX}{2**32}-123456{_LAST}")
    if longest > LONGEST_SOCKET:
        excess = longest - LONGEST_SOCKET
        problem = f"{folder} is {excess} bytes too long for the sockets of gpg-agent; name a shorter folder in memory"
        raise ConfigError((f"openpgp.runtime: {problem}",))
    return folder


def _make(runtime: Path) -> tuple[Path, int]:
    """Make a folder and lock it; who removes abandoned ones may come between, and then another is made."""
    while True:
        folder = runtime / f"{_PREFIX}{os.getpid()}-{secrets.token_hex(3)}"
        try:
            folder.mkdir(mode=0o700)
        except OSError as error:
            raise ConfigError((f"openpgp.runtime: {runtime}: {error.strerror}",)) from error
        lock = _locked(folder)
        if lock is not None:
            return folder, lock


def _locked(folder: Path) -> int | None:
    """Lock a folder, as long as the descriptor is open; None where another process has it, or it is gone."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_nlink:
            return descriptor
    os.close(descriptor)
    return None


def _remove_abandoned(runtime: Path) -> None:
    """Remove homes that no process has locked; an agent that is left ends when its folder does."""
    with contextlib.suppress(OSError):
        for folder in runtime.iterdir():
            if _NAME.fullmatch(folder.name) and folder.stat(follow_symlinks=False).st_uid == os.getuid():
                descriptor = _locked(folder)
                if descriptor is not None:
                    shutil.rmtree(folder, ignore_errors=True)
                    os.close(descriptor)
