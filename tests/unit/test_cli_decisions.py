"""`ticket set` and `ticket contact`: what a handler decides, and that it is journaled."""

from pathlib import Path
from typing import Any

import pytest
from csirt import Csirt, worked

from abuse_triage.cli.context import operator


@pytest.fixture
def csirt(tmp_path: Path) -> Csirt:
    """An installation with one incident and one enquiry."""
    return worked(tmp_path)


def ticket(csirt: Csirt, number: str = "1") -> Any:
    """Return a ticket."""
    return csirt.json("ticket", "show", number)["ticket"]


def journal(csirt: Csirt, number: str = "1") -> Any:
    """Return the last line of a ticket's journal."""
    return csirt.json("ticket", "show", number)["journal"][-1]


def test_a_handler_sets_every_field(csirt: Csirt) -> None:
    """What was set is said, stored, journaled and marked in the ticket; the clock follows the priority."""
    before = ticket(csirt)
    said = csirt.run(
        *("ticket", "set", "EXAMPLE-CSIRT#2026-000001", "--category", "malicious-code:c2-server"),
        *("--tlp", "amber", "--priority", "p1", "--kind", "enquiry"),
    ).stderr.splitlines()

    after = ticket(csirt)
    assert ("malicious-code", "malicious-code:c2-server", "amber", "p1", "enquiry") == tuple(
        after[name] for name in ("category", "type", "tlp", "priority", "kind")
    )
    assert after["due"] < before["due"]
    number = before["number"]
    assert f"{number}: category fraud:phishing → malicious-code:c2-server" == said[0]
    assert f"{number}: TLP TLP:GREEN → TLP:AMBER" == said[1]
    assert said[2].startswith(f"{number}: priority P3 → P1; first answer due ")
    assert f"{number}: kind incident → enquiry" == said[3]
    entry = journal(csirt)
    assert ("set by hand", operator()) == (entry["action"], entry["actor"])
    shown = csirt.run("ticket", "show", "1").stdout
    for expected in (
        "P1 (set by hand), first",
        "TLP:AMBER (set by hand)",
        "c2-server (set by hand)",
        "enquiry (set by",
    ):
        assert expected in shown


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--category", "fraud"], ("fraud", "")),
        (["--category", "fraud:masquerade"], ("fraud", "fraud:masquerade")),
        (["--category", "fraud", "--type", "masquerade"], ("fraud", "fraud:masquerade")),
        (["--type", "fraud:masquerade"], ("fraud", "fraud:masquerade")),
        (["--type", "ddos"], ("availability", "availability:ddos")),
        (["--category", "intrusion-attempt:brute-force"], ("intrusion-attempt", "intrusion-attempts:brute-force")),
        (["--category", "intrusion-attempts:brute-force"], ("intrusion-attempt", "intrusion-attempts:brute-force")),
        (["--category", "other:ddos-amplifier"], ("other", "vulnerable:ddos-amplifier")),
    ],
)
def test_classes_and_types(csirt: Csirt, arguments: list[str], expected: tuple[str, str]) -> None:
    """A class may stand alone, a type with its class or by its id."""
    csirt.run("ticket", "set", "1", *arguments)

    after = ticket(csirt)
    assert expected == (after["category"], after["type"])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "Say what to set"),
        (["--category", "bogus"], "there are malicious-code, availability"),
        (["--category", "bogus:phishing"], "'bogus' is no category"),
        (["--category", "fraud:ddos"], "'ddos' is no type of fraud; there are fraud:"),
        (["--category", "availability", "--type", "fraud:phishing"], "is no type of availability"),
        (["--category", "fraud:phishing", "--type", "ddos"], "stands in --category and in --type"),
        (["--type", "bogus"], "'bogus' is no type; there are malicious-code:infected-system"),
        (["--priority", "p5"], "p5"),
        (["--priority", "p1", "--by", "x" * 81], "is no name"),
        (["--priority", "p1", "--by", " "], "is no name"),
        (["--priority", "p1", "--by", "a\x1b[31m"], "is no name"),
    ],
)
def test_what_does_not_exist_is_wrong_usage(csirt: Csirt, arguments: list[str], expected: str) -> None:
    """Classes, types and values that there are not end with exit code 2 and change nothing."""
    assert expected in csirt.run("ticket", "set", "1", *arguments, code=2).stderr
    assert [] == ticket(csirt)["by_hand"]


def test_who_has_looked_need_not_look(csirt: Csirt) -> None:
    """A class that a handler set asks nobody to look any more."""
    assert "(a person should look)" in csirt.run("ticket", "show", "2").stdout
    assert " p3? " in csirt.lines("ticket", "list")[1]

    csirt.run("ticket", "set", "2", "--category", "other")

    assert "(a person should look)" not in csirt.run("ticket", "show", "2").stdout
    assert " p3 " in csirt.lines("ticket", "list")[1]


def test_a_ticket_that_is_not_there(csirt: Csirt) -> None:
    """An unknown number ends with exit code 3."""
    csirt.run("ticket", "set", "999", "--priority", "p1", code=3)
    csirt.run("ticket", "contact", "999", "abuse@example.org", "--for", "192.0.2.1", code=3)


def test_what_is_set_as_it_was_is_said_so(csirt: Csirt) -> None:
    """Setting a field to its own value keeps it, by hand from then on; somebody else's decision names both people."""
    said = csirt.run("ticket", "set", "1", "--kind", "incident", "--by", "Ana  Reis").stderr

    assert "kind incident, as before, now by hand" in said
    assert ["kind"] == ticket(csirt)["by_hand"]
    assert f"Ana Reis (as {operator()})" == journal(csirt)["actor"]
    csirt.run("ticket", "set", "1", "--kind", "incident", "--by", operator())
    assert operator() == journal(csirt)["actor"]


@pytest.mark.parametrize(
    ("subject", "canonical", "known"),
    [
        ("198.51.100.7", "198.51.100.7", True),
        ("198.51.100[.]7", "198.51.100.7", True),
        ("Banco-Exemplo.pt", "banco-exemplo.pt", True),
        ("2001:DB8::1", "2001:db8::1", False),
        ("outro.example.org", "outro.example.org", False),
    ],
)
def test_a_contact_is_confirmed(csirt: Csirt, subject: str, canonical: str, known: bool) -> None:
    """The journal says for what, to whom and by whom; a subject that the ticket does not name is remarked."""
    said = csirt.run("ticket", "contact", "1", "Abuse@Example.org", "--for", subject, "--by", "Ana").stderr

    entry = journal(csirt)
    assert ("contact confirmed", f"{canonical}: abuse@example.org", f"Ana (as {operator()})") == (
        entry["action"],
        entry["detail"],
        entry["actor"],
    )
    assert known is ("No indicator" not in said)


def test_contacts_that_cannot_be_meant(csirt: Csirt) -> None:
    """What is no address, and what is neither an IP address nor a name, is wrong usage."""
    csirt.run("ticket", "contact", "1", "nobody", "--for", "192.0.2.1", code=2)
    csirt.run("ticket", "contact", "1", "abuse@example.org", "--for", "not a name", code=2)
    csirt.run("ticket", "contact", "1", "abuse@example.org", code=2)
