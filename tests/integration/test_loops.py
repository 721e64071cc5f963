"""Machines that answer each other: whatever the other side does, it ends within one round."""

import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from daemon import Daemon
from servers import postfix
from servers.smtp_sink import Received, SmtpSink

from abuse_triage.model.ticket import MailKind
from abuse_triage.store.interface import MessageFilter, TicketFilter

Party = Callable[[Received], Sequence[Received]]
"""Somebody who gets a mail and may send others."""

ROUNDS = 12
"""So often mail is carried before a test says that it never ends."""


@dataclass
class World:
    """Carries mail between daemons and other parties until nobody sends any more."""

    sink: SmtpSink
    daemons: list[Daemon]
    domains: dict[str, Daemon] = field(default_factory=dict)
    parties: dict[str, Party] = field(default_factory=dict)
    carried: int = 0

    def send(self, mail: Received) -> None:
        """Deliver one mail to the daemon or party of its recipient; whatever a party answers is delivered at once."""
        domain = mail.recipient.rpartition("@")[2]
        if domain in self.domains:
            self.domains[domain].send(mail.content, sender=mail.sender, recipient=mail.recipient)
        else:
            for answer in self.parties[domain](mail):
                self.send(answer)

    def settle(self) -> list[Received]:
        """Carry mail until nothing moves; returns all that the daemons sent, in order."""
        for _ in range(ROUNDS):
            for daemon in self.daemons:
                daemon.drain()
            new = self.sink.mails()[self.carried :]
            if not new:
                return self.sink.mails()
            self.carried += len(new)
            for mail in new:
                self.send(mail)
        raise AssertionError(f"after {ROUNDS} rounds {self.carried} mails were carried, and it goes on")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A first instance for example.pt, and the sink that everything passes."""
    with SmtpSink(tmp_path / "sink") as sink:
        folder = tmp_path / "first"
        folder.mkdir()
        with Daemon(folder, smarthost=sink.address) as daemon:
            daemon.start()
            yield World(sink, [daemon], {"example.pt": daemon})


def report(sender: str, *, fields: str = "", subject: str = "Brute force from 192.0.2.17") -> bytes:
    """Return a person's report."""
    return (
        f"From: <{sender}>\r\nTo: abuse@example.pt\r\nSubject: {subject}\r\nMessage-ID: <report-1@example.com>\r\n"
        f"Date: Sat, 21 Nov 2026 10:00:00 +0000\r\n{fields}\r\n"
        "Host 192.0.2.17 tried 400 passwords on our SSH server this morning. Please stop it.\r\n"
    ).encode()


def tickets(daemon: Daemon) -> int:
    """Count its tickets."""
    return len(daemon.store().tickets(TicketFilter(limit=100)))


def test_a_second_instance_of_ourselves(world: World, tmp_path: Path) -> None:
    """Two instances that get each other's acknowledgements stay silent: each sent one at most, for a person's mail."""
    folder = tmp_path / "second"
    folder.mkdir()
    with Daemon(folder, domain="example.com", smarthost=world.sink.address) as second:
        second.start()
        world.daemons.append(second)
        world.domains["example.com"] = second
        world.send(
            Received(sender="abuse@example.com", recipient="abuse@example.pt", content=report("abuse@example.com"))
        )

        sent = world.settle()

        assert ["abuse@example.com"] == [mail.recipient for mail in sent]
        (message,) = second.store().messages(MessageFilter(unanswered=True))
        assert message.refused


def test_our_own_mail_that_comes_back(world: World) -> None:
    """An acknowledgement that an alias or a list brings back joins its ticket, and nobody hears of it."""
    world.parties["example.org"] = lambda mail: [
        Received(sender="abuse@example.org", recipient="csirt@example.pt", content=mail.content)
    ]
    world.send(Received(sender="rui@example.org", recipient="abuse@example.pt", content=report("rui@example.org")))

    assert 1 == len(world.settle())
    assert 1 == tickets(world.daemons[0])


def test_forged_references_to_mail_of_ours(world: World) -> None:
    """A Message-ID in our form that we did not sign opens no ticket of others to a stranger."""
    world.parties["example.org"] = lambda _: []
    world.send(Received(sender="rui@example.org", recipient="abuse@example.pt", content=report("rui@example.org")))
    (ours,) = world.settle()
    left, _, domain = ours.message_id.rpartition("@")
    forged = f"{left[:-1]}{'a' if left[-1] != 'a' else 'b'}@{domain}"
    world.send(
        Received(
            sender="eva@example.org",
            recipient="abuse@example.pt",
            content=report("eva@example.org", fields=f"References: <{forged}>\r\n", subject="Spam from 192.0.2.18"),
        )
    )
    world.settle()

    assert 2 == tickets(world.daemons[0])


