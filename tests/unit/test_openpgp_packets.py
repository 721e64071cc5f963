"""The scan of packets before gpg sees a message."""

import base64
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pgp import Forge, armored, packet

from abuse_triage.model.openpgp import Failure
from abuse_triage.openpgp import packets
from abuse_triage.openpgp.packets import PacketError

KEY_ID = bytes.fromhex("0123456789ABCDEF")
TO_KEY = packet(1, b"\x03" + KEY_ID + b"\x12" + bytes(40))
TO_PASSWORD = packet(3, b"\x04\x09\x03\x08" + bytes(9))
DATA = packet(18, b"\x01" + bytes(60))
LITERAL = packet(11, b"b\0\0\0\0\0Bom dia")
COMPRESSED = packet(8, b"\x00" + LITERAL)


def old(tag: int, kind: int, length: bytes, body: bytes) -> bytes:
    """Write a packet with a header of the old format."""
    return bytes([0x80 | tag << 2 | kind]) + length + body


def refusal(read: Callable[[], object]) -> Failure:
    """Return why something is refused."""
    with pytest.raises(PacketError) as caught:
        read()
    return caught.value.failure


def signature(hashed: bytes = b"", unhashed: bytes = b"", version: int = 4) -> bytes:
    """Write a signature packet with these subpackets; its mathematics are nothing."""
    areas = b"".join(len(area).to_bytes(2, "big") + area for area in (hashed, unhashed))
    return packet(2, bytes([version, 0, 22, 10]) + areas + bytes(70))


def test_a_stock_message_passes(forge: Forge) -> None:
    """A message of a stock gpg tells whom it is encrypted to, armoured or not, and is the same in both forms."""
    binary = forge.encrypted(b"Bom dia", forge.team, forge.partner, signer=forge.partner, armor=False)
    found = packets.encrypted(binary, 2)
    expected = {forge.subkeys(key)[0][-16:] for key in (forge.team, forge.partner)}
    assert expected == set(found.key_ids)
    assert binary == found.packets
    assert found == packets.encrypted(armored(binary), 2)


def test_stock_armour_is_read(forge: Forge) -> None:
    """The armour of gpg, with checksum, header lines, CRLF and blanks at line ends, is read as what it wraps."""
    plain = forge.encrypted(b"Bom dia", forge.team, options=("--comment", "nada"))
    binary = forge.gpg("--dearmor", given=plain)
    for armour in (
        plain,
        plain.replace(b"\n", b"\r\n"),
        plain.replace(b"\n", b" \n"),
        b"\n\n" + plain + b"\n-- \nRita\n",
        b"\xef\xbb\xbf" + plain,
        "Segue o relatório:\n".encode() + plain,
    ):
        assert binary == packets.encrypted(armour, 32).packets


def test_a_missing_empty_line_is_no_harm() -> None:
    """Mail systems remove the empty line after the armour's header lines; a colon tells these from data."""
    armour = armored(TO_KEY + DATA).replace(b"\n\n", b"\nVersion: 1\n", 1)
    assert TO_KEY + DATA == packets.encrypted(armour, 32).packets


