"""The contract of budgets: mail waits for them and is folded, it is never dropped, and nothing is paid twice."""

import time
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from contract.engines import Engine
from contract.values import NOON, acknowledgement, open_ticket
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abuse_triage.model.budget import Bucket
from abuse_triage.model.ticket import MailKind, MailState, Outgoing
from abuse_triage.store.interface import Store
from abuse_triage.store.outbox import Spent, StoredMail

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
THREE = Bucket(name="sender:ana", count=3, span=HOUR)
ALL = Bucket(name="proven", count=10, span=HOUR)
PAID = Spent()


def mail(store: Store, name: str, recipient: str = "ana@example.org") -> int:
    """Queue an acknowledgement; returns its id."""
    open_ticket(store, name, outgoing=(acknowledgement(name, recipient),))
    return store.mails((), 1)[0].id


def pay(store: Store, name: str, *buckets: Bucket, at: datetime = NOON) -> Spent:
    """Queue an acknowledgement and pay for it."""
    return store.pay([(mail(store, name), buckets)], at)[0]


def one(store: Store, mail_id: int) -> StoredMail:
    """Return a mail by its id."""
    return next(found for found in store.mails((), 100_000) if found.id == mail_id)


def test_budget_lasts_for_its_count(store: Store) -> None:
    """So many at once are paid for, the next one is held for the time in which one of them comes back."""
    assert [PAID] * 3 == [pay(store, f"m{n}", THREE) for n in range(3)]
    assert Spent(until=NOON + HOUR / 3, bucket=THREE) == pay(store, "m3", THREE)
    held = one(store, 4)
    assert (held.state, held.tries, held.held_at, held.paid_at) == (MailState.HELD, 0, NOON, None)
    assert "waits for the budget sender" == held.error
    assert held.next_try == NOON + HOUR / 3
    assert (one(store, 1).held_at, one(store, 1).paid_at) == (None, NOON)
    assert [1, 2, 3] == [found.mail.id for found in store.due(NOON + HOUR / 4, 10)]


def test_budget_comes_back_steadily(store: Store) -> None:
    """At the time that was told one is there, and no second one; after the whole span all of them are."""
    for n in range(3):
        pay(store, f"m{n}", THREE)
    assert [1.0] == store.used([THREE], NOON)
    until = NOON + HOUR / 3
    assert pay(store, "m3", THREE, at=until - SECOND).until == until
    assert PAID == store.pay([(4, [THREE])], until)[0]
    assert pay(store, "m4", THREE, at=until).until == until + HOUR / 3
    later = until + HOUR
    assert [None] * 3 == [pay(store, f"n{n}", THREE, at=later).until for n in range(3)]
    assert pay(store, "n3", THREE, at=later).until == later + HOUR / 3


def test_one_empty_budget_spares_the_others(store: Store) -> None:
    """A mail that is held takes nothing from any budget."""
    for n in range(5):
        pay(store, f"m{n}", THREE, ALL)
    assert [1.0, 0.3] == store.used([THREE, ALL], NOON)


def test_longest_wait_counts(store: Store) -> None:
    """Of several empty budgets the one that takes longest is waited for, and named."""
    day = Bucket(name="unproven-sender:x", count=1, span=timedelta(days=1))
    hour = Bucket(name="unproven", count=1, span=HOUR)
    pay(store, "m0", hour, day)
    assert Spent(until=NOON + timedelta(days=1), bucket=day) == pay(store, "m1", hour, day)
    assert ("unproven-sender", "unproven") == (day.kind, hour.kind)


def test_mails_that_wait_do_not_come_back_together(store: Store) -> None:
    """Of many that find a budget empty each is held for a share of its own, in their order."""
    hour = Bucket(name="unproven", count=2, span=HOUR)
    ids = [mail(store, f"m{n}", f"r{n}@example.org") for n in range(6)]
    spent = store.pay([(mail_id, [hour]) for mail_id in ids], NOON)
    assert [None, None, *(NOON + HOUR / 2 * n for n in (1, 2, 3, 4))] == [answer.until for answer in spent]


