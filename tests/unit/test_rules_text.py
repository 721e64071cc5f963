"""Texts are folded and cut into words so that accents, case, punctuation and line ends do not matter."""

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from abuse_triage.rules.text import excerpt, fold, words


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Página  FALSA\n do\tBanco", "pagina falsa do banco"),
        ("AÇÃO à espera — “já” \u2018é\u2019 …", "acao a espera - \"ja\" 'e' ."),
        ("cafe\u0301", "cafe"),
        ("emoji 🎣 e acentuação", "emoji 🎣 e acentuacao"),
        ("phi\u00adsh\u200bing", "phishing"),
        ("phi\u00adsh\u200bing 🎣", "phishing 🎣"),
        ("Straße ½ ™", "strase"),
        ("Straße Ж", "strase ж"),
        ("\uff30\uff28\uff29\uff33\uff28", "phish"),
        ("ﬁnanças", "financas"),
        ("Привет", "привет"),
        ("a\udc80b", "a\udc80b"),
        ("\x00a", "\x00a"),
        ("", ""),
    ],
)
def test_fold(text: str, folded: str) -> None:
    """Lower case, no accents, nothing invisible, single blanks; letters of other scripts stay."""
    assert folded == fold(text)


@settings(deadline=None)
@given(st.text())
@example("\U00010783")  # a small letter that stands for "æ"
def test_folding_twice_changes_nothing(text: str) -> None:
    """A folded text is folded."""
    assert fold(text) == fold(fold(text))


@settings(deadline=None)
@given(st.text(alphabet=st.characters(max_codepoint=0x24F)), st.text(alphabet=st.characters(max_codepoint=0x24F)))
def test_words_of_two_texts_are_those_of_both(first: str, second: str) -> None:
    """No word depends on what stands beside it."""
    both = words(fold(f"{first} {second}"))

    assert f" {' '.join((words(fold(first)) + words(fold(second))).split())} " == both


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Brute-force, ataque!", " brute force ataque "),
        ("see https://ddos.example.org/spam and spam@example.org now", " see and now "),
        ("//a b@", " "),
        ("a //b", " a "),
        ("x@y z", " z "),
        ("a b@c//d e", " a e "),
        ("wp_login", " wp login "),
        ("новый спам! x@y", " новыи спам "),
        ("", "  "),
    ],
)
def test_words(text: str, expected: str) -> None:
    """Words stand between single blanks; URLs and addresses are left out."""
    assert " ".join(expected.split()) == words(fold(text)).strip()
    assert words(fold(text)).startswith(" ")
    assert words(fold(text)).endswith(" ")


@pytest.mark.parametrize("unit", ["\u0591\u0301", "ﷺ", "a@ ", "//", "a@", "\u0301", "🎣 "])
def test_hostile_texts_stay_linear(unit: str) -> None:
    """Half a million characters of anything are folded and cut into words within seconds, even on a busy machine."""
    text = unit * (512_000 // len(unit))
    start = time.process_time()
    words(fold(text))

    assert 3 > time.process_time() - start


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a  b\nc", "a b c"),
        ("\x1b[31mred\x07", " [31mred "),
        ("left\u202eright", "left right"),
        ("a\udc80", "a "),
        ("x" * 120, "x" * 120),
        ("x" * 121, "x" * 119 + "…"),
        ("", ""),
    ],
)
def test_excerpt(text: str, shown: str) -> None:
    """A terminal shows excerpts as they are, and they are short."""
    assert shown == excerpt(text)


@settings(deadline=None)
@given(st.text(max_size=500))
def test_excerpts_are_short_and_printable(text: str) -> None:
    """Whatever stands in a text, its excerpt is at most 120 printable characters."""
    assert 120 >= len(excerpt(text))
    assert excerpt(text).isprintable()
