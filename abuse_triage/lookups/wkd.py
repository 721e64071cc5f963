"""One question to a Web Key Directory over HTTPS, with at most one redirect, which stays on its host."""

import http.client
import re
import time
from collections.abc import Sequence
from urllib.parse import urljoin, urlsplit

from abuse_triage.errors import InputError, NotFoundError, TemporaryError
from abuse_triage.lookups import exchange
from abuse_triage.lookups.exchange import REDIRECTS, ExchangeError, Peer, Reach, Response, UnfitError

_TARGET = re.compile(r"/[!-~]{0,2000}")
_ABSENT = {404, 410}
_LATER = "Try again later, or ask the owner for the key."


class FetchError(TemporaryError):
    """Theirs or ours: the host does not answer as it should."""


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
            peer = Peer(host=host, authority=host, addresses=addresses, port=reach.port, tls=reach.tls)
            return _found(peer, target, limit, deadline)
    hosts = " nor ".join(host for host, _ in places)
    raise NotFoundError(f"neither {hosts} has an address", advice="Ask the owner for the key.")


def _found(peer: Peer, target: str, limit: int, deadline: float) -> bytes:
    """Return what stands at a path, perhaps after one redirect on this host."""
    response = _answer(peer, target, limit, deadline)
    if response.status in REDIRECTS:
        target = _elsewhere(peer.host, target, response.headers.get("Location", ""))
        response = _answer(peer, target, limit, deadline)
    if response.status in _ABSENT:
        raise NotFoundError(f"{peer.host} publishes no key for it", advice="Ask the owner for the key.")
    if response.status in REDIRECTS:
        raise InputError(f"{peer.host} redirects twice", advice="Ask the owner for the key.")
    if response.status != http.client.OK:
        raise FetchError(f"{peer.host} answers with status {response.status}", advice=_LATER)
    return response.body


def _answer(peer: Peer, target: str, limit: int, deadline: float) -> Response:
    try:
        return exchange.get(peer, target, accept="application/octet-stream, */*", limit=limit, deadline=deadline)
    except UnfitError as error:
        raise InputError(str(error), advice="Ask the owner for a small key, or for the key itself.") from error
    except ExchangeError as error:
        raise FetchError(str(error), advice=_LATER) from error


def _elsewhere(host: str, target: str, location: str) -> str:
    """Return the path of a redirect, which may not leave this host."""
    try:
        url = urlsplit(urljoin(f"https://{host}{target}", location))
        stays = (url.scheme, url.netloc.lower()) == ("https", host)
    except ValueError:
        stays = False
    path = f"{url.path or '/'}{f'?{url.query}' if url.query else ''}" if stays else ""
    if not _TARGET.fullmatch(path):
        raise InputError(f"{host} redirects to another host", advice="Ask the owner for the key.")
    return path
