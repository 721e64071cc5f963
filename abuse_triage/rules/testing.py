"""The tests that rules carry with them, run against the whole rule set."""

from collections.abc import Iterator
from typing import Any

from abuse_triage.model.decision import TicketKind, Tlp, Verdict
from abuse_triage.rules.evaluate import consider
from abuse_triage.rules.facts import FACTS, FactValue, fact, typed
from abuse_triage.rules.ruleset import Rule, Ruleset
from abuse_triage.rules.schema import Example, Expect

DEFAULT_TLP = Tlp.GREEN
"""TLP of a test's message without a marking; `marking.tlp` gives it one."""


def failures(ruleset: Ruleset) -> list[str]:
    """Run every test of every rule; return a line `file:line: rule: test "name": …` for each expectation not met.

    A test's message has the facts that the test gives and no others, except that it came to a mailbox for incidents.
    """
    lines: list[str] = []
    for rule in ruleset.rules:
        lines.extend(_failures(ruleset, rule))
    return lines


def _failures(ruleset: Ruleset, rule: Rule[Any]) -> Iterator[str]:
    for example in rule.tests:
        if not example.todo:
            for what in _misses(ruleset, rule, example):
                yield f'{rule.file}:{rule.line}: {rule.id}: test "{example.name}": {what}'


def _misses(ruleset: Ruleset, rule: Rule[Any], example: Example) -> Iterator[str]:
    facts: dict[str, FactValue] = {"mailbox.kind": str(TicketKind.INCIDENT)}
    for name, value in example.facts.items():
        facts[name] = typed(fact(name) or FACTS["text"], value)
    marking = str(facts.get("marking.tlp", ""))
    verdict, view = consider(
        ruleset,
        facts,
        kind=TicketKind(str(facts["mailbox.kind"])),
        default_tlp=DEFAULT_TLP,
        marked=Tlp(marking) if marking else None,
    )
    if rule.holds(view) is not example.expect.match:
        yield f"expected match {_shown(example.expect.match)}, got {_shown(not example.expect.match)}"
    for what, expected, got in _compared(example.expect, verdict):
        if expected is not None and expected != got:
            yield f"expected {what} {_shown(expected)}, got {_shown(got)} ({verdict.reason})"
    if missing := set(example.expect.tags or ()) - set(verdict.tags):
        yield f"expected tags {', '.join(sorted(missing))}, got {', '.join(verdict.tags) or 'none'}"


def _compared(expect: Expect, verdict: Verdict) -> Iterator[tuple[str, str | bool | None, str | bool]]:
    yield "category", expect.category, verdict.category
    yield "type", expect.type, verdict.type
    yield "review", expect.review, verdict.review
    yield "tlp", expect.tlp, verdict.tlp
    yield "priority", expect.priority, verdict.priority
    yield "park", expect.park, bool(verdict.parked)
    yield "queue", expect.queue, verdict.queue
    yield "assign", expect.assign, verdict.assign
    yield "acknowledge", expect.acknowledge, verdict.acknowledge
    yield "kind", expect.kind, verdict.kind
    yield "notify", expect.notify, verdict.notify


def _shown(value: str | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else value or '""'
