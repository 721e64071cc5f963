"""A checker process that does what a message says: the confinement is the real one, only the check is not.

The first line of a message is an order; anything else is checked as it always is. Standard error is a file, whose path
is the argument.
"""

import os
import socket
import sys
from collections.abc import Callable

from abuse_triage.model.message import Authentication
from abuse_triage.service import checker, wire
from abuse_triage.service.checker import Answer, Request, Start

as_always = checker._check_with


def forbidden(deed: Callable[[], object]) -> tuple[Authentication, tuple[str, ...]]:
    """Say what happened when it was done."""
    try:
        deed()
    except (OSError, MemoryError) as error:
        return checker.TEMPORARY, (type(error).__name__,)
    return Authentication(), ("it was possible",)


def check_with(start: Start) -> tuple[checker._Check, Callable[[], bool]]:  # noqa: C901 -- a list of misdeeds
    """Return a check that obeys first; what is forbidden has no result."""
    check, unreachable = as_always(start)

    def obey(request: Request, raw: bytes) -> tuple[Authentication, tuple[str, ...]]:
        match raw.partition(b"\r\n")[0]:
            case b"write":
                return forbidden(lambda: os.write(2, b"to a file that is open already"))
            case b"open many sockets":
                return forbidden(lambda: [socket.socket() for _ in range(1000)])
            case b"eat memory":
                return forbidden(lambda: bytearray(2_000_000_000))
            case b"loop":
                while True:
                    pass
            case b"die":
                os._exit(3)
            case b"answer nonsense":
                wire.send(1, b'{"number": 1}')
            case b"answer nobody":
                wire.send(
                    1,
                    checker.ANSWER.dump_json(Answer(number=99, proven=checker.TEMPORARY, notes=(), unreachable=False)),
                )
            case b"answer too much":
                wire.send(1, b"x" * 1_000_000)
        return check(request, raw)

    return obey, unreachable


if __name__ == "__main__":
    os.dup2(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o600), 2)
    os.closerange(3, 10)
    checker._check_with = check_with
    checker.main()
