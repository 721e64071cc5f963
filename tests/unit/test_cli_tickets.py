"""`ticket list` and `ticket show`."""

import re
from pathlib import Path

import pytest
from csirt import Csirt, install, worked


@pytest.fixture(scope="module")
def csirt(tmp_path_factory: pytest.TempPathFactory) -> Csirt:
    """An installation with one incident and one enquiry."""
    return worked(tmp_path_factory.mktemp("csirt"))


def numbers(csirt: Csirt, *arguments: str) -> list[str]:
    """List tickets and return the end of each number."""
    return [ticket["number"][-1] for ticket in csirt.json("ticket", "list", *arguments)]


def test_tickets_are_listed_newest_first(csirt: Csirt) -> None:
    """A list for people has headers and one aligned line for each ticket."""
    header, first, second = csirt.lines("ticket", "list")

    assert ["NUMBER", "STATE", "PRI", "TLP", "CATEGORY", "DUE", "MSGS", "REPORTER", "SUMMARY"] == header.split()
    assert "-000002  new " in first
    assert "fraud:phishing" in second
    assert header.index("SUMMARY") == second.index("Phishing page")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["2", "1"]),
        (["--limit", "1"], ["2"]),
        (["--kind", "incident"], ["1"]),
        (["--kind", "enquiry"], ["2"]),
        (["--category", "fraud"], ["1"]),
        (["--category", "availability"], []),
        (["--priority", "p1"], []),
        (["--state", "new"], ["2", "1"]),
        (["--state", "closed", "--state", "resolved"], []),
        (["--since", "24h"], ["2", "1"]),
        (["--since", "2026-01-01"], ["2", "1"]),
        (["--since", "2999-01-01"], []),
    ],
)
def test_lists_are_narrowed_by_options(csirt: Csirt, arguments: list[str], expected: list[str]) -> None:
    """Each option leaves the tickets that it means, and nothing found is an empty list with exit code 0."""
    assert expected == numbers(csirt, *arguments)


@pytest.mark.parametrize("since", ["yesterday", "24", "2026-13-01", "²h"])
def test_odd_times_are_wrong_usage(csirt: Csirt, since: str) -> None:
    """--since that is neither a time ago nor a date ends with exit code 2."""
    assert "neither like" in csirt.run("ticket", "list", "--since", since, code=2).stderr


def test_an_empty_list_prints_nothing(tmp_path: Path) -> None:
    """Without tickets there is no header either, and the JSON document is []."""
    fresh = install(tmp_path)

    assert [] == fresh.lines("ticket", "list")
    assert [] == fresh.json("ticket", "list")


def test_a_ticket_is_shown_with_its_reasons(csirt: Csirt) -> None:
    """A ticket shows what was decided, by which rule at which line and because of which words, and what was done."""
    shown = csirt.run("ticket", "show", "1").stdout

    for expected in (
        "TLP:GREEN, by default, not marked",
        "rules/10-test.yaml:5  cls.phishing: fraud +50 (strong)",
        "because text = phishing",
        "* hxxps://login[.]banco-exemplo[.]pt/entrar",
        "AS64500",
        "acknowledgement to anna@example.org: queued",
        "triage: acknowledgement queued",
    ):
        assert expected in shown


def test_a_ticket_is_one_document(csirt: Csirt) -> None:
    """--json has everything about the ticket, facts as an object."""
    shown = csirt.json("ticket", "show", "EXAMPLE-CSIRT#2026-000001")

    assert "fraud" == shown["ticket"]["category"]
    assert "cls.phishing" == shown["reports"][0]["verdict"]["trace"][0]["rule"]
    assert isinstance(shown["reports"][0]["facts"], dict)


def test_an_unknown_ticket_ends_with_exit_code_3(csirt: Csirt) -> None:
    """What is not there is said on standard error, with a code of its own."""
    result = csirt.run("ticket", "show", "999999", code=3)

    assert "" == result.stdout
    assert "999999" in result.stderr


def test_a_category_that_does_not_exist_is_wrong_usage(csirt: Csirt) -> None:
    """A class that the taxonomy does not have ends with exit code 2 and says which there are, or whose type it is."""
    assert "there are malicious-code, availability" in csirt.run("ticket", "list", "--category", "bogus", code=2).stderr
    assert "it is a type of fraud" in csirt.run("ticket", "list", "--category", "fraud:phishing", code=2).stderr


def test_a_list_that_was_cut_says_so(csirt: Csirt) -> None:
    """Standard error says when --limit left something out, and --due lists by urgency."""
    cut = csirt.run("ticket", "list", "--limit", "1")
    assert "only the first 1 are shown" in cut.stderr
    assert 2 == len(cut.stdout.splitlines())
    whole = csirt.run("ticket", "list", "--due", "--limit", "2")
    assert "" == whole.stderr
    assert 3 == len(whole.stdout.splitlines())
    csirt.run("ticket", "list", "--due", "--state", "new", code=2)


def test_a_ticket_says_what_was_cut_off(csirt: Csirt) -> None:
    """What was not kept of a message, or not read, stands in its ticket."""
    text = csirt.path.read_text()
    csirt.path.write_text(
        re.sub(r"(?m)^max_message = .*", 'max_message = "2 kB"', re.sub(r"(?m)^text = .*", "text = 100", text))
    )
    csirt.take(b"From: ana@example.org\nSubject: long\n\n" + b"phishing here\n" * 200)
    csirt.work()

    shown = csirt.run("ticket", "show", "3").stdout

    assert "cut off   only its beginning was kept (smtp.max_message); text: only the first 100 characters" in shown
