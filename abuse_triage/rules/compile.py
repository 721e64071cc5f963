"""Conditions as they are written → conditions that can be asked, with every doubt about facts, types and patterns."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network

from abuse_triage.model.decision import Phase
from abuse_triage.rules import conditions, schema
from abuse_triage.rules.complaints import at, did_you_mean
from abuse_triage.rules.conditions import Condition, Engine, Every, Found, How, Look, Opposite, Some
from abuse_triage.rules.facts import FactType, fact, suggestion
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
from abuse_triage.rules.source import Path, Source
from abuse_triage.rules.text import fold

_LEAST_PREFIX = 3
_KEYS = {
    FactType.FLAG: frozenset({"eq"}),
    FactType.NUMBER: frozenset({"eq", "in_", "not_in", "gte", "lte"}),
}
_TEXT_KEYS = frozenset(schema.Test.model_fields) - {"gte", "lte"}


@dataclass(slots=True, kw_only=True)
class Compiler:
    """Compiles the conditions of a rule set one after the other, and collects what they look for by fact.

    `problems` grows with every doubt; a condition that cannot be compiled never holds.
    """

    lists: Mapping[str, Sequence[str]]
    problems: list[str]
    _words: dict[Look, dict[tuple[str, ...], int]] = field(default_factory=dict)
    _patterns: dict[Look, dict[str, int]] = field(default_factory=dict)

    def engines(self) -> dict[Look, Engine]:
        """Return the engines for everything that was compiled so far, one for each search."""
        return {
            **{look: Lexicon({number: phrases for phrases, number in s.items()}) for look, s in self._words.items()},
            **{look: PatternSet({number: p for p, number in s.items()}) for look, s in self._patterns.items()},
        }

    def condition(self, source: Source, where: Path, phase: Phase, written: schema.Condition) -> Condition:
        """Compile one condition, which stands at `where` in its file."""
        match written:
            case schema.All():
                return Every(self._parts(source, (*where, "all"), phase, written.all))
            case schema.AnyOf():
                return Some(self._parts(source, (*where, "any"), phase, written.any))
            case schema.Not():
                return Opposite(self.condition(source, (*where, "not"), phase, written.not_))
        ((name, tested),) = written.items()
        test = tested if isinstance(tested, schema.Test) else schema.Test(eq=tested)
        return _Asked(self, source, (*where, name), name).compile(test, phase)

    def _parts(self, source: Source, where: Path, phase: Phase, parts: Iterable[schema.Condition]) -> list[Condition]:
        return [self.condition(source, (*where, position), phase, part) for position, part in enumerate(parts)]

    def words(self, name: str, phrases: tuple[str, ...]) -> Found:
        """Look for any of the phrases in a fact; the same phrases asked for twice are looked for once."""
        look = (How.WORDS, name)
        known = self._words.setdefault(look, {})
        return Found(look, known.setdefault(phrases, len(known)))

    def pattern(self, name: str, pattern: str, *, folded: bool) -> Found:
        """Look for a pattern in a fact; the same pattern asked for twice is looked for once."""
        look = (How.FOLDED if folded else How.PLAIN, name)
        known = self._patterns.setdefault(look, {})
        return Found(look, known.setdefault(pattern, len(known)))


@dataclass(frozen=True, slots=True)
class _Asked:
    """One test of one fact, at one place of a file."""

    compiler: Compiler
    source: Source
    where: Path
    name: str

    def doubt(self, problem: str, *below: str | int) -> None:
        self.compiler.problems.append(at(self.source, (*self.where, *below), problem))

    def compile(self, test: schema.Test, phase: Phase) -> Condition:
        known = fact(self.name)
        if known is None:
            self.doubt(f'there is no fact "{self.name[:60]}"{suggestion(self.name)}')
            return Some(())
        if self.name.startswith("decision.") and phase is not Phase.ROUTE:
            self.doubt("decision facts exist in the route phase only, after the votes are counted")
            return Some(())
        given = test.model_fields_set - {"fold"}
        allowed = _KEYS.get(known.type, _TEXT_KEYS)
        for key in sorted(given - allowed):
            self.doubt(f'"{key.rstrip("_")}" does not go with a fact that is a {known.type}')
        if given - allowed:
            return Some(())
        if test.fold and not given & {"re", "re_any", "contains_any"}:
            self.doubt('"fold" goes with re, re_any and contains_any only; words and lists are always compared so')
        match known.type:
            case FactType.FLAG:
                return self._flag(test)
            case FactType.NUMBER:
                return self._number(test)
            case _:
                parts = [*self._values(test), *self._texts(test), *self._hosts(test)]
                return parts[0] if len(parts) == 1 else Every(parts)

    def _flag(self, test: schema.Test) -> Condition:
        if not isinstance(test.eq, bool):
            self.doubt(f"{self.name} is either true or false (here: {test.eq!r})")
        return conditions.Flag(self.name, wanted=test.eq is True)

    def _number(self, test: schema.Test) -> Condition:
        parts: list[Condition] = [conditions.Number(self.name, least=test.gte, most=test.lte)]
        if test.eq is not None:
            parts.append(conditions.Number(self.name, among=self._numbers([test.eq])))
        if test.in_ is not None:
            parts.append(conditions.Number(self.name, among=self._numbers(test.in_)))
        if test.not_in is not None:
            parts.append(Opposite(conditions.Number(self.name, among=self._numbers(test.not_in))))
        return parts[0] if len(parts) == 1 else Every(parts[test.gte is None and test.lte is None :])

    def _numbers(self, values: Iterable[schema.FactLiteral]) -> frozenset[int]:
        numbers = []
        for value in values:
            if isinstance(value, bool) or not isinstance(value, int):
                self.doubt(f"{self.name} is a number (here: {value!r})")
            else:
                numbers.append(value)
        return frozenset(numbers)

    def _values(self, test: schema.Test) -> Iterable[Condition]:
        if test.eq is not None:
            yield conditions.Member(self.name, self._literals([test.eq]))
        if test.in_ is not None:
            yield conditions.Member(self.name, self._literals(test.in_))
        if test.in_list is not None:
            yield conditions.Member(self.name, self._literals(self._list("in_list", test.in_list)))
        if test.not_in is not None:
            yield Opposite(conditions.Member(self.name, self._literals(test.not_in)))
        if test.exists is not None:
            yield conditions.Present(self.name, test.exists)

    def _literals(self, values: Sequence[schema.FactLiteral]) -> frozenset[str]:
        if any(isinstance(value, bool) for value in values):
            self.doubt(f'{self.name} is a text; put "true" and "false" in quotes')
        return frozenset(str(value).casefold() for value in values)

    def _list(self, key: str, name: str) -> tuple[str, ...]:
        if name not in self.compiler.lists:
            self.doubt(f'there is no list "{name}"{did_you_mean(name, self.compiler.lists)}', key)
            return ()
        return tuple(self.compiler.lists[name])

    def _texts(self, test: schema.Test) -> Iterable[Condition]:
        if test.words is not None:
            yield self._phrases(tuple(test.words), "words")
        if test.words_in is not None:
            yield self._phrases(self._list("words_in", test.words_in), "words_in")
        if test.re is not None:
            yield self._pattern([test.re], ["re"], folded=test.fold)
        if test.re_any is not None:
            yield self._pattern(test.re_any, ["re_any"], folded=test.fold)
        if test.contains_any is not None:
            texts = [fold(text) if test.fold else text for text in test.contains_any]
            yield self.compiler.pattern(self.name, "|".join(map(literal, texts)), folded=test.fold)

    def _phrases(self, phrases: tuple[str, ...], key: str) -> Condition:
        for phrase in phrases:
            found = key_of(phrase)
            if not found:
                self.doubt(f'nothing of "{phrase}" is a word; use re or contains_any for signs', key)
            elif "*" in phrase[:-1]:
                self.doubt(f'"{phrase}": * stands at the end only; write each form of the words before it', key)
            elif phrase.endswith("*") and len(found.strip()) < _LEAST_PREFIX:
                self.doubt(f'"{phrase}" would be found nearly everywhere; give at least {_LEAST_PREFIX} letters', key)
        return self.compiler.words(self.name, phrases)

    def _pattern(self, patterns: Sequence[str], below: list[str], *, folded: bool) -> Condition:
        good = []
        for pattern in patterns:
            if reason := complaint(pattern):
                self.doubt(
                    f"RE2 does not take {pattern!r}: {reason}; it has no look-around and no back-references", *below
                )
            elif found_everywhere(pattern):
                self.doubt(f"{pattern!r} matches the empty text, and so everything", *below)
            elif folded and (strange := unfolded(pattern)):
                self.doubt(f"{pattern!r} never matches: folded text has no {strange!r}; see words and fold", *below)
            else:
                good.append(lines(pattern))
        if not good:
            return Some(())
        joined = "|".join(good)
        if reason := complaint(joined):
            self.doubt(f"RE2 does not take these patterns together: {reason}; split the rule", *below)
            return Some(())
        return self.compiler.pattern(self.name, joined, folded=folded)

    def _hosts(self, test: schema.Test) -> Iterable[Condition]:
        if test.domain_under is not None:
            names = frozenset(name.strip(".").casefold() for name in test.domain_under)
            yield conditions.Under(self.name, names)
        if test.cidr_any is not None:
            networks = []
            for position, text in enumerate(test.cidr_any):
                try:
                    networks.append(ip_network(text))
                except ValueError as error:
                    self.doubt(str(error), "cidr_any", position)
            yield conditions.InNetwork(self.name, tuple(networks))
