"""Certificates of others: what is accepted, what is said of the rest, and what an attacker can put into them."""

import base64
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pgp import Forge, armored, packet

from abuse_triage.errors import InputError
from abuse_triage.model.openpgp import Certificate, Failure
from abuse_triage.openpgp import certificates, listing, packets
from abuse_triage.openpgp.certificates import dearmored, inspect
from abuse_triage.openpgp.gpg import RunError

NOW = datetime.now(UTC)
LIMIT = 64_000


@pytest.fixture(scope="module")
def forge() -> Iterator[Forge]:
    """Everybody's keys."""
    with Forge.open() as forge:
        yield forge


def inspected(data: bytes, limit: int = LIMIT) -> Certificate:
    """Inspect a key now."""
    return inspect(data, limit=limit, now=NOW)


@pytest.mark.parametrize("armor", [True, False])
def test_a_good_key_is_described(forge: Forge, armor: bool) -> None:
    """Names, addresses, ids of all parts, and what it is good for, from both forms."""
    data = forge.public(forge.partner, armor=armor)

    found = inspected(b"Here is my key:\r\n\r\n" + data.replace(b"\n", b"\r\n") if armor else data)

    assert forge.partner == found.fingerprint
    assert (forge.partner[-16:], *(part[-16:] for part in forge.subkeys(forge.partner))) == found.key_ids
    assert (("Rita Sousa <rita@example.pt>",), ("rita@example.pt",)) == (found.names, found.emails)
    assert (None, False, True) == (found.expires, found.revoked, found.can_encrypt)
    assert forge.public(forge.partner) == found.blob
    assert abs((NOW - found.created).total_seconds()) < 3600


def test_what_others_signed_is_left_out(forge: Forge) -> None:
    """Third-party signatures, by which keys are flooded, are not kept."""
    plain = inspected(forge.public(forge.stranger))
    forge.gpg("--yes", "--local-user", forge.partner, "--quick-sign-key", forge.stranger)
    signed = forge.public(forge.stranger)

    assert len(signed) > len(plain.blob)
    assert plain == inspected(signed)


def test_a_hostile_name_is_made_harmless(forge: Forge) -> None:
    """Line ends and format characters are gone, and an address in the middle of a name is none of the key's."""
    found = inspected(forge.public(forge.hostile, armor=True))

    (name,) = found.names
    assert name.isprintable()
    assert name.startswith("Eve [GNUPG:] GOODSIG")
    assert () == found.emails


def test_an_expired_key_is_described(forge: Forge) -> None:
    """Its end is in the past, and nothing can be encrypted to it."""
    found = inspected(forge.public(forge.expired))

    assert datetime(2020, 12, 31, tzinfo=UTC) == found.expires
    assert not found.can_encrypt


def test_a_revoked_key_is_described(forge: Forge) -> None:
    """It is revoked, cannot be used, and still says whose it was."""
    found = inspected(forge.revoked_certificate)

    assert (True, False, ("gone@example.pt",)) == (found.revoked, found.can_encrypt, found.emails)


@pytest.mark.parametrize("whose", ["nobody", "another"])
def test_a_revocation_that_the_key_has_not_signed_is_none(forge: Forge, whose: str) -> None:
    """Whoever writes a revocation into the certificate of somebody else changes nothing."""
    parts = list(packets.walk(forge.revoked_certificate))
    revocation = next(body for tag, body in parts if tag == 2 and body[1] == 0x20)
    if whose == "nobody":
        owner = list(packets.walk(forge.public(forge.unrevoked)))
        revocation = revocation[:-1] + bytes([revocation[-1] ^ 1])
    else:
        owner = list(packets.walk(forge.public(forge.partner)))
    forged = [owner[0], (2, revocation), *owner[1:]]

    found = inspected(b"".join(packet(tag, body) for tag, body in forged))

    assert (False, True) == (found.revoked, found.can_encrypt)


def test_a_key_that_only_signs_is_described(forge: Forge) -> None:
    """Without an encryption key nothing can be encrypted to it."""
    forge.gpg("--quick-gen-key", "Signs only <signs@example.pt>", "ed25519", "sign", "never")
    found = inspected(forge.public("signs@example.pt"))

    assert not found.can_encrypt


def test_the_end_of_the_last_encryption_key_counts(forge: Forge) -> None:
    """A key without end whose encryption key ends has that as its end."""
    forge.gpg("--quick-gen-key", "Ends <ends@example.pt>", "ed25519", "sign,cert", "never")
    listed = forge.gpg("--with-colons", "--list-keys", "ends@example.pt").decode()
    fingerprint = listed.split("\nfpr:")[1].split(":")[8]
    forge.gpg("--quick-add-key", fingerprint, "cv25519", "encr", "30d")
    found = inspected(forge.public(fingerprint))

    assert found.can_encrypt
    assert found.expires is not None
    assert 29 <= (found.expires - NOW).days <= 30


