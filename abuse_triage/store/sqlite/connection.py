"""One connection to the SQLite file, set up so that a commit survives a power failure, and the proof that it is."""

import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from abuse_triage.errors import ConfigError, TemporaryError
from abuse_triage.store.sqlite.columns import Value, columns

BUSY_MS = 10_000
"""How long another writer is waited for before `TemporaryError`, in milliseconds."""

PRAGMAS: tuple[tuple[str, str | int], ...] = (
    ("journal_mode", "wal"),
    ("synchronous", 2),  # FULL: the write-ahead log reaches the disk before a commit returns
    ("foreign_keys", 1),
    ("busy_timeout", BUSY_MS),
    ("temp_store", 2),  # MEMORY: what a savepoint may have to undo is not written to a file
    ("journal_size_limit", 64_000_000),  # bytes; a few large messages do not leave a large log behind
    ("trusted_schema", 0),  # the file may have been in other hands
)
"""How every connection is set up; each of them is read back."""

CACHE_KB, SMALL_CACHE_KB = 32_000, 2_000
"""Memory for pages of the file: indexes over values of reporters are entered at random places, others at their end."""

NOW_MS = "CAST ((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
"""SQL for the store's own clock, in milliseconds since 1970 (SQLite 3.40 has no unixepoch('subsec'))."""

# SQLite waits for a lock with pauses that grow to 100 ms, so that a writer with long pauses is starved for seconds by
# one that commits small transactions on a slow disk; short even pauses share the lock fairly.
_PAUSE = 0.0005

# Pages of 4 kB in the write-ahead log after which a commit folds it into the file.
_OFTEN, _SELDOM = 2_000, 16_000

_ADVICE = {
    sqlite3.SQLITE_BUSY: "Another program keeps the database locked; close it and try again.",
    sqlite3.SQLITE_LOCKED: "Another program keeps the database locked; close it and try again.",
    sqlite3.SQLITE_FULL: "Free disk space where the database is; nothing accepted is lost.",
    sqlite3.SQLITE_IOERR: "Look for disk errors in the system log; nothing accepted is lost.",
    sqlite3.SQLITE_READONLY: "Let the daemon's user write to the database and its folder.",
    sqlite3.SQLITE_CANTOPEN: "Create the folder of the database, and let the daemon's user write to it.",
    sqlite3.SQLITE_CORRUPT: "Stop the daemon, keep a copy of the file, and restore the last backup.",
    sqlite3.SQLITE_NOTADB: "The file is something else; check store.path in the configuration.",
}

# What these say is not that the engine does not answer, but that it was asked for something wrong.
_OURS = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, sqlite3.InterfaceError)


