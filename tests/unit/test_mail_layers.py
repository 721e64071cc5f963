"""Where OpenPGP lies in a message."""

from base64 import encodebytes
from pathlib import Path

import pytest
from hypothesis import example, given
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
    signature_part,
    signed,
    text,
)

from abuse_triage.mail import layers as module
from abuse_triage.mail import structure
from abuse_triage.mail.decode import decode
from abuse_triage.mail.layers import canonical, content, cut, find, layers, suspected
from abuse_triage.mail.structure import Node
from abuse_triage.model.openpgp import Encoding, Form, Layer
from abuse_triage.model.settings import LimitSettings

LIMITS = LimitSettings()
BLOCK = ARMOUR.strip().encode()
PLAIN = "Content-Type: text/plain; charset=iso-8859-1\n\n"
MIXED_UP = multipart(
    "mixed",
    "Content-Type: text/plain\n\n\n",
    attachment(b"Version: 1\r\n", "PGPMIME version identification", "application/pgp-encrypted"),
    attachment(ARMOUR.encode(), "encrypted.asc"),
)


def forms(raw: bytes) -> list[Form]:
    """Return what lies in a message."""
    assert not layers(raw, LIMITS) or suspected(raw, decode(raw, LIMITS))
    return [layer.form for layer in layers(raw, LIMITS)]


def only(raw: bytes) -> Layer:
    """Return the one layer of a message."""
    (layer,) = layers(raw, LIMITS)
    return layer


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_a_signed_part_is_the_bytes_between_the_boundaries(end: str) -> None:
    """Header and body, without the line end before the boundary, whatever line ends are."""
    raw = mail(signed(), end=end)
    layer = only(raw)
    assert Form.MIME_SIGNED is layer.form
    assert REPORT.replace("\n", end).encode() == cut(raw, layer.body)
    assert layer.signature is not None
    assert SIGNATURE.replace("\n", end).encode() == cut(raw, layer.signature)
    if end != "\r":
        assert REPORT.replace("\n", "\r\n").encode() == content(raw, layer)


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
@pytest.mark.parametrize("before", ["", "\n\n", "\ufeff"])
def test_a_ciphertext_is_the_second_part(end: str, before: str) -> None:
    """RFC 3156 section 4; blank lines and a byte order mark before the first field are no part of the header."""
    raw = mail(encrypted(), head=before + HEAD, end=end)
    layer = only(raw)
    assert (Form.MIME_ENCRYPTED, "") == (layer.form, layer.repaired)
    assert ARMOUR.replace("\n", end).encode() == cut(raw, layer.body)
    assert content(raw, layer).startswith(BLOCK[:27])


@pytest.mark.parametrize(
    ("body", "repaired"),
    [
        (MIXED_UP, module.EXCHANGE),
        (multipart("mixed", text("\n"), encrypted()), module.GATEWAY),
        (
            multipart("mixed", text(" \n"), attachment(ARMOUR.encode(), "x", "application/pgp-encrypted"), text("\n")),
            module.IPGMAIL,
        ),
    ],
    ids=["Exchange", "gateway", "iPGMail"],
)
def test_what_mail_systems_break_is_repaired(body: str, repaired: str) -> None:
    """The documented manglings are the encrypted message that they were, and the layer says what happened."""
    raw = mail(body)
    layer = only(raw)
    assert (Form.MIME_ENCRYPTED, repaired) == (layer.form, layer.repaired)
    assert BLOCK.replace(b"\n", b"\r\n").split() == content(raw, layer).split()


