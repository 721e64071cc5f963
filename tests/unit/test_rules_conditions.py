"""Conditions hold of facts as the reference says, whatever the facts are."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rulesets import decide, holds, shipped, when

from abuse_triage.rules.facts import FACTS, FactValue

LISTS = "lists:\n  banks: [banco-exemplo.example, Bank.example]\n  words: [página falsa, phish*]"


@pytest.mark.parametrize(
    ("condition", "facts", "expected"),
    [
        ("{from.domain: Example.org}", {"from.domain": "example.ORG"}, True),
        ("{from.domain: example.org}", {"from.domain": "sub.example.org"}, False),
        ("{from.domain: ''}", {}, True),
        ("{from.domain: ''}", {"from.domain": "example.org"}, False),
        ("{from.domain: {eq: example.org}}", {"from.domain": "example.org"}, True),
        ("{from.domain: {in: [a.example, example.org]}}", {"from.domain": "example.org"}, True),
        ("{from.domain: {not_in: [a.example]}}", {"from.domain": "example.org"}, True),
        ("{from.domain: {not_in: [a.example]}}", {"from.domain": "a.example"}, False),
        ("{from.domain: {not_in: [a.example]}}", {}, True),
        ("{from.domain: {in_list: banks}}", {"from.domain": "bank.example"}, True),
        ("{from.domain: {in_list: banks}}", {"from.domain": "example.org"}, False),
        ("{from.domain: {exists: true}}", {"from.domain": "example.org"}, True),
        ("{from.domain: {exists: true}}", {"from.domain": ""}, False),
        ("{from.domain: {exists: false}}", {}, True),
        ("{from.domain: {domain_under: [Example.org., pt]}}", {"from.domain": "a.b.example.org"}, True),
        ("{from.domain: {domain_under: [example.org]}}", {"from.domain": "example.org"}, True),
        ("{from.domain: {domain_under: [example.org]}}", {"from.domain": "notexample.org"}, False),
        ("{from.domain: {domain_under: [example.org]}}", {}, False),
        ("{scope.asn: 64500}", {"scope.asn": ("64499", "64500")}, True),
        ("{scope.asn: {not_in: [64500]}}", {"scope.asn": ("64500",)}, False),
        ("{indicators.ipv4: {cidr_any: [192.0.2.0/24]}}", {"indicators.ipv4": ("198.51.100.1", "192.0.2.7")}, True),
        ("{indicators.ipv4: {cidr_any: [192.0.2.0/24]}}", {"indicators.ipv4": ("198.51.100.1", "nonsense")}, False),
        ("{indicators.ipv6: {cidr_any: ['2001:db8::/32', 192.0.2.0/24]}}", {"indicators.ipv6": ("2001:db8::1",)}, True),
        ("{attachments.count: 2}", {"attachments.count": 2}, True),
        ("{attachments.count: {in: [1, 2]}}", {"attachments.count": 2}, True),
        ("{attachments.count: {not_in: [1, 2]}}", {"attachments.count": 2}, False),
        ("{attachments.count: {gte: 2, lte: 3}}", {"attachments.count": 3}, True),
        ("{attachments.count: {gte: 2, lte: 3}}", {"attachments.count": 4}, False),
        ("{attachments.count: {lte: 0}}", {}, True),
        ("{lookup.age: {gte: 0, lte: 30}}", {}, False),
        ("{lookup.age: {gte: 0, lte: 30}}", {"lookup.age": 3}, True),
        ("{lookup.age: -1}", {}, True),
        ("{attachments.count: {gte: 1, not_in: [3]}}", {"attachments.count": 3}, False),
        ("{attachments.count: {eq: 0, lte: 5}}", {"attachments.count": 0}, True),
        ("{thread.ours: true}", {"thread.ours": True}, True),
        ("{thread.ours: false}", {}, True),
        ("{thread.ours: {eq: true}}", {}, False),
        ("{subject: {re: '^Re: .*[0-9]$'}}", {"subject": "Re: case 12"}, True),
        ("{subject: {re: 'case'}}", {"subject": "CASE"}, False),
        ("{subject: {re: '(?i)case'}}", {"subject": "CASE"}, True),
        ("{subject: {re_any: [x, pagina], fold: true}}", {"subject": "A PÁGINA"}, True),
        ("{subject: {contains_any: ['[x]', 'Q.']}}", {"subject": "[X] y"}, True),
        ("{subject: {contains_any: [página], fold: true}}", {"subject": "PAGINA"}, True),
        ("{subject: {words: [página falsa]}}", {"subject": "Pagina-falsa"}, True),
        ("{subject: {words_in: words}}", {"subject": "Phishing"}, True),
        ("{subject: {words_in: words, re: '[0-9]'}}", {"subject": "Phishing"}, False),
        ("{subject: {words: [spam], exists: true}}", {"subject": "spam"}, True),
        ("{text: {words: [spam]}}", {"subject": "x", "body.new": "of spam"}, True),
        ("{text: {words: [x of]}}", {"subject": "x", "body.new": "of spam"}, True),
        ("{text: {words: [spam]}}", {"text": "spam"}, True),
        ("{text: {re: '^of'}}", {"subject": "x", "body.new": "of spam"}, True),
        ("{attachments.name: {re: '\\.exe$'}}", {"attachments.name": ("a.exe", "b.txt")}, True),
        ("{attachments.name: {re: '\\.exe$', fold: true}}", {"attachments.name": ("A.EXE", "b.txt")}, True),
        ("{attachments.name: {words: [a b]}}", {"attachments.name": ("a", "b")}, True),
        ("{header.list-id: {exists: true}}", {"header.list-id": ("x",)}, True),
        ("{header.x: {re: b}}", {"header.x": ("a", "b")}, True),
        ("{report.field.source-ip: 192.0.2.1}", {"report.field.source-ip": ("192.0.2.1",)}, True),
        ("{all: [{subject: a}, {lang: pt}]}", {"subject": "a", "lang": "pt"}, True),
        ("{all: [{subject: a}, {lang: pt}]}", {"subject": "a"}, False),
        ("{any: [{subject: a}, {lang: pt}]}", {"lang": "pt"}, True),
        ("{any: [{subject: a}, {lang: pt}]}", {}, False),
        ("{not: {subject: a}}", {"subject": "b"}, True),
        ("{not: {any: [{subject: a}, {subject: b}]}}", {"subject": "b"}, False),
        ("{not: {text: {words: [spam]}}}", {"subject": "b"}, True),
        ("{any: [{text: {words: [spam]}}, {subject: {re: x}}]}", {"subject": "x"}, True),
        ("{all: [{text: {words: [spam]}}, {subject: {re_any: [x, y]}}]}", {"subject": "y spam"}, True),
        ("{all: [{text: {words: [spam]}}, {not: {subject: {re: x}}}]}", {"subject": "x spam"}, False),
    ],
)
def test_conditions(condition: str, facts: dict[str, FactValue], expected: bool) -> None:
    """Each kind of test, met and not met."""
    assert expected is holds(condition, facts, LISTS)


@pytest.mark.parametrize(
    ("condition", "facts", "because"),
    [
        ("{from.domain: example.org}", {"from.domain": "Example.org"}, ("from.domain", "Example.org")),
        ("{from.domain: ''}", {}, ("from.domain", "(none)")),
        ("{scope.asn: {in: [1, 2]}}", {"scope.asn": ("2", "3", "1")}, ("scope.asn", "2, 1")),
        ("{subject: {re: 'b.'}}", {"subject": "a\x1b[1mbxx"}, ("subject", "bx")),
        ("{subject: {words: [força bruta]}}", {"subject": "FORÇA\nbruta"}, ("subject", "forca bruta")),
        ("{thread.ours: false}", {}, ("thread.ours", "false")),
        ("{attachments.count: {gte: 2}}", {"attachments.count": 3}, ("attachments.count", "3")),
        ("{subject: {exists: true}}", {"subject": "x" * 200}, ("subject", "x" * 119 + "…")),
        ("{not: {subject: {words: [spam]}}}", {"subject": "x"}, ("subject", "(nothing of it)")),
        ("{not: {lang: pt}}", {"lang": "en"}, ("lang", "en")),
        ("{not: {any: [{lang: pt}]}}", {"lang": "en"}, ("lang", "en")),
        ("{from.domain: {domain_under: [pt]}}", {"from.domain": "example.pt"}, ("from.domain", "example.pt")),
        ("{not: {from.domain: {domain_under: [pt]}}}", {"from.domain": "example.org"}, ("from.domain", "example.org")),
        ("{indicators.ipv4: {cidr_any: [192.0.2.0/24]}}", {"indicators.ipv4": ("198.51.100.1", "192.0.2.1")},
         ("indicators.ipv4", "192.0.2.1")),
        ("{not: {indicators.ipv4: {cidr_any: [192.0.2.0/24]}}}", {"indicators.ipv4": ("198.51.100.1",)},
         ("indicators.ipv4", "198.51.100.1")),
        ("{any: [{subject: b}, {lang: pt}]}", {"lang": "pt"}, ("lang", "pt")),
    ],
)  # fmt: skip
def test_reasons(condition: str, facts: dict[str, FactValue], because: tuple[str, str]) -> None:
    """The trace names each fact with the value or the words that counted, fit for a terminal."""
    assert (because,) == decide(when(condition), facts).trace[0].because


def test_reasons_stay_few() -> None:
    """At most twelve reasons are kept, each once."""
    condition = "{any: [" + ", ".join(f"{{header.h{n}: x}}" for n in range(20)) + ", {header.h1: x}]}"
    facts = {f"header.h{n}": ("x",) for n in range(20)}

    assert 12 == len(set(decide(when(condition), facts).trace[0].because))


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=40),
    st.tuples(st.text(max_size=9), st.integers()),
    st.lists(st.text(max_size=9), max_size=3),
    st.binary(max_size=9),
)
SHIPPED = shipped()


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*FACTS, "header.auto-submitted", "nonsense"]), VALUES, max_size=12))
def test_odd_facts_never_raise(facts: dict[str, FactValue]) -> None:
    """Facts of any type are decided about."""
    assert SHIPPED.generation == decide(SHIPPED, facts).generation
