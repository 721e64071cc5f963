"""Messages that have their outcome and go to the rules once more, because late answers came about them.

Such a message stays "done" while it waits. It is handed out when nothing else is, and whatever fails, its outcome is
there already.
"""

from abuse_triage.store.sqlite.connection import NOW_MS, Connection

_PUT_BACK = f"""
UPDATE messages SET again = 1, attempts = 0, error = '', ready_at_ms = {NOW_MS}
WHERE id = ? AND state = 'done' AND outcome IN ('opened', 'joined')
"""  # noqa: S608 - NOW_MS is a constant
# Whoever has the message does not know the answers: it is taken away, and goes the same way once more.
_TAKE_BACK = f"""
UPDATE messages SET state = CASE WHEN again THEN 'done' ELSE 'received' END, lease = '', ready_at_ms = {NOW_MS},
    attempts = max (0, attempts - 1)
WHERE id = ? AND state = 'claimed'
"""  # noqa: S608 - NOW_MS is a constant


def put_back(db: Connection, message_id: str) -> None:
    """Let a message go to the rules again; inside of a transaction.

    A message that waits to be triaged, because a person retried it, will be decided with all that is known anyway.
    """
    if not db.run(_PUT_BACK, message_id):
        db.run(_TAKE_BACK, message_id)
