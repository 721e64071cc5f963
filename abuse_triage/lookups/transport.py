"""The guarded way to RDAP and other JSON services: only to hosts that are allowed, one request for each question.

A `Transport` knows which services may be asked. Those that the configuration names may be inside and without TLS; all
others are asked by HTTPS, at global addresses. No redirect is followed: where one leads is told in the error. The rest
of the guards stand in `exchange`. ipwhois gets a `GuardedOpener` in place of urllib's.
"""

import io
import json
import re
import time
import urllib.request
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any
from urllib.error import URLError
from urllib.parse import urljoin, urlsplit

from abuse_triage.errors import TemporaryError
from abuse_triage.lookups import exchange
from abuse_triage.lookups.exchange import REDIRECTS, ExchangeError, Peer, Reach, Response, UnfitError
from abuse_triage.lookups.resolver import UnansweredError

LONGEST_PAUSE = timedelta(hours=1)
"""Most that is believed of Retry-After."""
ABSENT = 404
"""The status with which RDAP says that there is no such thing (RFC 7480 section 5.3)."""
_BASE = re.compile(
    r"https?://(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,4}|:[1-5][0-9]{4})?/[A-Za-z0-9._~/-]{0,200}"
)
_TARGET = re.compile(r"/[!-~]{0,2000}")
_HOST = re.compile(r"[a-z0-9.:-]{1,253}")
_JSON = re.compile(r"application/(?:[a-z0-9.-]{1,64}\+)?json", re.IGNORECASE)
_ACCEPT = "application/rdap+json, application/json"
_SECONDS = re.compile(r"[0-9]{1,9}")
_OK = 200
_OFTEN = 429
_BROKEN = 500


class TransportError(TemporaryError):
    """A service does not answer as it should; the message says how in one sentence that starts with its host.

    `status` is that of HTTP, 0 where there was no answer. `retry_after` is what the service asked for, at most
    `LONGEST_PAUSE`. `location` is the host that a redirect led to, "" for none or no host. `temporary` says that the
    same question may have an answer a little later.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        retry_after: timedelta | None = None,
        location: str = "",
        temporary: bool = False,
    ) -> None:
        super().__init__(message)
        self.temporary = temporary or status == _OFTEN or status >= _BROKEN
        self.status = status
        self.retry_after = retry_after
        self.location = location


@dataclass(frozen=True, slots=True)
class _Service:
    """A base URL that may be asked, and whether it may be inside."""

    base: str
    inside: bool


class Transport:
    """Asks the services that it was made for; used by many threads at once."""

    def __init__(
        self, reach: Reach, *, limit: int, configured: Collection[str] = (), published: Collection[str] = ()
    ) -> None:
        """Take base URLs: those of the configuration, and those of IANA's files and our tables; `limit` in octets."""
        self._reach = reach
        self._limit = limit
        self._services: dict[str, list[_Service]] = {}
        for bases, inside in ((configured, True), (published, False)):
            for base in map(with_slash, bases):
                if _BASE.fullmatch(base) and (inside or base.startswith("https:")):
                    self._services.setdefault(_origin(base), []).append(_Service(base, inside))

    def ask(self, url: str, seconds: float) -> Any:
        """Ask once and return what the JSON of the answer says; raises `TransportError`."""
        return parsed(self.read(url, seconds), host_of(url))

    def read(self, url: str, seconds: float) -> bytes:
        """Ask once and return the answer as it came, of type JSON and status 200; raises `TransportError`."""
        deadline = time.monotonic() + seconds
        peer, target = self._peer(url, deadline)
        try:
            response = exchange.get(peer, target, accept=_ACCEPT, limit=self._limit, deadline=deadline)
        except ExchangeError as error:
            raise TransportError(str(error), temporary=not isinstance(error, UnfitError)) from error
        if response.status != _OK:
            raise _refusal(peer.host, url, response)
        if not _JSON.fullmatch(response.headers.get_content_type()):
            raise TransportError(f"{peer.host} answers with something else than JSON", status=response.status)
        return response.body

    def _peer(self, url: str, deadline: float) -> tuple[Peer, str]:
        """Return whom to ask for what, once it is sure that it may be asked; raises `TransportError`."""
        origin = _origin(url)
        services = [service for service in self._services.get(origin, []) if url.startswith(service.base)]
        target = url.removeprefix(origin)
        if not services or not _TARGET.fullmatch(target):
            raise TransportError(f"{host_of(url) or 'that'} is no service that may be asked")
        parts = urlsplit(origin)
        host = parts.hostname or ""
        secure = parts.scheme == "https"
        peer = Peer(
            host=host,
            authority=parts.netloc,
            addresses=self._addresses(host, deadline, inside=any(service.inside for service in services)),
            port=parts.port or (self._reach.port if secure else 80),
            tls=self._reach.tls if secure else None,
        )
        return peer, target

    def _addresses(self, host: str, deadline: float, *, inside: bool) -> tuple[str, ...]:
        try:
            addresses = (host,) if _is_address(host) else self._reach.resolve(host, deadline)
        except UnansweredError as error:
            raise TransportError(str(error), temporary=True) from error
        if not addresses:
            raise TransportError(f"{host} has no address")
        for address in () if inside else addresses:
            if words := self._reach.refuse(address):
                raise TransportError(f"{host} is at {address} ({words}), which is not asked")
        return addresses


