"""A gpg-agent that belongs to this process and ends with it, however this process ends.

gpg-agent(1) watches the command that it is started with: `gpg-agent --daemon cat` ends when cat does, and cat ends when
the pipe from us does, which the kernel closes even after SIGKILL. No thread of ours matters for it, as it would for
prctl(PR_SET_PDEATHSIG).
"""

import contextlib
import os
import select
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, cast

from abuse_triage.errors import TemporaryError
from abuse_triage.openpgp.command import ENVIRONMENT, CommandError, require

LONGEST_SOCKET = 107
"""Bytes in the path of a unix socket (unix(7): 108 with the NUL behind it)."""
_FOREVER = str(10 * 365 * 24 * 3600)
"""Seconds after which a passphrase is forgotten."""
_OPTIONS = (
    *("--options", "/dev/null", "--quiet", "--log-file", "/dev/null"),
    *("--disable-scdaemon", "--no-allow-external-cache", "--pinentry-program", "/bin/false"),
    "--allow-preset-passphrase",
    *("--default-cache-ttl", _FOREVER, "--max-cache-ttl", _FOREVER),
)
_START_SECONDS = 10.0
_END_SECONDS = 2.0
_ANSWER_SECONDS = 10.0
_LONGEST_LINE = 1002


class Agent:
    """A running gpg-agent of one home."""

    def __init__(self, home: Path, *, stretch: int) -> None:
        """Start it.

        Args:
            home: a GnuPG home with a short path, of this user only.
            stretch: how often a passphrase is hashed to protect a key (s2k-count); 0 takes a tenth of a second.

        Raises:
            TemporaryError: if it cannot be started.
        """
        require()
        self._closed = False
        self._home = home
        self.socket = _socket_of(home)
        stretching = ("--s2k-count", str(stretch)) if stretch else ()
        command = ("gpg-agent", "--homedir", str(home), *_OPTIONS, *stretching, "--daemon", "--", "cat")
        self._cat = subprocess.Popen(  # noqa: S603 -- a list of our own words, no shell
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=ENVIRONMENT,
        )
        try:
            self._echo()
            number = int(self.ask("GETINFO pid"))
            self._process = os.pidfd_open(number)
        except (OSError, ValueError, CommandError) as error:
            self._let_go()
            raise TemporaryError(
                "gpg-agent does not start", advice=f"Try it by hand: gpg-agent --homedir {home} --daemon."
            ) from error

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return not self._closed and not select.select([self._process], [], [], 0)[0]

    def ask(self, command: str, answers: Mapping[str, bytes] | None = None) -> bytes:
        """Send one command of the Assuan protocol and return its data (Assuan manual, "Client requests").

        Args:
            command: one line, at most 1,000 bytes, without line ends.
            answers: to what it inquires, by keyword; an inquiry without an answer fails.

        Raises:
            CommandError: if it says no.
            OSError: if it does not answer.
        """
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(_ANSWER_SECONDS)
            peer.connect(self.socket)
            with cast("BinaryIO", peer.makefile("rwb")) as stream:
                _answer(stream.readline(_LONGEST_LINE))
                if answers:
                    _send(stream, b"OPTION pinentry-mode=loopback")
                    _answer(stream.readline(_LONGEST_LINE))
                _send(stream, command.encode("ascii"))
                data = b""
                while True:
                    line = stream.readline(_LONGEST_LINE)
                    if line.startswith(b"D "):
                        data += line[2:].rstrip(b"\n")
                    elif line.startswith(b"INQUIRE "):
                        secret = (answers or {}).get(line.split()[1].decode("ascii", "replace"))
                        if secret is None:
                            _send(stream, b"CAN")
                        else:
                            _send(stream, b"D " + _escaped(secret), b"END")
                    elif not line.startswith((b"S ", b"#")):
                        _answer(line)
                        return data

    def close(self) -> None:
        """End it; twice is fine, for whoever could not start another in its place."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._process, signal.SIGTERM)
            if not select.select([self._process], [], [], _END_SECONDS)[0]:
                signal.pidfd_send_signal(self._process, signal.SIGKILL)
        os.close(self._process)
        self._let_go()
        folder = Path(self.socket).parent
        if folder != self._home:  # one that gpgconf made in /run/user, for this home only
            with contextlib.suppress(OSError):
                folder.rmdir()

    def _echo(self) -> None:
        """Wait until cat runs, which it does once the agent has its sockets."""
        assert self._cat.stdin is not None  # noqa: S101 -- for mypy
        assert self._cat.stdout is not None  # noqa: S101 -- for mypy
        self._cat.stdin.write(b"\n")
        self._cat.stdin.flush()
        ready = select.select([self._cat.stdout], [], [], _START_SECONDS)[0]
        if not ready or not os.read(self._cat.stdout.fileno(), 1):
            raise OSError("it ended")

    def _let_go(self) -> None:
        for stream in (self._cat.stdin, self._cat.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            self._cat.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._cat.kill()
            self._cat.wait()


def _socket_of(home: Path) -> str:
    """Ask where gpg looks for the agent of a home: there, or in /run/user, where that exists."""
    command = ("gpgconf", "--homedir", str(home), "--list-dirs", "agent-socket")
    done = subprocess.run(command, capture_output=True, env=ENVIRONMENT, check=False)  # noqa: S603 -- our own words
    return os.fsdecode(done.stdout.rstrip(b"\n"))


def _send(stream: BinaryIO, *lines: bytes) -> None:
    stream.writelines(line + b"\n" for line in lines)
    stream.flush()


def _answer(line: bytes) -> None:
    """Take the last line of an answer; raises `CommandError` for ERR and OSError for nothing."""
    if line.startswith(b"ERR "):
        raise CommandError(f"gpg-agent says {line[4:].decode('ascii', 'replace').strip()}")
    if not line.startswith(b"OK"):
        raise OSError("gpg-agent does not answer")


def _escaped(data: bytes) -> bytes:
    """Escape data for one line (Assuan manual, "Client requests")."""
    return data.replace(b"%", b"%25").replace(b"\r", b"%0D").replace(b"\n", b"%0A")
