"""The two engines that look for many things in one text at once: word lists (Aho-Corasick) and patterns (RE2).

Both are linear in the text. RE2 has no look-around and no back-references, and therefore cannot backtrack; its own
prefilter (FilteredRE2) finds with the literals that each pattern requires which patterns are worth running at all.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

import ahocorasick
import re2

from abuse_triage.rules.text import excerpt, fold, words

_CHUNK = 500
# Escapes, names of groups and flags: what stands there is no literal.
_NOT_LITERAL = re.compile(r"\\[pPx]\{[^}]{0,40}\}|\\[pP][A-Z]|\\.|\(\?P?<[^>]{0,80}>|\(\?[A-Za-z-]{1,8}[:)]")
_MEMORY = 2**20


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    return options


def lines(pattern: str) -> str:
    """Return a pattern in which ^ and $ are line ends."""
    return f"(?m:{pattern})"


def complaint(pattern: str) -> str:
    """Say why RE2 does not take a pattern, "" where it does."""
    try:
        re2.compile(pattern, _options())
    except re2.error as error:
        reason = error.args[0]
        return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
    return ""


def found_everywhere(pattern: str) -> bool:
    """Tell whether a pattern that RE2 takes matches the empty text."""
    return re2.compile(pattern, _options()).search("") is not None


def unfolded(pattern: str) -> str:
    """Return the first literal sign of a pattern that a folded text never has, "" where there is none."""
    signs = _NOT_LITERAL.sub("", pattern)
    return next((sign for sign in signs if sign.strip() and fold(sign) != sign), "")


def literal(text: str) -> str:
    """Return a pattern that finds exactly this text, upper and lower case alike."""
    return f"(?i:{re2.escape(text)})"


def key_of(phrase: str) -> str:
    """Return how a phrase stands in `words`, "" where nothing is left of it.

    A trailing "*" lets the last word go on: "phish*" is in "phishing".
    """
    found = words(fold(phrase.removesuffix("*")))
    if not found.strip():
        return ""
    return found[:-1] if phrase.endswith("*") else found


class Lexicon:
    """Word lists over one fact: which list has a word in the text."""

    def __init__(self, lists: Mapping[int, Iterable[str]]) -> None:
        """Take the phrases of each list under its number; phrases of which nothing is left are passed over."""
        owners: dict[str, list[int]] = {}
        for number, phrases in lists.items():
            for key in {key_of(phrase) for phrase in phrases} - {""}:
                owners.setdefault(key, []).append(number)
        self._automaton = ahocorasick.Automaton()
        for key, numbers in owners.items():
            self._automaton.add_word(key, (key.strip(), tuple(numbers)))
        self._automaton.make_automaton()
        self._empty = not owners

    def find(self, text: str) -> dict[int, str]:
        """Return, by list, the first of its phrases in a text made by `words`."""
        found: dict[int, str] = {}
        if not self._empty:
            for _, (phrase, numbers) in self._automaton.iter(text):
                for number in numbers:
                    if number not in found:
                        found[number] = phrase
        return found


class PatternSet:
    """RE2 patterns over one text: which of them are found, and the words that they found."""

    def __init__(self, patterns: Mapping[int, str]) -> None:
        """Compile the patterns, each under its number; all of them have been accepted by `complaint`."""
        items = list(patterns.items())
        self._chunks = [_Chunk(items[start : start + _CHUNK]) for start in range(0, len(items), _CHUNK)]

    def find(self, text: str) -> dict[int, str]:
        """Return an excerpt of the first match by the number of its pattern."""
        data = text.encode("utf-8", "replace")
        return {number: found for chunk in self._chunks for number, found in chunk.find(data)}


class _Chunk:
    """As many patterns as one prefilter can hold."""

    def __init__(self, patterns: Sequence[tuple[int, str]]) -> None:
        options = _options()
        self._patterns = [(number, re2.compile(pattern.encode(), options)) for number, pattern in patterns]
        self._filter: re2.Filter | None = re2.Filter()
        for _, pattern in patterns:
            self._filter.Add(pattern, options)
        try:
            self._filter.Compile()
        except re2.error:  # more literals than its automaton may hold: every pattern is then run
            self._filter = None

    def find(self, data: bytes) -> Iterable[tuple[int, str]]:
        matching = range(len(self._patterns)) if self._filter is None else self._filter.Match(data) or ()
        for index in matching:
            number, pattern = self._patterns[index]
            match = pattern.search(data)
            if match is not None:
                yield number, excerpt(match.group().decode("utf-8", "replace"))
