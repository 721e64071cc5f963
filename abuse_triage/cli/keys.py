"""`key`: the team's own OpenPGP key, and those of partners."""

import re
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click
import structlog

from abuse_triage.cli.attachedkey import key_in_message
from abuse_triage.cli.context import State, common, json_option, operator, pass_state
from abuse_triage.cli.keyfetch import fetch
from abuse_triage.cli.keysheet import ADDRESS, COMPARE, described, end_of, how, plain, refuse_unusable
from abuse_triage.cli.output import document, fields, moment, say, table
from abuse_triage.cli.ownkey import generate, import_secret, logged_settings, publish, read
from abuse_triage.errors import InputError, NotFoundError
from abuse_triage.mail.origin import own_addresses
from abuse_triage.model.openpgp import Certificate, KeyOrigin, KnownKey
from abuse_triage.model.settings import Settings
from abuse_triage.openpgp import certificates
from abuse_triage.store.interface import Store

log = structlog.get_logger()

_OFFERED = (KeyOrigin.ATTACHED, KeyOrigin.WKD)
_FINGERPRINT = re.compile(r"[0-9A-Fa-f]{16,40}")


@click.group()
def key() -> None:
    """Keep OpenPGP keys: the team's own and those of partners."""


for command in (generate, import_secret, publish, fetch):
    key.add_command(command)


