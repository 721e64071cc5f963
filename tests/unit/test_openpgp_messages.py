"""Decrypting, checking, signing and encrypting with the real gpg, and what attackers send."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pgp import Forge, armored, fake, packet

from abuse_triage.model.openpgp import Failure, Signature
from abuse_triage.openpgp import messages
from abuse_triage.openpgp.gpg import Gpg, Limits, RunError
from abuse_triage.openpgp.messages import Decrypted, UnusableKeyError

REPORT = "Bom dia,\n\no servidor 203.0.113.7 está a enviar phishing.\n- Rita\n".encode()
LIMITS = Limits(output=1_000_000)


@pytest.fixture(scope="module")
def gpg(forge: Forge) -> Iterator[Gpg]:
    """Give gpg with the team's secret key only."""
    with forge.home(forge.team) as folder:
        yield Gpg(folder, LIMITS)


@pytest.fixture(scope="module")
def ring(forge: Forge) -> bytes:
    """Give the certificates of the team and of its partners."""
    return forge.public(forge.team, forge.partner, forge.with_signing_subkey, forge.expired)


def test_a_signed_report_is_opened(forge: Forge, gpg: Gpg, ring: bytes) -> None:
    """What a stock gpg signs and encrypts comes out whole, with its signer and the time of the signature."""
    opened = messages.decrypt(gpg, forge.encrypted(REPORT, forge.team, forge.partner, signer=forge.partner), ring)
    assert (REPORT, None) == (opened.plaintext, opened.failure)
    check = opened.check
    assert (Signature.GOOD, forge.partner, forge.partner) == (check.signature, check.signer, check.issuer)
    assert check.signed_at is not None
    assert abs(check.signed_at - datetime.now(UTC)) < timedelta(minutes=10)
    assert {forge.subkeys(key)[0][-16:] for key in (forge.team, forge.partner)} == set(opened.key_ids)
    assert re.fullmatch("[0-9a-f]{64}", opened.signature_id)
    assert check.signature_id == opened.signature_id != opened.ciphertext_id


def test_an_unsigned_report_is_opened(forge: Forge, gpg: Gpg, ring: bytes) -> None:
    """Without a signature the text is intact, and nobody's."""
    opened = messages.decrypt(gpg, forge.encrypted(REPORT, forge.team), ring)
    assert (REPORT, Signature.NONE, "") == (opened.plaintext, opened.check.signature, opened.check.signer)
    assert opened.ciphertext_id == opened.signature_id


def test_a_subkey_speaks_for_its_primary_key(forge: Forge, gpg: Gpg, ring: bytes) -> None:
    """The signer is the primary key, by which the operator knows people; the issuer is the subkey."""
    sara = forge.with_signing_subkey
    check = messages.decrypt(gpg, forge.encrypted(REPORT, forge.team, signer=sara), ring).check
    assert (Signature.GOOD, sara, forge.subkeys(sara)[1]) == (check.signature, check.signer, check.issuer)


def test_a_hidden_recipient_may_be_the_team(forge: Forge, gpg: Gpg, ring: bytes) -> None:
    """Key ids may be left out; that gpg then fails with other people's session keys is no complaint."""
    hidden = forge.encrypted(REPORT, forge.partner, forge.team, signer=forge.partner, options=("--throw-keyids",))
    opened = messages.decrypt(gpg, hidden, ring)
    assert (REPORT, Signature.GOOD) == (opened.plaintext, opened.check.signature)
    assert ("0" * 16,) * 2 == opened.key_ids


def test_the_unknown_signer_is_named(forge: Forge, gpg: Gpg, ring: bytes) -> None:
    """The text is intact, the signature is nobody's that we know; with its key a second run proves it."""
    ciphertext = forge.encrypted(REPORT, forge.team, signer=forge.stranger)
    first = messages.decrypt(gpg, ciphertext, ring)
    assert (REPORT, Signature.UNKNOWN_KEY) == (first.plaintext, first.check.signature)
    assert ("", forge.stranger, "") == (first.check.signer, first.check.issuer, first.check.signature_id)
    second = messages.decrypt(gpg, ciphertext, ring + forge.public(forge.stranger))
    assert (Signature.GOOD, forge.stranger) == (second.check.signature, second.check.signer)


