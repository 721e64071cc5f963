"""The store in one SQLite file."""

from pathlib import Path

from abuse_triage.store.sqlite.answers import Answers
from abuse_triage.store.sqlite.budgets import Budgets
from abuse_triage.store.sqlite.connection import Connection
from abuse_triage.store.sqlite.contacts import Contacts
from abuse_triage.store.sqlite.finish import Finishing
from abuse_triage.store.sqlite.folding import Folding
from abuse_triage.store.sqlite.handling import Handling
from abuse_triage.store.sqlite.health import Health
from abuse_triage.store.sqlite.inbox import Inbox
from abuse_triage.store.sqlite.keys import Keys
from abuse_triage.store.sqlite.messages import Messages
from abuse_triage.store.sqlite.outbox import Outbox
from abuse_triage.store.sqlite.questions import Questions
from abuse_triage.store.sqlite.releasing import Releasing
from abuse_triage.store.sqlite.schema import migrate
from abuse_triage.store.sqlite.servers import Servers
from abuse_triage.store.sqlite.tickets import Tickets


class SqliteStore(
    Inbox,
    Finishing,
    Messages,
    Tickets,
    Handling,
    Outbox,
    Budgets,
    Folding,
    Keys,
    Answers,
    Questions,
    Releasing,
    Servers,
    Contacts,
    Health,
):
    """Everything that `abuse_triage.store.interface.Store` promises, over one connection of its own.

    Give each process its own, opened after any fork, and each thread that must not wait for the others: calls from
    several threads are safe, and take turns.
    """

    def __init__(self, path: Path, number_format: str, *, small_cache: bool = False, max_offered: int = 1000) -> None:
        """Open the file at `path`, creating or upgrading it; raises `TemporaryError` or `ConfigError`.

        Args:
            path: the SQLite file; its folder must exist.
            number_format: ticket numbers, with the fields `year` and `sequence`: "CSIRT#{year}-{sequence:06}".
            small_cache: whether it only takes mail in; a large cache would hold a large message a second time.
            max_offered: certificates that came with messages and are kept.
        """
        connection = Connection(path, small_cache=small_cache)
        try:
            migrate(connection)
            super().__init__(connection)
        except BaseException:
            connection.close()
            raise
        self._number_format = number_format
        self._max_offered = max_offered
