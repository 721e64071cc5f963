"""The addresses of a host that an operator asked for, from the operator's resolvers or from the system."""

import socket
import threading
import time
from collections.abc import Callable, Sequence

from abuse_triage.lookups.resolver import Kind, Resolver, UnansweredError

Resolve = Callable[[str, float], tuple[str, ...]]
"""The addresses of a host, none where there are none, until a deadline on the monotonic clock; `UnansweredError`."""

_ABSENT = {socket.EAI_NONAME, socket.EAI_NODATA}


def by_resolver(servers: Sequence[str], seconds: float) -> Resolve:
    """Return what asks these resolvers (addresses with ports), and nobody else."""
    resolver = Resolver(servers, seconds)

    def resolve(host: str, deadline: float) -> tuple[str, ...]:
        return tuple(str(record) for kind in (Kind.A, Kind.AAAA) for record in resolver.ask(host, kind, deadline))

    return resolve


def by_system(host: str, deadline: float) -> tuple[str, ...]:
    """Ask as the system is configured, but without its search list; raises `UnansweredError`.

    That has no time limit of its own: it goes on in a thread that nobody waits for.
    """
    answers: list[tuple[str, ...] | OSError] = []

    def ask() -> None:
        try:
            found = socket.getaddrinfo(f"{host}.", None, type=socket.SOCK_STREAM)
        except OSError as error:
            answers.append(error)
        else:
            answers.append(tuple(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found)))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(max(0.0, deadline - time.monotonic()))
    answer = answers[0] if answers else TimeoutError("it takes too long")
    if isinstance(answer, tuple):
        return answer
    if isinstance(answer, socket.gaierror) and answer.errno in _ABSENT:
        return ()
    raise UnansweredError(f"{host} cannot be looked up: {answer.strerror or answer}") from answer
