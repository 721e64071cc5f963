"""Several mails of one kind to one address become one mail, before any of them has left."""

import json
from collections.abc import Sequence
from datetime import datetime

from abuse_triage.model.ticket import MailKind, MailState, Outgoing
from abuse_triage.store.outbox import StoredMail
from abuse_triage.store.sqlite.columns import moment
from abuse_triage.store.sqlite.connection import Connected
from abuse_triage.store.sqlite.outbox import COLUMNS, FROM, enqueue, one_mail, stored_mail, tell_tickets

_FOLDABLE = f"""
SELECT {COLUMNS} {FROM} WHERE held_at IS NOT NULL AND recipient = ? AND proven = ?
    AND outbox.kind = ?
ORDER BY outbox.id LIMIT ?
"""
_LAST = """
SELECT ticket_id, max (paid_at) OVER () FROM outbox WHERE id IN (SELECT value FROM json_each (?)) ORDER BY id DESC
LIMIT 1
"""
_FOLD = """
UPDATE outbox SET state = 'folded', folded_into = ?, sent_at = ?, held_at = NULL WHERE id = ? AND state = 'queued'
"""


class _GoneError(Exception):
    """One of the mails is not queued any more, or the new one is there already."""


class Folding(Connected):
    """Telling several things in one mail."""

    def foldable(
        self, recipient: str, limit: int, *, proven: bool, kind: MailKind = MailKind.ACKNOWLEDGEMENT
    ) -> list[StoredMail]:
        """List the mails of one kind to one address, proven or not, that are held, oldest first."""
        with self._db.reading():
            return [stored_mail(row) for row in self._db.all(_FOLDABLE, recipient, int(proven), kind.value, limit)]

    def fold(self, mail: Outgoing, mail_ids: Sequence[int], now: datetime) -> StoredMail | None:
        """Queue one mail in place of several; None, and nothing changes, where one of them is not queued any more."""
        try:
            with self._db.writing():
                return self._fold(mail, mail_ids, now)
        except _GoneError:
            return None

    def _fold(self, mail: Outgoing, mail_ids: Sequence[int], now: datetime) -> StoredMail:
        at = moment(now)
        last = self._db.one(_LAST, json.dumps(mail_ids))
        if last is None:
            raise _GoneError
        ticket_id, paid_at = last
        if not enqueue(self._db, mail, at, ticket_id=ticket_id, content=mail.content):
            raise _GoneError
        (folded_id,) = self._db.one("SELECT id FROM outbox WHERE message_id = ?", mail.message_id)
        self._db.run("UPDATE outbox SET paid_at = ? WHERE id = ?", paid_at, folded_id)
        for mail_id in mail_ids:
            tell_tickets(self._db, mail_id, MailState.FOLDED, f"mail {folded_id} tells all references", at=now)
            if not self._db.run(_FOLD, folded_id, at, mail_id):
                raise _GoneError
        return one_mail(self._db, folded_id)
