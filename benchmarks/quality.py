"""Who is acknowledged and who is not: five sets of mail through the real daemon, each with its own return paths.

A sixth, with OpenPGP, goes through reader and opener only: what is proven about each message.

`make quality` writes the tables into docs/quality.md. `automatic`, `reports` and `openpgp` are sample messages that
nobody here wrote (ABUSE_TRIAGE_CORPORA); `human` is tests/human, with the address that each answer has to go to.
"""

import argparse
import os
import re
import smtplib
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email import message_from_bytes
from email.utils import parseaddr
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from daemon import Daemon  # noqa: E402 -- the path above
from openpgp_samples import Known, judged, protections  # noqa: E402 -- see above
from pgp import Forge  # noqa: E402 -- see above

from abuse_triage import config  # noqa: E402 -- see above
from abuse_triage.mail import thread  # noqa: E402 -- see above
from abuse_triage.store.interface import MessageFilter, StoredMessage  # noqa: E402 -- see above

OWN_LIST = 'own_lists = ["abuse.lists.example.pt"]'
"""The operator's own list, which some of the mails by people came over."""
DOCUMENT = ROOT / "docs" / "quality.md"
HUMAN = ROOT / "tests" / "human"
JUDGED = Path(__file__).with_name("judged.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One mail with its envelope; `answer` is the address that its answer has to go to, "" for nobody."""

    name: str
    content: bytes
    sender: str
    recipient: str = "abuse@example.pt"
    answer: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of a sample; `answered` is the address that was written to, "" for none."""

    sample: Sample
    message: StoredMessage
    answered: str


def measure(samples: Sequence[Sample], *, reply: str = "", extra: str = "") -> list[Result]:
    """Send every sample to a daemon of its own configuration and return what became of each."""
    with tempfile.TemporaryDirectory() as folder, Daemon(Path(folder), reply=reply, extra=extra) as daemon:
        daemon.start()
        sent: dict[str, Sample] = {}
        for sample in samples:
            with smtplib.SMTP("127.0.0.1", daemon.port, timeout=60) as client:
                client.ehlo()
                client.command_encoding = "utf-8"
                client.mail(sample.sender, [] if sample.sender.isascii() else ["SMTPUTF8"])
                client.rcpt(sample.recipient)
                # Lines end with CRLF on their way (RFC 5321 section 2.3.8), whatever they do in a file.
                code, answer = client.data(re.sub(rb"(?<!\r)\n", b"\r\n", sample.content))
                if code != 250:
                    raise SystemExit(f"{sample.name} was not accepted: {code} {answer!r}")
                sent[answer.decode().rpartition(" ")[2]] = sample
            daemon.drain(600)
        store, secret = daemon.store(), config.secret(daemon.settings)
        recipients = {mail.message_id: mail.recipient for mail in store.mails((), 100_000)}
        domain = daemon.settings.reply.message_id_domain
        return [
            Result(
                sample=sent[message.id],
                message=message,
                answered=recipients.get(thread.own_id("ack", message.id, secret, domain), ""),
            )
            for message in reversed(store.messages(MessageFilter(limit=100_000)))
        ]


def samples_of(folder: Path) -> list[Sample]:
    """Return the mails of a folder, each with the return path that it came with, or else its From."""
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        message = message_from_bytes(content[:64_000])
        given = message["Return-Path"] or message["From"] or ""
        address = "" if "<>" in str(given) else parseaddr(str(given))[1]
        plain = re.fullmatch(r"[!-~]+@[!-~]+", address)
        sender = address if plain or not address else "unknown@example.com"
        found.append(Sample(name=str(path.relative_to(folder)), content=content, sender=sender))
    return found


def human_samples(folder: Path) -> tuple[list[Sample], str]:
    """Return a set of mails by people and the contacts that they were written for, as configuration."""
    expected = yaml.safe_load((folder / "expected.yaml").read_text("utf-8"))
    extra = '[authentication]\nauthserv_id = "mx.example.pt"\n'
    for contact in yaml.safe_load((folder / "contacts.yaml").read_text("utf-8")):
        extra += f"[[contact]]\nname = {_toml(contact['name'])}\n"
        for key in ("addresses", "domains"):
            extra += f"{key} = {_toml(contact.get(key) or [])}\n"
    samples = [
        Sample(
            name=entry["file"].removeprefix("mails/"),
            content=(folder / "mails" / entry["file"].removeprefix("mails/")).read_bytes(),
            sender=entry["sender"] or "",
            recipient=entry["recipient"],
            answer=entry["answer"] or "",
            why=entry["why"],
        )
        for entry in expected
    ]
    return samples, extra


def automatic_table(results: Sequence[Result]) -> str:
    """Say how many automatic mails were answered, and which."""
    judged = _judged("automatic")
    answered = [result for result in results if result.answered]
    rest = len(results) - len(answered)
    rows = [
        ("mails", str(len(results))),
        ("not answered", f"{rest} ({100 * rest / len(results):.2f} %)"),
        *((f"answered: `{result.sample.name}`", judged(result)) for result in answered),
    ]
    reasons = Counter(result.message.refused for result in results if not result.answered)
    return _table(("", ""), rows) + "\n" + _table(("not answered because", "mails"), _counted(reasons))


def reports_table(results: Sequence[Result]) -> str:
    """Say how many reports have a ticket, and why which were not acknowledged."""
    judged = _judged("reports")
    tickets = sum(bool(result.message.ticket) for result in results)
    refused = [result for result in results if not result.answered]
    rows = [
        ("reports", str(len(results))),
        ("with a ticket", f"{tickets} ({100 * tickets / len(results):.1f} %)"),
        ("acknowledged", str(len(results) - len(refused))),
        ("not acknowledged", str(len(refused))),
    ]
    details = [(f"`{result.sample.name}`", result.message.refused, judged(result)) for result in refused]
    return _table(("", ""), rows) + "\n" + _table(("not acknowledged", "because", "judged"), details)


def human_table(results: Sequence[Result]) -> str:
    """Say how many people were answered at the right address, and who was not."""
    people = [result for result in results if result.sample.answer]
    others = [result for result in results if not result.sample.answer]
    right = [result for result in people if _same(result.answered, result.sample.answer)]
    silent = [result for result in others if not result.answered]
    rows = [
        ("people", str(len(people))),
        ("acknowledged at the right address", f"{len(right)} ({100 * len(right) / len(people):.1f} %)"),
        ("with a ticket", str(sum(bool(result.message.ticket) for result in people))),
        ("others, who must not be answered", str(len(others))),
        ("not answered", f"{len(silent)} ({100 * len(silent) / len(others):.1f} %)"),
    ]
    wrong = [
        (
            f"`{result.sample.name}`",
            result.sample.answer or "nobody",
            result.answered or f"nobody: {result.message.refused}",
        )
        for result in results
        if not _same(result.answered, result.sample.answer)
    ]
    return _table(("", ""), rows) + (
        "\n" + _table(("other than expected", "expected", "found"), wrong) if wrong else ""
    )


def openpgp_table(corpora: Path) -> str:
    """Say what is proven about each message with OpenPGP, without and with its sender's key."""
    found = {}
    with Forge.open() as forge:
        for known in Known:
            with tempfile.TemporaryDirectory() as folder:
                found[known] = protections(corpora, forge, Path(folder), known)
    said = judged()
    rows = [
        (
            f"`{name}`",
            str(unknown.form or ""),
            unknown.words,
            _unless_same(found[Known.EVERYBODY][name].words, unknown.words),
            _unless_same(found[Known.REVOKED][name].words, found[Known.EVERYBODY][name].words),
            said[name].why if name in said else "not judged",
        )
        for name, unknown in found[Known.NOBODY].items()
    ]
    counts = [("messages", str(len(rows)))]
    for known, words in ((Known.NOBODY, "no key"), (Known.EVERYBODY, "the keys"), (Known.REVOKED, "the revocations")):
        counts.append((f"verified with {words}", str(sum(one.verified for one in found[known].values()))))
    head = ("message", "form", "no key is known", "with the keys", "with the revocations", "judged")
    return _table(("", ""), counts) + "\n" + _table(head, rows)


def written(text: str, tables: dict[str, str]) -> str:
    """Return a document with its tables renewed, between `<!-- quality: NAME -->` and `<!-- end -->`."""
    for name, table in tables.items():
        start = f"<!-- quality: {name} -->\n"
        before, found, rest = text.partition(start)
        if not found:
            raise SystemExit(f"{DOCUMENT} has no place for the table {name}")
        text = f"{before}{start}\n{table}\n<!-- end -->{rest.partition('<!-- end -->')[2]}"
    return text


def _judged(kind: str) -> "_Judge":
    return _Judge((yaml.safe_load(JUDGED.read_text("utf-8")) or {}).get(kind) or {})


class _Judge:
    """What a person said about single samples, by the beginning of their names."""

    def __init__(self, said: dict[str, str]) -> None:
        self._said = said

    def __call__(self, result: Result) -> str:
        return next((why for name, why in self._said.items() if result.sample.name.startswith(name)), "not judged")


def _same(one: str, other: str) -> bool:
    return one.lower() == other.lower()


def _unless_same(words: str, before: str) -> str:
    return "" if words == before else words


def _toml(value: object) -> str:
    return str(value).replace("'", '"') if isinstance(value, list) else f'"{value}"'


def _counted(counts: Counter[str]) -> list[tuple[str, str]]:
    return [(reason, str(count)) for reason, count in counts.most_common()]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure what there is, print the tables, and write them into the document where asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="write the tables into docs/quality.md")
    parser.add_argument("sets", nargs="*", default=["automatic", "reports", "human", "second", "third", "openpgp"])
    arguments = parser.parse_args()
    corpora = Path(os.environ.get("ABUSE_TRIAGE_CORPORA") or ROOT.parent / "shared" / "corpora")
    if corpora.name == "required":
        corpora = ROOT.parent / "shared" / "corpora"
    tables = {}
    for name, table in (("automatic", automatic_table), ("reports", reports_table)):
        if name in arguments.sets and (corpora / name).is_dir():
            tables[name] = table(measure(samples_of(corpora / name)))
    for name, folder in (("human", HUMAN), ("second", HUMAN / "second"), ("third", HUMAN / "third")):
        if name in arguments.sets:
            samples, contacts = human_samples(folder)
            tables[name] = human_table(measure(samples, reply=OWN_LIST, extra=contacts))
    if "openpgp" in arguments.sets and (corpora / "openpgp").is_dir():
        tables["openpgp"] = openpgp_table(corpora)
    for name, table in tables.items():
        print(f"## {name}\n\n{table}")
    if arguments.write:
        DOCUMENT.write_text(written(DOCUMENT.read_text("utf-8"), tables), "utf-8")


if __name__ == "__main__":
    main()
