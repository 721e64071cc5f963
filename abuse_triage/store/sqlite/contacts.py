"""The directory of contacts: one row for each address."""

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from abuse_triage.errors import NotFoundError
from abuse_triage.model.lookups import ContactKind, DirectoryEntry
from abuse_triage.store.sqlite.columns import Value, clean, moment, time_of
from abuse_triage.store.sqlite.connection import Connected, Connection

_FIELDS = tuple(field.name for field in fields(DirectoryEntry))
_READ = f"SELECT {', '.join(_FIELDS)} FROM contacts"  # noqa: S608 - names of columns
_WRITE = f"""
INSERT INTO contacts ({", ".join(_FIELDS)}) VALUES ({", ".join("?" * len(_FIELDS))})
ON CONFLICT (email) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _FIELDS if name != "email")}
"""  # noqa: S608 - names of columns


class Contacts(Connected):
    """Looking after the directory."""

    def contact_at(self, address: str) -> DirectoryEntry | None:
        """Return the entry with an address (in any case), None where there is none."""
        with self._db.reading():
            return _stored(self._db, address.lower())

    def contacts(self, kinds: Sequence[ContactKind] = (), country: str = "", limit: int = 1000) -> list[DirectoryEntry]:
        """List entries in the order of kind, country and organisation; () and "" do not restrict."""
        among = f"kind IN ({', '.join('?' * len(kinds))})" if kinds else "TRUE"
        there = "country = ?" if country else "TRUE"
        sql = f"{_READ} WHERE {among} AND {there} ORDER BY kind, country, organisation, email LIMIT ?"
        with self._db.reading():
            rows = self._db.all(sql, *kinds, *([country] if country else []), limit)
        return [_entry(row) for row in rows]

    def put_contacts(self, entries: Sequence[DirectoryEntry], actor: str, now: datetime) -> tuple[int, int]:
        """Add or replace entries, all or none; returns how many are new and how many changed.

        Of several with one address the last one counts. An entry that is as it was keeps its time and its author.
        """
        new = changed = 0
        with self._db.writing():
            for entry in {given.email.lower(): given for given in entries}.values():
                given = replace(entry, email=clean(entry.email.lower()), updated_at=now, updated_by=actor)
                known = _stored(self._db, given.email)
                if known and _values(known)[:-2] == _values(given)[:-2]:
                    continue
                self._db.run(_WRITE, *_values(given))
                new += known is None
                changed += known is not None
        return new, changed

    def remove_contact(self, address: str) -> None:
        """Forget an entry; raises `NotFoundError`."""
        with self._db.writing():
            if not self._db.run("DELETE FROM contacts WHERE email = ?", address.lower()):
                raise NotFoundError(f"there is no contact {address[:254]!r}", advice="See contacts list.")


def _stored(db: Connection, email: str) -> DirectoryEntry | None:
    row = db.one(f"{_READ} WHERE email = ?", email)
    return _entry(row) if row else None


def _entry(row: Any) -> DirectoryEntry:
    values = dict(zip(_FIELDS, row, strict=True))
    return DirectoryEntry(
        **{**values, "kind": ContactKind(values["kind"]), "updated_at": time_of(values["updated_at"])}
    )


def _values(entry: DirectoryEntry) -> list[Value]:
    """Return what the columns hold, the last two being when and by whom it was written."""
    *texts, updated_at, updated_by = (getattr(entry, name) for name in _FIELDS)
    return [*map(clean, texts), moment(updated_at), updated_by]
