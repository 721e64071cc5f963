"""What the rest of the program may ask of a store about the contact directory."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from abuse_triage.model.lookups import ContactKind, DirectoryEntry


class Contacts(Protocol):
    """The people and teams that handlers write to, and whose requests count for more."""

    def contact_at(self, address: str) -> DirectoryEntry | None:
        """Return the entry with an address (in any case), None where there is none."""

    def contacts(self, kinds: Sequence[ContactKind] = (), country: str = "", limit: int = 1000) -> list[DirectoryEntry]:
        """List entries in the order of kind, country and organisation; () and "" do not restrict."""

    def put_contacts(self, entries: Sequence[DirectoryEntry], actor: str, now: datetime) -> tuple[int, int]:
        """Add or replace entries, all or none; returns how many are new and how many changed."""

    def remove_contact(self, address: str) -> None:
        """Forget an entry; raises `NotFoundError`."""
