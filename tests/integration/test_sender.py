"""The sender with the real store, against a real SMTP server and a real folder, killed where it hurts most."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers.smtp_sink import SmtpSink
from structlog.testing import capture_logs

from abuse_triage.errors import ConfigError, TemporaryError
from abuse_triage.mail.compose import compose
from abuse_triage.mail.thread import own_id
from abuse_triage.model.settings import Settings
from abuse_triage.model.ticket import MailKind, MailState, Outgoing
from abuse_triage.service.sender import next_try, own_address, run_sender
from abuse_triage.store import open_store
from abuse_triage.store.interface import Store
from abuse_triage.store.outbox import StoredMail

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SECRET = b"a secret of thirty-two bytes, or"
WAITING = (MailState.QUEUED, MailState.SENDING)


class Until:
    """Asks the sender to stop as soon as a condition holds."""

    def __init__(self, done: Callable[[], bool]) -> None:
        self._done = done

    def is_set(self) -> bool:
        """Whether it holds."""
        return self._done()

    def wait(self, _timeout: float) -> bool:
        """Whether it holds, at once."""
        return self._done()


def settings_of(
    folder: Path, smarthost: str = "", budget: dict[str, object] | None = None, **outbox: object
) -> Settings:
    """Return a configuration with its outbox and its secret in a folder, and with budgets that last unless given."""
    secret = folder / "message-id.key"
    if not secret.exists():
        secret.touch(0o600)
        secret.write_bytes(SECRET)
    generous = dict.fromkeys(("sender", "unproven_sender", "domain", "proven", "unproven", "notices"), "100000/1h")
    return Settings.model_validate(
        {
            "team": {"name": "CSIRT Exemplo", "ticket_prefix": "EXEMPLO"},
            "mailbox": [{"address": "abuse@example.pt"}, {"address": "csirt@example.pt", "kind": "enquiry"}],
            "reply": {"secret_file": str(secret), "message_id_domain": "csirt.example.pt"},
            "budget": {**generous, **(budget or {})},
            "outbox": {"smarthost": smarthost, "folder": str(folder / "outbox"), "timeout": "2s", **outbox},
        }
    )


def outgoing(number: int, kind: MailKind = MailKind.ACKNOWLEDGEMENT, recipient: str = "ana@example.org") -> Outgoing:
    """Return a mail of ours."""
    message_id = own_id(kind.value, str(number), SECRET, "csirt.example.pt")
    content = compose(
        kind=kind,
        message_id=message_id,
        sender_name="CSIRT Exemplo",
        sender="abuse@example.pt",
        recipient=recipient,
        subject="Report received",
        body="We received your report.\n",
        date=NOW,
    )
    return Outgoing(kind=kind, message_id=message_id, recipient=recipient, content=content)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Open a store of its own."""
    opened = open_store(tmp_path / "store.sqlite")
    yield opened
    opened.close()


def work(settings: Settings, store: Store, at: datetime = NOW) -> None:
    """Let a sender work until nothing is due at a moment."""
    run_sender(settings, store, Until(lambda: not store.due(at, 1)), now=lambda: at, chance=lambda: 0.0)


def only(store: Store) -> StoredMail:
    """Return the one mail that there is."""
    (mail,) = store.mails((), 10)
    return mail


def test_what_is_queued_is_sent(tmp_path: Path, store: Store) -> None:
    """Every mail arrives once, over one connection, oldest first, and is sent then."""
    mails = [outgoing(number) for number in range(20)]
    for mail in mails:
        store.queue(mail, NOW)
    with SmtpSink(tmp_path / "sink") as sink:
        work(settings_of(tmp_path, sink.address), store)
        assert [mail.message_id for mail in mails] == sink.message_ids()
        assert {("", "ana@example.org")} == {(mail.sender, mail.recipient) for mail in sink.mails()}
        assert [mail.content for mail in mails] == [mail.content for mail in sink.mails()]
        assert 1 == sink.connections
    assert {MailState.SENT} == {mail.state for mail in store.mails((), 100)}