class Connection:
    """A connection that knows only whole transactions.

    Threads may share it: a transaction of one waits for that of another. It must not be carried over a fork.
    """

    def __init__(self, path: Path, *, small_cache: bool = False) -> None:
        """Open or create the file, readable by its owner only; raises `TemporaryError` or `ConfigError`."""
        self.path = path
        self._pragmas = (*PRAGMAS, ("cache_size", -(SMALL_CACHE_KB if small_cache else CACHE_KB)))
        self._turn = threading.RLock()
        with self._faults():
            # Never where the file exists: closing a second handle would drop the locks of the first (fcntl(2)).
            with suppress(FileExistsError, OSError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
            self.sqlite = sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
            try:
                self._set_up()
            except BaseException:
                self.sqlite.close()
                raise

    def _set_up(self) -> None:
        for name, value in self._pragmas:
            if self.pragma(name) != value:
                self._patiently(f"PRAGMA {name} = {value}")
        self._fold_log_after(_SELDOM)
        problems = self.problems()
        if problems:
            raise ConfigError(
                tuple(f"{self.path}: store.path: {problem}" for problem in problems),
                advice="Put the database on a local file system.",
            )

    def pragma(self, name: str) -> Any:
        """Return the value of a pragma; `name` comes from this program only."""
        return self.sqlite.execute(f"PRAGMA {name}").fetchone()[0]

    def problems(self) -> list[str]:
        """Say which settings are not what they were set to."""
        return [
            f"{name} is {found}, not {value}" for name, value in self._pragmas if (found := self.pragma(name)) != value
        ]

    def version(self) -> int:
        """Return a number that changes whenever another connection has changed the file."""
        with self._turn, self._faults():
            return int(self.pragma("data_version"))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Run one transaction that writes: durable when this ends, and nothing of it is kept where anything raises."""
        with self._turn, self._faults():
            try:
                self._begin_immediate()
                yield
                self.sqlite.execute("COMMIT")
            except BaseException:
                # A full disk may have ended the transaction already.
                if self.sqlite.in_transaction:
                    self.sqlite.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Run one transaction that only reads: all of it sees the same state of the store."""
        with self._turn, self._faults():
            try:
                self.sqlite.execute("BEGIN")
                yield
            finally:
                if self.sqlite.in_transaction:
                    self.sqlite.execute("ROLLBACK")

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what happens inside where it raises, and leave the rest of the transaction alone."""
        self.sqlite.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            if self.sqlite.in_transaction:
                self.sqlite.execute("ROLLBACK TO part")
                self.sqlite.execute("RELEASE part")
            raise
        self.sqlite.execute("RELEASE part")

    def run(self, sql: str, *values: Value) -> int:
        """Run one statement; returns how many rows it changed."""
        return self.sqlite.execute(sql, columns(values)).rowcount

    def run_many(self, sql: str, rows: Iterable[tuple[Value, ...]]) -> None:
        """Run one statement for every row."""
        self.sqlite.executemany(sql, map(columns, rows))

    def add(self, sql: str, *values: Value) -> int:
        """Insert one row; returns its id."""
        return self.sqlite.execute(sql, columns(values)).lastrowid or 0

    def all(self, sql: str, *values: Value) -> list[Any]:
        """Return every row of a query."""
        return self.sqlite.execute(sql, columns(values)).fetchall()

    def one(self, sql: str, *values: Value) -> Any:
        """Return the first row of a query, None where there is none; the statement always runs to its end."""
        rows = self.all(sql, *values)
        return rows[0] if rows else None

    def slices(self, table: str, column: str, row: int, *, readonly: bool = False) -> sqlite3.Blob:
        """Open one value inside a transaction, to be read or overwritten in slices; closed by its context."""
        return self.sqlite.blobopen(table, column, row, readonly=readonly)

    def fold_log_often(self) -> None:
        """Let this connection fold the write-ahead log into the file after every 8 MB, and not only after 64 MB.

        It takes tens of milliseconds, which the commit pays that comes last; so let it be one that nobody waits for.
        """
        if self._fold_after != _OFTEN:
            self._fold_log_after(_OFTEN)

    def _fold_log_after(self, pages: int) -> None:
        self._fold_after = pages
        self.sqlite.execute(f"PRAGMA wal_autocheckpoint = {pages}")

    def close(self) -> None:
        """Close the connection; the last one folds the log into the file."""
        with self._turn, self._faults():
            self.sqlite.close()

    def _begin_immediate(self) -> None:
        self.sqlite.execute("PRAGMA busy_timeout = 0")
        try:
            self._patiently("BEGIN IMMEDIATE")
        finally:
            self.sqlite.execute(f"PRAGMA busy_timeout = {BUSY_MS}")

    def _patiently(self, sql: str) -> None:
        """Run a statement until the lock that it needs is free; SQLite does not wait for all of them by itself."""
        deadline = time.monotonic() + BUSY_MS / 1000
        while True:
            try:
                self.sqlite.execute(sql).fetchall()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE)
            else:
                return

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except _OURS:
            raise
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            raise TemporaryError(f"{self.path}: {error}", advice=_ADVICE.get(code, "Try again later.")) from error


class Connected:
    """What each group of use-cases has: a connection."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection
