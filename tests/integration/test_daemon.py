"""The daemon as it is run: real processes, real SMTP, a real store."""

import email
import os
import signal
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from email import policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from daemon import Daemon, report, write_config

from abuse_triage.model.ticket import MailState, MessageState, OutcomeKind, TicketState
from abuse_triage.store.interface import MessageFilter, TicketFilter


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A running daemon whose mail goes to a folder."""
    with Daemon(tmp_path) as running:
        running.start()
        yield running


def _send(daemon: Daemon, raw: bytes, sender: str) -> str:
    with smtplib.SMTP("127.0.0.1", daemon.port, timeout=10) as client:
        client.ehlo()
        client.mail(sender)
        client.rcpt("abuse@example.pt")
        code, answer = client.data(raw)
    assert 250 == code
    return answer.decode().rpartition(" ")[2]


def _acknowledgements(daemon: Daemon) -> list[EmailMessage]:
    files = sorted((daemon.folder / "outbox").glob("*.eml"), key=lambda file: file.stat().st_mtime_ns)
    return [email.message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]


def test_a_report_from_swaks_is_a_ticket_and_an_acknowledgement(daemon: Daemon) -> None:
    """A stock client's report yields one ticket and one acknowledgement."""
    subprocess.run(
        (
            "swaks",
            "--server",
            f"127.0.0.1:{daemon.port}",
            "--from",
            "ana@example.org",
            "--to",
            "abuse@example.pt",
            "--header",
            "Subject: Phishing",
            "--body",
            "The page hxxps://banco.example[.]pt/entrar steals passwords.",
        ),
        check=True,
        capture_output=True,
    )
    daemon.drain()
    (acknowledgement,) = _acknowledgements(daemon)
    (ticket,) = daemon.store().tickets(TicketFilter())
    assert ("fraud", "fraud:phishing") == (ticket.category, ticket.type)
    assert "ana@example.org" == acknowledgement["To"]
    assert ticket.number in acknowledgement["Subject"]
    assert ticket.number in acknowledgement.get_content()
    assert "banco" not in acknowledgement.as_string()


def test_a_daemon_whose_port_is_taken_ends_and_says_so(tmp_path: Path) -> None:
    """It ends with code 75, and names the address and the command that shows who listens there."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        path = write_config(tmp_path, port=port)
        command = (sys.executable, "-m", "abuse_triage", "serve", "--config", str(path))
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert 75 == ended.returncode
    assert 1 == ended.stderr.count(f"cannot listen on 127.0.0.1:{port}: Address already in use")
    assert "ss -ltnp" in ended.stderr
    assert "abuse-triage: intake: cannot listen" in ended.stderr


def test_an_answer_to_the_acknowledgement_joins_its_ticket(daemon: Daemon) -> None:
    """A reply that names our Message-ID joins, is not acknowledged, and is in the ticket's journal."""
    _send(daemon, report(1), "reporter1@example.com")
    daemon.drain()
    (acknowledgement,) = _acknowledgements(daemon)
    answer = EmailMessage()
    answer["From"], answer["To"], answer["Subject"] = "reporter1@example.com", "abuse@example.pt", "Re: more"
    answer["In-Reply-To"] = acknowledgement["Message-ID"]
    answer.set_content("It went on at 11:00 UTC from 192.0.2.99 as well.\n")
    _send(daemon, answer.as_bytes(), "reporter1@example.com")
    daemon.drain()
    (ticket,) = daemon.store().tickets(TicketFilter())
    file = daemon.store().ticket(ticket.number)
    assert 2 == len(file.reports)
    assert 1 == len(_acknowledgements(daemon))
    assert "joined" in [entry.action for entry in file.journal]


def test_the_same_report_again_joins_and_that_of_another_is_linked(daemon: Daemon) -> None:
    """The same content joins its sender's ticket without an answer; another sender gets a ticket of their own."""
    for sender in ("reporter1@example.com", "reporter1@example.com", "other@example.net"):
        _send(daemon, report(1), sender)
        daemon.drain()
    messages = daemon.store().messages(MessageFilter())
    assert [OutcomeKind.OPENED, OutcomeKind.JOINED, OutcomeKind.OPENED] == [m.outcome for m in messages]
    assert 2 == len(_acknowledgements(daemon))
    other = daemon.store().ticket(messages[0].ticket)
    assert (messages[1].ticket,) == other.linked


