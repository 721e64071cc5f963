"""The tests inside rules are run against the whole rule set, and say what they missed."""

from textwrap import dedent

import pytest
from rulesets import HEAD, TAXONOMY

from abuse_triage.rules.load import load
from abuse_triage.rules.testing import failures

RULES = """
  - id: gate.bounce
    phase: gate
    why: a reason for a person
    when: {automatic: bounce}
    then: {park: a bounce}
    tests:
      - {name: bounce, facts: {automatic: bounce}, expect: {match: true, park: true, acknowledge: false}}
      - {name: person, facts: {}, expect: {match: false, park: false}}
  - id: mark.leak
    phase: mark
    why: a reason for a person
    when: {text: {words: [leak]}}
    then: {tlp: amber, tags: [leak, data], priority: p2}
    tests:
      - {name: leak, facts: {subject: leak}, expect: {match: true, tlp: amber, tags: [data], priority: p2}}
      - {name: strict, facts: {subject: leak, marking.tlp: red}, expect: {match: true, tlp: red}}
      - {name: nothing, facts: {}, expect: {match: false, tlp: green}}
  - id: cls.phishing
    phase: classify
    why: a reason for a person
    when: {text: {words: [phishing]}}
    then: {vote: {fraud: strong}, type: 'fraud:phishing'}
    tests:
      - name: named
        facts: {subject: phishing}
        expect: {match: true, category: fraud, type: 'fraud:phishing', review: false}
      - {name: not named, facts: {}, expect: {match: false, category: other, review: true, kind: incident}}
      - {name: later, todo: true, facts: {}, expect: {match: true}}
  - id: route.fraud
    phase: route
    why: a reason for a person
    when: {decision.category: fraud}
    then: {notify: true, queue: takedown, assign: on-call, kind: enquiry}
    tests:
      - name: decided
        facts: {subject: phishing}
        expect: {match: true, queue: takedown, assign: on-call, kind: enquiry, notify: true}
      - {name: given, facts: {decision.category: fraud, mailbox.kind: enquiry}, expect: {match: true, queue: takedown}}
      - name: another
        facts: {decision.category: other, subject: phishing}
        expect: {match: false, queue: '', notify: false}
"""


UNDETERMINED = " (undetermined: no rule recognised a class of incident)"
WEAK = " (undetermined: fraud has 10 points of the 40 it needs)"


def missed(old: str = "", new: str = "") -> list[str]:
    """Return what the tests miss after one change."""
    assert old in RULES
    return failures(load({"a.yaml": HEAD + "rules:" + dedent(RULES).replace(old, new)}, TAXONOMY))


def test_tests_that_pass_say_nothing() -> None:
    """Nothing is missed, and tests that are still to do are not run."""
    assert [] == missed()


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("{match: true, park: true", "{match: true, park: false",
         'a.yaml:4: gate.bounce: test "bounce": expected park false, got true (parked: a bounce)'),
        ("words: [leak]", "words: [leaks]",
         'a.yaml:12: mark.leak: test "leak": expected match true, got false'),
        ("[leak, data]", "[leak]",
         'a.yaml:12: mark.leak: test "leak": expected tags data, got leak'),
        ("tlp: amber, tags: [data]", "tlp: green, tags: [data]",
         'a.yaml:12: mark.leak: test "leak": expected tlp green, got amber' + UNDETERMINED),
        ("fraud: strong", "fraud: weak",
         'a.yaml:21: cls.phishing: test "named": expected review false, got true' + WEAK),
        ("queue: ''", "queue: q",
         'a.yaml:32: route.fraud: test "another": expected queue q, got "" (fraud has 50 points)'),
        ("then: {notify: true, ", "then: {",
         'a.yaml:32: route.fraud: test "decided": expected notify true, got false (fraud has 50 points)'),
        (", todo: true", "",
         'a.yaml:21: cls.phishing: test "later": expected match true, got false'),
        ("then: {tlp: amber, tags: [leak, data], priority", "then: {tlp: amber, priority",
         'a.yaml:12: mark.leak: test "leak": expected tags data, got none'),
    ],
)  # fmt: skip
def test_what_is_missed_is_told(old: str, new: str, line: str) -> None:
    """Each expectation that is not met is one line with file, rule and test."""
    assert line in missed(old, new)
