"""The checker process: it asks DNS who wrote, and has no database and no keys.

The libraries behind SPF, DKIM and DMARC meet hostile bytes, from messages as from DNS. So they live in a process that
writes no file, has limits on memory, sockets and CPU, and can be killed without loss. It takes a request and a raw
message as two frames on standard input, works on many at once, and answers in any order, one frame each.
"""

import ipaddress
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pydantic import TypeAdapter

from abuse_triage.indicators import names
from abuse_triage.mail.addresses import addresses
from abuse_triage.mail.structure import Budget, parse
from abuse_triage.model.message import Authentication
from abuse_triage.model.settings import LimitSettings
from abuse_triage.service import wire
from abuse_triage.service.confinement import allow_cpu, confine

LARGEST = 10_000_000
"""Octets of a message whose signatures are checked; of a larger one only From and SPF are."""
MOST_AT_ONCE = 64
"""Messages that are worked on at the same time; further ones wait."""
MOST_REQUEST = 100_000
READY = b"ready"
TEMPORARY = Authentication(spf="temperror", dkim="temperror", dmarc="temperror")
"""The result where there is none now."""
_DESCRIPTORS = 3 + 2 * MOST_AT_ONCE
_STACK = 1 << 20
"""Octets of stack for each thread; pyspf goes ten levels deep at most."""
_SLOWEST = 10
"""Seconds of CPU, above those of the deadline, after which something is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a checker is told once: resolvers with ports, seconds for a message, limits, bytes of memory."""

    servers: tuple[str, ...]
    timeout: float
    limits: LimitSettings
    memory: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked about one message, whose bytes follow.

    `peer` is "" where SPF is not to be asked; `whole` says that the bytes are all that was sent; `deadline` is on the
    monotonic clock, which all processes of a machine share.
    """

    number: int
    sender: str
    helo: str
    peer: str
    whole: bool
    deadline: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was found out; `notes` say why something is not proven; `unreachable` is about the resolvers."""

    number: int
    proven: Authentication
    notes: tuple[str, ...]
    unreachable: bool


_Check = Callable[[Request, bytes], tuple[Authentication, tuple[str, ...]]]
START = TypeAdapter(Start)
REQUEST = TypeAdapter(Request)
ANSWER = TypeAdapter(Answer)


def main() -> None:
    """Check messages until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    start = START.validate_json(wire.receive(0, 1_000_000))
    check, unreachable = _check_with(start)
    threading.stack_size(_STACK)
    confine(start.memory, _DESCRIPTORS)
    wire.send(1, READY)
    turn = threading.Lock()

    def work(request: Request, raw: bytes) -> None:
        proven, notes = check(request, raw)
        with turn:  # so that what answers say about the resolvers comes in the order in which it happened
            answer = Answer(number=request.number, proven=proven, notes=notes, unreachable=unreachable())
            wire.send(1, ANSWER.dump_json(answer))

    with ThreadPoolExecutor(MOST_AT_ONCE, "check") as pool:
        while True:
            try:
                request = REQUEST.validate_json(wire.receive(0, MOST_REQUEST))
                raw = wire.receive(0, LARGEST)
            except wire.WireError:
                return
            allow_cpu(int(start.timeout) + _SLOWEST)
            pool.submit(work, request, raw)


def _check_with(start: Start) -> tuple[_Check, Callable[[], bool]]:
    """Return what checks a message, which never raises, and what tells whether no resolver answers."""
    # Late: the decider imports this module too, and needs nothing that talks to DNS.
    from abuse_triage.lookups import dkim, sender  # noqa: PLC0415 -- see above
    from abuse_triage.lookups.dmarc import Author  # noqa: PLC0415 -- see above
    from abuse_triage.lookups.resolver import Questions, Resolver  # noqa: PLC0415 -- see above

    limits = start.limits
    resolver = Resolver(start.servers, start.timeout, names.organisation)

    def client(request: Request) -> sender.Client | None:
        if not request.peer:
            return None
        local_part, _, domain = request.sender.rpartition("@")
        return sender.Client(
            address=str(ipaddress.ip_address(request.peer)),
            helo=request.helo,
            local_part=local_part,
            domain=names.canonical(domain.rstrip(".") if request.sender else request.helo.rstrip(".")),
        )

    def check(request: Request, raw: bytes) -> tuple[Authentication, tuple[str, ...]]:
        try:
            author, has_from = _author(raw, limits)
            letter = sender.Letter(
                author=Author(author, names.organisation),
                has_from=has_from,
                client=client(request),
                content=dkim.split(raw, most_fields=limits.headers, header_bytes=limits.header_bytes)
                if request.whole
                else None,
            )
            return sender.check(letter, Questions(resolver, request.deadline))
        except Exception as error:  # noqa: BLE001 -- whatever a hostile message brings about
            return TEMPORARY, (type(error).__name__,)

    return check, lambda: resolver.unreachable


def _author(raw: bytes, limits: LimitSettings) -> tuple[str, bool]:
    """Return the domain in From, as `decode` reads that field, and whether there is one.

    The domain is canonical, and "" unless exactly one mailbox stands there (RFC 7489 section 6.6.1).
    """
    header = raw[: limits.header_bytes + limits.header_line]
    end = min((place for place in (header.find(b"\n\r\n"), header.find(b"\n\n")) if place >= 0), default=len(header))
    fields = parse(header[: end + 1], Budget(limits)).raw_items()
    values = [value for name, value in fields if name.lower() == "from"]
    mailboxes = addresses(values[0]) if len(values) == 1 else ()
    return names.canonical(mailboxes[0].domain) if len(mailboxes) == 1 else "", bool(values)


if __name__ == "__main__":
    main()
