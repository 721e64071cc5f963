"""Look-ups on their way: each question is asked once at a time, for all tickets that want to know.

A look-up is asked under the TLP that its ticket has when it is handed out. Where a ticket has become stricter since
the look-up was planned, it is withheld instead, and a handler may release it.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from abuse_triage.model.decision import Tlp
from abuse_triage.model.lookups import Answer, LookupKind, Permission, Result
from abuse_triage.store.lookups import Task
from abuse_triage.store.sqlite.answers import Found, cached, keep
from abuse_triage.store.sqlite.columns import moment
from abuse_triage.store.sqlite.connection import NOW_MS, Connected
from abuse_triage.store.sqlite.ticket_lookups import network_address, settle

_AT_ONCE = 200
"""Questions that one transaction looks at: others have to write, too."""

_ANY_DUE = f"""
SELECT EXISTS (SELECT 1 FROM lookups WHERE state = 'waiting' AND not_before <= ?)
OR EXISTS (SELECT 1 FROM lookups WHERE state = 'asking' AND not_before IS NOT NULL AND leased_until_ms <= {NOW_MS})
"""  # noqa: S608 - NOW_MS is a constant
_EXPIRE = f"""
UPDATE lookups SET state = 'waiting', lease = '', tries = tries + 1
WHERE state = 'asking' AND not_before IS NOT NULL AND leased_until_ms <= {NOW_MS}
"""  # noqa: S608 - NOW_MS is a constant
_NEXT = """
SELECT kind, subject FROM lookups AS due WHERE state = 'waiting' AND not_before <= ? AND NOT EXISTS (
    SELECT 1 FROM lookups AS asked
    WHERE asked.kind = due.kind AND asked.subject = due.subject AND asked.not_before IS NOT NULL
        AND asked.state = 'asking'
) ORDER BY not_before, wanted_at, id LIMIT 1
"""
_WHO_WAITS = """
SELECT lookups.id, ticket_id, message_id, lookups.tlp, tickets.tlp, tries
FROM lookups JOIN tickets ON tickets.id = ticket_id
WHERE lookups.kind = ? AND subject = ? AND not_before IS NOT NULL AND lookups.state = 'waiting' ORDER BY lookups.id
"""
_WITHHOLD = f"""
UPDATE lookups SET state = 'withheld', permission = '{Permission.ASK}', released_by = '', reason = ?, changed_at = ?,
    not_before = NULL
WHERE id = ?
"""  # noqa: S608 - a constant
_HAND_OUT = f"""
UPDATE lookups SET state = 'asking', tlp = ?, lease = ?, leased_until_ms = {NOW_MS} + ?, changed_at = ? WHERE id = ?
"""  # noqa: S608 - NOW_MS is a constant
_ANSWER = """
UPDATE lookups SET state = 'answered', result = ?1, reason = ?2, changed_at = ?3, not_before = NULL, lease = '',
    answer_id = CASE WHEN ?1 = 'failed' THEN coalesce (answer_id, ?4) ELSE ?4 END
WHERE id = ?5
"""
_HELD = "kind = ? AND subject = ? AND not_before IS NOT NULL AND state = 'asking' AND lease = ?"
_IS_HELD = f"SELECT EXISTS (SELECT 1 FROM lookups WHERE {_HELD})"  # noqa: S608 - a constant
_WHO_ASKED = """
SELECT id, ticket_id, message_id FROM lookups
WHERE kind = ? AND subject = ? AND not_before IS NOT NULL AND tlp_rank >= ?
"""
_WHO_ASKED_NEARBY = """
SELECT id, ticket_id, message_id FROM lookups
WHERE address BETWEEN ? AND ? AND not_before IS NOT NULL AND state = 'waiting' AND tlp_rank >= ?
"""
_PUT_OFF = """
UPDATE lookups SET state = 'waiting', lease = '', reason = ?, not_before = max (?, not_before),
    tries = tries + (? AND state = 'asking')
WHERE kind = ? AND subject = ? AND not_before IS NOT NULL
"""
# What a handler released was that one question.
_WANT = """
INSERT INTO lookups (ticket_id, message_id, kind, subject, address, tlp, state, permission, reason, wanted_at,
    changed_at, not_before)
SELECT ticket_id, message_id, ?1, subject, ?2, tlp, 'waiting', permission, '', ?3, ?3, ?3 FROM lookups
WHERE kind = ?4 AND subject = ?5 AND not_before IS NOT NULL AND tlp_rank >= ?6 AND released_by = ''
ON CONFLICT (ticket_id, kind, subject) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class _Claim:
    """One call of `claim_lookups`: its lease and time, and the messages, with their tickets, of what ended in it."""

    token: str
    milliseconds: int
    at: str
    over: list[tuple[int, str]] = field(default_factory=list)