def test_stopping_finishes_the_mail_in_hand_only(tmp_path: Path, store: Store) -> None:
    """Asked to stop in the middle of a batch, the sender leaves the rest queued and untried."""
    for number in range(3):
        store.queue(outgoing(number), NOW)
    with SmtpSink(tmp_path / "sink") as sink:
        run_sender(settings_of(tmp_path, sink.address), store, Until(lambda: bool(sink.mails())), now=lambda: NOW)
    assert [(MailState.QUEUED, 0), (MailState.QUEUED, 0), (MailState.SENT, 1)] == [
        (mail.state, mail.tries) for mail in store.mails((), 10)
    ]


def test_digests_bounce_to_us(tmp_path: Path, store: Store) -> None:
    """A digest's envelope sender is its From, so that a bounce reaches the team."""
    store.queue(outgoing(1, MailKind.DIGEST), NOW)
    with SmtpSink(tmp_path / "sink") as sink:
        work(settings_of(tmp_path, sink.address), store)
        assert ["abuse@example.pt"] == [mail.sender for mail in sink.mails()]


def test_our_address_is_the_configured_one(tmp_path: Path) -> None:
    """`reply.sender` is used where it is set."""
    settings = settings_of(tmp_path)
    assert "abuse@example.pt" == own_address(settings)
    reply = settings.reply.model_copy(update={"sender": "resposta@example.pt"})
    assert "resposta@example.pt" == own_address(settings.model_copy(update={"reply": reply}))


@pytest.mark.parametrize("fault", ["mail-4xx", "rcpt-4xx", "data-4xx", "rcpt-421", "drop-at-rcpt"])
def test_a_mail_that_was_not_taken_is_tried_again(fault: str, tmp_path: Path, store: Store) -> None:
    """A temporary refusal and a connection lost before DATA put a mail off; the next try succeeds."""
    store.queue(outgoing(1), NOW)
    with SmtpSink(tmp_path / "sink", faults=[fault]) as sink:
        settings = settings_of(tmp_path, sink.address)
        work(settings, store)
        waiting = only(store)
        assert (MailState.QUEUED, 1, NOW + MINUTE) == (waiting.state, waiting.tries, waiting.next_try)
        assert waiting.error
        work(settings, store, NOW + 59 * timedelta(seconds=1))
        assert 0 == len(sink.mails())
        work(settings, store, NOW + MINUTE)
        assert 1 == len(sink.mails())
    assert (MailState.SENT, 2) == (only(store).state, only(store).tries)


def test_pauses_grow(tmp_path: Path, store: Store) -> None:
    """Each further failure doubles the pause, up to the cap, and at the end of its life the mail is given up."""
    store.queue(outgoing(1), NOW)
    at, pauses = NOW, []
    with SmtpSink(tmp_path / "sink", faults=["rcpt-4xx"] * 20) as sink:
        settings = settings_of(tmp_path, sink.address, retry_cap="5m", lifetime="20m")
        while only(store).state is MailState.QUEUED:
            work(settings, store, at)
            pauses.append((only(store).next_try - at) / MINUTE)
            at = only(store).next_try
    assert [1, 2, 4, 5, 5, 5] == pauses[:-1]
    assert (MailState.FAILED, "450 4.2.0 mailbox busy") == (only(store).state, only(store).error)


