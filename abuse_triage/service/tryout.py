"""OpenPGP of a message that is only explained: opened as the decider does it, and nothing is created or kept."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from abuse_triage.errors import TemporaryError
from abuse_triage.model.message import Arrival
from abuse_triage.model.openpgp import KnownKey
from abuse_triage.model.report import NOT_OPENED, Opened, Reading
from abuse_triage.model.settings import Settings
from abuse_triage.service.opening import Opener, OpeningError
from abuse_triage.service.reading import Reader
from abuse_triage.store import open_store
from abuse_triage.store.keys import KeyLookup


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What was found: `opened` takes the message for the first with its signature or ciphertext.

    `seen_before` says that the store has a message with the same one, which may be this very message. `problem` says
    why nothing was looked at, "" where it was.
    """

    opened: Opened = NOT_OPENED
    seen_before: bool = False
    problem: str = ""


def try_opening(settings: Settings, reading: Reading, arrival: Arrival) -> Tried:
    """Open and check a message that was read; one without OpenPGP costs nothing.

    Certificates of others come from the store where there is one; none is made. Without GnuPG nothing is opened, and
    `problem` says so. Raises `ConfigError` where the team's key cannot be unlocked, and what reader and store raise.
    """
    if not reading.layers:
        return Tried()
    with ExitStack() as opened:
        keys: KeyLookup = _NoKeys()
        if settings.store.path.exists():
            store = open_store(settings.store.path)
            opened.callback(store.close)
            keys = store
        try:
            opener = opened.enter_context(Opener(settings, _AsFirst(keys)))
        except TemporaryError as error:
            return Tried(problem=str(error))
        reader = Reader(settings)
        opened.callback(reader.close)
        try:
            found = opener.open(reading, arrival, lambda texts: reader.read_opened(arrival.raw, texts))
        except OpeningError as error:
            return Tried(problem=str(error))
        return Tried(opened=found, seen_before=keys.seen_signature(found.protection.signature_id, ""))


class _NoKeys:
    """What a store without certificates and messages says."""

    def keys_of(self, address: str) -> list[KnownKey]:  # noqa: ARG002 -- as in KeyLookup
        return []

    def keys_with(self, key_ids: Sequence[str]) -> list[KnownKey]:  # noqa: ARG002 -- as in KeyLookup
        return []

    def seen_signature(self, signature_id: str, message_id: str) -> bool:  # noqa: ARG002 -- as in KeyLookup
        return False


class _AsFirst(_NoKeys):
    """The certificates of a store, whose earlier messages are not looked at: what is explained may be one of them."""

    def __init__(self, keys: KeyLookup) -> None:
        self._keys = keys

    def keys_of(self, address: str) -> list[KnownKey]:
        return self._keys.keys_of(address)

    def keys_with(self, key_ids: Sequence[str]) -> list[KnownKey]:
        return self._keys.keys_with(key_ids)
