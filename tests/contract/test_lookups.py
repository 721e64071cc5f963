"""The contract of look-ups: each question leaves once, for all tickets that may know, and none that may not."""

import time
from dataclasses import replace
from datetime import timedelta

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
    lines,
    network,
    states,
    wanted,
    withheld,
)
from contract.engines import Engine
from contract.values import NOON, arrival, claim_one, joins, parks
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from abuse_triage.errors import InputError, NotFoundError
from abuse_triage.model.decision import Tlp
from abuse_triage.model.lookups import LookupKind, LookupState, Permission, Result
from abuse_triage.model.ticket import TicketState
from abuse_triage.store.interface import ByHand, Store
from abuse_triage.store.lookups import Task

SHORT = timedelta(milliseconds=40)
NETWORK, DOMAIN = LookupKind.NETWORK, LookupKind.DOMAIN


def subjects(tasks: list[Task]) -> list[str]:
    """What the tasks ask about."""
    return [task.subject for task in tasks]


def test_wanted_look_ups_stand_in_the_ticket(store: Store) -> None:
    """A ticket lists what it wants to know in the order in which it came, each with its state and why."""
    skipped = wanted("c.example.org", state=LookupState.SKIPPED, reason="beyond the limit of one message")
    asks(store, "m1", wanted("a.example.org"), withheld("b.example.org"), skipped)
    assert store.ticket("1").lookups == tuple(store.lookups_of("1"))
    assert [
        (one.subject, one.kind, one.state, one.permission, one.reason, one.known) for one in store.lookups_of("1")
    ] == [
        ("a.example.org", DOMAIN, LookupState.WAITING, Permission.YES, "", None),
        ("b.example.org", DOMAIN, LookupState.WITHHELD, Permission.ASK, "withheld by TLP:GREEN", None),
        ("c.example.org", DOMAIN, LookupState.SKIPPED, Permission.YES, "beyond the limit of one message", None),
    ]
    with pytest.raises(NotFoundError):
        store.lookups_of("99")


def test_parked_message_looks_nothing_up(store: Store) -> None:
    """Without a ticket there is nobody who wants to know."""
    store.accept([arrival()])
    store.finish([parks(claim_one(store), wanted=(wanted(),))])
    assert claim(store) == []


def test_ticket_wants_each_thing_once(store: Store) -> None:
    """A follow-up that names the same again asks nothing again, and does not release what is withheld."""
    asks(store, "m1", wanted("a.example.org"), withheld("b.example.org"))
    store.accept([arrival("m2")])
    more = (wanted("a.example.org"), wanted("b.example.org"), wanted("c.example.org"))
    store.finish([joins(claim_one(store), 1, wanted=more)])
    assert states(store) == [
        ("a.example.org", "waiting"),
        ("b.example.org", "withheld"),
        ("c.example.org", "waiting"),
    ]


def test_look_ups_leave_when_their_time_has_come(store: Store) -> None:
    """Oldest first, none before its time, at most as many as asked for."""
    asks(store, "m1", *(wanted(f"{n}.example.org", not_before=NOON + n * MINUTE) for n in (3, 1, 2)))
    assert claim(store) == []
    assert subjects(claim(store, minutes=3, limit=2)) == ["1.example.org", "2.example.org"]
    assert subjects(claim(store, minutes=3)) == ["3.example.org"]
    assert states(store) == [("3.example.org", "asking"), ("1.example.org", "asking"), ("2.example.org", "asking")]


def test_question_is_asked_once_for_all_tickets(store: Store, other: Store) -> None:
    """While somebody asks, nobody else does; the answer is every ticket's that waits by then."""
    asks(store, "m1", wanted())
    asks(store, "m2", wanted())
    (task,) = claim(store)
    asks(store, "m3", wanted())
    assert claim(other) == []
    answer(store, task, found())
    for number in "123":
        (lookup,) = store.lookups_of(number)
        assert lookup.known is not None
        assert (LookupState.ANSWERED, "Registrar SA", NOON) == (lookup.state, lookup.known.answer.registrar, lookup.at)
    assert claim(store) == []


def test_kinds_of_questions_are_apart(store: Store) -> None:
    """The same name may be asked about in several ways at once."""
    asks(store, "m1", wanted(), wanted(kind=LookupKind.DELEGATION))
    domain, delegation = claim(store)
    answer(store, domain, found())
    assert states(store) == [(NAME, "answered"), (NAME, "asking")]
    answer(store, delegation, found(kind=LookupKind.DELEGATION))
    assert states(store) == [(NAME, "answered"), (NAME, "answered")]


