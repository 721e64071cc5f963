"""Sample messages that nobody here wrote: decoded, read, and told from those that must not be answered."""

import time
from collections import Counter
from pathlib import Path

import pytest

from abuse_triage import reports
from abuse_triage.mail.automatic import Refusal, refusal
from abuse_triage.mail.decode import decode
from abuse_triage.model.message import Address, Channel, Envelope, Mail
from abuse_triage.model.settings import LimitSettings
from abuse_triage.reports.marking import markings
from abuse_triage.reports.reading import fingerprint, texts

LIMITS = LimitSettings()
_SYNTHETIC = "reporter@example.org"


def _ask(mail: Mail, *, own_path: bool) -> Refusal | None:
    """Ask whether a message may be answered, with its own return path or with one of a person."""
    path = mail.header("return-path")
    given = path.strip(" <>") if own_path and path else _SYNTHETIC
    return refusal(
        tuple(header for header in mail.headers if own_path or header.name != "return-path"),
        mail.content_type,
        mail.senders[0] if mail.senders else Address("", ""),
        Envelope(sender=given, recipients=("abuse@example.pt",), channel=Channel.SMTP),
        own_addresses=frozenset(["abuse@example.pt"]),
        part_types=[attachment.content_type for attachment in reports.attachments(mail)],
        text=reports.read(mail, LIMITS).new_text,
    )


def test_every_file_is_read_quickly_and_within_limits(corpora: Path) -> None:
    """No file makes a step fail, is cut, or takes long; JSON files and keys count as messages without a header."""
    files = sorted(path for path in corpora.rglob("*") if path.is_file())
    assert len(files) > 800
    for path in files:
        raw = path.read_bytes()
        before = time.process_time()
        mail = decode(raw, LIMITS)
        report = reports.read(mail, LIMITS)
        markings(mail, report)
        found = texts(mail, LIMITS)
        fingerprint(mail, "")
        assert time.process_time() - before < 0.5, path
        assert mail.limits == (), path
        assert found or not any(part.text for part in mail.parts), path
        assert "\0" not in report.text, path


def test_every_feedback_report_is_one(corpora: Path) -> None:
    """Files that hold a feedback report of their own are read as such, with its type."""
    for path in sorted((corpora / "reports" / "feedback-loop").iterdir()):
        mail = decode(path.read_bytes(), LIMITS)
        report = reports.read(mail, LIMITS)
        own = mail.content_type == "multipart/report"
        assert ("arf" if own else "plain") == report.format, path
        assert bool(report.type) == own, path


@pytest.mark.parametrize("own_path", [True, False])
def test_robots_are_told_from_people(corpora: Path, *, own_path: bool) -> None:
    """At least 995 of 1000 bounces and automatic replies are refused, with their own return path or a person's."""
    counts: Counter[str] = Counter()
    answered: list[str] = []
    for path in sorted((corpora / "automatic").rglob("*.eml")):
        found = _ask(decode(path.read_bytes(), LIMITS), own_path=own_path)
        counts[found.code if found else "answered"] += 1
        if found is None:
            answered.append(str(path.relative_to(corpora)))
    print(dict(counts), answered)  # noqa: T201 -- the counts and the names are wanted
    assert counts.total() > 400
    assert counts["answered"] <= 0.005 * counts.total(), answered


def test_people_are_answered(corpora: Path) -> None:
    """Signed and encrypted mail of people is answered but for what says itself that it is bulk."""
    refused = {
        found.code
        for path in sorted((corpora / "openpgp").rglob("*.eml"))
        if (found := _ask(decode(path.read_bytes(), LIMITS), own_path=True))
    }
    assert refused <= {"precedence"}
