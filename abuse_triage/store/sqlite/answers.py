"""The cache of answers: kept for the networks and names that they are about, seen by nobody less strict.

An answer is never changed. A newer one about the same takes its place, where it may be seen by all who saw the other;
tickets go on showing what they were given.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError

from abuse_triage.model.decision import Tlp
from abuse_triage.model.lookups import Answer, Known, LookupKind, Result
from abuse_triage.store.sqlite.columns import clean_json, moment, time_of
from abuse_triage.store.sqlite.connection import Connected, Connection
from abuse_triage.store.sqlite.ranges import Range, address_bytes, earliest, range_of

ANSWER_SCHEMA = 1
"""Version of the JSON shape of a stored `Answer`; raised with every change that old rows do not follow."""

COLUMNS = "answers.asked_at, answers.fresh_until, answers.stale_until, answers.tlp, answers.answer"
"""What `known_of` makes a `Known` of."""

_FOUND = f"answers.id, answers.result, first_address, last_address, {COLUMNS}"
_BY_SUBJECT = f"""
SELECT {_FOUND} FROM answers
WHERE newest AND kind = ? AND subject = ? AND tlp_rank <= ? AND stale_until > ?
"""  # noqa: S608 - constants only
# From each size that there is to the next one, so that sizes without networks cost nothing.
_BY_ADDRESS = f"""
WITH RECURSIVE sizes (bits) AS (
    SELECT min (size_bits) FROM answers WHERE newest AND size_bits IS NOT NULL
    UNION ALL
    SELECT (SELECT min (size_bits) FROM answers WHERE newest AND size_bits IS NOT NULL AND size_bits > bits)
    FROM sizes WHERE bits < ?3
)
SELECT {_FOUND} FROM sizes CROSS JOIN answers
WHERE newest AND size_bits IS NOT NULL AND size_bits = bits AND size_bits < ?3
    AND first_address BETWEEN substr (?2, 16 * bits + 1, 16) AND ?1 AND last_address >= ?1
    AND tlp_rank <= ?4 AND stale_until > ?5
"""  # noqa: S608 - constants only
_WRITE = """
INSERT INTO answers (kind, subject, tlp, server, result, asked_at, fresh_until, stale_until, first_address,
    last_address, size_bits, answer_schema, answer)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_REPLACE = "UPDATE answers SET newest = 0 WHERE newest AND kind = ? AND subject = ? AND tlp_rank >= ?"
_REPLACE_FAILED = f"{_REPLACE} AND result = 'failed'"
_REPLACE_NETWORK = "UPDATE answers SET newest = 0 WHERE id = ? AND tlp_rank >= ?"
_FORGET = "DELETE FROM answers WHERE asked_at < ?"


class Found(NamedTuple):
    """An answer in the cache as its row says it; the addresses are those of a network, None of all else."""

    id: int
    result: str
    first: bytes | None
    last: bytes | None
    asked_at: str
    fresh_until: str
    stale_until: str
    tlp: str
    answer: str

    @property
    def failed(self) -> bool:
        """Whether nobody answered as they should."""
        return self.result == Result.FAILED

    @property
    def size(self) -> int:
        """How many addresses it holds for, less one."""
        return int.from_bytes(self.last or b"") - int.from_bytes(self.first or b"")

    def known(self, subject: str) -> Known:
        """Return it as the answer about a subject."""
        return known_of(self[4:], subject)


class Answers(Connected):
    """Knowing what was answered before."""

    def known(self, asked: Sequence[tuple[LookupKind, str]], tlp: Tlp, now: datetime) -> list[Known]:
        """Return the newest answers to some questions that may be seen at a TLP and are not stale, in their order.

        Where the newest one failed and there is an earlier one to show, that one stands in its place, and is fresh for
        as long as the failure is.
        """
        at = moment(now)
        with self._db.reading():
            found = [(subject, cached(self._db, kind, subject, tlp, at)) for kind, subject in asked]
        return [answer.known(subject) for subject, answer in found if answer]

    def forget_answers(self, before: datetime) -> int:
        """Remove the answers that were asked for before a time; tickets do not show them any more."""
        with self._db.writing():
            return self._db.run(_FORGET, moment(before))


def cached(db: Connection, kind: LookupKind, subject: str, tlp: Tlp, at: str) -> Found | None:
    """Return the answer to a question that counts at a time (as columns hold it); inside of a transaction."""
    address = address_bytes(subject) if kind is LookupKind.NETWORK else None
    if address:
        found = _around(db, address, tlp, at)
    else:
        found = [Found._make(row) for row in db.all(_BY_SUBJECT, kind.value, subject, tlp.rank, at)]
    answers = [row for row in found if not row.failed]
    failures = [row for row in found if row.failed and row.fresh_until > at]
    failure = max(failures, key=lambda row: row.asked_at) if failures else None
    if not answers:
        return failure
    best = answers[0]
    if len(answers) > 1:
        size = min(row.size for row in answers)
        best = max((row for row in answers if row.size == size), key=lambda row: row.asked_at)
    if failure and failure.asked_at > best.asked_at:
        return best._replace(fresh_until=min(max(best.fresh_until, failure.fresh_until), best.stale_until))
    return best


def keep(
    db: Connection, answer: Answer, subject: str, tlp: Tlp, *, now: datetime, fresh: timedelta, stale: timedelta
) -> tuple[int, Range | None]:
    """Store an answer about a subject in place of those that it replaces; returns its row and its network.

    Inside of a transaction. A failure replaces failures only. What is newly known about an address replaces what was
    known about it by networks as large or smaller.
    """
    at, network, kind = moment(now), range_of(answer, subject), answer.kind.value
    failed = answer.result is Result.FAILED
    if network:
        for row in _around(db, address_bytes(subject) or b"", Tlp.RED, ""):
            if network.holds(row.first or b"", row.last or b"") and (row.failed or not failed):
                db.run(_REPLACE_NETWORK, row.id, tlp.rank)
    else:
        db.run(_REPLACE_FAILED if failed else _REPLACE, kind, subject, tlp.rank)
    row_id = db.add(
        *(_WRITE, kind, subject, tlp.value, answer.server, answer.result.value, at, moment(now + fresh)),
        *(moment(now + fresh + stale), *(network or (None, None, None)), ANSWER_SCHEMA, _json(answer)),
    )
    return row_id, network


def known_of(columns: Sequence[Any], subject: str) -> Known:
    """Make of `COLUMNS` what is known about a subject."""
    asked_at, fresh_until, stale_until, tlp, text = columns
    answer = _adapter().validate_json(text)
    return Known(
        answer=answer if answer.subject == subject else replace(answer, subject=subject),
        asked_at=time_of(asked_at),
        fresh_until=time_of(fresh_until),
        stale_until=time_of(stale_until),
        tlp=Tlp(tlp),
    )


def _around(db: Connection, address: bytes, tlp: Tlp, at: str) -> list[Found]:
    """List the answers for the networks that hold an address."""
    bounds = earliest(address)
    rows = db.all(_BY_ADDRESS, address, bounds, len(bounds) // len(address), tlp.rank, at)
    return [Found._make(row) for row in rows]


@cache
def _adapter() -> TypeAdapter[Answer]:
    return TypeAdapter(Answer)


def _json(answer: Answer) -> str:
    """Write an answer without what it says nothing about."""
    try:
        text = _adapter().dump_json(answer, exclude_defaults=True).decode()
    except PydanticSerializationError:
        # A lone surrogate, which UTF-8 cannot say; the standard library writes it as an escape.
        text = json.dumps(_adapter().dump_python(answer, exclude_defaults=True), default=str)
    return clean_json(text)
