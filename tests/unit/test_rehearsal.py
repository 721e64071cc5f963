"""Operators' templates, read from their folder, checked and written out."""

from pathlib import Path

import pytest

from abuse_triage import config
from abuse_triage.errors import ConfigError
from abuse_triage.model.settings import Settings
from abuse_triage.replies import rehearsal
from abuse_triage.replies.wording import NAMES, SHIPPED, Wording, shipped
from abuse_triage.service.templates import wording_of

BAD = Path(__file__).parents[1] / "bad_templates"
CONFIG = """
[team]
name = "Example CSIRT"
organisation = "An Organisation Whose Name Is Rather Long"
ticket_prefix = "EXAMPLE"
timezone = "Europe/Lisbon"
hours_pt = "dias úteis das 9h às 18h"

[[mailbox]]
address = "abuse@example.pt"
"""
CATEGORIES = [("Tentativa de Intrusão", "Intrusion Attempt"), ("Fraude", "Fraud")]


def settings_in(folder: Path, text: str = CONFIG) -> Settings:
    """Return settings whose templates are in the folder "templates" beside the configuration."""
    return config.parse(f'{text}\n[reply]\ntemplates = "templates"\n', name="config.toml", folder=folder)


def problems(settings: Settings) -> list[str]:
    """Return everything that is wrong with the templates of settings."""
    try:
        return rehearsal.problems(wording_of(settings), settings, CATEGORIES)
    except ConfigError as error:
        return list(error.problems)


@pytest.mark.parametrize("name", sorted(path.name for path in BAD.iterdir()))
def test_each_bad_template_is_refused_with_the_expected_words(name: str) -> None:
    """Every folder of tests/bad_templates yields exactly the problems that its expected-error lists."""
    assert (BAD / name / "expected-error").read_text("utf-8").splitlines() == problems(settings_in(BAD / name))


@pytest.mark.parametrize("text", [CONFIG, CONFIG.replace("[[mailbox]]", '[[mailbox]]\nkind = "enquiry"')])
def test_the_shipped_templates_pass_as_somebody_s_own(tmp_path: Path, text: str) -> None:
    """Whoever begins with a copy of the shipped templates begins without problems."""
    assert [] == rehearsal.problems(Wording(shipped()), settings_in(tmp_path, text), CATEGORIES)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("pt/incident.txt.j2", "{{ number }}", True),
        ("pt/incident.txt.j2", "{{ number }}\n\n{{ contact }}", False),
        ("pt/incident.txt.j2", "{{ number }}\n{% if not other_follows %}\n{{ contact }}\n{% endif %}", False),
        ("pt/folded.txt.j2", "{{ numbers }}\n\n{{ team.name }}", False),
        ("en/enquiry.txt.j2", "{{ number }}\n\nExample CSIRT, telephone 1", False),
        ("en/enquiry.txt.j2", "{{ number }}\n\nThe team", True),
        ("en/team.txt.j2", "Call us", True),
        ("en/team.txt.j2", "{{ team.name }}", False),
    ],
)
def test_a_template_that_names_nobody_is_known(tmp_path: Path, name: str, text: str, expected: bool) -> None:
    """The contact, the team's name as a variable or by hand: one of them is enough, in any case that there may be."""
    found = rehearsal.unsigned(Wording({name: f"Subject: x\n\n{text}\n"}), settings_in(tmp_path))
    assert ([name] if expected else []) == found


def test_the_shipped_templates_say_who_answers(tmp_path: Path) -> None:
    """Nobody is warned of what we wrote."""
    assert [] == rehearsal.unsigned(Wording(shipped()), settings_in(tmp_path))