def test_nobody_answers(tmp_path: Path, store: Store) -> None:
    """Without a smarthost all that is due is put off together, after one attempt to connect."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    for number in range(5):
        store.queue(outgoing(number), NOW)
    work(settings_of(tmp_path, address), store)
    assert {(MailState.QUEUED, 1, NOW + MINUTE)} == {
        (mail.state, mail.tries, mail.next_try) for mail in store.mails((), 10)
    }
    assert all("cannot connect" in mail.error for mail in store.mails((), 10))


@pytest.mark.parametrize("fault", ["rcpt-5xx", "data-5xx"])
def test_a_refused_mail_is_given_up(fault: str, tmp_path: Path, store: Store) -> None:
    """A permanent refusal is final, and does not hold up the next mail."""
    store.queue(outgoing(1), NOW)
    store.queue(outgoing(2), NOW)
    with SmtpSink(tmp_path / "sink", faults=[fault]) as sink:
        work(settings_of(tmp_path, sink.address), store)
        assert [outgoing(2).message_id] == sink.message_ids()
    second, first = store.mails((), 10)
    assert (MailState.SENT, MailState.FAILED) == (second.state, first.state)
    assert first.error.startswith("55")


def test_a_smarthost_without_smtputf8_fails_such_mail_and_no_other(tmp_path: Path, store: Store) -> None:
    """The reason stands with the mail; sent again over a smarthost that can, it arrives."""
    store.queue(outgoing(1, recipient="joão@example.pt"), NOW)
    store.queue(outgoing(2), NOW)
    with SmtpSink(tmp_path / "sink") as sink:
        work(settings_of(tmp_path, sink.address), store)
        assert [outgoing(2).message_id] == sink.message_ids()
    failed = store.mails((MailState.FAILED,), 10)[0]
    assert "the address needs SMTPUTF8, which the smarthost does not offer" == failed.error
    store.resend(failed.id, "ana", NOW)
    with SmtpSink(tmp_path / "other", smtputf8=True) as sink:
        work(settings_of(tmp_path, sink.address), store)
        assert ["joão@example.pt"] == [mail.recipient for mail in sink.mails()]


@pytest.mark.parametrize("fault", ["drop-after-data", "lose-after-data", "slow"])
def test_an_acknowledgement_is_never_sent_twice(fault: str, tmp_path: Path, store: Store) -> None:
    """Without an answer after DATA the delivery is unknown, for good, until a person releases it."""
    store.queue(outgoing(1), NOW)
    with SmtpSink(tmp_path / "sink", faults=[fault], delay=3) as sink:
        settings = settings_of(tmp_path, sink.address)
        work(settings, store)
        assert MailState.UNKNOWN is only(store).state
        work(settings, store, NOW + DAY)
        kept = len(sink.mails())
        assert (0 if fault == "lose-after-data" else 1) == kept
        store.resend(only(store).id, "ana", NOW + DAY)
        work(settings, store, NOW + DAY)
        assert kept + 1 == len(sink.mails())
    assert MailState.SENT is only(store).state


def test_a_digest_is_sent_at_least_once(tmp_path: Path, store: Store) -> None:
    """Where nobody can tell, a digest goes out again."""
    store.queue(outgoing(1, MailKind.DIGEST), NOW)
    with SmtpSink(tmp_path / "sink", faults=["drop-after-data"]) as sink:
        settings = settings_of(tmp_path, sink.address)
        work(settings, store)
        assert MailState.QUEUED is only(store).state
        work(settings, store, NOW + MINUTE)
        assert 2 * [only(store).message_id] == sink.message_ids()
    assert MailState.SENT is only(store).state


def test_a_recipient_that_cannot_be_written_is_given_up(tmp_path: Path, store: Store) -> None:
    """Such an address never reaches the smarthost."""
    store.queue(Outgoing(kind=MailKind.DIGEST, message_id="x@y", recipient="joa\u0303o@example.pt", content=b""), NOW)
    work(settings_of(tmp_path, "127.0.0.1:1"), store)
    assert MailState.FAILED is only(store).state


def test_the_folder_takes_mail_without_a_smarthost(tmp_path: Path, store: Store) -> None:
    """Each mail is one file with its Message-ID as name, and is sent then."""
    mails = [outgoing(number) for number in range(3)]
    for mail in mails:
        store.queue(mail, NOW)
    work(settings_of(tmp_path), store)
    assert {f"{mail.message_id}.eml": mail.content for mail in mails} == {
        path.name: path.read_bytes() for path in (tmp_path / "outbox").iterdir()
    }
    assert {MailState.SENT} == {mail.state for mail in store.mails((), 100)}


def test_a_folder_that_cannot_be_written_to_puts_mail_off(tmp_path: Path, store: Store) -> None:
    """Trouble of the disk is no refusal."""
    (tmp_path / "outbox").touch()
    store.queue(outgoing(1), NOW)
    work(settings_of(tmp_path), store)
    assert (MailState.QUEUED, 1) == (only(store).state, only(store).tries)


def test_an_example_sends_nothing(tmp_path: Path, store: Store) -> None:
    """While the identity is an example's, a smarthost is refused at the start."""
    settings = settings_of(tmp_path, "127.0.0.1:25")
    example = settings.model_copy(update={"team": settings.team.model_copy(update={"example": True})})
    with pytest.raises(ConfigError, match=r"outbox\.smarthost"):
        run_sender(example, store, threading.Event())


