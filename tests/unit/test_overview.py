"""The digest as it is made from a real store."""

import email
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import policy
from pathlib import Path

import pytest
from csirt import PHISHING, Csirt, install

from abuse_triage import config, outcomes
from abuse_triage.mail import thread
from abuse_triage.model.settings import Settings
from abuse_triage.model.ticket import MailKind
from abuse_triage.service.knowledge import knowledge_of
from abuse_triage.service.overview import digest_input, digest_mails, digest_text

RED = PHISHING.replace(b"Phishing page", b"[TLP:RED] Phishing of the minister").replace(b"<1@", b"<3@")
RECIPIENTS = 'recipients = ["ana@example.pt", "rui@example.pt"]'
PARK = """
  - id: gate.casino
    phase: gate
    why: Nobody reports that.
    when: {subject: {re: 'casino', fold: true}}
    then: {park: advertising}
    tests:
      - {name: word, facts: {subject: Casino}, expect: {match: true, park: true}}
      - {name: another word, facts: {subject: Cinema}, expect: {match: false}}
"""


@pytest.fixture
def csirt(tmp_path: Path) -> Csirt:
    """An installation with something of everything that a digest tells."""
    made = install(tmp_path)
    rules = made.folder / "rules" / "10-test.yaml"
    rules.write_text(rules.read_text("utf-8") + PARK, "utf-8")
    made.path.write_text(made.path.read_text("utf-8").replace("recipients = []", RECIPIENTS), "utf-8")
    for raw in (PHISHING, RED, b"From: x@example.net\r\nSubject: Casino!\r\n\r\nWin.\r\n"):
        made.take(raw, "--sender", "anna@example.org", "--recipient", "abuse@example.pt")
    made.take(
        b"Subject: I am away\r\nAuto-Submitted: auto-replied\r\n\r\nBack soon.\r\n", "--sender", "bob@example.org"
    )
    made.work()
    made.take(b"Subject: odd\r\n\r\n", "--sender", "eve@example.net")
    made.fail()
    made.lose_a_mail()
    return made


@pytest.fixture
def settings(csirt: Csirt) -> Settings:
    """Its settings."""
    return config.load(csirt.path)


def test_a_digest_tells_everything_that_waits_for_a_person(csirt: Csirt, settings: Settings) -> None:
    """Open tickets, new ones, unreadable, parked, not acknowledged, troubled mail and what waits are all in it."""
    store, now = csirt.store(), datetime.now(UTC)
    given = digest_input(settings, store, since=now - timedelta(hours=1), parked_since=None, now=now)
    store.close()
    assert (4, 4) == (given.open_count, len(given.open_tickets))
    assert {"fraud": 2, "other": 2} == dict(given.new)
    assert "Fraud" == given.category_names["fraud"]
    assert ["unreadable report: the reader died\x1b[2J"] == [held.reason for held in given.unreadable]
    assert [("anna@example.org", "advertising", "Casino!")] == [
        (held.sender, held.reason, held.subject) for held in given.parked
    ]
    assert 1 == given.parked_count
    assert {given.open_tickets[0].number[:-6]} == {refused.ticket[:-6] for refused in given.refused}
    assert 2 == len(given.refused)
    assert ["delivery-unknown"] == [mail.state.value for mail in given.troubled]
    waiting = {waits.name: waits.count for waits in given.waiting}
    assert (1, 1, 1, 2) == tuple(
        waiting[name] for name in ("messages quarantined", "messages parked", "mail delivery-unknown", "mail queued")
    )
    assert not any(name.startswith("tickets") for name in waiting)


def test_the_text_withholds_what_is_red_and_holds_nothing_that_a_terminal_obeys(
    csirt: Csirt, settings: Settings
) -> None:
    """Of a TLP:RED ticket only its number is shown; its subject is not, and control characters are gone."""
    store, now = csirt.store(), datetime.now(UTC)
    text = digest_text(settings, store, since=None, now=now)
    store.close()
    assert text.startswith("TLP:RED\n")
    assert "minister" not in text
    assert "withheld" in text
    assert "\x1b" not in text
    assert "Phishing page" in text
    assert 78 >= max(map(len, text.splitlines()))


