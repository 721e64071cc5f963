"""The contract of the cache: what was answered is known, for as long as it counts, to nobody less strict."""

from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address

import pytest
from contract.asking import (
    ADDRESS,
    DAY,
    MINUTE,
    NAME,
    answer,
    asks,
    claim,
    failed,
    found,
    found_network,
    wanted,
)
from contract.values import NOON
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abuse_triage.model.decision import Tlp
from abuse_triage.model.lookups import Answer, FoundContact, Known, LookupKind, Result
from abuse_triage.store.interface import Store

HOUR = timedelta(hours=1)
NETWORK, DOMAIN = LookupKind.NETWORK, LookupKind.DOMAIN


def learn(
    store: Store,
    said: Answer,
    tlp: Tlp = Tlp.GREEN,
    *,
    minutes: int = 0,
    fresh: timedelta = DAY,
    stale: timedelta = DAY,
) -> None:
    """Let the cache know an answer that was asked for under a TLP."""
    learn.count += 1
    asks(store, f"l{learn.count:05}", wanted(said.subject, said.kind, tlp=tlp, not_before=NOON), tlp=tlp)
    (task,) = claim(store, minutes=minutes)
    assert (said.kind, said.subject, tlp) == (task.kind, task.subject, task.tlp)
    answer(store, task, said, minutes=minutes, fresh=fresh, stale=stale)


learn.count = 0


def known(
    store: Store, subject: str, kind: LookupKind = DOMAIN, tlp: Tlp = Tlp.RED, *, minutes: int = 0
) -> Known | None:
    """What is known about one thing so many minutes after noon."""
    answers = store.known([(kind, subject)], tlp, NOON + minutes * MINUTE)
    return answers[0] if answers else None


def networks(store: Store, *subjects: str, minutes: int = 0) -> list[str]:
    """The first addresses of the networks that some addresses are known to be in, "" for none."""
    return [
        one.answer.first if (one := known(store, subject, NETWORK, minutes=minutes)) else "" for subject in subjects
    ]


def test_answer_comes_back_as_it_was(store: Store, other: Store) -> None:
    """Everything about an answer is kept, and any process finds it."""
    whole = Answer(
        kind=DOMAIN,
        subject=NAME,
        server="rdap.example.net",
        result=Result.FOUND,
        retry_after=timedelta(seconds=5),
        refers_to="apnic",
        network="N",
        holder="Conceição, Lda.",
        country="PT",
        registrar="R",
        managed_by="M",
        created=NOON - 400 * DAY,
        expires=NOON + timedelta(microseconds=7),
        statuses=("active",),
        name_servers=("ns1.example.org", "ns2.example.org"),
        ds=("1 13 2 AB",),
        signed=False,
        addresses=("192.0.2.1",),
        mail_hosts=("mx.example.org",),
        texts=("v=spf1 -all",),
        names=("host.example.org",),
        contacts=(FoundContact(role="abuse", email="abuse@example.org", source="RDAP", personal=True),),
        lifetime=HOUR,
    )
    learn(store, whole)
    assert other.known([(DOMAIN, NAME)], Tlp.GREEN, NOON) == [
        Known(answer=whole, asked_at=NOON, fresh_until=NOON + DAY, stale_until=NOON + 2 * DAY, tlp=Tlp.GREEN)
    ]


def test_strange_texts_are_kept_safely(store: Store) -> None:
    """NUL and lone surrogates in what strangers wrote are replaced, everything else stays."""
    learn(store, found(registrar="a\0b\ud800", holder="Zé \U0001f511", created=NOON, lifetime=HOUR))
    kept = known(store, NAME)
    assert kept is not None
    assert found(registrar="a\ufffdb\ufffd", holder="Zé \U0001f511", created=NOON, lifetime=HOUR) == kept.answer


def test_nothing_is_known_of_what_nobody_asked(store: Store) -> None:
    """Another name, another kind of question, or another address has no answer."""
    learn(store, found())
    learn(store, found_network("192.0.2.0", "192.0.2.255"))
    asked = [(DOMAIN, "example.net"), (LookupKind.DELEGATION, NAME), (NETWORK, "192.0.3.0"), (DOMAIN, ADDRESS)]
    assert store.known(asked, Tlp.RED, NOON) == []
    assert store.known([], Tlp.RED, NOON) == []


def test_answers_grow_stale_and_end(store: Store) -> None:
    """An answer is there until it is stale no more, and says until when it is fresh."""
    learn(store, found(), fresh=HOUR, stale=HOUR)
    old = known(store, NAME, minutes=119)
    assert old is not None
    assert (old.fresh_until, old.stale_until) == (NOON + HOUR, NOON + 2 * HOUR)
    assert known(store, NAME, minutes=120) is None