def test_first_come_is_first_served(store: Store) -> None:
    """When something comes back, what has waited longest is due before what is new, and takes it."""
    hour = Bucket(name="unproven", count=1, span=HOUR)
    pay(store, "m0", hour)
    store.sending(1, NOON)
    pay(store, "m1", hour)
    at = NOON + HOUR + SECOND
    store.queue(replace(acknowledgement("m2"), kind=MailKind.ACKNOWLEDGEMENT), at)
    due = store.due(at, 10)
    spent = store.pay([(held.mail.id, [hour]) for held in due], at)
    assert [(2, None), (3, at + HOUR)] == [
        (held.mail.id, answer.until) for held, answer in zip(due, spent, strict=True)
    ]


def test_what_is_paid_for_is_not_paid_twice(store: Store) -> None:
    """A mail that was put off, or released by a person, has its budget, and takes no more of it."""
    pay(store, "m1", THREE)
    store.put_off(1, NOON + HOUR, "the route is down")
    assert [PAID] == store.pay([(1, [THREE])], NOON)
    store.give_up(1, NOON, "550 no")
    store.resend(1, "ana", NOON)
    assert [PAID] == store.pay([(1, [THREE])], NOON)
    assert [1 / 3] == pytest.approx(store.used([THREE], NOON))
    for n in range(2, 5):
        pay(store, f"m{n}", THREE)
    assert store.pay([(1, [THREE])], NOON)[0].until is None  # also where there is nothing left


def test_mail_that_is_gone_costs_nothing(store: Store) -> None:
    """A mail that is not queued any more, or not there, takes nothing."""
    mail(store, "m1")
    store.sending(1, NOON)
    assert [PAID, PAID] == store.pay([(1, [THREE]), (99, [THREE])], NOON)
    assert [0.0] == store.used([THREE], NOON)


def test_paying_for_nothing_is_allowed(store: Store) -> None:
    """Without mails nothing happens."""
    assert [] == store.pay([], NOON)


def test_all_processes_share_a_budget(store: Store, engine: Engine) -> None:
    """What one process takes another one finds taken, also after a restart."""
    for n in range(3):
        pay(store, f"m{n}", THREE)
    with closing(engine.open()) as other:
        assert [1.0] == other.used([THREE], NOON)
        assert pay(other, "m3", THREE).until == NOON + HOUR / 3


@pytest.mark.parametrize("back", [HOUR, timedelta(days=400)])
def test_clock_that_goes_back_does_no_harm(store: Store, back: timedelta) -> None:
    """Nothing comes back for time that passes twice, and nothing waits longer than it would have otherwise."""
    for n in range(3):
        pay(store, f"m{n}", THREE)
    early = NOON - back
    assert [1.0] == store.used([THREE], early)
    assert pay(store, "m3", THREE, at=early).until == early + HOUR / 3
    assert [PAID] == store.pay([(4, [THREE])], early + HOUR / 3)


def test_smaller_budget_applies_at_once(store: Store) -> None:
    """When a span is made shorter, more than all of it is never used up."""
    slow = Bucket(name="proven", count=2, span=timedelta(days=100))
    for n in range(2):
        pay(store, f"m{n}", slow)
    fast = Bucket(name="proven", count=2, span=HOUR)
    assert [1.0] == store.used([fast], NOON)
    assert pay(store, "m2", fast).until == NOON + HOUR / 2


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    count=st.integers(1, 7),
    minutes=st.lists(st.integers(0, 40), min_size=1, max_size=40),
)
def test_no_span_sees_more_than_twice_the_count(store: Store, count: int, minutes: list[int]) -> None:
    """Whatever the times, in every span at most the count leaves at once and the count that comes back meanwhile."""
    run = time.monotonic_ns()
    bucket = Bucket(name=f"sender:{run}", count=count, span=HOUR)
    at, left = NOON, []
    for n, pause in enumerate(minutes):
        at += timedelta(minutes=pause)
        store.queue(replace(acknowledgement(f"{run}.{n}")), at)
        mail_id = store.mails((), 1)[0].id
        (spent,) = store.pay([(mail_id, [bucket])], at)
        if spent.until is None:
            left.append(at)
        else:
            assert at < spent.until <= at + HOUR / count
            store.give_up(mail_id, at, "out of the way of the next example")
    for start in left:
        assert sum(start <= moment < start + HOUR for moment in left) <= 2 * count