def test_task_has_the_least_strict_tlp(store: Store) -> None:
    """The answer may be seen by all who wait; whoever is less strict and comes later asks for itself."""
    asks(store, "m1", wanted(tlp=Tlp.RED), tlp=Tlp.RED)
    asks(store, "m2", wanted(tlp=Tlp.AMBER), tlp=Tlp.AMBER)
    (task,) = claim(store)
    assert task.tlp is Tlp.AMBER
    asks(store, "m3", wanted(tlp=Tlp.CLEAR), tlp=Tlp.CLEAR)
    answer(store, task, found())
    assert [states(store, number)[0][1] for number in "123"] == ["answered", "answered", "waiting"]
    (task,) = claim(store)
    assert task.tlp is Tlp.CLEAR


def test_lost_lease_answers_nothing(store: Store, other: Store) -> None:
    """A looker that was too slow changes nothing any more, and its attempt is counted."""
    asks(store, "m1", wanted())
    (late,) = claim(store, lease=SHORT)
    time.sleep(0.1)
    (task,) = claim(other)
    assert (late.tries, task.tries) == (0, 1)
    answer(store, late, found())
    store.put_off_lookups([(late, NOON + DAY, "too late")], tried=True)
    store.want(late, LookupKind.ABUSE_CONTACT, NOON)
    assert states(store) == [(NAME, "asking")]
    assert store.known([(DOMAIN, NAME)], Tlp.RED, NOON) == []
    answer(other, task, found())
    assert states(store) == [(NAME, "answered")]


def test_expired_lease_that_nobody_took_still_counts(store: Store) -> None:
    """A slow looker may answer as long as nobody else asks."""
    asks(store, "m1", wanted())
    (task,) = claim(store, lease=SHORT)
    time.sleep(0.1)
    answer(store, task, found())
    assert states(store) == [(NAME, "answered")]


def test_look_up_is_put_off(store: Store) -> None:
    """It waits for its server whichever ticket asks, with the reason; only what was tried counts."""
    asks(store, "m1", wanted())
    (task,) = claim(store)
    asks(store, "m2", wanted())
    store.put_off_lookups([(task, NOON + 5 * MINUTE, "rdap.example.net has asked for a pause")], tried=False)
    assert claim(store, minutes=4) == []
    assert store.lookups_of("1")[0].reason == "rdap.example.net has asked for a pause"
    (task,) = claim(store, minutes=5)
    store.put_off_lookups([(task, NOON + 9 * MINUTE, "no answer")], tried=True)
    (task,) = claim(store, minutes=9)
    assert task.tries == 1


def test_failure_is_told(store: Store) -> None:
    """A look-up that failed is over, says why, and shows the answer of before where there was one."""
    asks(store, "m1", wanted())
    (task,) = claim(store)
    answer(store, task, failed(), fresh=MINUTE)
    (lookup,) = store.lookups_of("1")
    assert (LookupState.ANSWERED, "no answer in 8 s") == (lookup.state, lookup.reason)
    asks(store, "m2", wanted())
    (task,) = claim(store, minutes=5)
    answer(store, task, found(), minutes=5, fresh=MINUTE)
    asks(store, "m3", wanted())
    (lookup,) = store.lookups_of("3")
    assert lookup.known is not None
    (task,) = claim(store, minutes=10)
    answer(store, task, failed(), minutes=10, fresh=MINUTE)
    (lookup,) = store.lookups_of("3")
    assert lookup.known is not None
    assert (Result.FOUND, "no answer in 8 s") == (lookup.known.answer.result, lookup.reason)
    assert lines(store, "3") == ["1 failed"]


def test_cache_is_shown_at_once(store: Store) -> None:
    """What the cache had when the message was decided stands in its ticket; what is stale is asked again."""
    asks(store, "m1", wanted())
    (task,) = claim(store)
    answer(store, task, found(), fresh=5 * MINUTE)
    asks(store, "m2", wanted(state=LookupState.ANSWERED), network(state=LookupState.ANSWERED))
    first, second = store.lookups_of("2")
    assert first.known is not None
    assert (first.known.answer, second.known) == (found(), None)
    asks(store, "m3", wanted())
    (waits,) = store.lookups_of("3")
    assert waits.known is not None
    assert (LookupState.WAITING, found()) == (waits.state, waits.known.answer)
    assert lines(store, "2") == lines(store, "3") == []


