"""The golden messages, decided in order with the shipped rules on a real store."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from daemon import write_config
from golden import ANSWERED, Case, cases

from abuse_triage import config, pipeline
from abuse_triage.model.message import Arrival, Channel, Envelope
from abuse_triage.model.ticket import Outcome
from abuse_triage.service.knowledge import knowledge_of
from abuse_triage.store import open_store
from abuse_triage.store.interface import Finished

CASES = cases()


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[Outcome, pipeline.Reading]]]:
    """Decide every golden message, one after the other, as one worker would."""
    folder: Path = tmp_path_factory.mktemp("golden")
    settings = config.load(write_config(folder))
    knowledge = knowledge_of(settings)
    store = open_store(settings.store.path, number_format=config.number_format(settings))
    decided: dict[str, tuple[Outcome, pipeline.Reading]] = {}
    now = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
    for number, case in enumerate(CASES):
        raw = case.raw
        if case.answers:
            (acknowledgement,) = decided[case.answers][0].outgoing
            raw = raw.replace(ANSWERED, f"<{acknowledgement.message_id}>".encode())
        envelope = Envelope(sender=case.sender, recipients=case.recipients, channel=Channel.SMTP)
        arrival = Arrival(
            id=f"golden{number:020}", received_at=now + timedelta(minutes=number), envelope=envelope, raw=raw
        )
        store.accept([arrival])
        (claimed,) = store.claim(10, timedelta(minutes=5))
        reading = pipeline.read(raw, settings.limits)
        keys = pipeline.keys(reading, arrival, knowledge)
        outcome = pipeline.decide(
            reading,
            arrival,
            keys,
            store.relations(keys),
            knowledge,
            lease=claimed.lease,
            previous=None,
            now=arrival.received_at,
        )
        (result,) = store.finish([outcome])
        assert isinstance(result, Finished)
        decided[case.name] = (outcome, reading)
    yield decided
    store.close()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_golden_message_is_understood(case: Case, outcomes: dict[str, tuple[Outcome, pipeline.Reading]]) -> None:
    """Outcome, category, TLP, kind, language and acknowledgement are what a handler would make of the message."""
    outcome, reading = outcomes[case.name]
    verdict = outcome.verdict
    assert verdict is not None
    found = {
        "outcome": outcome.kind.value,
        "kind": verdict.kind.value,
        "category": "" if outcome.kind == "parked" else verdict.category,
        "tlp": verdict.tlp.value,
        "tlp_marked": verdict.tlp_marked,
        "language": reading.report.language,
        "acknowledged": not outcome.refused,
    }
    assert {name: case.expected[name] for name in found} == found, verdict.reason


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_indicators_of_a_golden_message_are_found(
    case: Case, outcomes: dict[str, tuple[Outcome, pipeline.Reading]]
) -> None:
    """Every indicator that a handler wants is found, and its scope is right."""
    outcome, _ = outcomes[case.name]
    found = {f"{indicator.kind}:{indicator.value}": indicator.scope for indicator in outcome.indicators}
    if case.expected["outcome"] == "parked":
        return
    assert set() == set(case.expected["indicators"]) - set(found)
    ours = {name for name in case.expected["indicators"] if found[name].ours}
    assert set(case.expected["in_scope"]) == ours