def test_only_templates_of_one_s_own_are_written_out(tmp_path: Path) -> None:
    """Without any there is nothing to find, and nothing to wait for."""
    assert [] == rehearsal.problems(SHIPPED, settings_in(tmp_path), CATEGORIES)


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("A" * 20, []),
        (
            "A" * 21,
            ["en/enquiry.txt.j2:3: a line has 69 columns, at most 68 fit: The number of your message with us: AAAA…"],
        ),
    ],
)
def test_a_line_has_room_for_the_numbers_of_the_settings(tmp_path: Path, prefix: str, expected: list[str]) -> None:
    """What counts is how long this team's numbers are."""
    template = "Subject: Message received\n\nThe number of your message with us: {{ number }}\n\n{{ contact }}"
    text = CONFIG.replace('"EXAMPLE"', f'"{prefix}"')
    assert expected == rehearsal.problems(Wording({"en/enquiry.txt.j2": template}), settings_in(tmp_path, text), [])


def test_a_very_long_number_may_make_a_line_wide(tmp_path: Path) -> None:
    """Of a number that is longer than 54 characters the template is not to blame."""
    long = f'[tickets]\nnumber = "{"N" * 50}{{year}}-{{sequence}}"\n\n[[mailbox]]'
    settings = settings_in(tmp_path, CONFIG.replace("[[mailbox]]", long))
    template = "Subject: Message received\n\nYour number is {{ number }}\n\n{{ contact }}"
    assert 54 < len(rehearsal.number(settings))
    assert [] == rehearsal.problems(Wording({"en/enquiry.txt.j2": template}), settings, [])


def test_a_non_breaking_space_is_a_character_like_others(tmp_path: Path) -> None:
    """Good typography is no problem."""
    template = "Subject: Mensagem recebida\n\nN.º\xa05: {{ number }}\n\n{{ contact }}"
    assert [] == rehearsal.problems(Wording({"pt/enquiry.txt.j2": template}), settings_in(tmp_path), [])


def test_hidden_files_are_passed_over(tmp_path: Path) -> None:
    """What version control and editors leave behind is nobody's template."""
    folder = tmp_path / "templates"
    for name in (".git/config", "pt/.incident.txt.j2.swp", ".DS_Store"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    assert {} == config.templates(folder, NAMES)


def test_a_folder_that_is_none_is_said(tmp_path: Path) -> None:
    """A path that does not exist, or is a file, is named with its key."""
    expected = f"{tmp_path / 'templates'}: reply.templates: cannot be read: "
    assert [f"{expected}No such file or directory"] == problems(settings_in(tmp_path))
    (tmp_path / "templates").write_text("x")
    assert [f"{expected}Not a directory"] == problems(settings_in(tmp_path))


def test_a_folder_full_of_files_is_not_read(tmp_path: Path) -> None:
    """More than a hundred files are no templates, and the list of them ends."""
    folder = tmp_path / "templates"
    folder.mkdir()
    for n in range(150):
        (folder / f"{n}.txt").touch()
    found = problems(settings_in(tmp_path))
    assert 102 == len(found)
    assert f"{folder}: reply.templates: has more than 100 files" == found[-1]


def test_a_file_that_cannot_be_opened_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rights that are missing are told as such."""
    file = tmp_path / "templates" / "pt" / "team.txt.j2"
    file.parent.mkdir(parents=True)
    file.write_text("x")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # the tests may run as root, who may read everything
    assert ["templates/pt/team.txt.j2: cannot be read: Permission denied"] == problems(settings_in(tmp_path))


def test_own_templates_come_in_place_of_the_shipped_ones(tmp_path: Path) -> None:
    """One file changes one template of one language; all others are those that come with the program."""
    folder = tmp_path / "templates" / "pt"
    folder.mkdir(parents=True)
    (folder / "team.txt.j2").write_text("A equipa.\n")
    wording = wording_of(settings_in(tmp_path))
    assert ({"pt/team.txt.j2": "A equipa.\n"}, "templates/") == (wording.own, wording.place)
    assert "A equipa.\n" == wording.text("team", "pt", {})


def test_without_a_folder_the_shipped_templates_hold() -> None:
    """No setting, no reading."""
    assert SHIPPED is wording_of(config.parse(CONFIG, name="config.toml"))