class Questions(Connected):
    """Handing out questions, and taking answers."""

    def claim_lookups(self, limit: int, lease: timedelta, now: datetime, *, again: bool = True) -> list[Task]:
        """Take waiting look-ups whose time has come, oldest first; the same question never twice at once.

        What the cache knows by now is answered here, for each ticket that may see it; `again` is as in
        `answer_lookup`. Where the others differ in TLP, the task has the least strict one. A lease that ran out counts
        as an attempt; the store's own clock measures it.
        """
        tasks: list[Task] = []
        while not tasks:
            with self._db.reading():
                if not self._db.one(_ANY_DUE, moment(now))[0]:
                    return []
            with self._db.writing():
                tasks, finished = self._claim(limit, lease, now, again=again)
            if finished:
                break
        return tasks

    def answer_lookup(
        self, task: Task, answer: Answer, *, fresh: timedelta, stale: timedelta, again: bool, now: datetime
    ) -> None:
        """Keep an answer, and give it to every look-up that waits for it; journaled on each ticket that has all then.

        It is fresh for `fresh`, and counts for `stale` after that. What waits for another address of the same network
        is answered, too. A look-up that has an earlier answer to show keeps that where this one failed.
        """
        with self._db.writing():
            if not self._db.one(_IS_HELD, task.kind.value, task.subject, task.lease)[0]:
                return
            row, network = keep(self._db, answer, task.subject, task.tlp, now=now, fresh=fresh, stale=stale)
            asked = self._db.all(_WHO_ASKED, task.kind.value, task.subject, task.tlp.rank)
            if network:
                nearby = self._db.all(_WHO_ASKED_NEARBY, network.first, network.last, task.tlp.rank)
                asked = list(dict.fromkeys((*asked, *nearby)))
            reason = answer.reason if answer.result is Result.FAILED else ""
            for lookup_id, _, _ in asked:
                self._db.run(_ANSWER, answer.result.value, reason, moment(now), row, lookup_id)
            settle(self._db, [(ticket_id, message_id) for _, ticket_id, message_id in asked], again=again, now=now)

    def put_off_lookups(self, tasks: Sequence[tuple[Task, datetime, str]], *, tried: bool) -> None:
        """Let look-ups wait for their servers, for whichever ticket they are; nothing where a lease is lost."""
        with self._db.writing():
            for task, until, reason in tasks:
                if self._db.one(_IS_HELD, task.kind.value, task.subject, task.lease)[0]:
                    self._db.run(_PUT_OFF, reason, moment(until), int(tried), task.kind.value, task.subject)

    def want(self, task: Task, kind: LookupKind, now: datetime) -> None:
        """Ask a further question about a task's subject, for every ticket that the answer is for."""
        with self._db.writing():
            if self._db.one(_IS_HELD, task.kind.value, task.subject, task.lease)[0]:
                self._db.run(
                    *(_WANT, kind.value, network_address(kind, task.subject), moment(now), task.kind.value),
                    *(task.subject, task.tlp.rank),
                )

    def _claim(self, limit: int, lease: timedelta, now: datetime, *, again: bool) -> tuple[list[Task], bool]:
        """Hand out what is to be asked; also tells whether all that is due was looked at."""
        self._db.run(_EXPIRE)
        claim = _Claim(secrets.token_hex(16), lease // timedelta(milliseconds=1), moment(now))
        tasks: list[Task] = []
        finished = False
        for _ in range(_AT_ONCE):
            due = self._db.one(_NEXT, claim.at) if len(tasks) < limit else None
            if due is None:
                finished = True
                break
            kind, subject = due
            tasks += self._take(LookupKind(kind), subject, claim)
        settle(self._db, claim.over, again=again, now=now)
        return tasks, finished

    def _take(self, kind: LookupKind, subject: str, claim: _Claim) -> list[Task]:
        """Hand out one question, unless nobody is left who has to ask."""
        asking: list[tuple[Tlp, int]] = []
        known: dict[Tlp, Found | None] = {}
        for lookup_id, ticket_id, message_id, planned, label, tries in self._db.all(_WHO_WAITS, kind.value, subject):
            tlp = Tlp(label)
            if tlp not in known:
                known[tlp] = cached(self._db, kind, subject, tlp, claim.at)
            found = known[tlp]
            if found and found.fresh_until > claim.at:
                reason = found.known(subject).answer.reason if found.failed else ""
                self._db.run(_ANSWER, found.result, reason, claim.at, found.id, lookup_id)
            elif tlp > Tlp(planned):
                reason = f"withheld by {tlp.label}, which the ticket has now"
                self._db.run(_WITHHOLD, reason, claim.at, lookup_id)
            else:
                self._db.run(_HAND_OUT, tlp.value, claim.token, claim.milliseconds, claim.at, lookup_id)
                asking.append((tlp, tries))
                continue
            claim.over.append((ticket_id, message_id))
        if not asking:
            return []
        least, tries = min(tlp for tlp, _ in asking), max(tries for _, tries in asking)
        return [Task(kind=kind, subject=subject, tlp=least, lease=claim.token, tries=tries)]
