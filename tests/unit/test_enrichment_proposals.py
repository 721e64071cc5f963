"""Whom to write to is proposed in a fixed order of sources, and what rules learn comes from answers only."""

from datetime import UTC, datetime, timedelta

from abuse_triage.enrichment.late import late_facts
from abuse_triage.enrichment.proposals import Proposal, proposals
from abuse_triage.enrichment.questions import Question
from abuse_triage.model.decision import Tlp
from abuse_triage.model.lookups import (
    Answer,
    ContactKind,
    DirectoryEntry,
    Enrichment,
    FoundContact,
    Known,
    LookupKind,
    Offline,
    Registrar,
    Result,
)

NOW = datetime(2026, 10, 5, 9, 0, tzinfo=UTC)
IP, NAME = "9.9.9.9", "loja.pt"
NETWORK = Answer(
    kind=LookupKind.NETWORK,
    subject=IP,
    server="rdap.example",
    result=Result.FOUND,
    network="EX-NET",
    holder="Exemplo Redes",
    country="PT",
    contacts=(
        FoundContact(role="technical", email="noc@redes.example", source="RDAP technical role of NOC-EX"),
        FoundContact(role="abuse", name="Abuse desk", email="abuse@redes.example", source="RDAP abuse role of AB-EX"),
    ),
)
ABUSE_C = Answer(
    kind=LookupKind.ABUSE_CONTACT,
    subject=IP,
    server="rest.example",
    result=Result.FOUND,
    contacts=(FoundContact(role="abuse", email="Abuse@redes.example", source="RIPE abuse-c"),),
)
OWN = Answer(
    kind=LookupKind.OWN_DOMAIN,
    subject=NAME,
    server="whois.example.pt",
    result=Result.FOUND,
    managed_by="Registos Exemplo, Lda.",
    created=NOW - timedelta(days=3),
    name_servers=("ns1.alojamento.example",),
    signed=False,
    contacts=(
        FoundContact(
            role="administrative", email="dominios@registos.example", source="managing entity at whois.example.pt"
        ),
    ),
)
REGISTRARS = (Registrar(name="registos exemplo, lda.", contact="abuso@registos.example"),)
NATIONALS = {"PT": DirectoryEntry(email="cert@cert.example", kind=ContactKind.NATIONAL_CSIRT, organisation="CERT Ex")}


def _answers(*answers: Answer) -> dict[Question, Answer]:
    return {(answer.kind, answer.subject): answer for answer in answers}


def test_an_address_has_its_contacts_in_order() -> None:
    """Our own table, then the abuse role, then RIPE's abuse-c, then the national CSIRT; each address once."""
    offline = Offline(owner="Cliente", owner_contact="soc@cliente.example", owner_key="9.9.0.0/16")
    assert (
        Proposal(email="soc@cliente.example", name="Cliente", source="your table of owners, 9.9.0.0/16"),
        Proposal(email="abuse@redes.example", name="Abuse desk", source="RDAP abuse role of AB-EX"),
        Proposal(email="cert@cert.example", name="CERT Ex", source="your contact directory, national CSIRT of PT"),
    ) == proposals(IP, _answers(ABUSE_C, NETWORK, OWN), offline=offline, nationals=NATIONALS)


def test_without_an_abuse_role_the_registry_s_service_counts() -> None:
    """RIPE's abuse-c is proposed where RDAP names nobody."""
    bare = Answer(kind=LookupKind.NETWORK, subject=IP, server="rdap.example", result=Result.FOUND)
    assert ["RIPE abuse-c"] == [one.source for one in proposals(IP, _answers(bare, ABUSE_C))]


def test_a_name_of_ours_has_its_managing_entity() -> None:
    """The managing entity, then the registrar table under its name, then the national CSIRT of the top-level domain."""
    assert [
        "managing entity at whois.example.pt",
        "your table of registrars",
        "your contact directory, national CSIRT of PT",
    ] == [one.source for one in proposals(NAME, _answers(OWN), registrars=REGISTRARS, nationals=NATIONALS)]


def test_nobody_is_made_up() -> None:
    """Without answers and tables there is no proposal, and a failed answer is none."""
    failed = Answer(kind=LookupKind.NETWORK, subject=IP, server="", result=Result.FAILED, contacts=NETWORK.contacts)
    assert () == proposals(IP, {})
    assert () == proposals(IP, _answers(failed))
    assert () == proposals("9.9.9.8", _answers(NETWORK))


def _late(*answers: Answer, offline: dict[str, Offline] | None = None) -> dict[str, object]:
    known = {
        (one.kind, one.subject): Known(answer=one, asked_at=NOW, fresh_until=NOW, stale_until=NOW, tlp=Tlp.CLEAR)
        for one in answers
    }
    asked = ((LookupKind.NETWORK, IP), (LookupKind.OWN_DOMAIN, NAME))
    return dict(late_facts(Enrichment(known=known, offline=offline or {}, asked=asked), NOW))


def test_rules_see_what_was_answered() -> None:
    """Countries, networks, holders, registrars, name servers and the age of the youngest name are facts."""
    facts = _late(NETWORK, OWN, offline={IP: Offline(asn=64500, as_name="EXEMPLO", country="PT", owner="Cliente")})
    assert {
        "lookup.done": True,
        "lookup.country": ("PT",),
        "lookup.asn": ("64500",),
        "lookup.network": ("EX-NET",),
        "lookup.holder": ("Exemplo Redes", "EXEMPLO"),
        "lookup.registrar": ("Registos Exemplo, Lda.",),
        "lookup.owner": ("Cliente",),
        "lookup.name_server": ("ns1.alojamento.example",),
        "lookup.age": 3,
        "lookup.unsigned": True,
    } == facts


def test_without_answers_every_fact_is_empty() -> None:
    """Before anybody answered, rules see empty values and an age of -1."""
    assert {"lookup.done": False, "lookup.age": -1, "lookup.unsigned": False} == {
        name: value for name, value in _late().items() if value != ()
    }


def test_a_name_registered_in_the_future_is_no_older_than_today() -> None:
    """A registry whose clock is ahead makes no negative age."""
    early = Answer(
        kind=LookupKind.OWN_DOMAIN, subject=NAME, server="", result=Result.FOUND, created=NOW + timedelta(days=2)
    )
    assert 0 == _late(early)["lookup.age"]
