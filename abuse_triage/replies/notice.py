"""The notice: a short mail that tells a handler at once of a ticket that should not wait for the digest.

Nothing that the reporter wrote is in it but the address, defanged: why it is told stands in our own rules. Where so
many are opened that a handler would drown in notices, one mail tells several of them.
"""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from abuse_triage.indicators.refang import defang_text
from abuse_triage.mail.compose import compose
from abuse_triage.model.decision import Priority, Tlp, TraceEntry, Verdict
from abuse_triage.model.identity import Team
from abuse_triage.model.ticket import NUMBER_PLACEHOLDER, MailKind, Outgoing
from abuse_triage.replies.columns import field, fill

WIDTH = 78
"""Columns of a line at most, with numbers of up to 50 characters."""

_INDENT = 14
_LONGEST_REASON = 100
_WITHHELD_FROM = Tlp.AMBER_STRICT
_PROVEN = "The sender is proven."
_NOT_PROVEN = (
    "The sender is not proven: make sure by another way who wrote before you follow a link in it or act on it."
)
_FORGED = "The sender is forged, as its domain says: make sure by another way that there is anything in it."
_ALL_PROVEN = "The senders are proven."
_NONE_PROVEN = (
    "No sender of these is proven, and one stranger may have sent all of them:"
    " real ones may be among them all the same."
)


def reasons(verdict: Verdict) -> tuple[TraceEntry, ...]:
    """Return the rules that asked to tell the handlers at once, in their order; none where nobody has to be told."""
    return tuple(entry for entry in verdict.trace if entry.notifies and entry.applied) if verdict.notify else ()


def notice(
    *,
    team: Team,
    verdict: Verdict,
    category: str,
    due: datetime,
    reporter: str,
    proven: bool,
    forged: bool,
    message_id: str,
    sender: str,
    recipient: str,
    date: datetime,
) -> Outgoing:
    """Write the notice of a new ticket to one handler, with `NUMBER_PLACEHOLDER` where the ticket's number goes.

    Plain text; the TLP label stands in subject and first line. Of a ticket with TLP:AMBER+STRICT or TLP:RED only number
    and clock are told, and that the rest is withheld, as in a digest.

    Args:
        team: who writes, and in which zone the clock is told.
        verdict: what was decided; `reasons` must find something in it.
        category: its name for people.
        due: when the response clock of the ticket runs out, aware.
        reporter: address in From of the report, or over a list of our own, of whoever wrote to it; "" for none.
        proven: whether the domain of that address is proven.
        forged: whether that domain disowns the message.
        message_id: ours, bare, from `thread.own_id`.
        sender: bare address in From.
        recipient: bare address of the handler.
        date: now, aware.
    """
    told = reasons(verdict)
    clock = f"{due.astimezone(ZoneInfo(team.timezone)):%Y-%m-%d %H:%M %Z}"
    withheld = verdict.tlp >= _WITHHELD_FROM
    if withheld:
        subject = f"notice, {verdict.tlp.label}"
        facts = [_field("Due", clock), _field("Withheld", f"what it is about ({verdict.tlp.label})")]
    else:
        subject = f"notice, {verdict.priority.upper()}, {verdict.tlp.label}: {_shortened(told[0].why)}"
        proof = _PROVEN if proven else _FORGED if forged else _NOT_PROVEN
        facts = [
            _field("Priority", f"{verdict.priority.upper()}, due {clock}"),
            _field("Category", category),
            *(_field("Because", f"{entry.why} (rule {entry.rule})") for entry in told),
            _field("From", f"{defang_text(reporter) or 'nobody'}. {proof}"),
        ]
    body = "\n\n".join(
        [
            verdict.tlp.label,
            fill(f"{NUMBER_PLACEHOLDER} was opened and should not wait for the digest.", WIDTH),
            "\n".join(facts),
            f"abuse-triage ticket show {NUMBER_PLACEHOLDER}",
        ]
    )
    content = compose(
        kind=MailKind.NOTICE,
        message_id=message_id,
        sender_name=team.name,
        sender=sender,
        recipient=recipient,
        subject=f"[{NUMBER_PLACEHOLDER}] {subject}",
        body=f"{body}\n",
        date=date,
    )
    return Outgoing(kind=MailKind.NOTICE, message_id=message_id, recipient=recipient, content=content, proven=proven)


def gathered(
    *,
    team: Team,
    tickets: Mapping[str, tuple[Priority | None, Tlp | None]],
    message_id: str,
    sender: str,
    recipient: str,
    date: datetime,
    proven: bool,
) -> Outgoing:
    """Write one notice in place of several to the same handler: how many tickets wait, and which.

    Each is told by its number and priority, or where its TLP is strict, by its number alone. The strictest TLP label
    stands in subject and first line.

    Args:
        team: who writes.
        tickets: at least one number, each with the priority and TLP that the ticket has, in the order of the list.
        message_id: ours, bare, from `thread.own_id`.
        sender: bare address in From.
        recipient: bare address of the handler.
        date: now, aware.
        proven: whether the senders of all of them are proven, or of none.
    """
    label = max((tlp for _, tlp in tickets.values() if tlp is not None), default=Tlp.AMBER_STRICT).label
    waiting = f"{len(tickets)} urgent ticket{'' if len(tickets) == 1 else 's'} wait{'s' if len(tickets) == 1 else ''}"
    body = "\n\n".join(
        [
            label,
            fill(f"{waiting} and should not wait for the digest. They came faster than one mail for each.", WIDTH),
            "\n".join(f"{number}  {_urgency(*ranks)}" for number, ranks in tickets.items()),
            fill(_ALL_PROVEN if proven else _NONE_PROVEN, WIDTH),
            "abuse-triage ticket list --due",
        ]
    )
    content = compose(
        kind=MailKind.NOTICE,
        message_id=message_id,
        sender_name=team.name,
        sender=sender,
        recipient=recipient,
        subject=f"notice, {label}: {waiting}",
        body=f"{body}\n",
        date=date,
    )
    return Outgoing(kind=MailKind.NOTICE, message_id=message_id, recipient=recipient, content=content, proven=proven)


def _urgency(priority: Priority | None, tlp: Tlp | None) -> str:
    if priority is None or tlp is None or tlp >= _WITHHELD_FROM:
        return f"{(tlp or _WITHHELD_FROM).label}, withheld"
    return priority.upper()


def _field(label: str, value: str) -> str:
    return field(label, value, width=WIDTH, indent=_INDENT)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_REASON else f"{text[: _LONGEST_REASON - 1]}…"