@pytest.mark.parametrize(
    ("failure", "data"),
    [
        (Failure.MALFORMED, b""),
        (Failure.MALFORMED, b"Bom dia"),
        (Failure.MALFORMED, b"\xffbinary"),
        (Failure.MALFORMED, TO_KEY),
        (Failure.MALFORMED, DATA),
        (Failure.MALFORMED, TO_KEY + DATA[:-1]),
        (Failure.MALFORMED, TO_KEY + DATA[:3]),
        (Failure.MALFORMED, TO_KEY + LITERAL),
        (Failure.MALFORMED, packet(1, b"") + DATA),
        (Failure.MALFORMED, TO_KEY + DATA + b"\0"),
        (Failure.MALFORMED, b"\xd2\xc0"),
        (Failure.MALFORMED, old(1, 3, b"", b"\x03" + KEY_ID)),
        (Failure.MALFORMED, b"\xc1\xe9" + bytes(600)),
        (Failure.MALFORMED, packet(10, b"PGP") * 1001),
        (Failure.NOT_ENCRYPTED, LITERAL),
        (Failure.NOT_ENCRYPTED, COMPRESSED),
        (Failure.NOT_ENCRYPTED, signature() + LITERAL),
        (Failure.NOT_ENCRYPTED, packet(6, b"\x04") + DATA),
        (Failure.NOT_INTACT, TO_KEY + packet(9, bytes(50))),
        (Failure.NOT_INTACT, packet(9, bytes(50))),
        (Failure.PASSWORD, TO_PASSWORD + DATA),
        (Failure.PASSWORD, TO_PASSWORD * 5000 + DATA),
        (Failure.PASSWORD, TO_KEY + TO_PASSWORD + DATA),
        (Failure.TOO_MANY_KEYS, TO_KEY * 33 + DATA),
        (Failure.TOO_MANY_KEYS, packet(1, b"\x03" + bytes(50)) * 5000 + DATA),
        (Failure.SEVERAL, (TO_KEY + DATA) * 2),
        (Failure.SEVERAL, TO_KEY + DATA + DATA),
        (Failure.SEVERAL, TO_KEY + DATA + LITERAL),
        (Failure.SEVERAL, TO_KEY + DATA + signature()),
        (Failure.SEVERAL, armored(TO_KEY + DATA) * 2),
    ],
)
def test_what_is_no_single_encrypted_message_is_refused(failure: Failure, data: bytes) -> None:
    """Floods, passwords, missing proof of integrity, more than one message, and what is none: each with its reason."""
    assert failure == refusal(lambda: packets.encrypted(data, 32))


def test_as_many_recipients_as_are_allowed() -> None:
    """The limit itself is allowed."""
    assert (KEY_ID.hex().upper(),) * 32 == packets.encrypted(TO_KEY * 32 + DATA, 32).key_ids


def test_recipients_are_named() -> None:
    """Hidden recipients are zeros, and so are those of a version that gpg does not know."""
    hidden, later = packet(1, b"\x03" + bytes(8) + b"\x12"), packet(1, b"\x06\x21")
    found = packets.encrypted(packet(10, b"PGP") + TO_KEY + hidden + later + DATA, 32)
    assert (KEY_ID.hex().upper(), "0" * 16, "0" * 16) == found.key_ids


def test_the_framing_does_not_change_the_digest() -> None:
    """One encrypted packet has one digest: with any form of length, in pieces, and encrypted to whomever else."""
    body = b"\x01" + bytes(range(256)) * 3
    pieces = b"\xd2\xe9" + body[:512] + b"\xc0" + bytes([len(body) - 512 - 192]) + body[512:]
    framed = [
        packet(18, body),
        b"\xd2\xc2" + bytes([len(body) - 192 - 512]) + body,
        pieces,
    ]
    digests = {packets.encrypted(keys + data, 32).digest for keys in (TO_KEY, TO_KEY * 2) for data in framed}
    assert {sha256(body).hexdigest()} == digests


def test_old_headers_are_read() -> None:
    """Headers of the old format have one, two or four octets of length."""
    body = TO_KEY[6:]
    for kind, width in ((0, 1), (1, 2), (2, 4)):
        keys = old(1, kind, len(body).to_bytes(width, "big"), body)
        assert (KEY_ID.hex().upper(),) == packets.encrypted(keys + DATA, 32).key_ids


def test_an_old_header_without_length_goes_to_the_end() -> None:
    """A data packet without length is the last one."""
    assert Failure.NOT_INTACT == refusal(lambda: packets.encrypted(TO_KEY + old(9, 3, b"", bytes(50)), 32))


def test_pieces_are_counted() -> None:
    """Partial lengths of one octet each cost time, and therefore have a limit."""
    flood = TO_KEY + b"\xd2" + b"\xe0x" * 100_000 + b"\x00"
    assert Failure.MALFORMED == refusal(lambda: packets.encrypted(flood, 32))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda armour: armour.replace(b"-----END PGP MESSAGE-----", b""),
        lambda armour: armour[: len(armour) // 2],
        lambda armour: armour.replace(b"w", b"\xc2\xa0", 1),
        lambda armour: armour.replace(b"A", b"=41", 1),
        lambda armour: b"> " + armour.replace(b"\n", b"\n> "),
        lambda armour: armour.replace(b"-----BEGIN", b"- -----BEGIN"),
        lambda armour: armour[:29] + armour[armour.index(b"-----END") :],
    ],
)
def test_mangled_armour_is_refused(spoil: Callable[[bytes], bytes]) -> None:
    """What is not base64 from begin to end is no message; nothing is guessed."""
    assert Failure.MALFORMED == refusal(lambda: packets.encrypted(spoil(armored(TO_KEY + DATA)), 32))


