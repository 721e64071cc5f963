"""The acknowledgement: one short mail in Portuguese and English that tells a reporter what we understood and what next.

It never contains anything the reporter wrote: no subject, no text, no indicators, only how many of which kind. So it
cannot be used to send somebody else's words from our address, and tells nothing that was encrypted.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from abuse_triage.mail.compose import compose
from abuse_triage.model.decision import Priority, TicketKind, Tlp
from abuse_triage.model.identity import Mailbox, Team
from abuse_triage.model.report import Kind
from abuse_triage.model.ticket import NUMBER_PLACEHOLDER, MailKind, Outgoing
from abuse_triage.replies.wording import LANGUAGES, SHIPPED, Wording

_RULE = "-" * 64
_THEIR_NUMBER = re.compile(r"[A-Za-z0-9#](?:[A-Za-z0-9#|:._+-]| (?! )|/(?!/)){0,59}")
"""What ticket systems call their tickets; nothing that could be an address or a link of itself."""


def acknowledge(
    *,
    team: Team,
    kind: TicketKind,
    language: str,
    category_names: Mapping[str, str],
    counts: Mapping[Kind, int],
    tlp: Tlp,
    tlp_marked: bool,
    missing: Sequence[str],
    received_at: datetime,
    response: timedelta,
    message_id: str,
    sender: str,
    recipient: str,
    date: datetime,
    in_reply_to: str = "",
    references: Sequence[str] = (),
    incident_address: str = "",
    their_number: str = "",
    dsa_notice: bool = False,
    proven: bool = False,
    sealed: bool = False,
    encrypt_to: str = "",
    not_before: datetime | None = None,
    wording: Wording = SHIPPED,
) -> Outgoing:
    """Write the acknowledgement of one message, with `NUMBER_PLACEHOLDER` where the ticket's number goes.

    Plain text of at most 68 columns (with numbers of up to 54 characters), both languages, the likelier one first; the
    subject is "[number] Auto: …" (RFC 3834 section 3.1.5) and generic.

    Args:
        team: who signs.
        kind: enquiries have a wording of their own, without category, indicators and what is missing.
        language: "pt" puts Portuguese first, anything else English.
        category_names: name of the category that was understood, by "pt" and "en".
        counts: indicators by kind; kinds that do not occur may be absent.
        tlp: label of the ticket.
        tlp_marked: True where it comes from a marking, False where it is our default.
        missing: codes from `missing.asked`.
        received_at: when the message arrived, aware.
        response: within what time a person reads it, from `promised`.
        message_id: ours, bare, from `thread.own_id`.
        sender: bare address in From.
        recipient: bare address; `compose.written_address` must be able to write it, else `ValueError`.
        date: now, aware; where the time to read it has passed already, the mail says that it is late.
        in_reply_to: Message-ID of the reporter's mail, bare, "" where it has none.
        references: its References, or its In-Reply-To where it has none (RFC 5322 section 3.6.4).
        incident_address: where incidents go, for enquiries; "" says nothing about it.
        their_number: what an authenticated team's own ticket system calls the matter, at most 60 characters; one with
            other characters than such numbers have is left out.
        dsa_notice: adds what article 16 of Regulation (EU) 2022/2065 asks a hosting service to say.
        proven: whether the recipient is proven to have written.
        sealed: the report was encrypted. Then category, indicators, label and what is missing are not told, whatever
            was given for them and whatever a template says, so that nobody can have us tell what he cannot open.
        encrypt_to: fingerprint of the recipient's key that the mail is encrypted to on its way, "" for none.
        not_before: when it may leave at the earliest, None for at once.
        wording: the templates.
    """
    languages = LANGUAGES if language == "pt" else LANGUAGES[::-1]
    if sealed:
        category_names, counts, missing = dict.fromkeys(LANGUAGES, "-"), {}, ()
        tlp, tlp_marked = Tlp.AMBER, False
    theirs = their_number if _THEIR_NUMBER.fullmatch(their_number) else ""
    subject, body = _written(
        wording,
        team,
        kind,
        tuple((code, category_names[code]) for code in languages),
        tuple(sorted(counts.items())),
        their_number=theirs,
        tlp=tlp.label,
        tlp_marked=tlp_marked,
        missing=tuple(missing),
        until=_moment(received_at + response, team.timezone) if date < received_at + response else "",
        hours=-(-response // timedelta(hours=1)),
        sealed=sealed,
        use_key=not sealed and tlp_marked and tlp >= Tlp.AMBER_STRICT and bool(team.openpgp_fingerprint),
        dsa=dsa_notice,
        incident_address=incident_address,
    )
    content = compose(
        kind=MailKind.ACKNOWLEDGEMENT,
        message_id=message_id,
        sender_name=team.name,
        sender=sender,
        recipient=recipient,
        subject=f"[{NUMBER_PLACEHOLDER}] Auto: {subject}{f' [{theirs}]' if theirs else ''}",
        body=body,
        date=date,
        in_reply_to=in_reply_to,
        references=(*references, in_reply_to),
    )
    return Outgoing(
        kind=MailKind.ACKNOWLEDGEMENT,
        message_id=message_id,
        recipient=recipient,
        content=content,
        proven=proven,
        answers=in_reply_to,
        language=languages[0],
        encrypt_to=encrypt_to,
        not_before=not_before,
    )


def promised(response: Mapping[Priority, timedelta]) -> timedelta:
    """Return within what time every reporter is told that a person reads the report: the longest that any ticket has.

    Tickets of a higher priority are due earlier (`tickets.response`), but the priority is our judgement of a claim that
    nobody has verified yet: a promise that depends on it could not be kept, and would teach which words raise it.
    """
    return max(response.values())


def incident_address(mailboxes: Iterable[Mailbox]) -> str:
    """Return where incidents are reported: the first mailbox for them, "" where there is none."""
    return next((mailbox.address for mailbox in mailboxes if mailbox.kind is TicketKind.INCIDENT), "")


def both(parts: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """Put a mail in two languages together, each given as subject and text; returns subject and text."""
    (first, text), (second, other) = parts
    return f"{first} / {second}", f"{text}\n{_RULE}\n\n{other}"


@lru_cache(maxsize=256)
def _written(
    wording: Wording,
    team: Team,
    kind: TicketKind,
    categories: tuple[tuple[str, str], ...],
    counts: tuple[tuple[Kind, int], ...],
    **values: object,
) -> tuple[str, str]:
    """Write subject and text; remembered, because reports of one kind in one minute all get the same.

    Args:
        wording: the templates.
        team: who signs.
        kind: of the ticket.
        categories: languages in their order, each with the name of the category.
        counts: indicators by kind.
        values: the other variables of the templates.
    """
    return both(
        [
            wording.mail(
                kind.value,
                code,
                team,
                {
                    **values,
                    "number": NUMBER_PLACEHOLDER,
                    "counts": dict(counts),
                    "category": category,
                    "other_follows": position == 0,
                },
            )
            for position, (code, category) in enumerate(categories)
        ]
    )


def _moment(at: datetime, timezone: str) -> str:
    """Write a moment as a clock on the team's wall shows it, with the name of the zone, or its distance from UTC."""
    local = at.astimezone(ZoneInfo(timezone))
    name = local.tzname() or ""
    return f"{local:%Y-%m-%d %H:%M} ({name if name.isalpha() else f'UTC{name}'})"