def test_expired_and_revoked_keys_prove_nothing_now(forge: Forge, gpg: Gpg, ring: bytes) -> None:
    """Each has its own word, though gpg returns 0 and says VALIDSIG."""
    plain = ("--compress-algo", "none", "--sign", "--local-user")
    signed_then = forge.gpg(*plain, forge.expired, given=REPORT, at="20200601T000000")
    old = forge.encrypted_packets(signed_then, forge.team)
    gone = forge.encrypted(REPORT, forge.team, signer=forge.unrevoked)
    for expected, signer, ciphertext, keys in (
        (Signature.EXPIRED_KEY, forge.expired, old, ring),
        (Signature.REVOKED_KEY, forge.unrevoked, gone, ring + forge.revoked_certificate),
    ):
        opened = messages.decrypt(gpg, ciphertext, keys)
        assert (REPORT, expected, signer) == (opened.plaintext, opened.check.signature, opened.check.signer)


def test_signatures_expire(forge: Forge, gpg: Gpg) -> None:
    """A signature that its maker limited in time is told from others."""
    signer = forge.generate("Vera <vera@example.pt>", at="20200101T000000")
    made = forge.detached(REPORT, signer, "--default-sig-expire", "1d", at="20200601T000000")
    check = messages.verify_detached(gpg, REPORT, made, forge.public(signer))
    assert (Signature.EXPIRED_SIGNATURE, signer) == (check.signature, check.signer)
    assert datetime(2020, 6, 1, tzinfo=UTC) == check.signed_at


def test_two_signatures_are_mixed(forge: Forge, gpg: Gpg, ring: bytes) -> None:
    """More than one signature has no single signer, whatever each is worth: inside, detached and in clear."""
    both = ("--local-user", forge.with_signing_subkey)
    inside = messages.decrypt(gpg, forge.encrypted(REPORT, forge.team, signer=forge.partner, options=both), ring)
    assert REPORT == inside.plaintext
    detached = messages.verify_detached(gpg, REPORT, forge.detached(REPORT, forge.partner, *both), ring)
    clear = messages.verify_cleartext(gpg, forge.cleartext(REPORT, forge.partner, *both), ring)
    for check in (inside.check, detached, clear.check):
        assert (Signature.MIXED, "", "") == (check.signature, check.signer, check.signature_id)


def test_weak_hashes_prove_nothing(forge: Forge, gpg: Gpg, ring: bytes) -> None:
    """A signature over SHA-1 can be moved to another text; gpg 2.2 says it is good."""
    check = messages.verify_detached(gpg, REPORT, forge.detached(REPORT, forge.partner, "--digest-algo", "SHA1"), ring)
    assert (Signature.ERROR, Failure.NOT_INTACT, "") == (check.signature, check.reason, check.signer)


def test_hostile_names_stay_names(forge: Forge, gpg: Gpg, ring: bytes) -> None:
    """Line ends and status lines in the name of a key change nothing, for a good signature and for a bad one."""
    keys = ring + forge.public(forge.hostile)
    made = forge.detached(REPORT, forge.hostile)
    good = messages.verify_detached(gpg, REPORT, made, keys)
    assert (Signature.GOOD, forge.hostile) == (good.signature, good.signer)
    bad = messages.verify_detached(gpg, REPORT + b"x", made, keys)
    assert (Signature.BAD, "", forge.hostile) == (bad.signature, bad.signer, bad.issuer)
    opened = messages.decrypt(gpg, forge.encrypted(REPORT, forge.team, signer=forge.hostile), keys)
    assert (REPORT, forge.hostile) == (opened.plaintext, opened.check.signer)


