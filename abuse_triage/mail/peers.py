"""Teams and robots that the operator knows: who wrote, as far as it is proven, and the number they gave the matter."""

from collections.abc import Sequence

from abuse_triage.model.message import Address, Authentication
from abuse_triage.model.settings import Contact


def contact_of(sender: Address, contacts: Sequence[Contact], proof: Authentication) -> Contact | None:
    """Return the contact that a message is from, None where it is from none or its From is not proven.

    The first contact with the address counts, else the first whose domain is that of the address or lies above it.
    """
    if not proof.aligned or not sender.email:
        return None
    by_address = (contact for contact in contacts if sender.email in contact.addresses)
    by_domain = (contact for contact in contacts if any(_below(sender.domain, zone) for zone in contact.domains))
    return next(by_address, None) or next(by_domain, None)


def _below(domain: str, zone: str) -> bool:
    return domain == zone or domain.endswith(f".{zone}")
