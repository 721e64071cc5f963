"""Whom an RDAP answer names, in the shape of each registry and in no shape at all."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers import registries
from servers.registries import card, entity, network

from abuse_triage.lookups.entities import DEEPEST, MOST_ENTITIES, contacts, organisation
from abuse_triage.model.lookups import MOST_ITEMS, FoundContact


def found(*entities: Any) -> list[FoundContact]:
    """Return the contacts of a network with these entities."""
    return list(contacts({"objectClassName": "ip network", "entities": list(entities)}))


@pytest.mark.parametrize(
    ("document", "email", "source", "holder"),
    [
        (registries.ripe(), "abuse@example.org", "RDAP abuse role of AR1-EXAMPLE", "Example Hosting Lda"),
        (registries.arin(), "abuse@example.com", "RDAP abuse role of ABUSE1-EXAMPLE", "Example Corporation"),
        (registries.apnic(), "irt@example.net", "RDAP abuse role of IRT-EXAMPLE-AP", "Example Networks Pty"),
        (registries.lacnic(), "joao@example.com", "RDAP abuse role of EXA1", "Exemplo Telecomunicações Ltda"),
        (registries.afrinic(), "", "", "Example ISP"),
    ],
)
def test_the_abuse_contact_of_each_registry(document: object, email: str, source: str, holder: str) -> None:
    """It is found where each of the five has it, and comes first; the holder is the registrant."""
    people = contacts(document)
    abuse = [(person.email, person.source) for person in people if person.role == "abuse"]
    assert ([(email, source)] if email else []) == abuse
    assert not abuse or people[0].role == "abuse"
    assert holder == organisation(people, "registrant")


def test_the_abuse_contact_of_a_registrar() -> None:
    """Inside of the registrar of a name it says so, with the registrar's handle; numbers are without "tel:"."""
    people = contacts(registries.domain("example.org"))
    assert (
        FoundContact(
            role="abuse",
            email="abuse@registrar.example",
            telephone="+1.5555550100",
            source="RDAP abuse role of 9999, registrar",
        )
        == people[0]
    )
    assert "Example Registrar, Inc." == organisation(people, "registrar")


def test_persons_are_marked() -> None:
    """Individuals are, but not where they are the abuse contact; who is called by the handle alone is left out."""
    people = contacts(registries.ripe())
    assert ["Rita Example"] == [person.name for person in people if person.personal]
    assert "EXAMPLE-MNT" not in [person.name for person in people]
    roles = {person.role: person.personal for person in contacts(registries.lacnic())}
    assert {"abuse": False, "administrative": True, "technical": True, "registrant": False} == roles
    private = entity("P1", ["registrant"], card("Rita Example", kind="INDIVIDUAL"))
    assert "" == organisation(contacts({"entities": [private]}), "registrant")


def test_the_nearest_comes_first() -> None:
    """Of two abuse contacts that of the network counts before that of the organisation above it."""
    far = entity("ORG", ["registrant"], None, entity("FAR", ["abuse"], card("", email="far@example.org")))
    near = entity("NEAR", ["abuse"], card("", email="near@example.org"))
    assert ["near@example.org", "far@example.org"] == [person.email for person in found(far, near)]


def test_an_entity_without_a_handle_hides_no_other() -> None:
    """It counts itself, under the handle above it, and so do those behind it."""
    inner = entity(None, ["abuse"], card("", email="inner@example.org"))
    people = found(
        entity(None, ["technical"], card("Nobody", email="first@example.org")),
        entity("ORG", ["registrant"], None, inner),
        entity("AB", ["abuse"], card("", email="last@example.org")),
    )
    assert [
        ("last@example.org", "RDAP abuse role of AB"),
        ("inner@example.org", "RDAP abuse role of ORG"),
        ("first@example.org", "RDAP technical role"),
    ] == [(person.email, person.source) for person in people]


