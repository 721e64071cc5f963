"""The whole way with every check of the sender on, against none, in alternating runs; SPF, DKIM and DMARC are asked.

Each message is signed (RSA, 2048 bits) and its sender's domain has all three records in a name server on loopback.
"""

import argparse
import itertools
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from daemon import Daemon
from proving import key_records, rsa, signed
from samples import report
from servers.nsd import NameServer, text
from whole_way import rate

_SENDERS = 97
"""So many domains `samples` writes from."""
_OFF = ""
_ON = '\n[authentication]\ncheck = true\nresolver = ["{}"]\n'
_NO_RELAYS = "relays = []\n"
"""SPF is asked about the client, which is on loopback."""


def zone() -> str:
    """Return the records of all senders below example.com."""
    lines = []
    for number in range(_SENDERS):
        name = f"example{number}"
        lines.append(f"{name} IN TXT {text('v=spf1 ip4:127.0.0.0/8 -all')}\n")
        lines.append(f"_dmarc.{name} IN TXT {text('v=DMARC1; p=reject')}\n")
        lines.append(key_records(s1=rsa(2048)).replace("_domainkey", f"_domainkey.{name}"))
    return "".join(lines)


def letters(first: int, count: int) -> Sequence[tuple[str, bytes]]:
    """Return senders and signed reports."""
    made = []
    for number in range(first, first + count):
        sender, raw = report(number)
        made.append((sender, signed(raw, rsa(2048), sender.rpartition("@")[2])))
    return made


def main() -> None:
    """Let two daemons work in turn."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--messages", type=int, default=1000)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    rates: dict[str, list[float]] = {"off": [], "on": []}
    cpu: dict[str, list[dict[str, float]]] = {"off": [], "on": []}
    with (
        tempfile.TemporaryDirectory(prefix="checked-") as one,
        tempfile.TemporaryDirectory(prefix="checked-") as two,
        tempfile.TemporaryDirectory(prefix="checked-") as three,
        NameServer(Path(three), {"example.com": zone()}) as names,
        Daemon(Path(one), smtp=_NO_RELAYS) as off,
        Daemon(Path(two), smtp=_NO_RELAYS, extra=_ON.format(names.address)) as on,
    ):
        starts = itertools.count(0, given.messages)
        for name, daemon in (("off", off), ("on", on)) * given.rounds:
            daemon.start()
            rate(daemon, letters(next(starts), 100), 10)  # warm
            messages = letters(next(starts), given.messages)
            before = daemon.cpu()
            rates[name].append(rate(daemon, messages, 10)[0])
            after = daemon.cpu()
            cpu[name].append({role: after[role] - before.get(role, 0.0) for role in after})
            daemon.stop()
        unproven = sum(not mail.proven for mail in on.store().mails((), given.rounds * 10 * given.messages))
        if unproven:
            raise RuntimeError(f"{unproven} senders were not proven")
    for name, runs in cpu.items():
        roles = {role: 1000 * statistics.median(run[role] for run in runs) / given.messages for role in runs[0]}
        shown = {role: round(value, 2) for role, value in roles.items()}
        print(f"checks {name:3} {[round(value) for value in rates[name]]} messages/s, CPU ms a message: {shown}")
    ratio = statistics.median(rates["on"]) / statistics.median(rates["off"])
    print(f"with all checks on the whole way has {ratio:.2f} times the rate")
    print(json.dumps({"benchmark": "checked", "per_second": rates, "ratio": round(ratio, 2)}))


if __name__ == "__main__":
    main()
