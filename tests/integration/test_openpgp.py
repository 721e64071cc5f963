"""Encrypted and signed reports through the whole daemon, with keys of a stock gpg."""

import email
import email.policy
import subprocess
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from pgp import Forge
from sealed import (
    SECRET,
    TEXT,
    Csirt,
    encrypted,
    entity,
    kept,
    mail,
    opened_answer,
    places,
    raw_mail,
    signed,
)

from abuse_triage.model.openpgp import KeyOrigin
from abuse_triage.store.interface import TicketFile


@pytest.fixture(scope="module")
def csirt(tmp_path_factory: pytest.TempPathFactory, forge: Forge) -> Iterator[Csirt]:
    """A daemon that knows Rita's key."""
    with Csirt.open(tmp_path_factory.mktemp("openpgp"), forge) as made:
        yield made


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


def test_a_revocation_that_comes_with_a_mail_ends_the_trust_in_a_key(csirt: Csirt) -> None:
    """Also where the mail is signed by that key: it counts from then on, and answers leave unencrypted."""
    forge = csirt.forge
    address = "gone@example.pt"
    csirt.know(forge.unrevoked, address)

    def send(text: str, *keys: bytes) -> TicketFile:
        whole = EmailMessage(policy=email.policy.SMTP)
        whole.set_content(f"{TEXT}{text}\n", cte="quoted-printable")
        for key in keys:
            whole.add_attachment(key, maintype="application", subtype="pgp-keys", filename="key.asc")
        part = whole.as_bytes().rstrip(b"\r\n")
        return csirt.send(
            raw_mail(signed(part, forge.detached(part, forge.unrevoked)), sender=address, subject=text), address
        )

    assert "signed and verified" == send("antes").ticket.protection
    assert "signature: revoked-key" == send("com a chave revogada", forge.revoked_certificate).ticket.protection

    (kept_key,) = [
        one
        for one in csirt.daemon.store().known_keys((KeyOrigin.OPERATOR,))
        if one.certificate.fingerprint == forge.unrevoked
    ]
    assert (True, (address,), "test") == (kept_key.certificate.revoked, kept_key.addresses, kept_key.added_by)
    assert "signature: revoked-key" == send("depois").ticket.protection
    ciphertext = forge.encrypted(entity(TEXT + "cifrado\n"), forge.team)
    answered = csirt.send(raw_mail(encrypted(ciphertext), sender=address, subject="..."), address)
    assert "multipart/signed" == email.message_from_bytes(csirt.answer(answered)).get_content_type()


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
