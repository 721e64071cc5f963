"""What OpenPGP proves about a message: when it is verified, and the words that say so."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.model.openpgp import (
    ADVICE,
    UNPROTECTED,
    Encrypted,
    Failure,
    Form,
    Headers,
    Protection,
    Signature,
    Source,
)

SIGNED = Protection(
    form=Form.MIME_SIGNED,
    signature=Signature.GOOD,
    signer="A" * 40,
    source=Source.PINNED,
    signed_at=datetime(2026, 11, 21, 9, 0, tzinfo=UTC),
    from_match=True,
    headers=Headers.MATCH,
    fresh=True,
    signature_id="5",
)
LACKING: list[dict[str, Any]] = [
    {"form": None},
    {"form": Form.DEEPER},
    {"encrypted": Encrypted.FAILED},
    {"encrypted": Encrypted.YES, "form": Form.MIME_SIGNED},
    *({"signature": one} for one in Signature if one is not Signature.GOOD),
    *({"source": one} for one in Source if one is not Source.PINNED),
    {"from_match": False},
    {"headers": Headers.MISMATCH},
    {"fresh": False},
    {"replayed": True},
]
"""Each condition of its own that a verified message must not break."""


def changed(*changes: dict[str, Any]) -> Protection:
    """Return the signed message with these differences."""
    return replace(SIGNED, **{name: value for change in changes for name, value in change.items()})


@pytest.mark.parametrize(
    ("form", "encrypted"),
    [
        (Form.MIME_SIGNED, Encrypted.NO),
        (Form.INLINE_SIGNED, Encrypted.NO),
        (Form.MIME_ENCRYPTED, Encrypted.YES),
        (Form.INLINE_ENCRYPTED, Encrypted.YES),
    ],
)
@pytest.mark.parametrize("headers", [Headers.NONE, Headers.MATCH])
def test_a_good_signature_of_the_pinned_key_of_from_is_verified(
    form: Form, encrypted: Encrypted, headers: Headers
) -> None:
    """In every form that is the whole message, encrypted or not, with and without protected headers."""
    assert replace(SIGNED, form=form, encrypted=encrypted, headers=headers).verified


@pytest.mark.parametrize("lacking", LACKING, ids=str)
def test_each_condition_alone_undoes_it(lacking: dict[str, Any]) -> None:
    """There is no condition that another one makes up for, and the words never say verified."""
    found = changed(lacking)
    assert not found.verified
    assert "signed and verified" not in found.words


@given(st.lists(st.sampled_from(LACKING), min_size=1, max_size=4))
def test_whatever_else_holds_nothing_is_verified_without_all(lacking: list[dict[str, Any]]) -> None:
    """Several conditions that are broken never make a verified message again."""
    assert not changed(*lacking).verified


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ("", UNPROTECTED),
        ("signed and verified", SIGNED),
        ("encrypted, signed and verified", changed({"encrypted": Encrypted.YES, "form": Form.MIME_ENCRYPTED})),
        (
            "encrypted in part, signed, not verified: the signature is around what was encrypted",
            changed({"encrypted": Encrypted.YES}),
        ),
        ("encrypted, not signed", Protection(form=Form.INLINE_ENCRYPTED, encrypted=Encrypted.YES)),
        ("encrypted in part, not signed", Protection(form=Form.DEEPER, encrypted=Encrypted.YES)),
        ("could not be decrypted, not signed", Protection(form=Form.DEEPER, encrypted=Encrypted.FAILED)),
        (
            "could not be decrypted: no secret key, not signed",
            Protection(form=Form.MIME_ENCRYPTED, encrypted=Encrypted.FAILED, reason=Failure.NO_SECRET_KEY),
        ),
        (
            "could not be decrypted: too large, signed, not verified: not all of it was read",
            changed({"encrypted": Encrypted.FAILED, "reason": Failure.TOO_LARGE}),
        ),
        ("signature: bad", changed({"signature": Signature.BAD})),
        ("signature: error", changed({"signature": Signature.ERROR})),
        ("signature: error (malformed)", changed({"signature": Signature.ERROR, "reason": Failure.MALFORMED})),
        ("encrypted in part, signature: mixed", changed({"signature": Signature.MIXED, "encrypted": Encrypted.YES})),
        ("signature: bad, seen before in another message", changed({"signature": Signature.BAD, "replayed": True})),
        ("not signed, seen before in another message", changed({"signature": Signature.NONE, "replayed": True})),
        ("signed, not verified: key not pinned (wkd)", changed({"source": Source.WKD})),
        ("signed, not verified: key not pinned", changed({"source": Source.NONE})),
        ("signed, not verified: signer is not From", changed({"from_match": False})),
        ("signed, not verified: headers differ", changed({"headers": Headers.MISMATCH})),
        ("signed, not verified: signature not of the time of the message", changed({"fresh": False})),
        ("signed, not verified: seen before in another message", changed({"replayed": True})),
        (
            "signed, not verified: key not pinned (ring); signer is not From; headers differ",
            changed({"source": Source.RING, "from_match": False, "headers": Headers.MISMATCH}),
        ),
    ],
)
def test_the_words_say_what_was_found(expected: str, found: Protection) -> None:
    """One line for a person; doubts stand in it one by one."""
    assert expected == found.words


@pytest.mark.parametrize(("expected", "encrypted"), [(False, "no"), (True, "yes"), (True, "failed")])
def test_what_was_encrypted_is_sealed_opened_or_not(expected: bool, encrypted: str) -> None:
    """Whether it could be opened makes no difference to what is stored and told."""
    assert expected is Protection(encrypted=Encrypted(encrypted)).sealed


def test_every_failure_has_an_advice() -> None:
    """No handler is left with a reason alone."""
    assert set(Failure) == set(ADVICE)
    assert all(advice.endswith(".") for advice in ADVICE.values())
