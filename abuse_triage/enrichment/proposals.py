"""Whom to write to about an address or name: proposals with their source, which a person confirms.

Registries' answers are the words of whoever registered; so nothing is ever sent by itself to an address from here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from abuse_triage.enrichment.questions import Question
from abuse_triage.model.lookups import Answer, DirectoryEntry, FoundContact, LookupKind, Offline, Registrar, Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An address that reports about a subject may go to, who that is, and by whose word; all of it cleaned."""

    email: str
    name: str
    source: str


def proposals(
    subject: str,
    answers: Mapping[Question, Answer],
    *,
    offline: Offline | None = None,
    registrars: Sequence[Registrar] = (),
    nationals: Mapping[str, DirectoryEntry] | None = None,
) -> tuple[Proposal, ...]:
    """Return whom to write to about a subject, best first, each address once.

    Our own table of customers comes first; then the abuse role of RDAP, the registry's service for abuse contacts, the
    managing entity of the name, the registrar table, and the national CSIRT of the country.

    Args:
        subject: an address or registrable name.
        answers: what look-ups brought, of this and other subjects.
        offline: what local files say about it.
        registrars: the registrar table.
        nationals: national CSIRTs of the contact directory, by country.
    """
    own = [answer for (_, about), answer in answers.items() if about == subject and answer.result is Result.FOUND]
    named = {one.name: one for one in registrars}
    found: dict[str, Proposal] = {}
    for proposal in (
        *_owner(offline),
        *_role(own, "abuse", LookupKind.NETWORK, LookupKind.DOMAIN),
        *_role(own, "abuse", LookupKind.ABUSE_CONTACT),
        *_role(own, "administrative", LookupKind.OWN_DOMAIN),
        *_registrar(own, named),
        *_national(subject, own, offline, nationals or {}),
    ):
        found.setdefault(proposal.email.lower(), proposal)
    return tuple(found.values())


def _owner(offline: Offline | None) -> Iterator[Proposal]:
    if offline is not None and offline.owner_contact:
        yield Proposal(
            email=offline.owner_contact, name=offline.owner, source=f"your table of owners, {offline.owner_key}"
        )


def _role(answers: Sequence[Answer], role: str, *kinds: LookupKind) -> Iterator[Proposal]:
    for answer in answers:
        if answer.kind in kinds:
            for contact in answer.contacts:
                if contact.role == role and contact.email:
                    yield _proposal(contact)


def _proposal(contact: FoundContact) -> Proposal:
    return Proposal(email=contact.email, name=contact.name, source=contact.source)


def _registrar(answers: Sequence[Answer], named: Mapping[str, Registrar]) -> Iterator[Proposal]:
    for answer in answers:
        for name in (answer.registrar, answer.managed_by):
            entry = named.get(name.lower())
            if entry is not None:
                yield Proposal(email=entry.contact, name=name, source="your table of registrars")


def _national(
    subject: str, answers: Sequence[Answer], offline: Offline | None, nationals: Mapping[str, DirectoryEntry]
) -> Iterator[Proposal]:
    """Propose the national CSIRT of the country of a network, or of a name below a country's top-level domain."""
    countries = [answer.country for answer in answers]
    countries += [offline.country] if offline is not None else []
    countries += [subject.rpartition(".")[2].upper()]
    for country in dict.fromkeys(countries):
        entry = nationals.get(country)
        if entry is not None:
            yield Proposal(
                email=entry.email,
                name=entry.organisation,
                source=f"your contact directory, national CSIRT of {country}",
            )