@pytest.mark.parametrize(
    "body",
    [
        MIXED_UP.replace("Content-Type: text/plain\n\n\n", "Content-Type: text/plain\n\nread me\n"),
        MIXED_UP.replace("Content-Type: text/plain\n\n\n", "Content-Type: text/html\n\n<img>\n"),
        MIXED_UP.replace("multipart/mixed", "multipart/alternative"),
        multipart("mixed", text("\n"), text("a report"), encrypted()),
        multipart("mixed", text("A list's footer\n"), encrypted()),
        multipart("mixed", encrypted(), text("A list's footer\n")),
        encrypted(ARMOUR, text("A third part\n")),
        multipart("encrypted", text("Version: 1"), attachment(ARMOUR.encode(), "x.asc")),
        encrypted().replace('protocol="application/pgp-encrypted"', 'protocol="application/pkcs7-mime"').replace(
            "multipart/encrypted", "multipart/mixed"
        ),
        "Content-Type: text/plain\n" + encrypted(),
        "Content-Transfer-Encoding: base64\n" + encrypted(),
        multipart("mixed", text("see"), attachment(ARMOUR.encode(), "report.txt.asc")),
        multipart("mixed", text("see"), attachment(b"\x84\x5e\x03abc", "report.txt.pgp")),
        multipart("mixed", text("see"), attachment(b"\xc1\x5e\x03abc", "report", "application/pgp-encrypted")),
        multipart("mixed", text("see"), attachment(ARMOUR.encode(), "no name of ours")),
        multipart("mixed", text("see"), "Content-Type: message/rfc822\n\n" + HEAD + encrypted()),
        attachment(ARMOUR.encode(), "report.pdf.pgp"),
        PLAIN + f"Before\n\n{ARMOUR}",
        PLAIN + f"{ARMOUR}\nAfter\n",
        f"Content-Transfer-Encoding: base64\n{PLAIN}{encodebytes(('Before' + chr(10) + ARMOUR).encode()).decode()}",
        "Content-Type: text/html\n\n<pre>\n" + ARMOUR + "</pre>\n",
        PLAIN + f"{ARMOUR}\n{CLEARSIGNED}",
    ],
)  # fmt: skip
def test_what_is_not_the_whole_message_is_deeper(body: str) -> None:
    """Text beside it, a third part, two types, an encoded multipart, an attachment: a ciphertext is only noted."""
    raw = mail(body)
    layer = only(raw)
    assert Form.DEEPER is layer.form
    assert layer.part is not None
    assert raw.endswith(raw[layer.part.start :])
    assert content(raw, layer).startswith((BLOCK[:27], b"\x84\x5e\x03abc", b"\xc1\x5e\x03abc"))
    assert content(raw, layer).strip().endswith((BLOCK[-20:], b"abc"))


@pytest.mark.parametrize(
    "body",
    [
        multipart("mixed", signed(), text("A list's footer\n")),
        multipart("mixed", text("An attacker's text\n"), signed()),
        signed(REPORT, text("A part behind the signature\n")),
        signed().replace("application/pgp-signature", "application/pkcs7-signature"),
        signed().replace('protocol="application/pgp-signature"', 'x="y"'),
        multipart("signed", signature_part(), REPORT, params='; protocol="application/pgp-signature"'),
        multipart("signed", REPORT, params='; protocol="application/pgp-signature"'),
        multipart(
            "signed", REPORT, signed(boundary="inner"), params='; protocol="application/pgp-signature"'
        ),
        signed(armour="Visit https://evil.example.net/\n"),
        signed(armour="Read this first\n" + SIGNATURE),
        "Content-Type: text/plain\n" + signed(),
        signed() .replace("MIME", "MIME").replace("Content-Type: multipart/signed", "Content-Type: multipart/mixed"),
        "Content-Transfer-Encoding: quoted-printable\n" + signed(),
        signed("Content-Type: text/html\n" + REPORT),
        "Content-Type: message/rfc822\n\n" + HEAD + signed(),
        PLAIN + f"Before\n{CLEARSIGNED}",
        PLAIN + f"{CLEARSIGNED}After\n",
        PLAIN + f"{CLEARSIGNED}{CLEARSIGNED}",
        PLAIN + CLEARSIGNED.replace("imita", "imita\n-----BEGIN PGP SIGNED MESSAGE-----\n\nx"),
        PLAIN + CLEARSIGNED.replace("imita", "imita\r-----BEGIN PGP SIGNATURE-----\rx"),
        PLAIN + CLEARSIGNED.partition("-----BEGIN PGP SIGNATURE")[0],
        multipart("mixed", PLAIN + CLEARSIGNED),
        "Content-Type: text/html\n\n" + CLEARSIGNED,
        REPORT,
    ],
)  # fmt: skip
def test_a_signature_that_does_not_cover_everything_counts_for_nothing(body: str) -> None:
    """Wrapped, partial, ambiguous and doubled ones are no layer at all."""
    assert [] == forms(mail(body, end="\n"))


