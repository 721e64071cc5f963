"""Conditions over one message's facts: whether they hold, and which facts and words made them hold."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Protocol

from abuse_triage.rules.facts import FACTS, Facts, FactValue
from abuse_triage.rules.text import excerpt, fold, words

Because = tuple[tuple[str, str], ...]
"""Pairs of a fact's name and the value or words that counted."""

DECISION = "decision."
"""Beginning of the names of facts that exist only after the votes are counted."""


class How(StrEnum):
    """As what a text is searched."""

    WORDS = "words"
    PLAIN = "plain"
    FOLDED = "folded"


Look = tuple[How, str]
"""One search: how, and in which fact."""
Trigger = tuple[Look, int]
"""One find: the search, and the number of the word list or pattern."""


class Engine(Protocol):
    """Looks for many things in one text at once."""

    def find(self, text: str) -> Mapping[int, str]:
        """Return what is in the text: the number of each list or pattern with the words that it found."""
        ...


class View:
    """One message's facts as conditions see them; whatever is derived from them is computed once, when first asked for.

    Facts of a wrong type are read as well as can be and never raise.
    """

    __slots__ = ("_engines", "_facts", "_folded", "_found", "_texts", "_values")

    def __init__(self, engines: Mapping[Look, Engine], facts: Facts) -> None:
        """Take the facts; the mapping is copied."""
        self._engines = engines
        self._facts: dict[str, FactValue] = dict(facts)
        self._texts: dict[str, str] = {}
        self._folded: dict[str, str] = {}
        self._found: dict[Look, Mapping[int, str]] = {}
        self._values: dict[str, tuple[str, ...]] = {}

    def add(self, facts: Facts) -> None:
        """Add decision facts; those that were there before are kept."""
        self._facts = {**facts, **self._facts}
        self._values.clear()

    def flag(self, name: str) -> bool:
        """Return a yes-or-no fact, False where it is absent."""
        return bool(self._facts.get(name, False))

    def number(self, name: str) -> int:
        """Return a number; where it is absent or none, what stands for that, which is mostly 0."""
        value = self._facts.get(name)
        if isinstance(value, int):
            return value
        return FACTS[name].absent if name in FACTS else 0

    def values(self, name: str) -> tuple[str, ...]:
        """Return the values of a fact that are not empty."""
        found = self._values.get(name)
        if found is None:
            value = self._facts.get(name, "")
            if isinstance(value, tuple):
                found = tuple([str(item) for item in value if item != ""])
            else:
                found = (str(value),) if value != "" else ()
            self._values[name] = found
        return found

    def text(self, name: str) -> str:
        """Return a fact as one text, several values one per line; `text` is made of subject and body.new."""
        if name not in self._texts:
            names = ("subject", "body.new") if name == "text" and "text" not in self._facts else (name,)
            self._texts[name] = "\n".join(value for part in names for value in self.values(part))
        return self._texts[name]

    def folded(self, name: str) -> str:
        """Return the folded copy of a text; of several values each is a line."""
        if name not in self._folded:
            several = isinstance(self._facts.get(name), tuple)
            self._folded[name] = "\n".join(map(fold, self.values(name) if several else (self.text(name),)))
        return self._folded[name]

    def found(self, look: Look) -> Mapping[int, str]:
        """Return what one search finds: the numbers of lists or patterns, each with its first words."""
        found = self._found.get(look)
        if found is None:
            engine = self._engines.get(look)
            text = self._searched(look) if engine else ""
            found = engine.find(text) if engine and text else {}
            self._found[look] = found
        return found

    def _searched(self, look: Look) -> str:
        match look:
            case How.PLAIN, name:
                return self.text(name)
            case How.FOLDED, name:
                return self.folded(name)
            case _, name:
                return words(self.folded(name).replace("\n", " "))


class Condition(Protocol):
    """Something that holds of a message or does not."""

    def holds(self, view: View) -> bool:
        """Tell whether it holds."""
        ...

    def because(self, view: View) -> Because:
        """Return what made it hold, or not; asked for only where the answer is shown."""
        ...

    def triggers(self) -> frozenset[Trigger] | None:
        """Return finds of which it needs at least one to hold, None where it may hold without any."""
        ...


@dataclass(frozen=True, slots=True)
class Every:
    """All parts hold."""

    parts: Sequence[Condition]

    def holds(self, view: View) -> bool:
        """Tell whether every part holds."""
        for part in self.parts:  # noqa: SIM110 -- a generator would take longer than most of what it asks
            if not part.holds(view):
                return False
        return True

    def because(self, view: View) -> Because:
        """Return the reasons of all parts."""
        return tuple(pair for part in self.parts for pair in part.because(view))

    def triggers(self) -> frozenset[Trigger] | None:
        """Return those of the part that is most particular."""
        known = [triggers for part in self.parts if (triggers := part.triggers()) is not None]
        return min(known, key=len, default=None)


