"""Readings of messages with OpenPGP in them."""

import pytest
from openpgp_shapes import (
    ARMOUR,
    CLEARSIGNED,
    HEAD,
    KEY,
    REPORT,
    attachment,
    encrypted,
    mail,
    multipart,
    signed,
    text,
)

from abuse_triage import pipeline
from abuse_triage.mail.layers import content
from abuse_triage.mail.opened import INNER
from abuse_triage.model.openpgp import Form, Headers
from abuse_triage.model.report import Reading
from abuse_triage.model.settings import LimitSettings

LIMITS = LimitSettings()
PLAIN = "Content-Type: text/plain; charset=utf-8\n\n"
SECRET = ARMOUR.replace("wcBM", "http://cifra.example.net/")


def read(body: str, *plaintexts: bytes | None, head: str = HEAD) -> Reading:
    """Read a message, again if something was opened."""
    raw = mail(body, head=head)
    return pipeline.read_opened(raw, plaintexts, LIMITS) if plaintexts else pipeline.read(raw, LIMITS)


def hosts(found: Reading) -> set[str]:
    """Return the hosts of what was found."""
    return {one.host or one.value for one in found.indicators if one.host or one.value}


@pytest.mark.parametrize("body", [encrypted(SECRET), PLAIN + SECRET])
def test_a_ciphertext_is_no_text(body: str) -> None:
    """Nothing in it is an indicator or a word of the report; two of them are not the same message."""
    found = read(body)
    assert ("", "", ()) == (found.report.text, found.report.new_text, found.indicators)
    assert [True] == [layer.form is not Form.DEEPER for layer in found.layers]
    assert "Phishing contra clientes" == found.subject
    assert found.fingerprint != read(body.replace("wcBM", "abcd").replace("ZW5", "abc")).fingerprint
    assert found == read(body, None) == pipeline.read_opened(mail(body), [], LIMITS)


@pytest.mark.parametrize("body", [encrypted(), PLAIN + ARMOUR])
def test_what_was_encrypted_is_read_as_any_other_report(body: str) -> None:
    """Indicators, text and fingerprint are those of the plaintext, the fields those outside."""
    plaintext = mail(REPORT, head="") if "multipart" in body else REPORT.partition("\n\n")[2].encode()
    found = read(body, plaintext)
    assert {"assinado.example.net"} == hosts(found)
    assert ("Phishing contra clientes", "ana@example.pt") == (found.subject, found.sender.email)
    assert ((), "text/plain", Headers.NONE) == (found.layers, found.content_type, found.protected)
    assert read(REPORT).fingerprint == found.fingerprint


def test_the_signed_part_of_a_plaintext_says_where_it_lies() -> None:
    """Its offsets point into the plaintext; what is encrypted deeper is a defect."""
    plaintext = mail(signed(multipart("mixed", REPORT, encrypted(), boundary="m")), head="")
    found = read(encrypted(), plaintext)
    (layer,) = found.layers
    assert Form.MIME_SIGNED is layer.form
    assert content(plaintext, layer).startswith(b"Content-Type: multipart/mixed")
    assert INNER in found.defects
    assert {"assinado.example.net"} == hosts(found)


def test_of_a_signed_message_nothing_else_is_read() -> None:
    """Text around the parts and a signature with the name of a mail say nothing, opened or not."""
    part = REPORT.replace("utf-8", 'utf-8; hp="clear"').replace("\n\n", "\nSubject: Outro\n\n", 1)
    body = signed(part) + "http://depois.example.net/\n"
    found = read(body)
    assert {"assinado.example.net"} == hosts(found)
    assert [Form.MIME_SIGNED] == [layer.form for layer in found.layers]
    assert (Headers.MISMATCH, "Phishing contra clientes") == (found.protected, found.subject)
    assert (found.report, Headers.MISMATCH) == (read(body, None).report, read(body, None).protected)


def test_signed_text_is_read_without_its_frame() -> None:
    """Nobody has signed what stands in the frame; what gpg says was signed goes before what we see."""
    body = PLAIN + CLEARSIGNED.replace("SIGNATURE-----\n", "SIGNATURE-----\nComment: http://evil.example.net/\n", 1)
    found = read(body)
    assert [Form.INLINE_SIGNED] == [layer.form for layer in found.layers]
    assert "O site https://assinado.example.net/ imita o banco." == found.report.text.strip()
    assert {"assinado.example.net"} == hosts(found)
    assert "gpg says" == read(body, b"gpg says").report.text


def test_attached_ciphertexts_are_read_with_the_text_around_them() -> None:
    """What hangs on the message is an attachment, whether it was opened or not."""
    body = multipart("mixed", text("Ver http://texto.example.net/"), attachment(ARMOUR.encode(), "lista.txt.gpg"))
    found = read(body)
    assert [Form.DEEPER] == [layer.form for layer in found.layers]
    assert {"texto.example.net"} == hosts(found)
    again = read(body, b"http://lista.example.net/\n")
    assert {"texto.example.net", "lista.example.net"} == hosts(again)
    assert (["lista.txt"], ()) == ([one.name for one in again.attachments], again.layers)


def test_attached_certificates_come_with_the_reading() -> None:
    """Those outside and those inside, at most four."""
    outside = multipart("mixed", text("x"), *[attachment(KEY.encode(), "k.asc", "application/pgp-keys")] * 3)
    assert (KEY.encode(),) * 3 == read(outside).keys
    inside = multipart("mixed", REPORT, *[attachment(b"inside", "k", "application/pgp-keys")] * 5)
    assert (b"inside",) * 4 == read(encrypted(), mail(inside, head="")).keys


@pytest.mark.parametrize(
    ("head", "only"),
    [
        (HEAD, True),
        (HEAD.replace("<ana@example.pt>", "<ana@example.pt>, eva@example.net"), False),
        (HEAD + "From: eva@example.net\n", False),
        (HEAD + "From:\n", False),
        ("Subject: x\n", False),
    ],
)
def test_whether_from_holds_one_address(head: str, only: bool) -> None:
    """A second one, in the same field or in another, says that nobody in particular wrote it."""
    assert only is read(REPORT, head=head).only_sender
