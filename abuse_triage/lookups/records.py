"""What the name servers of a name or of a network say of it, through the operator's resolver: they learn of it."""

from collections.abc import Iterable

import dns.reversename

from abuse_triage.lookups.cleaning import clean
from abuse_triage.lookups.dnsclient import SERVER, DnsClient, lifetime, names
from abuse_triage.lookups.resolver import Found, Kind, Resolver, UnansweredError
from abuse_triage.model.lookups import MOST_ITEMS, Answer, LookupKind, Result

_HOSTS = (Kind.A, Kind.AAAA, Kind.MX, Kind.TXT)


class Hosts(DnsClient):
    """Asks for the addresses, mail hosts and texts of a registrable name itself, of no name below it."""

    kind = LookupKind.HOSTS

    def _find(self, resolver: Resolver, subject: str, deadline: float) -> Answer:
        found: dict[Kind, Found] = {}
        reason = ""
        for kind in _HOSTS:
            try:
                found[kind] = resolver.find(subject, kind, deadline)
            except UnansweredError as error:
                if not found:  # the next question would have no answer either
                    raise
                reason = str(error)
        records = {kind: one.records for kind, one in found.items()}
        seconds = min(one.lifetime for one in found.values())
        if not any(records.values()):
            if reason:
                raise UnansweredError(reason)
            return self._absent(subject, seconds)
        missing = ", ".join(kind for kind in _HOSTS if kind not in found)
        mail = sorted(record for record in records.get(Kind.MX, ()) if isinstance(record, tuple))
        texts = (record for record in records.get(Kind.TXT, ()) if isinstance(record, bytes))
        return Answer(
            kind=self.kind,
            subject=subject,
            server=SERVER,
            result=Result.FOUND,
            reason=f"{missing}: {reason}" if missing else "",
            addresses=tuple(clean(one) for kind in (Kind.A, Kind.AAAA) for one in records.get(kind, ()))[:MOST_ITEMS],
            mail_hosts=_mail_hosts(host for _, host in mail),
            texts=tuple(text for one in texts if (text := clean(one.decode("utf-8", "replace"))))[:MOST_ITEMS],
            lifetime=lifetime(0 if missing else seconds),
        )


class Pointer(DnsClient):
    """Asks for the names of an address (RFC 1035 section 3.5, RFC 3596 section 2.5)."""

    kind = LookupKind.POINTER

    def _find(self, resolver: Resolver, subject: str, deadline: float) -> Answer:
        found = resolver.find(dns.reversename.from_address(subject).to_text(), Kind.PTR, deadline)
        if not found.records:
            return self._absent(subject, found.lifetime)
        return Answer(
            kind=self.kind,
            subject=subject,
            server=SERVER,
            result=Result.FOUND,
            names=names(found.records),
            lifetime=lifetime(found.lifetime),
        )


def _mail_hosts(hosts: Iterable[str]) -> tuple[str, ...]:
    """Return hosts in the order of their preference; "." is the word for none (RFC 7505)."""
    found = dict.fromkeys(clean(host).lower() for host in hosts)
    return tuple(host for host in found if host not in {"", "."})[:MOST_ITEMS]
