"""What OpenPGP costs: a signed and encrypted message of 10 kB decrypted and verified, against gpg called by hand.

CPU is that of this process, of each gpg and of gpg-agent, in milliseconds a message; both ways take turns in one run.
By hand, gpg reads a file, writes to /dev/null, and nobody looks at what it says. The limits are those of the project: a
ratio of 1.2, 5 ms for many known keys, and no cost of a passphrase worth the name.
"""

import argparse
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from pgp import Forge

from abuse_triage.model.openpgp import Signature
from abuse_triage.openpgp import messages
from abuse_triage.openpgp.gpg import Gpg, Limits
from abuse_triage.openpgp.home import Home
from abuse_triage.openpgp.rings import Rings

TEXT = ("O servidor do vosso cliente 203.0.113.7 envia mensagens de phishing para example.pt.\n" * 120).encode()[
    :10_000
]
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Case:
    """One kind of keys: secret ones for the home, the certificates that gpg may know, and the message."""

    name: str
    secret: bytes
    certificates: tuple[bytes, ...]
    message: bytes
    signer: str
    passphrase: bytes = b""


def cpu(agent: int) -> float:
    """Return the seconds of CPU of this process, its ended children, and an agent."""
    own, ended = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    fields = Path(f"/proc/{agent}/stat").read_text().rpartition(")")[2].split()
    ours = own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime
    return ours + (int(fields[11]) + int(fields[12])) / TICK


def agent_of(home: Path) -> int:
    """Return the process of the agent of a home."""
    asked = subprocess.run(
        ("gpg-connect-agent", "--homedir", home, "--no-autostart", "getinfo pid", "/bye"),
        capture_output=True,
        check=True,
    )
    return int(asked.stdout.split()[1])


def opened(gpg: Gpg, rings: Rings, case: Case) -> None:
    """Decrypt and verify as the program does."""
    found = messages.decrypt(gpg, case.message, rings.of(*case.certificates))
    assert (TEXT, Signature.GOOD, case.signer) == (found.plaintext, found.check.signature, found.check.signer), (
        found.failure,
        found.check,
    )


def by_hand(home: Path, file: Path) -> None:
    """Decrypt and verify with gpg alone."""
    command = ("gpg", "--homedir", home, "--batch", "--quiet", "--trust-model", "always", "--decrypt", file)
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


def cost(agent: int, work: Callable[[], None], count: int) -> float:
    """Return milliseconds of CPU for one call."""
    before = cpu(agent)
    for _ in range(count):
        work()
    return (cpu(agent) - before) * 1000 / count


def measure(case: Case, count: int, rounds: int) -> tuple[float, float]:
    """Return milliseconds of CPU for one message, by the program and by hand, each the median of some turns."""
    with tempfile.TemporaryDirectory(prefix="pgp", dir="/dev/shm") as runtime, Home(Path(runtime)) as home:
        home.take(case.secret, b"")
        if case.passphrase:
            home.change_passphrase(case.passphrase)
        file = Path(runtime) / "message"
        file.write_bytes(case.message)
        subprocess.run(
            ("gpg", "--homedir", home.folder, "--batch", "--quiet", "--import"),
            input=b"".join(case.certificates),
            check=True,
        )
        agent, gpg = agent_of(home.folder), Gpg(home.folder, Limits())
        ways = (partial(opened, gpg, Rings(gpg), case), partial(by_hand, home.folder, file))
        for way in ways:
            way()
        costs = [[cost(agent, way, count) for way in ways] for _ in range(rounds)]
    ours, theirs = zip(*costs, strict=True)
    return statistics.median(ours), statistics.median(theirs)


def show(case: Case, count: int, rounds: int, workers: int) -> float:
    """Print what a case costs with some workers, each with a home of its own, and return the program's cost."""
    start = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        pairs = pool.starmap(measure, [(case, count, rounds)] * workers, chunksize=1)
    seconds = time.monotonic() - start
    ours, theirs = (statistics.mean(values) for values in zip(*pairs, strict=True))
    print(
        f"{case.name:32} {workers} worker{'s' * (workers > 1):1} {ours:6.1f} ms, by hand {theirs:6.1f} ms, "
        f"ratio {ours / theirs:.2f} (limit 1.2); {seconds:.0f} s",
        flush=True,
    )
    return ours


def main() -> None:
    """Print all measurements."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--messages", type=int, default=50)
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    with Forge.open() as forge:
        strangers = [forge.generate(f"Parceiro {number} <p{number}@example.pt>") for number in range(19)]

        def case(name: str, team: str, signer: str, *others: str, passphrase: bytes = b"") -> Case:
            return Case(
                name=name,
                secret=forge.secret(team),
                certificates=tuple(map(forge.public, (team, *others, signer))),
                message=forge.encrypted(TEXT, team, signer=signer),
                signer=signer,
                passphrase=passphrase,
            )

        curve = case("cv25519", forge.team, forge.partner)
        many = case("cv25519, 20 candidate keys", forge.team, forge.partner, *strangers)
        locked = case("cv25519, with a passphrase", forge.team, forge.partner, passphrase=os.urandom(32).hex().encode())
        rsa = case("RSA-3072", forge.team_rsa, forge.partner_rsa)
        costs = {each.name: show(each, given.messages, given.rounds, 1) for each in (curve, rsa, many, locked)}
        for each in (curve, rsa):
            show(each, given.messages, given.rounds, 2)
    print(f"19 more candidate keys cost {costs[many.name] - costs[curve.name]:.1f} ms a message (limit 5)")
    print(f"a passphrase costs {costs[locked.name] - costs[curve.name]:.1f} ms a message")


if __name__ == "__main__":
    main()