@pytest.mark.parametrize("around", ["{}", "\n \n{}\n\t\n", "{}\n\n\n"])
def test_a_block_that_is_the_whole_text_counts(around: str) -> None:
    """Blank lines and blanks may stand around it."""
    assert [Form.INLINE_ENCRYPTED] == forms(mail(PLAIN + around.format(ARMOUR)))
    assert [Form.INLINE_SIGNED] == forms(mail(PLAIN + around.format(CLEARSIGNED)))


def test_text_can_be_transferred_in_any_encoding() -> None:
    """The span says how."""
    coded = encodebytes(CLEARSIGNED.encode()).decode()
    raw = mail(f"Content-Transfer-Encoding: base64\n{PLAIN}{coded}")
    layer = only(raw)
    assert (Form.INLINE_SIGNED, Encoding.BASE64) == (layer.form, layer.body.encoding)
    assert CLEARSIGNED.encode() == content(raw, layer)
    raw = mail(f"Content-Transfer-Encoding: Quoted-Printable\n{PLAIN}{ARMOUR.replace('=', '=3D')}")
    assert BLOCK.replace(b"\n", b"\r\n") == content(raw, only(raw)).strip()


def test_a_text_says_its_charset() -> None:
    """The armour's own word goes first; a name that makes no sense is none."""
    assert "iso-8859-1" == only(mail(PLAIN + ARMOUR)).charset
    named = ARMOUR.replace("\n\n", "\nComment: x\nCharset: windows-1252\n\n", 1)
    assert "windows-1252" == only(mail(PLAIN + named)).charset
    assert "" == only(mail('Content-Type: text/plain; charset="a b"\n\n' + CLEARSIGNED)).charset


def test_no_break_spaces_in_armour_are_spaces() -> None:
    """Some programs put them on the line that should be empty."""
    raw = mail("Content-Type: text/plain; charset=utf-8\n\n" + ARMOUR.replace("\n\n", "\n\xa0\n", 1))
    layer = only(raw)
    assert module.SPACES == layer.repaired
    assert b"-----\r\n \r\nwcB" in content(raw, layer)


def test_armour_of_which_a_mail_program_made_html_is_found() -> None:
    """Outlook writes each line of an inline message as an element of its own; what stands beside it stays content."""
    body = "<html><div>" + ARMOUR.strip().replace("\n", "</div><br>\n<div>") + "</div></html>\n"
    kind = "Content-Type: text/html; charset=us-ascii\nContent-Transfer-Encoding: quoted-printable\n\n"
    for raw in (mail(kind + body.replace("=", "=3D")), mail(multipart("mixed", kind + body.replace("=", "=3D")))):
        layer = only(raw)
        assert (Form.DEEPER, module.HTML, "us-ascii") == (layer.form, layer.repaired, layer.charset)
        assert BLOCK.split() == content(raw, layer).split()
    assert [] == forms(mail(PLAIN + body))


def test_a_ciphertext_in_a_signed_message_is_noted_after_it() -> None:
    """The signature counts at the root; what was encrypted below it can be read."""
    assert [Form.MIME_SIGNED, Form.DEEPER] == forms(mail(signed(encrypted())))


