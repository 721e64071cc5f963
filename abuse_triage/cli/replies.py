"""`reply preview`: what reporters get, with the templates and the configuration that hold."""

import email
import email.policy
import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import click

from abuse_triage import config
from abuse_triage.cli.context import State, common, json_option, pass_state
from abuse_triage.cli.output import document, say, show
from abuse_triage.mail import thread
from abuse_triage.mail.compose import written_address
from abuse_triage.model.decision import TicketKind
from abuse_triage.model.report import Kind
from abuse_triage.model.settings import Settings
from abuse_triage.model.ticket import MailKind, Outgoing
from abuse_triage.replies.acknowledgement import acknowledge, incident_address, promised
from abuse_triage.replies.folded import folded
from abuse_triage.replies.missing import EVIDENCE, SOURCE, TIME, asked
from abuse_triage.replies.wording import LANGUAGES, MAILS
from abuse_triage.rules import taxonomy
from abuse_triage.rules.taxonomy import Category, Taxonomy
from abuse_triage.service.sender import own_address
from abuse_triage.service.templates import wording_of
from abuse_triage.store.interface import Store, TicketFile

_REPORTER = "reporter@example.org"
_REPORT = "report@example.org"


@click.group()
def reply() -> None:
    """Show what reporters get."""


@reply.command()
@click.option("--template", type=click.Choice(MAILS), help="Which mail.  [default: incident]")
@click.option(
    "--language", type=click.Choice(LANGUAGES), help="The language that stands first.  [default: pt, or the ticket's]"
)
@click.option("--category", help="Class or type of the taxonomy.  [default: fraud]")
@click.option("--their-number", metavar="NUMBER", help="Number in the ticket system of another team.")
@click.option("--ticket", "number", metavar="NUMBER", help="What the reporter of this ticket was told.")
@common
@json_option
@pass_state
def preview(
    state: State,
    *,
    template: str | None,
    language: str | None,
    category: str | None,
    their_number: str | None,
    number: str | None,
    as_json: bool,
) -> None:
    """Show a whole mail as a reporter gets it; nothing is sent.

    It answers a made-up report that lacks everything. With --ticket it is what that ticket's reporter got, from the
    outbox, or what he would get now if he was not answered; with --language too it is what he would get now in that
    language.
    """
    if number:
        if template or category or their_number:
            raise click.UsageError("--template, --category and --their-number are those of the ticket with --ticket")
        with state.store() as (settings, store):
            content = _of_ticket(settings, store, store.ticket(number.lstrip("#")), language)
    else:
        content = _example(
            state.settings(), template or "incident", language or "pt", category or "fraud", their_number or ""
        )
    message = email.message_from_bytes(content, policy=email.policy.default)
    headers = [(name, str(value)) for name, value in message.items()]
    text = message.get_content()
    if as_json:
        document({"headers": headers, "text": text})
        return
    for name, value in headers:
        show(f"{name}: {value}")
    show()
    for line in text.splitlines():
        show(line)


def _example(settings: Settings, template: str, language: str, category: str, their_number: str) -> bytes:
    """Write the answer to a made-up report."""
    now = datetime.now(UTC)
    known = _known(settings)
    type_id = category if category in known.category_of_type else ""
    category = known.category_of_type.get(category, category)
    if category not in known.categories:
        raise click.UsageError(f"{category!r} is no category; there are {', '.join(known.categories)}")
    numbers = [config.number_format(settings).format(year=now.year, sequence=n) for n in (1, 2, 3)]
    if template == "folded":
        return folded(
            team=settings.team,
            numbers=numbers,
            language=language,
            message_id=_id(settings, "fold"),
            sender=own_address(settings),
            recipient=_REPORTER,
            date=now,
            references=(_REPORT,),
            proven=True,
            wording=wording_of(settings),
        ).content
    kind = TicketKind(template)
    mailbox = next((one for one in settings.mailbox if one.kind is kind), settings.mailbox[0])
    return _answer(
        settings,
        kind=kind,
        language=language,
        category=known.category(category),
        counts={},
        tlp=mailbox.default_tlp,
        missing=asked((TIME, SOURCE, EVIDENCE), category, type_id),
        received_at=now,
        sender=mailbox.address,
        recipient=_REPORTER,
        in_reply_to=_REPORT,
        their_number=their_number,
    ).numbered(numbers[0])


def _of_ticket(settings: Settings, store: Store, found: TicketFile, language: str | None) -> bytes:
    """Return what a ticket's reporter was told, or would be told now; in another language nobody was told."""
    answer = next((mail for mail in found.mails if mail.kind is MailKind.ACKNOWLEDGEMENT), None)
    if answer is not None and language is None:
        mail_id = answer.folded_into or answer.id
        say(f"mail {mail_id} to {answer.recipient}: {answer.state}")
        return store.content(mail_id)
    ticket, report = found.ticket, found.reports[0]
    if answer is not None:
        say("written now; without --language it is the mail that was sent")
    else:
        refused = store.message(report.message_id)[0].refused
        say(f"not acknowledged: {refused}. If it were answered, the mail would be:")
    kept = json.loads(report.facts)
    return _answer(
        settings,
        kind=ticket.kind,
        language=language or kept.get("facts", {}).get("lang", ""),
        category=_known(settings).category(ticket.category),
        counts=Counter(Kind(indicator.kind) for indicator in found.indicators),
        tlp=ticket.tlp,
        tlp_marked=ticket.tlp_marked,
        missing=asked(kept.get("missing", ()), ticket.category, ticket.type),
        received_at=report.received_at,
        sender=ticket.mailbox,
        recipient=ticket.reporter if written_address(ticket.reporter) else _REPORTER,
    ).numbered(ticket.number)


def _answer(settings: Settings, *, category: Category, sender: str, **values: Any) -> Outgoing:
    """Write an acknowledgement as the daemon would; `values` are what `acknowledge` takes besides."""
    return acknowledge(
        **{"tlp_marked": False, **values},
        team=settings.team,
        category_names={"pt": category.pt, "en": category.en},
        response=promised(settings.tickets.response),
        message_id=_id(settings, "ack"),
        sender=settings.reply.sender or sender,
        date=datetime.now(UTC),
        incident_address=incident_address(settings.mailbox),
        dsa_notice=settings.reply.dsa_notice,
        wording=wording_of(settings),
    )


def _id(settings: Settings, kind: str) -> str:
    return thread.own_id(kind, "preview", config.secret(settings), settings.reply.message_id_domain)


def _known(settings: Settings) -> Taxonomy:
    return taxonomy.parse(*config.taxonomy(settings))