def test_a_mail_that_somebody_else_took_is_left_alone(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where "sending" cannot be committed, the offer is withdrawn and the connection serves the next."""
    store.queue(outgoing(1), NOW)
    store.queue(outgoing(2), NOW)
    other = open_store(tmp_path / "store.sqlite")
    first = store.due(NOW, 1)[0].mail.id
    honest = store.sending

    def raced(mail_id: int, now: datetime) -> bool:
        if mail_id == first:
            assert other.sending(mail_id, now)
        return honest(mail_id, now)

    monkeypatch.setattr(store, "sending", raced)
    with SmtpSink(tmp_path / "sink") as sink:
        work(settings_of(tmp_path, sink.address), store)
        assert ([outgoing(2).message_id], 1) == (sink.message_ids(), sink.connections)
    other.close()
    assert [MailState.SENT, MailState.SENDING] == [mail.state for mail in store.mails((), 10)]


def test_a_store_that_does_not_answer_is_asked_again(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither before nor after a delivery does a store's hiccup lose or repeat anything."""
    store.queue(outgoing(1), NOW)
    honest = {name: getattr(store, name) for name in ("due", "sending", "sent")}
    calls: list[str] = []

    def hiccup(name: str) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            calls.append(name)
            if calls.count(name) == 1:
                raise TemporaryError("the disk is busy")
            return honest[name](*arguments)

        return call

    for name in honest:
        monkeypatch.setattr(store, name, hiccup(name))
    with SmtpSink(tmp_path / "sink") as sink:
        settings = settings_of(tmp_path, sink.address)
        run_sender(settings, store, Until(lambda: not store.mails(WAITING, 1)), now=lambda: NOW)
        assert 1 == len(sink.mails())
    assert ["due", "due", "sending", "due", "sending", "sent", "sent"] == calls
    assert MailState.SENT is only(store).state


def test_a_result_that_cannot_be_kept_is_given_up_only_when_stopping(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a result in hand and a store that is gone, the sender still stops, and the next start calls it unknown."""
    store.queue(outgoing(1), NOW)

    def broken(*_: object) -> None:
        raise TemporaryError("the disk is gone")

    with SmtpSink(tmp_path / "sink") as sink:
        settings = settings_of(tmp_path, sink.address)
        with monkeypatch.context() as patch:
            patch.setattr(store, "sent", broken)
            run_sender(settings, store, Until(lambda: bool(sink.mails())), now=lambda: NOW)
        assert MailState.SENDING is only(store).state
        work(settings, store)
    assert MailState.UNKNOWN is only(store).state


def test_logs_name_ids_only(tmp_path: Path, store: Store) -> None:
    """Every event has the ids of its mail, and no address or word of a peer."""
    for number in range(5):
        store.queue(outgoing(number), NOW)
    store.queue(outgoing(5, MailKind.DIGEST), NOW)
    faults = ["none", "rcpt-4xx", "rcpt-5xx", "drop-after-data", "none", "none"]
    with SmtpSink(tmp_path / "sink", faults=faults) as sink, capture_logs() as logs:
        work(settings_of(tmp_path, sink.address), store)
    assert ["mail-sent", "mail-put-off", "mail-given-up", "mail-unknown", "mail-sent", "mail-sent"] == [
        entry["event"] for entry in logs
    ]
    assert [None, 450, 550, 0, None, None] == [entry["code"] for entry in logs]
    assert {"event", "log_level", "mail", "message_id", "ticket", "code"} == set().union(*logs)
    assert "ana@" not in str(logs)


def test_it_waits_and_stops(tmp_path: Path) -> None:
    """A running sender notices new mail soon, leaves its connection when idle, and stops within seconds."""
    path, stop = tmp_path / "store.sqlite", threading.Event()
    store = open_store(path)
    with SmtpSink(tmp_path / "sink") as sink:
        settings = settings_of(tmp_path, sink.address)

        def run() -> None:
            own = open_store(path)
            run_sender(settings, own, stop)
            own.close()

        thread = threading.Thread(target=run)
        thread.start()
        time.sleep(0.3)
        store.queue(outgoing(1), datetime.now(UTC))
        deadline = time.monotonic() + 10
        while store.mails(WAITING, 1) and time.monotonic() < deadline:
            time.sleep(0.02)
        stop.set()
        thread.join(10)
        assert not thread.is_alive()
        assert [outgoing(1).message_id] == sink.message_ids()
    store.close()


CHILD = """
import sys
from datetime import datetime
from pathlib import Path
from abuse_triage.model.settings import Settings
from abuse_triage.service.sender import run_sender
from abuse_triage.store import open_store

class Never:
    def is_set(self): return False
    def wait(self, timeout): return False

settings = Settings.model_validate_json(sys.argv[1])
now = datetime.fromisoformat(sys.argv[3])
run_sender(settings, open_store(Path(sys.argv[2])), Never(), now=lambda: now)
"""


def killed_at(failpoint: str, settings: Settings, path: Path, at: datetime = NOW) -> None:
    """Run a sender in a process of its own until its failpoint kills it."""
    command = (sys.executable, "-c", CHILD, settings.model_dump_json(), str(path), at.isoformat())
    environment = {**os.environ, "ABUSE_TRIAGE_FAILPOINT": failpoint}
    assert -signal.SIGKILL == subprocess.run(command, env=environment, timeout=60, check=False).returncode


@pytest.mark.parametrize(("failpoint", "arrived"), [("sender.before-data", 0), ("sender.after-data", 1)])
def test_kill_9_around_data(failpoint: str, arrived: int, tmp_path: Path, store: Store) -> None:
    """A killed sender leaves an acknowledgement delivery-unknown and a digest queued; neither is lost from sight."""
    store.queue(outgoing(1), NOW)
    with SmtpSink(tmp_path / "sink") as sink:
        settings = settings_of(tmp_path, sink.address)
        killed_at(failpoint, settings, tmp_path / "store.sqlite")
        assert MailState.SENDING is only(store).state
        assert arrived == len(sink.mails())
        work(settings, store)
        assert MailState.UNKNOWN is only(store).state
        store.queue(outgoing(2, MailKind.DIGEST), NOW)
        killed_at(failpoint, settings, tmp_path / "store.sqlite")
        work(settings, store)
        assert arrived + 1 == sink.message_ids().count(outgoing(2, MailKind.DIGEST).message_id)
        assert arrived == sink.message_ids().count(outgoing(1).message_id)


@pytest.mark.parametrize(
    ("failpoint", "first"), [("sender.before-data", MailState.QUEUED), ("sender.after-data", MailState.SENT)]
)
def test_kill_9_around_a_file(failpoint: str, first: MailState, tmp_path: Path, store: Store) -> None:
    """The folder itself tells what happened: no delivery into it is ever unknown, even after a change of routes."""
    store.queue(outgoing(1), NOW)
    settings = settings_of(tmp_path)
    killed_at(failpoint, settings, tmp_path / "store.sqlite")
    assert MailState.SENDING is only(store).state
    with SmtpSink(tmp_path / "sink") as sink, capture_logs() as logs:
        work(settings_of(tmp_path, sink.address), store)
        assert (0 if first is MailState.SENT else 1) == len(sink.mails())
    assert ["mail-sent"] if first is MailState.SENT else ["mail-put-off", "mail-sent"] == [e["event"] for e in logs]
    assert MailState.SENT is only(store).state


durations = st.timedeltas(min_value=timedelta(seconds=1), max_value=30 * DAY)


@given(st.integers(1, 10**6), durations, durations, st.floats(0, 1))
def test_a_pause_lies_between_half_and_whole(tries: int, first: timedelta, cap: timedelta, chance: float) -> None:
    """Whatever the numbers, a pause is at most the cap and at least half of the smaller limit."""
    pause = next_try(tries, first, cap, chance)
    assert min(first, cap) / 2 - timedelta(microseconds=1) <= pause <= cap


@pytest.mark.parametrize(
    ("tries", "chance", "expected"),
    [
        (1, 0.0, 1),
        (2, 0.0, 2),
        (3, 0.0, 4),
        (3, 1.0, 2),
        (3, 0.5, 3),
        (7, 0.0, 60),
        (8, 0.0, 60),
        (99, 1.0, 30),
        (0, 0, 1),
    ],
)
def test_pauses_double_with_jitter(tries: int, chance: float, expected: int) -> None:
    """The pause in minutes, from one minute to an hour."""
    assert expected * MINUTE == next_try(tries, MINUTE, HOUR, chance)