class GuardedOpener(urllib.request.OpenerDirector):
    """What ipwhois takes as `proxy_opener`, for one question: the second request of it is refused.

    `known` is the base URL that ipwhois has for a registry, and `base` the one that is asked in its place. `body` is
    the answer as it came, and `failure` why there is none: ipwhois forgets most of both.
    """

    def __init__(self, transport: Transport, *, known: str, base: str) -> None:
        super().__init__()
        self._transport = transport
        self._known = with_slash(known)
        self._base = with_slash(base)
        self._asked = False
        self.body: bytes | None = None
        self.failure: TransportError | None = None

    def open(self, fullurl: Any, data: Any = None, timeout: float | None = None) -> Any:  # noqa: ARG002 -- urllib's
        """Ask; `fullurl` is a URL or a request of urllib, `timeout` the seconds for everything together.

        Raises `URLError` as urllib does, which ipwhois turns into its own.
        """
        url = fullurl if isinstance(fullurl, str) else fullurl.full_url
        try:
            self.body = self._read(url, timeout or 0)
        except TransportError as error:
            self.failure = self.failure or error
            raise URLError(error) from error
        return io.BytesIO(self.body)

    def _read(self, url: str, seconds: float) -> bytes:
        if self._asked or not url.startswith(self._known):
            raise TransportError(f"{host_of(url)} is not asked a further question")
        self._asked = True
        return self._transport.read(self._base + url.removeprefix(self._known), seconds)


def with_slash(base: str) -> str:
    """Return a base URL so that a path can follow."""
    return f"{base.rstrip('/')}/"


def host_of(url: str) -> str:
    """Return the host of a URL in small letters without its port, "" where there is none."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return ""
    return host if _HOST.fullmatch(host) else ""


def parsed(body: bytes, host: str) -> Any:
    """Return what JSON says, whatever is wrong with its characters; raises `TransportError` where it is none."""
    try:
        return json.loads(body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError) as error:
        raise TransportError(f"{host} answers with broken JSON", status=_OK) from error


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _origin(url: str) -> str:
    """Return the scheme, host and port of a URL as they are written, without a user."""
    return "/".join(url.split("/", 3)[:3])


def _refusal(host: str, url: str, response: Response) -> TransportError:
    """Return what an answer means that is none."""
    status = response.status
    retry_after = _pause(response.headers.get("Retry-After", ""))
    if status in REDIRECTS:
        try:
            location = host_of(urljoin(url, response.headers.get("Location", "")))
        except ValueError:
            location = ""
        words = f"{host} refers to {location or 'nowhere'}"
        return TransportError(words, status=status, retry_after=retry_after, location=location)
    if status == ABSENT:
        words = f"{host} has nothing about it"
    elif status == _OFTEN:
        words = f"{host} was asked too often"
    else:
        words = f"{host} answers with status {status}"
    return TransportError(words, status=status, retry_after=retry_after)


def _pause(text: str) -> timedelta | None:
    """Return how long to wait (RFC 9110 section 10.2.3), None where nothing sensible is said."""
    text = text.strip()
    if _SECONDS.fullmatch(text):
        return min(timedelta(seconds=int(text)), LONGEST_PAUSE)
    try:
        until = parsedate_to_datetime(text)
        wait = until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)
    except (ValueError, TypeError, OverflowError):
        return None
    return max(timedelta(0), min(wait, LONGEST_PAUSE))
