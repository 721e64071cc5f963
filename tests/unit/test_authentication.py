"""What our own MTA found out about the sender."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.indicators.names import organisation
from abuse_triage.mail.authentication import results, speaks
from abuse_triage.mail.decode import decode
from abuse_triage.model.message import Authentication, Header
from abuse_triage.model.settings import LimitSettings

FROM = Header("from", "Ana <ana@example.pt>")
MX = "mx.example.org"


def field(value: str) -> Header:
    """Return an Authentication-Results field."""
    return Header("authentication-results", value)


def read(*values: str, own: str = MX, domain: str = "example.pt") -> Authentication:
    """Read Authentication-Results fields, topmost first, of a mail whose From is in this domain."""
    return results([*map(field, values), FROM], own, domain, organisation)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            "mx.example.org; spf=pass smtp.mailfrom=ana@example.pt; dkim=pass header.d=a; dmarc=pass (p=reject)",
            ("pass", "pass", "pass"),
        ),
        ("MX.Example.ORG 1; SPF=SoftFail", ("softfail", "none", "none")),
        ("mx.example.org (comment; dkim=pass); spf=fail", ("fail", "none", "none")),
        (
            "mx.example.org; dkim=fail (bad; spf=pass (nested)) header.d=a; dkim=pass header.d=b",
            ("none", "pass", "none"),
        ),
        ("mx.example.org; dkim=pass header.d=b; dkim=fail", ("none", "pass", "none")),
        ("mx.example.org; dkim=neutral; dkim=fail", ("none", "neutral", "none")),
        ('mx.example.org; spf=none reason="x; dmarc=pass"; dmarc=fail', ("none", "none", "fail")),
        ('"mx.example.org"; spf = pass', ("pass", "none", "none")),
        ("mx.example.org; spf/1=pass", ("pass", "none", "none")),
        ("mx.example.org; spf=temperror; dkim=permerror", ("temperror", "permerror", "none")),
        ("mx.example.org; spf=hardfail; dmarc=bestguesspass", ("fail", "none", "none")),
        ("mx.example.org; none", ("none", "none", "none")),
        ("mx.example.org; spf=passed; dkim=; =pass; dmarc", ("none", "none", "none")),
        ("mx.example.org", ("none", "none", "none")),
        ("mx.example.org.evil.example.net; spf=pass", ("none", "none", "none")),
        ("i=1; mx.example.org; spf=pass", ("none", "none", "none")),
        ("", ("none", "none", "none")),
        ("(" * 1000, ("none", "none", "none")),
    ],
)
def test_results(value: str, expected: tuple[str, str, str]) -> None:
    """Result words are read behind our own identity; comments and quoted strings hold none (RFC 8601 section 2.2)."""
    found = read(value)
    assert expected == (found.spf, found.dkim, found.dmarc)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("dkim=pass header.d=example.pt", True),
        ("dkim=pass (2048-bit key; secure) header.d=mail.example.pt header.i=@mail.example.pt header.b=abc", True),
        ("dkim=pass header.i=@example.pt header.s=2026 header.b=abc", True),
        ("dkim=pass header.i=ana@news.example.pt", True),
        ("dkim=pass header.d=EXAMPLE.PT.", True),
        ("dkim=fail header.d=example.pt", False),
        ("dkim=pass header.d=example.org", False),
        ("dkim=pass header.d=example.org; dkim=pass header.d=example.pt", True),
        ("dkim=pass header.d=example.org; dkim=fail header.d=example.pt", False),
        ("dkim=pass header.d=notexample.pt", False),
        ("dkim=pass header.d=example.pt.example.org", False),
        ("dkim=pass header.d=pt", False),
        ("dkim=pass header.d=example.org header.i=@example.pt", False),
        ("dkim=pass", False),
        ("spf=pass smtp.mailfrom=ana@example.pt", True),
        ("spf=pass (mx.example.org: ok) smtp.mailfrom=<ana@mail.example.pt> smtp.helo=mx.example.net", True),
        ("spf=pass smtp.mailfrom=example.pt", True),
        ("spf=pass smtp.mailfrom=ana@example.org", False),
        ("spf=softfail smtp.mailfrom=ana@example.pt", False),
        ("spf=pass smtp.helo=mail.example.pt", True),
        ("spf=pass smtp.mailfrom=ana@example.org smtp.helo=mail.example.pt", False),
        ("spf=pass smtp.mailfrom=x@example.pt y@example.org", False),
        ('spf=pass smtp.mailfrom="x@example.pt y"@example.org', False),
        ('spf=pass smtp.mailfrom="x@example.pt; dkim=pass header.d=example.pt;"@example.org', False),
        ("dmarc=pass header.from=example.pt", True),
        ("dmarc=pass (p=none dis=none)", True),
        ("dmarc=pass action=none header.from=example.pt", True),
        ("dmarc=pass header.from=example.org", False),
        ("dmarc=pass header.from=mail.example.pt", False),
        ("arc=pass header.d=example.pt", False),
        ("dkim-adsp=pass header.d=example.pt", False),
    ],
)
def test_alignment(statement: str, expected: bool) -> None:
    """What passed proves From where it is of the same organisation, and only as far as its words can be trusted."""
    assert expected is read(f"{MX}; {statement}").aligned


def test_tenants_of_one_suffix_are_strangers() -> None:
    """A suffix that a company sells below does not join its customers."""
    assert not read(f"{MX}; dkim=pass header.d=b.uk.com", domain="a.uk.com").aligned
    assert read(f"{MX}; dkim=pass header.d=mail.a.uk.com", domain="a.uk.com").aligned


def test_dmarc_of_another_domain_does_not_count() -> None:
    """A result about another domain than that of From is no result."""
    assert "none" == read(f"{MX}; dmarc=pass header.from=example.org").dmarc
    assert "fail" == read(f"{MX}; dmarc=fail header.from=example.org").dmarc


def test_dmarc_without_a_domain_needs_one_single_author() -> None:
    """Where several mailboxes stand in From, nobody knows which of them a result without a domain is about."""
    fields = [field(f"{MX}; dmarc=pass")]
    other = Header("from", "eve@example.org")
    both = Header("from", "ana@example.pt, eve@example.org")
    assert "pass" == results([*fields, FROM], MX, "example.pt", organisation).dmarc
    assert "none" == results([*fields, FROM, other], MX, "example.pt", organisation).dmarc
    assert "none" == results([*fields, both], MX, "example.pt", organisation).dmarc
    assert "none" == results(fields, MX, "example.pt", organisation).dmarc


def test_without_from_nothing_is_aligned() -> None:
    """A mail without a domain in From has nothing that could be proven."""
    assert not read(f"{MX}; dkim=pass header.d=example.pt; spf=pass smtp.mailfrom=example.pt", domain="").aligned


def test_spf_is_about_the_envelope_sender() -> None:
    """A result for the HELO name says nothing about the envelope sender, whichever comes first."""
    helo, mailfrom = "spf=pass smtp.helo=mx.example.net", "spf=fail smtp.mailfrom=ana@example.pt"
    assert "none" == read(f"{MX}; {helo}").spf
    assert "fail" == read(f"{MX}; {helo}; {mailfrom}").spf
    assert read(f"{MX}; {mailfrom}; {helo}").forged


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ("spf=fail smtp.mailfrom=example.pt", True),
        ("dmarc=fail header.from=example.pt", True),
        ("spf=fail smtp.mailfrom=example.pt; dkim=pass header.d=example.org", True),
        ("spf=fail smtp.mailfrom=example.pt; dkim=pass header.d=example.pt", False),
        ("spf=fail smtp.mailfrom=example.org; dmarc=pass header.from=example.pt", False),
        ("spf=softfail; dkim=fail header.d=example.pt", False),
        ("spf=neutral", False),
        ("spf=temperror; dmarc=temperror", False),
        ("none", False),
    ],
)
def test_forged(statements: str, expected: bool) -> None:
    """SPF or DMARC failed and no aligned signature holds: then the domain disowns the mail; all else is doubt."""
    assert expected is read(f"{MX}; {statements}").forged


def test_only_our_own_identity_is_believed() -> None:
    """Fields of others are claims, wherever they stand."""
    assert Authentication(dmarc="fail") == read("mx.evil.example.net; dmarc=pass", f"{MX}; dmarc=fail")
    assert Authentication() == read("mx.evil.example.net; dmarc=pass")


def test_fields_that_stand_together_count_together() -> None:
    """OpenDKIM and OpenDMARC each write one; of two that speak of one method, the topmost counts."""
    found = read(f"{MX}; dmarc=pass header.from=example.pt", f"{MX}; dkim=pass header.d=example.pt")
    assert ("pass", "pass", True) == (found.dmarc, found.dkim, found.dkim_aligned)
    assert "fail" == read(f"{MX}; dmarc=fail", f"{MX}; dmarc=pass").dmarc
    assert not read(f"{MX}; dkim=fail header.d=example.pt", f"{MX}; dkim=pass header.d=example.pt").dkim_aligned


@pytest.mark.parametrize(
    ("between", "expected"),
    [
        (Header("dkim-filter", "OpenDKIM Filter v2.11.0"), "pass"),
        (Header("received", "from mx.example.net by mx.example.org"), "none"),
        (field("mx.evil.example.net; spf=pass"), "none"),
    ],
)
def test_what_was_written_on_another_passage_does_not_count(between: Header, expected: str) -> None:
    """A Received field or somebody else's results end what our MTA wrote this time."""
    headers = [field(f"{MX}; spf=pass"), between, field(f"{MX}; dmarc=pass"), FROM]
    assert expected == results(headers, MX, "example.pt", organisation).dmarc


