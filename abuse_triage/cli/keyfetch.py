"""`key fetch`: the key that a domain publishes for an address; it counts for less than one that you vouch for."""

from datetime import UTC, datetime

import click
import structlog

from abuse_triage.cli.context import State, common, operator, pass_state
from abuse_triage.cli.keysheet import ADDRESS, described, refuse_unusable
from abuse_triage.cli.output import fields, say
from abuse_triage.cli.ownkey import logged_settings
from abuse_triage.errors import InputError
from abuse_triage.model.openpgp import Certificate, KeyOrigin, KnownKey
from abuse_triage.model.settings import Settings
from abuse_triage.service import discovery
from abuse_triage.store.interface import Store

log = structlog.get_logger()


@click.command()
@click.argument("address")
@common
@pass_state
def fetch(state: State, address: str) -> None:
    """Ask the domain of ADDRESS for the key that it publishes (Web Key Directory), and keep it.

    Answers to encrypted reports from ADDRESS are then encrypted to it; signatures by it are never "verified". This
    connects to the domain, which learns that somebody asks; nothing but this command ever does.
    """
    if not ADDRESS.fullmatch(address.lower()):
        raise click.BadParameter(f"{address!r} is no e-mail address", param_hint="ADDRESS")
    now = datetime.now(UTC)
    logged_settings(state)
    with state.store() as (settings, store):
        certificate = discovery.published_key(address, settings, discovery.outside(settings), now)
        vouched = [key.certificate.fingerprint for key in store.keys_of(address) if key.origin is KeyOrigin.OPERATOR]
        _keep(certificate, address.lower(), settings, store, now)
    fields(described(certificate, settings))
    digits, domain = certificate.fingerprint, address.rpartition("@")[2].lower()
    if digits in vouched:
        say(f"{domain} publishes the key that you vouch for already; nothing is changed.")
        return
    say(f"{domain} says that this is the key of {address}, and nobody else does. Signatures by it count as unproven.")
    say(f"To vouch for it, compare it with its owner, then: key add {digits} --address {address.lower()}")
    if vouched:
        say(f"You vouch for another key of this address: {', '.join(vouched)}. Ask its owner which one holds.")
    if not certificate.can_encrypt:
        say("It has no encryption key that is valid now: answers leave unencrypted.")


def _keep(certificate: Certificate, address: str, settings: Settings, store: Store, now: datetime) -> None:
    """Store what a domain publishes; one that is of no use any more only where an earlier copy would stay in use."""
    digits = certificate.fingerprint
    known = next((key for key in store.keys_with((digits,)) if key.certificate.fingerprint == digits), None)
    others = known.addresses if known is not None and known.origin is KeyOrigin.WKD else ()
    fetched = KnownKey(
        certificate=certificate,
        origin=KeyOrigin.WKD,
        addresses=tuple(dict.fromkeys((*others, address))),
        added_at=now,
        added_by=operator(),
    )
    try:
        refuse_unusable(certificate, settings, now)
    except InputError:
        if known is not None:
            store.add_key(fetched)
            if known.origin is KeyOrigin.OPERATOR:
                say(
                    "You vouched for it; the revoked copy has taken its place."
                    if certificate.revoked
                    else f"You vouch for it: key remove {digits}, or key add a newer copy."
                )
        raise
    store.add_key(fetched)
    log.info("key-fetched", fingerprint=digits, by=operator())