def test_cache_answers_instead_of_a_server(store: Store) -> None:
    """What was answered since a look-up was planned is not asked again, and closes the look-ups of its message."""
    asks(store, "m1", wanted())
    (task,) = claim(store)
    answer(store, task, found())
    asks(store, "m2", wanted())
    asks(store, "m3", wanted(tlp=Tlp.CLEAR), tlp=Tlp.CLEAR)
    (task,) = claim(store)
    assert (task.subject, task.tlp) == (NAME, Tlp.CLEAR)
    assert states(store, "2") == [(NAME, "answered")]
    assert lines(store, "2") == ["1 found"]


def test_failure_in_the_cache_is_told_as_one(store: Store) -> None:
    """Where nobody answered a moment ago, nobody is asked, and the ticket says so."""
    asks(store, "m1", wanted())
    (task,) = claim(store)
    answer(store, task, failed(), fresh=5 * MINUTE)
    asks(store, "m2", wanted())
    assert claim(store) == []
    assert store.lookups_of("2")[0].reason == "no answer in 8 s"
    assert lines(store, "2") == ["1 failed"]


def test_answer_serves_who_waits_in_the_network(store: Store) -> None:
    """One answer closes what waits for other addresses of the network, also of other tickets, as far as it may."""
    asks(store, "m1", *(network(f"192.0.2.{n}", not_before=NOON + n * MINUTE) for n in (1, 2, 200)))
    asks(store, "m2", network("192.0.2.3", tlp=Tlp.CLEAR, not_before=NOON + MINUTE), tlp=Tlp.CLEAR)
    asks(store, "m3", network("192.0.2.4", tlp=Tlp.RED, not_before=NOON + DAY), tlp=Tlp.RED)
    (task,) = claim(store, minutes=1, limit=1)
    answer(store, task, found_network("192.0.2.0", "192.0.2.127", "192.0.2.1"), minutes=1)
    assert [state for number in "123" for _, state in states(store, number)] == [
        *("answered", "answered", "waiting", "waiting", "answered")
    ]
    (lookup,) = store.lookups_of("3")
    assert lookup.known is not None
    assert (lookup.known.answer.subject, lookup.known.answer.network) == ("192.0.2.4", "NET-EXAMPLE")
    assert subjects(claim(store, minutes=999)) == ["192.0.2.3", "192.0.2.200"]


def test_addresses_asked_at_once_are_answered_apart(store: Store) -> None:
    """What somebody asks already is left to that answer."""
    asks(store, "m1", network("192.0.2.1"), network("192.0.2.2"))
    first, second = claim(store)
    answer(store, first, found_network("192.0.2.0", "192.0.2.127", "192.0.2.1"))
    assert states(store) == [("192.0.2.1", "answered"), ("192.0.2.2", "asking")]
    answer(store, second, found_network("192.0.2.2", "192.0.2.2", "192.0.2.2"))
    assert lines(store) == ["2 found"]


def test_further_question(store: Store) -> None:
    """What an answer leaves open is asked for every ticket that waits for it, and the message waits for that too."""
    asks(store, "m1", network())
    asks(store, "m2", network(), wanted(ADDRESS, LookupKind.ABUSE_CONTACT))
    asks(store, "m0", withheld(ADDRESS, kind=NETWORK, tlp=Tlp.RED), tlp=Tlp.RED)
    store.release_lookups("3", (), (), "ana", NOON)
    (task, _) = claim(store)
    asks(store, "m3", network(), tlp=Tlp.AMBER)
    store.want(task, LookupKind.ABUSE_CONTACT, NOON)
    answer(store, task, found_network("192.0.2.0", "192.0.2.255", ADDRESS))
    kinds = [[(one.kind.value, one.state.value) for one in store.lookups_of(number)] for number in "1234"]
    assert kinds == [
        [("network", "answered"), ("abuse-contact", "waiting")],
        [("network", "answered"), ("abuse-contact", "asking")],
        [("network", "answered")],  # a handler released that one question
        [("network", "answered"), ("abuse-contact", "waiting")],
    ]
    assert lines(store) == []


