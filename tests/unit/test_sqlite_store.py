"""What is special about the SQLite engine: its file, its locks, its full disk, its query plans."""

import os
import re
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from contract.asking import answer, asks, failed, found, found_network, network, states, wanted, withheld
from contract.asking import claim as claim_lookups
from contract.values import (
    DRAFT,
    LEASE,
    NOON,
    arrival,
    arrivals,
    certificate,
    content_of,
    digest,
    joins,
    keys,
    known,
    opens,
    parks,
    quarantines,
)

from abuse_triage.errors import ConfigError, TemporaryError
from abuse_triage.model.budget import Bucket
from abuse_triage.model.decision import Tlp
from abuse_triage.model.lookups import ContactKind, DirectoryEntry, LookupKind, LookupState
from abuse_triage.model.openpgp import KeyOrigin
from abuse_triage.model.ticket import MailKind, MailState, MessageState, OutcomeKind, Outgoing
from abuse_triage.store import open_store
from abuse_triage.store.interface import ByHand, MessageFilter
from abuse_triage.store.sqlite import SqliteStore, connection, health, questions, schema
from abuse_triage.store.sqlite.answers import keep
from abuse_triage.store.sqlite.connection import PRAGMAS, Connection


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file will be."""
    return tmp_path / "store.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """An empty store."""
    opened = SqliteStore(path, "{year}-{sequence:06}")
    yield opened
    opened.close()


def sql(store: SqliteStore, statement: str) -> list[tuple[object, ...]]:
    """Run a statement behind the store's back, on its own connection."""
    return store._db.sqlite.execute(statement).fetchall()


def test_commits_survive_a_power_failure(store: SqliteStore) -> None:
    """The log is write-ahead and synchronised at each commit, on this connection."""
    assert sql(store, "PRAGMA journal_mode") == [("wal",)]
    assert sql(store, "PRAGMA synchronous") == [(2,)]
    assert sql(store, "PRAGMA foreign_keys") == [(1,)]


def test_weak_settings_are_a_problem(store: SqliteStore) -> None:
    """A connection that lost its settings says so."""
    sql(store, "PRAGMA synchronous = NORMAL")
    assert store.check() == ["synchronous is 1, not 2"]


def test_setting_that_does_not_hold_refuses_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file cannot be set up as promised, nothing is accepted at all."""
    monkeypatch.setattr(connection, "PRAGMAS", (*PRAGMAS, ("page_size", 123)))
    with pytest.raises(ConfigError, match="page_size is 4096, not 123"):
        Connection(path)


def test_file_is_for_its_owner_only(store: SqliteStore, path: Path) -> None:
    """Reports are confidential: nobody else may read the file or its log."""
    store.accept([arrival()])
    for name in (path, path.with_name("store.sqlite-wal")):
        assert stat.S_IMODE(name.stat().st_mode) == 0o600


def test_program_starts_on_a_file_that_is_there(store: SqliteStore, path: Path) -> None:
    """Opening again applies nothing and loses nothing."""
    store.accept([arrival()])
    with closing(open_store(path)) as again:
        assert again.waiting() == 1
    assert [name for (name,) in sql(store, "SELECT name FROM _sqlite_migrations")] == list(schema.STEPS)


def test_known_file_needs_no_migration_tools(path: Path, store: SqliteStore) -> None:
    """Opening a file of this version does not import sqlite-utils, which takes long."""
    code = (
        "import sys; from pathlib import Path; from abuse_triage.store import open_store\n"
        f"open_store(Path({str(path)!r})).close()\n"
        "assert 'sqlite_utils' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_new_step_is_applied_to_an_old_file(store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of an older version gets what is new, and keeps what it has."""
    store.accept([arrival()])
    monkeypatch.setitem(schema.STEPS, "9999 test", ("ALTER TABLE messages ADD COLUMN mood TEXT",))
    with closing(open_store(path)) as again:
        assert again.waiting() == 1
    assert sql(store, "SELECT mood FROM messages") == [(None,)]


