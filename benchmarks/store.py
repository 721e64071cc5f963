"""How fast the store is, and whether it stays so: `python benchmarks/store.py [--tickets 100000] [--folder DIR]`.

Prints rates and the CPU time of this process for each message: accepting (1 and 50 messages a commit), claiming and
finishing (one by one and in batches of 50), the same with many tickets stored as a ratio, how soon a waiting process
sees a change, and how long accepting takes while another process finishes without a pause.
"""

import argparse
import json
import multiprocessing
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Self

from abuse_triage.model.decision import Phase, Priority, TicketKind, Tlp, TraceEntry, Verdict
from abuse_triage.model.message import Arrival, Channel, Envelope
from abuse_triage.model.report import Scope
from abuse_triage.model.ticket import (
    NUMBER_PLACEHOLDER,
    JournalEntry,
    MailKind,
    Outcome,
    OutcomeKind,
    Outgoing,
    RelationKeys,
    Relations,
    ScopedIndicator,
    TicketDraft,
)
from abuse_triage.store import open_store
from abuse_triage.store.interface import Claimed, Store

BATCH = 50
ROUNDS = 4
LEASE = timedelta(minutes=5)
WORDS = (
    "please",
    "find",
    "attached",
    "log",
    "lines",
    "of",
    "the",
    "attack",
    "against",
    "our",
    "server",
    "since",
    "noon",
)
CHANCE = random.Random(1)
NOW = datetime.now(UTC)


def arrival(number: int) -> Arrival:
    """Make a message of 5 kB that differs from all others."""
    text = " ".join(CHANCE.choice(WORDS) + str(CHANCE.randrange(100)) for _ in range(700))
    return Arrival(
        id=f"{time.time_ns():016x}{number:010x}",
        received_at=datetime.now(UTC),
        envelope=Envelope(
            sender=f"reporter{number % 5000}@example.org",
            recipients=("abuse@example.pt",),
            channel=Channel.SMTP,
            peer="192.0.2.1",
        ),
        raw=f"Subject: report {number}\r\n\r\n{text}".encode()[:5000],
    )


def outcome(claimed: Claimed) -> Outcome:
    """Decide as the pipeline does: a new ticket, ten indicators, two of them ours, eight rules, one acknowledgement."""
    mail = claimed.arrival
    sender = mail.envelope.sender
    trace = tuple(
        TraceEntry(
            phase=Phase.CLASSIFY,
            rule=f"rule.{n}",
            file="rules/classify.yaml",
            line=n,
            why="words that stand for this",
            because=(("text.new", "log lines of the attack"), ("indicators.ours", "2")),
            effect="fraud +50 (strong)",
        )
        for n in range(8)
    )
    indicators = tuple(
        ScopedIndicator(
            kind="domain",
            value=f"host{CHANCE.randrange(10**9)}.example.com",
            registrable="example.com",
            scope=Scope(ours=n < 2, reason="not in any of our networks or domains"),
        )
        for n in range(10)
    )
    return Outcome(
        message_id=mail.id,
        lease=claimed.lease,
        kind=OutcomeKind.OPENED,
        reason="fraud, 70 points",
        format="plain",
        verdict=Verdict(
            category="fraud",
            type="fraud:phishing",
            tlp=Tlp.GREEN,
            tlp_marked=False,
            priority=Priority.P3,
            kind=TicketKind.INCIDENT,
            reason="fraud, 70 points",
            generation="0" * 64,
            trace=trace,
        ),
        facts=json.dumps({"schema": 1, "facts": {f"fact.number_{n}": "what it says here " * 3 for n in range(40)}}),
        keys=RelationKeys(
            our_message_ids=(),
            numbers=(),
            fingerprint=f"{CHANCE.getrandbits(256):064x}",
            sender=sender,
            since=NOW - timedelta(days=7),
        ),
        assumed=Relations(),
        opens=TicketDraft(
            kind=TicketKind.INCIDENT,
            category="fraud",
            type="fraud:phishing",
            tlp=Tlp.GREEN,
            tlp_marked=False,
            priority=Priority.P3,
            review=False,
            summary="phishing at hxxps://pay.example[.]com",
            reporter=sender,
            mailbox="abuse@example.pt",
            due=mail.received_at + timedelta(hours=24),
            year=2026,
        ),
        indicators=indicators,
        journal=tuple(
            JournalEntry(at=mail.received_at, actor="triage", action=action, detail="for this reason")
            for action in ("opened", "classified", "acknowledged")
        ),
        outgoing=(
            Outgoing(
                kind=MailKind.ACKNOWLEDGEMENT,
                message_id=f"{CHANCE.getrandbits(128):032x}@example.pt",
                recipient=sender,
                content=f"Subject: [{NUMBER_PLACEHOLDER}]\r\n\r\n".encode() + b"Thank you.\r\n" * 200,
            ),
        ),
        participants=(sender,),
    )


