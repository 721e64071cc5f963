"""Messages as they read when they are opened."""

from base64 import encodebytes

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpgp_shapes import (
    ARMOUR,
    CLEARSIGNED,
    HEAD,
    KEY,
    REPORT,
    SIGNATURE,
    attachment,
    encrypted,
    mail,
    multipart,
    signed,
    text,
)

from abuse_triage.mail.decode import decode
from abuse_triage.mail.layers import content, layers
from abuse_triage.mail.opened import INNER, Unwrapped, opened
from abuse_triage.model.message import Mail
from abuse_triage.model.openpgp import Form, Headers
from abuse_triage.model.settings import LimitSettings

LIMITS = LimitSettings()
SAID = "A página https://assinado.example.net/ imita o banco."
PLAIN = "Content-Type: text/plain; charset=iso-8859-1\n\n"


def open_it(raw: bytes, *plaintexts: bytes | None) -> Unwrapped:
    """Open a message with what gpg made of its layers."""
    found = opened(raw, layers(raw, LIMITS), plaintexts, LIMITS)
    assert found is not None
    return found


def read(raw: bytes, *plaintexts: bytes | None) -> Mail:
    """Open a message, and decode it."""
    return decode(open_it(raw, *plaintexts).message, LIMITS)


def texts(found: Mail) -> list[str]:
    """Return the texts of a message."""
    return [part.text.strip() for part in found.parts if part.text is not None]


@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize("first", ["", "\n", "\n\n"])
def test_a_ciphertext_reads_as_the_part_inside(end: str, first: str) -> None:
    """The fields outside stay, the content and what describes it come from inside."""
    found = read(mail(encrypted()), mail(first + REPORT, head="", end=end))
    assert ("text/plain", [SAID]) == (found.content_type, texts(found))
    assert ("Phishing contra clientes", "case-1@example.pt") == (found.subject, found.message_id)
    assert ["ana@example.pt"] == [one.email for one in found.senders]


INNER_FIELDS = (
    "From: Eva <eva@example.net>\nTo: x@example.net\nDate: Tue, 17 Nov 2026 10:00:00 +0000\n"
    "Message-ID: <x@example.net>\n"
    "References: <y@example.net>\nReceived: from x\nAuthentication-Results: mx.example.org; dkim=pass\nList-Id: <x>\n"
    "Auto-Submitted: no\nReply-To: eva@example.net\nMIME-Version: 2.0\nReturn-Path: <eva@example.net>\n"
)


@pytest.mark.parametrize("head", [HEAD, "", "\n"])
@pytest.mark.parametrize(
    "body",
    [encrypted(), signed(INNER_FIELDS + REPORT), encrypted("-----BEGIN PGP MESSAGE-----\n\nx\n"), PLAIN + ARMOUR],
)
@pytest.mark.parametrize("plaintext", [INNER_FIELDS + REPORT, INNER_FIELDS + "\n" + SAID, "\n" + INNER_FIELDS + "\nx"])
def test_no_field_from_inside_decides_anything(head: str, body: str, plaintext: str) -> None:
    """Whatever stands in the plaintext, the fields of the message are those outside."""
    raw = mail(body, head=head)
    outside = [one for one in decode(raw, LIMITS).headers if not one.name.startswith(("content-", "mime-"))]
    found = read(raw, mail(plaintext, head=""))
    assert outside == [one for one in found.headers if not one.name.startswith(("content-", "mime-"))]


@pytest.mark.parametrize(("sender", "said"), [("ana@example.pt", Headers.MATCH), ("eva@example.net", Headers.MISMATCH)])
def test_an_encrypted_subject_is_read_where_it_is_protected(sender: str, said: Headers) -> None:
    """It takes the place of the one outside; a From that differs is told, and does not."""
    fields = f'Content-Type: text/plain; hp="cipher"\nFrom: {sender}\nTo: abuse@example.org\nSubject: A real one\n'
    raw = mail(encrypted(), head=HEAD.replace("Phishing contra clientes", "[...]"))
    unwrapped = open_it(raw, mail(fields + "\nText\n", head=""))
    found = decode(unwrapped.message, LIMITS)
    assert ("A real one", said, ["Text"]) == (found.subject, unwrapped.headers, texts(found))
    assert ["ana@example.pt"] == [one.email for one in found.senders]
    assert 1 == len(list(found.all("subject")))


def test_a_signed_message_inside_is_the_layer_of_the_plaintext() -> None:
    """Only its signed part is read, and its offsets point into the plaintext."""
    plaintext = mail(signed(), head="")
    unwrapped = open_it(mail(encrypted()), plaintext)
    (layer,) = unwrapped.layers
    assert Form.MIME_SIGNED is layer.form
    assert REPORT.replace("\n", "\r\n").encode() == content(plaintext, layer)
    assert [SAID] == texts(decode(unwrapped.message, LIMITS))
    assert () == unwrapped.defects


