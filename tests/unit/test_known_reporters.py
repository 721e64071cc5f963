"""What the contact directory does for a report: more urgency for whom it names, and only where that is proven."""

from datetime import UTC, datetime, timedelta

import pytest
from daemon import report, write_config

from abuse_triage import config, pipeline
from abuse_triage.model.decision import Priority
from abuse_triage.model.lookups import ContactKind, DirectoryEntry, Enrichment
from abuse_triage.model.message import Arrival, Channel, Envelope
from abuse_triage.model.ticket import Relations, TicketDraft
from abuse_triage.outcomes import Knowledge
from abuse_triage.service.knowledge import knowledge_of

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
DMARC = "dkim=pass header.d=registo.example.org; dmarc=pass header.from=registo.example.org"


@pytest.fixture(scope="module")
def knowledge(tmp_path_factory: pytest.TempPathFactory) -> Knowledge:
    """Return what a team knows whose MTA checks senders, with the shipped rules."""
    extra = '\n[authentication]\nauthserv_id = "mx.example.pt"\n'
    return knowledge_of(config.load(write_config(tmp_path_factory.mktemp("reporters"), extra=extra)))


def opened(knowledge: Knowledge, kind: ContactKind | None, *, results: str, sender: str) -> TicketDraft:
    """Decide about a scan that somebody reports; the directory has an entry of that kind for the NOC."""
    body = report(1).partition(b"\r\n\r\n")[2]
    fields = (f"Authentication-Results: mx.example.pt; {results}", f"From: {sender}", "Subject: Port scan")
    raw = "\r\n".join((*fields, "Message-ID: <1@registo.example.org>", "", "")).encode() + body
    envelope = Envelope(sender="noc@registo.example.org", recipients=("abuse@example.pt",), channel=Channel.SMTP)
    arrival = Arrival(id="01" * 13, received_at=NOW, envelope=envelope, raw=raw)
    reading = pipeline.read(raw, knowledge.settings.limits)
    entry = DirectoryEntry(email="noc@registo.example.org", kind=kind, organisation="Registo") if kind else None
    outcome = pipeline.decide(
        reading,
        arrival,
        pipeline.keys(reading, arrival, knowledge),
        Relations(),
        knowledge,
        lease="lease",
        previous=None,
        now=NOW + timedelta(seconds=1),
        enrichment=Enrichment(reporter=entry),
    )
    assert outcome.opens is not None
    return outcome.opens


@pytest.mark.parametrize(
    ("kind", "results", "sender", "raised"),
    [
        (ContactKind.CCTLD, DMARC, "noc@registo.example.org", True),
        (ContactKind.CCTLD, DMARC, "NOC <Noc@Registo.example.org>", True),
        (ContactKind.CSIRT, DMARC, "noc@registo.example.org", True),
        (ContactKind.LAW_ENFORCEMENT, DMARC, "noc@registo.example.org", True),
        (ContactKind.CUSTOMER, DMARC, "noc@registo.example.org", False),
        (None, DMARC, "noc@registo.example.org", False),
        (ContactKind.CCTLD, "dmarc=fail header.from=registo.example.org", "noc@registo.example.org", False),
        (ContactKind.CCTLD, "dmarc=none", "noc@registo.example.org", False),
        (ContactKind.CCTLD, DMARC, "else@registo.example.org", False),
    ],
)
def test_who_is_in_the_directory_goes_first(
    knowledge: Knowledge, kind: ContactKind | None, results: str, sender: str, raised: bool
) -> None:
    """A proven ccTLD contact, response team or police is at least P2; a claim, and a colleague's address, are not."""
    before = opened(knowledge, None, results=results, sender=sender)

    after = opened(knowledge, kind, results=results, sender=sender)

    assert Priority.P2 < before.priority
    assert (Priority.P2 if raised else before.priority) == after.priority
