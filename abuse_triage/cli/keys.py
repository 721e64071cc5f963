"""`key`: the team's own OpenPGP key, and those of partners."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import structlog

from abuse_triage.cli.context import State, common, json_option, operator, pass_state
from abuse_triage.cli.output import document, fields, moment, say, table
from abuse_triage.cli.ownkey import generate, import_secret, logged_settings, publish, read
from abuse_triage.errors import InputError
from abuse_triage.model.openpgp import Certificate, KeyOrigin, KnownKey
from abuse_triage.model.settings import Settings
from abuse_triage.openpgp import certificates

log = structlog.get_logger()

_OFFERED = (KeyOrigin.ATTACHED, KeyOrigin.WKD)
_HOW = {
    KeyOrigin.OPERATOR: "added by",
    KeyOrigin.ATTACHED: "came with a report",
    KeyOrigin.WKD: "published by its domain",
}
_ADDRESS = re.compile(r"[a-z0-9._+=/-]{1,64}@[a-z0-9.-]{1,253}")
_FINGERPRINT = re.compile(r"[0-9A-Fa-f]{16,40}")
_COMPARE = "Compare it by telephone or on paper with its owner: nothing that came by mail proves it."


@click.group()
def key() -> None:
    """Keep OpenPGP keys: the team's own and those of partners."""


for own in (generate, import_secret, publish):
    key.add_command(own)


@key.command()
@click.argument("source", metavar="FILE|FINGERPRINT")
@click.option(
    "--address", "addresses", multiple=True, required=True, help="An address that it belongs to; may be repeated."
)
@click.option("--note", default="", help="Such as how you compared the fingerprint.")
@common
@pass_state
def add(state: State, source: str, addresses: tuple[str, ...], note: str) -> None:
    """Vouch for a partner's key: signatures by it count for these addresses, and answers are encrypted to it.

    It comes from a file ("-" is standard input), or is one that was offered, by its fingerprint.
    """
    owners = tuple(dict.fromkeys(address.lower() for address in addresses))
    for address in owners:
        if not _ADDRESS.fullmatch(address):
            raise click.BadParameter(f"{address!r} is no e-mail address", param_hint="--address")
    now = datetime.now(UTC)
    logged_settings(state)
    with state.store() as (settings, store):
        if _FINGERPRINT.fullmatch(source) and not Path(source).exists():
            offered = store.known_key(source)
            say(f"{offered.certificate.fingerprint} {_how(offered)}. {_COMPARE}")
            blob = offered.certificate.blob
        else:
            blob = read(Path(source), settings.openpgp.max_key * 2)
        certificate = certificates.inspect(blob, limit=settings.openpgp.max_key, now=now)
        _refuse_unusable(certificate, settings, now)
        store.add_key(
            KnownKey(
                certificate=certificate,
                origin=KeyOrigin.OPERATOR,
                addresses=owners,
                note=note,
                added_at=now,
                added_by=operator(),
            )
        )
        log.info("key-added", fingerprint=certificate.fingerprint, by=operator())
    fields(_described(certificate, settings))
    say(f"Added for {', '.join(owners)}. {_COMPARE}")
    if foreign := [address for address in owners if address not in certificate.emails]:
        say(f"The key itself does not name {', '.join(foreign)}; your word counts.")
    if not certificate.can_encrypt:
        say("It has no encryption key that is valid now: its signatures count, but answers to it leave unencrypted.")


