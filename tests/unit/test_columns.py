"""Text in columns."""

from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.replies.columns import field, fill

lines_of_text = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs"], include_characters=" "))


@given(lines_of_text, st.integers(20, 80))
def test_no_line_is_wider_and_nothing_is_lost(text: str, width: int) -> None:
    """Every line fits, and all characters but blanks are there in their order."""
    filled = fill(text, width, first="- ", rest="  ")
    assert max(map(len, filled.split("\n"))) <= width
    assert text.replace(" ", "") == filled.replace("\n", "").replace(" ", "").removeprefix("-")


def test_lines_are_filled() -> None:
    """A line ends only where the next word does not fit."""
    assert "uma duas\ntrês" == fill("uma  duas três", 8)
    assert "uma duas três" == fill("uma duas três", 13)
    assert "" == fill("", 13)


def test_a_long_word_is_cut() -> None:
    """What has no blank is cut at the width, and begins on the first line where it is the first word."""
    assert "a: bcd\n   efg\n   h i" == fill("bcdefgh i", 6, first="a: ", rest="   ")
    assert "x\nabcd\nef" == fill("x abcdef", 4)


def test_a_value_stands_in_its_column() -> None:
    """All lines of a value begin below each other."""
    assert "Team:   CSIRT\n        Exemplo" == field("Team:", "CSIRT Exemplo", width=16, indent=8)
