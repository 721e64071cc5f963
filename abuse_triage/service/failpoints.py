"""Named moments at which a crash test may kill a process; without the variable they cost one look at a constant."""

import os
import signal

VARIABLE = "ABUSE_TRIAGE_FAILPOINT"
"""The environment variable that arms one failpoint: its name, or `name:N` for the N-th time that it is reached."""

_armed, _, _count = os.environ.get(VARIABLE, "").partition(":")
_countdown = {_armed: int(_count or "1")} if _armed else {}


def failpoint(name: str) -> None:
    """Kill this process with SIGKILL, as a power failure would, if `name` is armed and its time has come."""
    if not _countdown or name not in _countdown:
        return
    _countdown[name] -= 1
    if _countdown[name] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
