"""What look-ups cost the whole way: 1,000 reports with five indicators each, with slow servers and with dead ones."""

import argparse
import json
import random
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from daemon import Daemon
from servers.rdap import RdapServer
from servers.whois import WhoisServer
from whole_way import rate

REGISTRIES = ("ripe", "arin", "apnic", "lacnic", "afrinic")
LATENCY = 0.3
LIMIT = 1 / 1.1
"""Whole-way throughput is to stay within a tenth of that without look-ups."""


def report(number: int) -> tuple[str, bytes]:
    """Return sender and text of a report about three addresses and two names that no other report has."""
    chance = random.Random(number)
    addresses = [f"9.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(1, 255)}" for _ in range(3)]
    lines = [
        f"From: Reporter {number} <reporter{number}@example{number % 97}.example.com>",
        "To: abuse@example.pt",
        f"Subject: [case {number}] phishing and brute force",
        f"Date: Fri, 20 Nov 2026 {number % 24:02}:{number % 60:02}:07 +0000",
        f"Message-ID: <{number}.{chance.getrandbits(64):x}@example.com>",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "",
        "Hello, these hosts attack us:",
        *addresses,
        f"and these pages imitate ours: hxxps://login.shop-{number}.com/ and hxxps://www.loja-{number}.pt/",
        *(f"Nov 20 10:00:{line:02} gw sshd[{number}]: Failed password for root" for line in range(40)),
    ]
    return f"reporter{number}@example{number % 97}.example.com", "\r\n".join(lines).encode()


@contextmanager
def daemon(mode: str, rdap: RdapServer, whois: WhoisServer) -> Iterator[Daemon]:
    """Run a daemon that asks nobody, or servers that are slow, or that accept nothing."""
    services = "\n".join(f'{name} = "{rdap.base(name)}"' for name in (*REGISTRIES, "com"))
    extra = (
        f'\n[lookups]\nenabled = {str(mode != "off").lower()}\nspread = "1s"\nown_whois = "127.0.0.1:{whois.port}"\n'
        f'abuse_contacts = ""\n[lookups.rdap]\n{services}\n'
    )
    with tempfile.TemporaryDirectory(prefix="looking-") as folder, Daemon(Path(folder), extra=extra) as running:
        running.start()
        yield running


def main() -> int:
    """Run the three in turn and print their rates; returns 1 where look-ups cost more than a tenth."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--messages", type=int, default=1000)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    rates: dict[str, list[float]] = {"off": [], "300 ms": [], "dead": []}
    asked: dict[str, int] = {}
    for round_ in range(given.rounds):
        for mode, found in rates.items():
            fault = "silent" if mode == "dead" else "none"
            with RdapServer() as rdap, WhoisServer(fault=fault, delay=LATENCY) as whois:
                rdap.latency = LATENCY
                if mode == "dead":
                    rdap.accept_nobody()
                with daemon(mode, rdap, whois) as running:
                    first = 1_000_000 * round_
                    rate(running, [report(first + number) for number in range(100)], 10)  # warm
                    messages = [report(first + 1000 + number) for number in range(given.messages)]
                    found.append(rate(running, messages, 10)[0])
                asked[mode] = len(rdap.asked) + len(whois.queries)
    medians = {mode: statistics.median(found) for mode, found in rates.items()}
    worst = min(medians["300 ms"], medians["dead"]) / medians["off"]
    for mode, found in rates.items():
        share = medians[mode] / medians["off"]
        print(f"look-ups {mode}: {list(map(round, found))} messages/s, {share:.2f} times without, {asked[mode]} asked")
    print(f"limit {LIMIT:.2f}, {'kept' if worst >= LIMIT else 'NOT KEPT'}")
    print(
        json.dumps(
            {f"whole_way_lookups_{mode.replace(' ', '_')}_per_s": round(value, 1) for mode, value in medians.items()}
        )
    )
    return worst < LIMIT


if __name__ == "__main__":
    sys.exit(main())
