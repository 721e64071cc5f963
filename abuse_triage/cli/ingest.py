"""`ingest`: mail from files, by the same way as mail from the network."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from abuse_triage.cli.arrivals import arrival, assumes_sender, envelope_options, mailboxes
from abuse_triage.cli.context import State, common, json_option, pass_state
from abuse_triage.cli.mailfiles import RawMail, mails_from, mails_in
from abuse_triage.cli.output import document, say, show
from abuse_triage.errors import InputError, TemporaryError
from abuse_triage.model.settings import Settings
from abuse_triage.service.room import shortage
from abuse_triage.store.interface import Store

_BATCH_COUNT = 50
_BATCH_BYTES = 16_000_000


@click.command()
@click.argument("source", metavar="FILE|DIR|-", type=click.Path(exists=True, allow_dash=True, path_type=Path))
@envelope_options
@common
@json_option
@pass_state
def ingest(state: State, *, source: Path, sender: str | None, recipients: tuple[str, ...], as_json: bool) -> None:
    """Take in mail from files, as if it had been sent.

    Known are .eml, mbox, Maildir and folders of .eml; "-" is standard input. Prints the id of each message once it is
    on the disk. A message that is taken in twice joins its ticket.
    """
    taken: list[dict[str, object]] = []
    unnamed = 0
    with state.store() as (settings, store):
        wanted = mailboxes(settings, recipients)
        limit = settings.smtp.max_message
        mails = mails_from(sys.stdin.buffer, "-", limit) if str(source) == "-" else mails_in(source, limit)
        try:
            for batch in _batches(mails):
                _make_sure_of_room(settings, store)
                arrivals = [arrival(mail, sender, wanted) for mail in batch]
                store.accept(arrivals)
                for mail, taken_in in zip(batch, arrivals, strict=True):
                    if not as_json:
                        show(f"{taken_in.id}  {mail.source}{'  (truncated)' if mail.truncated else ''}")
                    unnamed += assumes_sender(mail, sender)
                    taken.append({"id": taken_in.id, "source": mail.source, "truncated": mail.truncated})
        finally:
            if as_json:
                document(taken)
            say(f"{len(taken)} message{'' if len(taken) == 1 else 's'} taken in")
            if unnamed:
                say(f"{unnamed} of them without Return-Path: the address in From counts as sender")
    if not taken:
        raise InputError(f"there is no mail in {source}", advice="Known are .eml, mbox, Maildir and folders of .eml.")


def _batches(mails: Iterator[RawMail]) -> Iterator[list[RawMail]]:
    """Group messages for one commit each, bounded in number and in bytes."""
    batch: list[RawMail] = []
    size = 0
    for mail in mails:
        batch.append(mail)
        size += len(mail.raw)
        if len(batch) >= _BATCH_COUNT or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _make_sure_of_room(settings: Settings, store: Store) -> None:
    """Refuse more mail where the intake would, too."""
    match shortage(settings.store, store.waiting()):
        case "disk":
            raise TemporaryError(
                "the disk is too full for more mail", advice="See store.min_free in the configuration."
            )
        case "queue":
            raise TemporaryError(
                "too many messages wait for triage", advice="Let `abuse-triage serve` work on them first."
            )
