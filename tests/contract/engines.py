"""The engines that the contract is checked against: add one here, and every test runs on it."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Protocol

from abuse_triage.model.ticket import TicketState
from abuse_triage.store import open_store
from abuse_triage.store.interface import Store

NUMBERS = "TEST#{year}-{sequence:06}"


class Engine(Protocol):
    """An engine with one empty place to keep things in; `spec` says in one word how another process finds it."""

    spec: str

    def open(self, number_format: str = NUMBERS, *, max_offered: int = 1000) -> Store:
        """Open one more store on the same place."""

    def set_ticket_state(self, ticket_id: int, state: TicketState) -> None:
        """Move a ticket behind the store's back, as handling does."""


class SqliteEngine:
    """A SQLite file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.spec = f"sqlite:{path}"

    def open(self, number_format: str = NUMBERS, *, max_offered: int = 1000) -> Store:
        """Open one more connection to the file."""
        return open_store(self._path, number_format, max_offered=max_offered)

    def set_ticket_state(self, ticket_id: int, state: TicketState) -> None:
        """Write the state into the row."""
        with closing(sqlite3.connect(self._path)) as connection, connection:
            connection.execute("UPDATE tickets SET state = ? WHERE id = ?", (state.value, ticket_id))


def engine_of(spec: str) -> Engine:
    """Return the engine that a `spec` names."""
    kind, _, place = spec.partition(":")
    return {"sqlite": SqliteEngine}[kind](Path(place))
