"""kill -9 of any process, at random moments and at failpoints, under load: nothing is lost or sent twice."""

import os
import random
import smtplib
import threading
import time
from collections import Counter
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from daemon import Daemon, report
from servers.smtp_sink import SmtpSink

from abuse_triage.model.ticket import MailState, MessageState, OutcomeKind
from abuse_triage.store.interface import MessageFilter

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "3"))
MESSAGES = int(os.environ.get("CRASH_MESSAGES", "2000"))
CLIENTS = 6
KILLS = 12
"""At least so many a round: also while triage and sender work through what was accepted."""
FAILPOINTS = (
    "intake.before-commit:150",
    "intake.after-commit:150",
    "triage.claimed:5",
    "triage.before-commit:4",
    "triage.after-commit:4",
    "sender.before-data:300",
    "sender.after-data:300",
    "sender.paid:3",
)

LARGE = range(100, MESSAGES, 200)
"""These have an attachment of 2 MB, which is written in slices: kills meet them as well."""

pytestmark = pytest.mark.crash


def mail(number: int) -> bytes:
    """Return the number-th message."""
    if number not in LARGE:
        return report(number)
    message = message_from_bytes(report(number), policy=policy.SMTP)
    attachment = random.Random(number).randbytes(1_500_000)
    message.add_attachment(attachment, maintype="application", subtype="octet-stream")  # type: ignore[attr-defined]  # what this policy makes has it
    message.set_boundary("the same in every try")
    return bytes(message)


class Load:
    """Clients that send every message until it has its "250", as an MTA would, and remember under which ids."""

    def __init__(self, port: int, count: int) -> None:
        self._port = port
        self._next = iter(range(count))
        self._lock = threading.Lock()
        self.accepted: dict[int, str] = {}
        self.uncertain: set[int] = set()
        self._threads = [threading.Thread(target=self._client, daemon=True) for _ in range(CLIENTS)]

    def start(self) -> None:
        """Start sending."""
        for thread in self._threads:
            thread.start()

    def done(self) -> bool:
        """Tell whether everything has its "250"."""
        return not any(thread.is_alive() for thread in self._threads)

    def _client(self) -> None:
        connection: smtplib.SMTP | None = None
        while True:
            with self._lock:
                number = next(self._next, None)
            if number is None:
                break
            while number not in self.accepted:
                asked = False
                try:
                    if connection is None:
                        connection = smtplib.SMTP(timeout=20)
                        connection.connect("127.0.0.1", self._port)
                        connection.ehlo()
                    connection.mail(f"reporter{number}@example.com")
                    connection.rcpt("abuse@example.pt")
                    asked = True
                    code, answer = connection.data(mail(number))
                    if code == 250:
                        self.accepted[number] = answer.decode().rpartition(" ")[2]
                except (OSError, smtplib.SMTPException):
                    if asked:
                        self.uncertain.add(number)  # it may be stored although nobody said so: then it comes twice
                    if connection is not None:
                        connection.close()
                        connection = None
                    time.sleep(0.05)
        if connection is not None:
            connection.close()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", range(ROUNDS))
def test_kill_9_loses_nothing_and_sends_nothing_twice(number: int, tmp_path: Path) -> None:
    """Every message with "250" has one outcome, no Message-ID is sent twice, each missing one is delivery-unknown."""
    seed = int(os.environ.get("CRASH_SEED", str(number)))
    chance = random.Random(seed)
    failpoint = FAILPOINTS[number // 2 % len(FAILPOINTS)] if number % 2 else ""
    with SmtpSink(tmp_path / "sink") as sink, Daemon(tmp_path, smarthost=sink.address) as daemon:
        daemon.start(failpoint=failpoint)
        load = Load(daemon.port, MESSAGES)
        load.start()
        kills: Counter[str] = Counter()
        while not load.done() or kills.total() < KILLS:
            time.sleep(chance.uniform(0.1, 1.0) if not failpoint else chance.uniform(1.0, 3.0))
            kills[daemon.kill_one(chance)] += 1
            daemon.keep_running(failpoint=failpoint)
        daemon.restart()  # without failpoints and without murder: everything must come to its end
        daemon.drain()
        store = daemon.store()
        _check(load, store, sink, kills)


def _check(load: Load, store, sink: SmtpSink, kills: Counter[str]) -> None:  # noqa: ANN001 -- a Store
    messages = {message.id: message for message in store.messages(MessageFilter(limit=10 * MESSAGES))}
    assert MESSAGES == len(load.accepted)
    lost = [number for number, message_id in load.accepted.items() if message_id not in messages]
    assert [] == lost
    assert [mail(number) for number in LARGE] == [store.message(load.accepted[number])[1] for number in LARGE]
    unfinished = [
        message for message in messages.values() if message.outcome is None or message.state is not MessageState.DONE
    ]
    assert [] == unfinished
    opened = [message for message in messages.values() if message.outcome is OutcomeKind.OPENED]
    joined = [message for message in messages.values() if message.outcome is OutcomeKind.JOINED]
    assert MESSAGES == len(opened)
    assert {message.envelope.sender for message in joined} <= {
        f"reporter{number}@example.com" for number in load.uncertain
    }
    numbers = sorted(message.ticket for message in opened)
    assert [f"{sequence:06}" for sequence in range(1, MESSAGES + 1)] == [
        number.rpartition("-")[2] for number in numbers
    ]
    sent = Counter(sink.message_ids())
    assert [] == [message_id for message_id, count in sent.items() if count > 1]
    mails = store.mails((), 10 * MESSAGES)
    assert MESSAGES == len(mails)
    states = Counter(mail.state for mail in mails)
    assert set(states) <= {MailState.SENT, MailState.UNKNOWN}
    missing = [mail for mail in mails if mail.message_id not in sent]
    assert [] == [mail for mail in missing if mail.state is not MailState.UNKNOWN]
    print(  # noqa: T201 -- the figures are wanted
        f"\n{len(messages)} stored, {len(opened)} opened, {len(joined)} joined; sent {len(sent)}, "
        f"delivery-unknown {states[MailState.UNKNOWN]} ({len(missing)} of them not delivered); killed {dict(kills)}"
    )