@pytest.mark.parametrize(
    "vcard",
    [
        ["vcard", [["fn", {}, "text", None], ["tel", {}, "uri", ["tel:+1"]], ["email", {}, "text", "a@example.org"]]],
        ["vcard", [["email"], ["email", {}], ["email", {}, "text"], ["email", {}, "text", "a@example.org"]]],
        ["vcard", [[], None, 7, {"email": "x"}, ["email", None, "text", "a@example.org"]]],
        ["vcard", [["EMAIL", {}, "text", ["no address", "a@example.org", "b@example.org"]]]],
        ["vcard", [["email", {}, "uri", "mailto:a@example.org"]]],
        [[["email", {}, "text", "a@example.org"]]],
        [["email", {}, "text", "a@example.org"]],
        ["vcard", [["fn", {}, "text", {"x": 1}], ["email", {}, "text", None, "a@example.org"]]],
    ],
)
def test_odd_cards_still_say_something(vcard: object) -> None:
    """Nulls, lists for texts, short properties and missing frames cost what they spoil, and nothing else."""
    assert ["a@example.org"] == [person.email for person in found(entity("X", ["abuse"], vcard))]


@pytest.mark.parametrize("roles", ["abuse", ["ABUSE"], [None, 7, "abuse"], ["abuse", "abuse"]])
def test_odd_roles(roles: Any) -> None:
    """A role need not be in a list, and its case does not matter."""
    odd = {"handle": 7, "roles": roles, "vcardArray": card("", email="a@example.org")}
    assert [("abuse", "a@example.org")] == [(person.role, person.email) for person in contacts({"entities": odd})]


def test_a_fax_is_no_telephone() -> None:
    """The number of a machine that nobody reads is left out; an organisation's name stands in for a person's."""
    fax = ["tel", {"type": ["work", "FAX"]}, "uri", "tel:+1"]
    (person,) = found(entity("X", ["abuse"], card(None, organisation="Example", more=[fax])))
    assert ("", "Example") == (person.telephone, person.name)


def test_texts_are_cleaned() -> None:
    """Names, handles and numbers are strangers' texts."""
    (person,) = found(entity("A\u202eB", ["abuse"], card("Evil\r\nBcc: x\x1b[2J", telephone="+1\u2066")))
    assert ("Evil Bcc: x[2J", "+1", "RDAP abuse role of AB") == (person.name, person.telephone, person.source)


def test_depth_and_number_have_a_limit() -> None:
    """What stands deeper or later is not looked at, and abuse contacts are the last to be left out."""

    def nested(depth: int) -> dict[str, Any]:
        document = entity("E", ["abuse"], card("", email="deep@example.org"))
        for _ in range(depth - 1):
            document = entity("O", [], None, document)
        return document

    assert 1 == len(found(nested(DEEPEST)))
    assert [] == found(nested(DEEPEST + 1))
    crowd = [entity(f"T{i}", ["technical"], card(f"Tech {i}")) for i in range(MOST_ENTITIES - 1)]
    abuse = entity("A", ["abuse"], card("Abuse"))
    people = found(*crowd, abuse)
    assert (MOST_ITEMS, "abuse") == (len(people), people[0].role)
    assert "abuse" not in {person.role for person in found(*crowd, crowd[0], abuse)}


def test_nothing_stays_from_one_answer_to_the_next() -> None:
    """An answer without an abuse contact has none, whatever was read before; the argument stays as it was."""
    first, second = registries.ripe(), registries.afrinic()
    before = contacts(second)
    contacts(first)
    assert before == contacts(second)
    assert registries.ripe() == first
    assert not any(person.role == "abuse" for person in before)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
_WORDS = st.sampled_from(["vcard", "fn", "email", "tel", "kind", "abuse", "registrar", "individual", "a@example.org"])
_LOOKALIKE = st.recursive(
    _JSON | _WORDS,
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["entities", "vcardArray", "handle", "roles", "type"]), inner)
    ),
    max_leaves=40,
)


@given(_JSON | _LOOKALIKE)
def test_no_json_makes_it_fail(document: object) -> None:
    """Whatever an answer looks like, what is found is bounded, clean, and the same each time."""
    people = contacts(document)
    assert people == contacts(document)
    assert len(people) <= MOST_ITEMS
    assert all(person.name.isprintable() and person.source.isprintable() for person in people)


def test_what_is_no_object() -> None:
    """There is nobody in it."""
    for document in (
        None,
        [],
        "entities",
        7,
        {"entities": None},
        {"entities": [None, [], "x"]},
        network("192.0.2.0/24", "", ""),
    ):
        assert () == contacts(document)
