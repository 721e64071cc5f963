"""What statuses prove: each word of the vocabulary, and everything that is almost a proof."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.model.openpgp import Failure, Signature
from abuse_triage.openpgp import status, verdict

PRIMARY = "A" * 40
SUBKEY = "B" * 24 + "0123456789ABCDEF"
KEY = "0123456789ABCDEF"
NEW = "NEWSIG"
GOOD = f"GOODSIG {KEY} Rita"
VALID = f"VALIDSIG {SUBKEY} 2026-11-22 1795312425 0 4 0 22 10 00 {PRIMARY}"
UNKNOWN = f"ERRSIG {KEY} 22 10 00 1795312425 9 {SUBKEY}"
OPENED = (
    "BEGIN_DECRYPTION",
    "DECRYPTION_INFO 2 9 0",
    "PLAINTEXT 62 0 ",
    "DECRYPTION_OKAY",
    "GOODMDC",
    "END_DECRYPTION",
)
THEN = datetime.fromtimestamp(1795312425, UTC)


def statuses(*lines: str) -> status.Statuses:
    """Read status lines."""
    return status.read("".join(f"[GNUPG:] {line}\n" for line in lines).encode())


def signature(*lines: str, code: int = 0) -> verdict.Check:
    """Judge the signatures in status lines."""
    return verdict.signature(statuses(*lines), code)


def test_a_good_signature() -> None:
    """One GOODSIG with one VALIDSIG of the same key: the primary key is the signer."""
    expected = verdict.Check(signature=Signature.GOOD, signer=PRIMARY, issuer=SUBKEY, signed_at=THEN)
    assert expected == signature(NEW, GOOD, VALID)


@pytest.mark.parametrize(
    ("expected", "keyword", "code"),
    [
        (Signature.EXPIRED_SIGNATURE, "EXPSIG", 1),
        (Signature.EXPIRED_SIGNATURE, "EXPSIG", 0),
        (Signature.EXPIRED_KEY, "EXPKEYSIG", 0),
        (Signature.REVOKED_KEY, "REVKEYSIG", 0),
    ],
)
def test_right_mathematics_are_not_enough(expected: Signature, keyword: str, code: int) -> None:
    """Whatever comes with VALIDSIG has a signer, and only GOODSIG is good."""
    check = signature(NEW, f"{keyword} {KEY} Rita", VALID, code=code)
    assert (expected, PRIMARY) == (check.signature, check.signer)


def test_no_signature() -> None:
    """Where none is mentioned there is none; where gpg complains besides, that is an error."""
    assert verdict.UNSIGNED == signature(*OPENED)
    assert verdict.failed(Failure.MALFORMED) == signature("NODATA 4", code=2)


def test_bad_and_unknown() -> None:
    """Neither has a signer; both name whom they claim to be by."""
    assert verdict.Check(signature=Signature.BAD, issuer=KEY) == signature(NEW, f"BADSIG {KEY} Rita", code=1)
    unknown = verdict.Check(signature=Signature.UNKNOWN_KEY, issuer=SUBKEY, signed_at=THEN)
    assert unknown == signature(NEW, UNKNOWN, f"NO_PUBKEY {KEY}", code=2)
    without = f"ERRSIG {KEY} 22 10 00 1795312425 9"
    for line in (without, f"{without} -"):
        assert KEY == signature(NEW, line, code=2).issuer
    assert verdict.failed(Failure.MALFORMED, SUBKEY) == signature(NEW, UNKNOWN.replace(" 9 ", " 4 "), code=2)


@pytest.mark.parametrize(
    "lines",
    [
        (NEW, GOOD, VALID, NEW, GOOD, VALID),
        (NEW, GOOD, VALID, NEW),
        (NEW, GOOD, VALID, GOOD),
        (NEW, GOOD, VALID, f"BADSIG {KEY} Rita"),
        (NEW, UNKNOWN, NEW, GOOD, VALID),
    ],
)
def test_several_are_mixed(lines: tuple[str, ...]) -> None:
    """More than one of anything has no single signer."""
    for code in (0, 1, 2):
        assert verdict.Check(signature=Signature.MIXED) == signature(*lines, code=code)


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ((NEW,), 0),
        ((NEW, GOOD), 0),
        ((NEW, VALID), 0),
        ((VALID,), 0),
        ((GOOD, VALID), 0),
        ((NEW, GOOD, VALID, VALID), 0),
        ((NEW, GOOD, VALID), 1),
        ((NEW, GOOD, VALID), 2),
        ((NEW, GOOD, VALID), 3),
        ((NEW, f"GOODSIG {'F' * 16} Eve", VALID), 0),
        ((NEW, GOOD, VALID.replace(" 00 ", " 10 ")), 0),
        ((NEW, GOOD, VALID.replace(" 00 ", " 13 ")), 0),
        ((NEW, GOOD, VALID, "BADARMOR"), 0),
        ((NEW, GOOD, VALID, "NODATA 4"), 0),
        ((NEW, GOOD, VALID, "UNEXPECTED 0"), 0),
        ((NEW, GOOD, VALID, "ERROR proc_pkt.plaintext 89_BAD_DATA"), 0),
        ((NEW, GOOD, VALID, "ERROR proc_pkt.plaintext 89_BAD_DATA"), 2),
        ((NEW, f"BADSIG {KEY} Rita"), 0),
        ((NEW, f"BADSIG {KEY} Rita", VALID), 1),
        ((NEW, UNKNOWN), 0),
        ((NEW, UNKNOWN, VALID), 2),
    ],
)
def test_what_does_not_fit_together_is_an_error(lines: tuple[str, ...], code: int) -> None:
    """Half a proof, a proof of another key, complaints and return codes that nothing explains."""
    assert verdict.failed(Failure.UNTRUSTED_OUTPUT) == signature(*lines, code=code)


@pytest.mark.parametrize("hashing", [1, 2, 3])
def test_broken_hashes(hashing: int) -> None:
    """MD5, SHA-1 and RIPEMD-160 prove nothing."""
    check = signature(NEW, GOOD, VALID.replace(" 22 10 ", f" 22 {hashing} "))
    assert verdict.failed(Failure.NOT_INTACT, SUBKEY) == check


def test_a_proven_decryption() -> None:
    """Every line is there once; the code is 0, or 2 where a signer is unknown, or others are hidden."""
    assert verdict.decryption(statuses(*OPENED), 0) is None
    assert verdict.decryption(statuses(*OPENED, NEW, UNKNOWN), 2) is None
    assert verdict.decryption(statuses(*OPENED, NEW, f"BADSIG {KEY} Rita"), 1) is None
    assert verdict.decryption(statuses(f"NO_SECKEY {'0' * 16}", *OPENED), 2) is None
    assert verdict.decryption(statuses("ERROR pkdecrypt_failed 16777226", *OPENED), 2) is None


@pytest.mark.parametrize("code", [1, 2, 3, -1])
def test_codes_must_be_explained(code: int) -> None:
    """A return code for which there is no reason spoils a proof."""
    assert verdict.decryption(statuses(*OPENED), code) is Failure.UNTRUSTED_OUTPUT
    assert verdict.decryption(statuses(f"NO_SECKEY {KEY}", *OPENED), code) is Failure.UNTRUSTED_OUTPUT


@pytest.mark.parametrize(
    ("expected", "lines"),
    [
        (Failure.ENGINE, ()),
        (Failure.ENGINE, ("ERROR pkdecrypt_failed 67108949", "BEGIN_DECRYPTION", "DECRYPTION_FAILED")),
        (Failure.ENGINE, ("ERROR pkdecrypt_failed 11_Bad", "BEGIN_DECRYPTION", "DECRYPTION_FAILED")),
        (Failure.MALFORMED, ("ERROR pkdecrypt_failed 16777226", "BEGIN_DECRYPTION", "DECRYPTION_FAILED")),
        (Failure.MALFORMED, ("ERROR pkdecrypt_failed odd", "BEGIN_DECRYPTION", "DECRYPTION_FAILED")),
        (Failure.MALFORMED, ("NODATA 3",)),
        (Failure.NO_SECRET_KEY, (f"NO_SECKEY {KEY}", "BEGIN_DECRYPTION", "DECRYPTION_FAILED")),
        (Failure.NOT_INTACT, ("BEGIN_DECRYPTION", "DECRYPTION_INFO 0 9 0", "PLAINTEXT 62 0 ", "DECRYPTION_FAILED")),
        (Failure.NOT_INTACT, (*OPENED, "BADMDC")),
        (Failure.NOT_INTACT, (*OPENED, "DECRYPTION_FAILED")),
        (Failure.NOT_INTACT, (*OPENED, "ERROR proc_pkt.plaintext 89_BAD_DATA")),
        (Failure.NOT_INTACT, (*OPENED, "GOODMDC")),
        (Failure.SEVERAL, OPENED * 2),
        (Failure.SEVERAL, (*OPENED, "PLAINTEXT 62 0 ")),
    ],
)
def test_reasons_of_failure(expected: Failure, lines: tuple[str, ...]) -> None:
    """Each way to fail has its own word."""
    assert expected == verdict.decryption(statuses(*lines), 2)


@given(st.lists(st.sampled_from([*OPENED, "BADMDC", "DECRYPTION_FAILED", "NODATA 3", NEW, UNKNOWN]), max_size=12))
def test_only_the_whole_proof_is_one(lines: list[str]) -> None:
    """Of any sequence of lines, only those with every line of the proof once and no complaint are proven."""
    needed = [line for line in OPENED if not line.startswith("DECRYPTION_INFO")]
    proven = all(lines.count(line) == 1 for line in needed) and not {"BADMDC", "DECRYPTION_FAILED", "NODATA 3"} & {
        *lines
    }
    for code in (0, 2):
        if verdict.decryption(statuses(*lines), code) is None:
            assert proven


@given(
    st.lists(st.sampled_from([NEW, GOOD, VALID, UNKNOWN, f"BADSIG {KEY} Rita", "NODATA 4", *OPENED]), max_size=8),
    st.integers(-1, 3),
)
def test_only_the_whole_signature_is_good(lines: list[str], code: int) -> None:
    """A signature is good with exactly one of each line that belongs to it, and with no other."""
    wanted = [lines.count(line) for line in (NEW, GOOD, VALID)] == [1, 1, 1]
    alone = not {UNKNOWN, f"BADSIG {KEY} Rita", "NODATA 4"} & {*lines}
    good = signature(*lines, code=code).signature is Signature.GOOD
    assert good == (wanted and alone and code == 0)
