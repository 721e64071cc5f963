"""The digest: what handlers have to decide, in the order in which it wants a decision, as plain text."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from abuse_triage.model.decision import TicketKind, Tlp
from abuse_triage.model.ticket import MailState, Ticket
from abuse_triage.replies.columns import fill

WIDTH = 78
"""Columns of a line at most."""

_LISTED = 50
_ALL = "ticket list --due --limit 1000"
_LAST = 10
_MOST = 100_000
"""Entries that a command lists at most."""
_STRICT = re.compile(r"TLP.{0,3}(?:RED|AMBER.{0,3}STRICT)", re.IGNORECASE)
_WITHHELD = "(marked TLP:AMBER+STRICT or TLP:RED, withheld)"
_WITHHELD_FROM = Tlp.AMBER_STRICT
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldMessage:
    """A message that waits for a person, parked or unreadable.

    `sender` is the envelope's, "" if null; `subject` is defanged, "" where a ticket tells it.
    """

    id: str
    received_at: datetime
    sender: str
    reason: str
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedAcknowledgement:
    """A message that was not acknowledged; `ticket` is its number, "" where it has none."""

    at: datetime
    ticket: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TroubledMail:
    """A mail of ours that failed, came back, or whose delivery is unknown.

    `ticket` is "" for a digest, `error` the last answer or what reported it.
    """

    id: int
    at: datetime
    ticket: str
    state: MailState
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """How many things wait in one state, and since when the oldest does."""

    name: str
    count: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestInput:
    """Everything a digest is made of; all times are aware.

    `open_tickets` stand in the order in which they want a decision, `open_count` counts also those that were left out.
    `new` counts tickets since the last digest by category id, `category_names` gives the English names. `refused` are
    those since the last digest, newest first. `parked` are those that no digest has listed yet, newest first, and
    `parked_count` counts all that are parked. `settled` is a moment before which everything that had arrived was
    decided when the rest was looked up: the next digest lists what is parked of later arrivals. `expiring` has one line
    for each OpenPGP key that expires soon.
    """

    team: str
    timezone: str
    at: datetime
    since: datetime | None
    settled: datetime
    open_tickets: tuple[Ticket, ...] = ()
    open_count: int = 0
    new: tuple[tuple[str, int], ...] = ()
    category_names: Mapping[str, str] = field(default_factory=dict)
    unreadable: tuple[HeldMessage, ...] = ()
    parked: tuple[HeldMessage, ...] = ()
    parked_count: int = 0
    refused: tuple[RefusedAcknowledgement, ...] = ()
    troubled: tuple[TroubledMail, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    expiring: tuple[str, ...] = ()


def digest(given: DigestInput) -> str:
    """Write the digest: lines of at most 78 columns, or one line where there is nothing to tell.

    The first line is the TLP label of the strictest open ticket, at least TLP:GREEN. Of tickets with TLP:AMBER+STRICT
    or TLP:RED only number and clock are shown, and that the rest was withheld. Domains of senders are defanged, control
    characters and overrides of the writing direction removed; at most 50 entries of each kind are listed, the others
    are counted with the command that lists them.
    """
    if _is_empty(given):
        moment = _moment(given.at, given)
        return _cut(f"{strictest(given).label}  {moment}: nothing to decide, nothing waits. {given.team}") + "\n"
    heading = f"{given.team}, {_moment(given.at, given)}"
    if given.since is not None:
        heading += f", since {_moment(given.since, given)}"
    sections = [
        f"{strictest(given).label}\n{fill(_clean(heading), WIDTH)}",
        _decisions(given),
        _new(given),
        _unreadable(given),
        _parked(given),
        _refused(given),
        _troubled(given),
        _expiring(given),
        _health(given),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def digest_subject(given: DigestInput) -> str:
    """Write the subject: counts of what is new or wants something, the day in the team's zone, and the TLP label.

    Nothing of any report is in it.
    """
    overdue = sum(ticket.due < given.at for ticket in given.open_tickets)
    counts = [f"{_open_count(given)} open"]
    if overdue:
        counts.append(f"{overdue} overdue")
    counts.append(f"{sum(count for _, count in given.new)} new")
    for count, what in (
        (len(given.unreadable), "unreadable"),
        (len(given.parked), "parked"),
        (len(given.troubled), "not delivered"),
    ):
        if count:
            counts.append(f"{count} {what}")
    day = given.at.astimezone(ZoneInfo(given.timezone)).date().isoformat()
    return f"[{given.team}] {', '.join(counts)}, {day}, {strictest(given).label}"


def strictest(given: DigestInput) -> Tlp:
    """Return the label of the strictest open ticket, at least GREEN: a digest is never for everybody."""
    return max([Tlp.GREEN, *(ticket.tlp for ticket in given.open_tickets)], key=lambda tlp: tlp.rank)


def _is_empty(given: DigestInput) -> bool:
    lists = (
        given.open_tickets,
        given.new,
        given.unreadable,
        given.parked,
        given.refused,
        given.troubled,
        given.expiring,
    )
    counts = (given.open_count, given.parked_count, *(state.count for state in given.waiting))
    return not any(lists) and not any(counts)


def _open_count(given: DigestInput) -> int:
    return max(given.open_count, len(given.open_tickets))


def _decisions(given: DigestInput) -> str:
    if not _open_count(given):
        return ""
    overdue = sum(ticket.due < given.at for ticket in given.open_tickets)
    title = f"NEEDS A DECISION ({_open_count(given)} open, {overdue} overdue)"
    more = _open_count(given) - min(len(given.open_tickets), _LISTED)
    return _section(
        title,
        given.open_tickets[:_LISTED],
        lambda ticket: _ticket(ticket, given),
        more,
        _ALL,
    )


def _ticket(ticket: Ticket, given: DigestInput) -> str:
    overdue = ticket.due < given.at
    clock = f"overdue {_span(given.at - ticket.due)}" if overdue else f"due in {_span(ticket.due - given.at)}"
    start = f"{'!!' if overdue else '  '} {ticket.number}"
    if ticket.tlp >= _WITHHELD_FROM:
        return _row(start, f"({ticket.tlp.label}, withheld)", clock)
    category = given.category_names.get(ticket.category, ticket.category)
    about = [ticket.priority.upper(), "Enquiry" if ticket.kind is TicketKind.ENQUIRY else category]
    if ticket.messages > 1:
        about.append(f"{ticket.messages} messages")
    if ticket.review:
        about.append("review")
    lines = [_row(start, ", ".join(about), clock), _cut(f"   {ticket.summary}")]
    if ticket.protection:
        lines.append(_cut(f"   OpenPGP: {ticket.protection}"))
    return "\n".join(lines)


def _new(given: DigestInput) -> str:
    rows = [f"  {count:>6}  {_clean(given.category_names.get(name, name))}" for name, count in given.new]
    return "\n".join(["NEW SINCE THE LAST DIGEST", *map(_cut, rows)]) if rows else ""


def _unreadable(given: DigestInput) -> str:
    held = given.unreadable
    title = f"UNREADABLE ({len(held)}), abuse-triage message retry ID"
    more = max(len(held) - _LISTED, 0)
    return _section(title, held[:_LISTED], lambda one: _held(one, given), more, "message list") if held else ""


def _parked(given: DigestInput) -> str:
    """List what no digest has listed yet; what was listed before is still there, and is counted."""
    new, count = len(given.parked), max(given.parked_count, len(given.parked))
    if not count:
        return ""
    title = f"PARKED ({new} new, {count} in all), abuse-triage message promote ID"
    rest = [f"{new - _LISTED} more new"] if new > _LISTED else []
    rest += [f"{count - new} older"] if count > new else []
    lines = [title, *(_held(message, given) for message in given.parked[:_LISTED])]
    if rest:
        every = f"message list --outcome parked --limit {min(count, _MOST)}"
        lines += [f"  … and {', '.join(rest)}:", f"    abuse-triage {every}"]
    return "\n".join(lines)


def _held(message: HeldMessage, given: DigestInput) -> str:
    sender = _defanged(message.sender) if message.sender else "no return path"
    lines = [f"  {message.id}  {_moment(message.received_at, given)}  {sender}", f"    {message.reason}"]
    if message.subject:
        lines.insert(1, f"    {_WITHHELD if _STRICT.search(message.subject) else message.subject}")
    return "\n".join(map(_cut, lines))


def _refused(given: DigestInput) -> str:
    if not given.refused:
        return ""
    reasons = Counter(refusal.reason for refusal in given.refused).most_common(_LISTED)
    counts = [_cut(f"  {count:>6}  {reason}") for reason, count in reasons]
    last = [
        _cut(f"  {_moment(refusal.at, given)}  {refusal.ticket or 'no ticket'}  {refusal.reason}")
        for refusal in given.refused[:_LAST]
    ]
    title = f"NOT ACKNOWLEDGED ({len(given.refused)}), abuse-triage message list --unanswered"
    return "\n".join([title, *counts, "  the last ones:", *last])


def _troubled(given: DigestInput) -> str:
    def row(mail: TroubledMail) -> str:
        subject = mail.ticket or "digest"
        first = _cut(f"  {mail.id}  {mail.state}  {_moment(mail.at, given)}  {subject}")
        return f"{first}\n{_cut(f'    {mail.error}')}"

    more = max(len(given.troubled) - _LISTED, 0)
    title = f"NOT DELIVERED ({len(given.troubled)}), abuse-triage mail resend ID"
    return _section(title, given.troubled[:_LISTED], row, more, "mail list") if given.troubled else ""


def _expiring(given: DigestInput) -> str:
    rows = [fill(_clean(line), WIDTH, first="  ", rest="    ") for line in given.expiring[:_LISTED]]
    return "\n".join([f"KEYS THAT EXPIRE ({len(given.expiring)}), abuse-triage key list", *rows]) if rows else ""


def _health(given: DigestInput) -> str:
    rows = []
    for state in given.waiting:
        if not state.count:
            continue
        oldest = f"  oldest {_span(given.at - state.oldest)}" if state.oldest is not None else ""
        rows.append(_cut(f"  {state.count:>6}  {state.name}{oldest}"))
    return "\n".join(["HEALTH", *rows]) if rows else ""


def _section(title: str, items: Sequence[_Item], row: Callable[[_Item], str], more: int, command: str) -> str:
    lines = [title, *map(row, items)]
    if more:
        lines.append(f"  … and {more} more: abuse-triage {command}")
    return "\n".join(lines)


def _row(start: str, middle: str, end: str) -> str:
    """Put the end at the right margin, and cut the middle so that it fits."""
    room = WIDTH - len(end) - 2
    return f"{_cut(f'{start}  {middle}', room).ljust(room)}  {end}"


def _cut(text: str, width: int = WIDTH) -> str:
    cleaned = _clean(text).rstrip()
    return cleaned if len(cleaned) <= width else f"{cleaned[: width - 1]}…"


def _clean(text: str) -> str:
    """Replace what a terminal or mail client could obey: controls, line separators, overrides of direction."""
    return text if text.isprintable() else "".join(one if one.isprintable() else " " for one in text)


def _defanged(address: str) -> str:
    local, at, domain = address.rpartition("@")
    return f"{local}{at}{domain.replace('.', '[.]')}"


def _moment(at: datetime, given: DigestInput) -> str:
    return f"{at.astimezone(ZoneInfo(given.timezone)):%Y-%m-%d %H:%M %Z}"


def _span(span: timedelta) -> str:
    """Write a time span in its two largest units, such as "2 d 3 h" or "5 min"."""
    minutes = max(int(span.total_seconds()), 0) // 60
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
