"""What a decision asks of registries, and what of their answers it writes down for as long as tickets are kept."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from daemon import write_config

from abuse_triage import config, pipeline
from abuse_triage.judgement import asked_of
from abuse_triage.model.decision import Tlp
from abuse_triage.model.lookups import Answer, Enrichment, Known, LookupKind, Result
from abuse_triage.model.message import Arrival, Channel, Envelope
from abuse_triage.model.ticket import Outcome, Relations
from abuse_triage.outcomes import Knowledge
from abuse_triage.service.knowledge import knowledge_of

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
LOOKUPS = """
[lookups]
enabled = true
own_whois = "127.0.0.1:43"
"""


@pytest.fixture(scope="module")
def knowledge(tmp_path_factory: pytest.TempPathFactory) -> Knowledge:
    """Return what a team knows that looks up names; names are registered below example.pt as well."""
    settings = config.load(write_config(tmp_path_factory.mktemp("lookups"), extra=LOOKUPS))
    scope = settings.scope.model_copy(update={"second_level": ("example.pt",)})
    return knowledge_of(settings.model_copy(update={"scope": scope}))


def decided(knowledge: Knowledge, text: str, *, sender: str, enrichment: Enrichment | None = None) -> Outcome:
    """Send a report the whole way."""
    raw = f"From: {sender}\r\nSubject: Phishing\r\nMessage-ID: <1@example.net>\r\n\r\n{text}\r\n".encode()
    envelope = Envelope(sender=sender, recipients=("abuse@example.pt",), channel=Channel.SMTP)
    arrival = Arrival(id="01" * 13, received_at=NOW, envelope=envelope, raw=raw)
    reading = pipeline.read(raw, knowledge.settings.limits)
    found, asked = asked_of(reading, arrival, knowledge)
    return pipeline.decide(
        reading,
        arrival,
        pipeline.keys(reading, arrival, knowledge),
        Relations(),
        knowledge,
        lease="lease",
        previous=None,
        now=NOW + timedelta(seconds=1),
        enrichment=replace(enrichment or Enrichment(), subjects=found, asked=asked),
    )


def test_texts_of_answers_are_not_kept_with_the_report(knowledge: Knowledge) -> None:
    """They may name people, and what is kept with a report is kept for ever; answers are forgotten in time."""
    answer = Answer(
        kind=LookupKind.DOMAIN,
        subject="example.org",
        server="rdap.example.net",
        result=Result.FOUND,
        holder="Maria Exemplo da Silva",
        registrar="Registrar Exemplo",
        created=NOW - timedelta(days=3),
        name_servers=("ns1.maria-exemplo.example",),
    )
    known = Known(answer=answer, asked_at=NOW, fresh_until=NOW, stale_until=NOW + timedelta(days=1), tlp=Tlp.GREEN)
    enrichment = Enrichment(known={(LookupKind.DOMAIN, "example.org"): known})
    outcome = decided(knowledge, "http://example.org/login", sender="ana@cert.example.net", enrichment=enrichment)
    facts = json.loads(outcome.facts)["facts"]
    assert (True, 3) == (facts["lookup.done"], facts["lookup.age"])
    assert "maria" not in outcome.facts.lower()
    assert "Registrar" not in outcome.facts


@pytest.mark.parametrize("sender", ["ana@camara.example.pt", "ana@mail.camara.example.pt"])
def test_nobody_is_asked_about_the_sender_s_own_name(knowledge: Knowledge, sender: str) -> None:
    """Also where it is registered below a zone that the public suffix list does not know."""
    outcome = decided(knowledge, "http://www.camara.example.pt/ attacked http://other.example.pt/", sender=sender)
    assert ["other.example.pt"] == [one.subject for one in outcome.wanted if one.kind is LookupKind.OWN_DOMAIN]
