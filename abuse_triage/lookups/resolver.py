"""Questions to the operator's own resolvers: bounded in number, size and time, and remembered for a while.

Nothing of the system's configuration is used: no resolv.conf, no search list, no hosts file.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from typing import TypeVar

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdatatype
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.NS import NS
from dns.rdtypes.ANY.PTR import PTR
from dns.rdtypes.ANY.TXT import TXT

from abuse_triage.errors import TemporaryError
from abuse_triage.lookups.breaker import Breaker
from abuse_triage.model.fields import host_port

LONGEST_TEXT = 2048
"""Octets of one TXT record; longer ones are no keys and no policies, and are left out."""
MOST_RECORDS = 100
"""Records of one answer that are looked at."""
MOST_REMEMBERED = 2000
"""Answers in the cache."""
LONGEST_MEMORY = 3600.0
"""Seconds for which an answer is believed, whatever its TTL says."""
MOST_QUESTIONS = 40
"""Questions about one message. RFC 7208 section 4.6.4 allows more on paper, but no policy that is in use needs them."""
_FAILURE_MEMORY = 30.0
"""Seconds for which a name whose servers fail is not asked for again (RFC 2308 section 7.1 allows 300)."""
_PATIENCE = 2.0
"""Seconds to wait for one resolver before the next one is asked."""
_IMPATIENCE = 0.5
"""Seconds for a question about an organisation of which a question had no answer lately.

