"""One HTTP request and its answer: bounded in time and size, and to an address that was looked at before.

The answer is a stranger's, and so is where the name of a host points: nothing is connected to before every address of
the host was looked at, and what is connected to is the address that was looked at, so that no second look-up can lead
elsewhere. No proxy, no cookie, no compression, and no redirect is followed.
"""

import http.client
import io
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.message import Message
from typing import TYPE_CHECKING, cast

from abuse_triage import __version__
from abuse_triage.errors import TemporaryError
from abuse_triage.lookups.hosts import Resolve

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

REDIRECTS = frozenset([301, 302, 303, 307, 308])
"""Statuses that refer to another place (RFC 9110 section 15.4)."""
_HEADER = 65_536
"""Octets for the header of an answer, and for the frames of a chunked body, besides the body."""
_MOST_TRIED = 4
"""Addresses of one host that are tried."""


class ExchangeError(TemporaryError):
    """Theirs or ours: the host does not answer as it should."""


class UnfitError(ExchangeError):
    """Theirs: the host answers with what nobody reads: compressed, or too large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How the network is reached.

    `resolve` looks up a host. `refuse` names the range because of which an address is not connected to, "" for none.
    `tls` verifies the host. `port` is that of every host with HTTPS.
    """

    resolve: Resolve
    refuse: Callable[[str], str]
    tls: ssl.SSLContext
    port: int = 443


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A host that may be connected to at these addresses; `authority` is what Host says, `tls` None means HTTP."""

    host: str
    authority: str
    addresses: Sequence[str]
    port: int
    tls: ssl.SSLContext | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer that came whole."""

    status: int
    headers: Message
    body: bytes


def get(peer: Peer, target: str, *, accept: str, limit: int, deadline: float) -> Response:
    """Ask once, and return the answer whatever its status.

    Args:
        peer: whom to ask.
        target: path and query, printable ASCII.
        accept: the media types that are wanted.
        limit: most octets of a body.
        deadline: on the monotonic clock, for connecting, TLS, asking and reading together.

    Raises:
        ExchangeError: if the host does not answer, or cannot prove that it is the host.
        UnfitError: if the answer is compressed or too large.
    """
    request = (
        f"GET {target} HTTP/1.1\r\nHost: {peer.authority}\r\nUser-Agent: abuse-triage/{__version__}\r\n"
        f"Accept: {accept}\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n"
    ).encode("ascii")
    try:
        with _connected(peer, deadline) as plain:
            plain.settimeout(_left(deadline))
            if peer.tls is None:
                return _exchanged(plain, request, peer, limit, deadline)
            with peer.tls.wrap_socket(plain, server_hostname=peer.host) as stream:
                return _exchanged(stream, request, peer, limit, deadline)
    except ssl.SSLCertVerificationError as error:
        raise ExchangeError(f"{peer.host} does not prove that it is this host: {error.verify_message}") from error
    except OSError as error:
        raise ExchangeError(f"{peer.host} does not answer: {error.strerror or error}") from error
    except (http.client.HTTPException, ValueError) as error:  # a chunk of negative length is a ValueError
        raise ExchangeError(f"{peer.host} does not speak HTTP: {type(error).__name__}") from error


def _connected(peer: Peer, deadline: float) -> socket.socket:
    """Connect to the first address that answers; a silent one leaves time for the others."""
    failure = OSError("no address answers")
    addresses = peer.addresses[:_MOST_TRIED]
    for tried, address in enumerate(addresses):
        try:
            return socket.create_connection((address, peer.port), _left(deadline) / (len(addresses) - tried))
        except OSError as error:
            failure = error
    raise failure


def _exchanged(stream: socket.socket, request: bytes, peer: Peer, limit: int, deadline: float) -> Response:
    """Send the request and read the answer, no further than its end."""
    too_large = UnfitError(f"the answer of {peer.host} is larger than {limit} bytes")
    stream.settimeout(_left(deadline))
    stream.sendall(request)
    incoming = _Incoming(stream, limit, deadline, too_large)
    with http.client.HTTPResponse(cast("socket.socket", incoming), method="GET") as response:
        response.begin()
        if response.getheader("Content-Encoding", "identity").lower() != "identity":
            raise UnfitError(f"{peer.host} answers compressed, unasked")
        if (response.length or 0) > limit:
            raise too_large
        body = response.read()
        if len(body) > limit:
            raise too_large
        return Response(status=response.status, headers=response.headers, body=body)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("it takes too long")
    return left


class _Incoming(io.RawIOBase):
    """What `http.client` reads an answer from: ends at the deadline, or where there is too much."""

    def __init__(self, stream: socket.socket, limit: int, deadline: float, too_large: UnfitError) -> None:
        self._stream = stream
        self._room = limit + _HEADER
        self._deadline = deadline
        self._too_large = too_large

    def makefile(self, _mode: str) -> io.BufferedReader:
        return _Capped(self, self._room)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        if self._room <= 0:
            raise self._too_large
        self._stream.settimeout(_left(self._deadline))
        count = self._stream.recv_into(buffer)
        self._room -= count
        return count


class _Capped(io.BufferedReader):
    """Takes no more memory than there is to read, whatever length a chunk pretends to have."""

    def __init__(self, raw: io.RawIOBase, most: int) -> None:
        super().__init__(raw)
        self._most = most

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size if size is None else min(size, self._most))