def test_certificates_inside_are_found() -> None:
    """They come with the message that was opened."""
    plaintext = mail(multipart("mixed", REPORT, attachment(KEY.encode(), "key.asc", "application/pgp-keys")), head="")
    assert (KEY.encode(),) == open_it(mail(encrypted()), plaintext).keys


@pytest.mark.parametrize(
    ("body", "plaintext"),
    [
        (encrypted(), encrypted()),
        (encrypted(), signed(encrypted())),
        (encrypted(), multipart("mixed", REPORT, attachment(ARMOUR.encode(), "x.asc"))),
        (PLAIN + ARMOUR, ARMOUR),
        (multipart("mixed", text("x"), attachment(ARMOUR.encode(), "x.asc")), ARMOUR),
    ],
)
def test_encryption_inside_is_noted_and_stays_closed(body: str, plaintext: str) -> None:
    """One layer is opened."""
    assert (INNER,) == open_it(mail(body), mail(plaintext, head="")).defects


def test_of_a_signed_message_only_the_signed_part_is_read() -> None:
    """The second part, the text around the parts, and files with the name of a mail are not."""
    raw = mail(signed().replace("--b1\n", "Read https://evil.example.net/\n--b1\n", 1) + "https://evil.example.net/\n")
    raw = raw.replace(b'name="signature.asc"', b'name="signature.eml"').replace(
        b"-----BEGIN PGP SIGNATURE-----\r\n", b"-----BEGIN PGP SIGNATURE-----\r\nComment: https://evil.example.net/\r\n"
    )
    unwrapped = open_it(raw)
    assert b"evil" not in unwrapped.message
    found = decode(unwrapped.message, LIMITS)
    assert ([SAID], 1) == (texts(found), len(found.parts))
    assert Headers.NONE is unwrapped.headers


def test_protected_headers_of_a_signed_message_are_compared() -> None:
    """A Subject that was changed on the way is told, and stays what it is outside."""
    part = REPORT.replace("utf-8", 'utf-8; hp="clear"').replace(
        "\n\n", "\nSubject: Another\nFrom: ana@example.pt\n\n", 1
    )
    unwrapped = open_it(mail(signed(part)))
    assert Headers.MISMATCH is unwrapped.headers
    assert "Phishing contra clientes" == decode(unwrapped.message, LIMITS).subject


def test_ciphertexts_in_a_signed_message_are_opened_in_it() -> None:
    """The signed part is read, with the plaintext where the ciphertext was."""
    raw = mail(signed(multipart("mixed", text("See"), encrypted(), boundary="m")))
    assert ["See", SAID] == texts(read(raw, None, mail(REPORT, head="")))
    assert ["See"] == texts(read(raw))


@pytest.mark.parametrize(
    ("body", "plaintext", "said"),
    [
        (PLAIN + ARMOUR, "Olá, São Tomé".encode(), "Olá, São Tomé"),
        (PLAIN + ARMOUR, "Olá, São Tomé".encode("iso-8859-1"), "Olá, São Tomé"),
        (PLAIN.replace("iso-8859-1", "iso-2022-jp") + ARMOUR, "日本".encode("iso-2022-jp"), "日本"),
        (PLAIN.replace("iso-8859-1", "no-such") + ARMOUR, b"plain", "plain"),
        ("\n" + ARMOUR, "Olá".encode(), "Olá"),
        (PLAIN + CLEARSIGNED, "Olá".encode("iso-8859-1"), "Olá"),
        (PLAIN + ARMOUR, b"Content-Type: text/html\n\n<b>", "Content-Type: text/html\n\n<b>"),
    ],
)
def test_inline_text_is_text(body: str, plaintext: bytes, said: str) -> None:
    """It is UTF-8 unless it cannot be, and nothing in it is a header."""
    found = read(mail(body), plaintext)
    assert ("text/plain", [said]) == (found.content_type, texts(found))


def test_nothing_opened_reads_as_it_did() -> None:
    """Without layers, without plaintexts, there is nothing to read again."""
    for body in (
        REPORT,
        encrypted(),
        PLAIN + ARMOUR,
        multipart("mixed", text("x"), attachment(ARMOUR.encode(), "a.gpg")),
    ):
        raw = mail(body)
        assert opened(raw, layers(raw, LIMITS), (), LIMITS) is None
        assert opened(raw, layers(raw, LIMITS), [None], LIMITS) is None