def test_end_of_a_messages_look_ups_is_journaled_once(store: Store) -> None:
    """The ticket says what came of them, in numbers, when the last one of a message is over."""
    names = [f"{n}.example.org" for n in range(5)]
    late = withheld("late.example.org"), wanted("many.example.org", state=LookupState.SKIPPED)
    asks(store, "m1", *map(wanted, names), *late)
    for number, task in enumerate(claim(store)):
        assert lines(store) == []
        said = (found, lambda name: found(name, result=Result.NOT_FOUND), failed)[number % 3]
        answer(store, task, said(task.subject), minutes=number)
    assert lines(store) == ["2 found, 2 not found, 1 failed; 1 withheld, 1 not asked"]
    (line,) = (line for line in store.ticket("1").journal if line.actor == "looker")
    assert (line.action, line.at) == ("looked up", NOON + 4 * MINUTE)
    store.release_lookups("1", (), (), "ana", NOON)
    (task,) = claim(store)
    answer(store, task, found(task.subject))
    assert lines(store)[1:] == ["3 found, 2 not found, 1 failed; 1 not asked"]


def test_ticket_that_became_stricter_withholds(store: Store) -> None:
    """What was planned under a less strict TLP does not leave any more, and says why; a handler may release it."""
    asks(store, "m1", wanted("a.example.org"), wanted("b.example.org", not_before=NOON + DAY))
    asks(store, "m2", wanted("a.example.org"))
    store.set_by_hand("1", ByHand(tlp=Tlp.RED), "ana", NOON)
    (task,) = claim(store)
    assert (task.subject, task.tlp) == ("a.example.org", Tlp.GREEN)
    first, second = store.lookups_of("1")
    assert (first.state, second.state) == (LookupState.WITHHELD, LookupState.WAITING)
    assert (first.reason, first.permission) == ("withheld by TLP:RED, which the ticket has now", Permission.ASK)
    assert claim(store, minutes=9999) == []
    assert lines(store) == ["2 withheld"]
    store.release_lookups("1", ["b.example.org"], (), "ana", NOON)
    (task,) = claim(store)
    assert (task.subject, task.tlp) == ("b.example.org", Tlp.RED)


def test_follow_up_makes_the_ticket_stricter(store: Store) -> None:
    """A message that raises the ticket's TLP holds back what earlier ones wanted to know."""
    asks(store, "m1", wanted())
    store.accept([arrival("m2")])
    store.finish([joins(claim_one(store), 1)])
    assert claim(store) == []
    assert states(store) == [(NAME, "withheld")]
    assert store.lookups_of("1")[0].reason == "withheld by TLP:AMBER+STRICT, which the ticket has now"


def test_stricter_ticket_still_sees_what_others_asked(store: Store) -> None:
    """A cached answer is always allowed: what would be withheld now is answered from there."""
    asks(store, "m1", wanted())
    (task,) = claim(store)
    asks(store, "m2", wanted())
    store.set_by_hand("2", ByHand(tlp=Tlp.RED), "ana", NOON)
    answer(store, task, found())
    asks(store, "m3", wanted(not_before=NOON))
    store.set_by_hand("3", ByHand(tlp=Tlp.RED), "ana", NOON)
    assert claim(store) == []
    assert [states(store, number) for number in "23"] == [[(NAME, "answered")]] * 2


def test_ticket_that_became_less_strict_asks_for_itself(store: Store) -> None:
    """What waits is asked under the TLP that the ticket has, and what was asked under a stricter one is not shown."""
    asks(store, "m1", wanted("a.example.org", tlp=Tlp.RED), wanted("b.example.org", tlp=Tlp.RED), tlp=Tlp.RED)
    (task,) = claim(store, limit=1)
    answer(store, task, found("a.example.org"))
    store.set_by_hand("1", ByHand(tlp=Tlp.GREEN), "ana", NOON)
    assert [one.known for one in store.lookups_of("1")] == [None, None]
    (task,) = claim(store)
    assert (task.subject, task.tlp) == ("b.example.org", Tlp.GREEN)


