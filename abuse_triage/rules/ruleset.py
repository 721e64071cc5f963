"""A checked set of rules, ready to decide."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic

from abuse_triage.model.decision import Phase
from abuse_triage.rules.conditions import Because, Condition, Engines, View
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
        return self.when.holds(view) and not any(condition.holds(view) for _, condition in self.exceptions)

    def because(self, view: View) -> Because:
        """Return the facts that made it speak, each once, at most twelve."""
        return tuple(dict.fromkeys(self.when.because(view)))[:_MOST_REASONS]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruleset:
    """All rules by phase, in the order in which they are asked, with all that they need.

    `generation` is the SHA-256 of the files that it was made of, in hexadecimal: equal generations decide equally and
    their traces name the same lines.
    """

    generation: str
    taxonomy: Taxonomy
    decide: Decide
    gate: tuple[Rule[GateThen], ...]
    mark: tuple[Rule[MarkThen], ...]
    classify: tuple[Rule[ClassifyThen], ...]
    route: tuple[Rule[RouteThen], ...]
    engines: Engines
    lists: Mapping[str, tuple[str, ...]]

    @property
    def rules(self) -> tuple[Rule[Any], ...]:
        """Every rule, phase by phase in the order in which they are asked."""
        return (*self.gate, *self.mark, *self.classify, *self.route)