def test_a_secret_key_is_refused_loudly(forge: Forge) -> None:
    """Whoever gives a secret key by mistake is told, in both forms, and nothing of it is kept."""
    secret = forge.secret(forge.partner)
    for data in (
        secret,
        forge.gpg("--armor", "--export-secret-keys", forge.partner),
        armored(secret, "PUBLIC KEY BLOCK"),
    ):
        with pytest.raises(InputError, match="SECRET key"):
            inspected(data)


def test_two_keys_are_one_too_many(forge: Forge) -> None:
    """A file with several keys is taken apart by whoever gave it, also where each has its own armour."""
    for armor in (False, True):
        with pytest.raises(InputError, match="there are 2 keys"):
            inspected(forge.public(forge.partner, forge.stranger, armor=armor))


def user_ids(forge: Forge, count: int) -> bytes:
    """Give the partner's key many names that nobody has signed."""
    return forge.public(forge.partner) + b"".join(
        packet(13, b"name %d <n%d@example.org>" % (n, n)) for n in range(count)
    )


@pytest.mark.parametrize(("count", "words"), [(2000, "more than 1000 parts"), (500, "more than 50 names")])
def test_two_thousand_names_cost_nothing(forge: Forge, count: int, words: str) -> None:
    """Gpg is not even asked: a second of CPU for each such mail would stop us."""
    data = user_ids(forge, count)
    before = time.process_time()
    with pytest.raises(InputError, match=words):
        inspected(data, limit=10 * LIMIT)
    assert time.process_time() - before < 0.1


def test_names_that_the_owner_has_not_signed_are_dropped(forge: Forge) -> None:
    """Somebody else's additions do not show, and do not get an address."""
    assert ("rita@example.pt",) == inspected(user_ids(forge, 10)).emails


def test_a_key_without_a_signed_name_is_refused() -> None:
    """A key that nobody has signed is nobody's."""
    body = b"\x04" + bytes(4) + b"\x16" + bytes([9]) + bytes.fromhex("2b06010401da470f01") + b"\x01\x07\x40" + bytes(32)
    with pytest.raises(InputError):
        inspected(packet(6, body) + packet(13, b"Nobody <nobody@example.org>"))


@pytest.mark.parametrize("factor", [1, 3])
def test_a_huge_key_is_refused(forge: Forge, factor: int) -> None:
    """More than the limit is not even decoded; the message says how to make a small one."""
    data = forge.public(forge.partner) + packet(17, bytes(factor * LIMIT))
    with pytest.raises(InputError, match="64000 bytes") as caught:
        inspected(data)
    assert "export-minimal" in caught.value.advice


def test_other_armours_are_named(forge: Forge) -> None:
    """A message in place of a key is called one."""
    with pytest.raises(InputError, match="is an OpenPGP message, not a key"):
        inspected(forge.encrypted(b"x", forge.partner))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\x99",
        b"\x9b\x00",
        packet(6, b"")[:-1],
        b"\xc6\xe0",
        packet(2, b"x"),
        packet(60, b"x"),
        packet(6, b"x"),
        b"\xc6\xc0",
        b"\xff" * 100,
    ],
)
def test_what_is_no_key_is_refused(data: bytes) -> None:
    """Cut, empty, of other packets, in pieces: theirs to mend, with a word on how."""
    with pytest.raises(InputError) as caught:
        inspected(data)
    assert caught.value.advice


def test_a_damaged_armour_is_refused(forge: Forge) -> None:
    """Lines that are no base64, and an end that is missing, are said to be so."""
    data = forge.public(forge.partner, armor=True)
    with pytest.raises(InputError, match="no base64"):
        dearmored(data.replace(b"\nm", b"\n\xa0", 1))
    with pytest.raises(InputError, match="cut off"):
        dearmored(data[:-40])
    assert forge.public(forge.partner) == dearmored(data.replace(b"-----\n\n", b"-----\nComment: a: b\n\n", 1))


@settings(max_examples=25, deadline=None)
@given(position=st.integers(0, 400), value=st.integers(0, 255))
def test_a_damaged_key_is_refused_or_still_its_owner_s(forge: Forge, position: int, value: int) -> None:
    """One changed octet never gives the key another name or address."""
    data = bytearray(forge.public(forge.partner))
    data[position % len(data)] = value
    try:
        found = inspected(bytes(data))
    except InputError:
        return
    assert ("Rita Sousa <rita@example.pt>",) == found.names


