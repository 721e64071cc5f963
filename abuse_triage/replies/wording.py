"""The words of our mail: the templates that come with the program, and an operator's own in place of some of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from jinja2 import DictLoader

from abuse_triage.errors import ConfigError
from abuse_triage.model.identity import Team
from abuse_triage.replies.sandbox import Signature, complaints, environment

LANGUAGES = ("pt", "en")
MAILS = ("incident", "enquiry", "folded")
"""The templates that are mails of their own; "team" stands at the end of each of them."""
NAMES = tuple(f"{language}/{name}.txt.j2" for language in LANGUAGES for name in (*MAILS, "team"))
"""Every template by the name of its file."""
SUBJECT = "Subject: "
"""What the first line of a mail begins with; an empty line and the text follow."""

_TICKET = ("incident", "enquiry")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """Something that templates may use: in which of them, and what it is."""

    templates: tuple[str, ...]
    about: str


VARIABLES: Mapping[str, Variable] = {
    name: Variable(templates=templates, about=about)
    for name, templates, about in (
        ("number", _TICKET, "Number of the ticket."),
        ("their_number", _TICKET, 'Number of the same matter in the ticket system of another team; "" for none.'),
        ("category", ("incident",), "Name of the category, in the template's language."),
        ("counts", ("incident",), "How many indicators of each kind were found, for indicators()."),
        ("missing", ("incident",), 'What to ask for: any of "time", "source", "page", "logs" and "message".'),
        ("tlp", _TICKET, 'Label of the ticket, such as "TLP:GREEN".'),
        ("tlp_marked", _TICKET, "True where the label was in the message, false where it is the mailbox's default."),
        ("sealed", _TICKET, "True where the report was encrypted: then nothing above tells what is in it."),
        ("use_key", _TICKET, "True where a report marked RED or AMBER+STRICT came in clear, and the team has a key."),
        ("until", _TICKET, 'By when a person reads it, such as "2026-11-22 14:30 (WET)"; "" where that has passed.'),
        ("hours", _TICKET, "The same in hours from the arrival, rounded up."),
        ("dsa", ("incident",), "True where reply.dsa_notice is set."),
        ("incident_address", ("enquiry",), 'Address for incident reports; "" where there is none.'),
        ("numbers", ("folded",), "Numbers of the tickets, at most 50."),
        ("more", ("folded",), "How many numbers are left out."),
        ("other_follows", MAILS, "True in the language that stands first, false in the second."),
        ("contact", MAILS, "The text of the template team."),
        ("team", (*MAILS, "team"), "Who answers: name, organisation, hours, telephones, fingerprint, policy_url."),
    )
}
"""Everything that templates may use, by name."""


class Wording:
    """Templates, checked and ready to be written with; it never changes."""

    def __init__(self, own: Mapping[str, str] | None = None, *, place: str = "") -> None:
        """Take an operator's templates by name ("pt/incident.txt.j2"); the shipped ones stand for all others.

        Args:
            own: their texts.
            place: what problems put before a name, such as "templates/".

        Raises:
            ConfigError: with everything in them that templates do not have, as lines `file:line: problem`.
        """
        self.own = dict(own or {})
        self.place = place
        self._environment = environment()
        self._environment.loader = DictLoader({**shipped(), **self.own})
        problems = [
            f"{place}{name}:{line}: {problem}"
            for name, source in sorted(self.own.items())
            for line, problem in complaints(self._environment, source, _offered(name))
        ]
        if problems:
            raise ConfigError(tuple(problems))

    def mail(self, name: str, language: str, team: Team, values: Mapping[str, object]) -> tuple[str, str]:
        """Write a mail in one language; returns its subject and its text.

        Args:
            name: one of `MAILS`.
            language: one of `LANGUAGES`.
            team: who answers.
            values: the variables of this template, except those that follow from the team.
        """
        about_team = {"team": signature(team, language), "contact": _contact(self, team, language)}
        written = self.text(name, language, {**values, **about_team})
        subject, _, text = written.partition("\n\n")
        return subject.removeprefix(SUBJECT), text

    def text(self, name: str, language: str, values: Mapping[str, object]) -> str:
        """Write one template as it is, with all of its variables given."""
        return self._environment.get_template(f"{language}/{name}.txt.j2").render(values)


@lru_cache(maxsize=1)
def shipped() -> Mapping[str, str]:
    """Return the templates that come with the program by name."""
    folder = files("abuse_triage.replies") / "templates"
    return {name: (folder / name).read_text("utf-8") for name in NAMES}


@lru_cache(maxsize=8)
def signature(team: Team, language: str) -> Signature:
    """Return what templates in one language see of a team."""
    digits = team.openpgp_fingerprint
    return Signature(
        name=team.name,
        organisation=team.organisation,
        hours=team.hours_pt if language == "pt" else team.hours_en,
        telephones=team.telephones,
        fingerprint=" ".join(digits[start : start + 4] for start in range(0, len(digits), 4)),
        policy_url=team.policy_url,
    )


@lru_cache(maxsize=8)
def _contact(wording: Wording, team: Team, language: str) -> str:
    """Write who answers: the same in every mail of a team, so it is written once."""
    return wording.text("team", language, {"team": signature(team, language)})


def parts_of(name: str) -> tuple[str, str]:
    """Return language and template that a file is for: "pt" and "incident" of "pt/incident.txt.j2"."""
    language, _, file = name.partition("/")
    return language, file.partition(".")[0]


def _offered(name: str) -> list[str]:
    """Name the variables of a template by the name of its file."""
    _, template = parts_of(name)
    return [variable for variable, about in VARIABLES.items() if template in about.templates]


SHIPPED = Wording()
"""What the program says where an operator has no templates of their own."""
