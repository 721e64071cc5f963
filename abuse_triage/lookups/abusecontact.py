"""The abuse contact of an address at RIPE, from the service that has nothing else."""

from abuse_triage.lookups.cleaning import clean_email
from abuse_triage.lookups.refusals import refused, unknown
from abuse_triage.lookups.transport import Transport, TransportError, host_of, with_slash
from abuse_triage.model.lookups import MOST_ITEMS, Answer, FoundContact, LookupKind, Result

SOURCE = "RIPE abuse-c"
_BOUNCES = f"{SOURCE}, which RIPE suspects to be dead"


class AbuseContactClient:
    """Asks RIPE's service, or another of its kind; `base` "" asks nobody."""

    def __init__(self, transport: Transport, base: str) -> None:
        self._transport = transport
        self._base = base

    def server(self, subject: str) -> str:  # noqa: ARG002 -- the same for every address
        """Return the host of the service."""
        return host_of(self._base)

    def ask(self, subject: str, seconds: float) -> Answer:
        """Ask once about a canonical address; an address without a contact is NOT_FOUND."""
        server = host_of(self._base)
        if not server:
            return unknown(kind=LookupKind.ABUSE_CONTACT, subject=subject)
        try:
            document = self._transport.ask(f"{with_slash(self._base)}abuse-contact/{subject}.json", seconds)
        except TransportError as error:
            return refused(error, kind=LookupKind.ABUSE_CONTACT, subject=subject, server=server)
        found = _contacts(document)
        return Answer(
            kind=LookupKind.ABUSE_CONTACT,
            subject=subject,
            server=server,
            result=Result.FOUND if found else Result.NOT_FOUND,
            reason="" if found else f"{server} has no abuse contact for it",
            registry="ripe",
            contacts=found,
        )


def _contacts(document: object) -> tuple[FoundContact, ...]:
    """Return the addresses of an answer; it has one, and a list of them would be understood."""
    rows = document.get("abuse-contacts") if isinstance(document, dict) else None
    found: dict[str, FoundContact] = {}
    for row in (rows if isinstance(rows, list) else [rows])[:MOST_ITEMS]:
        if isinstance(row, dict) and (email := clean_email(row.get("email"))):
            source = _BOUNCES if row.get("suspect") is True else SOURCE
            found.setdefault(email, FoundContact(role="abuse", email=email, source=source))
    return tuple(found.values())
