"""Whether rules look at facts that come late."""

import pytest
from rulesets import ruleset, shipped, when


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("{from.domain: {domain_under: [example.pt]}}", ["from.domain"]),
        ("{indicators.ipv4: {cidr_any: [192.0.2.0/24]}}", ["indicators.ipv4"]),
        ("{indicators.ipv4.count: {gte: 2}}", ["indicators.ipv4.count"]),
        ("{subject: {re: scan}}", ["subject"]),
        ("{body.new: {words: [port scan]}}", ["body.new"]),
        ("{auth.forged: true}", ["auth.forged"]),
        ("{contact.kind: {exists: true}}", ["contact.kind"]),
        ("{not: {from.domain: {in: [example.org]}}}", ["from.domain"]),
        ("{all: [{lang: pt}, {any: [{subject: {re: scan}}, {openpgp.form: deeper}]}]}", ["lang", "subject", "openpgp"]),
    ],
)
def test_a_condition_names_its_facts(condition: str, names: list[str]) -> None:
    """Whatever a condition does with a fact, and however deep it stands, its name is found by its beginning."""
    rules = when(condition)
    assert [True] * len(names) == [rules.looks_at(name) for name in names]
    assert not rules.looks_at("lookup.")


def test_exceptions_and_rules_in_shadow_count() -> None:
    """What only an exception looks at is looked at, and so is what a rule in shadow asks for: it is traced."""
    exception = ruleset(
        "id: mark.it\nphase: mark\nwhen: {lang: pt}\n"
        "except: [{id: away, when: {from.domain: {domain_under: [example.org]}}}]\n"
        "then: {tags: [hit]}"
    )
    shadow = ruleset("id: mark.it\nphase: mark\nstatus: shadow\nwhen: {lang: pt}\nthen: {tags: [hit]}")
    assert exception.looks_at("from.")
    assert shadow.looks_at("lang")


def test_the_shipped_rules_look_at_the_sender() -> None:
    """The question is about the names of facts in any of many rules, not about words in them."""
    assert shipped().looks_at("from.")
    assert not shipped().looks_at("phishing")
