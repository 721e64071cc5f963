"""Host names are brought to one form and never to another name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.indicators.names import FILE_SUFFIXES, canonical, known_tld, organisation, readable, registrable

PORTUGUESE = "abcdefghijklmnopqrstuvwxyz0123456789àáâãçéêíóôõúü"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Example.PT", "example.pt"),
        ("crédito.pt", "xn--crdito-cva.pt"),
        ("CRÉDITO.PT", "xn--crdito-cva.pt"),
        ("cre\u0301dito.pt", "xn--crdito-cva.pt"),
        ("xn--crdito-cva.pt", "xn--crdito-cva.pt"),
        ("\uff4c\uff4f\uff4a\uff41\u3002pt", "loja.pt"),
        ("straße.de", "xn--strae-oqa.de"),
        ("_dmarc.crédito.pt", "_dmarc.xn--crdito-cva.pt"),
        ("r3---sn.example.pt", "r3---sn.example.pt"),
        ("example", ""),
        ("example.", ""),
        (".pt", ""),
        ("a..pt", ""),
        ("-a.pt", ""),
        ("a-.pt", ""),
        ("a b.pt", ""),
        ("ab--ç.pt", ""),
        ("i❤.pt", ""),
        ("aé\u200d.pt", ""),
        ("a" * 64 + ".pt", ""),
        ("é" * 300 + ".pt", ""),
        ("é" * 63 + ".pt", ""),
        (".".join("a" * 63 for _ in range(4)), ""),
    ],
)
def test_canonical(text: str, expected: str) -> None:
    """Names become lower case and A-labels; what is none becomes nothing."""
    assert expected == canonical(text)


def test_canonical_at_its_limits() -> None:
    """63 octets are a label and 253 a name; one more is none."""
    longest = ".".join(["a" * 63] * 3 + ["b" * 61])

    assert 253 == len(longest)
    assert longest == canonical(longest)
    assert "" == canonical(longest + "b")


@given(st.text(PORTUGUESE, min_size=1, max_size=20))
def test_the_alphabet_of_pt(label: str) -> None:
    """Every label of the letters that .pt allows has a canonical form, and reads as it was written."""
    name = canonical(f"{label}.pt")

    assert name.isascii()
    assert f"{label}.pt" == readable(name)
    assert name == canonical(name)


@given(st.text(max_size=40))
def test_canonical_is_stable(text: str) -> None:
    """The canonical form of a canonical form is itself."""
    name = canonical(text)

    assert name == "" or name == canonical(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("example.pt", "example.pt"),
        ("a.b.example.pt", "example.pt"),
        ("a.loja.com.pt", "loja.com.pt"),
        ("com.pt", ""),
        ("pt", ""),
        ("a.github.io", "github.io"),
        ("www.ck", "www.ck"),
        ("a.b.ck", "a.b.ck"),
        ("x.xn--crdito-cva.pt", "xn--crdito-cva.pt"),
        ("a.invalid", ""),
    ],
)
def test_registrable(name: str, expected: str) -> None:
    """The registrable name is one label below the registry's suffix; private suffixes are tenants, not registries."""
    assert expected == registrable(name)


def test_known_tld() -> None:
    """Top-level domains are known in both their forms, names reserved for tests are not."""
    assert known_tld("pt")
    assert known_tld("рф")
    assert known_tld("xn--p1ai")
    assert known_tld("ck")
    assert not known_tld("invalid")
    assert not known_tld("pdf")
    assert not known_tld("")


def test_file_suffixes_are_top_level_domains() -> None:
    """Only suffixes that could be a name need to be distrusted."""
    assert all(known_tld(suffix) for suffix in FILE_SUFFIXES)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("example.pt", "example.pt"),
        ("xn--crdito-cva.pt", "crédito.pt"),
        ("xn--80aa0cbo65f.pt", "xn--80aa0cbo65f.pt"),
        ("xn--ypal-43d9g.pt", "xn--ypal-43d9g.pt"),
        ("xn--99999999.pt", "xn--99999999.pt"),
    ],
)
def test_readable(name: str, expected: str) -> None:
    """Latin labels are decoded; those that could imitate another name or are broken stay as they are."""
    assert expected == readable(name)


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("mail.Example.PT", "example.pt"),
        ("example.com.pt.", "example.com.pt"),
        ("a.b.uk.com", "b.uk.com"),
        ("uk.com", "uk.com"),
        ("com.pt", "com.pt"),
        ("crédito.pt", "xn--crdito-cva.pt"),
        ("host.internal", "host.internal"),
        ("pt", ""),
        ("ana@example.pt", ""),
        ("[192.0.2.1]", ""),
        ("", ""),
    ],
)
def test_organisation(domain: str, expected: str) -> None:
    """Who speaks for a domain: also what companies delegate separates; what is below no suffix is by itself."""
    assert expected == organisation(domain)


@given(st.from_regex(r"[a-z]{1,8}(\.[a-z]{1,8}){1,3}", fullmatch=True))
def test_an_organisation_is_its_own(domain: str) -> None:
    """Asked again, the answer is the same, and the domain lies in it."""
    found = organisation(domain)
    assert found == organisation(found)
    assert f".{domain}".endswith(f".{found}")
