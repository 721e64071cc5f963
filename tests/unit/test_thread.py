"""Signed Message-IDs and ticket numbers in subjects."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.mail.thread import detail_numbers, is_own, kind_of, own_id, ticket_numbers

SECRET = b"a secret of thirty-two bytes, or"
FORMAT = "{prefix}#{year}-{sequence:06}"
PREFIX = "DNSPT-CSIRT"


@given(key=st.text(), secret=st.binary(min_size=16, max_size=64))
def test_an_id_is_recognised_with_its_secret_only(key: str, secret: bytes) -> None:
    """What `own_id` makes is ours, always the same, and nobody else's."""
    made = own_id("ack", key, secret, "csirt.example.pt")
    assert made == own_id("ack", key, secret, "csirt.example.pt")
    assert is_own(made, secret)
    assert not is_own(made, secret + b"x")


@given(position=st.integers(0, 69), letter=st.sampled_from("abcdefghijklmnopqrstuvwxyz234567.@-"))
def test_no_character_can_be_changed(position: int, letter: str) -> None:
    """An id with any other character anywhere, domain included, is not ours."""
    made = own_id("ack", "01JD3Y", SECRET, "csirt.example.pt")
    changed = made[:position] + letter + made[position + 1 :]
    assert (changed == made) == is_own(changed, SECRET)


def test_kind_and_key_make_different_ids() -> None:
    """Nothing of one mail's id is another's: kinds and keys do not run into each other."""
    ids = {
        own_id(kind, key, SECRET, "example.pt")
        for kind, key in [("ack", "a"), ("ack", "b"), ("acka", ""), ("a", "cka")]
    }
    assert 4 == len(ids)
    assert 4 == len({made.split(".")[1] for made in ids})


def test_the_id_gives_the_key_away_to_nobody() -> None:
    """The key is not readable from the id, and the form is what mail systems leave alone."""
    made = own_id("digest", "handler@example.pt", SECRET, "CSIRT.example.pt")
    assert re.fullmatch(r"digest\.[a-z2-7]{24}\.[a-z2-7]{24}@csirt\.example\.pt", made)


def test_folded_case_is_forgiven() -> None:
    """Some mail systems change the case of ids; base32 does not mind."""
    assert is_own(own_id("ack", "01JD3Y", SECRET, "csirt.example.pt").upper(), SECRET)


@pytest.mark.parametrize(
    "message_id",
    ["", "@", "x@example.pt", "ack.a.b@example.pt", "ack." + "a" * 24 + "." + "a" * 24 + "@csirt.example.pt", "é" * 50],
)
def test_what_others_made_is_not_ours(message_id: str) -> None:
    """Ids of strangers and ids in our form without the signature are not ours."""
    assert not is_own(message_id, SECRET)


@given(st.text(max_size=300))
def test_any_text_can_be_asked_about(text: str) -> None:
    """No text whatever raises anything."""
    assert not is_own(text, SECRET)


def test_an_id_needs_a_kind_and_a_secret() -> None:
    """Wrong arguments of ours are told at once."""
    with pytest.raises(ValueError, match="kind"):
        own_id("Ack.x", "1", SECRET, "example.pt")
    with pytest.raises(ValueError, match="secret"):
        own_id("ack", "1", b"short", "example.pt")


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("Re: [DNSPT-CSIRT#2026-000123] Auto: Report received", ("DNSPT-CSIRT#2026-000123",)),
        ("RE: dnspt-csirt#2026-000123: mais provas", ("DNSPT-CSIRT#2026-000123",)),
        ("Fwd: [Dnspt-Csirt #2026-123]", ("DNSPT-CSIRT#2026-000123",)),
        ("[DNSPT-CSIRT# 2026-000123]", ("DNSPT-CSIRT#2026-000123",)),
        ("DNSPT-CSIRT#2026-000123 e DNSPT-CSIRT#2025-000007", ("DNSPT-CSIRT#2026-000123", "DNSPT-CSIRT#2025-000007")),
        ("DNSPT-CSIRT#2026-000123 DNSPT-CSIRT#2026-123", ("DNSPT-CSIRT#2026-000123",)),
        ("DNSPT-CSIRT#2026-1234567", ("DNSPT-CSIRT#2026-1234567",)),
        ("[CNCS|CERT.PT #188458] [TLP:AMBER]", ()),
        ("XDNSPT-CSIRT#2026-000123", ()),
        ("other-DNSPT-CSIRT#2026-000123", ()),
        ("DNSPT-CSIRT#26-000123", ()),
        ("DNSPT-CSIRT#2026-", ()),
        ("DNSPT-CSIRT#2026-1234567890123", ()),
        ("DNSPT-CSIRT#٢٠٢٦-٠٠٠١٢٣", ()),
        ("", ()),
    ],
)
def test_numbers_are_found_as_people_write_them(subject: str, expected: tuple[str, ...]) -> None:
    """Brackets, case, one blank and missing zeros do not matter; other teams' tags and parts of words do."""
    assert expected == ticket_numbers(subject, FORMAT, PREFIX)


