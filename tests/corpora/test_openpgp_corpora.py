"""Sample messages with OpenPGP that nobody here wrote: what is proven about each, against what a person judged."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from openpgp_samples import Judged, Known, judged, protections
from pgp import Forge

from abuse_triage.model.openpgp import Encrypted, Failure, Protection

VERIFIED = {
    "alice-signed.eml",
    "alice-utf.eml",
    "signed-inline-indented.eml",
    "signed-by-0x3099ff1238852b9f-to-0xf231550c4f47e38e-unencrypted-with-key.eml",
    "signed-by-0x3099ff1238852b9f-to-0xf231550c4f47e38e-unencrypted.eml",
    "signed-by-0xfbfcc82a015e7330-to-0xf231550c4f47e38e-unencrypted-with-key.eml",
    "signed-by-0xfbfcc82a015e7330-to-0xf231550c4f47e38e-unencrypted.eml",
}
"""The only ones of which all is signed, by the key of the one address in From, at the Date."""
CAROLS = "signed-by-0x3099ff1238852b9f"
"""Of her key there is no revocation."""
Samples = Callable[[Known], dict[str, Protection]]


@pytest.fixture(scope="module")
def samples(corpora: Path, forge: Forge, tmp_path_factory: pytest.TempPathFactory) -> Samples:
    """Give what is proven about each sample, by what the operator knows."""
    return cache(lambda known: protections(corpora, forge, tmp_path_factory.mktemp(known), known))


@pytest.mark.parametrize("known", Known)
def test_every_sample_is_judged_as_a_person_judged_it(samples: Samples, known: Known) -> None:
    """Form and words are those of the table, file by file; no file is missing in it."""
    said: dict[str, Judged] = judged()
    found = {name: (str(one.form or ""), one.words) for name, one in samples(known).items()}
    assert 53 == len(found)
    expected = {name: (one.form, one.words[known]) for name, one in said.items()}
    assert expected.keys() == found.keys()
    assert {} == {name: (expected[name], said) for name, said in found.items() if said != expected[name]}


def test_only_whole_messages_by_their_writers_are_verified(samples: Samples) -> None:
    """Nothing that is spoofed, partial, wrapped, damaged, mismatched or old is; and nothing without the keys."""
    assert set() == _verified(samples(Known.NOBODY))
    assert VERIFIED == _verified(samples(Known.EVERYBODY))


def test_nothing_by_a_revoked_key_is_verified(samples: Samples) -> None:
    """With the revocations that belong to the samples, nobody's but Carol's are left."""
    assert {name for name in VERIFIED if name.startswith(CAROLS)} == _verified(samples(Known.REVOKED))


@pytest.mark.parametrize("known", Known)
def test_what_is_encrypted_to_others_says_so(samples: Samples, known: Known) -> None:
    """No sample is encrypted to a key that is made here: each says that the secret key is missing."""
    failed = {name: one for name, one in samples(known).items() if one.encrypted is not Encrypted.NO}
    assert 29 == len(failed)
    assert Failure.NOT_ENCRYPTED is failed.pop("sigspoof-git-commit.eml").reason
    assert {(Encrypted.FAILED, Failure.NO_SECRET_KEY)} == {(one.encrypted, one.reason) for one in failed.values()}


def _verified(found: dict[str, Protection]) -> set[str]:
    return {name for name, one in found.items() if one.verified}
