"""Speed of what is known about addresses and names without asking anybody: local files, and the cache of answers.

Run with `python benchmarks/lookups.py`. Every address and name is a different one, so that nothing is found because it
was asked before. Times are of the processor; a limit that is missed is exit code 1.
"""

import gc
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import mmdb

from abuse_triage.enrichment.questions import subject_of
from abuse_triage.indicators.scope import Constituency
from abuse_triage.model.decision import Tlp
from abuse_triage.model.identity import AutonomousSystem, ScopeSettings
from abuse_triage.model.lookup_settings import LookupSettings
from abuse_triage.model.lookups import Answer, FoundContact, LookupKind, Result
from abuse_triage.model.message import Place
from abuse_triage.model.report import Indicator, Kind
from abuse_triage.service.localfiles import LocalFiles
from abuse_triage.store.sqlite import SqliteStore
from abuse_triage.store.sqlite.answers import keep

SUBJECTS = 40_000
OWNERS = 50_000
SYSTEMS = 20_000
ANSWERS = 20_000
LEAST_FACTS = 20_000
"""Addresses and names a second and core."""
MOST_CACHE = 100.0
"""Microseconds for one answer out of the cache."""
BATCH = 5
"""Questions that a message asks the cache at once."""


def network(number: int) -> str:
    """Return the number-th network of 256 addresses that is somebody's."""
    return f"{20 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def indicators(chance: random.Random) -> list[Indicator]:
    """Return addresses of both kinds and full host names, about half of which somebody knows something about."""
    found = []
    for number in range(SUBJECTS):
        known = chance.randrange(2 * OWNERS)
        if number % 4 == 0:
            kind, value = Kind.DOMAIN, f"host{number}.loja{known}.{chance.choice(('pt', 'com.pt', 'co.uk'))}"
        elif number % 4 == 1:
            kind, value = Kind.IPV6, str(IPv6Address((0x2A04 << 112) + (known << 80) + number))
        else:
            kind, value = Kind.IPV4, f"{network(known)}.{chance.randrange(256)}"
        found.append(Indicator(kind=kind, value=value, seen=value, places=(Place.BODY,)))
    return found


def files(folder: Path) -> LocalFiles:
    """Write a table of owners and a file of systems, and open them."""
    owners = folder / "owners.csv"
    with owners.open("w") as table:
        table.write("key,owner,contact,note\n")
        for number in range(0, OWNERS, 2):
            who = f"Cliente {number % 500},abuse@cliente{number % 500}.example.pt,"
            table.write(f"{network(number)}.0/24,{who}\nloja{number}.pt,{who}\n")
    records = {
        f"{network(number)}.0/24": {
            "autonomous_system_number": 64496 + number % 16,
            "autonomous_system_organization": f"Rede Exemplo {number % 16}",
        }
        for number in range(0, 2 * SYSTEMS, 2)
    }
    start = time.process_time()
    settings = LookupSettings(owners=owners, asn=mmdb.write(folder / "asn.mmdb", records))
    print(f"making the test files: {time.process_time() - start:.1f} s")
    start = time.process_time()
    opened = LocalFiles(settings)
    print(f"reading {OWNERS} owners and opening the file of systems: {time.process_time() - start:.2f} s")
    return opened


def rate(title: str, step: Callable[[Indicator], object], found: Sequence[Indicator]) -> float:
    """Print and return how many indicators a step does in a second."""
    gc.collect()
    start = time.process_time()
    for one in found:
        step(one)
    speed = len(found) / (time.process_time() - start)
    print(f"{title:52} {speed:12,.0f}/s")
    return speed


def offline(folder: Path) -> float:
    """Measure every step by itself, then all of them over indicators that nobody has seen."""
    blocks = AutonomousSystem(asn=64500, networks=("20.0.0.0/22", "2a04::/32"))
    constituency = Constituency(ScopeSettings(domains=("pt",), second_level=("com.pt",), autonomous_system=(blocks,)))
    local = files(folder)
    alone, together = indicators(random.Random(1)), indicators(random.Random(2))
    subjects = [replace(one, value=subject_of(one, constituency) or one.value) for one in alone]
    rate("scope", constituency.of, alone)
    rate("registrable name, or the address inside", lambda one: subject_of(one, constituency), alone)
    rate("owner and system", lambda one: local.offline(one.value), subjects)

    def everything(one: Indicator) -> object:
        return constituency.of(one), local.offline(subject_of(one, constituency) or one.value)

    return rate(f"all of it (limit {LEAST_FACTS:,})", everything, together)


def answer(number: int) -> Answer:
    """Return what a registry says about the number-th network, or the number-th name."""
    contact = FoundContact(role="abuse", name="Abuse", email="abuse@example.net", source="RDAP abuse role of EX-RIPE")
    if number % 2:
        return Answer(
            kind=LookupKind.DOMAIN,
            subject=f"loja{number}.example",
            server="rdap.example",
            result=Result.FOUND,
            registrar="Registo Exemplo",
            contacts=(contact,),
            name_servers=("ns1.example.net", "ns2.example.net"),
        )
    return Answer(
        kind=LookupKind.NETWORK,
        subject=f"{network(number)}.1",
        server="rdap.example",
        result=Result.FOUND,
        first=f"{network(number)}.0",
        last=f"{network(number)}.255",
        network="EXAMPLE-NET",
        holder="Rede Exemplo",
        country="PT",
        registry="ripe",
        contacts=(contact,),
    )


def cached(folder: Path) -> float:
    """Measure an answer out of a cache with many: the network around another address of it, or a name."""
    now = datetime.now(UTC)
    day = timedelta(days=1)
    with closing(SqliteStore(folder / "triage.sqlite", "{year}-{sequence:06}")) as store:
        with store._db.writing():  # noqa: SLF001 -- a task for each would measure the queue
            for number in range(ANSWERS):
                one = answer(number)
                keep(store._db, one, one.subject, Tlp.GREEN, now=now, fresh=day, stale=day)  # noqa: SLF001 -- as above
        asked = [
            (LookupKind.DOMAIN, f"loja{number}.example") if number % 2 else (LookupKind.NETWORK, f"{network(number)}.9")
            for number in range(ANSWERS)
        ]
        random.Random(3).shuffle(asked)
        start = time.process_time()
        found = sum(len(store.known(asked[at : at + BATCH], Tlp.GREEN, now)) for at in range(0, ANSWERS, BATCH))
        each = (time.process_time() - start) / ANSWERS * 1e6
        assert found == ANSWERS
    print(f"{f'one answer of {ANSWERS} in the cache (limit {MOST_CACHE:.0f} µs)':52} {each:10.0f} µs")
    return each


def main() -> int:
    """Print all measurements; returns 1 where a limit is missed."""
    with tempfile.TemporaryDirectory(prefix="lookups-") as name:
        facts, cache = offline(Path(name)), cached(Path(name))
    return int(facts < LEAST_FACTS or cache > MOST_CACHE)


if __name__ == "__main__":
    sys.exit(main())