def test_step_that_fails_changes_nothing(store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A half of a migration is none."""
    monkeypatch.setitem(schema.STEPS, "9999 test", ("CREATE TABLE half (id INTEGER)", "CREATE TABLE half (id INTEGER)"))
    with pytest.raises(TemporaryError, match="half already exists"):
        open_store(path)
    assert sql(store, "SELECT 1 FROM sqlite_schema WHERE name = 'half'") == []


def test_many_may_open_a_new_file_at_once(path: Path) -> None:
    """All processes of the daemon start together, on no file at all."""
    code = (
        f"from abuse_triage.store import open_store; from pathlib import Path; open_store(Path({str(path)!r})).close()"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(5)]
    assert [0] * 5 == [process.wait(60) for process in processes]


def test_file_of_the_first_version_is_brought_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was stored before budgets, promotion and details were known is there afterwards, and goes on."""
    (first, *_) = schema.STEPS
    with monkeypatch.context() as patch:
        patch.setattr(schema, "STEPS", {first: schema.STEPS[first]})
        schema_only = Connection(path)
        schema.migrate(schema_only)
        schema_only.sqlite.execute(
            "INSERT INTO messages (id, received_at, sender, recipients, channel, peer, helo, tls, raw_size, truncated)"
            " VALUES ('old', '2026-11-21T12:00:00.000000+00:00', 'a@example.org', '[\"abuse@example.pt\"]', 'smtp',"
            " '', '', 0, 3, 0)"
        )
        schema_only.sqlite.execute("INSERT INTO raw_messages VALUES ('old', ?)", (zlib.compress(b"raw"),))
        schema_only.sqlite.execute(
            "INSERT INTO outbox (kind, message_id, recipient, created_at, next_try, content) VALUES"
            " ('acknowledgement', 'x@y', 'a@b.pt', '2026-11-21T12:00:00+00:00', '2026-11-21T12:00:00+00:00', x'')"
        )
        schema_only.close()
    with closing(open_store(path)) as store:
        (claimed,) = store.claim(5, LEASE)
        assert (claimed.arrival.raw, claimed.arrival.envelope.details, claimed.promoted) == (b"raw", (), False)
        (mail,) = store.mails((), 5)
        assert (mail.proven, mail.answers, mail.held_at, mail.paid_at, mail.folded_into) == (
            False,
            "",
            None,
            None,
            None,
        )


_OLD_MAIL = (
    "INSERT INTO outbox (ticket_id, kind, message_id, recipient, created_at, next_try, content, proven, answers,"
    " language) VALUES (1, 'acknowledgement', ?, 'a@example.org', ?, ?, x'', 1, 'b@example.org', 'pt')"
)
_OLD_TIME = "2026-11-21T12:00:00.000000+00:00"


@pytest.fixture
def second_version(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """A program of the version before keys, at work on a file with a ticket, a message that waits, and a mail."""
    with monkeypatch.context() as patch:
        patch.setattr(schema, "STEPS", dict(list(schema.STEPS.items())[:2]))
        old = Connection(path)
        schema.migrate(old)
    old.sqlite.execute(
        "INSERT INTO tickets (number, sequence, kind, state, category, type, tlp, tlp_marked, priority, review,"
        " summary, reporter, mailbox, created_at, updated_at, due) VALUES ('2026-000001', 1, 'incident', 'new',"
        " 'fraud', 'fraud:phishing', 'amber', 0, 'p2', 0, 'fraude', 'a@example.org', 'abuse@example.pt', ?, ?, ?)",
        [_OLD_TIME] * 3,
    )
    old.sqlite.execute("INSERT INTO counters VALUES ('2026-000000', 1)")
    old.sqlite.execute(
        "INSERT INTO messages (id, received_at, sender, recipients, channel, peer, helo, tls, raw_size, truncated)"
        " VALUES ('old', ?, 'a@example.org', '[\"abuse@example.pt\"]', 'smtp', '', '', 0, 3, 0)",
        [_OLD_TIME],
    )
    old.sqlite.execute("INSERT INTO raw_messages VALUES ('old', ?)", (zlib.compress(b"raw"),))
    old.sqlite.execute(_OLD_MAIL, ("x@example.pt", _OLD_TIME, _OLD_TIME))
    yield old
    old.close()


def test_file_of_the_second_version_is_brought_on(second_version: Connection, path: Path) -> None:
    """What was stored before keys were known is there afterwards, and goes on with them."""
    second_version.close()
    with closing(open_store(path)) as store:
        (mail,) = store.ticket("1").mails
        assert (mail.message_id, mail.encrypt_to, mail.proven, mail.language) == ("x@example.pt", "", True, "pt")
        (claimed,) = store.claim(5, LEASE)
        (done,) = store.finish([opens(claimed, signature_id="s", offered=(certificate(1, "a@example.org"),))])
        assert done.number == "2026-000002"
        assert store.seen_signature("s", "another")
        assert [KeyOrigin.ATTACHED] == [key.origin for key in store.keys_of("a@example.org")]
        assert store.check() == []


def test_running_store_is_brought_on(second_version: Connection, path: Path) -> None:
    """A program of the version before goes on with its work when a newer one opens its file."""
    with closing(open_store(path)) as store:
        with second_version.writing():
            second_version.run(_OLD_MAIL, "y@example.pt", _OLD_TIME, _OLD_TIME)
            second_version.run("UPDATE outbox SET state = 'sending', tries = tries + 1 WHERE id = 1")
        store.add_key(known(certificate(1)))
        with second_version.reading():
            states = second_version.all("SELECT state FROM outbox ORDER BY id")
        assert [("sending",), ("queued",)] == states
        assert [("y@example.pt", ""), ("x@example.pt", "")] == [
            (mail.message_id, mail.encrypt_to) for mail in store.mails((), 5)
        ]


@pytest.fixture
def third_version(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """A program of the version before look-ups, at work on a file with a ticket and a message that is claimed."""
    with monkeypatch.context() as patch:
        patch.setattr(schema, "STEPS", dict(list(schema.STEPS.items())[:3]))
        old = Connection(path)
        schema.migrate(old)
    old.sqlite.execute(
        "INSERT INTO tickets (number, sequence, kind, state, category, type, tlp, tlp_marked, priority, review,"
        " summary, reporter, mailbox, created_at, updated_at, due) VALUES ('2026-000001', 1, 'incident', 'new',"
        " 'fraud', 'fraud:phishing', 'amber', 0, 'p2', 0, 'fraude', 'a@example.org', 'abuse@example.pt', ?, ?, ?)",
        [_OLD_TIME] * 3,
    )
    old.sqlite.execute(
        "INSERT INTO messages (id, received_at, sender, recipients, channel, peer, helo, tls, raw_size, truncated,"
        " state, lease, ready_at_ms, attempts)"
        " VALUES ('old', ?, 'a@example.org', '[\"abuse@example.pt\"]', 'smtp', '', '', 0, 3, 0, 'claimed', 'held', 1,"
        " 1)",
        [_OLD_TIME],
    )
    old.sqlite.execute("INSERT INTO raw_messages VALUES ('old', ?)", (zlib.compress(b"raw"),))
    yield old
    old.close()


def test_file_of_the_third_version_is_brought_on(third_version: Connection, path: Path) -> None:
    """What was stored before look-ups were known is there afterwards, wants to know nothing, and goes on with them."""
    third_version.close()
    with closing(open_store(path)) as store:
        file = store.ticket("1")
        assert (file.lookups, file.ticket.by_hand) == ((), ())
        (claimed,) = store.claim(5, LEASE)
        assert (claimed.arrival.raw, claimed.again, claimed.attempts) == (b"raw", False, 2)
        store.finish([joins(claimed, 1, wanted=(wanted(tlp=Tlp.RED),))])
        assert [(wanted().subject, "waiting")] == states(store)
        assert store.check() == []


def test_running_store_goes_on_beside_look_ups(third_version: Connection, path: Path) -> None:
    """A program of the version before goes on with its work when a newer one opens its file."""
    with closing(open_store(path)) as store:
        with third_version.writing():
            third_version.run(
                "UPDATE messages SET state = 'done', outcome = 'joined', ticket_id = 1, lease = '', ready_at_ms = NULL"
            )
            third_version.run("UPDATE tickets SET priority = 'p1', tlp = 'red' WHERE id = 1")
        assert store.ticket("1").ticket.priority == "p1"
        assert [] == store.claim(5, LEASE)


def test_look_ups_go_with_their_ticket(store: SqliteStore) -> None:
    """A ticket that is removed leaves no look-ups behind, and nothing of them keeps it from being removed."""
    asks(store, "m1", wanted(), withheld("b.example.org"))
    (task,) = claim_lookups(store)
    answer(store, task, found())
    for table in ("indicators", "participants", "contents", "reports", "outbox"):
        sql(store, f"DELETE FROM {table} WHERE ticket_id = 1")
    sql(store, "DROP TRIGGER journal_no_DELETE")
    sql(store, "DELETE FROM journal")
    sql(store, "DELETE FROM raw_messages")
    sql(store, "DELETE FROM messages")
    sql(store, "DELETE FROM tickets")
    assert sql(store, "SELECT count(*) FROM lookups") == [(0,)]
    assert len(store.known([(LookupKind.DOMAIN, wanted().subject)], Tlp.RED, NOON)) == 1


def test_cache_of_a_hundred_thousand_networks_is_quick(store: SqliteStore) -> None:
    """The network of an address is found by a few steps through an index, however many there are and nest."""
    long = NOON + timedelta(days=9)
    with store._db.writing():
        for number in range(20_000):
            first, bits = 0x0A000000 + number * 256, number % 8
            ends = [str(IPv4Address(end)) for end in (first, first + (1 << bits) - 1)]
            keep(store._db, found_network(*ends), ends[0], Tlp.GREEN, now=NOON, fresh=long - NOON, stale=long - NOON)
        whole = found_network("10.0.0.0", "10.127.255.255", "10.127.255.255")
        keep(store._db, whole, whole.subject, Tlp.GREEN, now=NOON, fresh=long - NOON, stale=long - NOON)
    steps: list[int] = []
    store._db.sqlite.set_progress_handler(lambda: steps.append(1) and 0, 1)
    (known_network,) = store.known([(LookupKind.NETWORK, "10.77.77.200")], Tlp.RED, NOON)
    store._db.sqlite.set_progress_handler(None, 0)
    assert known_network.answer.first == "10.0.0.0"
    assert len(steps) < 1000


def test_certificates_leave_nothing_behind(store: SqliteStore) -> None:
    """What is found a certificate by goes with it, whether it was removed, replaced or made room."""
    store.add_key(known(certificate(1, "ana@example.org"), "ana@example.org"))
    store.add_key(known(certificate(1, "rui@example.org")))
    store.accept([arrival()])
    offered = tuple(certificate(number, "ana@example.org") for number in range(2, 20))
    store.finish([opens(store.claim(1, LEASE)[0], offered=offered)])
    for key in store.known_keys():
        store.remove_key(key.certificate.fingerprint)
    for table in ("certificates", "certificate_keys", "certificate_addresses"):
        assert sql(store, f"SELECT count(*) FROM {table}") == [(0,)]


def test_budgets_do_not_grow(store: SqliteStore) -> None:
    """Ten thousand senders leave no rows behind once their budgets are full again."""
    hour = timedelta(hours=1)
    sql(
        store,
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) INSERT INTO outbox"
        " (kind, message_id, recipient, created_at, next_try, content)"
        " SELECT 'acknowledgement', i, i, '2026', '2026', x'' FROM n",
    )
    most = 0
    for batch in range(100):
        wanted = [
            (number, [Bucket(name=f"{kind}:{number}", count=5, span=hour) for kind in ("sender", "domain")])
            for number in range(100 * batch + 1, 100 * batch + 101)
        ]
        assert {None} == {spent.until for spent in store.pay(wanted, NOON + batch * hour / 5)}
        most = max(most, int(str(sql(store, "SELECT count(*) FROM budgets")[0][0])))
    assert 200 <= most <= 600


def test_journal_is_append_only(store: SqliteStore) -> None:
    """History cannot be changed or deleted, not even by a mistake in this program."""
    store.accept([arrival()])
    store.finish([opens(store.claim(1, LEASE)[0])])
    for statement in ("UPDATE journal SET actor = 'nobody'", "DELETE FROM journal"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            sql(store, statement)


def test_missing_folder_is_told(tmp_path: Path) -> None:
    """A file that cannot be opened is a trouble of ours, with advice."""
    with pytest.raises(TemporaryError) as caught:
        open_store(tmp_path / "no" / "store.sqlite")
    assert "Create the folder" in caught.value.advice


def test_file_of_something_else_is_refused(path: Path) -> None:
    """What is no database is left alone."""
    path.write_bytes(b"Dear diary, " * 1000)
    with pytest.raises(TemporaryError) as caught:
        open_store(path)
    assert "store.path" in caught.value.advice
    assert path.read_bytes().startswith(b"Dear diary")


def test_damage_is_found(store: SqliteStore, path: Path) -> None:
    """A page that was overwritten is reported by the check."""
    store.accept(arrivals(100))
    sql(store, "PRAGMA wal_checkpoint (TRUNCATE)")
    (root,) = sql(store, "SELECT rootpage FROM sqlite_schema WHERE name = 'messages_waiting'")[0]
    with path.open("r+b") as file:
        file.seek((int(str(root)) - 1) * 4096)
        file.write(b"\xff" * 2000)
    with closing(open_store(path)) as again:
        problems = again.check()
    assert any(problem.startswith("integrity: ") for problem in problems)


def test_large_file_is_not_looked_through(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checking a large file takes no longer than checking its counters."""
    monkeypatch.setattr(health, "_SMALL_FILE", 0)
    statements: list[str] = []
    store._db.sqlite.set_trace_callback(statements.append)
    assert store.check() == []
    assert "PRAGMA quick_check (counters)" in statements


def test_locked_database_is_temporary(store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where another program keeps the lock, waiting ends, nothing is stored, and it works again afterwards."""
    monkeypatch.setattr(connection, "BUSY_MS", 200)
    with closing(sqlite3.connect(path, isolation_level=None)) as blocker:
        blocker.execute("BEGIN IMMEDIATE")
        start = time.monotonic()
        with pytest.raises(TemporaryError) as caught:
            store.accept([arrival()])
        assert 0.2 <= time.monotonic() - start < 5
        assert "locked" in caught.value.advice
        assert store.waiting() == 0
    store.accept([arrival()])
    assert store.waiting() == 1


def test_lock_is_waited_for(store: SqliteStore, path: Path) -> None:
    """A lock that is free again soon delays a commit and does not fail it."""
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as blocker:
        blocker.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.2, blocker.execute, ["COMMIT"])
        timer.start()
        store.accept([arrival()])
        timer.join()
    assert store.waiting() == 1


def test_full_disk_is_temporary(store: SqliteStore) -> None:
    """What does not fit is refused as a whole, nothing stored before is lost, and it works again when there is room."""
    store.accept([arrival("m1")])
    (pages,) = sql(store, "PRAGMA page_count")[0]
    sql(store, f"PRAGMA max_page_count = {int(str(pages)) + 5}")
    with pytest.raises(TemporaryError) as caught:
        store.accept([arrival("m2"), arrival("m3", raw=os.urandom(200_000))])
    assert "Free disk space" in caught.value.advice
    assert [message.id for message in store.messages(MessageFilter())] == ["m1"]
    sql(store, "PRAGMA max_page_count = 1000000")
    store.accept([arrival("m2")])
    assert store.waiting() == 2


def test_full_disk_while_finishing_keeps_the_claims(store: SqliteStore) -> None:
    """Where the outcomes of a batch do not fit, none of them is stored, and the same batch can be finished later."""
    store.accept(arrivals(3))
    batch = store.claim(3, LEASE)
    outcomes = [opens(claimed) for claimed in batch]
    outcomes[1] = opens(batch[1], facts='"' + "x" * 100_000 + '"')
    (pages,) = sql(store, "PRAGMA page_count")[0]
    sql(store, f"PRAGMA max_page_count = {int(str(pages)) + 5}")
    with pytest.raises(TemporaryError):
        store.finish(outcomes)
    sql(store, "PRAGMA max_page_count = 1000000")
    assert store.gauges()[4].count == 0
    assert [result.number for result in store.finish(outcomes)] == [f"2026-{n:06}" for n in (1, 2, 3)]


def test_closed_store_says_that_it_is_closed(path: Path) -> None:
    """Using a store after its end is a mistake of the program, and not called temporary."""
    store = SqliteStore(path, "{year}-{sequence}")
    store.close()
    with pytest.raises(sqlite3.ProgrammingError):
        store.waiting()


def test_threads_may_share_a_store(store: SqliteStore) -> None:
    """Calls from several threads take turns, and none sees half of another's transaction."""

    def take_in(name: str) -> None:
        for n in range(30):
            store.accept([arrival(f"{name}{n}a"), arrival(f"{name}{n}b")])
            assert store.waiting() % 2 == 0

    threads = [threading.Thread(target=take_in, args=(name,)) for name in "xyz"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.waiting() == 180


def _claim_and_finish(store: SqliteStore) -> None:
    store.accept([arrival(f"z{n}", minutes=999 + n) for n in range(5)])
    first, second, third, fourth, fifth = store.claim(5, LEASE)
    named = keys("x", sender="b@example.org", ids=["ack.m000@example.pt"], numbers=["2026-000001"])
    related = store.relations(named)
    store.finish([joins(first, 1, keys=named, assumed=related), parks(second), quarantines(third)])
    store.fail(fourth, "failed")
    store.give_back(fifth.lease)
    store.retry("z1", "root", NOON)
    for again in store.claim(5, LEASE):
        store.finish([opens(again)])


def _send(store: SqliteStore) -> None:
    store.queue(digest(), NOON)
    for held in store.due(NOON, 3):
        store.sending(held.mail.id, NOON)
        store.sent(held.mail.id, NOON, "250")
    store.recover(NOON)


def _hold_and_fold(store: SqliteStore) -> None:
    mails = store.due(NOON + timedelta(days=1), 10)
    once = [Bucket(name="sender:x", count=1, span=timedelta(hours=1))]
    store.pay([(held.mail.id, once) for held in mails], NOON)
    store.pay([(mails[0].mail.id, once)], NOON)
    assert store.used(once, NOON) == [1.0]
    assert store.foldable("reporter1@example.org", 10, proven=False)
    folded = Outgoing(kind=MailKind.ACKNOWLEDGEMENT, message_id="f@example.pt", recipient="r", content=b"")
    assert store.fold(folded, [held.mail.id for held in mails], NOON)
    store.sending(4, NOON)
    store.sent(4, NOON, "250")
    store.accept([arrival("bounce", minutes=50), arrival("parked", minutes=51)])
    bounce, parked = store.claim(5, LEASE)
    store.finish([joins(bounce, 1, undeliverable=("f@example.pt",)), parks(parked)])
    store.promote("parked", "ana", NOON)
    store.resend(4, "ana", NOON)


def _know_keys(store: SqliteStore) -> None:
    for number in range(4):
        store.add_key(known(certificate(number, "ana@example.org"), "ana@example.org"))
    store.accept([arrival(f"k{number}", minutes=900 + number) for number in range(2)])
    offered = tuple(certificate(number, "ana@example.org") for number in range(10, 20))
    first, second = store.claim(2, LEASE)
    store.finish([opens(first, signature_id="s", unseen=True, offered=offered)])
    store.finish([opens(second, signature_id="s", unseen=True, offered=offered)])
    assert store.seen_signature("s", second.arrival.id)
    assert len(store.keys_of("ana@example.org")) == 9
    assert store.keys_with([certificate(1).fingerprint, *certificate(15).key_ids])
    assert store.known_keys([KeyOrigin.ATTACHED], 3)
    assert store.expiring_keys(NOON + timedelta(days=999))
    store.remove_key(store.known_key("F").certificate.fingerprint)


def _look_up(store: SqliteStore) -> None:
    asks(store, "k1", wanted(), network("192.0.2.1"), network("192.0.2.2", not_before=NOON + timedelta(hours=1)))
    asks(store, "k2", withheld("b.example.org"), wanted(), network("192.0.2.1"))
    domain, address = claim_lookups(store)
    store.put_off_lookups([(domain, NOON, "busy")], tried=True)
    (domain,) = claim_lookups(store)
    answer(store, domain, found())
    store.want(address, LookupKind.ABUSE_CONTACT, NOON)
    answer(store, address, found_network("192.0.2.0", "192.0.2.255", "192.0.2.1"))
    claim_lookups(store)
    asks(store, "k3", wanted(state=LookupState.ANSWERED), wanted("c.example.org"), again=False)
    store.release_lookups("5", (), (), "ana", NOON)
    store.set_by_hand("5", ByHand(tlp=Tlp.CLEAR), "ana", NOON)
    for task in claim_lookups(store):
        answer(store, task, failed(task.subject), again=True)
    store.known([(LookupKind.DOMAIN, "c.example.org"), (LookupKind.NETWORK, "192.0.2.9")], Tlp.RED, NOON)
    for again in iter(lambda: store.claim(1, LEASE), []):
        store.finish([joins(again[0], 4, updates=DRAFT, again=True)])
    store.server_failed("rdap.example.net", "x", NOON)
    store.admit("rdap.example.net", [], timedelta(0), NOON)
    store.server_answered("rdap.example.net")
    store.servers()
    store.put_contacts([DirectoryEntry(email="a@b.pt", kind=ContactKind.CSIRT, organisation="A")], "ana", NOON)
    store.contact_at("a@b.pt")
    store.remove_contact("a@b.pt")
    assert store.forget_answers(NOON + timedelta(days=1)) == 4


def _look(store: SqliteStore) -> None:
    store.waiting()
    store.ticket("1")
    store.open_tickets(10)
    store.opened_since(NOON)
    store.recall("x")
    content_of(store, "x")
    store.message("m00")
    store.messages(MessageFilter(states=(MessageState.QUARANTINED,)))
    store.messages(MessageFilter(states=(MessageState.RECEIVED, MessageState.CLAIMED)))
    store.messages(MessageFilter(outcomes=(OutcomeKind.PARKED,)))
    store.mails((MailState.FAILED, MailState.UNKNOWN, MailState.UNDELIVERABLE), 10)
    store.gauges()


# Where a whole table, or a whole index over one, is walked through. Partial indexes hold what waits and may be.
_SCAN = re.compile(r"SCAN (?!json_each|CONSTANT)(\w+)(?: USING (?:COVERING )?INDEX (\w+))?")
_MAY_BE_SCANNED = {
    *("messages_waiting", "messages_again", "messages_set_aside", "tickets_open", "outbox_unsent", "outbox_held"),
    "lookups_due",
    "servers_worst",  # the failing ones only, at most a hundred of them
    "sqlite_autoindex_certificates_1",  # when a person writes the end of a fingerprint, nothing else
}


@pytest.mark.parametrize("use", [_claim_and_finish, _send, _hold_and_fold, _know_keys, _look_up, _look])
def test_no_use_case_walks_through_a_table(store: SqliteStore, use: Callable[[SqliteStore], None]) -> None:
    """Every statement finds its rows by an index, so that its cost does not grow with what is finished."""
    if use is _look:
        store.accept([arrival("m00")])
    store.accept(arrivals(3))
    store.finish([opens(claimed) for claimed in store.claim(10, LEASE)])
    statements: list[str] = []
    store._db.sqlite.set_trace_callback(statements.append)
    use(store)
    store._db.sqlite.set_trace_callback(None)
    plans = [
        (statement, row[3])
        for statement in statements
        if statement.lstrip().startswith(("SELECT", "UPDATE", "DELETE", "INSERT"))
        for row in sql(store, f"EXPLAIN QUERY PLAN {statement}")
    ]
    assert plans
    scans = [
        (statement, plan)
        for statement, plan in plans
        if (found := _SCAN.match(str(plan))) and found[2] not in _MAY_BE_SCANNED
    ]
    assert scans == []


def test_next_question_is_not_searched_for(store: SqliteStore) -> None:
    """However many wait for the same moment, the index has them in the order in which they are handed out."""
    statement = questions._NEXT.replace("?", "'2026'")
    plan = [row[3] for row in sql(store, f"EXPLAIN QUERY PLAN {statement}")]
    assert any("lookups_due" in step for step in plan)
    assert not any("TEMP B-TREE" in step for step in plan)
