"""Encrypted and signed reports through the whole daemon, with keys of a stock gpg."""

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
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage, Message
from email.utils import format_datetime
from pathlib import Path

import pytest
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

    def know(self, fingerprint: str, address: str) -> None:
        """Have the operator vouch for a key."""
        now = datetime.now(UTC)
        self.daemon.store().add_key(
            KnownKey(
                certificate=inspect(self.forge.public(fingerprint), limit=64_000, now=now),
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


@pytest.fixture(scope="module")
def forge() -> Iterator[Forge]:
    """Everybody's keys."""
    with Forge.open() as made:
        yield made


@pytest.fixture(scope="module")
def runtime() -> Iterator[Path]:
    """A folder in memory with a short path, for key rings."""
    folder = Path(tempfile.mkdtemp(prefix="at-", dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def csirt(tmp_path_factory: pytest.TempPathFactory, forge: Forge, runtime: Path) -> Iterator[Csirt]:
    """A daemon that knows Rita's key."""
    folder = tmp_path_factory.mktemp("openpgp")
    secret = folder / "team.key"
    secret.touch(0o600)
    secret.write_bytes(forge.secret(forge.team))
    openpgp = f'\n[openpgp]\nsecret_key = "team.key"\nruntime = "{runtime}"\ntimeout = "2s"\nanswer_delay = "3s"\n'
    team = f'openpgp_fingerprint = "{forge.team}"'
    with Daemon(folder, extra=openpgp, team=team) as daemon:
        known = Csirt(daemon, forge)
        known.know(forge.partner, RITA)
        known.know(forge.expired, RITA)
        daemon.start()
        yield known


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


def test_an_encrypted_and_signed_report_becomes_a_ticket_and_its_answer_can_be_opened_by_the_reporter(
    csirt: Csirt,
) -> None:
    """Facts come from the plaintext, the signature is verified, and the answer is signed and encrypted to Rita."""
    forge = csirt.forge
    ciphertext = forge.encrypted(entity(TEXT), forge.team, signer=forge.partner)

    found = csirt.send(raw_mail(encrypted(ciphertext), subject="..."))

    assert ("fraud", "fraud:phishing") == (found.ticket.category, found.ticket.type)
    assert "encrypted, signed and verified" == found.ticket.protection
    assert {"198.51.100.7", "https://login.banco-exemplo.pt/entrar"} <= {one.value for one in found.indicators}
    assert "amber" == found.ticket.tlp.value
    facts = kept(found)["facts"]
    assert (True, forge.partner) == (facts["openpgp.verified"], facts["openpgp.signer"])
    answer = email.message_from_bytes(csirt.answer(found))
    assert "multipart/encrypted" == answer.get_content_type()
    assert found.ticket.number not in answer["Subject"]
    opened = email.message_from_bytes(forge.opened(answer.get_payload()[1].get_payload(decode=True)))
    assert "multipart/signed" == opened.get_content_type()
    assert found.ticket.number in opened.get_payload()[0].get_payload(decode=True).decode()


def test_a_signed_report_from_a_pinned_key_is_verified(csirt: Csirt) -> None:
    """PGP/MIME signed by Rita in clear: verified; the answer is signed, and verifies with a stock gpg."""
    forge = csirt.forge
    part = entity(TEXT + "assinado\n")

    found = csirt.send(raw_mail(signed(part, forge.detached(part, forge.partner))))

    assert "signed and verified" == found.ticket.protection
    raw = csirt.answer(found)
    answer = email.message_from_bytes(raw)
    assert "multipart/signed" == answer.get_content_type()
    boundary = b"--" + answer.get_boundary().encode()
    _, covered, last, _ = raw.split(boundary)
    signature = forge.folder / "answer.asc"
    signature.write_bytes(email.message_from_bytes(last.lstrip(b"\r\n")).get_payload(decode=True))
    data = forge.folder / "answer.txt"
    data.write_bytes(covered.removeprefix(b"\r\n").removesuffix(b"\r\n"))
    forge.gpg("--verify", str(signature), str(data))


def test_nothing_of_a_plaintext_is_on_the_disk(csirt: Csirt) -> None:
    """No file has words of it, in no encoding; the same words sent in clear are found by the same search."""
    forge = csirt.forge
    ciphertext = forge.encrypted(entity(f"{TEXT}Outra palavra: {SECRET}"), forge.team)

    found = csirt.send(raw_mail(encrypted(ciphertext), subject="segredo"))
    csirt.answer(found)

    assert "encrypted, not signed" == found.ticket.protection
    assert [] == places(csirt.daemon.folder, SECRET)
    csirt.send(mail(TEXT.replace("zanzibar", "madagascar"), sender="ana@example.org"), "ana@example.org")
    assert places(csirt.daemon.folder, SECRET.replace("zanzibar", "madagascar"))


def test_what_cannot_be_opened_is_a_ticket_that_says_why(csirt: Csirt) -> None:
    """Encrypted to somebody else: the handlers read why, the reporter gets the same answer as everybody."""
    forge = csirt.forge
    good = csirt.send(raw_mail(encrypted(forge.encrypted(entity(TEXT + "1"), forge.team))))
    other = csirt.send(raw_mail(encrypted(forge.encrypted(entity(TEXT + "2"), forge.stranger))))

    assert "could not be decrypted: no secret key, not signed" == other.ticket.protection
    assert other.ticket.summary.startswith("[could not be decrypted: no secret key] ")
    assert other.ticket.review
    answers = [opened_answer(csirt, one) for one in (good, other)]
    assert answers[0].replace(good.ticket.number, "N") == answers[1].replace(other.ticket.number, "N")


def test_a_replayed_mail_is_not_verified(csirt: Csirt) -> None:
    """The same signed part in another mail joins or opens, but proves nothing."""
    forge = csirt.forge
    part = entity(TEXT + "uma vez\n")
    signature = forge.detached(part, forge.partner)

    first = csirt.send(raw_mail(signed(part, signature), subject="primeira"))
    second = csirt.send(raw_mail(signed(part, signature), subject="outra vez"))

    assert "signed and verified" == first.ticket.protection
    assert "signed, not verified: seen before in another message" == second.ticket.protection


def test_a_handler_reads_what_came_encrypted_and_the_journal_says_so(csirt: Csirt) -> None:
    """`ticket show --text` decrypts in memory; neither before nor after is there anything of it on the disk."""
    forge = csirt.forge
    words = "quetzal-obsidian"
    found = csirt.send(raw_mail(encrypted(forge.encrypted(entity(f"{TEXT}{words}"), forge.team)), subject="..."))

    shown = csirt.command("ticket", "show", found.ticket.number, "--text")

    assert words in shown
    assert "it came encrypted: answer encrypted" in shown
    journal = csirt.daemon.store().ticket(found.ticket.number).journal
    assert ("decrypted and shown", found.reports[0].message_id) in {(line.action, line.detail) for line in journal}
    assert [] == places(csirt.daemon.folder, words)
    assert words in csirt.command("message", "show", found.reports[0].message_id, "--text")


def test_what_lies_deeper_is_read_and_proves_nothing(csirt: Csirt) -> None:
    """A ciphertext beside a text in clear: the rules see both, the answer tells of neither."""
    forge = csirt.forge
    whole = EmailMessage(policy=email.policy.SMTP)
    whole.set_content("Bom dia, o relatório vai em anexo.\n")
    attachment = forge.encrypted(TEXT.encode(), forge.team, signer=forge.partner)
    whole.add_attachment(attachment, maintype="application", subtype="octet-stream", filename="relatorio.txt.pgp")

    found = csirt.send(raw_mail(whole.as_bytes(), subject="em anexo"))

    assert "encrypted in part, not signed" == found.ticket.protection
    assert "198.51.100.7" in {one.value for one in found.indicators}
    assert [] == places(csirt.daemon.folder, SECRET)
    assert "Categoria" not in opened_answer(csirt, found)


def test_inline_blocks_are_opened_and_checked(csirt: Csirt) -> None:
    """A text that is one armoured message is opened, a signed block is verified; text around it undoes that."""
    forge = csirt.forge
    sealed = csirt.send(mail(forge.encrypted(f"{TEXT}inline\n".encode(), forge.team, signer=forge.partner).decode()))
    block = forge.cleartext(f"{TEXT}em claro\n".encode(), forge.partner).decode()
    clear = csirt.send(mail(block, subject="em claro"))
    partial = csirt.send(mail("P.S. mude a conta.\n\n" + block, subject="com mais texto"))

    assert "encrypted, signed and verified" == sealed.ticket.protection
    assert "fraud:phishing" == sealed.ticket.type
    assert "signed and verified" == clear.ticket.protection
    assert "" == partial.ticket.protection


def test_a_signature_inside_of_the_encryption_is_verified(csirt: Csirt) -> None:
    """multipart/signed within multipart/encrypted (RFC 3156 section 6.1)."""
    forge = csirt.forge
    part = entity(TEXT + "por dentro\n")
    inside = signed(part, forge.detached(part, forge.partner))

    found = csirt.send(raw_mail(encrypted(forge.encrypted(inside, forge.team))))

    assert "encrypted, signed and verified" == found.ticket.protection


@pytest.mark.parametrize(
    ("expected", "signer", "at"),
    [
        ("signature: expired-key", "expired", "20200601T000000"),
        ("signature: unknown-key", "stranger", ""),
        ("signed, not verified: key not pinned (ring); signer is not From", "with_signing_subkey", ""),
    ],
)
def test_who_signed_must_be_known_and_alive_and_in_from(csirt: Csirt, expected: str, signer: str, at: str) -> None:
    """Each other signature has words of its own, and is not verified."""
    forge = csirt.forge
    key = getattr(forge, signer)
    if signer == "with_signing_subkey":
        csirt.know(key, "sara@example.pt")
    part = entity(f"{TEXT}{signer}\n")

    found = csirt.send(raw_mail(signed(part, forge.detached(part, key, at=at)), subject=signer))

    assert expected in found.ticket.protection
    assert not kept(found)["facts"]["openpgp.verified"]


def test_keys_that_come_along_are_offered_and_not_believed(csirt: Csirt) -> None:
    """A signature by a key that came with the report is good and not verified, and the key waits for a person."""
    forge = csirt.forge
    whole = EmailMessage(policy=email.policy.SMTP)
    whole.set_content(TEXT + "com chave\n", cte="quoted-printable")
    key = forge.public(forge.stranger, armor=True)
    whole.add_attachment(key, maintype="application", subtype="pgp-keys", filename="key.asc")
    part = whole.as_bytes().rstrip(b"\r\n")
    raw = raw_mail(signed(part, forge.detached(part, forge.stranger)), sender="someone@example.org")

    found = csirt.send(raw, "someone@example.org")

    assert "signed, not verified: key not pinned (attached)" == found.ticket.protection
    offered = csirt.daemon.store().known_keys((KeyOrigin.ATTACHED,))
    assert [forge.stranger] == [key.certificate.fingerprint for key in offered]


def test_what_is_strict_and_came_in_clear_is_told_of_the_key(csirt: Csirt) -> None:
    """TLP:RED without encryption: the answer says how to do better."""
    found = csirt.send(mail(f"TLP:RED\n\n{TEXT}", subject="[TLP:RED] phishing"))

    answer = email.message_from_bytes(csirt.answer(found)).get_payload()[0].get_payload(decode=True).decode()

    assert "unencrypted" in " ".join(answer.split())
    assert csirt.forge.team[:4] in answer


def test_no_process_with_plaintext_or_keys_leaves_a_core_dump(csirt: Csirt) -> None:
    """Whatever a process dies of, its memory is not written anywhere."""
    for pid, name in csirt.daemon.processes().items():
        limits = Path(f"/proc/{pid}/limits").read_text()
        line = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
        assert name == "supervisor" or ["0", "0"] == line.split()[4:6], name


def test_the_agent_may_die(csirt: Csirt) -> None:
    """After the agents of all processes are killed, the next message is opened all the same."""
    runtime = csirt.daemon.settings.openpgp.runtime
    subprocess.run(("pkill", "-KILL", "-f", f"gpg-agent.*{runtime}"), check=True)

    found = csirt.send(raw_mail(encrypted(csirt.forge.encrypted(entity(TEXT + "agente\n"), csirt.forge.team))))

    assert "encrypted, not signed" == found.ticket.protection
    assert csirt.answer(found)


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
