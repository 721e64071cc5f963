"""A key that is attached to a message, taken out of it for whoever wants to vouch for it."""

from datetime import UTC, datetime

from abuse_triage.cli.context import operator
from abuse_triage.cli.output import say
from abuse_triage.errors import InputError, NotFoundError
from abuse_triage.model.openpgp import ADVICE, Certificate
from abuse_triage.model.settings import Settings
from abuse_triage.openpgp import certificates
from abuse_triage.service.disclosure import Disclosed, disclosing
from abuse_triage.store.interface import Store


def key_in_message(settings: Settings, store: Store, message_id: str, fingerprint: str) -> Certificate:
    """Return the one key in a message, or that with this fingerprint or the end of it.

    An encrypted message is opened for it, which is journaled. Raises `NotFoundError` where there is none, `InputError`
    where there are several or none can be used, and what reading it raises.
    """
    with disclosing(settings, store, operator()) as disclosure:
        found = disclosure.read(message_id, "decrypted for a key in it")
    keys = _keys(found, settings.openpgp.max_key)
    if not keys:
        raise _nothing(message_id, found)
    end = "".join(fingerprint.split()).upper()
    chosen = [one for one in keys.values() if one.fingerprint.endswith(end)]
    if len(chosen) == 1:
        return chosen[0]
    for one in keys.values():
        say(f"{one.fingerprint}  {', '.join(one.names)}")
    if not chosen:
        raise NotFoundError(f"no key in message {message_id} ends with {end[:60]}", advice="Name one of those above.")
    raise InputError(
        f"there are {len(chosen)} such keys in message {message_id}", advice="Name one of them by its fingerprint."
    )


def _keys(found: Disclosed, limit: int) -> dict[str, Certificate]:
    """Return the keys that can be read, each once; what cannot is told."""
    keys = {}
    for blob in found.reading.keys:
        try:
            key = certificates.inspect(blob, limit=limit, now=datetime.now(UTC))
        except InputError as error:
            say(f"A key in it is left out: {error}.")
        else:
            keys[key.fingerprint] = key
    return keys


def _nothing(message_id: str, found: Disclosed) -> NotFoundError:
    reason = found.protection.reason
    if found.protection.sealed and reason:
        return NotFoundError(
            f"no key is in message {message_id} as far as it can be opened: {reason}", advice=ADVICE[reason]
        )
    return NotFoundError(f"no key that can be used is attached to message {message_id}", advice="Ask for a copy.")