def test_what_was_before_the_last_digest_is_not_told_again(csirt: Csirt, settings: Settings) -> None:
    """Refusals are told once, parked messages listed once and counted; what waits for a person is told until then."""
    store = csirt.store()
    later = datetime.now(UTC) + timedelta(seconds=5)
    given = digest_input(settings, store, since=later, parked_since=later, now=later)
    store.close()
    assert ((), (), (), 1) == (given.new, given.parked, given.refused, given.parked_count)
    assert (1, 1, 4) == (len(given.unreadable), len(given.troubled), given.open_count)


def test_what_is_parked_late_is_listed_all_the_same(tmp_path: Path) -> None:
    """A message that arrives before a digest and is parked after it is in the next one, however long that takes."""
    csirt = install(tmp_path)
    rules = csirt.folder / "rules" / "10-test.yaml"
    rules.write_text(rules.read_text("utf-8") + PARK, "utf-8")
    csirt.take(b"From: x@example.net\r\nSubject: Casino!\r\n\r\nWin.\r\n", "--sender", "x@example.net")
    settings, store = config.load(csirt.path), csirt.store()
    now = datetime.now(UTC) + timedelta(days=1)
    first = digest_input(settings, store, since=None, parked_since=None, now=now)
    assert () == first.parked
    csirt.work()
    second = digest_input(settings, store, since=now, parked_since=first.settled, now=now + timedelta(days=1))
    third = digest_input(settings, store, since=now, parked_since=second.settled, now=now + timedelta(days=2))
    store.close()
    assert (["Casino!"], 1) == ([held.subject for held in second.parked], second.parked_count)
    assert ((), 1) == (third.parked, third.parked_count)


def test_mail_that_came_back_is_listed_for_a_while(csirt: Csirt, settings: Settings) -> None:
    """A bounced acknowledgement stands in the digests of two weeks; what failed or is unknown, until it is released."""
    csirt.take(b"Subject: Undelivered\r\n\r\nNo such user.\r\n", "--sender", "", "--recipient", "abuse@example.pt")
    store, now = csirt.store(), datetime.now(UTC)
    bounced, *_ = store.due(now, 50)
    store.sending(bounced.mail.id, now)
    store.sent(bounced.mail.id, now, "250 queued")
    (claimed,) = store.claim(50, timedelta(minutes=5))
    report = outcomes.quarantine(
        claimed.arrival, "a bounce", knowledge_of(settings), lease=claimed.lease, previous=None, now=now
    )
    store.finish([replace(report, undeliverable=(bounced.mail.message_id,))])
    for days, expected in ((13, {"undeliverable", "delivery-unknown"}), (15, {"delivery-unknown"})):
        later = now + timedelta(days=days)
        given = digest_input(settings, store, since=now, parked_since=now, now=later)
        assert expected == {mail.state.value for mail in given.troubled}
    assert bounced.mail.ticket in {
        mail.ticket for mail in digest_input(settings, store, since=now, parked_since=now, now=now).troubled
    }
    store.close()


def test_every_handler_gets_a_mail_of_ours(csirt: Csirt, settings: Settings) -> None:
    """One mail for each recipient, with a signed Message-ID that depends on the time that was due and the recipient."""
    store, now = csirt.store(), datetime.now(UTC)
    due = now.replace(minute=0, second=0, microsecond=0)
    given = digest_input(settings, store, since=None, parked_since=None, now=now)
    mails = digest_mails(settings, given, due=due)
    again = digest_mails(settings, replace(given, at=now + timedelta(seconds=9)), due=due)
    next_ones = digest_mails(settings, given, due=due + timedelta(hours=8))
    text = digest_text(settings, store, since=None, now=now)
    store.close()
    assert ["ana@example.pt", "rui@example.pt"] == [mail.recipient for mail in mails]
    assert [mail.message_id for mail in mails] == [mail.message_id for mail in again]
    assert 4 == len({mail.message_id for mail in (*mails, *next_ones)})
    assert all(thread.is_own(mail.message_id, config.secret(settings)) for mail in mails)
    for mail in mails:
        message = email.message_from_bytes(mail.content, policy=policy.default)
        assert MailKind.DIGEST is mail.kind
        assert mail.recipient == message["To"]
        assert settings.mailbox[0].address in message["From"]
        assert "4 open" in message["Subject"]
        assert "TLP:RED" in message["Subject"]
        assert text.splitlines() == message.get_content().splitlines()
