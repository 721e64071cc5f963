"""What is proven about the sample messages with OpenPGP that nobody here wrote, and what was judged of each."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.utils import parsedate_to_datetime
from enum import StrEnum
from pathlib import Path

import yaml
from daemon import write_config
from pgp import Forge

from abuse_triage import config
from abuse_triage.model.message import Arrival, Channel, Envelope
from abuse_triage.model.openpgp import KeyOrigin, KnownKey, Protection
from abuse_triage.openpgp.certificates import inspect
from abuse_triage.service.opening import Opener
from abuse_triage.service.reading import Reader
from abuse_triage.store import open_store

JUDGED = Path(__file__).with_name("corpora") / "openpgp.yaml"
_PUBLIC = re.compile(r"(?P<owner>(?P<address>[a-z]+@[a-z.]+)-0x[0-9a-f]{16})-pub\.asc")
_BENNY = ("benny-hashwell-0xc55ccd9c5ab482b2-pub.asc", "benny.hashwell@example.com")
"""The one whose address stands in the message that imitates a signature of his, but not in the name of the file."""


_PATIENT = '\n[openpgp]\nsecret_key = "team.key"\ntimeout = "5m"\ncpu = "5m"\nanswer_delay = "6m"\n'
"""What is proven does not depend on how busy the machine is."""


class Known(StrEnum):
    """What the operator has added: nobody's key, everybody's, or everybody's as their owners have revoked them."""

    NOBODY = "unknown"
    EVERYBODY = "known"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a person said of one sample: its form, the words for each `Known`, and why."""

    form: str
    words: dict[Known, str]
    why: str


def judged() -> dict[str, Judged]:
    """Return what was judged, by the name of the sample; what is known changes nothing unless it says so."""
    found = {}
    for name, said in yaml.safe_load(JUDGED.read_text("utf-8")).items():
        words = {Known.NOBODY: said["words"]}
        words[Known.EVERYBODY] = said.get("known", words[Known.NOBODY])
        words[Known.REVOKED] = said.get("revoked", words[Known.EVERYBODY])
        found[name] = Judged(form=said["form"], words=words, why=said["why"])
    return found


def protections(corpora: Path, forge: Forge, folder: Path, known: Known) -> dict[str, Protection]:
    """Open each sample with a new key of the team, as if it had come a minute after its Date, by its file's name."""
    found = {}
    with _opener(corpora / "openpgp" / "keys", forge, folder, known) as (opener, reader):
        for file in sorted((corpora / "openpgp" / "eml").iterdir()):
            raw = file.read_bytes()
            arrival = Arrival(
                id=file.stem,
                received_at=_written_at(raw) + timedelta(minutes=1),
                envelope=Envelope(sender="", recipients=("abuse@example.pt",), channel=Channel.SMTP),
                raw=raw,
            )
            reading = reader.read(raw)
            opened = opener.open(reading, arrival, lambda texts, raw=raw: reader.read_opened(raw, texts))
            found[file.name] = opened.protection
    return found


@contextmanager
def _opener(keys: Path, forge: Forge, folder: Path, known: Known) -> Iterator[tuple[Opener, Reader]]:
    secret = folder / "team.key"
    secret.touch(0o600)
    secret.write_bytes(forge.secret(forge.team))
    team = f'openpgp_fingerprint = "{forge.team}"'
    settings = config.load(write_config(folder, team=team, extra=_PATIENT))
    store = open_store(settings.store.path, number_format=config.number_format(settings))
    now = datetime.now(UTC)
    for address, certificate in _certificates(keys, known):
        inspected = inspect(certificate, limit=64_000, now=now)
        origin = KeyOrigin.OPERATOR
        store.add_key(
            KnownKey(certificate=inspected, origin=origin, addresses=(address,), added_at=now, added_by="test")
        )
    reader = Reader(settings)
    try:
        with Opener(settings, store) as opener:
            yield opener, reader
    finally:
        reader.close()
        store.close()


def _certificates(keys: Path, known: Known) -> Iterator[tuple[str, bytes]]:
    """Yield whose certificates the operator adds: those with an address in their file's name, and Benny's."""
    if known is Known.NOBODY:
        return
    yield _BENNY[1], (keys / _BENNY[0]).read_bytes()
    for file in sorted(keys.iterdir()):
        named = _PUBLIC.fullmatch(file.name)
        if named is not None:
            revocation = keys / f"{named['owner']}-rev.asc"
            wanted = known is Known.REVOKED and revocation.exists()
            yield named["address"], _revoked(file, revocation) if wanted else file.read_bytes()


def _revoked(certificate: Path, revocation: Path) -> bytes:
    with Forge.open() as other:
        for file in (certificate, revocation):
            other.gpg("--import", given=file.read_bytes())
        return other.gpg("--export")


def _written_at(raw: bytes) -> datetime:
    date = message_from_bytes(raw)["Date"]
    return parsedate_to_datetime(date).astimezone(UTC) if date else datetime.now(UTC)