def test_attached_ciphertexts_become_files_or_parts() -> None:
    """A file keeps its name without the ending, a part with a header is one; what stays closed stays as it is."""
    raw = mail(
        multipart(
            "mixed",
            text("See below"),
            attachment(ARMOUR.encode(), "hosts.csv.gpg"),
            attachment(ARMOUR.encode(), "caf\u00e9 1.PGP"),
            attachment(ARMOUR.encode(), "message.asc"),
            f"Content-Type: text/plain\n\n{ARMOUR}",
            attachment(ARMOUR.encode(), "closed.gpg"),
            encrypted(),
        )
    )
    found = read(raw, b"192.0.2.1\n", b"\0\1", mail(REPORT, head=""), b"text", None, b"--b1--\r\nnot the end")
    assert ["", "hosts.csv", "café 1", "", "", "closed.gpg", ""] == [part.filename for part in found.parts]
    assert ["See below", "192.0.2.1", SAID, "text", "--b1--\nnot the end"] == texts(found)
    assert "application/octet-stream" == found.parts[2].content_type
    assert "multipart/mixed" == found.content_type


def test_a_message_that_is_one_encrypted_file_keeps_its_fields() -> None:
    """Only what describes the content changes."""
    found = read(mail(attachment(ARMOUR.encode(), "hosts.txt.asc")), b"192.0.2.1")
    assert ("Phishing contra clientes", ["192.0.2.1"]) == (found.subject, texts(found))


def test_blocks_in_a_text_are_replaced_in_it() -> None:
    """In its charset and its encoding."""
    raw = mail(f"{PLAIN}Antes\n{ARMOUR}Entre\n{ARMOUR}Depois\n")
    assert ["Antes\n\xe1\nEntre\n" + ARMOUR + "Depois"] == texts(read(raw, "á".encode()))
    coded = ARMOUR.replace("=", "=3D")
    raw = mail(f"Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\nAntes\n{coded}Depois\n")
    assert ["Antes\na=3Dá\nDepois"] == texts(read(raw, "a=3Dá".encode()))


@pytest.mark.parametrize("kind", ["html", "plain"])
def test_a_block_in_coded_text_or_markup_is_opened_beside_it(kind: str) -> None:
    """No plaintext gets between the marks of somebody else."""
    around = f'<a href="https://evil.example.net/\n{ARMOUR}">x</a>'.encode()
    part = (
        f"Content-Type: text/{kind}; charset=utf-8\nContent-Transfer-Encoding: base64\n\n{encodebytes(around).decode()}"
    )
    for raw in (mail(part), mail(multipart("mixed", text("x"), part))):
        found = read(raw, b"secret")
        assert "secret" == texts(found)[-1]
        assert not [href for one in found.parts for href in one.hrefs if "secret" in href]
        assert "Phishing contra clientes" == found.subject


@given(st.binary(max_size=200), st.sampled_from(["encrypted", "inline", "deeper", "signed deeper"]))
def test_any_plaintext_is_read(plaintext: bytes, shape: str) -> None:
    """Whatever was encrypted, the message has its own header, and nothing raises."""
    body = {
        "encrypted": encrypted(),
        "inline": PLAIN + ARMOUR,
        "deeper": multipart("mixed", text("x"), attachment(ARMOUR.encode(), "x.gpg"), encrypted()),
        "signed deeper": signed(multipart("mixed", encrypted(), boundary="m")),
    }[shape]
    raw = mail(body)
    found = read(raw, plaintext, plaintext)
    assert ("Phishing contra clientes", "case-1@example.pt") == (found.subject, found.message_id)
    assert ["ana@example.pt"] == [one.email for one in found.senders]


_ATTACKS = st.sampled_from(
    [
        *(
            "--b1\r\n",
            "--b1--\r\n",
            "--b1 \r\n",
            "\r\n",
            "--x\r\n",
            "--x--\r\n",
            "EVIL\r\n",
            "--b1\nEVIL\n",
            "--b1\rEVIL",
        ),
        *(
            REPORT,
            SIGNATURE,
            "Content-Type: text/plain\r\n\r\nEVIL\r\n",
            "Content-Type: multipart/mixed; boundary=x\r\n",
        ),
        "Content-Type: application/pgp-signature\r\n\r\n",
        'Content-Type: application/pgp-signature; name="EVIL.eml"\r\n\r\n',
    ]
)


@given(st.lists(_ATTACKS, max_size=8).map("".join), st.lists(_ATTACKS, max_size=8).map("".join))
def test_what_is_read_of_a_signed_message_is_what_was_signed(before: str, behind: str) -> None:
    """Whatever stands around, everything that is read lies in the bytes that gpg is given."""
    kind = 'multipart/signed; boundary="b1"; protocol="application/pgp-signature"'
    raw = f"{HEAD}Content-Type: {kind}\n\n{before}".encode()
    raw += f"--b1\n{REPORT}\n--b1\nContent-Type: application/pgp-signature\n\n{SIGNATURE}\n{behind}".encode()
    found = layers(raw, LIMITS)
    if found and found[0].form is Form.MIME_SIGNED:
        covered = content(raw, found[0])
        alone = b"MIME-Version: 1.0\r\n" + covered
        assert texts(decode(alone, LIMITS)) == texts(read(raw))
