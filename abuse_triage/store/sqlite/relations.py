"""Which tickets a message relates to: cheap enough to be asked before the decision and again in its transaction."""

import json
from typing import NamedTuple

from abuse_triage.model.ticket import RelationKeys, Relations, TicketRef, TicketState
from abuse_triage.store.sqlite.columns import moment
from abuse_triage.store.sqlite.connection import Connection

_ANSWERED = """
SELECT tickets.id, tickets.number, tickets.state FROM outbox JOIN tickets ON tickets.id = outbox.ticket_id
WHERE outbox.message_id IN (SELECT value FROM json_each (?)) ORDER BY outbox.id DESC LIMIT 1
"""
# What was folded is told where the mail in its place is. Mail that came back counts: it might do so for ever.
_TICKET_AND_WHETHER_TOLD = """
SELECT tickets.id, tickets.number, tickets.state, EXISTS (
    SELECT 1 FROM outbox LEFT JOIN outbox AS told ON told.id = outbox.folded_into
    WHERE outbox.ticket_id = tickets.id AND outbox.kind = 'acknowledgement'
        AND coalesce (told.state, outbox.state) <> 'failed'
)
"""
_TAGGED = "SELECT id, number, state FROM tickets WHERE number = ?"
_SAME_SENDER = f"""
{_TICKET_AND_WHETHER_TOLD} FROM contents JOIN tickets ON tickets.id = contents.ticket_id
WHERE fingerprint = ? AND sender = ? AND received_at >= ?
"""
_PEER = f"""
{_TICKET_AND_WHETHER_TOLD} FROM peers JOIN tickets ON tickets.id = peers.ticket_id WHERE peer = ?
"""
_ANY_CONTENT = "SELECT 1 FROM contents WHERE fingerprint = ? AND received_at >= ? LIMIT 1"
# One row for each sender: at most one of them is passed over, however often the same content came.
_SAME_CONTENT = """
SELECT tickets.id, tickets.number, tickets.state FROM contents JOIN tickets ON tickets.id = contents.ticket_id
WHERE fingerprint = ? AND sender <> ? AND received_at >= ? ORDER BY received_at DESC LIMIT 1
"""
_REMEMBER_PEER = """
INSERT INTO peers (peer, ticket_id) VALUES (?, ?)
ON CONFLICT (peer) DO UPDATE SET ticket_id = max (ticket_id, excluded.ticket_id)
"""
_REMEMBER_CONTENT = """
INSERT INTO contents (fingerprint, sender, ticket_id, received_at) VALUES (?, ?, ?, ?)
ON CONFLICT (fingerprint, sender) DO UPDATE SET ticket_id = excluded.ticket_id, received_at = excluded.received_at
WHERE excluded.received_at >= received_at
"""


class Found(NamedTuple):
    """A ticket that was found, as its row says it."""

    id: int
    number: str
    state: str
    acknowledged: int = 1


class Standing(NamedTuple):
    """The five relations of a message as they are now."""

    answered: Found | None = None
    tagged: Found | None = None
    peer: Found | None = None
    same_sender: Found | None = None
    same_content: Found | None = None

    def agrees(self, assumed: Relations) -> bool:
        """Tell whether a decision that was made on `assumed` still holds: the same tickets, as they were."""
        return all(
            (found and (found.id, found.state, bool(found.acknowledged)))
            == (ref and (ref.id, ref.state.value, ref.acknowledged))
            for found, ref in (
                (self.answered, assumed.answered),
                (self.tagged, assumed.tagged),
                (self.peer, assumed.peer),
                (self.same_sender, assumed.same_sender),
                (self.same_content, assumed.same_content),
            )
        )


def standing(db: Connection, keys: RelationKeys) -> Standing:
    """Look up what a message relates to; inside of a transaction."""
    answered = tagged = peer = same_sender = same_content = None
    if keys.our_message_ids:
        answered = db.one(_ANSWERED, json.dumps(keys.our_message_ids))
    for number in keys.numbers:
        tagged = db.one(_TAGGED, number)
        if tagged:
            break
    if keys.peer:
        peer = db.one(_PEER, keys.peer)
    # Most content is new: then one question is enough.
    if keys.fingerprint and db.one(_ANY_CONTENT, keys.fingerprint, since := moment(keys.since)):
        window = keys.fingerprint, keys.sender, since
        same_sender = db.one(_SAME_SENDER, *window)
        same_content = db.one(_SAME_CONTENT, *window)
    return Standing(*(row and Found(*row) for row in (answered, tagged, peer, same_sender, same_content)))


def related(db: Connection, keys: RelationKeys) -> Relations:
    """Look up the same with the participants that joining a ticket depends on; inside of a transaction."""
    found = standing(db, keys)
    return Relations(
        answered=reference(db, found.answered, participants=True),
        tagged=reference(db, found.tagged, participants=True),
        peer=reference(db, found.peer, participants=True),
        same_sender=reference(db, found.same_sender),
        same_content=reference(db, found.same_content),
    )


def reference(db: Connection, found: Found | None, *, participants: bool = False) -> TicketRef | None:
    """Make a `TicketRef` of what was found, None of nothing."""
    if found is None:
        return None
    rows = (
        db.all("SELECT address FROM participants WHERE ticket_id = ? ORDER BY address", found.id)
        if participants
        else []
    )
    return TicketRef(
        id=found.id,
        number=found.number,
        state=TicketState(found.state),
        participants=tuple(address for (address,) in rows),
        acknowledged=bool(found.acknowledged),
    )


def remember(db: Connection, keys: RelationKeys, ticket_id: int, received_at: str) -> None:
    """Note to which ticket this content from this sender went, and the other team's number; `received_at` as stored."""
    if keys.fingerprint:
        db.run(_REMEMBER_CONTENT, keys.fingerprint, keys.sender, ticket_id, received_at)
    if keys.peer:
        db.run(_REMEMBER_PEER, keys.peer, ticket_id)