@dataclass(frozen=True, slots=True)
class Some:
    """At least one part holds."""

    parts: Sequence[Condition]

    def holds(self, view: View) -> bool:
        """Tell whether any part holds."""
        for part in self.parts:  # noqa: SIM110 -- as above
            if part.holds(view):
                return True
        return False

    def because(self, view: View) -> Because:
        """Return the reasons of the parts that hold; of all parts where none does."""
        holding = [part for part in self.parts if part.holds(view)]
        return tuple(pair for part in holding or self.parts for pair in part.because(view))

    def triggers(self) -> frozenset[Trigger] | None:
        """Return those of all parts, None where one part has none."""
        needed: set[Trigger] = set()
        for part in self.parts:
            triggers = part.triggers()
            if triggers is None:
                return None
            needed |= triggers
        return frozenset(needed)


@dataclass(frozen=True, slots=True)
class Found:
    """One of the words of a list, or a pattern, is found in a text."""

    look: Look
    number: int

    def holds(self, view: View) -> bool:
        """Look whether it was found."""
        return self.number in view.found(self.look)

    def because(self, view: View) -> Because:
        """Return the words that were found."""
        return ((self.look[1], excerpt(view.found(self.look).get(self.number, "(nothing of it)"))),)

    def triggers(self) -> frozenset[Trigger] | None:
        """Return this find."""
        return None if self.look[1].startswith(DECISION) else frozenset([(self.look, self.number)])


class _Untriggered:
    """A condition that no search announces."""

    __slots__ = ()

    def triggers(self) -> frozenset[Trigger] | None:
        """Return None: it may hold whatever is found."""
        return None


@dataclass(frozen=True, slots=True)
class Opposite(_Untriggered):
    """The part does not hold."""

    part: Condition

    def holds(self, view: View) -> bool:
        """Tell whether the part does not hold."""
        return not self.part.holds(view)

    def because(self, view: View) -> Because:
        """Return the facts that the part looked at, as they are."""
        return self.part.because(view)


@dataclass(frozen=True, slots=True)
class Flag(_Untriggered):
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
class Number(_Untriggered):
    """A number lies between two bounds, both included, and is one of a set."""

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
class Present(_Untriggered):
    """A fact has a value that is not empty, or has none."""

    name: str
    wanted: bool

    def holds(self, view: View) -> bool:
        """Look whether there is a value."""
        return bool(view.values(self.name)) is self.wanted

    def because(self, view: View) -> Because:
        """Return the value."""
        return _shown(self.name, view.values(self.name))


@dataclass(frozen=True, slots=True)
class Member(_Untriggered):
    """A value is one of a set, case-folded; "" stands for a fact without a value."""

    name: str
    among: frozenset[str]

    def holds(self, view: View) -> bool:
        """Look whether any value is among them."""
        values = view.values(self.name)
        return any(value.casefold() in self.among for value in values) if values else "" in self.among

    def because(self, view: View) -> Because:
        """Return the values that are among them, all values where none is."""
        values = view.values(self.name)
        return _shown(self.name, [value for value in values if value.casefold() in self.among] or values)


@dataclass(frozen=True, slots=True)
class Under(_Untriggered):
    """A host name is one of the domains or below one of them."""

    name: str
    domains: frozenset[str]

    def _hits(self, view: View) -> list[str]:
        return [value for value in view.values(self.name) if not self.domains.isdisjoint(_ancestors(value))]

    def holds(self, view: View) -> bool:
        """Look whether any name is."""
        return bool(self._hits(view))

    def because(self, view: View) -> Because:
        """Return the names that are, all names where none is."""
        return _shown(self.name, self._hits(view) or view.values(self.name))


@dataclass(frozen=True, slots=True)
class InNetwork(_Untriggered):
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
        """Return the addresses that do, all addresses where none does."""
        return _shown(self.name, self._hits(view) or view.values(self.name))


def facts_of(condition: Condition) -> Iterator[str]:
    """Yield the name of every fact that a condition looks at, repeated where it looks twice."""
    match condition:
        case Every(parts) | Some(parts):
            for part in parts:
                yield from facts_of(part)
        case Opposite(part):
            yield from facts_of(part)
        case Found(look):
            yield look[1]
        case Flag() | Number() | Present() | Member() | Under() | InNetwork():
            yield condition.name


def _shown(name: str, values: Sequence[str]) -> Because:
    return ((name, excerpt(", ".join(values[:10])) or "(none)"),)


def _ancestors(host: str) -> list[str]:
    labels = host.lower().rstrip(".").split(".")[-127:]
    return [".".join(labels[start:]) for start in range(len(labels))]