def test_a_prefix_is_not_a_pattern() -> None:
    """Characters of the prefix and format stand for themselves."""
    assert () == ticket_numbers("[AXB#2026+000001]", "{prefix}#{year}+{sequence:06}", "A.B")
    assert ("A.B#2026+000001",) == ticket_numbers("[a.b#2026+1]", "{prefix}#{year}+{sequence:06}", "A.B")
    assert ("T-2026-5-PT",) == ticket_numbers("t-2026-5-pt", "{prefix}-{year}-{sequence}-PT", "T")
    assert ("7/2026",) == ticket_numbers("7/2026", "{sequence}/{year}", "A.B")


def test_only_the_beginning_and_ten_numbers_count() -> None:
    """A subject full of numbers costs no more than ten look-ups."""
    many = " ".join(f"T#2026-{sequence}" for sequence in range(1, 30))
    assert 10 == len(ticket_numbers(many, FORMAT, "T"))
    assert () == ticket_numbers(" " * 1000 + "T#2026-000001", FORMAT, "T")


@given(st.text(max_size=2000))
def test_any_subject_can_be_searched(subject: str) -> None:
    """No subject raises anything, and what is found is well-formed."""
    for number in ticket_numbers(subject, FORMAT, "T"):
        assert re.fullmatch(r"T#\d{4}-\d{6,12}", number, re.ASCII)


def test_an_id_says_what_it_was_made_for() -> None:
    """The kind of a mail of ours can be read from its id."""
    assert "digest" == kind_of(own_id("digest", "handler@example.pt", SECRET, "csirt.example.pt").upper())


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ("DNSPT-CSIRT#2026-000123", "DNSPT-CSIRT#2026-000123"),
        ("dnspt-csirt-2026-000123", "DNSPT-CSIRT#2026-000123"),
        ("DnsPT-CSIRT.2026.000123", "DNSPT-CSIRT#2026-000123"),
        ("dnspt-csirt-2026-123", "DNSPT-CSIRT#2026-000123"),
        ("dnspt.csirt-2026-000123", ""),
        ("dnspt-csirt2026000123", ""),
        ("xdnspt-csirt-2026-000123", ""),
        ("dnspt-csirt-2026-000123x", ""),
        ("dnspt-csirt-2026-000123 ", ""),
        ("dnspt-csirt-26-000123", ""),
        ("phishing", ""),
        ("", ""),
    ],
)
def test_a_plus_address_names_a_ticket(detail: str, expected: str) -> None:
    """A detail that is a number as a whole counts, in any case and with "-" or "." for "#"."""
    assert ((expected,) if expected else ()) == detail_numbers((detail,), FORMAT, PREFIX)


def test_details_are_read_each_once() -> None:
    """The same number twice is one; the team's own format decides what one is."""
    assert ("DNSPT-CSIRT#2026-000001", "DNSPT-CSIRT#2026-000002") == detail_numbers(
        ("dnspt-csirt-2026-1", "x", "DNSPT-CSIRT#2026-000001", "dnspt-csirt.2026-2"), FORMAT, PREFIX
    )
    assert ("A/2026/7",) == detail_numbers(("a-2026.7",), "{prefix}/{year}/{sequence}", "A")


@given(st.integers(1, 999_999), st.sampled_from("#-."), st.sampled_from("-."), st.booleans())
def test_every_number_can_be_an_address(sequence: int, first: str, second: str, lower: bool) -> None:
    """Whatever marks and case an address book makes of a number, it is that number."""
    written = f"{PREFIX}{first}2026{second}{sequence:06}"
    number = FORMAT.format(prefix=PREFIX, year=2026, sequence=sequence)
    assert (number,) == detail_numbers((written.lower() if lower else written,), FORMAT, PREFIX)


@given(st.text(max_size=64))
def test_any_detail_can_be_read(detail: str) -> None:
    """No detail makes it fail."""
    assert len(detail_numbers((detail,), FORMAT, PREFIX)) <= 1