def test_a_stop_is_clean_and_the_next_start_goes_on(daemon: Daemon) -> None:
    """SIGTERM ends with code 0; what was accepted before is triaged by the next start at the latest."""
    ids = {_send(daemon, report(number), f"reporter{number}@example.com") for number in range(30)}
    assert 0 == daemon.stop()
    daemon.start()
    daemon.drain()
    assert ids == {message.id for message in daemon.store().messages(MessageFilter(limit=100)) if message.ticket}
    assert 30 == len(_acknowledgements(daemon))


def test_a_message_that_kills_its_reader_is_parked_with_a_ticket_and_can_be_retried(tmp_path: Path) -> None:
    """Three deaths over one message end in quarantine with a ticket; a retry gives that ticket its true content."""
    with Daemon(tmp_path) as daemon:
        daemon.start(failpoint="reader.read")
        daemon.wait_for_port()
        message_id = _send(daemon, report(1), "reporter1@example.com")
        daemon.drain()
        stored, _ = daemon.store().message(message_id)
        assert (MessageState.QUARANTINED, 3) == (stored.state, stored.attempts)
        assert "unreadable report" in daemon.store().ticket(stored.ticket).ticket.summary
        assert [] == _acknowledgements(daemon)
        daemon.restart()
        subprocess.run(
            (
                sys.executable,
                "-m",
                "abuse_triage",
                "--config",
                daemon.folder / "config.toml",
                "message",
                "retry",
                message_id,
            ),
            check=True,
            capture_output=True,
        )
        daemon.drain()
        ticket = daemon.store().ticket(stored.ticket).ticket
        assert "intrusion-attempt" == ticket.category
        assert TicketState.NEW is ticket.state
        assert 1 == len(_acknowledgements(daemon))


def test_a_killed_triage_worker_charges_only_the_message_it_was_on(tmp_path: Path) -> None:
    """After a crash in the middle of a batch everything is triaged, and hardly any message has a second attempt."""
    with Daemon(tmp_path) as daemon:
        daemon.start(failpoint="triage.before-commit:4")
        daemon.wait_for_port()
        for number in range(220):
            _send(daemon, report(number), f"reporter{number}@example.com")
        daemon.drain(240)
        attempts = [message.attempts for message in daemon.store().messages(MessageFilter(limit=300))]
        assert 220 == len(attempts)
        assert "process-died" in daemon.log()
        assert sum(count > 1 for count in attempts) <= daemon.log().count("process-died")


def test_fdatasync_comes_before_250(daemon: Daemon) -> None:
    """In a trace of the intake every "250 Accepted" is preceded by an fdatasync since the message came in."""
    intake = next(pid for pid, name in daemon.processes().items() if name == "intake")
    trace = daemon.folder / "trace"
    tracer = subprocess.Popen(
        (
            "strace",
            "-f",
            "-s",
            "64",
            "-e",
            "trace=fdatasync,fsync,sendto,recvfrom,write,read",
            "-o",
            trace,
            "-p",
            str(intake),
        ),
        stderr=subprocess.PIPE,
    )
    assert tracer.stderr is not None
    assert b"attached" in tracer.stderr.readline()
    for number in range(5):
        _send(daemon, report(number), f"reporter{number}@example.com")
    tracer.send_signal(signal.SIGINT)
    tracer.wait(20)
    tracer.stderr.close()
    synced, accepted = False, 0
    for line in trace.read_text(errors="replace").splitlines():
        if "From: Reporter" in line:
            synced = False
        elif ("fdatasync(" in line or "fsync(" in line or "fdatasync resumed" in line) and line.endswith("= 0"):
            synced = True
        elif "250 2.0.0 Accepted" in line:
            assert synced, line
            accepted += 1
    assert 5 == accepted


def test_two_daemons_on_one_store_send_nothing_twice(daemon: Daemon) -> None:
    """A second daemon on the same store does not send: its sender waits for the lock of the first."""
    with subprocess.Popen(
        (sys.executable, "-m", "abuse_triage", "--config", daemon.folder / "config.toml", "serve", "--role", "sender"),
        stderr=subprocess.DEVNULL,
        env=os.environ,
    ) as second:
        _send(daemon, report(1), "reporter1@example.com")
        daemon.drain()
        second.terminate()
    assert 1 == len(_acknowledgements(daemon))
    assert [MailState.SENT] == [mail.state for mail in daemon.store().mails((), 10)]
