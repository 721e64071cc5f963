"""Conditions over one message's facts: whether they hold, and which facts and words made them hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Protocol

from abuse_triage.rules.facts import Facts, FactValue
from abuse_triage.rules.patterns import Lexicon, PatternSet
from abuse_triage.rules.text import excerpt, fold, words

Because = tuple[tuple[str, str], ...]
"""Pairs of a fact's name and the value or words that counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """Everything that all conditions of a rule set look for, by fact: word lists, patterns, patterns on folded text."""

    lexicons: Mapping[str, Lexicon]
    plain: Mapping[str, PatternSet]
    folded: Mapping[str, PatternSet]


class View:
    """One message's facts as conditions see them; whatever is derived from them is computed once, when first asked for.

    Facts of a wrong type are read as well as can be and never raise.
    """

    __slots__ = ("_engines", "_facts", "_folded", "_found", "_listed", "_texts")

    def __init__(self, engines: Engines, facts: Facts) -> None:
        """Take the facts; the mapping is copied."""
        self._engines = engines
        self._facts: dict[str, FactValue] = dict(facts)
        self._texts: dict[str, str] = {}
        self._folded: dict[str, str] = {}
        self._listed: dict[str, Mapping[int, str]] = {}
        self._found: dict[tuple[str, bool], Mapping[int, str]] = {}

    def add(self, facts: Facts) -> None:
        """Add facts that were not there before; those that were are kept."""
        self._facts = {**facts, **self._facts}

    def flag(self, name: str) -> bool:
        """Return a yes-or-no fact, False where it is absent."""
        return bool(self._facts.get(name, False))

    def number(self, name: str) -> int:
        """Return a number, 0 where it is absent or none."""
        value = self._facts.get(name, 0)
        return value if isinstance(value, int) else 0

    def values(self, name: str) -> tuple[str, ...]:
        """Return the values of a fact that are not empty."""
        value = self._facts.get(name, "")
        if isinstance(value, tuple):
            return tuple(str(item) for item in value if item != "")
        return (str(value),) if value != "" else ()

    def text(self, name: str) -> str:
        """Return a fact as one text, several values one per line; `text` is made of subject and body.new."""
        if name not in self._texts:
            names = ("subject", "body.new") if name == "text" and "text" not in self._facts else (name,)
            self._texts[name] = "\n".join(value for part in names for value in self.values(part))
        return self._texts[name]

    def folded(self, name: str) -> str:
        """Return the folded copy of a text; of several values each is a line."""
        if name not in self._folded:
            whole = name == "text" or not isinstance(self._facts.get(name), tuple)
            parts = (self.text(name),) if whole else self.values(name)
            self._folded[name] = "\n".join(map(fold, parts))
        return self._folded[name]

    def listed(self, name: str) -> Mapping[int, str]:
        """Return which word lists over this fact have a word in it, and that word."""
        if name not in self._listed:
            lexicon = self._engines.lexicons.get(name)
            self._listed[name] = lexicon.find(words(self.folded(name).replace("\n", " "))) if lexicon else {}
        return self._listed[name]

    def found(self, name: str, *, folded: bool) -> Mapping[int, str]:
        """Return which patterns over this fact are found in it, and what they found."""
        key = (name, folded)
        if key not in self._found:
            patterns = (self._engines.folded if folded else self._engines.plain).get(name)
            text = self.folded(name) if folded else self.text(name)
            self._found[key] = patterns.find(text) if patterns and text else {}
        return self._found[key]


class Condition(Protocol):
    """Something that holds of a message or does not."""

    def holds(self, view: View) -> bool:
        """Tell whether it holds."""
        ...

    def because(self, view: View) -> Because:
        """Return what made it hold, or not; asked for only where the answer is shown."""
        ...


@dataclass(frozen=True, slots=True)
class Every:
    """All parts hold."""

    parts: Sequence[Condition]

    def holds(self, view: View) -> bool:
        """Tell whether every part holds."""
        return all(part.holds(view) for part in self.parts)

    def because(self, view: View) -> Because:
        """Return the reasons of all parts."""
        return tuple(pair for part in self.parts for pair in part.because(view))


@dataclass(frozen=True, slots=True)
class Some:
    """At least one part holds."""

    parts: Sequence[Condition]

    def holds(self, view: View) -> bool:
        """Tell whether any part holds."""
        return any(part.holds(view) for part in self.parts)

    def because(self, view: View) -> Because:
        """Return the reasons of the parts that hold; of all parts where none does."""
        holding = [part for part in self.parts if part.holds(view)]
        return tuple(pair for part in holding or self.parts for pair in part.because(view))