def test_a_detached_signature_names_its_key(forge: Forge) -> None:
    """A stock signature names the fingerprint of the key that made it: the signing subkey."""
    made = forge.detached(b"Bom dia", forge.with_signing_subkey)
    assert (forge.subkeys(forge.with_signing_subkey)[1],) == packets.signatures(made).issuers


FINGERPRINT = bytes(range(20))


@pytest.mark.parametrize(
    ("issuer", "made"),
    [
        (KEY_ID, signature(hashed=b"\x09\x10" + KEY_ID)),
        (KEY_ID, signature(unhashed=b"\x09\x90" + KEY_ID)),
        (FINGERPRINT, signature(hashed=b"\x09\x10" + KEY_ID, unhashed=b"\x16\x21\x04" + FINGERPRINT)),
        (FINGERPRINT, signature(hashed=b"\xff\0\0\0\x16\x21\x04" + FINGERPRINT)),
        (KEY_ID, signature(hashed=b"\xc0\x00" + b"\x14" + bytes(191), unhashed=b"\x09\x10" + KEY_ID)),
        (KEY_ID, packet(2, b"\x03\x05\x00" + bytes(4) + KEY_ID + bytes(60))),
        (b"", signature()),
        (b"", signature(hashed=b"\x08\x10" + KEY_ID[:7])),
        (b"", signature(version=6)),
    ],
)
def test_every_form_of_naming_is_read(issuer: bytes, made: bytes) -> None:
    """Key ids and fingerprints stand in hashed and unhashed subpackets, with any form of length (RFC 9580 5.2.3.7)."""
    assert (issuer.hex().upper(),) == packets.signatures(made).issuers


@pytest.mark.parametrize(
    ("failure", "data"),
    [
        (Failure.MALFORMED, b""),
        (Failure.MALFORMED, packet(10, b"PGP")),
        (Failure.MALFORMED, TO_KEY),
        (Failure.MALFORMED, signature() + LITERAL),
        (Failure.MALFORMED, signature(hashed=b"\x09\x10abc")),
        (Failure.MALFORMED, signature(hashed=b"\x00")),
        (Failure.MALFORMED, signature(hashed=b"\xff\0")),
        (Failure.MALFORMED, signature(hashed=b"\xc0")),
        (Failure.SEVERAL, signature() * 5),
        (Failure.TOO_LARGE, signature() * 2000),
    ],
)
def test_what_is_no_detached_signature_is_refused(failure: Failure, data: bytes) -> None:
    """Only signatures, at most four, and not large."""
    assert failure == refusal(lambda: packets.signatures(data))


def test_several_signatures_are_told() -> None:
    """Up to four signatures are read, with one issuer each."""
    four = signature(hashed=b"\x09\x10" + KEY_ID) * 2 + packet(10, b"PGP") + signature() * 2
    assert (KEY_ID.hex().upper(),) * 2 + ("", "") == packets.signatures(four).issuers


BLOCKS = st.sampled_from(
    [TO_KEY, TO_PASSWORD, DATA, LITERAL, COMPRESSED, signature(), b"\xd2\xe0a\xe1bc\x00", b"\x99\0\1a"]
)


@given(st.one_of(st.binary(max_size=100), st.lists(st.one_of(BLOCKS, st.binary(max_size=8)), max_size=8).map(b"".join)))
def test_nothing_but_its_own_error_is_raised(data: bytes) -> None:
    """Whatever the octets are, armoured or not, they are read or refused."""
    wrapped = b"-----BEGIN PGP MESSAGE-----\n\n" + base64.b64encode(data) + b"\n-----END PGP MESSAGE-----\n"
    for candidate in (data, wrapped):
        for read in (lambda given: packets.encrypted(given, 3), packets.signatures):
            with suppress(PacketError):
                read(candidate)


@given(st.binary(min_size=1, max_size=2000))
def test_one_changed_octet_of_a_signature_does_no_harm(body: bytes) -> None:
    """Subpackets of any content are read or refused."""
    with suppress(PacketError):
        assert len(packets.signatures(packet(2, b"\x04" + body)).issuers) == 1