class Watch:
    """Wall and CPU time of a stretch of work, divided by the number of messages."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __enter__(self) -> Self:
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.rate = self._count / (time.perf_counter() - self._wall)
        self.cpu_ms = (time.process_time() - self._cpu) * 1000 / self._count

    def __str__(self) -> str:
        return f"{self.rate:8.0f}/s   {self.cpu_ms:6.3f} ms CPU each"


def accept(store: Store, count: int, together: int) -> Watch:
    """Accept so many messages."""
    arrivals = [arrival(number) for number in range(count)]
    with Watch(count) as watch:
        for start in range(0, count, together):
            store.accept(arrivals[start : start + together])
    return watch


def claim_all(store: Store, limit: int) -> tuple[list[list[Claimed]], Watch]:
    """Claim everything that waits."""
    count = store.waiting()
    batches = []
    with Watch(count) as watch:
        while batch := store.claim(limit, LEASE):
            batches.append(batch)
    return batches, watch


def finish_all(store: Store, batches: Sequence[Sequence[Claimed]]) -> Watch:
    """Finish everything that was claimed; what is decided is made before the watch starts."""
    decided = [[outcome(claimed) for claimed in batch] for batch in batches]
    with Watch(sum(map(len, batches))) as watch:
        for outcomes in decided:
            store.finish(outcomes)
    return watch


def relate_all(store: Store, count: int) -> Watch:
    """Look for relations of messages that have none."""
    keys = [
        RelationKeys(
            our_message_ids=(f"{CHANCE.getrandbits(128):032x}@example.pt",),
            numbers=("2026-999999",),
            fingerprint=f"{CHANCE.getrandbits(256):064x}",
            sender="reporter@example.org",
            since=NOW - timedelta(days=7),
        )
        for _ in range(count)
    ]
    with Watch(count) as watch:
        for key in keys:
            store.relations(key)
    return watch


def fill(store: Store, count: int) -> None:
    """Bring the store to so many more tickets."""
    for _ in range(0, count, 1000):
        accept(store, 1000, 500)
        batches, _ = claim_all(store, 500)
        finish_all(store, batches)


def measure(store: Store, count: int) -> float:
    """Print what a message costs now; returns the CPU time of claiming and finishing one, in ms."""
    print(f"  accept,  1 a commit   {accept(store, count, 1)}")
    print(f"  accept, 50 a commit   {accept(store, count, BATCH)}")
    batches, claimed = claim_all(store, BATCH)
    print(f"  claim,  50 at once    {claimed}")
    print(f"  relations             {relate_all(store, count)}")
    rounds = [finish_all(store, batches[start::ROUNDS]) for start in range(ROUNDS)]
    finished = min(rounds, key=lambda watch: watch.cpu_ms)
    print(f"  finish, 50 a commit   {finished}   (best of {ROUNDS})")
    accept(store, 500, BATCH)
    batches, _ = claim_all(store, 1)
    print(f"  finish,  1 a commit   {finish_all(store, batches)}")
    start = time.perf_counter()
    store.gauges()
    print(f"  gauges                {(time.perf_counter() - start) * 1000:8.1f} ms")
    return claimed.cpu_ms + finished.cpu_ms


def _change(path: Path, go: Event, sent: "multiprocessing.Queue[float]") -> None:
    with closing(open_store(path)) as store:
        for number in range(100):
            go.wait()
            go.clear()
            time.sleep(CHANCE.uniform(0.01, 0.3))
            store.remember("benchmark", str(number))
            sent.put(time.monotonic())


def waiting(path: Path) -> None:
    """Print how soon a process that waits sees another's commit."""
    context = multiprocessing.get_context("spawn")
    go, sent = context.Event(), context.Queue()
    other = context.Process(target=_change, args=(path, go, sent))
    other.start()
    delays = []
    with closing(open_store(path)) as store:
        for _ in range(100):
            store.wait(0)
            go.set()
            store.wait(10)
            seen = time.monotonic()
            delays.append((seen - sent.get()) * 1000)
    other.join()
    print(f"wait: seen after p50 {statistics.median(delays):.1f} ms, p99 {sorted(delays)[98]:.1f} ms")


def _finish_for_ever(path: Path, stop: Event) -> None:
    with closing(open_store(path)) as store:
        while not stop.is_set():
            batch = store.claim(BATCH, LEASE)
            store.finish([outcome(claimed) for claimed in batch])


def contention(path: Path) -> None:
    """Print how long a commit of one message takes while another process claims and finishes without a pause."""
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    with closing(open_store(path)) as store:
        accept(store, 5000, 500)
        other = context.Process(target=_finish_for_ever, args=(path, stop))
        other.start()
        before = store.waiting()
        while store.waiting() == before:
            time.sleep(0.01)
        delays = []
        for number in range(500):
            one = arrival(number)
            start = time.perf_counter()
            store.accept([one])
            delays.append((time.perf_counter() - start) * 1000)
            time.sleep(0.004)
        stop.set()
        other.join()
    delays.sort()
    print(f"accept beside finish: p50 {delays[250]:.1f} ms, p99 {delays[495]:.1f} ms, longest {delays[-1]:.1f} ms")


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tickets", type=int, default=100_000)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument(
        "--folder", type=Path, help="where the file is made; the default is the system's for such files"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "store.sqlite"
        with closing(open_store(path)) as store:
            fill(store, 1000)
            print("with 1,000 tickets")
            few = measure(store, options.count)
            fill(store, options.tickets - 1000)
            print(f"with {options.tickets:,} tickets, {path.stat().st_size / 1e6:.0f} MB")
            many = measure(store, options.count)
            print(f"claim and finish: {many:.3f} ms against {few:.3f} ms, ratio {many / few:.2f}")
        waiting(path)
        contention(path)


if __name__ == "__main__":
    main()
