"""Speed of finding indicators: a mail of 5 kB, 1 MB of mixed text, and how the time grows with hostile input.

Run with `python benchmarks/extract.py`. All times are of the processor; for each hostile input they are in milliseconds
at 12.5, 25, 50 and 100 kB, with the growth between the last two: 2 is linear, 4 would be quadratic.
"""

import gc
import itertools
import random
import time

from abuse_triage.indicators.extract import extract
from abuse_triage.indicators.names import canonical, known_tld, registrable
from abuse_triage.indicators.scope import Constituency
from abuse_triage.model.identity import AutonomousSystem, ScopeSettings
from abuse_triage.model.message import Place

KIB = 1000
SIZES = [12_500, 25_000, 50_000, 100_000]
LIMIT = 2000
SENTENCES = [
    "O servidor do vosso cliente enviou mensagens não solicitadas para os nossos utilizadores, às vezes cem por hora.",
    "Pedimos que verifiquem a configuração com a maior brevidade e nos digam o que foi feito. Obrigado pela atenção!",
    "The following host in your network has been observed while scanning our systems; the times are UTC.",
    "Please investigate, take the appropriate measures to stop this activity, and let us know. Best regards, the team.",
]
UNITS = [
    "a.", "1.", "a-", "a_", "-", ".", ":", "::", "a:", "1:", "ab:", "2001:", "::1 ", "@", "a@", "a@b.", "a.pt@", "a=",
    "http://", "http://a.", "://", "hxxp://", "www.", "/", "\\/", "[", "((((", "]", "(.)", "[.]", "a[.]", "a[dot]",
    "[:]", "x", "hxx", "xn--", "deadbeef", "CVE-", " ", " \n", "é", "é.", "e\u0301.", "\u200b", "。", "a。",
    "%2F", "&lt;", "1.1.1.1", "1.1.1.1-", "1.1.1.1/", "1.1.1.1/a ", "a.pt/1.1.1.1/", "192.0.2.1 ", "a.pt ", "a.pt/(",
    "http://a.pt/(", "http://a.pt/,", "=http://a.pt/", "http://a@", "http://a:", "a.pt/tcp ", "(http://a.pt)",
    "References: <a@b.pt> ", "domain: a.pl ", "[at] ", " [.] ", "a [.] ",
]  # fmt: skip


def prose(random_: random.Random, length: int) -> str:
    """Return about `length` characters of log lines between sentences."""
    parts: list[str] = []
    size = 0
    for number in itertools.count():
        if size >= length:
            break
        host, name = f"203.0.113.{random_.randrange(256)}", f"loja{number % 211}.example.pt"
        time_ = f"{random_.randrange(24):02}:{random_.randrange(60):02}:07"
        part = (
            f"{' '.join(random_.choices(SENTENCES, k=2))}\n"
            f"Oct  1 {time_} mx postfix/smtpd[{number}]: reject: RCPT from {name}[{host}]: 554 5.7.1 "
            f"<ana{number % 53}@example.pt>\n"
            f'{host} - - [01/Oct/2026:{time_} +0000] "GET /wp-login.php HTTP/1.1" 404 0 "https://{name}/?id={number}"\n'
        )
        parts.append(part)
        size += len(part)
    return "".join(parts)[:length]


def hostile(size: int) -> dict[str, str]:
    """Return the hostile inputs at one size."""
    inputs = {repr(unit): (unit * (size // len(unit) + 1))[:size] for unit in UNITS}
    inputs["brackets"] = "(" * (size // 2) + "." + ")" * (size // 2)
    inputs["bracketed url"] = "http://a.pt/" + "(" * (size // 2) + ")" * (size // 2)
    inputs["unique names"] = " ".join(f"a{number}.example.pt" for number in range(size // 16))[:size]
    inputs["unique TLDs"] = " ".join(f"a.x{number:x}q" for number in range(size // 9))[:size]
    inputs["unique IDNs"] = " ".join(f"é{number}.pt" for number in range(size // 9))[:size]
    inputs["unique addresses"] = " ".join(f"2001:db8::{number:x}" for number in range(size // 14))[:size]
    inputs["one word"] = "a" * size
    inputs["base64"] = ("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo0NTY3ODkrLw" * (size // 40))[:size]
    return inputs


def seconds(text: str, repeat: int = 3) -> float:
    """Return the best time of some extractions from a text."""
    best = float("inf")
    for _ in range(repeat):
        for cached in (canonical, known_tld, registrable):
            cached.cache_clear()
        start = time.process_time()
        extract([(Place.BODY, text)], LIMIT)
        best = min(best, time.process_time() - start)
    return best


def main() -> None:
    """Print all measurements."""
    random_ = random.Random(1)
    gc.disable()
    mail, megabyte = prose(random_, 5 * KIB), prose(random_, KIB * KIB)
    found, _ = extract([(Place.BODY, mail)], LIMIT)
    print(f"mail of 5 kB with {len(found)} indicators: {seconds(mail, 200) * 1e6:.0f} µs")
    print(f"1 MB of logs and prose: {1 / seconds(megabyte, 5):.1f} MB/s")

    blocks = AutonomousSystem(asn=64500, networks=("203.0.113.0/24", "2001:db8::/32"))
    constituency = Constituency(ScopeSettings(domains=("pt",), autonomous_system=(blocks,)))
    many, _ = extract([(Place.BODY, megabyte)], LIMIT)
    start = time.process_time()
    for indicator in many:
        constituency.of(indicator)
    print(f"scope: {len(many) / (time.process_time() - start):,.0f} look-ups/s\n")

    print(f"{'hostile input':24}" + "".join(f"{size / KIB:>9} kB" for size in SIZES) + "   growth")
    table = [hostile(size) for size in SIZES]
    for name in table[0]:
        times = [seconds(inputs[name]) for inputs in table]
        cells = "".join(f"{value * 1e3:>9.1f} ms" for value in times)
        print(f"{name:24}{cells}{times[-1] / times[-2]:>9.1f}")


if __name__ == "__main__":
    main()
