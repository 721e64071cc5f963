"""What a plaintext may cost, and that an answer does not tell what it cost."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from threading import Event

import pytest
from pgp import Forge
from unit.test_replays import PART, RITA, Desk, desk, encrypted, forge

from abuse_triage.model.message import Arrival, Channel, Envelope
from abuse_triage.model.openpgp import Encrypted, Failure
from abuse_triage.model.report import Reading
from abuse_triage.model.ticket import MailKind
from abuse_triage.openpgp import messages
from abuse_triage.openpgp.gpg import Gpg
from abuse_triage.openpgp.rings import Ring
from abuse_triage.service.knowledge import knowledge_of
from abuse_triage.service.reading import Reader, ReadingError
from abuse_triage.service.triage import Decider
from abuse_triage.store.interface import TicketFilter

__all__ = ["desk", "forge"]  # fixtures

HEAD = f"From: {RITA}\r\nTo: abuse@example.pt\r\nSubject: x\r\nMIME-Version: 1.0\r\n".encode()


class Overwhelmed(Reader):
    """A reader that no plaintext gets through."""

    def read_opened(self, raw: bytes, plaintexts: Sequence[bytes | None]) -> Reading:
        """Fail as one does that is killed at its deadline."""
        raise ReadingError(f"the deadline passed after {len(raw)} bytes and {len(plaintexts)} plaintexts")


def answer(desk: Desk, raw: bytes, *, reader: type[Reader] = Reader) -> tuple[str, bytes]:
    """Have a worker take a message in; returns what its ticket says of OpenPGP, and its answer without ids."""
    number = len(desk.store.tickets(TicketFilter(limit=10)))
    arrival = Arrival(
        id=f"{number:026}",
        received_at=datetime(2026, 11, 21, 9, 0, tzinfo=UTC),
        envelope=Envelope(sender=RITA, recipients=("abuse@example.pt",), channel=Channel.SMTP),
        raw=raw,
    )
    desk.store.accept([arrival])
    readers = reader(desk.settings)
    triage = desk.settings.triage.model_copy(update={"lease": timedelta(minutes=5)})
    settings = desk.settings.model_copy(update={"triage": triage})
    knowledge = replace(knowledge_of(settings), settings=settings)
    worker = Decider(knowledge, desk.store, readers, announce=lambda _line: None, opener=desk.opener)
    while desk.store.waiting():
        worker.work(Event())
    readers.close()
    found = desk.store.ticket(desk.store.tickets(TicketFilter(limit=10))[0].number)
    (mail,) = [one for one in found.mails if one.kind is MailKind.ACKNOWLEDGEMENT]
    due = desk.store.due(datetime.now(UTC) + timedelta(days=1), 10)
    (content,) = [one.content for one in due if one.mail.id == mail.id]
    return found.ticket.protection, content.replace(found.ticket.number.encode(), b"").partition(b"\r\n\r\n")[2]


def test_who_sends_what_cannot_be_read_gets_the_same_answer(desk: Desk, forge: Forge) -> None:
    """A plaintext over which readers fail makes a ticket that says so, and no message is quarantined for it."""
    raw = HEAD + encrypted(forge.encrypted(PART, forge.team))
    words, content = answer(desk, raw, reader=Overwhelmed)
    assert "could not be decrypted: its text cannot be read, not signed" == words
    other = HEAD + encrypted(forge.encrypted(PART + b"2\r\n", forge.team))
    assert ("encrypted, not signed", content) == answer(desk, other)


def test_what_follows_a_bomb_is_not_given_to_gpg(desk: Desk, forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten of them cost no more than one."""
    bombs = [forge.encrypted(PART + b"0" * 60_000_000, forge.team) for _ in range(2)]
    content = b"".join(b"--m\r\n" + encrypted(one) for one in bombs) + b"--m--\r\n"
    asked: list[bytes] = []
    real = messages.decrypt

    def counted(gpg: Gpg, ciphertext: bytes, ring: Ring, *, most_recipients: int) -> messages.Decrypted:
        asked.append(ciphertext)
        return real(gpg, ciphertext, ring, most_recipients=most_recipients)

    monkeypatch.setattr(messages, "decrypt", counted)
    found = desk.open(b"Content-Type: multipart/mixed; boundary=m\r\n\r\n" + content, RITA)
    assert (Encrypted.FAILED, Failure.TOO_LARGE, 1) == (found.encrypted, found.reason, len(asked))


def test_a_small_message_holds_no_huge_text(desk: Desk, forge: Forge) -> None:
    """What grows by more than a hundred is no report; whoever sends a lot may bring a lot."""
    random = b"".join(sha256(bytes([number % 256, number // 256])).digest() for number in range(2000))
    for expected, text in ((Failure.TOO_LARGE, b""), (None, random)):
        ciphertext = forge.encrypted(PART + text + b"0" * 2_000_000, forge.team)
        assert expected is desk.open(encrypted(ciphertext), RITA).reason
