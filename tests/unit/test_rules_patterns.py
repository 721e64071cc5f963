"""Word lists and patterns over one text find what is there, and nothing else."""

from hashlib import sha256

import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from abuse_triage.rules import patterns
from abuse_triage.rules.patterns import (
    Lexicon,
    PatternSet,
    complaint,
    found_everywhere,
    key_of,
    lines,
    literal,
    unfolded,
)
from abuse_triage.rules.text import fold, words


def listed(text: str, *lists: tuple[str, ...]) -> dict[int, str]:
    """Look for word lists in a text."""
    return Lexicon(dict(enumerate(lists))).find(words(fold(text)))


def test_whole_words_and_beginnings() -> None:
    """A word is found whole; with an asterisk it may go on."""
    assert {0: "scan"} == listed("A scan.", ("scan",))
    assert {} == listed("Scanner, rescan", ("scan",))
    assert {0: "phish"} == listed("Phishing!", ("phish*",))
    assert {} == listed("anti-xphishing", ("phish*",))


def test_phrases_over_line_ends_and_hyphens() -> None:
    """Between the words of a phrase may stand whatever is no letter or digit."""
    assert {0: "forca bruta"} == listed("ataque de força\n  bruta", ("força bruta",))
    assert {0: "brute force"} == listed("Brute-Force", ("brute force",))


def test_the_first_word_of_each_list_is_told() -> None:
    """A word may be in several lists, and a list has several words."""
    assert {0: "spam", 1: "spam"} == listed("Spam, then phishing", ("phishing", "spam"), ("spam",), ("nothing",))


def test_phrases_of_which_nothing_is_left_find_nothing() -> None:
    """Signs are no words."""
    assert "" == key_of("--")
    assert {} == listed("--", ("--",))


def found(text: str, *texts: str) -> dict[int, str]:
    """Look for patterns in a text."""
    return PatternSet(dict(enumerate(texts))).find(text)


def test_patterns_tell_what_they_found() -> None:
    """Each pattern that matches is told with its first match."""
    assert {0: "192.0.2.1", 2: "ligação"} == found(
        "da 192.0.2.1 e 192.0.2.2: ligação", r"192\.0\.2\.[0-9]+", "nothing", "liga..o"
    )


def test_line_ends() -> None:
    """In a text of several lines, ^ and $ are the ends of each."""
    assert {0: "b"} == found("a\nb\nc", lines("^b$"))


def test_odd_characters() -> None:
    """Surrogates and NUL do not stop a search, and do not get into its answer."""
    assert {0: "?a b"} == found("\udc80a\x00b", ".a.b")


def test_no_patterns() -> None:
    """Nothing is found where nothing is looked for."""
    assert {} == PatternSet({}).find("text")


def test_more_literals_than_a_prefilter_holds() -> None:
    """Without a prefilter every pattern is run, and the same is found."""
    many = {
        number: ".+".join(sha256(f"{number} {part}".encode()).hexdigest()[:30] for part in range(30))
        for number in range(500)
    }
    everything = PatternSet(many)

    assert [None] == [chunk._filter for chunk in everything._chunks]
    assert [7] == list(everything.find(f"x {many[7]} y"))


def test_many_chunks() -> None:
    """Patterns beyond one prefilter go into the next."""
    many = PatternSet({number: f"n{number:04}x" for number in range(1200)})

    assert 3 == len(many._chunks)
    assert {3: "n0003x", 1199: "n1199x"} == many.find("n1199x n0003x")


LETTERS = st.sampled_from(["a", "b", "C", "ç", "k", "s", "1", " ", "\u017f", "\u212a"])
ATOMS = st.one_of(
    st.text(LETTERS, min_size=1, max_size=4),
    st.sampled_from([".", "[a-c]", r"\d", "(?:ab|bc|)", "(?i:ks)", "a{2,3}", "b*", "ç+", "^", "$", r"\b", "[^a]"]),
)


@settings(deadline=None)
@given(
    st.lists(st.lists(ATOMS, min_size=1, max_size=5).map("".join), min_size=1, max_size=6),
    st.text(st.one_of(LETTERS, st.just("\n")), max_size=30),
)
def test_the_prefilter_loses_nothing(texts: list[str], text: str) -> None:
    """A set of patterns finds exactly what each of them finds alone."""
    alone = {n for n, pattern in enumerate(texts) if re2.search(pattern.encode(), text.encode())}

    assert alone == set(PatternSet(dict(enumerate(texts))).find(text))


def test_complaints_of_the_engine() -> None:
    """Only what cannot backtrack is taken."""
    assert "" == complaint("(a+)+$")
    assert "invalid perl operator: (?=" == complaint("(?=a)")
    assert "invalid escape sequence: \\1" == complaint(r"(a)\1")
    assert "missing ): (" == complaint("(")


def test_patterns_that_match_everything() -> None:
    """A pattern that matches the empty text matches every text."""
    assert found_everywhere("a*")
    assert not found_everywhere("a+")


def test_signs_that_folded_text_never_has() -> None:
    """Upper case and accents are seen, but not in escapes, classes, names and flags."""
    assert "P" == unfolded("Página")
    assert "á" == unfolded("página")
    assert "" == unfolded(r"\S+\Wpagina\p{Lu}\pL(?P<Name>x)(?U)(?i:a)\x{41}")


def test_literals() -> None:
    """Signs of patterns stand for themselves, in either case."""
    assert {0: "A.B(C"} == found("xA.B(Cx", literal("a.b(c"))
    assert {} == found("aXb(c", literal("a.b(c"))


def test_the_same_options_for_every_pattern() -> None:
    """Patterns never write to standard error, and their memory is bounded."""
    options = patterns._options()

    assert not options.log_errors
    assert 2**20 == options.max_mem