def test_withheld_look_ups_are_released(store: Store) -> None:
    """A handler lets them be made, all or some; who it was stands with them and in the journal."""
    asks(store, "m1", *map(withheld, ("a.example.org", "b.example.org", "c.example.org")))
    (one,) = store.release_lookups("1", ["b.example.org"], [DOMAIN], "ana", NOON + MINUTE)
    assert (one.subject, one.state, one.released_by) == ("b.example.org", LookupState.WAITING, "ana")
    assert [one.subject for one in store.release_lookups("1", (), (), "rui", NOON)] == [
        "a.example.org",
        "c.example.org",
    ]
    assert subjects(claim(store, minutes=1)) == ["a.example.org", "c.example.org", "b.example.org"]
    assert [(line.actor, line.action, line.detail) for line in store.ticket("1").journal][1:] == [
        ("ana", "look-ups released", "domain of b.example.org"),
        ("rui", "look-ups released", "domain of a.example.org, domain of c.example.org"),
    ]


def test_many_released_look_ups_are_one_short_line(store: Store) -> None:
    """The journal names ten, and counts the others."""
    asks(store, "m1", *(withheld(f"{n:02}.example.org") for n in range(13)))
    assert len(store.release_lookups("1", (), (), "ana", NOON)) == 13
    assert store.ticket("1").journal[-1].detail.endswith("domain of 09.example.org and 3 more")


def test_policy_is_not_overruled(store: Store) -> None:
    """What the policy forbids is released by nobody: named, it is refused; among all, it is left out."""
    never = withheld("never.example.org", Permission.NO)
    asks(store, "m1", withheld("a.example.org"), never)
    for named in ((["never.example.org"], ()), (["a.example.org", "never.example.org"], ()), ((), [DOMAIN])):
        with pytest.raises(InputError):
            store.release_lookups("1", *named, "ana", NOON)
    for named in ((["none.example.org"], ()), ((), [NETWORK])):
        with pytest.raises(InputError):
            store.release_lookups("1", *named, "ana", NOON)
    assert states(store) == [("a.example.org", "withheld"), ("never.example.org", "withheld")]
    store.release_lookups("1", (), (), "ana", NOON)
    with pytest.raises(InputError):
        store.release_lookups("1", (), (), "ana", NOON)
    with pytest.raises(NotFoundError):
        store.release_lookups("99", (), (), "ana", NOON)
    assert states(store) == [("a.example.org", "waiting"), ("never.example.org", "withheld")]


def test_policy_of_the_tlp_that_a_ticket_has_now_is_not_overruled(store: Store) -> None:
    """What the policy lets go at TLP:GREEN stays where the ticket has become one of which it never leaves."""
    asks(store, "m1", wanted(), withheld("a.example.org"), network())
    store.set_by_hand("1", ByHand(tlp=Tlp.RED), "ana", NOON)
    assert claim(store) == []

    def forbids(kind: LookupKind, tlp: Tlp) -> bool:
        return (kind, tlp) == (DOMAIN, Tlp.RED)

    for named in (([NAME], ()), (["a.example.org"], ())):
        with pytest.raises(InputError):
            store.release_lookups("1", *named, "ana", NOON, forbids=forbids)
    assert [ADDRESS] == [one.subject for one in store.release_lookups("1", (), (), "ana", NOON, forbids=forbids)]
    store.set_by_hand("1", ByHand(tlp=Tlp.GREEN), "ana", NOON)
    assert len(store.release_lookups("1", (), (), "ana", NOON, forbids=forbids)) == 2


def test_looking_for_look_ups_is_no_change(store: Store, other: Store) -> None:
    """An idle looker wakes nobody up."""
    asks(store, "m1", wanted(not_before=NOON + DAY))
    store.wait(0)
    assert claim(other) == []
    other.server_answered("rdap.example.net")
    assert not store.wait(0.1)


def test_look_ups_are_counted(store: Store, engine: Engine) -> None:
    """What waits or is asked counts, and what is withheld of open tickets, since it was wanted."""
    asks(store, "m1", wanted("a.example.org"), wanted("b.example.org"), withheld("c.example.org"))
    asks(store, "m2", withheld("c.example.org"))
    engine.set_ticket_state(2, TicketState.CLOSED)
    claim(store, limit=1)
    gauges = {gauge.name: (gauge.count, gauge.oldest) for gauge in store.gauges() if gauge.name.startswith("look")}
    assert gauges == {"look-ups waiting": (2, NOON + MINUTE), "look-ups withheld": (1, NOON + MINUTE)}