@dataclass(frozen=True, slots=True)
class Opposite:
    """The part does not hold."""

    part: Condition

    def holds(self, view: View) -> bool:
        """Tell whether the part does not hold."""
        return not self.part.holds(view)

    def because(self, view: View) -> Because:
        """Return the facts that the part looked at, as they are."""
        return self.part.because(view)


@dataclass(frozen=True, slots=True)
class Flag:
    """A yes-or-no fact is as wanted."""

    name: str
    wanted: bool

    def holds(self, view: View) -> bool:
        """Compare the fact."""
        return view.flag(self.name) is self.wanted

    def because(self, view: View) -> Because:
        """Return the fact."""
        return ((self.name, "true" if view.flag(self.name) else "false"),)


@dataclass(frozen=True, slots=True)
class Number:
    """A number lies between two bounds, both included, or is one of a set."""

    name: str
    least: int | None = None
    most: int | None = None
    among: frozenset[int] | None = None

    def holds(self, view: View) -> bool:
        """Compare the fact."""
        value = view.number(self.name)
        return (
            (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
            and (self.among is None or value in self.among)
        )

    def because(self, view: View) -> Because:
        """Return the number."""
        return ((self.name, str(view.number(self.name))),)


@dataclass(frozen=True, slots=True)
class Present:
    """A fact has a value that is not empty, or has none."""

    name: str
    wanted: bool

    def holds(self, view: View) -> bool:
        """Look whether there is a value."""
        return bool(view.values(self.name)) is self.wanted

    def because(self, view: View) -> Because:
        """Return the value."""
        return _shown(view, self.name)


@dataclass(frozen=True, slots=True)
class Member:
    """A value is one of a set, case-folded; "" stands for a fact without a value."""

    name: str
    among: frozenset[str]

    def holds(self, view: View) -> bool:
        """Look whether any value is among them."""
        values = view.values(self.name)
        return any(value.casefold() in self.among for value in values) if values else "" in self.among

    def because(self, view: View) -> Because:
        """Return the values that are among them, all values where none is."""
        hits = [value for value in view.values(self.name) if value.casefold() in self.among]
        return ((self.name, excerpt(", ".join(hits[:10]))),) if hits else _shown(view, self.name)


@dataclass(frozen=True, slots=True)
class Under:
    """A host name is one of the domains or below one of them."""

    name: str
    domains: frozenset[str]

    def _hits(self, view: View) -> list[str]:
        return [value for value in view.values(self.name) if not self.domains.isdisjoint(_ancestors(value))]

    def holds(self, view: View) -> bool:
        """Look whether any name is."""
        return bool(self._hits(view))

    def because(self, view: View) -> Because:
        """Return the names that are."""
        hits = self._hits(view)
        return ((self.name, excerpt(", ".join(hits[:10]))),) if hits else _shown(view, self.name)


@dataclass(frozen=True, slots=True)
class InNetwork:
    """An IP address lies in one of the networks."""

    name: str
    networks: tuple[IPv4Network | IPv6Network, ...]

    def _hits(self, view: View) -> list[str]:
        return [value for value in view.values(self.name) if self._covers(value)]

    def _covers(self, value: str) -> bool:
        try:
            address = ip_address(value)
        except ValueError:
            return False
        return any(address in network for network in self.networks)

    def holds(self, view: View) -> bool:
        """Look whether any address does."""
        return bool(self._hits(view))

    def because(self, view: View) -> Because:
        """Return the addresses that do."""
        hits = self._hits(view)
        return ((self.name, excerpt(", ".join(hits[:10]))),) if hits else _shown(view, self.name)


@dataclass(frozen=True, slots=True)
class Listed:
    """A word of a list is in the text; `number` is the list's in the lexicon of this fact."""

    name: str
    number: int

    def holds(self, view: View) -> bool:
        """Look whether the lexicon found one."""
        return self.number in view.listed(self.name)

    def because(self, view: View) -> Because:
        """Return the word."""
        return ((self.name, excerpt(view.listed(self.name).get(self.number, "(no such word)"))),)


@dataclass(frozen=True, slots=True)
class Found:
    """A pattern is found in the text; `number` is the pattern's in the set of this fact."""

    name: str
    number: int
    folded: bool = field(kw_only=True)

    def holds(self, view: View) -> bool:
        """Look whether it was found."""
        return self.number in view.found(self.name, folded=self.folded)

    def because(self, view: View) -> Because:
        """Return what it found."""
        return ((self.name, view.found(self.name, folded=self.folded).get(self.number, "(no such text)")),)


def _shown(view: View, name: str) -> Because:
    return ((name, excerpt(", ".join(view.values(name)[:10])) or "(none)"),)


def _ancestors(host: str) -> list[str]:
    labels = host.lower().rstrip(".").split(".")[-127:]
    return [".".join(labels[start:]) for start in range(len(labels))]
