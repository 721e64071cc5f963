"""Encrypted and signed mails of Rita, made by a stock gpg, and the settings of a team that has a key."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from contract.values import known
from daemon import write_config
from openpgp_shapes import encrypted, mail, signed
from pgp import Forge

from abuse_triage import config
from abuse_triage.model.message import Arrival, Channel, Envelope
from abuse_triage.model.openpgp import KeyOrigin, KnownKey
from abuse_triage.model.settings import Settings
from abuse_triage.openpgp.certificates import inspect

RITA = "rita@example.pt"
TEXT = "Content-Type: text/plain; charset=utf-8\n\nA página hxxps://login[.]banco-exemplo[.]pt/entrar imita o banco.\n"


def head(*fields: str, subject: str = "...", sender: str = f"Rita Sousa <{RITA}>", date: datetime | None = None) -> str:
    """Write the header of a mail that is written now."""
    now = datetime.now(UTC)
    lines = (
        f"From: {sender}",
        "To: abuse@example.pt",
        f"Subject: {subject}",
        f"Date: {format_datetime(date or now)}",
        f"Message-ID: <{now.timestamp()}@example.pt>",
        "MIME-Version: 1.0",
        *fields,
    )
    return "\n".join((*lines, ""))


def wire(text: str) -> bytes:
    """Return text as it goes over the wire."""
    return text.replace("\n", "\r\n").encode()


def sealed(forge: Forge, part: str, *to: str, signer: str = "", outside: str = "") -> bytes:
    """Return a mail whose one part is encrypted, to the team unless said otherwise (RFC 3156 section 4)."""
    ciphertext = forge.encrypted(wire(part), *(to or (forge.team,)), signer=signer)
    return mail(encrypted(ciphertext.decode()), head=outside or head())


def signed_part(forge: Forge, part: str, *signers: str) -> str:
    """Return a part and its signatures (RFC 3156 section 5)."""
    options = tuple(word for signer in signers[1:] for word in ("--local-user", signer))
    return signed(part, armour=forge.detached(wire(part), signers[0], *options).decode())


def arrived(raw: bytes, name: str = "01" * 13, *, sender: str = RITA, at: datetime | None = None) -> Arrival:
    """Return a mail that comes in now."""
    envelope = Envelope(sender=sender, recipients=("abuse@example.pt",), channel=Channel.SMTP)
    return Arrival(id=name, received_at=at or datetime.now(UTC), envelope=envelope, raw=raw)


def vouched(forge: Forge, fingerprint: str, *addresses: str, origin: KeyOrigin = KeyOrigin.OPERATOR) -> KnownKey:
    """Return a certificate as the store has it, that belongs to these addresses."""
    found = inspect(forge.public(fingerprint), limit=64_000, now=datetime.now(UTC))
    return known(found, *addresses, origin=origin)


@contextmanager
def settings_of_a_team(folder: Path, forge: Forge, **changes: object) -> Iterator[Settings]:
    """Write a configuration with the team's key, whose key rings are in memory; none may be left at the end."""
    secret = folder / "team.key"
    secret.touch(0o600)
    secret.write_bytes(forge.secret(forge.team))
    with tempfile.TemporaryDirectory(prefix="at-", dir="/dev/shm") as runtime:
        path = write_config(
            folder,
            extra=f'\n[openpgp]\nsecret_key = "team.key"\nruntime = "{runtime}"\n',
            team=f'openpgp_fingerprint = "{forge.team}"',
        )
        yield with_openpgp(config.load(path), **changes)
        assert [] == list(Path(runtime).iterdir()), "a key ring outlives who made it"


def with_openpgp(settings: Settings, **changes: object) -> Settings:
    """Return settings with others of [openpgp]."""
    return settings.model_copy(update={"openpgp": settings.openpgp.model_copy(update=changes)})
