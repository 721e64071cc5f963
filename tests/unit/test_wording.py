"""Templates: the shipped ones and an operator's own."""

from datetime import UTC, datetime, timedelta

import pytest
from jinja2 import UndefinedError

from abuse_triage.errors import ConfigError
from abuse_triage.model.decision import TicketKind, Tlp
from abuse_triage.model.identity import Team
from abuse_triage.replies.acknowledgement import acknowledge
from abuse_triage.replies.folded import folded
from abuse_triage.replies.sandbox import complaints, environment
from abuse_triage.replies.wording import (
    LANGUAGES,
    MAILS,
    NAMES,
    SHIPPED,
    SUBJECT,
    VARIABLES,
    Wording,
    shipped,
    signature,
)

TEAM = Team(name="CSIRT", ticket_prefix="X", openpgp_fingerprint="0123456789ABCDEF" * 2 + "01234567", hours_pt="sempre")
NOW = datetime(2026, 11, 21, 14, 30, tzinfo=UTC)


class Recording(Wording):
    """Remembers which variables each template was given."""

    def __init__(self) -> None:
        super().__init__()
        self.given: dict[str, set[str]] = {}

    def text(self, name: str, language: str, values: dict[str, object]) -> str:
        """Write as always."""
        self.given[name] = set(values)
        return super().text(name, language, values)


def offered(template: str) -> set[str]:
    """Return the variables that are documented for a template."""
    return {name for name, variable in VARIABLES.items() if template in variable.templates}


def test_each_template_is_given_what_is_documented() -> None:
    """The table of variables is what acknowledgements and folded mail really pass."""
    wording = Recording()
    for kind in TicketKind:
        acknowledge(
            team=TEAM,
            kind=kind,
            language="pt",
            category_names={"pt": "Fraude", "en": "Fraud"},
            counts={},
            tlp=Tlp.GREEN,
            tlp_marked=False,
            missing=(),
            received_at=NOW,
            response=timedelta(hours=24),
            message_id="ack.a.b@example.pt",
            sender="abuse@example.pt",
            recipient="ana@example.org",
            date=NOW,
            wording=wording,
        )
    folded(
        team=TEAM,
        numbers=["X#1"],
        language="pt",
        message_id="fold.a.b@example.pt",
        sender="abuse@example.pt",
        recipient="ana@example.org",
        date=NOW,
        references=(),
        proven=True,
        wording=wording,
    )
    assert {*MAILS, "team"} == set(wording.given)
    for template in MAILS:
        assert offered(template) <= wording.given[template]
    assert offered("folded") == wording.given["folded"]
    assert offered("team") == wording.given["team"]
    assert set(VARIABLES) == set().union(*wording.given.values())


@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_templates_keep_to_the_language(name: str) -> None:
    """What operators may not write, we do not write either; every mail begins with its subject."""
    template = name.partition("/")[2].partition(".")[0]
    assert [] == list(complaints(environment(), shipped()[name], offered(template)))
    lines = [line for line in shipped()[name].split("\n") if not line.startswith("{#")]
    assert (template in MAILS) == lines[0].startswith(SUBJECT)


@pytest.mark.parametrize("template", [*MAILS, "team"])
def test_both_languages_use_the_same_variables(template: str) -> None:
    """What one language says, the other says too."""
    used = []
    for language in LANGUAGES:
        source = shipped()[f"{language}/{template}.txt.j2"]
        used.append(
            {
                name
                for name in VARIABLES
                if [True for _ in complaints(environment(), source, offered(template) - {name})]
            }
        )
    assert used[0] == used[1]
    assert used[0]


def test_there_is_a_template_for_every_kind_of_ticket_in_both_languages() -> None:
    """Each kind of ticket is acknowledged in its own words."""
    assert {f"{language}/{kind}.txt.j2" for language in ("pt", "en") for kind in TicketKind} <= set(NAMES)


def test_an_unknown_variable_is_an_error() -> None:
    """A template never shows a hole."""
    with pytest.raises(UndefinedError):
        SHIPPED.text("enquiry", "pt", {"number": "1"})


def test_all_problems_are_told_at_once() -> None:
    """Every template with every line, in the order of names."""
    own = {"pt/team.txt.j2": "{{ x }}\n{{ y }}", "en/team.txt.j2": "{% endif %}"}
    with pytest.raises(ConfigError) as caught:
        Wording(own, place="own/")
    assert (
        "own/en/team.txt.j2:1: Encountered unknown tag 'endif'.",
        "own/pt/team.txt.j2:1: there is no variable x",
        "own/pt/team.txt.j2:2: there is no variable y",
    ) == caught.value.problems


def test_own_templates_stand_beside_shipped_ones() -> None:
    """One language may be one's own and the other not; the own team stands in all mails of its language."""
    wording = Wording({"pt/team.txt.j2": "A equipa {{ team.name }}.\n"})
    values = {"numbers": ("1",), "more": 0, "other_follows": True}
    assert wording.mail("folded", "pt", TEAM, values)[1].endswith("\n\nA equipa CSIRT.\n")
    assert SHIPPED.mail("folded", "en", TEAM, values) == wording.mail("folded", "en", TEAM, values)


def test_a_team_is_seen_in_one_language() -> None:
    """Hours are those of the language, the fingerprint stands in groups of four."""
    assert ("sempre", "") == (signature(TEAM, "pt").hours, signature(TEAM, "en").hours)
    assert "0123 4567 89AB CDEF 0123 4567 89AB CDEF 0123 4567" == signature(TEAM, "pt").fingerprint
    assert "" == signature(Team(name="C", ticket_prefix="X"), "pt").fingerprint


def test_every_variable_is_explained_in_a_line() -> None:
    """Each has one line that ends like a sentence."""
    assert [] == [name for name, variable in VARIABLES.items() if not variable.about.endswith(".")]