@key.command("list")
@click.option("--offered", is_flag=True, help="Those that came with reports, or that domains publish.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="At most so many.")
@common
@json_option
@pass_state
def list_keys(state: State, offered: bool, limit: int, as_json: bool) -> None:
    """List the keys that you vouch for, newest first; or those that were offered, for which nobody does."""
    now = datetime.now(UTC)
    with state.store() as (settings, store):
        found = store.known_keys(_OFFERED if offered else (KeyOrigin.OPERATOR,), limit + 1)
    if len(found) > limit:
        found = found[:limit]
        say(f"only the newest {limit} are shown; --limit shows more")
    if as_json:
        document([_plain(one) for one in found])
        return
    table(
        ("FINGERPRINT", "NAME", "ADDRESSES", "SINCE", "EXPIRES"),
        (
            (
                one.certificate.fingerprint,
                one.certificate.names[0],
                ", ".join(one.certificate.emails if offered else one.addresses),
                moment(one.added_at, settings.team.timezone),
                _end(one.certificate, settings, now),
            )
            for one in found
        ),
    )


@key.command("show")
@click.argument("fingerprint")
@common
@json_option
@pass_state
def show_key(state: State, fingerprint: str, as_json: bool) -> None:
    """Show one key of somebody else, by its fingerprint or the end of it."""
    with state.store() as (settings, store):
        found = store.known_key(fingerprint)
    if as_json:
        document(_plain(found))
        return
    fields(
        (
            *_described(found.certificate, settings),
            ("You vouch for", ", ".join(found.addresses)),
            ("Came", f"{_how(found)} at {moment(found.added_at, settings.team.timezone)}"),
            ("Note", found.note),
        )
    )
    if found.origin is not KeyOrigin.OPERATOR:
        say(f"Nobody vouches for it. {_COMPARE}")


@key.command()
@click.argument("fingerprint")
@common
@pass_state
def remove(state: State, fingerprint: str) -> None:
    """Forget a key of somebody else; its signatures are then those of an unknown key."""
    logged_settings(state)
    with state.store() as (_, store):
        found = store.known_key(fingerprint).certificate.fingerprint
        store.remove_key(found)
        log.info("key-removed", fingerprint=found, by=operator())
    say(f"Removed: {found}")


def _refuse_unusable(certificate: Certificate, settings: Settings, now: datetime) -> None:
    if certificate.fingerprint == settings.team.openpgp_fingerprint:
        raise InputError("this is the team's own key", advice="It needs no entry here.")
    if certificate.revoked:
        raise InputError(f"{certificate.fingerprint} was revoked", advice="Ask its owner for the new key.")
    if certificate.expires is not None and certificate.expires <= now:
        raise InputError(
            f"{certificate.fingerprint} {_when(certificate.expires, settings, now)}",
            advice="Ask its owner for a copy with a new end; the key itself may stay the same.",
        )


def _described(certificate: Certificate, settings: Settings) -> Iterator[tuple[str, str]]:
    digits = certificate.fingerprint
    yield "Fingerprint", " ".join(digits[start : start + 4] for start in range(0, 40, 4))
    for name in certificate.names:
        yield "It says", name
    yield "Made", moment(certificate.created, settings.team.timezone)
    yield "Expires", _end(certificate, settings, datetime.now(UTC))
    yield "Answers", "can be encrypted to it" if certificate.can_encrypt else "cannot be encrypted to it"


def _plain(known: KnownKey) -> dict[str, object]:
    """Give what JSON shows of a key: all but its bytes."""
    certificate = known.certificate
    return {
        "fingerprint": certificate.fingerprint,
        "names": certificate.names,
        "emails": certificate.emails,
        "created": certificate.created,
        "expires": certificate.expires,
        "revoked": certificate.revoked,
        "can_encrypt": certificate.can_encrypt,
        "origin": known.origin,
        "addresses": known.addresses,
        "note": known.note,
        "added_at": known.added_at,
        "added_by": known.added_by,
    }


def _how(known: KnownKey) -> str:
    by = f" {known.added_by}" if known.added_by else ""
    return f"{_HOW[known.origin]}{by}"


def _end(certificate: Certificate, settings: Settings, now: datetime) -> str:
    if certificate.revoked:
        return "REVOKED"
    if certificate.expires is None:
        return "never"
    return ("EXPIRED " if certificate.expires <= now else "") + moment(certificate.expires, settings.team.timezone)


def _when(end: datetime, settings: Settings, now: datetime) -> str:
    return f"{'expired' if end <= now else 'expires'} on {moment(end, settings.team.timezone)}"
