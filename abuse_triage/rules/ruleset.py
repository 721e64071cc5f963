"""A checked set of rules, ready to decide."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic

from abuse_triage.model.decision import Phase
from abuse_triage.rules.conditions import Because, Condition, Engine, Look, View, facts_of
from abuse_triage.rules.schema import ClassifyThen, Decide, Example, GateThen, MarkThen, RouteThen, Then
from abuse_triage.rules.taxonomy import Taxonomy

_MOST_REASONS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Generic[Then]):
    """One rule: where it stands, when it holds, and what it does then.

    `exceptions` are named conditions under which it does not hold. A rule in `shadow` speaks without effect. Rules with
    the status `off` are not in a rule set.
    """

    phase: Phase
    id: str
    file: str
    line: int
    why: str
    shadow: bool
    when: Condition
    exceptions: tuple[tuple[str, Condition], ...]
    then: Then
    tests: tuple[Example, ...]

    def holds(self, view: View) -> bool:
        """Tell whether the rule speaks: its condition holds, and none of its exceptions."""
        if not self.when.holds(view):
            return False
        return not any(condition.holds(view) for _, condition in self.exceptions)

    def because(self, view: View) -> Because:
        """Return the facts that made it speak, each once, at most twelve."""
        return tuple(dict.fromkeys(self.when.because(view)))[:_MOST_REASONS]


class Rules(Generic[Then]):
    """The rules of one phase, in the order in which they are asked.

    Most rules need a word or pattern that few messages have: only those are asked whose words were found, and those
    that need none. What is looked for only to make sure that it is not there is searched when such a rule is asked.
    """

    def __init__(self, rules: Iterable[Rule[Then]]) -> None:
        """Take the rules and note what each of them needs."""
        self._rules: tuple[Rule[Then], ...] = tuple(rules)
        self._always: list[int] = []
        self._triggered: dict[Look, dict[int, list[int]]] = {}
        for position, rule in enumerate(self._rules):
            triggers = rule.when.triggers()
            if triggers is None:
                self._always.append(position)
            for look, number in triggers or ():
                self._triggered.setdefault(look, {}).setdefault(number, []).append(position)

    def __iter__(self) -> Iterator[Rule[Then]]:
        return iter(self._rules)

    def holding(self, view: View) -> Iterator[Rule[Then]]:
        """Yield the rules that hold, in order."""
        asked = set(self._always)
        for look, waiting in self._triggered.items():
            for number in view.found(look):
                if number in waiting:
                    asked.update(waiting[number])
        for position in sorted(asked):
            rule = self._rules[position]
            if rule.holds(view):
                yield rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruleset:
    """All rules by phase, in the order in which they are asked, with all that they need.

    `generation` is the SHA-256 of the files that it was made of, in hexadecimal: equal generations decide equally and
    their traces name the same lines.
    """

    generation: str
    taxonomy: Taxonomy
    decide: Decide
    gate: Rules[GateThen]
    mark: Rules[MarkThen]
    classify: Rules[ClassifyThen]
    route: Rules[RouteThen]
    engines: Mapping[Look, Engine]
    lists: Mapping[str, tuple[str, ...]]

    @property
    def rules(self) -> tuple[Rule[Any], ...]:
        """Every rule, phase by phase in the order in which they are asked."""
        return (*self.gate, *self.mark, *self.classify, *self.route)

    def looks_at(self, prefix: str) -> bool:
        """Tell whether any rule looks at a fact whose name begins so, rules in shadow included: they are traced."""
        conditions = (one for rule in self.rules for one in (rule.when, *(held for _, held in rule.exceptions)))
        return any(name.startswith(prefix) for condition in conditions for name in facts_of(condition))
