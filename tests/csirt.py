"""A small installation with a real store, and the commands run on it."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from contract.values import acknowledgement, parks

from abuse_triage import config, outcomes, pipeline
from abuse_triage.cli.main import cli
from abuse_triage.model.budget import Bucket
from abuse_triage.model.report import NOT_OPENED
from abuse_triage.model.ticket import MailKind, Outgoing
from abuse_triage.service.enriching import Enricher
from abuse_triage.service.knowledge import knowledge_of
from abuse_triage.service.localfiles import LocalFiles
from abuse_triage.service.opening import Opener
from abuse_triage.store import open_store
from abuse_triage.store.interface import Store

HERE = Path(__file__).parent
PHISHING = b"""\
Return-Path: <anna@example.org>
From: Anna Reis <anna@example.org>
To: abuse@example.pt
Subject: Phishing page \x1b[31m of a bank
Date: Sat, 21 Nov 2026 18:00:00 +0000
Message-ID: <1@example.org>
Content-Type: text/plain; charset=utf-8

Hello, there is a phishing page at hxxps://login.banco-exemplo[.]pt/entrar
on 198.51.100.7. Please act.
"""
VACATION = b"""\
From: robot@example.org
Subject: Out of office
Auto-Submitted: auto-replied

I am away.
"""


@dataclass
class Csirt:
    """One installation in a folder of its own."""

    folder: Path

    @property
    def path(self) -> Path:
        """Its configuration file."""
        return self.folder / "config.toml"

    def run(self, *arguments: str, code: int = 0, stdin: bytes | None = None) -> Result:
        """Run a command and check its exit code."""
        result = CliRunner().invoke(
            cli, ["--config", str(self.path), *arguments], input=stdin, prog_name="abuse-triage"
        )
        assert code == result.exit_code, result.output
        return result

    def lines(self, *arguments: str) -> list[str]:
        """Run a command and return what it printed."""
        return self.run(*arguments).stdout.splitlines()

    def json(self, *arguments: str, stdin: bytes | None = None) -> Any:
        """Run a command with --json and return its document."""
        return json.loads(self.run(*arguments, "--json", stdin=stdin).stdout)

    def store(self) -> Store:
        """Open its store."""
        settings = config.load(self.path)
        return open_store(settings.store.path, number_format=config.number_format(settings))

    def take(self, raw: bytes, *options: str) -> str:
        """Take a message in and return its id."""
        return str(self.json("ingest", "-", *options, stdin=raw)[0]["id"])

    def work(self, *, opening: bool = False) -> None:
        """Do what a triage worker does with everything that waits; `opening` has OpenPGP opened with the team's key."""
        settings = config.load(self.path)
        knowledge = knowledge_of(settings)
        store = self.store()
        enricher = Enricher(knowledge, store, store, LocalFiles(settings.lookups))
        while claims := store.claim(50, timedelta(minutes=5)):
            for claimed in claims:
                reading = pipeline.read(claimed.arrival.raw, settings.limits)
                opened = NOT_OPENED
                if opening:
                    with Opener(settings, store) as opener:
                        again = partial(pipeline.read_opened, claimed.arrival.raw, limits=settings.limits)
                        opened = opener.open(reading, claimed.arrival, again)
                keys = pipeline.keys(reading, claimed.arrival, knowledge)
                now = datetime.now(UTC)
                outcome = pipeline.decide(
                    reading,
                    claimed.arrival,
                    keys,
                    store.relations(keys),
                    knowledge,
                    lease=claimed.lease,
                    previous=claimed.previous,
                    now=now,
                    promoted=claimed.promoted,
                    opened=opened,
                    enrichment=enricher.of(reading, opened, claimed.arrival, now),
                    again=claimed.again,
                )
                store.finish([outcome])
        store.close()

    def park(self) -> None:
        """Park the one message that waits, as a rule of the gate does."""
        store = self.store()
        (claimed,) = store.claim(1, timedelta(minutes=5))
        facts = '{"schema": 1, "summary": "Ganhe hxxps://premio.example[.]org"}'
        store.finish([parks(claimed, facts=facts, reason="suspected spam")])
        store.close()

    def hold_mails(self, names: Sequence[str], *, fold: bool = False) -> None:
        """Queue acknowledgements to one person that wait for their budget; with `fold` the first tells of the rest."""
        now = datetime.now(UTC)
        store = self.store()
        for name in names:
            store.queue(acknowledgement(name, "rui@example.org"), now)
        due = [held.mail.id for held in store.due(now, 50) if held.mail.recipient == "rui@example.org"]
        store.pay([(mail_id, [Bucket(name="sender:rui", count=1, span=timedelta(hours=1))]) for mail_id in due], now)
        if fold:
            store.fold(acknowledgement("folded", "rui@example.org"), due, now)
        store.close()

    def fail(self) -> None:
        """Let the one message that waits fail for good."""
        settings = config.load(self.path)
        store = self.store()
        (claimed,) = store.claim(1, timedelta(minutes=5))
        outcome = outcomes.quarantine(
            claimed.arrival,
            "the reader died\x1b[2J",
            knowledge_of(settings),
            lease=claimed.lease,
            previous=None,
            now=datetime.now(UTC),
        )
        store.finish([outcome])
        store.close()

    def lose_a_mail(self) -> int:
        """Queue a mail and let its sender die while it is being sent; returns its id."""
        now = datetime.now(UTC)
        store = self.store()
        mail = Outgoing(
            kind=MailKind.ACKNOWLEDGEMENT, message_id="2@example.pt", recipient="anna@example.org", content=b"x"
        )
        store.queue(mail, now)
        mail_id = next(one.mail.id for one in store.due(now, 50) if one.mail.message_id == mail.message_id)
        store.sending(mail_id, now)
        store.recover(now)
        store.close()
        return mail_id


def install(folder: Path) -> Csirt:
    """Make an installation with `init`, without OpenPGP, and give it a rule set of one rule."""
    result = CliRunner().invoke(cli, ["init", "--dir", str(folder), "--yes", "--no-key"])
    assert 0 == result.exit_code, result.output
    rules = folder / "rules"
    rules.mkdir()
    shutil.copy(HERE / "csirt_rules.yaml", rules / "10-test.yaml")
    shutil.copy(HERE.parent / "rules" / "taxonomy.yaml", rules)
    made = Csirt(folder)
    made.path.write_text(made.path.read_text("utf-8").replace("paths = []", 'paths = ["rules"]'), "utf-8")
    return made


def worked(folder: Path) -> Csirt:
    """Make an installation with one ticket, acknowledged, and one that got no answer."""
    made = install(folder)
    made.take(PHISHING)
    made.take(VACATION, "--sender", "robot@example.org", "--recipient", "csirt@example.pt")
    made.work()
    return made