def folding(name: str = "f1") -> Outgoing:
    """The mail that tells several numbers."""
    return Outgoing(
        kind=MailKind.ACKNOWLEDGEMENT,
        message_id=f"fold.{name}@example.pt",
        recipient="ana@example.org",
        content=b"Subject: 3\r\n\r\n",
        proven=True,
        answers="last@example.org",
        language="pt",
    )


@pytest.fixture
def waiting(store: Store) -> Store:
    """Five acknowledgements to one person, of which the second is paid for and the others but the first are held."""
    bucket = Bucket(name="sender:ana", count=1, span=HOUR)
    for n in range(1, 6):
        pay(store, f"m{n}", bucket)
    store.sending(1, NOON)
    store.sent(1, NOON, "250 ok")
    assert [Spent(others=True)] == store.pay([(2, [bucket])], NOON + HOUR)
    return store


def test_those_that_wait_for_one_person_are_found(waiting: Store) -> None:
    """Only what is held counts, oldest first, for exactly this address, as proven as it, at most as many as asked."""
    mail(waiting, "m6")
    pay(waiting, "m7", Bucket(name="sender:rui", count=1, span=HOUR))
    assert [3, 4, 5] == [found.id for found in waiting.foldable("ana@example.org", 10, proven=False)]
    assert [3, 4] == [found.id for found in waiting.foldable("ana@example.org", 2, proven=False)]
    assert [] == waiting.foldable("ana@example.org", 10, proven=True)
    assert [] == waiting.foldable("rui@example.org", 10, proven=False)


def test_folded_mails_are_told_in_one(waiting: Store) -> None:
    """One mail takes the place of several: queued, due, paid for, of the last one's ticket; they never leave."""
    at = NOON + HOUR
    found = waiting.fold(folding(), [2, 3, 4, 5], at)
    assert found is not None
    assert (found.id, found.state, found.ticket, found.next_try) == (6, MailState.QUEUED, "TEST#2026-000005", at)
    assert (found.paid_at, found.held_at) == (at, None)
    assert (found.proven, found.answers, found.language) == (True, "last@example.org", "pt")
    (due,) = waiting.due(at + timedelta(days=30), 10)
    assert (due.mail.id, due.content) == (6, b"Subject: 3\r\n\r\n")
    folded = waiting.mails((MailState.FOLDED,), 10)
    assert [(n, 6, None) for n in (5, 4, 3, 2)] == [(each.id, each.folded_into, each.held_at) for each in folded]
    assert {gauge.count for gauge in waiting.gauges() if gauge.name in {"mail held", "mail folded"}} == {0}


def test_folding_is_journaled_on_every_ticket(waiting: Store) -> None:
    """Each ticket says which mail tells its number, and later what became of that."""
    waiting.fold(folding(), [2, 3, 4, 5], NOON + HOUR)
    waiting.sending(6, NOON)
    waiting.sent(6, NOON, "250 ok")
    for number in "2345":
        lines = [line for line in waiting.ticket(number).journal if line.action.startswith("mail")]
        assert [
            ("mail folded", f"mail {number}: mail 6 tells all references"),
            ("mail sent", "mail 6: 250 ok"),
        ] == [(line.action, line.detail) for line in lines]
    assert "mail folded" not in [line.action for line in waiting.ticket("1").journal]


@pytest.mark.parametrize("state", ["sending", "failed", "unknown to the store"])
def test_folding_is_all_or_nothing(waiting: Store, state: str) -> None:
    """Where one of the mails is not queued any more nothing is folded, queued or journaled."""
    ids = [2, 3, 4, 5]
    if state == "sending":
        waiting.sending(3, NOON)
    elif state == "failed":
        waiting.give_up(3, NOON, "550")
    else:
        ids = [2, 99]
    assert waiting.fold(folding(), ids, NOON) is None
    assert 5 == len(waiting.mails((), 10))
    assert [] == waiting.mails((MailState.FOLDED,), 10)
    assert "mail folded" not in [line.action for line in waiting.ticket("2").journal]


