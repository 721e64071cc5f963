"""A reader process that does what a message says: the confinement is the real one, only the reading is not.

The first line of a message, or its field X-Order there, is an order; anything else is read as it always is. Standard
error is a file, whose path is the argument.
"""

import os
import socket
import sys
from pathlib import Path

from abuse_triage import pipeline
from abuse_triage.model.report import Reading
from abuse_triage.model.settings import LimitSettings
from abuse_triage.service import reader, wire

as_always = pipeline.read


def read(raw: bytes, limits: LimitSettings) -> Reading:  # noqa: C901 -- a list of misdeeds
    """Obey, and then read; what is forbidden raises."""
    match raw.partition(b"\r\n")[0].removeprefix(b"X-Order: "):
        case b"open a file":
            Path("/etc/hostname").read_bytes()
        case b"open a socket":
            socket.socket()
        case b"write":
            os.write(2, b"to a file that is open already")
        case b"raise":
            raise ValueError(raw.decode() + "\x1b[2J")
        case b"eat memory":
            bytearray(2_000_000_000)
        case b"loop":
            while True:
                pass
        case b"die":
            os._exit(3)
        case b"answer nonsense":
            wire.send(1, b'{"subject": 1}')
        case b"answer too much":
            wire.send(1, b"x" * (reader.MAX_REPLY + 1))
    return as_always(raw, limits)


if __name__ == "__main__":
    os.dup2(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o600), 2)
    os.closerange(3, 10)
    pipeline.read = read
    reader.main()
