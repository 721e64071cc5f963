"""How a role process hangs on its supervisor: settings come in, status goes out, the end of the pipe means stop."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Protocol

from abuse_triage.model.settings import Settings
from abuse_triage.service import wire

_SETTINGS_LIMIT = 10_000_000


class Stop(Protocol):
    """What a role that runs in a loop needs of a `threading.Event`."""

    def is_set(self) -> bool:
        """Whether the role is asked to stop."""

    def wait(self, timeout: float) -> bool:
        """Sleep for so many seconds, less if asked to stop; tells whether it was."""


def settings_from_supervisor() -> Settings:
    """Read the settings, which are the first frame on standard input."""
    return Settings.model_validate_json(wire.receive(0, _SETTINGS_LIMIT))


def on_stop(callback: Callable[[], None]) -> None:
    """Call back, from a thread or signal handler, once the supervisor is gone or says to stop (SIGTERM)."""
    once = threading.Event()

    def stop() -> None:
        if not once.is_set():
            once.set()
            callback()

    def handler(_signal: int, _frame: FrameType | None) -> None:
        stop()

    def watch() -> None:
        while os.read(0, 1024):
            pass
        stop()

    signal.signal(signal.SIGTERM, handler)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the supervisor, which stops us in order
    threading.Thread(target=watch, name="lifeline", daemon=True).start()


def tell(line: str) -> None:
    """Send one line of status to the supervisor, at most 200 characters; a supervisor that is gone is no error."""
    try:
        os.write(1, line[:200].encode("ascii", "replace") + b"\n")
    except OSError:
        return


def redirect_output() -> None:
    """Keep standard output for status lines: whatever prints by accident goes to the log instead."""
    sys.stdout = sys.stderr
