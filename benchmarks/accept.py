"""How many messages a second are accepted, each on the disk before its "250", against Postfix on the same disk.

Messages of 5 kB, one connection each, from Postfix's smtp-source; all limits of the intake are on. Rounds alternate, so
that both meet the same neighbours; the table shows medians.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import postfix
from served import free_port, intake

SESSIONS = (1, 10, 50)
_WORDS = (
    "phishing",
    "relatório",
    "servidor",
    "from",
    "address",
    "192.0.2.10",
    "hxxps",
    "example",
    "abuse",
    "log",
    "conta",
)


def main() -> None:
    """Measure, print a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--messages", type=int, default=4000, help="of each run; a quarter of it with one session")
    parser.add_argument("--folder", type=Path, default=None, help="where queues are; the disk that is measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        folder.chmod(0o755)  # Postfix's processes have to get in
        mail = folder / "message"
        mail.write_text(_message(), encoding="utf-8")
        figures = _measure(folder, mail, options.rounds, options.messages)
    _print(figures)


def _measure(folder: Path, mail: Path, rounds: int, messages: int) -> dict[str, dict[int, list[float]]]:
    """Return messages a second, and for us milliseconds of processor time a message, by sessions."""
    figures: dict[str, dict[int, list[float]]] = {
        name: {sessions: [] for sessions in SESSIONS} for name in ("ours", "cpu_ms", "postfix")
    }
    reason = postfix.why_not()
    if reason:
        print(f"Without Postfix: {reason}.", file=sys.stderr)
    for turn in range(rounds):
        for sessions in SESSIONS:
            count = messages // 4 if sessions == 1 else messages
            with intake(folder / f"ours-{turn}-{sessions}") as server:
                _send(server.port, mail, 50, 1)  # warm
                before = server.cpu_seconds()
                figures["ours"][sessions].append(_send(server.port, mail, count, sessions))
                figures["cpu_ms"][sessions].append(1000 * (server.cpu_seconds() - before) / count)
                _expect(count + 50, server.stored())
            if not reason:
                port = free_port()
                place = folder / f"postfix-{turn}-{sessions}"
                with postfix.running(place, port):
                    _send(port, mail, 50, sessions)
                    figures["postfix"][sessions].append(_send(port, mail, count, sessions))
                    _expect(count + 50, postfix.held(place))
                postfix.discard(place)
    return figures


def _send(port: int, mail: Path, count: int, sessions: int) -> float:
    """Send so many messages; return messages a second."""
    command = ["/usr/sbin/smtp-source", "-s", str(sessions), "-m", str(count), "-F", str(mail)]
    command += ["-f", "reporter@example.org", "-t", "abuse@example.pt", f"127.0.0.1:{port}"]
    start = time.perf_counter()
    subprocess.run(command, check=True)
    return count / (time.perf_counter() - start)


def _expect(expected: int, found: int) -> None:
    if expected != found:
        raise RuntimeError(f"{expected} messages were sent and {found} are stored")


def _message() -> str:
    """Write a report of 5 kB that compresses like text."""
    chance = random.Random(1)  # the same text in every run
    lines = ["From: Reporter <reporter@example.org>", "To: abuse@example.pt", "Subject: Phishing", ""]
    while len("\n".join(lines)) < 5000 - 80:
        words = " ".join(chance.choice(_WORDS) for _ in range(6))
        lines.append(f"{words} {chance.getrandbits(64):x}")
    return "\n".join(lines) + "\n"


def _print(figures: dict[str, dict[int, list[float]]]) -> None:
    medians = {
        name: {sessions: statistics.median(values) for sessions, values in by_sessions.items() if values}
        for name, by_sessions in figures.items()
    }
    print(f"{'sessions':>8} {'ours/s':>8} {'Postfix/s':>10} {'ratio':>6} {'CPU ms':>7}")
    ratios = {}
    for sessions in SESSIONS:
        ours, peer = medians["ours"][sessions], medians["postfix"].get(sessions)
        ratios[sessions] = round(ours / peer, 2) if peer else None
        print(
            f"{sessions:>8} {ours:>8.0f} {peer or 0:>10.0f} {ratios[sessions] or 0:>6.2f}"
            f" {medians['cpu_ms'][sessions]:>7.2f}"
        )
    print(
        json.dumps(
            {"benchmark": "accept", "per_second": figures["ours"], "postfix": figures["postfix"], "ratio": ratios}
        )
    )


if __name__ == "__main__":
    main()