def test_nothing_is_folded_of_nothing(store: Store) -> None:
    """Without mails, or with mails that are not there, there is nothing to tell."""
    assert store.fold(folding(), [], NOON) is None
    assert store.fold(folding(), [9], NOON) is None
    assert [] == store.mails((), 10)


def test_same_mail_is_not_folded_twice(waiting: Store) -> None:
    """Where the new mail is there already, nothing changes."""
    assert waiting.fold(folding(), [2, 3], NOON) is not None
    assert waiting.fold(folding(), [4, 5], NOON) is None
    assert [4, 5] == [found.id for found in waiting.foldable("ana@example.org", 10, proven=False)]


def test_folded_mail_that_nobody_paid_for_waits(waiting: Store) -> None:
    """A mail in place of others is paid for only where one of those was."""
    found = waiting.fold(folding(), [3, 4], NOON)
    assert found is not None
    assert found.paid_at is None


def test_folded_mail_that_came_back_is_told_everywhere(waiting: Store) -> None:
    """Every ticket whose number it told learns that it was not delivered."""
    from contract.values import arrival, claim_one, joins

    waiting.fold(folding(), [2, 3], NOON)
    waiting.sending(6, NOON)
    waiting.sent(6, NOON, "250 ok")
    waiting.accept([arrival("b1", sender="")])
    waiting.finish([joins(claim_one(waiting), 1, undeliverable=("fold.f1@example.pt",))])
    for number in "23":
        assert waiting.ticket(number).journal[-1].action == "mail undeliverable"


def test_answer_to_a_folded_mail_finds_a_ticket(waiting: Store) -> None:
    """Who answers the mail with several numbers answers the last of them."""
    from contract.values import keys

    waiting.fold(folding(), [2, 3], NOON)
    answered = waiting.relations(keys("", ids=["fold.f1@example.pt"])).answered
    assert answered is not None
    assert answered.number == "TEST#2026-000003"


def test_held_mail_is_counted_since_it_waits(store: Store) -> None:
    """A gauge tells how many wait for their budget, and since when the first does, however often it was looked at."""
    bucket = Bucket(name="sender:ana", count=1, span=HOUR)
    for n, minutes in enumerate((0, 5, 6)):
        pay(store, f"m{n}", bucket, at=NOON + timedelta(minutes=minutes))
    store.pay([(2, [bucket])], NOON + timedelta(minutes=7))
    (held,) = [gauge for gauge in store.gauges() if gauge.name == "mail held"]
    assert (held.count, held.oldest) == (2, NOON + timedelta(minutes=5))
    (queued,) = [gauge for gauge in store.gauges() if gauge.name == "mail queued"]
    assert (queued.count, queued.oldest) == (1, NOON + timedelta(minutes=1))


def test_held_mail_is_listed_apart(store: Store) -> None:
    """What waits for its budget is "held" and says for which; "queued" is all else; what ended is neither."""
    bucket = Bucket(name="sender:ana", count=1, span=HOUR)
    for n in range(4):
        pay(store, f"m{n}", bucket)

    def listed(*states: MailState) -> list[int]:
        return [found.id for found in store.mails(states, 10)]

    assert [4, 3, 2] == listed(MailState.HELD)
    assert [1] == listed(MailState.QUEUED)
    assert [4, 3, 2, 1] == listed(MailState.HELD, MailState.QUEUED) == listed()
    store.give_up(4, NOON, "withdrawn")
    assert [4, 3, 2] == listed(MailState.HELD, MailState.FAILED)
    assert [4, 1] == listed(MailState.QUEUED, MailState.FAILED)
    counted = {gauge.name: gauge.count for gauge in store.gauges()}
    assert (1, 2, 1) == (counted["mail queued"], counted["mail held"], counted["mail failed"])
    store.resend(4, "ana", NOON)
    assert [4, 1] == listed(MailState.QUEUED)
    assert ("withdrawn", None) == (one(store, 4).error, one(store, 4).held_at)
    assert store.pay([(2, [bucket])], NOON + HOUR)[0].until is None
    assert ("", MailState.QUEUED) == (one(store, 2).error, one(store, 2).state)