@pytest.mark.parametrize("reader", Tlp)
@pytest.mark.parametrize("asked", Tlp)
@pytest.mark.parametrize("said", [found(), found_network("192.0.2.0", "192.0.2.255")])
def test_answers_never_cross_the_tlp(store: Store, said: Answer, asked: Tlp, reader: Tlp) -> None:
    """What was asked for under a stricter TLP is not seen; the other way round it is."""
    learn(store, said, asked)
    assert (known(store, said.subject, said.kind, reader) is not None) == (asked <= reader)


def test_each_sees_the_newest_that_it_may(store: Store) -> None:
    """A newer answer under a stricter TLP leaves the older one to those who are less strict."""
    learn(store, found(registrar="old"), Tlp.GREEN, fresh=MINUTE)
    learn(store, found(registrar="new"), Tlp.RED, minutes=5)
    seen = {tlp: one.answer.registrar for tlp in Tlp if (one := known(store, NAME, tlp=tlp, minutes=5))}
    assert seen == {Tlp.GREEN: "old", Tlp.AMBER: "old", Tlp.AMBER_STRICT: "old", Tlp.RED: "new"}
    learn(store, found(registrar="newest"), Tlp.CLEAR, minutes=10)
    seen = {tlp: one.answer.registrar for tlp in Tlp if (one := known(store, NAME, tlp=tlp, minutes=10))}
    assert seen == dict.fromkeys(Tlp, "newest")


def test_one_answer_serves_the_whole_network(store: Store) -> None:
    """Every address of a network that was answered is known, under its own name, and none beside it."""
    learn(store, found_network("198.51.100.16", "198.51.100.31", "198.51.100.20"))
    assert networks(store, "198.51.100.15", "198.51.100.32") == ["", ""]
    for last in (16, 20, 31):
        one = known(store, f"198.51.100.{last}", NETWORK)
        assert one is not None
        assert (f"198.51.100.{last}", "198.51.100.16") == (one.answer.subject, one.answer.first)


def test_smallest_network_counts(store: Store) -> None:
    """Where networks contain each other, the smallest that holds the address is the answer."""
    learn(store, found_network("203.0.113.0", "203.0.113.7"))
    learn(store, found_network("203.0.113.64", "203.0.113.127", "203.0.113.65"))
    learn(store, found_network("203.0.113.0", "203.0.113.255", "203.0.113.200"))
    learn(store, found_network("203.0.112.0", "203.0.113.255", "203.0.112.1"))
    assert networks(store, "203.0.113.5", "203.0.113.100", "203.0.113.8", "203.0.112.9") == [
        "203.0.113.0",
        "203.0.113.64",
        "203.0.113.0",
        "203.0.112.0",
    ]
    one = known(store, "203.0.113.5", NETWORK)
    assert one is not None
    assert one.answer.last == "203.0.113.7"


def test_networks_of_ipv6_are_known(store: Store) -> None:
    """IPv6 has its own networks, of any size that is given to somebody."""
    learn(store, found_network("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"))
    assert networks(store, "2001:db8:1::1", "2001:db7::1", "::ffff:192.0.2.1") == ["2001:db8::", "", ""]
    learn(store, found_network("192.0.2.0", "192.0.2.255"))
    assert networks(store, "192.0.2.1", "2001:db8::192.0.2.1") == ["192.0.2.0", "2001:db8::"]


@pytest.mark.parametrize(
    ("first", "last", "subject"),
    [
        ("0.0.0.0", "255.255.255.255", ADDRESS),
        ("192.0.0.0", "192.255.255.255", ADDRESS),
        ("203.0.113.0", "203.0.113.255", ADDRESS),
        ("192.0.2.255", "192.0.2.0", ADDRESS),
        ("", "", ADDRESS),
        ("192.0.2.0", "nonsense", ADDRESS),
        ("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::1"),
        ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:100::1"),
        ("::", "2001:db8::ffff", ADDRESS),
    ],
)
def test_network_that_cannot_be_right_is_about_one_address(store: Store, first: str, last: str, subject: str) -> None:
    """Whole registries, ends that do not hold the address, and nonsense serve nobody but who asked."""
    learn(store, found_network(first, last, subject))
    assert known(store, subject, NETWORK) is not None
    neighbours = [f"{subject[:-1]}9", "198.51.100.1", "203.0.113.1", "2001:100::9"]
    assert {""} == {*networks(store, *[one for one in neighbours if one != subject])}


def test_network_that_was_merged_replaces_its_parts(store: Store) -> None:
    """What a newer answer says about an address counts, although an older one was about less."""
    learn(store, found_network("192.0.2.0", "192.0.2.127"), fresh=MINUTE)
    learn(store, found_network("192.0.2.0", "192.0.2.255"), minutes=5)
    one = known(store, "192.0.2.1", NETWORK, minutes=5)
    assert one is not None
    assert one.answer.last == "192.0.2.255"