Enough for servers that work, and one that does not work cannot keep many threads, or make batch after batch wait.
"""
_SILENCE_MEMORY = 60.0
"""Seconds for which that is remembered (RFC 2308 section 7.2 allows 300)."""
_MOST_TRIES = 10
"""Attempts at one question: answers that make no sense, or refused connections, cost no time that would end them."""
PAYLOAD = 1232
"""Octets of a UDP answer that no network fragments (DNS Flag Day 2020)."""
_FLAGS = dns.flags.RD | dns.flags.AD
"""AD in a question asks for AD in the answer (RFC 6840 section 5.7)."""
_ROOT = dns.message.make_query(".", dns.rdatatype.NS)

Record = bytes | str | tuple[int, str]
"""The octets of a TXT record, preference and host of an MX record, or an address, a name, a DS record as text."""


class UnansweredError(TemporaryError):
    """Theirs or ours: there is no answer now; which question it was does not matter."""


class Kind(StrEnum):
    """The record types that are asked for."""

    A = "A"
    AAAA = "AAAA"
    DS = "DS"
    MX = "MX"
    NS = "NS"
    PTR = "PTR"
    TXT = "TXT"


_OF_A_ZONE = frozenset([Kind.DS, Kind.NS])
"""What belongs to a zone's own name: where a CNAME leads, there is another zone (RFC 1034 section 3.6.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The records of a name, none where it does not exist or has none of that type.

    `validated` is the resolver's word that DNSSEC proves it (the AD bit, RFC 4035 section 3.2.3), which counts as much
    as the way to that resolver. `lifetime` is for how many seconds it still holds.
    """

    records: tuple[Record, ...]
    validated: bool
    lifetime: float


_Key = tuple[dns.name.Name, Kind]
_K = TypeVar("_K")
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class _Remembered:
    """An answer, None for a failure, and until when it is believed, on the monotonic clock."""

    records: tuple[Record, ...] | None
    until: float
    validated: bool = False


class Resolver:
    """Asks, remembers, and knows when nobody answers; used by many threads."""

    def __init__(
        self, servers: Sequence[str], timeout: float, organisation: Callable[[str], str] = lambda name: name
    ) -> None:
        """Take addresses with ports, at least one, and the seconds in which all questions about a message end.

        `organisation` tells which names have the same owner, whose servers are silent or slow together.
        """
        self._servers = [host_port(server) for server in servers]
        self._patience = min(_PATIENCE, timeout / 2)
        self._organisation = organisation
        self._silent: dict[str, float] = {}
        self._breaker = Breaker(self._probe)
        self._lock = Lock()
        self._remembered: dict[_Key, _Remembered] = {}
        self._asked: dict[_Key, Future[Found]] = {}

    @property
    def unreachable(self) -> bool:
        """Whether no resolver answers, as far as is known."""
        return self._breaker.is_open

    def ask(self, name: str, kind: Kind, deadline: float) -> tuple[Record, ...]:
        """Return the records of a name, none where it does not exist or cannot; CNAMEs are followed.

        `deadline` is on the monotonic clock. The same question is asked once by all threads together. Raises
        `UnansweredError`.
        """
        return self.find(name, kind, deadline).records

    def find(self, name: str, kind: Kind, deadline: float) -> Found:
        """Return what `ask` returns, and what else is known of it; raises `UnansweredError`."""
        if not name.isascii():
            return _NEVER
        try:
            key = (dns.name.from_text(name), kind)
        except dns.exception.DNSException:  # too long, or an empty label
            return _NEVER
        owner = self._organisation(name) or name
        with self._lock:
            known = self._remembered.get(key)
            if known is not None and known.until > time.monotonic():
                return _found_or_raise(known)
            asked = self._asked.get(key)
            mine = asked is None
            if asked is None:
                asked = self._asked[key] = Future()
        if self._silent.get(owner, 0.0) > time.monotonic():
            deadline = min(deadline, time.monotonic() + _IMPATIENCE)
        if mine:
            return self._ask(key, owner, asked, deadline)
        try:
            return asked.result(max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            raise UnansweredError("the deadline passed") from None

    def _ask(self, key: _Key, owner: str, asked: Future[Found], deadline: float) -> Found:
        """Ask for all threads that want to know; an organisation that is silent is remembered as such."""
        began = time.monotonic()
        try:
            found = self._find(key, deadline)
        except BaseException as error:
            asked.set_exception(error)
            if time.monotonic() - began > min(_IMPATIENCE, self._patience) / 2 and not self.unreachable:
                self._keep(self._silent, owner, time.monotonic() + _SILENCE_MEMORY)
            raise
        else:
            asked.set_result(found)
            return found
        finally:
            with self._lock:
                del self._asked[key]

    def _find(self, key: _Key, deadline: float) -> Found:
        found = self._exchange(key, deadline)
        self._keep(self._remembered, key, found)
        return _found_or_raise(found)

    def _keep(self, memory: dict[_K, _V], key: _K, value: _V) -> None:
        """Remember something, and forget the oldest where there is too much."""
        with self._lock:
            if key not in memory and len(memory) >= MOST_REMEMBERED:
                del memory[next(iter(memory))]
            memory[key] = value

    def _exchange(self, key: _Key, deadline: float) -> _Remembered:
        """Ask one resolver after the other, again and again while there is time; a failure is an answer too."""
        query = dns.message.make_query(*key, payload=PAYLOAD, flags=_FLAGS)
        failed = 0
        for _ in range(_MOST_TRIES):
            server = self._servers[0]
            left = deadline - time.monotonic()
            if left <= 0 or not self._breaker.allows():
                raise UnansweredError("no resolver answers" if self.unreachable else "the deadline passed")
            try:
                response = exchange(query, server, min(left, self._patience))
            except (OSError, EOFError, dns.exception.DNSException) as error:
                if left >= min(self._patience, _IMPATIENCE) or isinstance(error, OSError):
                    self._breaker.unanswered()
                self._put_last(server)
                continue
            self._breaker.answered()
            with contextlib.suppress(dns.exception.DNSException):  # such as a CNAME that leads back to itself
                if response.rcode() in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
                    return _read(response, key)
            self._put_last(server)
            failed += 1
            if failed == len(self._servers):
                return _Remembered(None, time.monotonic() + _FAILURE_MEMORY)
        raise UnansweredError("no resolver gives an answer that makes sense")

    def _put_last(self, server: tuple[str, int]) -> None:
        """Let the next question go to another resolver first."""
        with self._lock:
            if self._servers[0] == server:
                self._servers.append(self._servers.pop(0))

    def _probe(self) -> bool:
        """Ask for the root, which every resolver has at hand: any answer counts."""
        for server in tuple(self._servers):
            with contextlib.suppress(OSError, EOFError, dns.exception.DNSException):
                exchange(_ROOT, server, self._patience)
                return True
        return False


class Questions:
    """What may be asked about one message."""

    def __init__(self, resolver: Resolver, deadline: float) -> None:
        """`deadline` is on the monotonic clock."""
        self._resolver = resolver
        self._deadline = deadline
        self._left = MOST_QUESTIONS

    def ask(self, name: str, kind: Kind) -> tuple[Record, ...]:
        """Return the records of a name, none where there are none; raises `UnansweredError`."""
        if not self._left:
            raise UnansweredError(f"more than {MOST_QUESTIONS} questions")
        self._left -= 1
        return self._resolver.ask(name, kind, self._deadline)

    def texts(self, name: str) -> tuple[bytes, ...]:
        """Return the TXT records of a name, each in one piece; raises `UnansweredError`."""
        return tuple(record for record in self.ask(name, Kind.TXT) if isinstance(record, bytes))


def exchange(query: dns.message.Message, server: tuple[str, int], seconds: float) -> dns.message.Message:
    """Ask over UDP, and over TCP where the answer is too long for it, within so many seconds in all.

    Raises `OSError`, `EOFError` and `DNSException`; answers to other questions are passed over.
    """
    deadline = time.monotonic() + seconds
    try:
        return dns.query.udp(query, server[0], seconds, server[1], raise_on_truncation=True, ignore_errors=True)
    except dns.message.Truncated:
        return dns.query.tcp(query, server[0], max(0.0, deadline - time.monotonic()), server[1])


_NEVER = Found(records=(), validated=False, lifetime=LONGEST_MEMORY)
"""Of what cannot be a name."""


def _found_or_raise(known: _Remembered) -> Found:
    if known.records is None:
        raise UnansweredError("the servers of that name fail")
    return Found(records=known.records, validated=known.validated, lifetime=max(0.0, known.until - time.monotonic()))


def _read(response: dns.message.Message, key: _Key) -> _Remembered:
    assert isinstance(response, dns.message.QueryMessage)  # noqa: S101 -- what answers a query is one
    name, kind = key
    chain = response.resolve_chaining()
    items = list(chain.answer or ())[:MOST_RECORDS] if kind not in _OF_A_ZONE or chain.canonical_name == name else ()
    records = tuple(record for item in items if (record := _record(item)) is not None)
    return _Remembered(
        records, time.monotonic() + min(chain.minimum_ttl, LONGEST_MEMORY), bool(response.flags & dns.flags.AD)
    )


def _record(item: dns.rdata.Rdata) -> Record | None:
    """Return a record of the type that was asked for as a value, None where it is too long."""
    match item:
        case TXT():
            text = b"".join(item.strings)
            return text if len(text) <= LONGEST_TEXT else None
        case MX():
            return item.preference, item.exchange.to_text(omit_final_dot=True)
        case PTR() | NS():
            name: str = item.target.to_text(omit_final_dot=True)
            return name
        case _:
            return item.to_text()  # an address, or a DS record
