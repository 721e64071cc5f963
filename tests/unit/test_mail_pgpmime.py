"""What we send, signed and encrypted: read by ourselves, and checked by a stock gpg."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pgp import Forge

from abuse_triage.mail.compose import compose
from abuse_triage.mail.decode import decode
from abuse_triage.mail.fields import split
from abuse_triage.mail.layers import content, cut, layers
from abuse_triage.mail.opened import opened
from abuse_triage.mail.pgpmime import encrypted, payload, signed, signed_part
from abuse_triage.model.message import Mail
from abuse_triage.model.openpgp import Form, Headers
from abuse_triage.model.settings import LimitSettings
from abuse_triage.model.ticket import MailKind

LIMITS = LimitSettings()
SUBJECT = "[EXEMPLO#2026-000123] Auto: Notificação recebida / Report received"
BODY = "Olá, \n\nFrom now on\nFrom here \t\nReferência: EXEMPLO#2026-000123\n-- \nEquipa "


def written(body: str = BODY, subject: str = SUBJECT) -> bytes:
    """Compose an acknowledgement."""
    return compose(
        kind=MailKind.ACKNOWLEDGEMENT,
        message_id="ack.abc.def@csirt.example.pt",
        sender_name="CSIRT Exemplo",
        sender="abuse@example.pt",
        recipient="rita@example.pt",
        subject=subject,
        body=body,
        date=datetime(2026, 11, 21, 9, 30, tzinfo=UTC),
        in_reply_to="case-1@example.pt",
        references=("case-0@example.pt", "case-1@example.pt"),
    )


def fields(found: Mail) -> list[tuple[str, str]]:
    """Return the fields that are not about the content."""
    return [(one.name, one.value) for one in found.headers if not one.name.startswith(("content-", "mime-"))]


@given(st.text(max_size=300), st.text(max_size=100))
def test_what_is_signed_survives_every_transport(body: str, subject: str) -> None:
    """CRLF, seven bits, no blank at the end of a line, none that begins with "From ", none over 998 bytes."""
    mail = written(body, subject)
    for hidden in (False, True):
        part = payload(mail, encrypted=hidden)
        assert part.isascii()
        lines = part.split(b"\r\n")
        assert not re.search(rb"[\r\n]", b"".join(lines))
        assert all(len(line) <= 998 for line in lines)
        assert not [line for line in lines if line.endswith((b" ", b"\t")) or line.startswith(b"From ")]
        assert decode(mail, LIMITS).parts[0].text == decode(part, LIMITS).parts[0].text


def test_only_mail_in_quoted_printable_is_taken() -> None:
    """Anything else could be changed on its way."""
    for mail in (b"From: a@example.pt\r\n\r\nx", written().replace(b"quoted-printable", b"8bit")):
        with pytest.raises(ValueError, match="quoted-printable"):
            payload(mail, encrypted=False)
    for micalg in ("sha512", 'pgp-sha512"\r\nX: y', ""):
        with pytest.raises(ValueError, match="hash"):
            signed_part(b"", b"", micalg)


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_a_signature_holds_after_every_transport(forge: Forge, tmp_path: Path, end: bytes) -> None:
    """Stock gpg verifies what our reader cuts out, and the protected fields match those outside."""
    mail = written()
    part = payload(mail, encrypted=False)
    raw = signed(mail, part, forge.detached(part, forge.team, "--digest-algo", "SHA512"), "pgp-sha512")
    raw = raw.replace(b"\r\n", end)
    (layer,) = layers(raw, LIMITS)
    assert (Form.MIME_SIGNED, part) == (layer.form, content(raw, layer))
    assert layer.signature is not None
    signature = tmp_path / "signature"
    signature.write_bytes(cut(raw, layer.signature))
    told = forge.gpg("--status-fd", "1", "--verify", str(signature), "-", given=content(raw, layer)).decode()
    assert f"VALIDSIG {forge.team} " in told
    found = opened(raw, [layer], (), LIMITS)
    assert found is not None
    assert Headers.MATCH is found.headers
    assert fields(decode(mail, LIMITS)) == fields(decode(raw, LIMITS)) == fields(decode(found.message, LIMITS))
    assert 'micalg="pgp-sha512"' in split(raw).first("content-type")


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
@pytest.mark.parametrize("apart", [False, True])
def test_an_encrypted_mail_opens_with_the_recipients_key(forge: Forge, end: bytes, apart: bool) -> None:
    """Its Subject is not seen outside; text and Subject are those of the mail, signed with it or as a part."""
    mail = written()
    part = payload(mail, encrypted=True)
    if apart:
        inner = signed_part(part, forge.detached(part, forge.team), "pgp-sha512")
        ciphertext = forge.encrypted(inner, forge.partner)
    else:
        ciphertext = forge.encrypted(part, forge.partner, signer=forge.team)
    raw = encrypted(mail, ciphertext).replace(b"\r\n", end)
    assert b"EXEMPLO#" not in raw
    assert "[...]" == decode(raw, LIMITS).subject
    (layer,) = layers(raw, LIMITS)
    assert Form.MIME_ENCRYPTED is layer.form
    plaintext = forge.opened(content(raw, layer))
    found = opened(raw, [layer], [plaintext], LIMITS)
    assert found is not None
    assert (Headers.MATCH, apart) == (found.headers, bool(found.layers))
    read = decode(found.message, LIMITS)
    assert (SUBJECT, BODY) == (read.subject, read.parts[0].text)
    assert fields(decode(mail, LIMITS)) == sorted(fields(read), key=fields(decode(mail, LIMITS)).index)
    if apart:
        assert part == content(plaintext, found.layers[0])


@pytest.mark.parametrize("hidden", [False, True])
def test_nothing_that_the_other_side_chose_is_signed(hidden: bool) -> None:
    """The ids that we answer stand outside, where nobody takes them for our words."""
    mail = written()

    assert b"case-" in mail
    assert b"case-" not in payload(mail, encrypted=hidden)
    assert b"ack.abc.def@csirt.example.pt" in payload(mail, encrypted=hidden)
