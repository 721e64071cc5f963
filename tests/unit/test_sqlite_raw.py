"""How the bytes of messages stand in the SQLite file, and what they cost in memory."""

import os
import signal
import sqlite3
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from contract.values import arrival

from abuse_triage.store import open_store
from abuse_triage.store.interface import MessageFilter
from abuse_triage.store.sqlite import SqliteStore, raw

_NUMBERS = "{year}-{sequence}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A place for a file."""
    return tmp_path / "store.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """An open store of the kind that takes mail in."""
    with closing(SqliteStore(path, _NUMBERS, small_cache=True)) as opened:
        yield opened


def column(path: Path, message_id: str) -> bytes:
    """Return what stands in the file, as anybody's program would find it."""
    with closing(sqlite3.connect(path)) as connection:
        (found,) = connection.execute("SELECT raw FROM raw_messages WHERE message_id = ?", (message_id,)).fetchone()
    assert isinstance(found, bytes)
    return found


@pytest.mark.parametrize("size", [0, 1, 999_999, 1_000_000, 1_000_001, 1_048_560, 16 * 65_535, 16 * 65_535 + 1])
def test_the_column_is_a_zlib_stream(store: SqliteStore, path: Path, size: int) -> None:
    """Below and above the limit, and at both ends of a block, zlib alone makes the message of what is stored."""
    message = os.urandom(size)
    store.accept([arrival(raw=message)])
    assert message == zlib.decompress(column(path, "m1"))
    assert message == store.message("m1")[1]


def test_large_messages_are_not_compressed(store: SqliteStore, path: Path) -> None:
    """At the limit a message is compressed, above it it is stored with some bytes for each block."""
    store.accept([arrival("small", raw=bytes(raw.LARGE)), arrival("large", raw=bytes(raw.LARGE + 1))])
    assert 10_000 > len(column(path, "small"))
    assert raw.LARGE < len(column(path, "large")) < raw.LARGE + 200


def test_large_message_of_an_older_version_is_read(store: SqliteStore, path: Path) -> None:
    """A large message that was stored compressed comes back byte for byte."""
    message = b"Subject: older\r\n\r\n" + bytes(range(256)) * 20_000
    store.accept([arrival(raw=message)])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE raw_messages SET raw = ?", (zlib.compress(message, 1),))
    assert message == store.message("m1")[1]


@pytest.mark.parametrize("damaged", [zlib.compress(b"x" * 5000, 1)[:-1], b"", b"\x78\x01", b"\0" * 70_000])
def test_damage_is_not_taken_for_a_message(store: SqliteStore, path: Path, damaged: bytes) -> None:
    """A stream that ends early, or is none, raises and gives no half of a message."""
    store.accept([arrival()])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE raw_messages SET raw = ?", (damaged,))
    with pytest.raises(zlib.error):
        store.message("m1")


def test_large_message_costs_no_second_copy(store: SqliteStore) -> None:
    """While a message of 25 MB is stored, Python holds some slices more, and while it is read, the message once."""
    message = os.urandom(25_000_000)
    store.accept([arrival("warm", raw=b"x" * 2_000_000)])
    tracemalloc.start()
    try:
        store.accept([arrival(raw=message)])
        assert 500_000 > tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        assert message == store.message("m1")[1]
        assert 1.2 * len(message) > tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


_RESIDENT = """
import os, sys
from pathlib import Path
from contract.values import arrival
from abuse_triage.store import open_store

def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))

store = open_store(Path(sys.argv[1]), small_cache=True)
messages = [os.urandom(25_000_000) for _ in range(3)]
store.accept([arrival("warm", raw=b"x" * 2_000_000)])
before = peak()
store.accept([arrival(f"m{number}", raw=message) for number, message in enumerate(messages)])
print(peak() - before)
"""


def test_group_of_large_messages_costs_no_second_copy(path: Path) -> None:
    """A process that stores three messages of 25 MB in one transaction grows by its small cache, not by a message."""
    search = os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]))
    grown = subprocess.run(
        [sys.executable, "-c", _RESIDENT, path],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        env={**os.environ, "PYTHONPATH": search},
    ).stdout
    assert 6_000 > int(grown)
    with closing(open_store(path)) as store:
        assert 4 == store.waiting()


_ACCEPT_SLOWLY = """
import os, sys
from pathlib import Path
from contract.values import arrival
from abuse_triage.store import open_store
from abuse_triage.store.sqlite import raw

stream = raw._stream
def slowly(message):
    for number, piece in enumerate(stream(message)):
        if number == 100:
            print("in the middle", flush=True)
            sys.stdin.readline()
        yield piece
raw._stream = slowly

store = open_store(Path(sys.argv[1]), small_cache=True)
store.accept([arrival("small"), arrival("large", raw=b"x" * 20_000_000)])
"""


def test_kill_in_the_middle_of_a_large_message_stores_nothing(path: Path) -> None:
    """A process that is killed when a third of a message is in the log leaves neither it nor what came with it."""
    with closing(open_store(path)) as store:
        store.accept([arrival("before", raw=b"y" * 3_000_000)])
        search = os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]))
        process = subprocess.Popen(
            [sys.executable, "-c", _ACCEPT_SLOWLY, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": search},
        )
        assert process.stdout is not None
        assert b"in the middle\n" == process.stdout.readline()
        assert 8_000_000 < path.with_name("store.sqlite-wal").stat().st_size  # the cache cannot hold it
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert ["before"] == [message.id for message in store.messages(MessageFilter())]
        assert [] == store.check()
        store.accept([arrival("after", raw=b"z" * 30_000_000)])
        assert b"y" * 3_000_000 == store.message("before")[1]
        assert b"z" * 30_000_000 == store.message("after")[1]
