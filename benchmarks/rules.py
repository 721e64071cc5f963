"""Speed of deciding: CPU time per message with the shipped rules, and with 500 and 1,000 generated ones.

Run with `python benchmarks/rules.py`. Every message is a different one, in Portuguese or English, of about 5 kB and of
4 to 20 kB: repeating one message would only show that the engines remember it.
"""

import gc
import random
import time
from collections.abc import Mapping
from pathlib import Path

from abuse_triage.model.decision import TicketKind, Tlp
from abuse_triage.rules.evaluate import evaluate
from abuse_triage.rules.facts import FactValue
from abuse_triage.rules.load import TAXONOMY_FILE, load
from abuse_triage.rules.ruleset import Ruleset

FOLDER = Path(__file__).parent.parent / "rules"
MESSAGES = 600
SENTENCES = [
    "O servidor do vosso cliente enviou mensagens não solicitadas para os nossos utilizadores, às vezes cem por hora.",
    "Encontrámos uma página que imita o portal de um banco e pede dados de acesso; o domínio foi registado há dias.",
    "Pedimos que verifiquem a configuração com a maior brevidade e nos digam o que foi feito. Obrigado pela atenção!",
    "A situação foi detetada pela nossa equipa de monitorização durante a noite de sábado para domingo.",
    "The following host in your network has been observed while it was looking for open ports; the times are UTC.",
    "Please investigate, take the appropriate measures to stop this activity, and let us know. Best regards, the team.",
    "Customers told us about a letter that they received, and asked whether the address belongs to our company.",
    "We keep the full evidence for ninety days and can hand it to you or to the police on request.",
]
SYLLABLES = (
    "ba", "ce", "di", "fo", "gu", "lha", "nha", "ção", "res", "tor", "ver", "mal", "net", "pro", "sec", "lim", "tra",
    "con", "dis", "por", "ter", "ven",
)  # fmt: skip


def word(chance: random.Random) -> str:
    """Return an invented word."""
    return "".join(chance.choices(SYLLABLES, k=chance.randrange(2, 5)))


def message(number: int, size: int) -> dict[str, FactValue]:
    """Return the facts of the number-th message."""
    chance = random.Random(number)
    lines: list[str] = []
    length = 0
    while length < size:
        address = f"198.51.100.{chance.randrange(256)}"
        line = chance.choice(
            (
                chance.choice(SENTENCES),
                " ".join(word(chance) for _ in range(14)),
                f"Nov 20 {chance.randrange(24):02}:{chance.randrange(60):02} gw kernel: IN=eth0 SRC={address} DPT=445",
                f'{address} - - [20/Nov/2026] "GET /{word(chance)}/{chance.getrandbits(40):x} HTTP/1.1" 404 153',
            )
        )
        lines.append(line)
        length += len(line) + 1
    return {
        "subject": f"[{number}] {word(chance)} {chance.choice(('abuse report', 'denúncia', 'notificação'))}",
        "body.new": "\n".join(lines),
        "from.domain": "example.org",
        "report.format": "plain",
        "message.readable": True,
        "mailbox.kind": "incident",
        "indicators.ipv4.count": 3,
        "indicators.ipv4": ("198.51.100.1", "198.51.100.2", "198.51.100.3"),
        "indicators.url": tuple(f"https://{word(chance)}.example.pt/{i}" for i in range(5)),
        "indicators.url.count": 5,
    }


def generated(count: int) -> str:
    """Return a file of `count` rules, each with three patterns over the text, none like another."""
    chance = random.Random(7)
    rules = []
    for number in range(count):
        a, b, c, d = (word(chance) for _ in range(4))
        rules.append(
            f"""
  - id: cls.generated-{number}
    phase: classify
    why: made for the benchmark
    when:
      any:
        - {{text: {{words: ['{a} {b}', '{c}x']}}}}
        - {{text: {{re_any: ['{a}(?:s|es)? {{0,2}}{d}', '\\b{b} [a-z]{{1,9}} {c}'], fold: true}}}}
        - {{subject: {{re: '{d}[0-9]{{1,4}}{a}'}}}}
    then: {{vote: {{other: weak}}}}
    tests:
      - {{name: yes, facts: {{text: '{c}x'}}, expect: {{match: true}}}}
      - {{name: no, facts: {{text: '-'}}, expect: {{match: false}}}}"""
        )
    text = "version: 1\nruleset: {id: generated}\nrules:" + "".join(rules)
    return text.replace("ç", "c").replace("ã", "a")


def measure(title: str, ruleset: Ruleset, facts: list[dict[str, FactValue]]) -> None:
    """Print the CPU time of one decision: mean, median, 99th percentile and maximum."""
    for some in facts[:50]:
        decide(ruleset, some)
    gc.collect()
    times = []
    for some in facts[50:]:
        start = time.process_time_ns()
        decide(ruleset, some)
        times.append((time.process_time_ns() - start) / 1000)
    times.sort()
    mean, middle, late = sum(times) / len(times), times[len(times) // 2], times[len(times) * 99 // 100]
    print(f"{title:58} mean {mean:6.0f}  p50 {middle:6.0f}  p99 {late:6.0f}  max {times[-1]:6.0f} µs")


def decide(ruleset: Ruleset, facts: Mapping[str, FactValue]) -> None:
    """Decide one message."""
    evaluate(ruleset, facts, kind=TicketKind.INCIDENT, default_tlp=Tlp.GREEN, marked=None)


def main() -> None:
    """Measure the shipped and the generated rules."""
    taxonomy = (FOLDER / TAXONOMY_FILE).read_text("utf-8")
    shipped = {
        path.name: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.yaml")) if path.name != TAXONOMY_FILE
    }
    start = time.process_time()
    rulesets = {"shipped": load(shipped, taxonomy)}
    print(f"loading the shipped rules: {time.process_time() - start:.2f} s of CPU")
    for count in (500, 1000):
        start = time.process_time()
        rulesets[f"{count} generated"] = load({"50-generated.yaml": generated(count)}, taxonomy)
        print(f"loading {count} generated rules: {time.process_time() - start:.2f} s of CPU")
    small = [message(number, 5000) for number in range(MESSAGES)]
    large = [message(10_000 + number, 4000 + number * 16_000 // MESSAGES) for number in range(MESSAGES)]
    random.Random(1).shuffle(large)
    for name, ruleset in rulesets.items():
        rules = len(ruleset.rules)
        measure(f"{name} ({rules} rules), {MESSAGES} different messages, 5 kB", ruleset, small)
        measure(f"{name} ({rules} rules), {MESSAGES} different messages, 4-20 kB", ruleset, large)


if __name__ == "__main__":
    main()