def test_several_blocks_in_a_text_are_found_one_by_one() -> None:
    """Each stands for itself, up to ten; markup, or a frame in the middle of a line, is no armour."""
    raw = mail(PLAIN + "A\n" + ARMOUR + "B\n" + ARMOUR + "C " + ARMOUR + ARMOUR.replace("wcB", "<br>"))
    assert [BLOCK.replace(b"\n", b"\r\n") + b"\r\n"] * 2 == [content(raw, one) for one in layers(raw, LIMITS)]
    assert [Form.DEEPER] * 10 == forms(mail(PLAIN + "A\n" + ARMOUR * 20))
    parts = multipart("mixed", *[attachment(ARMOUR.encode(), "a.gpg")] * 20)
    assert [Form.DEEPER] * 10 == forms(mail(parts))


def test_certificates_are_found_up_to_a_size_and_a_number() -> None:
    """By their type or their armour, decoded; those of embedded messages are not the sender's."""
    another = multipart("mixed", attachment(b"x", "k", "application/pgp-keys"), boundary="b2")
    large = KEY.replace("xsBN", "x" * 64_001)
    raw = mail(
        multipart(
            "mixed",
            text("See my key"),
            attachment(KEY.encode(), "key.asc", "text/plain"),
            attachment(b"\x99binary", "key", "application/pgp-keys"),
            attachment(large.encode(), "large.asc", "application/pgp-keys"),
            "Content-Type: message/rfc822\n\n" + HEAD + another,
            f"Content-Type: application/pgp-keys\n\n{KEY}",
            attachment(b"3", "key", "application/pgp-keys"),
            attachment(b"4", "key", "application/pgp-keys"),
        )
    )  # fmt: skip
    found = find(raw, LIMITS)
    assert () == found.layers
    assert (KEY.encode(), b"\x99binary", KEY.replace("\n", "\r\n").encode(), b"3") == found.keys
    assert () == find(mail(encrypted()), LIMITS).keys


@pytest.mark.parametrize(
    "body",
    [REPORT, multipart("mixed", REPORT, attachment(b"%PDF-1.7", "x.pdf")), "Content-Type: text/html\n\n<b>x</b>\n"],
)
def test_ordinary_mail_is_not_looked_through(body: str) -> None:
    """Whatever has no sign of OpenPGP costs nothing."""
    raw = mail(body)
    assert not suspected(raw, decode(raw, LIMITS))


def test_messages_over_a_limit_have_no_layers_in_what_was_not_read() -> None:
    """Where the parser stopped, nothing is known of the end of a part."""
    raw = mail(multipart("mixed", *[text("x")] * 5, attachment(ARMOUR.encode(), "a.gpg")))
    assert 1 == len(layers(raw, LIMITS))
    assert () == layers(raw, LimitSettings(parts=3))
    assert () == layers(mail(signed(multipart("mixed", REPORT))), LimitSettings(parts=1))
    nested = mail(multipart("mixed", "Content-Type: message/rfc822\n\n" + HEAD + encrypted()))
    assert () == layers(nested, LimitSettings(depth=2))


def test_lines_are_counted_as_far_as_they_are_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offsets stay right where the parser stopped at its limit, and nobody counts further."""
    raw = b"\n\n" + mail(
        multipart("mixed", text("x"), attachment(ARMOUR.encode(), "a.gpg"), *[text("y")] * 9), end="\n"
    )
    expected = layers(raw, LIMITS)
    monkeypatch.setattr(structure, "MOST_LINES", 40)
    assert 41 == len(structure.line_starts(raw))
    assert expected == layers(raw, LIMITS)
    monkeypatch.setattr(structure, "MOST_LINES", 22)
    (cut_off,) = layers(raw, LIMITS)
    assert cut_off.body.end < expected[0].body.end


def test_of_two_ciphertexts_at_the_root_none_is_dropped() -> None:
    """What opens them sees both, and refuses them; text around a single one is nobody's."""
    both = mail(encrypted(ARMOUR + ARMOUR))
    assert 2 == content(both, only(both)).count(b"-----BEGIN PGP MESSAGE-----")
    one = mail(encrypted("x\n" + ARMOUR + "y\n"))
    assert BLOCK.split() == content(one, only(one)).split()


