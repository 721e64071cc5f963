"""The copies of a text that rules look at: folded for patterns, words for word lists; and what a trace may show."""

import re
import unicodedata
from functools import lru_cache

_SHOWN = 120
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_ADDRESS_SIGN = re.compile(r"//|@")
_NOT_WORD = re.compile(r"[\W_]+")
# Signs of Windows-1252 that NFKD does not take apart, or takes apart into several.
_SINGLE = {
    **dict(zip("ßæÆœŒøØðÐþÞ", "saaooooddtt", strict=True)),
    **dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"'),
    **dict.fromkeys("\u2018\u2019\u201a\u2039\u203a\u00b4", "'"),
    **dict.fromkeys("\u2013\u2014", "-"),
    "\u2026": ".",
}
_LONGEST = 3  # there are signs that stand for eighteen letters
_SOFT_HYPHEN = b"\xad"


def _fold_one(character: str) -> str:
    """Fold one character: compatibility form, no combining or invisible signs, lower case."""
    if character in _SINGLE:
        return _SINGLE[character]
    parts = unicodedata.normalize("NFKD", character)
    kept = (_SINGLE.get(part, part) for part in parts if unicodedata.category(part) not in {"Mn", "Me", "Cf"})
    return "".join(kept).casefold()[:_LONGEST]


def _latin(byte: int) -> int:
    folded = _fold_one(bytes([byte]).decode("cp1252", "replace"))
    return ord(folded) if len(folded) == 1 and folded.isascii() else ord(" ")


_FOLDED_LATIN = bytes(_latin(byte) for byte in range(256))
_WORDS_ONLY = bytes(byte if chr(byte).isalnum() and byte < 128 else ord(" ") for byte in range(256))


@lru_cache(maxsize=4096)
def _fold_rare(character: str) -> str:
    """Fold any character; one that stands for letters of Windows-1252 is folded as these are."""
    folded = _fold_latin(character)
    return "".join(map(_fold_latin, _fold_one(character))) if folded == character else folded


def _fold_latin(character: str) -> str:
    """Fold a character of Windows-1252; every other one stays."""
    try:
        return character.encode("cp1252").translate(_FOLDED_LATIN, _SOFT_HYPHEN).decode("ascii")
    except UnicodeEncodeError:
        return character


def fold(text: str) -> str:
    """Return the text in lower case, without accents and invisible characters, every run of blanks one space.

    Portuguese and English become ASCII ("Página  FALSA" → "pagina falsa"); letters of other scripts stay. Linear: no
    character is looked at together with others, because canonical ordering of long runs of combining characters is
    quadratic in CPython.
    """
    try:
        folded = text.encode("cp1252").translate(_FOLDED_LATIN, _SOFT_HYPHEN).decode("ascii")
    except UnicodeEncodeError:
        folded = _NOT_ASCII.sub(lambda run: "".join(map(_fold_rare, run[0])), text).lower()
    return " ".join(folded.split())


def words(folded: str) -> str:
    """Return the words of a folded text, each with one space before and behind it, without URLs and e-mail addresses.

    Whatever is neither letter nor digit separates words, so that "brute-force" and "brute force" are the same; host
    names and addresses are left out, because "ddos-protection.example" does not speak of an attack.
    """
    prose = _without_addresses(folded)
    if prose.isascii():
        prose = prose.encode("ascii").translate(_WORDS_ONLY).decode("ascii")
    else:
        prose = _NOT_WORD.sub(" ", prose)
    return f" {' '.join(prose.split())} "


def _without_addresses(folded: str) -> str:
    """Leave out every run of non-blanks that has "//" or "@" in it."""
    kept = []
    end = 0
    for sign in _ADDRESS_SIGN.finditer(folded):
        if sign.start() >= end:
            start = max(folded.rfind(" ", end, sign.start()), end)
            kept.append(folded[end:start])
            end = folded.find(" ", sign.end())
            if end < 0:
                return "".join(kept)
    return "".join([*kept, folded[end:]])


def excerpt(text: str) -> str:
    """Return at most 120 characters that a terminal shows as they are: no control, format or surrogate characters."""
    clean = " ".join(text[: 2 * _SHOWN].split())
    if not clean.isprintable():
        clean = "".join(character if character.isprintable() else " " for character in clean)
    return clean if len(clean) <= _SHOWN else clean[: _SHOWN - 1] + "…"
