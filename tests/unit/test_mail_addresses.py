"""Mailboxes of header fields."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.mail.addresses import MOST_ADDRESSES, addresses
from abuse_triage.model.message import Address


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ana@example.pt", [("", "ana@example.pt")]),
        ("Ana Silva <Ana@Example.PT>", [("Ana Silva", "ana@example.pt")]),
        ('"Silva, Ana" <ana@example.pt>, rui@example.org', [("Silva, Ana", "ana@example.pt"), ("", "rui@example.org")]),
        ("Silva, Ana <ana@example.pt>", [("Silva, Ana", "ana@example.pt")]),
        ("=?utf-8?q?Jo=C3=A3o?= <joao@example.pt>", [("João", "joao@example.pt")]),
        ("=?utf-8?q?a=2C_b?= <joao@example.pt>", [("a, b", "joao@example.pt")]),
        ("ana@example.pt (Ana (CERT))", [("Ana CERT", "ana@example.pt")]),
        ("CERT: ana@example.pt, rui@example.org;", [("", "ana@example.pt"), ("", "rui@example.org")]),
        ("undisclosed-recipients:;", []),
        ("unlisted-recipients:; (no To-header on input)", []),
        ("<@a.example.org,@b.example.org:ana@example.pt>", [("", "ana@example.pt")]),
        ("Ana <<ana@example.pt>>", [("Ana", "ana@example.pt")]),
        ("Ana ana@example.pt", [("Ana", "ana@example.pt")]),
        ("Ana <not an address>", [("Ana", "")]),
        ("Ana Silva", [("Ana Silva", "")]),
        ("<>", []),
        ("", []),
        ('"quo\\"ted" <q@example.pt>', [('quo"ted', "q@example.pt")]),
        ('"john..doe"@example.org', [("", '"john..doe"@example.org')]),
        ("alice@example.org)bob@example.net", [("alice@example.orgbob@example.net", "")]),
        ("Jos\udcc3\udca9 <jose@example.pt>", [("José", "jose@example.pt")]),
        ("ana@\udcc3\udca1gua.example.pt", [("", "ana@água.example.pt")]),
        ("a\x00b <x@example.pt>", [("a b", "x@example.pt")]),
        ("(" * 5000, []),
    ],
)
def test_mailboxes(value: str, expected: list[tuple[str, str]]) -> None:
    """Names and addresses come out as a person would read them, whatever the field looks like."""
    assert [Address(*item) for item in expected] == list(addresses(value))


def test_mailboxes_are_bounded() -> None:
    """A field yields no more mailboxes than the limit."""
    assert MOST_ADDRESSES == len(addresses("a@example.pt," * 1000))


@given(st.text(alphabet=st.sampled_from('"()<>,;:@\\ a.é\x00\udcff='), max_size=100))
def test_anything_is_read(value: str) -> None:
    """No value makes it fail, and an address has one "@" outside quotes and no white space."""
    for address in addresses(value):
        assert address.name.isprintable()
        assert not address.email or ("@" in address.email and not set(address.email) & set(" \t\r\n<>,;"))


def test_domain_of_a_mailbox() -> None:
    """The domain is the part behind the last "@"."""
    assert addresses("Ana <ana@Sub.Example.PT>")[0].domain == "sub.example.pt"
