"""The acknowledgement: one short mail in Portuguese and English that tells a reporter what we understood and what next.

It never contains anything the reporter wrote: no subject, no text, no indicators, only how many of which kind. So it
cannot be used to send somebody else's words from our address, and tells nothing that was encrypted.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape

from abuse_triage.mail.compose import compose
from abuse_triage.model.decision import TicketKind, Tlp
from abuse_triage.model.report import Kind
from abuse_triage.model.settings import Team
from abuse_triage.model.ticket import NUMBER_PLACEHOLDER, MailKind, Outgoing
from abuse_triage.replies.columns import field, fill

WIDTH = 68
"""Columns of a line at most."""
LANGUAGES = ("pt", "en")

_INDENT = 14
_RULE = "-" * 64
_SUBJECTS = {
    (TicketKind.INCIDENT, "pt"): "Notificação recebida",
    (TicketKind.INCIDENT, "en"): "Report received",
    (TicketKind.ENQUIRY, "pt"): "Mensagem recebida",
    (TicketKind.ENQUIRY, "en"): "Message received",
}


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
    hours: int,
    message_id: str,
    sender: str,
    recipient: str,
    date: datetime,
    in_reply_to: str = "",
    references: Sequence[str] = (),
    incident_address: str = "",
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
        missing: codes from `missing.missing`.
        hours: within how many hours a person will have read it.
        message_id: ours, bare, from `thread.own_id`.
        sender: bare address in From.
        recipient: the envelope sender; `compose.written_address` must be able to write it, else `ValueError`.
        date: now, aware.
        in_reply_to: Message-ID of the reporter's mail, bare, "" where it has none.
        references: its References, or its In-Reply-To where it has none (RFC 5322 section 3.6.4).
        incident_address: where incidents go, for enquiries; "" says nothing about it.
    """
    languages = LANGUAGES if language == "pt" else LANGUAGES[::-1]
    values = {
        "number": NUMBER_PLACEHOLDER,
        "counts": counts,
        "tlp": tlp.label,
        "tlp_marked": tlp_marked,
        "missing": missing,
        "hours": hours,
        "incident_address": incident_address,
    }
    texts = [
        template(f"{code}/{kind}").render(
            values, category=category_names[code], contact=_contact(team, code), other_follows=position == 0
        )
        for position, code in enumerate(languages)
    ]
    subject = " / ".join(_SUBJECTS[kind, code] for code in languages)
    content = compose(
        kind=MailKind.ACKNOWLEDGEMENT,
        message_id=message_id,
        sender_name=team.name,
        sender=sender,
        recipient=recipient,
        subject=f"[{NUMBER_PLACEHOLDER}] Auto: {subject}",
        body=f"{texts[0]}\n{_RULE}\n\n{texts[1]}",
        date=date,
        in_reply_to=in_reply_to,
        references=(*references, in_reply_to),
    )
    return Outgoing(kind=MailKind.ACKNOWLEDGEMENT, message_id=message_id, recipient=recipient, content=content)


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Return the templates' environment: unknown variables are errors, nothing but our layout functions is added."""
    found = Environment(
        loader=PackageLoader("abuse_triage.replies"),
        undefined=StrictUndefined,
        autoescape=select_autoescape(),
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.globals.update(field=_field, item=_item, paragraph=_paragraph, indicators=_indicators)
    return found


@lru_cache(maxsize=8)
def template(name: str) -> Template:
    """Return a compiled template by language and name, such as "pt/incident"."""
    return environment().get_template(f"{name}.txt.j2")


@lru_cache(maxsize=8)
def _contact(team: Team, language: str) -> str:
    """Write who answers: the same in every mail of a team, so it is written once."""
    digits = team.openpgp_fingerprint
    fingerprint = " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))
    return template(f"{language}/team").render(team=team, fingerprint=fingerprint)


def _field(label: str, value: str) -> str:
    return field(label, value, width=WIDTH, indent=_INDENT)


def _item(text: str) -> str:
    return fill(text, WIDTH, first="- ", rest="  ")


def _paragraph(text: str) -> str:
    return fill(text, WIDTH)


def _indicators(counts: Mapping[Kind, int], *, none: str, words: Mapping[str, tuple[str, str]]) -> str:
    """Write "2 URLs, 1 domain" from counts by kind and the words for one and for many."""
    named = (f"{counts[kind]} {words[kind][counts[kind] != 1]}" for kind in Kind if counts.get(kind))
    return ", ".join(named) or none
