"""Every sample message that nobody here wrote goes through the whole daemon by SMTP."""

import json
import smtplib
from collections import Counter
from email.message import EmailMessage
from pathlib import Path

import pytest
from daemon import Daemon

from abuse_triage.model.ticket import MessageState, OutcomeKind
from abuse_triage.store.interface import MessageFilter, StoredMessage

_MEMORY_KB = 1_000_000
"""What `triage.memory` allows a reader by default."""


def _as_mail(path: Path) -> bytes:
    """Return a file as it is if it is a mail, else wrapped in one as a reporter would attach it."""
    if path.suffix == ".eml":
        return path.read_bytes()
    mail = EmailMessage()
    mail["From"] = "Reporter <reporter@example.com>"
    mail["To"] = "abuse@example.pt"
    mail["Subject"] = f"Report {path.stem[:60]}"
    mail.set_content("Hello,\n\nplease find our report attached.\n")
    kind = ("application", "json") if path.suffix == ".json" else ("application", "octet-stream")
    mail.add_attachment(path.read_bytes(), maintype=kind[0], subtype=kind[1], filename=path.name)
    return mail.as_bytes()


@pytest.mark.timeout(900)
def test_every_sample_has_one_outcome_and_no_robot_an_answer(corpora: Path, tmp_path: Path) -> None:
    """No crash, no lost message, one outcome each; bounces, automatic replies and ARF get no acknowledgement."""
    files = sorted(path for path in corpora.rglob("*") if path.is_file())
    sent: dict[str, str] = {}
    with Daemon(tmp_path) as daemon:
        daemon.start()
        for number, path in enumerate(files):
            with smtplib.SMTP("127.0.0.1", daemon.port, timeout=60) as client:
                client.ehlo()
                client.mail(f"sample{number}@example.com")
                client.rcpt("abuse@example.pt")
                code, answer = client.data(_as_mail(path))
                assert 250 == code, (path, answer)
                sent[answer.decode().rpartition(" ")[2]] = str(path.relative_to(corpora))
        daemon.drain(600)
        peaks = daemon.peaks()
        stored = {message.id: message for message in daemon.store().messages(MessageFilter(limit=10_000))}
        log = daemon.log()
    assert set(sent) == set(stored)
    assert {MessageState.DONE} == {message.state for message in stored.values()}, _named(
        sent, [message for message in stored.values() if message.state is not MessageState.DONE]
    )
    assert "process-died" not in log
    assert max(peaks.values()) < _MEMORY_KB
    _report(sent, stored, peaks)
    answered = [
        message
        for message in stored.values()
        if sent[message.id].startswith("automatic/")
        and message.outcome is not OutcomeKind.JOINED
        and not message.refused
    ]
    assert len(answered) <= 0.005 * sum(name.startswith("automatic/") for name in sent.values()), _named(sent, answered)
    feedback = [message for message in stored.values() if "feedback-loop" in sent[message.id]]
    assert all(message.ticket for message in feedback)
    assert all(message.refused for message in feedback if _is_arf(corpora / sent[message.id])), _named(sent, feedback)


def _is_arf(path: Path) -> bool:
    return b"feedback-report" in path.read_bytes().lower()


def _named(sent: dict[str, str], messages: list[StoredMessage]) -> str:
    return json.dumps(
        {sent[message.id]: [message.outcome, message.refused, message.error] for message in messages}, indent=1
    )


def _report(sent: dict[str, str], stored: dict[str, StoredMessage], peaks: dict[str, int]) -> None:
    """Print the counts, and every automatic message that was answered."""
    table: Counter[tuple[str, str, str]] = Counter()
    for message_id, message in stored.items():
        kind = sent[message_id].partition("/")[0]
        table[kind, str(message.outcome), "unanswered" if message.refused else "answered"] += 1
    print()  # noqa: T201 -- the counts are wanted
    for (kind, outcome, answer), count in sorted(table.items()):
        print(f"{count:5}  {kind:12} {outcome:12} {answer}")  # noqa: T201 -- see above
    for message in stored.values():
        if sent[message.id].startswith("automatic/") and not message.refused:
            print(f"answered: {sent[message.id]} ({message.outcome})")  # noqa: T201 -- see above
    print(f"peak memory of a process: {peaks}")  # noqa: T201 -- see above
