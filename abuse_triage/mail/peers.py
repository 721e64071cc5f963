"""Teams and robots that the operator knows: who wrote, as far as it is proven, and the number they gave the matter."""

import re
from collections.abc import Sequence

from abuse_triage.model.identity import Contact
from abuse_triage.model.message import Address, Authentication, Header

_TAG = re.compile(
    r"\[(?P<label>[A-Z][A-Z0-9.|_ -]{0,39}?)?"  # "CNCS|CERT.PT", "CERT-Bund", "Ticket", "Ticket ID"
    r"(?: ?#:? ?|: ?#? ?)"
    r"(?P<number>(?:[A-Z]{1,8}-)?[0-9]{3,20})\]",
    re.IGNORECASE | re.ASCII,
)
"""A number of RT, OTRS, Znuny, Zammad, osTicket and the like in a subject; every repetition is bounded."""
_RT_TICKET = re.compile(r"[A-Z][A-Z0-9.|_ -]{0,39} #[0-9]{1,20}", re.IGNORECASE | re.ASCII)
_NO_TICKETS = frozenset({"as", "asn", "cve", "port"})
"""What stands in brackets before other numbers; many matters have the same one."""
_LONGEST_SUBJECT = 1000


def contact_of(sender: Address, contacts: Sequence[Contact], proof: Authentication) -> Contact | None:
    """Return the contact that a message is from, None where it is from none or its From is not proven.

    The first contact with the address counts, else the first whose domain is that of the address or lies above it.
    """
    if not proof.aligned or not sender.email:
        return None
    by_address = (contact for contact in contacts if sender.email in contact.addresses)
    by_domain = (contact for contact in contacts if any(_below(sender.domain, zone) for zone in contact.domains))
    return next(by_address, None) or next(by_domain, None)


def their_number(subject: str, headers: Sequence[Header], own_prefix: str) -> str:
    """Return the number that another team's ticket system gave the matter, as it stood in brackets, "" for none.

    It is made of letters, digits, blanks and the marks . | _ - # : only, so it can stand in a mail of ours. The first
    tag in the subject's first 1,000 characters counts that does not begin with `own_prefix` (`team.ticket_prefix`),
    then RT's own field.
    """
    own = own_prefix.casefold()
    for found in _TAG.finditer(subject[:_LONGEST_SUBJECT]):
        label = (found["label"] or "").strip().casefold()
        if not label.startswith(own) and label not in _NO_TICKETS:
            return found[0][1:-1]
    for header in headers:
        if header.name == "x-rt-ticket" and _RT_TICKET.fullmatch(value := header.value.strip()):
            return value
    return ""


def _below(domain: str, zone: str) -> bool:
    return domain == zone or domain.endswith(f".{zone}")