@key.command()
@click.argument("source", metavar="[FILE|FINGERPRINT]", required=False)
@click.option("--message", "message_id", metavar="ID", help="Take the key that is attached to this message.")
@click.option(
    "--address",
    "addresses",
    multiple=True,
    help="An address that it belongs to; may be repeated. Not needed for another copy of a key that you vouch for.",
)
@click.option("--note", default="", help="Such as how you compared the fingerprint.")
@common
@pass_state
def add(state: State, source: str | None, message_id: str | None, addresses: tuple[str, ...], note: str) -> None:
    """Vouch for a partner's key: signatures by it count for these addresses, and answers are encrypted to it.

    It comes from a file ("-" is standard input), or is one that was offered, by its fingerprint, or is attached to a
    message, also inside of one that is encrypted; of several in it, FINGERPRINT says which. A newer copy takes the
    place of the one that is there, above all one that its owner has revoked: then it counts for nothing any more.
    """
    if source is None and message_id is None:
        raise click.UsageError("Name a FILE or a FINGERPRINT, or a message with --message ID.")
    owners = tuple(dict.fromkeys(address.lower() for address in addresses))
    for address in owners:
        if not ADDRESS.fullmatch(address):
            raise click.BadParameter(f"{address!r} is no e-mail address", param_hint="--address")
    now = datetime.now(UTC)
    _refuse_own(owners, logged_settings(state))
    with state.store() as (settings, store):
        if message_id is not None:
            certificate = key_in_message(settings, store, message_id, source or "")
            note = note or f"attached to message {message_id}"
        else:
            certificate = certificates.inspect(
                _content(source or "", settings, store), limit=settings.openpgp.max_key, now=now
            )
        earlier = _stored(store, certificate.fingerprint)
        if earlier and certificate.revoked:
            _revoke(store, earlier, certificate)
            return
        refuse_unusable(certificate, settings, now)
        if earlier and earlier.certificate.revoked:
            raise InputError(
                f"{certificate.fingerprint} was revoked: this is a copy from before", advice="Ask for the new key."
            )
        there = earlier.addresses if earlier and earlier.origin is KeyOrigin.OPERATOR else ()
        owners = tuple(dict.fromkeys((*there, *owners)))
        if not owners:
            raise click.UsageError("Say with --address whose key it is.")
        store.add_key(
            KnownKey(
                certificate=certificate,
                origin=KeyOrigin.OPERATOR,
                addresses=owners,
                note=note or (earlier.note if earlier and there else ""),
                added_at=now,
                added_by=operator(),
            )
        )
        log.info("key-added", fingerprint=certificate.fingerprint, by=operator())
    fields(described(certificate, settings))
    whose = ", ".join(owners)
    say(f"{f'You vouch for it for {whose} now' if there else f'Added for {whose}'}. {COMPARE}")
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
        document([plain(one) for one in found])
        return
    table(
        ("FINGERPRINT", "NAME", "ADDRESSES", "SINCE", "EXPIRES"),
        (
            (
                one.certificate.fingerprint,
                one.certificate.names[0],
                ", ".join(one.certificate.emails if offered else one.addresses),
                moment(one.added_at, settings.team.timezone),
                end_of(one.certificate, settings, now),
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
        document(plain(found))
        return
    fields(
        (
            *described(found.certificate, settings),
            ("You vouch for", ", ".join(found.addresses)),
            ("Came", f"{how(found)} at {moment(found.added_at, settings.team.timezone)}"),
            ("Note", found.note),
        )
    )
    if found.origin is not KeyOrigin.OPERATOR:
        say(f"Nobody vouches for it. {COMPARE}")


@key.command()
@click.argument("fingerprint")
@click.option("--address", "addresses", multiple=True, help="Keep the key, but not for this address; may be repeated.")
@common
@pass_state
def remove(state: State, fingerprint: str, addresses: tuple[str, ...]) -> None:
    """Forget a key of somebody else; its signatures are then those of an unknown key."""
    logged_settings(state)
    with state.store() as (_, store):
        known = store.known_key(fingerprint)
        found = known.certificate.fingerprint
        if addresses:
            left = _without(known, addresses)
            store.add_key(replace(known, addresses=left))
            log.info("key-addresses-removed", fingerprint=found, by=operator())
            say(f"You vouch for {found} for {', '.join(left)} now.")
            return
        store.remove_key(found)
        log.info("key-removed", fingerprint=found, by=operator())
    say(f"Removed: {found}")


def _without(known: KnownKey, addresses: tuple[str, ...]) -> tuple[str, ...]:
    """Return the addresses of a key but for some; raises `NotFoundError`, or `InputError` where none would be left."""
    gone = {address.lower() for address in addresses}
    digits = known.certificate.fingerprint
    if known.origin is not KeyOrigin.OPERATOR:
        raise InputError(f"you do not vouch for {digits}", advice="`key remove` without --address forgets all of it.")
    if strange := sorted(gone.difference(known.addresses)):
        raise NotFoundError(f"you vouch for {digits}, but not for {', '.join(strange)}", advice="See key show.")
    left = tuple(address for address in known.addresses if address not in gone)
    if not left:
        raise InputError(f"{digits} would belong to nobody", advice=f"To forget it: key remove {digits}")
    return left


def _refuse_own(addresses: tuple[str, ...], settings: Settings) -> None:
    """Raise `InputError` where one of the addresses is ours."""
    if ours := sorted(own_addresses(settings).intersection(addresses)):
        raise InputError(
            f"{', '.join(ours)}: this is the team's own address, for which no partner speaks",
            advice="Name the address of the key's owner. The team's own key comes in by `key import-secret`.",
        )


def _stored(store: Store, fingerprint: str) -> KnownKey | None:
    """Return the key with a whole fingerprint, None where there is none."""
    with suppress(NotFoundError):
        return store.known_key(fingerprint)
    return None


def _revoke(store: Store, known: KnownKey, revoked: Certificate) -> None:
    """Keep the copy that its owner revoked in place of the one that is there; all else about it stays."""
    store.add_key(replace(known, certificate=revoked))
    log.info("key-revoked", fingerprint=revoked.fingerprint, by=operator())
    whose = f" It stays in the list for {', '.join(known.addresses)}." if known.addresses else ""
    say(f"{revoked.fingerprint} was revoked by its owner: this copy takes the place of the one that was here.{whose}")
    say('Its signatures are "revoked-key" now, and nothing is encrypted to it. Ask its owner for the new key.')


def _content(source: str, settings: Settings, store: Store) -> bytes:
    """Return a key that was offered, or what stands in a file."""
    if _FINGERPRINT.fullmatch(source) and not Path(source).exists():
        offered = store.known_key(source)
        say(f"{offered.certificate.fingerprint} {how(offered)}. {COMPARE}")
        return offered.certificate.blob
    return read(Path(source), settings.openpgp.max_key * 2)
