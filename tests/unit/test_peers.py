"""Teams that are known, and the numbers of their ticket systems."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.mail.peers import contact_of, their_number
from abuse_triage.model.identity import Contact
from abuse_triage.model.message import Address, Authentication, Header

CERT = Contact(name="CERT Example", domains=("cert.example.org",))
ANA = Contact(name="Ana", addresses=("ana@cert.example.org",))
PROVEN = Authentication(dmarc="pass")
RT = "x-rt-ticket"


@pytest.mark.parametrize(
    ("address", "proof", "expected"),
    [
        ("rui@cert.example.org", PROVEN, CERT),
        ("rui@lists.cert.example.org", Authentication(dkim="pass", dkim_aligned=True), CERT),
        ("ana@cert.example.org", PROVEN, ANA),
        ("rui@cert.example.org", Authentication(spf="pass", dkim="pass"), None),
        ("rui@cert.example.org", Authentication(), None),
        ("rui@example.org", PROVEN, None),
        ("rui@mycert.example.org", PROVEN, None),
        ("", PROVEN, None),
    ],
)
def test_a_contact_has_to_be_proven(address: str, proof: Authentication, expected: Contact | None) -> None:
    """The address or domain in From decides, if it is proven; an exact address comes first."""
    assert expected == contact_of(Address("", address), (CERT, ANA), proof)


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("[CNCS|CERT.PT #153593] [TLP:AMBER] Malware", "CNCS|CERT.PT #153593"),
        ("Re: [TLP:AMBER] [CNCS|CERT.PT #153593] Malware", "CNCS|CERT.PT #153593"),
        ("[CERT-Bund#2021010628001547] Report", "CERT-Bund#2021010628001547"),
        ("AW: [Ticket#2026111010000012] Phishing", "Ticket#2026111010000012"),
        ("[Ticket#: 2026111010000012] Phishing", "Ticket#: 2026111010000012"),
        ("[Ticket ID: TN-364686] Abuse", "Ticket ID: TN-364686"),
        ("[Ticket#67001]", "Ticket#67001"),
        ("[#12345] Abuse", "#12345"),
        ("[TEST#2026000123] ours, [Ticket#67001] theirs", "Ticket#67001"),
        ("[test-csirt #12345] ours by prefix", ""),
        ("[TLP:AMBER] [Fwd] [2026-11-20] report", ""),
        ("[Ticket#12] too short", ""),
        ("[ASN: 65551] [Port: 3389] open", ""),
        ("[AS#65551] bots [CERT-Bund#2021010628001547]", "CERT-Bund#2021010628001547"),
        ("[Ticket#123456789012345678901] too long", ""),
        ("[Ticket#\u0661\u0662\u0663] other digits", ""),
        ("[T\u00edcket#12345] other letters", ""),
        ('[Ticket"#12345]', ""),
        ("Ticket#67001 without brackets", ""),
        ("x" * 1000 + "[Ticket#67001]", ""),
        ("", ""),
    ],
)
def test_numbers_of_others(subject: str, expected: str) -> None:
    """The usual systems' tags are read in full, our own are left out, and so is all with other characters."""
    assert expected == their_number(subject, (), "TEST")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("CERT.PT #153593", "CERT.PT #153593"),
        (" CNCS|CERT.PT #153593 ", "CNCS|CERT.PT #153593"),
        ("CERT.PT 153593", ""),
        ('a"b #1', ""),
        ("x" * 100 + " #1", ""),
    ],
)
def test_the_field_of_rt(value: str, expected: str) -> None:
    """Where the subject has no tag, RT's own field tells."""
    headers = (Header("subject", "x"), Header(RT, value))
    assert expected == their_number("Phishing", headers, "TEST")
    assert "Ticket#67001" == their_number("[Ticket#67001]", headers, "TEST")


@given(st.text(alphabet=st.sampled_from("[]#: Tt0129-|._"), max_size=80), st.text(max_size=40))
def test_a_number_can_stand_anywhere(subject: str, value: str) -> None:
    """Whatever was written, a number has few characters, none of which means anything in a mail."""
    found = their_number(f"{subject}[{value}]", (Header(RT, value),), "TEST")
    assert len(found) <= 80
    assert set(found) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .|_-#:")
    assert not found.casefold().startswith("test#")
