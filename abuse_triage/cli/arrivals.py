"""Messages out of files as arrivals: the envelope that a file does not have comes from options or Return-Path."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from abuse_triage.cli.mailfiles import RawMail, return_path
from abuse_triage.mail.decode import decode
from abuse_triage.model.message import Arrival, Channel, Envelope
from abuse_triage.model.settings import LimitSettings, Settings
from abuse_triage.service.ids import new_id
from abuse_triage.service.path import NULL_PATH, split_path

_HEADERS = 256_000
_Command = TypeVar("_Command", bound=Callable[..., Any])


def envelope_options(command: _Command) -> _Command:
    """Give a command --sender, a bare address or None, and --recipient, which it gets as `recipients`."""
    command = click.option(
        "--recipient", "recipients", metavar="ADDRESS", multiple=True, help="Configured mailbox.  [default: the first]"
    )(command)
    return click.option(
        "--sender",
        callback=_sender,
        metavar="ADDRESS",
        help='Envelope sender, "" for none.  [default: from Return-Path, else from From]',
    )(command)


def mailboxes(settings: Settings, recipients: tuple[str, ...]) -> tuple[str, ...]:
    """Return the mailboxes that were asked for, the first one if none was; raises `UsageError` for unknown ones."""
    known = [mailbox.address for mailbox in settings.mailbox]
    for recipient in recipients:
        if recipient.lower() not in known:
            raise click.UsageError(f"{recipient} is no configured mailbox; there are {', '.join(known)}")
    return tuple(dict.fromkeys(recipient.lower() for recipient in recipients)) or (known[0],)


def arrival(mail: RawMail, sender: str | None, recipients: tuple[str, ...]) -> Arrival:
    """Make the arrival of a message now; without a sender its Return-Path counts, and without that the address in From.

    The second is a guess that RFC 3834 section 4 allows a service responder: a report that somebody saved to a file
    should not look like a bounce. A Return-Path that is no address is a null sender.
    """
    now = datetime.now(UTC)
    if sender is None:
        path = return_path(mail.raw)
        sender = (_bare(path) or "") if path else _author(mail.raw)
    return Arrival(
        id=new_id(int(now.timestamp() * 1000), secrets.randbits(80)),
        received_at=now,
        envelope=Envelope(sender=sender, recipients=recipients, channel=Channel.FILE),
        raw=mail.raw,
        truncated=mail.truncated,
    )


def assumes_sender(mail: RawMail, sender: str | None) -> bool:
    """Tell whether `arrival` has to take the address in From for the envelope sender."""
    return sender is None and not return_path(mail.raw)


def _author(raw: bytes) -> str:
    """Return the address in From, "" where there is none."""
    end = min((found for found in (raw.find(b"\n\n"), raw.find(b"\r\n\r\n")) if found >= 0), default=len(raw))
    senders = decode(raw[: min(end, _HEADERS)], LimitSettings()).senders
    return senders[0].email if senders else ""


def _sender(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    bare = _bare(value or NULL_PATH)
    if bare is None:
        raise click.BadParameter(f"{value!r} is no address")
    return bare if value is not None else None


def _bare(path: str) -> str | None:
    """Return the address in a path, "" for the null path, None where there is none or something behind it."""
    found = split_path(path) if path.isprintable() else None
    if found is None or found[1]:
        return None
    return "" if found[0] == NULL_PATH else found[0]
