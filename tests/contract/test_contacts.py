"""The contract of the directory of contacts."""

from dataclasses import fields, replace
from datetime import timedelta

import pytest
from contract.values import NOON

from abuse_triage.errors import NotFoundError
from abuse_triage.model.lookups import ContactKind, DirectoryEntry
from abuse_triage.store.interface import Store


def contact(email: str = "cert@example.org", **changes: object) -> DirectoryEntry:
    """Somebody in the directory."""
    return replace(DirectoryEntry(email=email, kind=ContactKind.CSIRT, organisation="Example CERT"), **changes)


WHOLE = DirectoryEntry(
    kind=ContactKind.CCTLD,
    **{field.name: f"{field.name} é" for field in fields(DirectoryEntry) if field.name not in {"kind", "updated_at"}},
)


def test_entry_comes_back_as_it_was(store: Store, other: Store) -> None:
    """All fields are kept, with when and by whom, and any process finds them by the address in any case."""
    assert store.put_contacts([WHOLE, contact()], "ana", NOON) == (2, 0)
    kept = replace(WHOLE, updated_at=NOON, updated_by="ana")
    assert kept == other.contact_at("EMAIL É")
    assert other.contact_at("nobody@example.org") is None


def test_entries_are_added_and_replaced(store: Store) -> None:
    """What is new and what changed is counted; what is as it was keeps its time and its author."""
    store.put_contacts([contact(), contact("b@example.org")], "ana", NOON)
    later = NOON + timedelta(days=1)
    given = [contact("CERT@Example.org"), contact("b@example.org", note="call first"), contact("c@example.org")]
    assert store.put_contacts(given, "rui", later) == (1, 1)
    assert [(one.email, one.note, one.updated_by, one.updated_at) for one in store.contacts()] == [
        ("b@example.org", "call first", "rui", later),
        ("c@example.org", "", "rui", later),
        ("cert@example.org", "", "ana", NOON),
    ]
    assert store.put_contacts([], "rui", later) == (0, 0)


def test_last_of_several_with_one_address_counts(store: Store) -> None:
    """A file may name somebody twice; strange characters are replaced."""
    twice = [contact(note="first"), contact("Cert@Example.org", note="a\0b\ud800")]
    assert store.put_contacts(twice, "ana", NOON) == (1, 0)
    assert [one.note for one in store.contacts()] == ["a\ufffdb\ufffd"]
    assert store.put_contacts(twice, "ana", NOON) == (0, 0)


def test_all_or_none_are_stored(store: Store) -> None:
    """Where one entry cannot be stored, none is."""
    with pytest.raises(TypeError):
        store.put_contacts([contact(), contact("b@example.org", organisation=None)], "ana", NOON)
    assert store.contacts() == []


def test_entries_are_listed_and_filtered(store: Store) -> None:
    """In the order of kind, country and organisation, as far as the filter says, up to the limit."""
    entries = [
        contact("1@example.org", country="PT", organisation="B"),
        contact("2@example.org", country="PT", organisation="A"),
        contact("3@example.org", country="BR"),
        contact("4@example.org", country="PT", kind=ContactKind.CCTLD),
        contact("5@example.org", kind=ContactKind.REGISTRAR),
    ]
    store.put_contacts(entries, "ana", NOON)

    def listed(**which: object) -> str:
        return "".join(one.email[0] for one in store.contacts(**which))

    assert listed() == "43215"
    assert listed(limit=2) == "43"
    assert listed(country="PT") == "421"
    assert listed(kinds=[ContactKind.CSIRT]) == "321"
    assert listed(kinds=[ContactKind.CCTLD, ContactKind.REGISTRAR]) == "45"
    assert listed(kinds=[ContactKind.CCTLD], country="BR") == ""


def test_entry_is_removed(store: Store) -> None:
    """It is gone then, and cannot be removed twice."""
    store.put_contacts([contact()], "ana", NOON)
    store.remove_contact("CERT@example.org")
    assert store.contacts() == []
    with pytest.raises(NotFoundError):
        store.remove_contact("cert@example.org")