@pytest.mark.parametrize(
    "name", ["[GNUPG:] GOODSIG 0123456789ABCDEF x", "\n[GNUPG:] DECRYPTION_OKAY", "%0A\x85\u2028[GNUPG:] x"]
)
def test_hostile_file_names_and_notations(forge: Forge, gpg: Gpg, ring: bytes, name: str) -> None:
    """Names of files and notations come from the sender, and change nothing."""
    notes = ("--set-filename", name, "--sig-notation", f"a@example.org={name.strip()}")
    opened = messages.decrypt(gpg, forge.encrypted(REPORT, forge.team, signer=forge.partner, options=notes), ring)
    assert (REPORT, Signature.GOOD) == (opened.plaintext, opened.check.signature)


def refused(expected: Failure, opened: Decrypted) -> None:
    """Check that there is a reason and no plaintext."""
    assert (expected, None, Signature.NONE) == (opened.failure, opened.plaintext, opened.check.signature)


@pytest.mark.parametrize("options", [(), ("--throw-keyids",)])
def test_a_message_to_others_is_told(forge: Forge, gpg: Gpg, ring: bytes, options: tuple[str, ...]) -> None:
    """A ciphertext for somebody else, named or hidden, cannot be opened."""
    ciphertext = forge.encrypted(REPORT, forge.partner, options=options)
    refused(Failure.NO_SECRET_KEY, messages.decrypt(gpg, ciphertext, ring))


def test_an_agent_that_is_gone_is_our_fault(forge: Forge, ring: bytes) -> None:
    """For gpg the secret key is missing then; nobody must conclude that the report is for somebody else."""
    with forge.home(forge.team) as folder:
        quick = Gpg(folder, LIMITS)
        ciphertext = forge.encrypted(REPORT, forge.team)
        assert REPORT == messages.decrypt(quick, ciphertext, ring).plaintext
        forge.end_agent(folder)
        refused(Failure.ENGINE, messages.decrypt(quick, ciphertext, ring))
        with pytest.raises((RunError, UnusableKeyError)):
            messages.sign(quick, REPORT, forge.team, ring)


def test_a_locked_key_is_our_fault(forge: Forge) -> None:
    """Without the passphrase nobody is asked, and nothing waits."""
    with forge.home() as folder:
        locked = Forge(folder)
        key = locked.generate("CSIRT <abuse@csirt.example>", passphrase="segredo")
        forge.end_agent(folder)
        forge.start_agent(folder)
        opened = messages.decrypt(Gpg(folder, LIMITS), locked.encrypted(REPORT, key), locked.public(key))
        refused(Failure.ENGINE, opened)
        with pytest.raises(RunError):
            messages.sign(Gpg(folder, LIMITS), REPORT, key, locked.public(key))


def test_no_integrity_no_text(forge: Forge, gpg: Gpg, ring: bytes) -> None:
    """What has no proof of integrity, in the old packet or altered in the new one, gives no octet of plaintext."""
    refused(
        Failure.NOT_INTACT, messages.decrypt(gpg, forge.encrypted(REPORT, forge.team, options=("--rfc2440",)), ring)
    )
    message = forge.encrypted(bytes(300_000), forge.team, armor=False, options=("--compress-algo", "none"))
    for position in (-1, -25, -150_000, -len(message) + 150):
        altered = bytearray(message)
        altered[position] ^= 1
        opened = messages.decrypt(gpg, bytes(altered), ring)
        assert opened.plaintext is None
        assert opened.failure in {Failure.NOT_INTACT, Failure.MALFORMED}


def test_a_broken_session_key_is_malformed(forge: Forge, gpg: Gpg, ring: bytes) -> None:
    """A session key that is ours by name and nonsense by content is the sender's fault."""
    altered = bytearray(forge.encrypted(REPORT, forge.team, armor=False))
    altered[60] ^= 1
    refused(Failure.MALFORMED, messages.decrypt(gpg, bytes(altered), ring))


def test_every_truncation_is_refused(forge: Forge, gpg: Gpg, ring: bytes) -> None:
    """A message cut anywhere gives nothing."""
    message = forge.encrypted(REPORT, forge.team, armor=False)
    for length in range(0, len(message), 7):
        refused(Failure.MALFORMED, messages.decrypt(gpg, message[:length], ring))


