"""One question to a Web Key Directory over HTTPS: bounded in time and size, and never to a host inside.

The answer is a stranger's, and so is where the name of his domain points: nothing is connected to before every address
of the host was looked at, and what is connected to is the address that was looked at, so that no second look-up can
lead elsewhere. No proxy, no cookie, no compression, no redirect to another host.
"""

import http.client
import io
import re
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast
from urllib.parse import urljoin, urlsplit

from abuse_triage import __version__
from abuse_triage.errors import InputError, NotFoundError, TemporaryError
from abuse_triage.lookups.hosts import Resolve

_HEADER = 65_536
"""Octets for the header of an answer, and for the frames of a chunked body, besides the body."""
_PIECE = 16_384
_TARGET = re.compile(r"/[!-~]{0,2000}")
_MOST_TRIED = 4
"""Addresses of one host that are tried."""
_ABSENT = {404, 410}
_REDIRECTS = {301, 302, 303, 307, 308}
_LATER = "Try again later, or ask the owner for the key."


class FetchError(TemporaryError):
    """Theirs or ours: the host does not answer as it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How the network is reached.

    `resolve` looks up a host. `refuse` names the range because of which an address is not connected to, "" for none.
    `tls` verifies the host. `port` is that of every host.
    """

    resolve: Resolve
    refuse: Callable[[str], str]
    tls: ssl.SSLContext
    port: int = 443


def fetch(places: Sequence[tuple[str, str]], reach: Reach, *, limit: int, seconds: float) -> bytes:
    """Return what stands at the first of some places (host and path) whose host has an address.

    Further places are only asked where that host does not exist at all (section 3.1 of the draft).

    Args:
        places: hosts as A-labels, and paths with their query.
        reach: how the network is reached.
        limit: most octets.
        seconds: for everything together.

    Raises:
        NotFoundError: if no host exists, or it has nothing there.
        InputError: if what is there may not be used: an address inside, another host, too many octets.
        FetchError: if the host does not answer, or cannot prove that it is the host.
        UnansweredError: if the look-up of a host has no answer.
    """
    deadline = time.monotonic() + seconds
    for host, target in places:
        if addresses := reach.resolve(host, deadline):
            for address in addresses:
                if words := reach.refuse(address):
                    raise InputError(f"{host} is at {address} ({words}), which is not asked", advice="Ask the owner.")
            return _Host(host, addresses, reach, deadline).get(target, limit)
    hosts = " nor ".join(host for host, _ in places)
    raise NotFoundError(f"neither {hosts} has an address", advice="Ask the owner for the key.")


class _Host:
    """A host whose addresses may be connected to."""

    def __init__(self, name: str, addresses: Sequence[str], reach: Reach, deadline: float) -> None:
        self._name = name
        self._addresses = addresses[:_MOST_TRIED]
        self._reach = reach
        self._deadline = deadline

    def get(self, target: str, limit: int) -> bytes:
        """Return what stands at a path, perhaps after one redirect on this host."""
        status, location, body = self._answer(target, limit)
        if status in _REDIRECTS:
            status, _, body = self._answer(self._elsewhere(target, location), limit)
        if status in _ABSENT:
            raise NotFoundError(f"{self._name} publishes no key for it", advice="Ask the owner for the key.")
        if status in _REDIRECTS:
            raise InputError(f"{self._name} redirects twice", advice="Ask the owner for the key.")
        if status != http.client.OK:
            raise FetchError(f"{self._name} answers with status {status}", advice=_LATER)
        if len(body) > limit:
            raise self._too_large(limit)
        return body

    def _answer(self, target: str, limit: int) -> tuple[int, str, bytes]:
        """Ask once; returns status, Location and body."""
        try:
            response = http.client.HTTPResponse(cast("socket.socket", _Received(self._exchanged(target, limit))))
            response.begin()
            if response.getheader("Content-Encoding", "identity").lower() != "identity":
                raise InputError(f"{self._name} sends it compressed, unasked", advice="Ask the owner for the key.")
            return response.status, response.getheader("Location", ""), response.read()
        except ssl.SSLCertVerificationError as error:
            raise FetchError(
                f"{self._name} does not prove that it is this host: {error.verify_message}", advice=_LATER
            ) from error
        except OSError as error:
            raise FetchError(f"{self._name} does not answer: {error.strerror or error}", advice=_LATER) from error
        except http.client.HTTPException as error:
            raise FetchError(f"{self._name} does not speak HTTP: {type(error).__name__}", advice=_LATER) from error

    def _exchanged(self, target: str, limit: int) -> bytes:
        """Send the request, and return every octet that comes back until the host closes."""
        request = (
            f"GET {target} HTTP/1.1\r\nHost: {self._name}\r\nUser-Agent: abuse-triage/{__version__}\r\n"
            "Accept: application/octet-stream, */*\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n"
        )
        received = bytearray()
        with (
            self._connected() as plain,
            self._reach.tls.wrap_socket(plain, server_hostname=self._name) as stream,
        ):
            stream.settimeout(self._left())
            stream.sendall(request.encode("ascii"))
            while len(received) <= limit + _HEADER:
                stream.settimeout(self._left())
                piece = stream.recv(_PIECE)
                if not piece:
                    return bytes(received)
                received += piece
        raise self._too_large(limit)

    def _connected(self) -> socket.socket:
        """Connect to the first address that answers."""
        failure = OSError("no address answers")
        for address in self._addresses:
            try:
                return socket.create_connection((address, self._reach.port), self._left())
            except OSError as error:
                failure = error
        raise failure

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("it takes too long")
        return left

    def _elsewhere(self, target: str, location: str) -> str:
        """Return the path of a redirect, which may not leave this host."""
        try:
            url = urlsplit(urljoin(f"https://{self._name}{target}", location))
            stays = (url.scheme, url.netloc.lower()) == ("https", self._name)
        except ValueError:
            stays = False
        path = f"{url.path or '/'}{f'?{url.query}' if url.query else ''}" if stays else ""
        if not _TARGET.fullmatch(path):
            raise InputError(f"{self._name} redirects to another host", advice="Ask the owner for the key.")
        return path

    def _too_large(self, limit: int) -> InputError:
        return InputError(
            f"what {self._name} publishes is larger than {limit} bytes", advice="Ask the owner for a small key."
        )


class _Received:
    """What `http.client` reads an answer from that is here already."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)
