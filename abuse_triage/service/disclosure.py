"""The text of a message for a handler: read again from its raw bytes, decrypted in memory, and journaled.

Nothing of an encrypted message is stored in clear, so whoever wants to read it opens it each time anew, with the keys
that the configuration names.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from abuse_triage.model.message import Arrival
from abuse_triage.model.openpgp import UNPROTECTED, Protection
from abuse_triage.model.report import NOT_OPENED, Reading
from abuse_triage.model.settings import Settings
from abuse_triage.model.ticket import JournalEntry
from abuse_triage.service.confinement import leave_no_core
from abuse_triage.service.opening import Opener
from abuse_triage.service.reading import Reader
from abuse_triage.store.interface import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosed:
    """What a message says to whoever may read it: `reading` is that of the plaintext where it could be opened."""

    reading: Reading
    protection: Protection = UNPROTECTED


class Disclosure:
    """Reads messages of a store for one person; keys are unlocked when the first message asks for them."""

    def __init__(self, settings: Settings, store: Store, actor: str) -> None:
        """Take the store and who asks, for the journal."""
        self._settings = settings
        self._store = store
        self._actor = actor
        self._reader = Reader(settings)
        self._opener: Opener | None = None

    def read(self, message_id: str, action: str = "decrypted and shown") -> Disclosed:
        """Return what a message says; that something encrypted was opened is journaled before it is shown.

        `action` is what the journal says was done. Raises `NotFoundError`, and the `TemporaryError`s of reader and
        GnuPG.
        """
        found, raw = self._store.message(message_id)
        arrival = Arrival(
            id=found.id, received_at=found.received_at, envelope=found.envelope, raw=raw, truncated=found.truncated
        )
        reading = self._reader.read(raw)
        opened = NOT_OPENED
        if reading.layers:
            self._opener = self._opener or Opener(self._settings, self._store)
            opened = self._opener.open(reading, arrival, lambda texts: self._reader.read_opened(raw, texts))
        if opened.reading is None:
            return Disclosed(reading=reading, protection=opened.protection)
        entry = JournalEntry(at=datetime.now(UTC), actor=self._actor, action=action, detail=found.id)
        self._store.note(found.id, entry)
        return Disclosed(reading=opened.reading, protection=opened.protection)

    def close(self) -> None:
        """End the processes, and remove the keys from memory."""
        self._reader.close()
        if self._opener is not None:
            self._opener.close()


@contextmanager
def disclosing(settings: Settings, store: Store, actor: str) -> Iterator[Disclosure]:
    """Read messages for one person as long as the block lasts."""
    leave_no_core()
    disclosure = Disclosure(settings, store, actor)
    try:
        yield disclosure
    finally:
        disclosure.close()