def test_concatenations_are_refused(forge: Forge, gpg: Gpg, ring: bytes) -> None:
    """Two messages are none: one after the other, or two texts inside one."""
    one, two = (forge.encrypted(text, forge.team, armor=False) for text in (b"um", b"dois"))
    refused(Failure.SEVERAL, messages.decrypt(gpg, one + two, ring))
    refused(Failure.SEVERAL, messages.decrypt(gpg, armored(one) + armored(two), ring))
    literal = packet(11, b"b\0\0\0\0\0um")
    inside = forge.encrypted_packets(literal + literal, forge.team)
    opened = messages.decrypt(gpg, inside, ring)
    assert opened.plaintext is None
    assert opened.failure in {Failure.SEVERAL, Failure.NOT_INTACT}


def test_text_beside_signed_text_inside_is_refused(forge: Forge, gpg: Gpg, ring: bytes) -> None:
    """A signature over a part of what is inside signs nothing."""
    signed = forge.gpg("--local-user", forge.partner, "--compress-algo", "none", "--sign", given=b"Bom dia")
    literal = packet(11, b"b\0\0\0\0\0Pague")
    for content in (literal + signed, signed + literal):
        opened = messages.decrypt(gpg, forge.encrypted_packets(content, forge.team), ring)
        assert (None, Signature.NONE) == (opened.plaintext, opened.check.signature)
        assert opened.failure is not None


def test_encryption_inside_encryption_is_refused(forge: Forge, gpg: Gpg, ring: bytes) -> None:
    """One encryption is opened, not two."""
    inner = forge.encrypted(REPORT, forge.team, armor=False)
    opened = messages.decrypt(gpg, forge.encrypted_packets(inner, forge.team), ring)
    assert opened.plaintext is None
    assert opened.failure in {Failure.SEVERAL, Failure.NOT_INTACT}


@pytest.mark.parametrize("algorithm", ["zlib", "bzip2"])
def test_bombs_end_at_the_limit(forge: Forge, gpg: Gpg, ring: bytes, algorithm: str) -> None:
    """A few hundred octets that become many are cut off; the limit itself is allowed."""
    options = ("--compress-algo", algorithm)
    bomb = forge.encrypted(bytes(50_000_000), forge.team, options=options)
    assert len(bomb) < 100_000
    refused(Failure.TOO_LARGE, messages.decrypt(gpg, bomb, ring))
    most = forge.encrypted(bytes(LIMITS.output), forge.team, options=options)
    assert bytes(LIMITS.output) == messages.decrypt(gpg, most, ring).plaintext
    beyond = forge.encrypted(bytes(LIMITS.output + 1), forge.team, options=options)
    refused(Failure.TOO_LARGE, messages.decrypt(gpg, beyond, ring))


def test_deep_compression_ends(forge: Forge, gpg: Gpg, ring: bytes) -> None:
    """Packets within packets within packets end in a reason."""
    content = packet(11, b"b\0\0\0\0\0um")
    for _ in range(100):
        content = packet(8, b"\0" + content)
    opened = messages.decrypt(gpg, forge.encrypted_packets(content, forge.team), ring)
    assert opened.plaintext is None
    assert opened.failure is not None


def test_floods_never_reach_gpg(forge: Forge, tmp_path: Path) -> None:
    """Session keys by the thousand, passwords and messages without encryption are refused by the scan alone."""
    nobody = Gpg(tmp_path, LIMITS, program="/nowhere")
    data = packet(18, b"\x01" + bytes(60))
    hidden = packet(1, b"\x03" + bytes(8) + b"\x12" + bytes(40))
    refused(Failure.TOO_MANY_KEYS, messages.decrypt(nobody, armored(hidden * 5000 + data), b""))
    refused(Failure.TOO_MANY_KEYS, messages.decrypt(nobody, hidden * 4 + data, b"", most_recipients=3))
    refused(Failure.ENGINE, messages.decrypt(nobody, hidden * 3 + data, b"", most_recipients=3))
    refused(Failure.PASSWORD, messages.decrypt(nobody, packet(3, b"\x04\x09\x03\x08" + bytes(9)) * 50 + data, b""))
    signed = forge.gpg("--local-user", forge.partner, "--sign", given=REPORT)
    refused(Failure.NOT_ENCRYPTED, messages.decrypt(nobody, signed, b""))