def test_no_such_thing_is_an_answer(store: Store) -> None:
    """That there is nothing is known, too: of an address for itself alone."""
    learn(store, found(result=Result.NOT_FOUND))
    learn(store, found_network("", "", ADDRESS, result=Result.NOT_FOUND))
    for kind, subject in ((DOMAIN, NAME), (NETWORK, ADDRESS)):
        one = known(store, subject, kind)
        assert one is not None
        assert one.answer.result is Result.NOT_FOUND
    assert networks(store, "192.0.2.81") == [""]


@pytest.mark.parametrize("kind", [DOMAIN, NETWORK])
def test_failure_is_known_while_it_is_fresh(store: Store, kind: LookupKind) -> None:
    """Nobody asks again at once where nobody answered; after that it is forgotten."""
    subject = NAME if kind is DOMAIN else ADDRESS
    learn(store, failed(subject, kind), fresh=5 * MINUTE, stale=DAY)
    one = known(store, subject, kind, minutes=4)
    assert one is not None
    assert (Result.FAILED, "no answer in 8 s") == (one.answer.result, one.answer.reason)
    assert known(store, subject, kind, minutes=5) is None


@pytest.mark.parametrize("said", [found(), found_network("192.0.2.0", "192.0.2.255", ADDRESS)])
def test_failure_takes_no_answers_place(store: Store, said: Answer) -> None:
    """An earlier answer is still shown while nobody answers, and keeps the next ones from asking as long."""
    learn(store, said, fresh=MINUTE, stale=HOUR)
    learn(store, failed(said.subject, said.kind), minutes=10, fresh=5 * MINUTE)
    for minutes, fresh_until in ((12, NOON + 15 * MINUTE), (16, NOON + MINUTE)):
        one = known(store, said.subject, said.kind, minutes=minutes)
        assert one is not None
        assert (Result.FOUND, fresh_until) == (one.answer.result, one.fresh_until)
    learn(store, failed(said.subject, said.kind), minutes=58, fresh=DAY)
    last = known(store, said.subject, said.kind, minutes=60)
    assert last is not None
    assert last.fresh_until == last.stale_until == NOON + MINUTE + HOUR
    after = known(store, said.subject, said.kind, minutes=62)
    assert after is not None
    assert after.answer.result is Result.FAILED


def test_success_ends_a_failure(store: Store) -> None:
    """Once somebody answers, the failure before is forgotten."""
    learn(store, failed(), fresh=MINUTE)
    learn(store, found(), minutes=5, fresh=HOUR)
    one = known(store, NAME, minutes=5)
    assert one is not None
    assert (Result.FOUND, NOON + 5 * MINUTE + HOUR) == (one.answer.result, one.fresh_until)


def test_answers_are_forgotten(store: Store) -> None:
    """Personal data is kept only so long; a ticket that had the answer shows none, and it is not asked again."""
    learn(store, found(), minutes=0)
    learn(store, found("example.net"), minutes=10)
    assert store.forget_answers(NOON + 10 * MINUTE) == 1
    assert known(store, NAME, minutes=10) is None
    assert known(store, "example.net", minutes=10) is not None
    first, second = (store.lookups_of(name)[0] for name in ("1", "2"))
    assert (first.state, first.known) == ("answered", None)
    assert second.known is not None
    assert claim(store, minutes=99_999) == []
    assert store.forget_answers(NOON) == 0


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cuts=st.lists(st.tuples(st.integers(0, 255), st.integers(0, 8)), min_size=1, max_size=12),
    asked=st.lists(st.integers(0, 255), min_size=1, max_size=8),
    wide=st.booleans(),
)
def test_any_nesting_is_found(store: Store, cuts: list[tuple[int, int]], asked: list[int], wide: bool) -> None:
    """Whatever networks there are, an address is in the smallest of them that holds it."""
    learn.count += 1
    base = (
        int(IPv6Address("2001:db8::")) + (learn.count << 64)
        if wide
        else int(IPv4Address("10.0.0.0")) + learn.count * 256
    )

    def text(number: int) -> str:
        return str(IPv6Address(number) if wide else IPv4Address(number))

    def number_of(address: str) -> int:
        return int(IPv6Address(address) if wide else IPv4Address(address)) - base

    there = {((start >> bits) << bits, (start >> bits << bits) + (1 << bits) - 1) for start, bits in cuts}
    now = learn.count * 10_000
    for first, last in sorted(there, key=lambda ends: ends[0] - ends[1]):
        said = found_network(text(base + first), text(base + last))
        learn(store, said, minutes=now, fresh=timedelta(0))
    for number in asked:
        holding = [ends for ends in there if ends[0] <= number <= ends[1]]
        one = known(store, text(base + number), NETWORK, minutes=now)
        expected = min(holding, key=lambda ends: ends[1] - ends[0]) if holding else None
        assert expected == (one and (number_of(one.answer.first), number_of(one.answer.last)))
