"""What a message costs with many tickets stored, against none: whole-way rates in alternating runs, and their ratio."""

import argparse
import itertools
import statistics
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from daemon import Daemon
from store import arrival, outcome
from whole_way import rate, reports

from abuse_triage.store.interface import Store

_BATCH = 500


def fill(store: Store, count: int) -> None:
    """Store so many tickets with all that belongs to them, a quarter with an acknowledgement that was sent."""
    for start in range(0, count, _BATCH):
        numbers = range(start, min(start + _BATCH, count))
        store.accept([arrival(number) for number in numbers])
        decided = [outcome(claimed) for claimed in store.claim(len(numbers), timedelta(minutes=5))]
        store.finish([replace(each, outgoing=each.outgoing if n % 4 == 0 else ()) for n, each in enumerate(decided)])
        now = datetime.now(UTC) + timedelta(seconds=1)
        for due in store.due(now, _BATCH):
            store.sending(due.mail.id, now)
            store.sent(due.mail.id, now, "250 taken")


def main() -> None:
    """Fill one of two daemons, then let both work in turn."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--tickets", type=int, default=100_000)
    options.add_argument("--messages", type=int, default=2000)
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    rates: dict[str, list[float]] = {"empty": [], "full": []}
    cpu: dict[str, list[float]] = {"empty": [], "full": []}
    with (
        tempfile.TemporaryDirectory(prefix="archive-") as one,
        tempfile.TemporaryDirectory(prefix="archive-") as two,
        Daemon(Path(one)) as empty,
        Daemon(Path(two)) as full,
    ):
        fill(full.store(), given.tickets)
        counter = itertools.count(1)
        for name, daemon in (("empty", empty), ("full", full)) * given.rounds:
            daemon.start()
            rate(daemon, reports(next(counter) * 1_000_000, 200), 10)  # warm
            before = sum(daemon.cpu().values())
            rates[name].append(rate(daemon, reports(next(counter) * 1_000_000, given.messages), 10)[0])
            cpu[name].append(sum(daemon.cpu().values()) - before)
            daemon.drain(600)
            daemon.stop()
    for name, seconds_used in cpu.items():
        milliseconds = [1000 * seconds / given.messages for seconds in seconds_used]
        print(
            f"{name:6} {[round(value) for value in rates[name]]} messages/s, "
            f"CPU {statistics.median(milliseconds):.2f} ms a message"
        )
    cost = statistics.median(cpu["full"]) / statistics.median(cpu["empty"])
    print(f"with {given.tickets} tickets a message costs {cost:.2f} times the CPU of one with none; limit 1.2")
    slower = statistics.median(rates["empty"]) / statistics.median(rates["full"])
    print(f"and {slower:.2f} times the time")


if __name__ == "__main__":
    main()