def test_as_many_hidden_recipients_as_allowed_end_in_time(gpg: Gpg, ring: bytes) -> None:
    """32 session keys that could be for the team, and are not, cost little."""
    point = b"\x01\x07\x40" + b"\x09" + bytes(31)
    hidden = packet(1, b"\x03" + bytes(8) + b"\x12" + point + b"\x30" + bytes(48))
    opened = messages.decrypt(gpg, hidden * 32 + packet(18, b"\x01" + bytes(60)), ring)
    assert opened.plaintext is None
    assert opened.failure in {Failure.MALFORMED, Failure.NO_SECRET_KEY}


def test_a_detached_signature_is_over_exact_octets(forge: Forge, gpg: Gpg, ring: bytes) -> None:
    """Armoured or binary it is good for these octets; one more or one changed and it is bad."""
    for armor in (True, False):
        made = forge.detached(REPORT, forge.partner, armor=armor)
        good = messages.verify_detached(gpg, REPORT, made, ring)
        assert (Signature.GOOD, forge.partner, None) == (good.signature, good.signer, good.reason)
        for altered in (REPORT + b"\n", REPORT.replace(b"203", b"204"), b""):
            bad = messages.verify_detached(gpg, altered, made, ring)
            assert (Signature.BAD, "", None) == (bad.signature, bad.signer, bad.signed_at)
    assert (forge.partner,) == messages.issuers(made)


def test_what_is_no_signature_is_an_error(forge: Forge, gpg: Gpg, ring: bytes) -> None:
    """Garbage, a message instead of a signature, a signature of a key: none can be good."""
    certificate = forge.public(forge.partner)
    on_a_name = certificate[certificate.index(forge.partner.encode()[:0] + b"\x88") :]
    for wrong in (
        b"",
        b"x",
        forge.encrypted(REPORT, forge.team),
        certificate,
        forge.detached(REPORT, forge.partner)[:100],
    ):
        check = messages.verify_detached(gpg, REPORT, wrong, ring)
        assert (Signature.ERROR, "") == (check.signature, check.signer)
        assert check.reason is Failure.MALFORMED
        assert () == messages.issuers(wrong)
    later = packet(2, b"\x06" + bytes(100))
    for wrong in (on_a_name, later):
        assert Signature.GOOD is not messages.verify_detached(gpg, REPORT, wrong, ring).signature


def test_errors_of_the_engine_are_errors_of_the_check(forge: Forge, ring: bytes, tmp_path: Path) -> None:
    """A gpg that does not work leaves a signature unchecked, and its issuer named."""
    nobody = Gpg(tmp_path, LIMITS, program="/nowhere")
    made = messages.verify_detached(nobody, REPORT, forge.detached(REPORT, forge.partner), ring)
    clear = messages.verify_cleartext(nobody, forge.cleartext(REPORT, forge.partner), ring)
    for check in (made, clear.check):
        assert (Signature.ERROR, Failure.ENGINE, forge.partner) == (check.signature, check.reason, check.issuer)


def test_the_signed_text_is_what_gpg_says(forge: Forge, gpg: Gpg, ring: bytes) -> None:
    """A cleartext-signed block gives its text without escaped dashes, with any line ends."""
    block = forge.cleartext(REPORT, forge.partner)
    for sent in (block, block.replace(b"\n", b"\r\n"), b"\n" + block + b"\n\n"):
        signed = messages.verify_cleartext(gpg, sent, ring)
        assert (Signature.GOOD, forge.partner) == (signed.check.signature, signed.check.signer)
        assert REPORT == signed.text.replace(b"\r\n", b"\n")
    assert (forge.partner,) == messages.issuers(block)
    assert (forge.partner,) == messages.issuers(forge.detached(REPORT, forge.partner))


def test_an_altered_text_is_bad(forge: Forge, gpg: Gpg, ring: bytes) -> None:
    """A changed word is a bad signature."""
    block = forge.cleartext(REPORT, forge.partner).replace(b"203.0.113.7", b"203.0.113.8")
    signed = messages.verify_cleartext(gpg, block, ring)
    assert (Signature.BAD, "") == (signed.check.signature, signed.check.signer)


