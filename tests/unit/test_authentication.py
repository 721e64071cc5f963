"""What our own MTA found out about the sender."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.mail.authentication import Authentication, results
from abuse_triage.model.message import Header


def read(*values: str, own: str = "mx.example.org") -> Authentication:
    """Read Authentication-Results fields, topmost first."""
    return results([Header("authentication-results", value) for value in values], own)


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


def test_only_our_own_identity_is_believed() -> None:
    """Fields of others are claims, wherever they stand."""
    found = read("mx.evil.example.net; dmarc=pass", "mx.example.org; dmarc=fail", "mx.example.org; dmarc=pass")
    assert found == Authentication(dmarc="fail")
    assert read("mx.evil.example.net; dmarc=pass") == Authentication()


def test_no_identity_believes_nothing() -> None:
    """Without a configured identity, not even a field without one counts."""
    assert read("; spf=pass", "mx.example.org; spf=pass", own="") == Authentication()
    assert read("; spf=pass", own=" ") == Authentication()


def test_other_fields_are_not_looked_at() -> None:
    """ARC-Authentication-Results is no Authentication-Results."""
    assert (
        results([Header("arc-authentication-results", "mx.example.org; spf=pass")], "mx.example.org")
        == Authentication()
    )


@given(st.text(alphabet=st.sampled_from('mx.=;()" \\spfdkm/1'), max_size=100))
def test_anything_is_read(value: str) -> None:
    """No value makes it fail or yields a word that is no result."""
    found = read(f"mx.example.org;{value}")
    assert {found.spf, found.dkim, found.dmarc} <= {"none", "pass", "fail", "softfail", "neutral"}