def test_a_gpg_that_does_not_work_is_ours(forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing gpg is no fault of the key; one that gives up is said to be the key's."""
    data = forge.public(forge.partner)
    for failure, error in ((Failure.ENGINE, RunError), (Failure.TOO_LONG, InputError)):

        def fail(*_arguments: object, failure: Failure = failure, **_given: object) -> None:
            raise RunError(failure)

        monkeypatch.setattr(certificates.Gpg, "run", fail)
        with pytest.raises(error):
            inspected(data)


LINES = b"""\
tru::1:1
pub:-:255:22:0123456789ABCDEF:1600000000:1700000000::-:::sc:::::ed25519:::0:
fpr:::::::::0123456789ABCDEF0123456789ABCDEF01234567:
grp:::::::::FEDCBA9876543210FEDCBA9876543210FEDCBA98:
uid:r::::1600000000::X::Revoked <old@example.pt>::::::::::0:
uid:-::::1600000000::X::A\\x3ab\\n\\xe2\\x80\\xae <a@example.pt>::::::::::0:
"""


def test_a_listing_is_unescaped_and_cleaned() -> None:
    """Gpg's escapes are undone, and what steers a terminal is left out; revoked names are not shown."""
    (key,) = listing.parse(LINES)

    assert ("A:b <a@example.pt>",) == key.names
    assert ("sc", False, datetime.fromtimestamp(1700000000, UTC)) == (
        key.primary.uses,
        key.primary.secret,
        key.primary.expires,
    )
    assert [] == listing.parse(b"")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b":1600000000:17", b":x:17"),
        (b"0123456789ABCDEF01234567:", b"short:"),
        (b"grp", b"gap"),
        (b"::::ed25519:::0:", b""),
        (b":sc:", b":\xff:"),
        (b":1600000000:1700000000", b":99999999999999999999:"),
    ],
)
def test_a_listing_that_is_not_understood_is_worthless(old: bytes, new: bytes) -> None:
    """No line is guessed at."""
    lines = LINES.replace(old, new).replace(b"pub:", b"sec:") if b"ed25519" in old else LINES.replace(old, new)
    with pytest.raises(listing.ListingError):
        listing.parse(lines)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("Rita <Rita@Example.PT>", "rita@example.pt"),
        ("rita@example.pt", "rita@example.pt"),
        ("<a@example.pt> Rita <b@example.pt>", "b@example.pt"),
        ("Rita <a@example.pt> and more", ""),
        ("Rita", ""),
        ("Rita <a b@example.pt>", ""),
        ("", ""),
    ],
)
def test_the_address_of_a_name_is_at_its_end(name: str, address: str) -> None:
    """Only what stands in angle brackets at the end, or alone, is an address."""
    assert address == listing.address_in(name)


def test_a_key_of_another_version_is_refused(forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    """A listing that is not understood is no key."""
    data = forge.public(forge.partner)
    monkeypatch.setattr(listing, "OPTIONS", ("--with-colons",))
    with pytest.raises(InputError, match="not known here"):
        inspected(data)


def test_base64_of_an_armour_is_strict() -> None:
    """Characters outside of the alphabet are not skipped."""
    good = base64.b64encode(b"\xc6\x01x")
    assert b"\xc6\x01x" == dearmored(b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n" + good + b"\n=abcd\n-----END PGP")


def numbers(*sizes: int) -> bytes:
    """Return odd numbers of so many bits each, as keys hold them (RFC 9580 section 3.2)."""
    return b"".join(size.to_bytes(2, "big") + ((1 << size) - 1).to_bytes((size + 7) // 8, "big") for size in sizes)


SLOW = "of a kind that is not known here"


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize(
    ("expected", "head", "sizes"),
    [
        ("no name in this key", b"\x04\x60\0\0\0\x01", (16_384, 64)),
        (SLOW, b"\x04\x60\0\0\0\x01", (16_392, 17)),
        (SLOW, b"\x04\x60\0\0\0\x01", (4096, 65)),
        (SLOW, b"\x04\x60\0\0\0\x03", (16_384, 16_384)),
        ("no name in this key", b"\x04\x60\0\0\0\x11", (4096, 512, 4096, 4096)),
        (SLOW, b"\x04\x60\0\0\0\x11", (4096, 4096)),
        (SLOW, b"\x04\x60\0\0\0\x11", (16_384, 256)),
        (SLOW, b"\x03\x60\0\0\0\x01", (2048, 17)),
        (SLOW, b"\x06\x60\0\0\0\x1b", ()),
    ],
)
def test_numbers_that_make_signatures_slow_are_refused(
    forge: Forge, beside: bool, expected: str, head: bytes, sizes: tuple[int, ...]
) -> None:
    """A key of 25 kB can cost minutes otherwise, and anybody may attach one; its subkeys are looked at as well."""
    body = head + numbers(*sizes)
    data = forge.public(forge.stranger) + packet(14, body) if beside else packet(6, body) + packet(13, b"Eve")
    if beside and expected != SLOW:
        assert forge.stranger == inspected(data).fingerprint
        return
    with pytest.raises(InputError, match=expected):
        inspected(data)


def test_a_key_that_ends_in_its_header_is_refused() -> None:
    """There is nothing to look at."""
    with pytest.raises(InputError, match="not known here"):
        inspected(packet(6, b"\x04"))
