"""Texts of strangers made fit to be kept and shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.lookups.cleaning import clean, clean_country, clean_email
from abuse_triage.model.lookups import LONGEST_TEXT


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("Exemplo Telecomunicações, Lda", "Exemplo Telecomunicações, Lda"),
        ("two lines", "  two\r\n\tlines \n"),
        ("gpj.exe", "\u202egpj.exe\u202c"),
        ("ab", "a\x00\x1b\u200b\ufeffb"),
        ("a b", "a\u2028\u00a0\u3000b"),
        ("[31mred", "\x1b[31mred"),
        ("a", "\ud800a"),
        ("", ""),
        ("", None),
        ("", ["text"]),
        ("", 7),
    ],
)
def test_one_line_without_hidden_characters(expected: str, text: object) -> None:
    """Line ends and blanks become one blank; control, bidirectional and other hidden characters go."""
    assert expected == clean(text)


def test_a_long_text_is_cut_visibly() -> None:
    """As many characters as are allowed stay; of more the last one is an ellipsis."""
    assert "x" * LONGEST_TEXT == clean("x" * LONGEST_TEXT)
    assert "x" * (LONGEST_TEXT - 1) + "…" == clean("x" * 10_000_000)


@given(st.text() | st.text(alphabet="\u202e\u2066\r\n\t\x00 a\ud800\u2029"))
def test_every_text_can_be_shown(text: str) -> None:
    """Whatever came, what is kept is short, printable, and stays as it is when it is cleaned again."""
    shown = clean(text)
    assert len(shown) <= LONGEST_TEXT
    assert shown.isprintable()
    assert shown == clean(shown)


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("Abuse+1@example.pt", " Abuse+1@EXAMPLE.pt\n"),
        ("", "abuse"),
        ("", "abuse@example"),
        ("", "a@b@example.pt"),
        ("", "abuse@example.pt, noc@example.pt"),
        ("", "abuse@example.pt\r\nBcc: all@example.org"),
        ("", "abusé@example.pt"),
        ("", "<abuse@example.pt>"),
        ("", f"a@{'x' * 60}.{'x' * 60}.{'x' * 60}.{'x' * 60}.{'x' * 60}.pt"),
        ("", "x" * 1_000_000 + "@example.pt"),
        ("", None),
        ("", {"a": 1}),
    ],
)
def test_addresses_look_like_one(expected: str, text: object) -> None:
    """What is not exactly one plain address is left out, not mended."""
    assert expected == clean_email(text)


@pytest.mark.parametrize(
    ("expected", "text"),
    [("PT", "PT"), ("PT", " pt "), ("", "PRT"), ("", "P1"), ("", "ßa"), ("", "ＰＴ"), ("", ""), ("", None), ("", 12)],  # noqa: RUF001 -- full-width on purpose
)
def test_countries_are_two_capitals(expected: str, text: object) -> None:
    """Nothing else is a country."""
    assert expected == clean_country(text)
