"""The taxonomy is data: nine classes, types with the ids of RSIT, names in two languages."""

import pytest
from rulesets import TAXONOMY

from abuse_triage.errors import ConfigError
from abuse_triage.rules.taxonomy import parse

SMALL = """
taxonomy: t
version: "1"
undetermined: other:undetermined
categories:
  - id: fraud
    pt: Fraude
    en: Fraud
    types:
      - {id: "fraud:phishing", pt: Phishing, en: Phishing}
  - id: other
    pt: Outro
    en: Other
    types:
      - {id: "other:undetermined", pt: Indeterminado, en: Undetermined}
"""


def test_the_shipped_taxonomy_has_nine_classes() -> None:
    """They are those of the national taxonomy, in its order."""
    assert [
        "Código Malicioso",
        "Disponibilidade",
        "Recolha de Informação",
        "Tentativa de Intrusão",
        "Intrusão",
        "Segurança da Informação",
        "Fraude",
        "Conteúdo Abusivo",
        "Outro",
    ] == [category.pt for category in parse("t", TAXONOMY).categories.values()]


def test_types_of_vulnerable_systems_are_filed_under_other() -> None:
    """The tenth class has no home among the nine, but its types keep their ids."""
    taxonomy = parse("t", TAXONOMY)
    vulnerable = [kind for kind in taxonomy.category_of_type if kind.startswith("vulnerable:")]

    assert 5 == len(vulnerable)
    assert {"other"} == {taxonomy.category_of_type[kind] for kind in vulnerable}


def test_names_in_both_languages() -> None:
    """Categories and types are called by their names; English stands for every other language."""
    taxonomy = parse("t", TAXONOMY)

    assert "Fraude" == taxonomy.category("fraud").pt
    assert "Fraud" == taxonomy.category("fraud").en
    assert "Tentativas de login" == taxonomy.type("intrusion-attempts:brute-force").pt
    assert "Login Attempts" == taxonomy.type("intrusion-attempts:brute-force").en


@pytest.mark.parametrize("lookup", ["category", "type"])
def test_unknown_ids_are_key_errors(lookup: str) -> None:
    """Asking for what does not exist is a fault of the program."""
    with pytest.raises(KeyError):
        getattr(parse("t", TAXONOMY), lookup)("nothing")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("version", "versoin", 't.yaml:3: versoin: unknown key "versoin"; did you mean "version"?'),
        ("id: other\n", "id: fraud\n", 't.yaml:11: id "fraud" stands in line 6 already'),
        (
            '"other:undetermined", pt',
            '"fraud:phishing", pt',
            't.yaml:15: id "fraud:phishing" stands in line 10 already',
        ),
        (
            "undetermined: other:un",
            "undetermined: other:",
            't.yaml:4: undetermined: there is no type "other:determined"',
        ),
        ("pt: Fraude", "pt: ''", "t.yaml:7: categories[0].pt: should have at least 1 character (here: '')"),
        ("taxonomy: t", "taxonomy: [t", "t.yaml:3: not YAML: did not find expected ',' or ']'"),
    ],
)
def test_broken_taxonomies(old: str, new: str, problem: str) -> None:
    """Every mistake is named with its line."""
    with pytest.raises(ConfigError) as caught:
        parse("t.yaml", SMALL.replace(old, new))

    assert problem in caught.value.problems
