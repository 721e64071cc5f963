"""Budgets with the real sender, store and SMTP server: mail waits, is folded, and is never lost or sent twice."""

import email
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from email.message import Message
from pathlib import Path

import pytest
from contract.engines import NUMBERS
from contract.values import digest, notice, open_ticket
from daemon import Daemon
from daemon import report as report_of
from integration.test_sender import NOW, SECRET, Until, killed_at, settings_of
from servers.smtp_sink import SmtpSink
from structlog.testing import capture_logs

from abuse_triage.mail.compose import compose
from abuse_triage.mail.thread import is_own, own_id
from abuse_triage.model.settings import Settings
from abuse_triage.model.ticket import NUMBER_PLACEHOLDER, MailKind, MailState, Outgoing
from abuse_triage.service.sender import run_sender
from abuse_triage.store import open_store
from abuse_triage.store.interface import Store
from abuse_triage.store.outbox import StoredMail

HOUR = timedelta(hours=1)
ANA = "ana@example.org"
NUMBERS_OF_FOUR = [f"TEST#2026-{number:06}" for number in range(1, 5)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Open a store of its own."""
    opened = open_store(tmp_path / "store.sqlite", NUMBERS)
    yield opened
    opened.close()


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[SmtpSink]:
    """A server that takes everything."""
    with SmtpSink(tmp_path / "sink") as server:
        yield server


def acknowledgement(name: str, recipient: str = ANA, *, proven: bool = True) -> Outgoing:
    """The answer to a message, with a number still to come."""
    message_id = own_id("ack", name, SECRET, "csirt.example.pt")
    content = compose(
        kind=MailKind.ACKNOWLEDGEMENT,
        message_id=message_id,
        sender_name="CSIRT Exemplo",
        sender="abuse@example.pt",
        recipient=recipient,
        subject=f"[{NUMBER_PLACEHOLDER}] Auto: Report received",
        body="We received your report.\n",
        date=NOW,
    )
    return Outgoing(
        kind=MailKind.ACKNOWLEDGEMENT,
        message_id=message_id,
        recipient=recipient,
        content=content,
        proven=proven,
        answers=f"{name}@mail.example.org",
        language="pt",
    )


def report(store: Store, name: str, recipient: str = ANA, *, proven: bool = True) -> None:
    """Let a report come in that opens a ticket and is acknowledged."""
    open_ticket(store, name, sender=recipient, outgoing=(acknowledgement(name, recipient, proven=proven),))


def reports(store: Store, count: int, recipient: str = ANA, *, proven: bool = True) -> None:
    """Let several come in from one person."""
    for number in range(count):
        report(store, f"m{number:03}", recipient, proven=proven)


def work(settings: Settings, store: Store, after: timedelta = timedelta(0)) -> list[dict[str, object]]:
    """Let a sender work until nothing is due so long after noon; returns what it logged."""
    at = NOON + after
    with capture_logs() as logs:
        run_sender(settings, store, Until(lambda: not store.due(at, 1)), now=lambda: at, chance=lambda: 0.0)
    return [dict(entry) for entry in logs]


NOON = NOW + timedelta(hours=2, minutes=31)  # after the journals that `open_ticket` writes


def states(store: Store) -> list[str]:
    """The states of all mails, oldest first."""
    return [mail.state.value for mail in reversed(store.mails((), 1000))]


def held(store: Store) -> list[StoredMail]:
    """Those that wait for their budget."""
    return store.mails((MailState.HELD,), 1000)


def last(sink: SmtpSink) -> Message:
    """The mail that arrived last."""
    return email.message_from_bytes(sink.mails()[-1].content)


def text(message: Message) -> str:
    """What it says."""
    return bytes(message.get_payload(decode=True)).decode()


def test_what_is_over_waits_and_leaves_as_one(tmp_path: Path, store: Store, sink: SmtpSink) -> None:
    """Two of six leave at once, the others wait, and when one may leave it tells all of their numbers."""
    settings = settings_of(tmp_path, sink.address, budget={"sender": "2/1h"})
    reports(store, 6)
    logs = work(settings, store)
    assert ["sent"] * 2 + ["held"] * 4 == states(store)
    assert 4 * [("mail-held", "info", "sender")] == [
        (entry["event"], entry["log_level"], entry["budget"]) for entry in logs if entry["event"] != "mail-sent"
    ]
    assert "ana" not in str(logs)
    assert 2 == len(sink.mails())

    logs = work(settings, store, HOUR / 2)
    assert ["sent"] * 2 + ["folded"] * 4 + ["sent"] == states(store)
    assert ["mail-folded", "mail-sent"] == [entry["event"] for entry in logs]
    assert 4 == logs[0]["folded"]
    assert 3 == len(sink.mails())
    told = last(sink)
    numbers = [f"TEST#2026-{number:06}" for number in range(3, 7)]
    assert [True] * 4 == [number in text(told) for number in numbers]
    assert "TEST#2026-000002" not in text(told)
    assert [f"<m{number:03}@mail.example.org>" for number in range(2, 6)] == told["References"].split()
    assert (f"<{ANA}>", "auto-replied") == (told["To"], told["Auto-Submitted"])
    assert ("", ANA) == (sink.mails()[-1].sender, sink.mails()[-1].recipient)
    assert is_own(told["Message-ID"].strip("<>"), SECRET)
    assert [] == work(settings, store, 48 * HOUR)


def test_each_person_waits_alone(tmp_path: Path, store: Store, sink: SmtpSink) -> None:
    """One reporter's flood delays nobody else, and only what waits for the same address is folded."""
    settings = settings_of(tmp_path, sink.address, budget={"sender": "1/1h"})
    reports(store, 3)
    report(store, "n1", "rui@example.org")
    report(store, "n2", "rui@example.org")
    work(settings, store)
    assert {ANA, "rui@example.org"} == {mail.recipient for mail in sink.mails()}
    work(settings, store, HOUR)
    assert 4 == len(sink.mails())
    assert [3, 1] == [states(store).count("sent") - 1, states(store).count("held") + 1]
    assert 2 == states(store).count("folded")


def test_mail_that_may_not_leave_yet_uses_up_no_budget(tmp_path: Path, store: Store, sink: SmtpSink) -> None:
    """Until its time comes a mail neither draws from a budget nor is folded; then it waits and is folded as others."""
    settings = settings_of(tmp_path, sink.address, budget={"sender": "1/1h"})
    for name, minutes in (("m1", 2), ("m2", 0), ("m3", 3)):
        mail = replace(acknowledgement(name), not_before=NOON + timedelta(minutes=minutes))
        open_ticket(store, name, sender=ANA, outgoing=(mail,))
    work(settings, store)
    assert ["queued", "sent", "queued"] == states(store)
    assert [] == held(store)
    work(settings, store, timedelta(minutes=2))
    assert [NOON + timedelta(minutes=2)] == [mail.held_at for mail in held(store)]
    work(settings, store, timedelta(minutes=4))
    work(settings, store, HOUR + timedelta(minutes=4))
    assert ["folded", "sent", "folded", "sent"] == states(store)


def test_held_mail_is_logged_once(tmp_path: Path, store: Store, sink: SmtpSink) -> None:
    """A mail that waits for one budget, and then for another one, waits since the beginning and is logged once."""
    settings = settings_of(tmp_path, sink.address, budget={"sender": "1/1h", "proven": "2/10h"})
    reports(store, 2)
    report(store, "n1", "rui@example.org")
    assert ["sender"] == [entry["budget"] for entry in work(settings, store) if entry["event"] == "mail-held"]
    assert [] == work(settings, store, HOUR)
    (mail,) = held(store)
    assert (NOON, NOON + 5 * HOUR) == (mail.held_at, mail.next_try)
    work(settings, store, 5 * HOUR)
    assert ["sent"] * 3 == states(store)


def test_what_may_leave_alone_is_not_kept_for_a_fold(tmp_path: Path, store: Store, sink: SmtpSink) -> None:
    """Where two may leave and two more wait, one of them tells of those, and the other leaves as it is."""
    settings = settings_of(tmp_path, sink.address, budget={"sender": "2/1h"})
    reports(store, 6)
    work(settings, store)
    work(settings, store, HOUR)
    assert ["sent", "sent", "folded", "sent", "folded", "folded", "sent"] == states(store)
    assert 4 == len(sink.mails())


def test_budget_of_all_delays_everybody_in_turn(tmp_path: Path, store: Store, sink: SmtpSink) -> None:
    """Under a flood from many senders each mail leaves in its turn, and every one of them leaves."""
    settings = settings_of(tmp_path, sink.address, budget={"unproven": "2/1h"})
    for number in range(9):
        report(store, f"m{number}", f"r{number}@example{number}.org", proven=False)
    for halves in range(8):
        work(settings, store, halves * HOUR / 2)
        assert halves + 2 == len(sink.mails())
    assert [f"r{number}@example{number}.org" for number in range(9)] == [mail.recipient for mail in sink.mails()]
    assert ["sent"] * 9 == states(store)


def test_forged_mail_cannot_use_up_the_reserve(tmp_path: Path, store: Store, sink: SmtpSink) -> None:
    """However much unproven mail in a person's name waits, the person who is proven is told at once of what is his."""
    budget = {"unproven_sender": "1/1d", "unproven": "3/1h", "domain": "3/1h"}
    settings = settings_of(tmp_path, sink.address, budget=budget)
    reports(store, 60, proven=False)
    for number in range(20):
        report(store, f"x{number}", f"r{number}@example.org", proven=False)
    work(settings, store)
    report(store, "real", proven=True)
    assert 77 == len(held(store))
    work(settings, store, timedelta(seconds=1))
    assert ANA == sink.mails()[-1].recipient
    # What others may have forged does not leave with it: it would hide her number among theirs.
    assert "[TEST#2026-000081] Auto: Report received" == last(sink)["Subject"]
    assert 77 == len(held(store))
    assert 0 == states(store).count("folded")


def test_freemail_shares_no_budget(tmp_path: Path, store: Store, sink: SmtpSink) -> None:
    """Users of a freemail service do not wait for each other, colleagues in one organisation do."""
    settings = settings_of(tmp_path, sink.address, budget={"domain": "2/1h"})
    for number in range(5):
        report(store, f"g{number}", f"r{number}@gmail.com")
        report(store, f"e{number}", f"r{number}@example.org")
    work(settings, store)
    domains = [mail.recipient.partition("@")[2] for mail in sink.mails()]
    assert (5, 2) == (domains.count("gmail.com"), domains.count("example.org"))


def test_mail_for_handlers_never_waits(tmp_path: Path, store: Store, sink: SmtpSink) -> None:
    """Digests and notices have no budget, and their bounces come to us."""
    settings = settings_of(tmp_path, sink.address, budget={"proven": "1/1h", "unproven": "1/1h", "sender": "1/1h"})
    for number in range(4):
        store.queue(digest(f"d{number}"), NOW)
        store.queue(notice(f"n{number}"), NOW)
    work(settings, store)
    assert ["abuse@example.pt"] * 8 == [mail.sender for mail in sink.mails()]


def test_notice_is_sent_at_least_once(tmp_path: Path, store: Store) -> None:
    """Where nobody can tell whether a notice arrived, it goes out again, also after a sender was killed."""
    store.queue(notice(), NOW)
    with SmtpSink(tmp_path / "sink", faults=["drop-after-data"]) as sink:
        settings = settings_of(tmp_path, sink.address)
        work(settings, store)
        assert ["queued"] == states(store)
        killed_at("sender.after-data", settings, tmp_path / "store.sqlite", NOON + HOUR)
        work(settings, store, 2 * HOUR)
        assert 3 == len(sink.mails())
    assert ["sent"] == states(store)


@pytest.mark.parametrize("fault", ["rcpt-4xx", "data-4xx", "rcpt-421"])
def test_mail_that_is_put_off_is_not_paid_again(fault: str, tmp_path: Path, store: Store) -> None:
    """A mail whose budget is paid keeps it while the route is down, and takes no more of it."""
    with SmtpSink(tmp_path / "sink", faults=[fault]) as sink:
        settings = settings_of(tmp_path, sink.address, budget={"sender": "1/1d"})
        reports(store, 2)
        work(settings, store)
        work(settings, store, timedelta(minutes=1))
        assert 1 == len(sink.mails())
        assert ["sent", "held"] == states(store)
        work(settings, store, timedelta(days=1))
        assert ["sent", "sent"] == states(store)


def test_waiting_for_a_budget_is_no_reason_to_give_up(tmp_path: Path, store: Store) -> None:
    """The lifetime of a mail begins when it may leave: ten days of waiting are not counted."""
    with SmtpSink(tmp_path / "sink", faults=["none", "rcpt-4xx", "rcpt-4xx"]) as sink:
        settings = settings_of(tmp_path, sink.address, budget={"sender": "1/10d"}, lifetime="5d", retry_cap="1h")
        reports(store, 2)
        work(settings, store)
        work(settings, store, timedelta(days=10))
        assert ["sent", "queued"] == states(store)
        work(settings, store, timedelta(days=15))
        assert ["sent", "failed"] == states(store)
        assert 1 == len(sink.mails())


def test_folded_mail_leaves_no_number_out(tmp_path: Path, store: Store, sink: SmtpSink) -> None:
    """However many wait for one person, each reference is told."""
    settings = settings_of(tmp_path, sink.address, budget={"sender": "1/1h"})
    reports(store, 62)
    work(settings, store)
    work(settings, store, HOUR)
    assert 61 == len({word.strip(".,;") for word in text(last(sink)).split() if word.startswith("TEST#2026-")})
    assert 61 == states(store).count("folded")


def test_what_somebody_took_meanwhile_is_not_folded(
    tmp_path: Path, store: Store, sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one of the mails is gone when they are folded, the one that is paid for leaves by itself."""
    settings = settings_of(tmp_path, sink.address, budget={"sender": "1/1h"})
    reports(store, 3)
    work(settings, store)
    honest = store.foldable

    def raced(recipient: str, limit: int, *, proven: bool, kind: MailKind) -> list[StoredMail]:
        found = honest(recipient, limit, proven=proven, kind=kind)
        for mail in found:
            store.give_up(mail.id, NOON, "withdrawn by somebody")
        return found

    monkeypatch.setattr(store, "foldable", raced)
    work(settings, store, HOUR)
    assert ["sent", "sent", "failed"] == states(store)


@pytest.mark.parametrize("failpoint", ["sender.paid", "sender.folded"])
def test_kill_9_around_folding(failpoint: str, tmp_path: Path, store: Store, sink: SmtpSink) -> None:
    """Killed between paying, folding and sending, the next sender tells every number once and pays once."""
    settings = settings_of(tmp_path, sink.address, budget={"sender": "1/1h"})
    reports(store, 5)
    work(settings, store)
    killed_at(failpoint, settings, tmp_path / "store.sqlite", NOON + HOUR)
    assert 1 == len(sink.mails())
    for hours in range(1, 6):
        work(settings, store, hours * HOUR)
    assert 0 == states(store).count("held") + states(store).count("delivery-unknown")
    told = [text(email.message_from_bytes(mail.content)) + mail.content.decode() for mail in sink.mails()]
    for number in range(1, 6):
        assert 1 == sum(f"TEST#2026-{number:06}" in words for words in told)


def test_alarm_is_given_once_a_filling(tmp_path: Path, store: Store, sink: SmtpSink) -> None:
    """At so many percent there is one warning, none again after a restart, and the next after half has come back."""
    settings = settings_of(tmp_path, sink.address, budget={"proven": "10/10h", "alarm": 80})
    senders = iter(range(1000))

    def alarms(count: int, after: timedelta) -> list[tuple[object, object]]:
        for _ in range(count):
            number = next(senders)
            report(store, f"m{number}", f"r{number}@example{number}.org")
        logs = [entry for entry in work(settings, store, after) if entry["event"] == "budget-nearly-spent"]
        assert all(entry["log_level"] == "warning" for entry in logs)
        return [(entry["budget"], entry["percent"]) for entry in logs]

    assert [] == alarms(7, timedelta(0))
    assert [("proven", 80)] == alarms(1, timedelta(0))
    assert [] == alarms(1, timedelta(0))
    assert [] == alarms(2, 2 * HOUR)
    assert [] == alarms(1, 7 * HOUR)  # down to 50 %
    assert [] == alarms(1, 10 * HOUR)  # to 30 %, less than half of the alarm
    assert [("proven", 80)] == alarms(5, 10 * HOUR)


def test_each_budget_for_all_has_its_alarm(tmp_path: Path, store: Store, sink: SmtpSink) -> None:
    """Unproven mail raises its own."""
    settings = settings_of(tmp_path, sink.address, budget={"unproven": "2/1h", "proven": "100/1h"})
    report(store, "m1", proven=False)
    report(store, "m2", "rui@example.org", proven=False)
    logs = work(settings, store)
    assert [("unproven", 100)] == [
        (entry["budget"], entry["percent"]) for entry in logs if entry["event"] == "budget-nearly-spent"
    ]


@pytest.mark.parametrize("name", ["pay", "foldable", "fold", "used"])
def test_store_that_does_not_answer_costs_nothing(
    name: str, tmp_path: Path, store: Store, sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hiccup of the store around budgets neither loses nor repeats anything."""
    from abuse_triage.errors import TemporaryError

    settings = settings_of(tmp_path, sink.address, budget={"sender": "1/1h"})
    reports(store, 3)
    work(settings, store)
    honest: Callable[..., object] = getattr(store, name)
    calls: list[str] = []

    def hiccup(*arguments: object, **named: object) -> object:
        calls.append(name)
        if len(calls) == 1:
            raise TemporaryError("the disk is busy")
        return honest(*arguments, **named)

    monkeypatch.setattr(store, name, hiccup)
    for hours in (1, 2):
        work(settings, store, hours * HOUR)
    assert calls
    assert 0 == states(store).count("held")
    told = [mail.content.decode() for mail in sink.mails()]
    assert [1, 1, 1] == [sum(f"TEST#2026-{number:06}" in words for words in told) for number in range(1, 4)]


def test_the_daemon_answers_a_hasty_reporter_in_two_mails(tmp_path: Path, sink: SmtpSink) -> None:
    """Four reports in a moment from one unproven sender: one answer at once, one soon after with the other numbers."""
    with Daemon(tmp_path, smarthost=sink.address, budget='unproven_sender = "1/10s"') as daemon:
        daemon.start()
        for number in range(4):
            daemon.send(report_of(number), sender="reporter@example.com", recipient="abuse@example.pt")
        daemon.drain()
        mails = daemon.store().mails((), 10)
    assert ["folded"] * 3 + ["sent"] * 2 == sorted(mail.state.value for mail in mails)
    first, second = (email.message_from_bytes(mail.content) for mail in sink.mails())
    assert ["TEST#2026-000001"] == [number for number in NUMBERS_OF_FOUR if number in text(first)]
    assert NUMBERS_OF_FOUR[1:] == [number for number in NUMBERS_OF_FOUR if number in text(second)]
    assert [f"<case-{number}@example.com>" for number in range(1, 4)] == second["References"].split()
    assert 3 == daemon.log().count("mail-held")
    assert 1 == daemon.log().count("mail-folded")


def told_at_once(store: Store, name: str, recipient: str = "handler@example.pt", *, proven: bool = False) -> None:
    """Let a report come in that a handler is told of at once."""
    told = replace(notice(f"{name}.{recipient}"), recipient=recipient, proven=proven)
    open_ticket(store, name, outgoing=(told,))


MINUTE = timedelta(minutes=1)


def test_notices_about_unproven_mail_have_a_budget(store: Store, sink: SmtpSink, tmp_path: Path) -> None:
    """Forged validation mails fill no handler's mailbox: what is over waits minutes, and one mail tells all of it."""
    settings = settings_of(tmp_path, sink.address, budget={"notices": "2/10m"})
    for number in range(6):
        told_at_once(store, f"m{number}")

    work(settings, store)

    assert 2 == len(sink.mails())
    logs = work(settings, store, 5 * MINUTE)
    assert ["mail-folded", "mail-sent"] == [entry["event"] for entry in logs]
    assert ["sent", "sent", *["folded"] * 4, "sent"] == states(store)
    mail = last(sink)
    assert "notice, TLP:AMBER+STRICT: 4 urgent tickets wait" == mail["Subject"]
    assert [f"TEST#2026-{number:06}" for number in range(3, 7)] == [
        line.split()[0] for line in text(mail).splitlines() if line.startswith("TEST#")
    ]
    assert "TEST#2026-000003  TLP:AMBER+STRICT, withheld" in text(mail)
    assert ("abuse@example.pt", "handler@example.pt") == (sink.mails()[-1].sender, sink.mails()[-1].recipient)
    assert is_own(mail["Message-ID"].strip("<>"), SECRET)


def test_strangers_use_up_no_budget_of_proven_senders_and_none_of_another_handler(
    store: Store, sink: SmtpSink, tmp_path: Path
) -> None:
    """However many notices about unproven mail wait, those about a proven sender's and to others leave at once."""
    settings = settings_of(tmp_path, sink.address, budget={"notices": "2/10m"})
    for number in range(40):
        told_at_once(store, f"m{number}")
    told_at_once(store, "real", proven=True)
    told_at_once(store, "other", "another@example.pt")

    work(settings, store)

    assert ["handler@example.pt"] * 3 + ["another@example.pt"] == [mail.recipient for mail in sink.mails()]
    assert 38 == len(held(store))


def test_a_handler_hears_within_minutes_of_whatever_comes(store: Store, sink: SmtpSink, tmp_path: Path) -> None:
    """Under an endless flood no notice waits longer than one share of the budget, and each ticket is told once."""
    settings = settings_of(tmp_path, sink.address, budget={"notices": "30/1h"})
    for minute in range(60):
        for number in range(5):
            told_at_once(store, f"m{minute}.{number}")
        work(settings, store, minute * MINUTE)
        assert len(held(store)) <= 2 * 5
    work(settings, store, 62 * MINUTE)
    assert [] == held(store)
    assert 30 + 60 // 2 <= len(sink.mails()) <= 30 + 62 // 2 + 1
    told = "".join(text(email.message_from_bytes(mail.content)) for mail in sink.mails())
    folded = [mail for mail in store.mails((MailState.FOLDED,), 1000) if mail.folded_into]
    assert {1} == {told.count(mail.ticket) for mail in folded}
    assert {"sent", "folded"} == {*states(store)}


def test_a_notice_that_waits_folds_no_answer_to_the_same_person(store: Store, sink: SmtpSink, tmp_path: Path) -> None:
    """A handler who reports something gets an acknowledgement of it, whatever notices wait for him."""
    settings = settings_of(tmp_path, sink.address, budget={"notices": "1/10m"})
    for number in range(3):
        told_at_once(store, f"m{number}")
    work(settings, store)
    report(store, "own", "handler@example.pt", proven=False)
    work(settings, store, MINUTE)
    assert "Auto: Report received" in last(sink)["Subject"]
    assert 2 == len(held(store))


@pytest.mark.parametrize("failpoint", ["sender.paid", "sender.folded"])
def test_kill_9_around_folding_notices(failpoint: str, tmp_path: Path, store: Store, sink: SmtpSink) -> None:
    """Killed between paying, folding and sending, the next sender tells the handler of every ticket."""
    settings = settings_of(tmp_path, sink.address, budget={"notices": "1/10m"})
    for number in range(5):
        told_at_once(store, f"m{number}")
    work(settings, store)
    killed_at(failpoint, settings, tmp_path / "store.sqlite", NOON + 10 * MINUTE)
    for tens in range(1, 6):
        work(settings, store, tens * 10 * MINUTE)
    assert 0 == states(store).count("held")
    assert {"sent", "folded"} == {*states(store)}
    told = "".join(text(email.message_from_bytes(mail.content)) for mail in sink.mails())
    assert {1} == {told.count(mail.ticket) for mail in store.mails((MailState.FOLDED,), 10)}
