"""Small rule sets for tests: a few rules in YAML become a whole, checked rule set."""

from pathlib import Path
from textwrap import dedent, indent

from abuse_triage.model.decision import TicketKind, Tlp, Verdict
from abuse_triage.rules.evaluate import evaluate
from abuse_triage.rules.facts import Facts
from abuse_triage.rules.load import TAXONOMY_FILE, load
from abuse_triage.rules.ruleset import Ruleset

SHIPPED = Path(__file__).parent.parent / "rules"
TAXONOMY = (SHIPPED / TAXONOMY_FILE).read_text("utf-8")
HEAD = "version: 1\nruleset: {id: test}\n"
TESTS = """
tests:
  - {name: it matches, todo: false, facts: {}, expect: {match: true}}
  - {name: it does not, todo: false, facts: {}, expect: {match: false}}
"""


def shipped() -> Ruleset:
    """Load the rules that come with the program."""
    files = {path.name: path.read_text("utf-8") for path in sorted(SHIPPED.glob("*.yaml"))}
    del files[TAXONOMY_FILE]
    return load(files, TAXONOMY)


def rule(text: str) -> str:
    """Return one rule, ready for a file: `text` has id, phase, when and then; why and tests are added."""
    body = dedent(text).strip() + "\nwhy: a reason for a person" + TESTS
    return "  - " + indent(body, "    ").strip() + "\n"


def ruleset(*rules: str, head: str = "") -> Ruleset:
    """Build a rule set of some rules as `rule` takes them; `head` is put before them, such as lists or decide."""
    return load({"test.yaml": HEAD + dedent(head).strip() + "\nrules:\n" + "".join(map(rule, rules))}, TAXONOMY)


def when(condition: str, head: str = "") -> Ruleset:
    """Build a rule set of one mark rule that tags "hit" where a condition holds."""
    return ruleset(f"id: mark.it\nphase: mark\nwhen: {condition}\nthen: {{tags: [hit]}}", head=head)


def decide(
    rules: Ruleset,
    facts: Facts,
    *,
    kind: TicketKind = TicketKind.INCIDENT,
    default_tlp: Tlp = Tlp.GREEN,
    marked: Tlp | None = None,
) -> Verdict:
    """Decide with the usual mailbox."""
    return evaluate(rules, facts, kind=kind, default_tlp=default_tlp, marked=marked)


def holds(condition: str, facts: Facts, head: str = "") -> bool:
    """Tell whether a condition holds of some facts."""
    return decide(when(condition, head), facts).tags == ("hit",)
