"""A daemon with a key, what is sent to it encrypted and signed, and a search for what must not be on its disk."""

import base64
import email
import email.policy
import json
import quopri
import shutil
import smtplib
import sqlite3
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage, Message
from email.utils import format_datetime
from pathlib import Path
from typing import Self

from daemon import Daemon
from pgp import Forge

from abuse_triage.model.openpgp import KeyOrigin, KnownKey
from abuse_triage.model.ticket import Ticket
from abuse_triage.openpgp.certificates import inspect
from abuse_triage.store.interface import StoredReport, TicketFile, TicketFilter

RITA = "rita@example.pt"
SECRET = "zanzibar-quartz"
"""Words that stand in plaintexts only."""
TEXT = (
    "Boa tarde,\n\na página hxxps://login[.]banco-exemplo[.]pt/entrar imita o nosso banco e pede os códigos do cartão\n"
    f"(phishing). O alojamento é 198[.]51[.]100[.]7. Palavra interna: {SECRET}.\n\nRita Sousa\n"
)


@dataclass(frozen=True)
class Csirt:
    """A daemon with a key, and the keys of everybody else."""

    daemon: Daemon
    forge: Forge

    @classmethod
    @contextmanager
    def open(cls, folder: Path, forge: Forge, *, openpgp: str = "") -> Iterator[Self]:
        """Start a daemon in a folder that knows Rita's keys; `openpgp` are more lines of that table."""
        secret = folder / "team.key"
        secret.touch(0o600)
        secret.write_bytes(forge.secret(forge.team))
        # In memory, and short: sockets may have 107 bytes.
        runtime = Path(tempfile.mkdtemp(prefix="at-", dir="/dev/shm"))
        lines = f'secret_key = "team.key"\nruntime = "{runtime}"\ntimeout = "2s"\nanswer_delay = "3s"\n{openpgp}'
        team = f'openpgp_fingerprint = "{forge.team}"'
        try:
            with Daemon(folder, extra=f"\n[openpgp]\n{lines}", team=team) as daemon:
                known = cls(daemon, forge)
                known.know(forge.partner, RITA)
                known.know(forge.expired, RITA)
                daemon.start()
                yield known
        finally:
            shutil.rmtree(runtime)

    def send(self, raw: bytes, sender: str = RITA) -> TicketFile:
        """Send a mail by SMTP, and return the ticket that it opened."""
        before = {ticket.number for ticket in self.tickets()}
        with smtplib.SMTP("127.0.0.1", self.daemon.port, timeout=30) as client:
            client.sendmail(sender, ["abuse@example.pt"], raw)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            new = [ticket for ticket in self.tickets() if ticket.number not in before]
            if new:
                return self.daemon.store().ticket(new[0].number)
            time.sleep(0.1)
        raise AssertionError(self.daemon.log()[-3000:])

    def command(self, *words: str) -> str:
        """Run a command with the configuration of the daemon, and return what it prints."""
        command = (sys.executable, "-m", "abuse_triage", "--config", self.daemon.folder / "config.toml", *words)
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def know(self, fingerprint: str, address: str, certificate: bytes = b"") -> None:
        """Have the operator vouch for a key, by another certificate than that of the forge where one is given."""
        now = datetime.now(UTC)
        self.daemon.store().add_key(
            KnownKey(
                certificate=inspect(certificate or self.forge.public(fingerprint), limit=64_000, now=now),
                origin=KeyOrigin.OPERATOR,
                addresses=(address,),
                added_at=now,
                added_by="test",
            )
        )

    def tickets(self) -> list[Ticket]:
        """List all tickets."""
        return self.daemon.store().tickets(TicketFilter(limit=1000))

    def answer(self, found: TicketFile, seconds: float = 30) -> bytes:
        """Wait for the acknowledgement of a ticket to leave, and return it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            mails = self.daemon.store().ticket(found.ticket.number).mails
            files = [self.daemon.folder / "outbox" / f"{mail.message_id}.eml" for mail in mails]
            done = [file.read_bytes() for file in files if file.exists()]
            if done:
                return done[0]
            time.sleep(0.1)
        raise AssertionError(self.daemon.log()[-3000:])


def mail(body: Message | str, subject: str = "Relatório", sender: str = RITA, **fields: str) -> bytes:
    """Write a whole mail around a text or a MIME entity."""
    whole = EmailMessage(policy=email.policy.SMTP)
    whole["From"] = f"Rita Sousa <{sender}>"
    whole["To"] = "abuse@example.pt"
    whole["Subject"] = subject
    whole["Date"] = format_datetime(datetime.now(UTC))
    whole["Message-ID"] = f"<{time.monotonic_ns()}@example.pt>"
    for name, value in fields.items():
        whole[name.replace("_", "-")] = value
    if isinstance(body, str):
        whole.set_content(body, cte="8bit")
        return whole.as_bytes()
    return whole.as_bytes().split(b"\r\n\r\n")[0].rstrip() + b"\r\nMIME-Version: 1.0\r\n" + body.as_bytes()


def entity(text: str) -> bytes:
    """Write a text as a MIME entity, in quoted-printable with CRLF."""
    part = EmailMessage(policy=email.policy.SMTP)
    part.set_content(text, cte="quoted-printable")
    return part.as_bytes()


def raw_mail(entity_: bytes, **how: str) -> bytes:
    """Write a whole mail around a ready entity with its own header."""
    head = mail("x", **how)
    fields = [line for line in head.split(b"\r\n\r\n")[0].split(b"\r\n") if not line.lower().startswith(b"content-")]
    return b"\r\n".join(fields) + b"\r\n" + entity_


def encrypted(ciphertext: bytes) -> bytes:
    """Wrap a ciphertext as RFC 3156 section 4 says."""
    return (
        b'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary="e"\r\n\r\n'
        b"--e\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n"
        b"--e\r\nContent-Type: application/octet-stream\r\n\r\n" + ciphertext.replace(b"\n", b"\r\n") + b"\r\n--e--\r\n"
    )


def signed(part: bytes, signature: bytes) -> bytes:
    """Wrap a part and its signature as RFC 3156 section 5 says."""
    return (
        b'Content-Type: multipart/signed; protocol="application/pgp-signature"; micalg=pgp-sha512; boundary="s"\r\n\r\n'
        b"--s\r\n"
        + part
        + b"\r\n--s\r\nContent-Type: application/pgp-signature\r\n\r\n"
        + signature.replace(b"\n", b"\r\n")
        + b"\r\n--s--\r\n"
    )


def kept(found: TicketFile) -> dict:
    """Return what is kept of the first report of a ticket."""
    report: StoredReport = found.reports[0]
    return json.loads(report.facts)


def opened_answer(csirt: Csirt, found: TicketFile) -> str:
    """Return the text of an encrypted answer, without dates."""
    answer = email.message_from_bytes(csirt.answer(found))
    inside = csirt.forge.opened(answer.get_payload()[1].get_payload(decode=True))
    part = email.message_from_bytes(inside).get_payload()[0]
    return quopri.decodestring(part.get_payload()).decode()


def places(folder: Path, words: str) -> list[str]:
    """Return where words stand below a folder: in files, and in what columns hold, compressed and encoded or not."""
    files = (file for file in folder.rglob("*") if file.is_file())
    found = [str(file) for file in files if any(form in file.read_bytes() for form in forms(words))]
    for store in folder.glob("*.sqlite"):
        with sqlite3.connect(store) as database:
            tables = [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            for table in tables:
                for row in database.execute(f"SELECT * FROM {table}"):
                    for value in row:
                        data = value if isinstance(value, bytes) else str(value).encode()
                        if any(form in one for one in (data, inflated(data)) for form in forms(words)):
                            found.append(table)
    return found


def forms(words: str) -> list[bytes]:
    """Return how words may be written: as they are, quoted-printable, base64 at each of three offsets, hexadecimal."""
    plain = words.encode()
    in_base64 = [base64.b64encode(b"x" * shift + plain)[4 if shift else 0 : -4] for shift in range(3)]
    return [plain, plain.upper(), quopri.encodestring(plain), plain.hex().encode(), *in_base64]


def inflated(data: bytes) -> bytes:
    """Return what is compressed in a value, b"" where nothing is."""
    try:
        return zlib.decompressobj().decompress(data)
    except zlib.error:
        return b""