def test_canonical_form_has_only_crlf() -> None:
    """RFC 3156 section 5; a bare carriage return is no line end of mail."""
    assert b"a\r\nb\r\nc\rd" == canonical(b"a\nb\r\nc\rd")


_PIECES = st.sampled_from(
    [
        b"Content-Type: multipart/mixed; boundary=b\n",
        b'Content-Type: multipart/mixed; boundary="b "\r\n',
        b"Content-Type: multipart/signed; boundary=c;\r\n protocol=application/pgp-signature\r",
        b"Content-Type: multipart/encrypted; boundary=c\n",
        b"Content-Type: application/pgp-signature\r\n",
        b"Content-Type: message/rfc822\n",
        b"Content-Type: multipart/digest; boundary=c\n",
        b"Content-Transfer-Encoding: base64\n",
        *(b"\n", b"\r\n", b"\r", b"--b\n", b"--b\r\n", b"--b--\n", b"--b  \r\n", b"--c\r", b"--c\n", b"--c--\r\n"),
        *(b"--b", b"text", b" cont\n", b"From x\n", b":\n", b"Subject: x\n", b"\xef\xbb\xbf", b"\xff"),
        SIGNATURE.encode(),
        ARMOUR.encode(),
        CLEARSIGNED.encode(),
    ]
)


@given(st.lists(_PIECES, max_size=30).map(b"".join))
@example(b"\n\r\n\n")
@example(b"")
def test_offsets_are_where_the_parser_saw_the_parts(raw: bytes) -> None:
    """Of every leaf, the bytes at the offsets are the content that is read; nothing raises."""
    whole = module._Whole(raw, LIMITS)
    layers(raw, LIMITS)

    def check(node: Node) -> None:
        for child in node.children():
            check(child)
        # Of a multipart that cannot be taken apart, and behind a "From " line, the parser loses something.
        lost = node.get_content_maintype() == "multipart" or node.content().startswith(b"From ")
        if not node.children() and not lost:
            body = whole.body(node)
            assert node.content() == raw[body.start : body.end]

    check(whole.root)


def test_samples(corpora: Path) -> None:
    """Every sample has the form that it was judged to have, one by one."""
    judged = {
        "alice-broken-exchange": Form.MIME_ENCRYPTED,
        "bob-enc-inline-nbsp-qp": Form.INLINE_ENCRYPTED,
        "fwd-unsigned-encrypted": Form.DEEPER,
        "outer-smime": Form.DEEPER,
        "partial-encrypt": Form.DEEPER,
        "bob-enc-html-nbsp": Form.DEEPER,
        "alice-signed": Form.INLINE_SIGNED,
        "alice-utf": Form.INLINE_SIGNED,
        "inline-signed": Form.INLINE_SIGNED,
        "signed-inline-indented": Form.INLINE_SIGNED,
        "outer-pgp-sig": Form.MIME_SIGNED,
        "bob-to-alice-signed-damaged": Form.MIME_SIGNED,
        "signed-mismatch": Form.MIME_SIGNED,
    }
    nothing = (
        *("dual-signed", "eve-duplicate", "forwarded-eml", "fwd-signed", "multiple-signatures"),
        *("openpgp__stripped", "signed-with-mailman", "unob-signed", "unrelated-and-fake", "unsigned-unencrypted"),
    )
    files = sorted((corpora / "openpgp" / "eml").iterdir())
    assert 53 == len(files)
    for file in files:
        raw = file.read_bytes()
        found = forms(raw)
        name = file.name
        if name.startswith(nothing) or "unencrypted-in-mixed" in name:
            expected = None
        elif "unencrypted" in name:
            expected = Form.MIME_SIGNED
        else:
            expected = next((form for start, form in judged.items() if name.startswith(start)), Form.MIME_ENCRYPTED)
        assert expected is (found[0] if found else None), name