def _stripped(mail: Received) -> Received:
    """Take away what says that a machine wrote, as careless relays do."""
    message = message_from_bytes(mail.content, policy=policy.SMTP)
    for name in ("Auto-Submitted", "Precedence", "X-Auto-Response-Suppress", "X-Abuse-Triage-Loop"):
        del message[name]
    return Received(sender="abuse@example.pt", recipient=mail.recipient, content=message.as_bytes())


@pytest.mark.parametrize("answers", ["to us", "without a trace", "with the same words"])
def test_a_rude_responder(world: World, answers: str) -> None:
    """A robot that answers every mail, to the address in From and with no word that it is one, gets no second mail."""
    count = 0

    def respond(mail: Received) -> list[Received]:
        nonlocal count
        count += 1
        message = message_from_bytes(mail.content)
        fields = f"In-Reply-To: {message['Message-ID']}\r\n" if answers == "to us" else ""
        subject = "Thank you" if answers == "with the same words" else f"Re: {message['Subject']}"
        return [
            Received(
                sender="rui@example.org",
                recipient="abuse@example.pt",
                content=(
                    f"From: rui@example.org\r\nTo: abuse@example.pt\r\nSubject: {subject}\r\n{fields}"
                    f"Message-ID: <answer-{count}@example.org>\r\n\r\n"
                    "Thank you for your mail, we have received it and will be back with you soon.\r\n"
                ).encode(),
            )
        ]

    world.parties["example.org"] = respond
    world.send(Received(sender="rui@example.org", recipient="abuse@example.pt", content=report("rui@example.org")))

    sent = world.settle()

    assert len(sent) <= (2 if answers == "with the same words" else 1)  # nothing tells its first mail from a person's


def test_a_report_whose_answer_was_refused(tmp_path: Path) -> None:
    """Who sends a report again because no answer came is answered then, on the same ticket, and never twice."""
    with SmtpSink(tmp_path / "sink", faults=["rcpt-5xx"]) as sink, Daemon(tmp_path, smarthost=sink.address) as daemon:
        daemon.start()
        for _ in range(4):
            daemon.send(report("rui@example.org"), sender="rui@example.org", recipient="abuse@example.pt")
            daemon.drain()

        assert ["rui@example.org"] == [mail.recipient for mail in sink.mails()]
        assert ["failed", "sent"] == [mail.state.value for mail in reversed(daemon.store().mails((), 10))]
        assert 1 == tickets(daemon)
        reasons = [message.refused for message in reversed(daemon.store().messages(MessageFilter()))]
    assert ["", ""] == reasons[:2]
    assert all("only the first message" in reason for reason in reasons[2:])


@pytest.mark.skipif(bool(postfix.why_not()), reason=postfix.why_not())
@pytest.mark.parametrize("relay", ["honest", "careless"])
def test_a_stock_responder(world: World, tmp_path: Path, relay: str) -> None:
    """Debian's vacation, told to answer every time, gets one acknowledgement, also where a relay drops our fields."""
    home = tmp_path / "vacation"
    home.mkdir()
    (home / "message").write_text(
        "From: rui@example.org\nSubject: away from my mail\n\nI am away until Monday. About: $SUBJECT\n"
    )
    command = ("vacation", "-d", "-f", str(home / "db"), "-m", str(home / "message"))
    main = f"relayhost = [127.0.0.1]:{world.sink.port}\n"
    with postfix.Postfix(main=main) as mta:
        environment = {"MAIL_CONFIG": str(mta.config), "PATH": "/usr/bin:/usr/sbin:/bin"}
        subprocess.run((*command, "-i", "-r", "0"), check=True, env=environment)

        def respond(mail: Received) -> list[Received]:
            given = _stripped(mail) if relay == "careless" else mail
            unix = b"From " + (given.sender or "MAILER-DAEMON").encode() + b" Sat Nov 21 10:00:00 2026\n"
            content = unix + given.content.replace(b"\r\n", b"\n")
            subprocess.run((*command, "-a", "rui", "root"), input=content, check=True, env=environment)
            give_up = time.monotonic() + (60 if relay == "careless" else 2)  # it does not wait for its own sendmail
            while "status=sent" not in mta.log() and time.monotonic() < give_up:
                time.sleep(0.1)
            return []

        world.parties["example.org"] = respond
        world.send(Received(sender="rui@example.org", recipient="abuse@example.pt", content=report("rui@example.org")))
        time.sleep(1)
        world.settle()

    acknowledgements = world.daemons[0].store().mails((), 100)
    assert [MailKind.ACKNOWLEDGEMENT] == [mail.kind for mail in acknowledgements]
    expected = {"honest": 0, "careless": 1}[relay]
    assert expected == len([mail for mail in world.sink.mails() if mail.recipient == "abuse@example.pt"])
