"""`ingest`: mail from files."""

import mailbox
from pathlib import Path

import pytest
from csirt import PHISHING, VACATION, Csirt, install

from abuse_triage.store.interface import MessageFilter


@pytest.fixture
def csirt(tmp_path: Path) -> Csirt:
    """A fresh installation."""
    return install(tmp_path / "csirt")


def stored(csirt: Csirt) -> list[tuple[str, bytes]]:
    """Return envelope sender and bytes of everything in the store, oldest first."""
    store = csirt.store()
    found = [(one.envelope.sender, store.message(one.id)[1]) for one in store.messages(MessageFilter())]
    store.close()
    return found[::-1]


def test_a_file_is_taken_in(csirt: Csirt, tmp_path: Path) -> None:
    """A single message is stored byte for byte, its id printed, its Return-Path the envelope sender."""
    file = tmp_path / "one.eml"
    file.write_bytes(PHISHING)

    result = csirt.run("ingest", str(file))

    message_id, source = result.stdout.split()
    assert str(file) == source
    assert "1 message taken in\n" == result.stderr
    assert [("anna@example.org", PHISHING)] == stored(csirt)
    shown = csirt.json("message", "show", message_id)
    assert ("file", ["abuse@example.pt"]) == (shown["envelope"]["channel"], shown["envelope"]["recipients"])


def test_standard_input_is_taken_in(csirt: Csirt) -> None:
    """With "-" the message comes from standard input; without Return-Path the address in From is the sender."""
    raw = b"From: Ana <ana@example.org>\nSubject: Phishing\n\nText.\n"

    result = csirt.run("ingest", "-", stdin=raw)

    assert [("ana@example.org", raw)] == stored(csirt)
    assert "1 of them without Return-Path: the address in From counts as sender" in result.stderr


@pytest.mark.parametrize(
    ("sender", "expected"),
    [("bob@example.net", "bob@example.net"), ("<bob@example.net>", "bob@example.net"), ("", ""), ("<>", "")],
)
def test_the_sender_can_be_named(csirt: Csirt, sender: str, expected: str) -> None:
    """--sender goes before Return-Path, and may be null."""
    csirt.run("ingest", "-", "--sender", sender, stdin=PHISHING)

    assert [(expected, PHISHING)] == stored(csirt)


@pytest.mark.parametrize("sender", ["nobody", "a b@example.org", "a@example.org\x1b", "a@example.org\n"])
def test_a_sender_that_is_no_address_is_wrong_usage(csirt: Csirt, sender: str) -> None:
    """--sender with anything else ends with exit code 2 and stores nothing."""
    csirt.run("ingest", "-", "--sender", sender, stdin=PHISHING, code=2)

    assert [] == stored(csirt)


@pytest.mark.parametrize("value", [b"<a@example.org\x1b[2J>", b"<\xff@example.org> x y", b"nobody"])
def test_an_odd_return_path_is_a_null_sender(csirt: Csirt, value: bytes) -> None:
    """What a file claims is believed only where it is an address."""
    raw = b"Return-Path: " + value + b"\n\nText.\n"
    csirt.run("ingest", "-", stdin=raw)

    assert [("", raw)] == stored(csirt)


def test_recipients_are_configured_mailboxes(csirt: Csirt) -> None:
    """--recipient takes configured mailboxes in any case, each once, and refuses others."""
    options = ("--recipient", "CSIRT@example.pt", "--recipient", "csirt@example.pt")
    message_id = csirt.take(PHISHING, *options)

    assert ["csirt@example.pt"] == csirt.json("message", "show", message_id)["envelope"]["recipients"]
    refused = csirt.run("ingest", "-", "--recipient", "root@example.pt", stdin=PHISHING, code=2)
    assert "no configured mailbox" in refused.stderr


def test_a_standard_mbox_is_taken_in(csirt: Csirt, tmp_path: Path) -> None:
    """An mbox that Python's own library wrote comes in message by message."""
    path = tmp_path / "box.mbox"
    box = mailbox.mbox(path)
    box.add(PHISHING)
    box.add(VACATION)
    box.close()

    taken = csirt.json("ingest", str(path))

    assert [f"{path}:1", f"{path}:2"] == [one["source"] for one in taken]
    assert [PHISHING, VACATION] == [raw for _, raw in stored(csirt)]


def test_a_standard_maildir_is_taken_in(csirt: Csirt, tmp_path: Path) -> None:
    """A Maildir that Python's own library wrote comes in."""
    box = mailbox.Maildir(tmp_path / "box")
    box.add(PHISHING)
    box.add(VACATION)

    csirt.run("ingest", str(tmp_path / "box"))

    assert {PHISHING, VACATION} == {raw for _, raw in stored(csirt)}


def test_a_folder_in_more_than_one_batch(csirt: Csirt, tmp_path: Path) -> None:
    """More files than one commit takes are all stored, in order, each with an id of its own."""
    for number in range(120):
        (tmp_path / f"{number:03}.eml").write_bytes(b"Subject: %d\n\nText.\n" % number)

    taken = csirt.json("ingest", str(tmp_path))

    assert 120 == len({one["id"] for one in taken})
    assert sorted(one["id"] for one in taken) == [one["id"] for one in taken]


def test_large_messages_are_cut_and_said_to_be(csirt: Csirt) -> None:
    """Beyond smtp.max_message the beginning is kept and marked."""
    csirt.path.write_text(csirt.path.read_text("utf-8").replace('"36 MB"', '"1 kB"'), "utf-8")

    result = csirt.run("ingest", "-", stdin=b"Subject: x\n\n" + b"y" * 2000)

    assert result.stdout.endswith("-  (truncated)\n")
    assert [1000] == [len(raw) for _, raw in stored(csirt)]
    assert csirt.json("message", "list")[0]["truncated"]


def test_nothing_to_take_in_is_bad_input(csirt: Csirt, tmp_path: Path) -> None:
    """An empty folder ends with exit code 65, and with --json an empty list."""
    (tmp_path / "empty").mkdir()

    result = csirt.run("ingest", str(tmp_path / "empty"), "--json", code=65)

    assert "[]\n" == result.stdout
    assert "there is no mail in" in result.stderr


def test_a_missing_file_is_wrong_usage(csirt: Csirt, tmp_path: Path) -> None:
    """A file that does not exist ends with exit code 2."""
    csirt.run("ingest", str(tmp_path / "absent.eml"), code=2)


def test_a_full_disk_puts_mail_off(csirt: Csirt) -> None:
    """Below store.min_free nothing is taken in: exit code 75, as the SMTP intake would say 452."""
    csirt.path.write_text(csirt.path.read_text("utf-8").replace('"500 MB"', '"900000 GB"'), "utf-8")

    assert "too full" in csirt.run("ingest", "-", stdin=PHISHING, code=75).stderr
    assert [] == stored(csirt)


def test_a_full_queue_puts_mail_off(csirt: Csirt) -> None:
    """With store.max_waiting messages waiting, the next batch is refused: exit code 75."""
    csirt.path.write_text(csirt.path.read_text("utf-8").replace("max_waiting = 100000", "max_waiting = 1"), "utf-8")
    csirt.take(PHISHING)

    assert "too many messages wait" in csirt.run("ingest", "-", stdin=VACATION, code=75).stderr