def test_no_identity_believes_nothing() -> None:
    """Without a configured identity, not even a field without one counts."""
    assert read("; spf=pass", f"{MX}; spf=pass", own="") == Authentication()
    assert read("; spf=pass", own=" ") == Authentication()


def test_whether_our_mta_speaks() -> None:
    """A field of our own that says nothing is not the same as no field."""
    assert speaks([FROM, field(f"{MX}; none")], MX)
    assert not speaks([FROM, field("mx.evil.example.net; none")], MX)
    assert not speaks([field("; none")], "")


def test_other_fields_are_not_looked_at() -> None:
    """ARC-Authentication-Results is no Authentication-Results."""
    headers = [Header("arc-authentication-results", f"{MX}; spf=pass"), FROM]
    assert results(headers, MX, "example.pt", organisation) == Authentication()


def test_an_envelope_sender_cannot_write_results() -> None:
    """Encoded words are no words here: an address made up of them stays one word (RFC 2047 section 5)."""
    made_up = "=?utf-8?q?a=3Bdmarc=3Dpass_=3B?=@example.org"
    raw = f"Authentication-Results: {MX};\r\n spf=pass smtp.mailfrom={made_up}\r\nFrom: ana@example.pt\r\n\r\nhi\r\n"
    mail = decode(raw.encode(), LimitSettings())
    found = results(mail.headers, MX, "example.pt", organisation)
    assert ("pass", "none", False) == (found.spf, found.dmarc, found.aligned)


@given(st.text(alphabet=st.sampled_from('mx.=;()" \\spfdkm/1@'), max_size=100))
def test_anything_is_read(value: str) -> None:
    """No value makes it fail or yields a word that is no result."""
    found = read(f"{MX};{value}")
    assert {found.spf, found.dkim, found.dmarc} <= {"none", "pass", "fail", "softfail", "neutral"}


@given(st.text(alphabet=st.characters(exclude_characters='"\\'), max_size=60))
def test_a_quoted_local_part_is_never_believed(local: str) -> None:
    """Whatever stands in quotes before "@", only the domain behind it counts."""
    found = read(f'{MX}; spf=pass smtp.mailfrom="{local}"@example.org')
    assert not found.aligned
    assert ("none", "none") == (found.dkim, found.dmarc)
