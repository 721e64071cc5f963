"""`message` and `mail`: what came in and what goes out."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from csirt import PHISHING, VACATION, Csirt, install, worked

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def csirt(tmp_path_factory: pytest.TempPathFactory) -> Csirt:
    """An installation with two messages, one of them unanswered."""
    return worked(tmp_path_factory.mktemp("csirt"))


def test_messages_are_listed_newest_first(csirt: Csirt) -> None:
    """Each message has its outcome, its ticket and why."""
    header, first, second = csirt.lines("message", "list")

    assert "WHY" == header.split()[-1]
    assert "robot@example.org" in first
    assert second.endswith("fraud has 50 points")


def test_unanswered_messages_say_why(csirt: Csirt) -> None:
    """--unanswered lists those without acknowledgement, with the reason."""
    header, only = csirt.lines("message", "list", "--unanswered")

    assert header.endswith("NO REPLY BECAUSE")
    assert "Auto-Submitted" in only


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--state", "done"], 2),
        (["--state", "quarantined"], 0),
        (["--outcome", "opened"], 2),
        (["--outcome", "parked", "--outcome", "joined"], 0),
        (["--limit", "1"], 1),
        (["--since", "1h"], 2),
        (["--since", "2999-01-01"], 0),
    ],
)
def test_lists_are_narrowed_by_options(csirt: Csirt, arguments: list[str], expected: int) -> None:
    """Each option leaves the messages that it means."""
    assert expected == len(csirt.json("message", "list", *arguments))


def test_a_message_is_shown_by_the_beginning_of_its_id(csirt: Csirt) -> None:
    """Envelope, size, outcome and ticket of one message; an unambiguous beginning of the id will do."""
    robot, anna = (message["id"] for message in csirt.json("message", "list"))

    shown = csirt.run("message", "show", anna).stdout
    assert f"id        {anna}\n" in shown
    assert f"size      {len(PHISHING)} bytes\n" in shown
    assert "no reply" in csirt.run("message", "show", robot).stdout
    assert "robot@example.org" == csirt.json("message", "show", robot)["envelope"]["sender"]


def test_raw_gives_the_bytes_to_a_pipe(csirt: Csirt) -> None:
    """In a pipe, --raw gives the message byte for byte."""
    message_id = csirt.json("message", "list")[1]["id"]

    assert PHISHING == csirt.run("message", "show", message_id, "--raw").stdout_bytes


@pytest.mark.parametrize("size", [1_000_000, 1_000_001, 36_000_000])
def test_raw_gives_large_messages_as_they_came(tmp_path: Path, size: int) -> None:
    """Large messages come out byte for byte, whichever way they are stored."""
    csirt = install(tmp_path)
    message = (b"From: anna@example.org\nSubject: large\n\n" + bytes(range(256)) * 141_000)[:size]
    file = tmp_path / "large.eml"
    file.write_bytes(message)
    csirt.run("ingest", str(file), "--sender", "anna@example.org", "--recipient", "abuse@example.pt")
    message_id = csirt.json("message", "list")[0]["id"]

    assert message == csirt.run("message", "show", message_id, "--raw").stdout_bytes


def test_raw_is_safe_on_a_terminal(csirt: Csirt) -> None:
    """On a terminal, --raw shows what would steer it as escapes."""
    message_id = csirt.json("message", "list")[1]["id"]
    master, slave = pty.openpty()
    subprocess.run(
        [sys.executable, "-m", "abuse_triage", "--config", str(csirt.path), "message", "show", message_id, "--raw"],
        cwd=ROOT,
        stdout=slave,
        check=True,
    )
    os.close(slave)
    got = os.read(master, 65536)
    os.close(master)

    assert b"Subject: Phishing page \\x1b[31m of a bank" in got
    assert b"\x1b" not in got


@pytest.mark.parametrize("command", [["message", "show"], ["message", "retry"], ["message", "promote"]])
def test_an_unknown_message_ends_with_exit_code_3(csirt: Csirt, command: list[str]) -> None:
    """There is no such message: exit code 3."""
    assert "zzzz" in csirt.run(*command, "zzzz", code=3).stderr


def test_a_quarantined_message_goes_the_way_again(tmp_path: Path) -> None:
    """What failed for good is shown with its error, and `message retry` lets it be worked on once more."""
    csirt = install(tmp_path)
    message_id = csirt.take(PHISHING)
    csirt.fail()
    (line,) = csirt.lines("message", "list", "--state", "quarantined")[1:]
    assert "the reader died\\x1b[2J" in line

    assert f"{message_id} waits for triage again" in csirt.run("message", "retry", message_id[:20]).stderr
    csirt.work()

    assert "done" == csirt.json("message", "show", message_id)["state"]
    assert ["fraud"] == [ticket["category"] for ticket in csirt.json("ticket", "list")]


def test_a_finished_message_is_not_retried(csirt: Csirt) -> None:
    """Only what is quarantined or parked can be retried; anything else is bad input."""
    message_id = csirt.json("message", "list")[1]["id"]

    csirt.run("message", "retry", message_id, code=65)


def test_outgoing_mail_is_listed(csirt: Csirt) -> None:
    """Acknowledgements stand there with state and ticket."""
    (mail,) = csirt.json("mail", "list", "--state", "queued")

    assert ("acknowledgement", "anna@example.org") == (mail["kind"], mail["recipient"])
    assert "acknowledgement" in csirt.lines("mail", "list", "--state", "queued")[1]
    assert [] == csirt.json("mail", "list", "--state", "failed")


def test_a_person_releases_what_may_have_arrived(tmp_path: Path) -> None:
    """A delivery-unknown mail waits until somebody decides to send it again."""
    csirt = install(tmp_path)
    mail_id = csirt.lose_a_mail()
    assert [mail_id] == [mail["id"] for mail in csirt.json("mail", "list", "--state", "delivery-unknown")]

    assert "queued again" in csirt.run("mail", "resend", str(mail_id)).stderr

    assert ["queued"] == [mail["state"] for mail in csirt.json("mail", "list")]
    csirt.run("mail", "resend", str(mail_id), code=65)
    csirt.run("mail", "resend", "99", code=3)
    csirt.run("mail", "resend", "x", code=2)


def test_parked_messages_show_their_subject(tmp_path: Path) -> None:
    """A list of what is parked has sender and defanged subject, for one look to find what was no spam after all."""
    csirt = install(tmp_path)
    message_id = csirt.take(PHISHING)
    csirt.park()

    header, only = csirt.lines("message", "list", "--outcome", "parked")

    assert ["ID", "RECEIVED", "STATE", "OUTCOME", "SUBJECT", "SENDER", "WHY"] == header.split()
    assert "Ganhe hxxps://premio.example[.]org" in only
    assert "anna@example.org" in only
    assert "SUBJECT" not in csirt.lines("message", "list")[0]
    assert "subject   Ganhe hxxps://premio.example[.]org\n" in csirt.run("message", "show", message_id).stdout


def test_a_parked_message_is_promoted_by_one_command(tmp_path: Path) -> None:
    """It goes the whole way to a ticket, which says who took it for a report."""
    csirt = install(tmp_path)
    message_id = csirt.take(PHISHING)
    csirt.park()

    assert f"{message_id} waits for triage again" in csirt.run("message", "promote", message_id[:20]).stderr
    csirt.work()

    (ticket,) = csirt.json("ticket", "list")
    first = csirt.json("ticket", "show", ticket["number"])["journal"][0]
    assert "message promoted" == first["action"]
    assert [] == csirt.json("message", "list", "--outcome", "parked")
    csirt.run("message", "promote", message_id, code=65)


def test_everything_unanswered_is_listed(tmp_path: Path) -> None:
    """Whatever has its outcome and no acknowledgement stands there with its reason: joined, parked, unreadable."""
    csirt = install(tmp_path)
    parked = csirt.take(PHISHING)
    csirt.park()
    unreadable = csirt.take(PHISHING)
    csirt.fail()
    robot = csirt.take(VACATION, "--sender", "robot@example.org", "--recipient", "csirt@example.pt")
    answered = csirt.take(PHISHING.replace(b"entrar", b"login"))
    again = csirt.take(PHISHING.replace(b"entrar", b"login").replace(b"<1@", b"<2@"))
    csirt.work()

    listed = csirt.json("message", "list", "--unanswered")

    assert {parked, unreadable, robot, again} == {message["id"] for message in listed}
    assert all(message["refused"] for message in listed)
    assert "" == csirt.json("message", "show", answered)["refused"]


def test_held_and_folded_mail_is_told_apart(tmp_path: Path) -> None:
    """Mail that waits says for which budget and since when, and mail that another one told of says which."""
    csirt = install(tmp_path)
    csirt.hold_mails(["a", "b", "c"])
    held = [line for line in csirt.lines("mail", "list") if "waits for the budget sender since 20" in line]
    assert ["held", "held"] == [line.split()[2] for line in held]
    assert 2 == len(csirt.lines("mail", "list", "--state", "held")[1:])
    assert ["held", "held"] == [mail["state"] for mail in csirt.json("mail", "list", "--state", "held")]
    assert not {mail["id"] for mail in csirt.json("mail", "list", "--state", "queued")} & {2, 3}
    assert {"WHAT": "COUNT", "mail held": "2", "mail queued": "1"}.items() <= {
        line[:22].strip(): line[22:].split()[0] for line in csirt.lines("status")
    }.items()

    csirt.hold_mails([], fold=True)

    (folded,) = csirt.json("mail", "list", "--state", "folded")
    assert "told in mail 4" in csirt.lines("mail", "list", "--state", "folded")[1]
    assert 4 == folded["folded_into"]


def test_lists_say_when_they_are_cut(csirt: Csirt) -> None:
    """Whoever counts on a list being complete is told when it is not."""
    assert "only the newest 1 are shown" in csirt.run("message", "list", "--limit", "1").stderr
    assert "shown" not in csirt.run("message", "list", "--limit", "2").stderr
    assert "shown" not in csirt.run("mail", "list").stderr


def test_list_of_mail_says_when_it_is_cut(tmp_path: Path) -> None:
    """So does the list of what goes out, and the document holds as many as were asked for."""
    csirt = install(tmp_path)
    csirt.hold_mails(["a", "b"])

    result = csirt.run("mail", "list", "--limit", "1", "--json")

    assert "only the newest 1 are shown" in result.stderr
    assert 1 == result.stdout.count('"recipient"')
