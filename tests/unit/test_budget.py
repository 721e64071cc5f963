"""Which budgets an acknowledgement draws from."""

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.model.budget import Bucket
from abuse_triage.model.fields import Rate
from abuse_triage.model.settings import BudgetSettings
from abuse_triage.replies.budget import buckets, for_notice, overall

HOUR = timedelta(hours=1)
BUDGET = BudgetSettings(
    sender=Rate(10, HOUR),
    unproven_sender=Rate(3, 24 * HOUR),
    domain=Rate(20, HOUR),
    proven=Rate(600, HOUR),
    unproven=Rate(120, HOUR),
)
FREEMAIL = frozenset({"mail.example", "example.com"})


def of(recipient: str, *, proven: bool = True) -> tuple[Bucket, ...]:
    """Return the budgets of an address."""
    return buckets(recipient, proven=proven, budget=BUDGET, freemail=FREEMAIL)


def names(recipient: str, *, proven: bool = True) -> list[str]:
    """Return their names."""
    return [bucket.name for bucket in of(recipient, proven=proven)]


def test_proven_mail_draws_from_three() -> None:
    """Address, domain and all, each at its rate."""
    assert [("sender", 10, HOUR), ("domain", 20, HOUR), ("proven", 600, HOUR)] == [
        (bucket.kind, bucket.count, bucket.span) for bucket in of("ana@example.org")
    ]


def test_unproven_mail_draws_from_three_others() -> None:
    """Nothing that is not proven touches a budget of those who are."""
    unproven = of("ana@example.org", proven=False)
    assert [
        ("unproven-sender", 3, 24 * HOUR),
        ("unproven-domain", 20, HOUR),
        ("unproven", 120, HOUR),
    ] == [(bucket.kind, bucket.count, bucket.span) for bucket in unproven]
    assert not {*names("ana@example.org")} & {*names("ana@example.org", proven=False)}


@pytest.mark.parametrize("recipient", ["ana@example.com", "Ana@EXAMPLE.com", "rui@lisboa.example.com"])
def test_freemail_has_no_budget_of_its_own(recipient: str) -> None:
    """Strangers share such a domain, and those below it."""
    assert ["sender", "proven"] == [bucket.kind for bucket in of(recipient)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ana@example.org", "ANA@Example.ORG"),
        ("ana@example.org", "ana+reports@example.org"),
        ("ana@example.org", "ana+@example.org"),
    ],
)
def test_one_person_has_one_budget(one: str, other: str) -> None:
    """Neither letter case nor a detail behind a plus makes a new address of an old one."""
    assert names(one) == names(other)


def test_different_people_have_different_budgets() -> None:
    """Two addresses of one domain share its budget and that for all."""
    ana, rui = names("ana@example.org"), names("rui@example.org")
    assert ana[0] != rui[0]
    assert ana[1:] == rui[1:]
    assert names("+a@example.org")[0] != names("+b@example.org")[0]


def test_domain_is_what_somebody_registered() -> None:
    """All names below one that was registered share a budget; a public suffix is none."""
    assert names("ana@mx1.example.org")[1] == names("ana@mx2.example.org")[1] == names("ana@example.org")[1]
    assert names("ana@um.com.pt")[1] != names("ana@dois.com.pt")[1]


@given(st.text(max_size=60), st.booleans())
def test_names_tell_nobody(recipient: str, proven: bool) -> None:
    """Whatever the address, a name is a kind and a hash, and stands once."""
    found = names(recipient, proven=proven)
    assert len(found) == len({*found})
    assert all(re.fullmatch(r"[a-z-]+(?::[0-9a-f]{64})?", name) for name in found)


def test_budgets_for_all() -> None:
    """Both of them, proven first."""
    assert (
        Bucket(name="proven", count=600, span=HOUR),
        Bucket(name="unproven", count=120, span=HOUR),
    ) == overall(BUDGET)


def test_each_handler_has_two_budgets_of_notices() -> None:
    """One for mail whose sender is proven, and one for all other; names tell nobody."""
    (proven,) = for_notice("Rui@example.pt", proven=True, budget=BUDGET)
    (other,) = for_notice("rui@example.pt", proven=False, budget=BUDGET)
    assert ("notices", "unproven-notices") == (proven.kind, other.kind)
    assert {(30, HOUR)} == {(bucket.count, bucket.span) for bucket in (proven, other)}
    assert (proven,) == for_notice("rui@example.pt", proven=True, budget=BUDGET)
    assert (proven,) != for_notice("ana@example.pt", proven=True, budget=BUDGET)
    assert re.fullmatch(r"notices:[0-9a-f]{64}", proven.name)
