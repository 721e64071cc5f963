"""How a name is delegated, by the word of the zone above: its own name servers do not learn that anybody asked.

A resolver that is asked for NS records goes to the servers of the name itself, which have the better ones (RFC 2181
section 5.4.1). So the servers of the zone above are asked directly, without recursion, and what counts is their
referral (RFC 1034 section 4.2.2). A question for DS records goes to the zone above anyway (RFC 4035 section 3.1.4.1).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype

from abuse_triage.lookups.cleaning import clean
from abuse_triage.lookups.dnsclient import SERVER, DnsClient, lifetime, names
from abuse_triage.lookups.resolver import PAYLOAD, Found, Kind, Resolver, UnansweredError, exchange
from abuse_triage.model.lookups import MOST_ITEMS, Answer, LookupKind, Result

MOST_SERVERS = 3
"""Name servers of the zone above that are asked for one name."""
VALIDATED = "validated"
"""The status of a delegation whose DS records, or their absence, the resolver has validated."""
_PATIENCE = 2.0
"""Seconds to wait for one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Referral:
    """What a server of the zone above says: the name's servers, none where there is no such delegation."""

    names: tuple[str, ...]
    seconds: float


class Delegation(DnsClient):
    """Asks for the name servers and DS records of a registrable name, at the zone above only.

    `signed` is None where only the question for DS records has no answer; where only the name servers have none, the
    answer says so in `reason`. `statuses` has `VALIDATED` if the resolver vouches for the DS records.
    """

    kind = LookupKind.DELEGATION

    def __init__(self, resolver: Resolver | None, refuse: Callable[[str], str], *, port: int = 53) -> None:
        """`refuse` names the range because of which an address is not asked, "" for none; `port` is of all servers."""
        super().__init__(resolver)
        self._refuse = refuse
        self._port = port

    def _find(self, resolver: Resolver, subject: str, deadline: float) -> Answer:
        zone, servers = _zone_above(resolver, subject, deadline)
        if not servers:
            return self._absent(subject, 0)
        reason = ""
        referral = _Referral(names=(), seconds=0)
        try:
            referral = self._referral(resolver, subject, servers, deadline)
        except UnansweredError as error:
            reason = f"{zone}: {error}"
        else:
            if not referral.names:
                return self._absent(subject, referral.seconds)
        signature = self._signature(resolver, subject, deadline)
        if reason and not (signature and signature.records):
            raise UnansweredError(reason)
        return Answer(
            kind=self.kind,
            subject=subject,
            server=SERVER,
            result=Result.FOUND,
            reason=reason,
            name_servers=referral.names,
            ds=tuple(clean(record) for record in signature.records)[:MOST_ITEMS] if signature else (),
            signed=bool(signature.records) if signature else None,
            statuses=(VALIDATED,) if signature and signature.validated else (),
            lifetime=lifetime(min(referral.seconds, signature.lifetime if signature else 0)),
        )

    def _signature(self, resolver: Resolver, subject: str, deadline: float) -> Found | None:
        try:
            return resolver.find(subject, Kind.DS, deadline)
        except UnansweredError:
            return None

    def _referral(self, resolver: Resolver, subject: str, servers: Sequence[str], deadline: float) -> _Referral:
        """Ask one server after the other; raises `UnansweredError`."""
        query = dns.message.make_query(subject, dns.rdatatype.NS, flags=0, payload=PAYLOAD)
        reason = "no name server has an address"
        for number, (server, address) in enumerate(_addresses(resolver, servers, deadline)):
            left = deadline - time.monotonic()
            if number == MOST_SERVERS or left <= 0:
                break
            if words := self._refuse(address):
                reason = f"{clean(server)} is at {address} ({words}), which is not asked"
                continue
            reason = "no name server gives an answer that makes sense"
            try:
                response = exchange(query, (address, self._port), min(_PATIENCE, left))
                referral = _read(response, query.question[0].name)
            except (OSError, EOFError, dns.exception.DNSException):
                continue
            if referral is not None:
                return referral
        raise UnansweredError(reason)


def _zone_above(resolver: Resolver, subject: str, deadline: float) -> tuple[str, tuple[str, ...]]:
    """Return the next zone above a name and its servers, none where there is none below the root."""
    zone = subject.rstrip(".")
    while "." in zone:
        zone = zone.partition(".")[2]
        if servers := resolver.ask(zone, Kind.NS, deadline):
            return zone, tuple(str(server) for server in servers)
    return "", ()


def _addresses(resolver: Resolver, servers: Sequence[str], deadline: float) -> Iterator[tuple[str, str]]:
    """Yield servers with one address each, of IPv4 where they have one."""
    for server in servers:
        for kind in (Kind.A, Kind.AAAA):
            try:
                records = resolver.ask(server, kind, deadline)
            except UnansweredError:
                break
            if records:
                yield server, str(records[0])
                break


def _read(response: dns.message.Message, name: dns.name.Name) -> _Referral | None:
    """Return what an answer of the zone above says of a name, None where that server has nothing to say about it.

    A server that has both zones gives the records of the name's own zone, as its answer.
    """
    for section in (response.answer, response.authority):
        found = response.get_rrset(section, name, dns.rdataclass.IN, dns.rdatatype.NS)
        if found is not None and response.rcode() == dns.rcode.NOERROR:
            return _Referral(names=names(item.target.to_text(omit_final_dot=True) for item in found), seconds=found.ttl)
    absent = response.rcode() in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN} and bool(response.flags & dns.flags.AA)
    if not absent or not isinstance(response, dns.message.QueryMessage):
        return None
    return _Referral(names=(), seconds=response.resolve_chaining().minimum_ttl)
