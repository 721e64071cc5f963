"""Texts of strangers made fit to be kept and shown: one line, nothing hidden, not too long."""

import re

from abuse_triage.model.lookups import LONGEST_TEXT

_MOST_READ = 20 * LONGEST_TEXT
"""Characters of a text that are looked at; what is behind them could only stand behind the cut."""
_EMAIL = re.compile(r"([A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64})@((?:[A-Za-z0-9-]{1,63}\.){1,10}[A-Za-z0-9-]{2,63})")
_LONGEST_EMAIL = 254  # RFC 5321 section 4.5.3.1.3, without the brackets


def clean(text: object) -> str:
    """Return a text as one line without control, bidirectional and other hidden characters; "" for what is no text.

    Blanks and line ends are one blank each row. Of more than `LONGEST_TEXT` characters the end is "…".
    """
    if not isinstance(text, str):
        return ""
    line = " ".join(text[:_MOST_READ].split())
    if not line.isprintable():
        line = " ".join("".join(map(_visible, line)).split())
    return line if len(line) <= LONGEST_TEXT else f"{line[: LONGEST_TEXT - 1]}…"


def clean_email(text: object) -> str:
    """Return an e-mail address with its domain in small letters, "" for what does not look like one."""
    found = _EMAIL.fullmatch(text.strip()) if isinstance(text, str) and len(text) <= 2 * _LONGEST_EMAIL else None
    if found is None or found.end() - found.start() > _LONGEST_EMAIL:
        return ""
    return f"{found[1]}@{found[2].lower()}"


def clean_country(text: object) -> str:
    """Return a country code (ISO 3166-1) as two capitals, "" for anything else."""
    code = text.strip() if isinstance(text, str) else ""
    return code.upper() if len(code) == 2 and code.isascii() and code.isalpha() else ""


def _visible(character: str) -> str:
    """Return a character that is seen as it is, a blank for another kind of blank, and nothing for a hidden one."""
    if character.isprintable():
        return character
    return " " if character.isspace() else ""
