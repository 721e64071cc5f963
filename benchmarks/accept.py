"""How many messages a second are accepted, each on the disk before its "250", by SMTP and by LMTP, against peers.

Messages of 5 kB, one connection each, from Postfix's smtp-source; all limits of the intake are on. The peer that ratios
are against is Postfix, which takes the same mail by SMTP into its queue on the same disk; Dovecot is a second one for
LMTP. Rounds alternate, so that all meet the same neighbours; the table shows medians.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import dovecot
import postfix
from served import Served, intake

SESSIONS = (1, 10, 50)
OURS = ("SMTP", "LMTP", "LMTP, socket")
_SHARE_OF_DOVECOT = 4
"""It gets so many times fewer messages, because it takes so many times longer."""
_WARM = 50
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
        folder.chmod(0o755)  # the peers' processes have to get in
        mail = folder / "message"
        mail.write_text(_message(), encoding="utf-8")
        figures = Figures()
        for peer in (postfix, dovecot):
            if reason := peer.why_not():
                print(f"Without a peer: {reason}.", file=sys.stderr)
        for turn in range(options.rounds):
            for sessions in SESSIONS:
                count = options.messages // 4 if sessions == 1 else options.messages
                place = folder / f"{turn}-{sessions}"
                run = Run(figures, place, mail, sessions)
                for kind in OURS:
                    run.us(kind, count)
                if not postfix.why_not():
                    run.postfix(count)
                if not dovecot.why_not():
                    run.dovecot(count // _SHARE_OF_DOVECOT)
    figures.print()


class Figures:
    """What was measured, by who and how many sessions: messages a second, and for us ms of processor time for each."""

    def __init__(self) -> None:
        self._rates: dict[str, dict[int, list[float]]] = {}
        self._cpu: dict[str, dict[int, list[float]]] = {}

    def add(self, who: str, sessions: int, rate: float, cpu_ms: float | None = None) -> None:
        """Keep one run."""
        self._rates.setdefault(who, {}).setdefault(sessions, []).append(rate)
        if cpu_ms is not None:
            self._cpu.setdefault(who, {}).setdefault(sessions, []).append(cpu_ms)

    def print(self) -> None:
        """Print a table of medians, each with its ratio to Postfix, and one line of JSON."""
        print(f"{'':14}" + "".join(f"{f'{sessions} sessions':>22}" for sessions in SESSIONS))
        ratios: dict[str, dict[int, float]] = {}
        for who, runs in self._rates.items():
            cells = []
            for sessions in SESSIONS:
                rate = statistics.median(runs[sessions])
                peer = self._rates.get("Postfix", {}).get(sessions)
                ratio = rate / statistics.median(peer) if peer else 0.0
                ratios.setdefault(who, {})[sessions] = round(ratio, 2)
                cpu = f"{statistics.median(self._cpu[who][sessions]):.2f} ms" if who in self._cpu else ""
                cells.append(f"{rate:>6.0f}/s {ratio:>5.2f} {cpu:>7}")
            print(f"{who:14}" + "".join(f"{cell:>22}" for cell in cells))
        rates = {
            who: {n: [round(rate) for rate in each] for n, each in runs.items()} for who, runs in self._rates.items()
        }
        print(json.dumps({"benchmark": "accept", "per_second": rates, "ratio": ratios}))


@dataclass(frozen=True)
class Run:
    """One turn at one number of sessions, with everything in a folder of its own."""

    figures: Figures
    folder: Path
    mail: Path
    sessions: int

    def us(self, kind: str, count: int) -> None:
        """Measure ourselves by one way in."""
        with intake(self.folder / kind[-6:]) as server:
            where = _where(server, kind)
            _send(where, self.mail, _WARM, 1)
            before = server.cpu_seconds()
            rate = _send(where, self.mail, count, self.sessions)
            self.figures.add(kind, self.sessions, rate, 1000 * (server.cpu_seconds() - before) / count)
            _expect(count + _WARM, server.stored())

    def postfix(self, count: int) -> None:
        """Measure Postfix."""
        with postfix.holding(self.folder) as peer:
            where = [f"127.0.0.1:{peer.port}"]
            _send(where, self.mail, _WARM, self.sessions)
            rate = _send(where, self.mail, count, self.sessions)
            _expect(count + _WARM, postfix.held(peer))
        self.figures.add("Postfix", self.sessions, rate)

    def dovecot(self, count: int) -> None:
        """Measure Dovecot."""
        folder = self.folder / "dovecot"
        with dovecot.running(folder) as socket:
            _send(["-L", f"unix:{socket}"], self.mail, _WARM, self.sessions)
            rate = _send(["-L", f"unix:{socket}"], self.mail, count, self.sessions)
            _expect(count + _WARM, dovecot.delivered(folder))
        self.figures.add("Dovecot LMTP", self.sessions, rate)


def _where(server: Served, kind: str) -> list[str]:
    """Return what smtp-source wants to know of a way in."""
    if kind == "SMTP":
        return [f"127.0.0.1:{server.port}"]
    return ["-L", f"unix:{server.lmtp_socket}" if kind.endswith("socket") else f"127.0.0.1:{server.lmtp_port}"]


def _send(where: list[str], mail: Path, count: int, sessions: int) -> float:
    """Send so many messages; return messages a second."""
    command = ["/usr/sbin/smtp-source", "-s", str(sessions), "-m", str(count), "-F", str(mail)]
    command += ["-f", "reporter@example.org", "-t", "abuse@example.pt", *where]
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


if __name__ == "__main__":
    main()
