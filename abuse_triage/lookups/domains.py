"""Registrable names at their registries: by RDAP (RFC 9082, RFC 9083), or by WHOIS where there is no RDAP service.

Links to the registrar's own service are not followed: a registrar can be the very attacker. whoisit does the same work,
and is what the tests compare with; it is not used here, because its transport takes answers of any size and for any
time, follows redirects, waits for servers that had enough and says that it is somebody else, because its settings are
one for all threads of a process, and because it would bring two HTTP libraries into the daemon.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from abuse_triage.lookups import entities
from abuse_triage.lookups.bootstrap import Bootstrap
from abuse_triage.lookups.cleaning import clean
from abuse_triage.lookups.client import Client
from abuse_triage.lookups.transport import ABSENT, Transport, TransportError, host_of, with_slash
from abuse_triage.lookups.whois import is_name
from abuse_triage.lookups.whoisfields import host_names, is_hidden, is_organisation, moment, same_name, texts
from abuse_triage.model.lookups import MOST_ITEMS, Answer, FoundContact, LookupKind, Result

_MALFORMED = frozenset([400, 422])
"""Statuses for questions that make no sense (RFC 7480 section 5.4), such as about "xn--a.com".

They are no failures of the server: a few such names in a report would keep everybody from asking it.
"""
_MOST_READ = 5 * MOST_ITEMS
"""Items of a list that are looked at."""
_DS = re.compile(r"[0-9]{1,5} [0-9]{1,3} [0-9]{1,3} [0-9A-Fa-f]{8,128}")


class Domains:
    """Asks the service of the longest end of a name: that of the configuration, IANA's, or a WHOIS server.

    A `Client`.
    """

    kind = LookupKind.DOMAIN

    def __init__(
        self, overrides: Mapping[str, str], bootstrap: Bootstrap, transport: Transport, whois: Client | None = None
    ) -> None:
        """Take base URLs by end of names ("lookups.rdap"), "" for no RDAP service, and what may ask them.

        `whois` is asked about names that have no RDAP service.
        """
        self._overrides = overrides
        self._bootstrap = bootstrap
        self._transport = transport
        self._whois = whois

    def server(self, subject: str) -> str:
        """Return the host that would be asked about a name, "" for none."""
        if base := self._base(subject):
            return host_of(base)
        return self._whois.server(subject) if self._whois else ""

    def ask(self, subject: str, seconds: float) -> Answer:
        """Ask once, within so many seconds in all; never raises for anything that the other end does."""
        base = self._base(subject)
        if not base and self._whois:
            return self._whois.ask(subject, seconds)
        if not base or not is_name(subject):
            return self._failed(subject, "", "no server is known for this name")
        server = host_of(base)
        try:
            document = self._transport.ask(f"{with_slash(base)}domain/{subject}", seconds)
        except TransportError as error:
            if error.status == ABSENT:
                return Answer(kind=self.kind, subject=subject, server=server, result=Result.NOT_FOUND)
            if error.status in _MALFORMED:
                reason = f"{server} says that there can be no such name"
                return Answer(kind=self.kind, subject=subject, server=server, result=Result.NOT_FOUND, reason=reason)
            failed = self._failed(subject, server, str(error), error.retry_after)
            return replace(failed, temporary=error.temporary)
        return parse(document, subject=subject, server=server)

    def _base(self, subject: str) -> str:
        labels = subject.split(".")
        ends = (".".join(labels[start:]) for start in range(1, len(labels)))
        configured = next((self._overrides[end] for end in ends if end in self._overrides), None)
        return self._bootstrap.domain(subject) if configured is None else configured

    def _failed(self, subject: str, server: str, reason: str, retry_after: timedelta | None = None) -> Answer:
        return Answer(
            kind=self.kind,
            subject=subject,
            server=server,
            result=Result.FAILED,
            reason=reason,
            retry_after=retry_after,
        )


def parse(document: object, *, subject: str, server: str) -> Answer:
    """Return what an answer says of a name; never fails, whatever JSON it is given.

    It FAILED where it is no answer about that name.
    """
    if not isinstance(document, dict) or not _is_about(document, subject):
        reason = f"{server} answers about something else"
        return Answer(kind=LookupKind.DOMAIN, subject=subject, server=server, result=Result.FAILED, reason=reason)
    found = entities.contacts(document)
    holder = _holder(document)
    secure = document.get("secureDNS")
    secure = secure if isinstance(secure, dict) else {}
    ds = texts(_records(secure))
    signed = secure.get("delegationSigned")
    return Answer(
        kind=LookupKind.DOMAIN,
        subject=subject,
        server=server,
        result=Result.FOUND,
        registrar=entities.organisation(found, "registrar") or _registrar_handle(document),
        holder=holder,
        created=_event(document, "registration"),
        expires=_event(document, "expiration"),
        statuses=texts(text for text in _items(document, "status") if isinstance(text, str)),
        name_servers=host_names(_texts(_objects(document, "nameservers"), "ldhName")),
        ds=ds,
        signed=signed if isinstance(signed, bool) else (True if ds else None),
        contacts=tuple(_marked(contact, holder) for contact in found if not _is_empty(contact)),
    )


def _is_about(document: Mapping[str, object], subject: str) -> bool:
    name = document.get("ldhName") or document.get("unicodeName")
    return document.get("objectClassName", "domain") == "domain" and isinstance(name, str) and same_name(name, subject)


def _items(document: Mapping[str, object], key: str) -> list[object]:
    """Return a list that an object has, none where it has something else."""
    value = document.get(key)
    return value[:_MOST_READ] if isinstance(value, list) else []


def _objects(document: Mapping[str, object], key: str) -> Iterator[Mapping[str, object]]:
    return (item for item in _items(document, key) if isinstance(item, dict))


def _texts(objects: Iterator[Mapping[str, object]], key: str) -> Iterator[str]:
    return (value for value in (item.get(key) for item in objects) if isinstance(value, str))


def _event(document: Mapping[str, object], action: str) -> datetime | None:
    """Return when something happened (RFC 9083 section 4.5), None where no date that makes sense is told."""
    events = (event for event in _objects(document, "events") if clean(event.get("eventAction")).lower() == action)
    return next((at for at in map(moment, _texts(events, "eventDate")) if at), None)


def _records(secure: Mapping[str, object]) -> Iterator[str]:
    """Yield DS records in presentation form (RFC 4034 section 5.3)."""
    for record in _objects(secure, "dsData"):
        fields = [record.get(key) for key in ("keyTag", "algorithm", "digestType", "digest")]
        line = " ".join(str(value) for value in fields if isinstance(value, (int, str)))
        if _DS.fullmatch(line):
            yield line.upper()


def _with_role(document: Mapping[str, object], role: str) -> Iterator[Mapping[str, object]]:
    return (entity for entity in _objects(document, "entities") if role in _items(entity, "roles"))


def _registrar_handle(document: Mapping[str, object]) -> str:
    handles = map(clean, _texts(_with_role(document, "registrar"), "handle"))
    return next((handle for handle in handles if handle), "")


def _holder(document: Mapping[str, object]) -> str:
    """Return the organisation that holds the name, "" where none is shown; a person is nobody's business here."""
    for entity in _with_role(document, "registrant"):
        card: dict[str, str] = {}
        for part in _items(entity, "vcardArray"):
            for row in part[:_MOST_READ] if isinstance(part, list) else []:
                match row:
                    case [str(name), _, _, str(value), *_] | [str(name), _, _, [str(value), *_], *_]:
                        card.setdefault(name.lower(), clean(value))
        name = card.get("org", "") or (card.get("fn", "") if card.get("kind", "") == "org" else "")
        if name and not is_hidden(name):
            return name
    return ""


def _marked(contact: FoundContact, holder: str) -> FoundContact:
    """Mark a holder who may be a person: many registries do not say what somebody is."""
    if contact.role != "registrant" or contact.name == holder or is_organisation(contact.name):
        return contact
    return replace(contact, personal=True)


def _is_empty(contact: FoundContact) -> bool:
    """Tell whether nothing is known of somebody but that something is hidden."""
    return is_hidden(contact.name) and not (contact.email or contact.telephone)