def test_an_unknown_signer_of_a_text_is_named(forge: Forge, gpg: Gpg, ring: bytes) -> None:
    """The text is given, and who claims to have signed it."""
    signed = messages.verify_cleartext(gpg, forge.cleartext(REPORT, forge.stranger), ring)
    assert (Signature.UNKNOWN_KEY, forge.stranger) == (signed.check.signature, signed.check.issuer)


def test_only_one_whole_block_is_believed(forge: Forge, gpg: Gpg, ring: bytes) -> None:
    """Text around the block, several blocks, strange header lines, form feeds and cut blocks are errors."""
    block = forge.cleartext(REPORT, forge.partner)
    head, _, rest = block.partition(b"\n\n")
    body, _, signature = rest.partition(b"-----BEGIN PGP SIGNATURE")
    for sent in (
        b"Antes\n" + block,
        block + b"Depois\n",
        block + block,
        head + b"\nComment: Pague\n\n" + rest,
        head + b"\n" + b"Hash: SHA512\n" * 9 + b"\n" + rest,
        head + b"\nPague\n\n" + rest,
        head + b"\n\n" + body.replace(b"phishing", b"phishing\x0c") + b"-----BEGIN PGP SIGNATURE" + signature,
        head + b"\n\n" + body + b"\0\n-----BEGIN PGP SIGNATURE" + signature,
        head + b"\n\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n" + rest,
        block[: len(block) // 2],
        block[:-30],
        head + b"\n\n" + body,
        b"",
        b"Bom dia",
    ):
        signed = messages.verify_cleartext(gpg, sent, ring)
        assert (Signature.ERROR, "", b"") == (signed.check.signature, signed.check.signer, signed.text), sent
        assert signed.check.reason in {Failure.MALFORMED, Failure.SEVERAL}


def test_a_replay_has_the_same_id(forge: Forge, gpg: Gpg, ring: bytes) -> None:
    """The same signature is known again, encrypted anew or with other line ends; another text or time is another."""
    made = forge.detached(REPORT, forge.partner)
    ids = {messages.verify_detached(gpg, REPORT, made, ring).signature_id for _ in range(2)}
    assert len(ids) == 1
    text = forge.gpg("--local-user", forge.partner, "--compress-algo", "none", "--sign", given=REPORT)
    opened = [messages.decrypt(gpg, forge.encrypted_packets(text, forge.team), ring) for _ in range(2)]
    assert 1 == len({message.signature_id for message in opened})
    assert 2 == len({message.ciphertext_id for message in opened})
    other = forge.detached(REPORT + b"!", forge.partner)
    assert messages.verify_detached(gpg, REPORT + b"!", other, ring).signature_id not in ids
    again = forge.encrypted(REPORT, forge.team, armor=False)
    first, second = (messages.decrypt(gpg, form, ring) for form in (again, armored(again)))
    assert first.signature_id == second.signature_id != ""


def test_what_we_sign_a_stock_gpg_verifies(forge: Forge, gpg: Gpg, ring: bytes, tmp_path: Path) -> None:
    """The signature is detached and armoured, its hash is what micalg says, and its maker is the team."""
    made = messages.sign(gpg, REPORT, forge.team, ring)
    assert "pgp-sha512" == made.micalg
    assert made.armored.startswith(b"-----BEGIN PGP SIGNATURE-----\n")
    signature = tmp_path / "signature"
    signature.write_bytes(made.armored)
    out = forge.gpg("--status-fd", "1", "--verify", str(signature), "-", given=REPORT).decode()
    assert f"VALIDSIG {forge.team}" in out
    assert Signature.GOOD is messages.verify_detached(gpg, REPORT, made.armored, ring).signature


def test_what_we_encrypt_a_stock_gpg_opens(forge: Forge, gpg: Gpg, ring: bytes) -> None:
    """Every recipient reads it; nothing is compressed, and nobody else is added."""
    made = messages.encrypt(gpg, REPORT * 100, (forge.partner, forge.with_signing_subkey), ring)
    assert REPORT * 100 == forge.opened(made)
    assert len(REPORT * 100) < len(made)
    assert Failure.NO_SECRET_KEY is messages.decrypt(gpg, made, ring).failure
    assert made.startswith(b"-----BEGIN PGP MESSAGE-----\n")


def test_unusable_keys_are_told(forge: Forge, gpg: Gpg, ring: bytes) -> None:
    """Nothing is encrypted to expired, revoked or missing keys, nor signed without the secret key."""
    for key, keys in (
        (forge.expired, ring),
        (forge.unrevoked, forge.revoked_certificate),
        (forge.stranger, ring),
    ):
        with pytest.raises(UnusableKeyError):
            messages.encrypt(gpg, REPORT, (forge.partner, key), ring + keys)
    for key in (forge.partner, forge.stranger):
        with pytest.raises(UnusableKeyError):
            messages.sign(gpg, REPORT, key, ring)


def test_only_fingerprints_are_taken(gpg: Gpg, ring: bytes) -> None:
    """Names and options are no recipients and no signers, and somebody must be."""
    for key in ("rita@example.pt", "--output=/tmp/x", "0123456789ABCDEF"):
        with pytest.raises(ValueError, match="fingerprint"):
            messages.encrypt(gpg, REPORT, (key,), ring)
        with pytest.raises(ValueError, match="fingerprint"):
            messages.sign(gpg, REPORT, key, ring)
    with pytest.raises(ValueError, match="somebody"):
        messages.encrypt(gpg, REPORT, (), ring)


def test_rsa_works_alike(forge: Forge) -> None:
    """RSA keys decrypt, are encrypted to, sign and are checked."""
    with forge.home(forge.team_rsa) as folder:
        gpg, ring = Gpg(folder, LIMITS), forge.public(forge.team_rsa, forge.partner_rsa)
        opened = messages.decrypt(gpg, forge.encrypted(REPORT, forge.team_rsa, signer=forge.partner_rsa), ring)
        assert (REPORT, forge.partner_rsa) == (opened.plaintext, opened.check.signer)
        assert "pgp-sha512" == messages.sign(gpg, REPORT, forge.team_rsa, ring).micalg
        assert REPORT == forge.opened(messages.encrypt(gpg, REPORT, (forge.partner_rsa,), ring))


def test_a_text_that_gpg_reads_otherwise_is_not_believed(forge: Forge, tmp_path: Path) -> None:
    """What gpg says was signed must be what stands there; a gpg that saw no text or no signature proves nothing."""
    block = forge.cleartext(b"Bom dia\n", forge.partner)
    good = f"NEWSIG\n[GNUPG:] GOODSIG {forge.partner[-16:]} Rita"
    for said, output in (
        (f"PLAINTEXT 74 0 \n[GNUPG:] {good}", "Pague"),
        (good, "Bom dia"),
        ("PLAINTEXT 74 0 ", "Bom dia"),
        (f"PLAINTEXT 74 0 \n[GNUPG:] BEGIN_DECRYPTION\n[GNUPG:] {good}", "Bom dia"),
    ):
        gpg = Gpg(tmp_path, LIMITS, program=fake(tmp_path, f"printf '[GNUPG:] {said}\\n' >&$S; echo '{output}'"))
        check = messages.verify_cleartext(gpg, block, b"").check
        assert (Signature.ERROR, Failure.UNTRUSTED_OUTPUT, "") == (check.signature, check.reason, check.signer)


@pytest.mark.parametrize("script", ["exit 2", "echo data", "echo '[GNUPG:] FAILURE sign 1' >&$S; exit 2"])
def test_without_a_confirmation_nothing_was_made(tmp_path: Path, script: str) -> None:
    """Output alone is neither a signature nor a ciphertext: gpg must say so."""
    gpg, key = Gpg(tmp_path, LIMITS, program=fake(tmp_path, script)), "0" * 40
    with pytest.raises(RunError):
        messages.sign(gpg, REPORT, key, b"")
    with pytest.raises(RunError):
        messages.encrypt(gpg, REPORT, (key,), b"")
