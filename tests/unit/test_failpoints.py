"""Failpoints kill the process, and only when they are armed."""

import os
import signal
import subprocess
import sys

import pytest

from abuse_triage.service.failpoints import VARIABLE, failpoint

_PROGRAM = """
from abuse_triage.service.failpoints import failpoint
for number in range(3):
    print(number, flush=True)
    failpoint("here")
    failpoint("there")
"""


@pytest.mark.parametrize(
    ("armed", "code", "printed"),
    [
        ("here", -signal.SIGKILL, "0\n"),
        ("there:2", -signal.SIGKILL, "0\n1\n"),
        ("here:4", 0, "0\n1\n2\n"),
        ("her", 0, "0\n1\n2\n"),
        ("", 0, "0\n1\n2\n"),
    ],
)
def test_armed(armed: str, code: int, printed: str) -> None:
    """The process dies at the N-th time that the armed one is reached."""
    result = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env=os.environ | {VARIABLE: armed},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (code, printed) == (result.returncode, result.stdout)


def test_nothing_armed() -> None:
    """Without the variable nothing happens."""
    assert failpoint("intake.before-commit") is None
