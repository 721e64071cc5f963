"""One question to a WHOIS server on its port (RFC 3912): one name out, text in, bounded in time and size.

Only servers that the configuration names are asked, and what an answer refers to is not: the registrar of a name can be
the very attacker. The answers of servers differ; what all of them have in common is told apart here.
"""

import re
import socket
import time
from datetime import timedelta
from ipaddress import ip_address

from abuse_triage.errors import TemporaryError
from abuse_triage.lookups.hosts import Resolve
from abuse_triage.lookups.resolver import UnansweredError
from abuse_triage.model.fields import host_port

LARGEST = 64_000
"""Octets of an answer."""
PAUSE = timedelta(hours=1)
"""How long a server is left alone that says that it was asked too often: none says for how long."""
_MOST_TRIED = 2
"""Addresses of a server that are tried, of each family: some answer over one family only."""
_PIECE = 16_384
_NAME = re.compile(r"(?=.{4,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,10}[a-z0-9-]{2,63}")
_LONGEST_LINE = 300
"""Characters of a line that says one thing; terms of use are longer, and say much that sounds like a refusal."""
_REFUSALS = (
    "limit exceeded",
    "limit reached",
    "rate limit",
    "ratelimit",
    "quota exceeded",
    "exceeded the maximum",
    "exceeded your",
    "exceeded allowed",
    "access denied",
    "access to this service is denied",
    "too many quer",
    "too many request",
    "too many connections",
    "too many lookups",
    "queried too often",
    "temporarily blocked",
    "has been blocked",
    "blacklisted",
    "try again later",
    "try again after",
    "service unavailable",
    "temporarily unavailable",
)
_ABSENCES = (
    " - no match",
    "no match",
    "not found",
    "no data found",
    "no entries found",
    "no entry found",
    "no object found",
    "no such domain",
    "nothing found",
    "does not exist",
    "not registered",
    "is available for registration",
    "status: free",
    "status: available",
)


class WhoisError(TemporaryError):
    """Theirs: a server does not answer as it should; `retry_after` is how long it is to be left alone."""

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def host_of(server: str) -> str:
    """Return the host of "host:port" in small letters, "" for ""."""
    return host_port(server)[0].lower() if server else ""


def is_name(text: str) -> bool:
    """Tell whether a text is a name in A-labels, small letters, that has a dot in it, and nothing more."""
    return _NAME.fullmatch(text) is not None


def question(name: str) -> bytes:
    """Return the line that asks about a registrable name in A-labels; raises `WhoisError` for anything else.

    Nothing but that name can get into it: no option, no second line.
    """
    if not is_name(name):
        raise WhoisError("this is no name that can be asked about")
    return f"{name}\r\n".encode("ascii")


def ask(server: str, name: str, resolve: Resolve, seconds: float) -> str:
    """Return what a server ("host:port") says about a name, with single line feeds; it is not empty.

    UTF-8, or else ISO-8859-1. Raises `WhoisError`, in whose message the server is named.
    """
    line = question(name)
    deadline = time.monotonic() + seconds
    host, port = host_port(server)
    host = host.lower()
    try:
        octets = _exchanged(_addresses(host, resolve, deadline), host, port, line, deadline)
    except OSError as error:
        raise WhoisError(f"{host} does not answer: {error.strerror or error}") from error
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = octets.decode("latin-1")
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not text:
        raise WhoisError(f"{host} gives an empty answer")
    return text


def absent(text: str, server: str) -> bool:
    """Tell whether an answer without a record says that there is no such name; the first line that says something wins.

    Raises `WhoisError` where it says that the question is refused.
    """
    for line in text.split("\n"):
        words = " ".join(line[: 2 * _LONGEST_LINE].lower().split())
        if len(words) > _LONGEST_LINE:
            continue
        if any(phrase in words for phrase in _REFUSALS):
            raise WhoisError(f"{host_of(server)} refuses the question", retry_after=PAUSE)
        if any(phrase in words for phrase in _ABSENCES):
            return True
    return False


def _addresses(host: str, resolve: Resolve, deadline: float) -> tuple[str, ...]:
    """Return the addresses to try; the families take turns."""
    try:
        return (str(ip_address(host)),)
    except ValueError:
        pass
    try:
        found = resolve(host, deadline)
    except UnansweredError as error:
        raise WhoisError(str(error)) from error
    families = [[address for address in found if (":" in address) is colon][:_MOST_TRIED] for colon in (False, True)]
    addresses = tuple(address for family in families for address in family)
    if not addresses:
        raise WhoisError(f"{host} has no address")
    return addresses


def _exchanged(addresses: tuple[str, ...], host: str, port: int, line: bytes, deadline: float) -> bytes:
    """Send the line to the first address that answers, and return every octet until the server closes."""
    received = bytearray()
    with _connected(addresses, port, deadline) as stream:
        stream.settimeout(_left(deadline))
        stream.sendall(line)
        while len(received) <= LARGEST:
            stream.settimeout(_left(deadline))
            piece = stream.recv(_PIECE)
            if not piece:
                return bytes(received)
            received += piece
    raise WhoisError(f"the answer of {host} is too large: more than {LARGEST} bytes")


def _connected(addresses: tuple[str, ...], port: int, deadline: float) -> socket.socket:
    """Connect to the first address that answers; a silent one leaves time for the others."""
    failure = OSError("no address answers")
    for tried, address in enumerate(addresses):
        try:
            return socket.create_connection((address, port), _left(deadline) / (len(addresses) - tried))
        except OSError as error:
            failure = error
    raise failure


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("it takes too long")
    return left