def test_many_are_answered_from_the_cache_at_once(store: Store) -> None:
    """However many wait for what is known, the first that has to be asked is found in the same call."""
    asks(store, "m1", network("198.51.100.0"))
    (task,) = claim(store)
    answer(store, task, found_network("198.51.100.0", "198.51.101.255"))
    asks(store, "m2", *(network(f"198.51.100.{n}") for n in range(250)), wanted("last.example.org"))
    assert subjects(claim(store)) == ["last.example.org"]
    assert {one.state for one in store.lookups_of("2")[:-1]} == {LookupState.ANSWERED}


class Asking(RuleBasedStateMachine):
    """Tickets of any TLP ask, lookers claim, answer, fail and give up, handlers release and set TLPs."""

    store: Store
    count = 0

    def __init__(self) -> None:
        super().__init__()
        Asking.count += 1
        self.names = [f"{letter}{Asking.count}.example.org" for letter in "ab"]
        self.tickets: list[str] = []
        self.tasks: list[Task] = []
        self.minutes = 0

    @rule(which=st.integers(0, 1), tlp=st.sampled_from(Tlp), held=st.booleans())
    def ask(self, which: int, tlp: Tlp, held: bool) -> None:
        """A message wants to know something."""
        plan = withheld if held else wanted
        one = replace(plan(self.names[which]), tlp=tlp)
        name = f"s{Asking.count:04}-{len(self.tickets):04}"
        self.tickets.append(asks(self.store, name, one, tlp=tlp).number)

    @rule()
    def claim(self) -> None:
        """A looker takes what waits: nothing that is asked already."""
        claimed = claim(self.store, minutes=self.minutes)
        mine = [task for task in claimed if task.subject in self.names]
        held = {task.subject for task in self.tasks}
        assert not held & {task.subject for task in mine}
        self.tasks += mine

    @rule(data=st.data(), ends=st.sampled_from(["answer", "fail", "wait"]))
    def finish(self, data: st.DataObject, ends: str) -> None:
        """A question comes to its end, or has to wait."""
        if not self.tasks:
            return
        task = self.tasks.pop(data.draw(st.integers(0, len(self.tasks) - 1)))
        self.minutes += 1
        if ends == "wait":
            self.store.put_off_lookups([(task, NOON + self.minutes * MINUTE, "busy")], tried=True)
        else:
            said = found if ends == "answer" else failed
            answer(self.store, task, said(task.subject), minutes=self.minutes, fresh=2 * MINUTE, again=True)

    @rule(data=st.data(), tlp=st.sampled_from(Tlp))
    def decide(self, data: st.DataObject, tlp: Tlp) -> None:
        """A handler sets a ticket's TLP, or releases what it withholds."""
        if not self.tickets:
            return
        number = data.draw(st.sampled_from(self.tickets))
        if any(state == "withheld" for _, state in states(self.store, number)):
            self.store.release_lookups(number, (), (), "ana", NOON)
        else:
            self.store.set_by_hand(number, ByHand(tlp=tlp), "ana", NOON)

    @invariant()
    def nobody_sees_too_much(self) -> None:
        """No ticket shows what was asked under a stricter TLP than its own, and nothing is asked for nobody."""
        asked = set()
        for number in self.tickets:
            file = self.store.ticket(number)
            for lookup in file.lookups:
                assert lookup.known is None or lookup.known.tlp <= file.ticket.tlp
                if lookup.state is LookupState.ASKING:
                    asked.add(lookup.subject)
        assert asked == {task.subject for task in self.tasks}

    def teardown(self) -> None:
        """Nothing is lost: whatever still waits can be asked, and is over then."""
        self.tasks += claim(self.store, minutes=self.minutes + 9999)
        while self.tasks:
            for task in self.tasks:
                answer(self.store, task, found(task.subject), minutes=self.minutes + 9999)
            self.tasks = claim(self.store, minutes=self.minutes + 9999)
        ends = {state for number in self.tickets for _, state in states(self.store, number)}
        assert ends <= {"answered", "withheld"}


def test_any_order_of_events_is_safe(store: Store) -> None:
    """Whatever happens in whatever order: each question is asked once at a time, and no answer crosses a TLP."""
    machine = type("AskingHere", (Asking,), {"store": store})
    health = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    machine.TestCase.settings = settings(
        max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=health
    )
    machine.TestCase("runTest").runTest()
