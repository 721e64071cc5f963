"""The whole way: received → ticket → acknowledgement in the outbox. Rate, latency, growth of cost, memory."""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from client import send_all
from daemon import Daemon
from samples import report

from abuse_triage.store.interface import Store


def waiting(store: Store) -> int:
    """Count the messages that have no outcome yet."""
    return store.waiting()


def reports(first: int, count: int) -> list[tuple[str, bytes]]:
    """Return so many different reports with their senders."""
    return [report(number) for number in range(first, first + count)]


def rate(daemon: Daemon, messages: Sequence[tuple[str, bytes]], sessions: int) -> tuple[float, float, list[float]]:
    """Send messages; returns whole-way messages/s, accept messages/s, and the accept latencies."""
    count, store = len(messages), daemon.store()
    started = time.perf_counter()
    latencies = send_all(daemon.port, messages, sessions)
    accepted = time.perf_counter()
    while waiting(store):
        time.sleep(0.01)
    ended = time.perf_counter()
    return count / (ended - started), count / (accepted - started), latencies


def trickle(daemon: Daemon, first: int, count: int) -> list[float]:
    """Send one report a second; returns seconds from "250" to the acknowledgement in the outbox."""
    store, waits = daemon.store(), []
    for number in range(first, first + count):
        before = time.perf_counter()
        send_all(daemon.port, [report(number)], 1)
        answered = time.perf_counter()
        while waiting(store):
            time.sleep(0.001)
        waits.append(time.perf_counter() - answered)
        time.sleep(max(0.0, 1.0 - (time.perf_counter() - before)))
    return waits


def milliseconds(values: list[float]) -> str:
    """Write p50 and p99."""
    ranked = sorted(values)
    return f"p50 {statistics.median(ranked) * 1000:.1f} ms, p99 {ranked[int(len(ranked) * 0.99)] * 1000:.1f} ms"


def main() -> None:
    """Run and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--messages", type=int, default=4000)
    options.add_argument("--seconds", type=int, default=60, help="length of the trickle")
    options.add_argument("--archive", type=int, default=100_000, help="tickets stored for the second run")
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    result: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="whole-way-") as folder, Daemon(Path(folder)) as daemon:
        daemon.start()
        rate(daemon, reports(10_000_000, 200), 10)  # warm
        before = daemon.cpu()
        fresh = [rate(daemon, reports(round_ * given.messages, given.messages), 10) for round_ in range(given.rounds)]
        result["whole_way_per_s"] = statistics.median(value[0] for value in fresh)
        result["accept_while_busy_per_s"] = statistics.median(value[1] for value in fresh)
        print(f"whole way, 10 sessions: {[round(value[0]) for value in fresh]} messages/s, aim 400")
        used = {name: seconds - before.get(name, 0.0) for name, seconds in daemon.cpu().items()}
        per_message = 1000 / (given.rounds * given.messages)
        print("CPU ms a message:", {name: round(seconds * per_message, 2) for name, seconds in used.items()})
        print(f"accepting while triage is busy: {milliseconds([x for value in fresh for x in value[2]])}")
        waits = trickle(daemon, 20_000_000, given.seconds)
        result["latency_p50_s"], result["latency_p99_s"] = statistics.median(waits), max(waits)
        print(f'"250" to outbox at 1 message/s: {milliseconds(waits)}, aim p99 < 1 s')
        print(f"peak memory in kB: {daemon.peaks()}")
    print(json.dumps({name: round(value, 4) for name, value in result.items()}))


if __name__ == "__main__":
    main()
