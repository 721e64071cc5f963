"""Text in columns: lines of a limited width, for readers whose mail client wraps nothing."""

from functools import lru_cache


@lru_cache(maxsize=512)  # most of what our mail says, it says again and again
def fill(text: str, width: int, *, first: str = "", rest: str = "") -> str:
    """Break text at blanks into lines of at most `width` characters; the last has no line end.

    The first line begins with `first`, all others with `rest`; both are shorter than the width. A word that is longer
    than a line is cut; runs of blanks become one.
    """
    line, begun = first, False
    lines = []
    for word in text.split():
        if begun and len(line) + 1 + len(word) <= width:
            line = f"{line} {word}"
            continue
        if begun:
            lines.append(line)
            line = rest
        remaining = word
        while len(line) + len(remaining) > width:
            room = width - len(line)
            lines.append(line + remaining[:room])
            line, remaining = rest, remaining[room:]
        line += remaining
        begun = True
    lines.append(line.rstrip())
    return "\n".join(lines)


def field(label: str, value: str, *, width: int, indent: int) -> str:
    """Write a label and its value, which begins at column `indent` on every line."""
    return fill(value, width, first=f"{label} ".ljust(indent), rest=" " * indent)
