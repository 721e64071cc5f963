"""An installation whose team has a key of a stock gpg, and the mail that Rita writes to it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from csirt import Csirt, install
from openpgp_shapes import encrypted, mail
from pgp import Forge

RITA = "rita@example.pt"


@contextmanager
def keyed(folder: Path, forge: Forge) -> Iterator[Csirt]:
    """Make it, without a store; at the end no key ring may be left in its runtime folder."""
    made = install(folder / "etc")
    secret = made.folder / "team.key"
    secret.touch(0o600)
    secret.write_bytes(forge.secret(forge.team))
    with tempfile.TemporaryDirectory(prefix="at-", dir="/dev/shm") as runtime:
        text = made.path.read_text("utf-8").replace('secret_key = ""', 'secret_key = "team.key"')
        made.path.write_text(text.replace('runtime = ""', f'runtime = "{runtime}"'), "utf-8")
        yield made
        assert [] == list(Path(runtime).iterdir()), "no key ring outlives its command"


def written(body: str) -> bytes:
    """Return a mail that Rita writes now."""
    now = datetime.now(UTC)
    head = (
        f"Return-Path: <{RITA}>\nFrom: Rita Sousa <{RITA}>\nTo: abuse@example.pt\nSubject: ...\n"
        f"Date: {format_datetime(now)}\nMessage-ID: <{now.timestamp()}@example.pt>\nMIME-Version: 1.0\n"
    )
    return mail(body, head=head)


def sealed(forge: Forge, inside: str, *to: str, signer: str = "") -> bytes:
    """Return a report of Rita, encrypted as a whole."""
    ciphertext = forge.encrypted(inside.replace("\n", "\r\n").encode(), *to, signer=signer)
    return written(encrypted(ciphertext.decode()))
