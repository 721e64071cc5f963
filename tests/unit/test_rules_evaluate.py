"""The four phases decide as documented, and the trace says why."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rulesets import decide, ruleset

from abuse_triage.model.decision import Phase, Priority, TicketKind, Tlp, TraceEntry
from abuse_triage.rules.facts import FactValue


def gate(name: str, then: str) -> str:
    """Return a gate rule that speaks where its name is in the subject."""
    return f"id: gate.{name}\nphase: gate\nwhen: {{subject: {{words: [{name}]}}}}\nthen: {{{then}}}"


def mark(name: str, then: str) -> str:
    """Return a mark rule that speaks where its name is in the subject."""
    return f"id: mark.{name}\nphase: mark\nwhen: {{subject: {{words: [{name}]}}}}\nthen: {{{then}}}"


def vote(name: str, votes: str, kind: str = "") -> str:
    """Return a classify rule that speaks where its name is in the subject."""
    then = f"{{vote: {{{votes}}}" + (f", type: '{kind}'}}" if kind else "}")
    return f"id: cls.{name}\nphase: classify\nwhen: {{subject: {{words: [{name}]}}}}\nthen: {then}"


def route(name: str, when: str, then: str) -> str:
    """Return a route rule."""
    return f"id: route.{name}\nphase: route\nwhen: {when}\nthen: {{{then}}}"


GATES = ruleset(gate("good", "accept: true"), gate("bad", "park: a bad one"), gate("worse", "park: a worse one"))


@pytest.mark.parametrize(
    ("subject", "parked"),
    [("nothing", ""), ("bad", "a bad one"), ("worse, bad", "a bad one"), ("good, bad", "")],
)
def test_the_first_gate_rule_wins(subject: str, parked: str) -> None:
    """Rules of the gate are asked in order, and the first that speaks decides."""
    assert parked == decide(GATES, {"subject": subject}).parked


def test_parked_messages_are_decided_no_further() -> None:
    """What is parked gets no acknowledgement, and no other rule speaks; a marking still holds."""
    rules = ruleset(gate("bad", "park: a bad one"), mark("bad", "tlp: red"), vote("bad", "fraud: strong"))
    verdict = decide(rules, {"subject": "bad"}, marked=Tlp.AMBER)

    assert "parked: a bad one" == verdict.reason
    assert ("other", "other:undetermined") == (verdict.category, verdict.type)
    assert (Tlp.AMBER, True) == (verdict.tlp, verdict.tlp_marked)
    assert not verdict.acknowledge
    assert ["gate.bad"] == [entry.rule for entry in verdict.trace]
    assert Tlp.GREEN == decide(rules, {"subject": "bad"}).tlp


def test_marks_add_up() -> None:
    """The strictest TLP, the most urgent priority and all tags of all rules that speak."""
    rules = ruleset(
        mark("a", "tlp: amber, priority: p2, tags: [one, two]"),
        mark("b", "tlp: green, priority: p1, tags: [two, three]"),
        mark("c", "reply: none"),
    )
    verdict = decide(rules, {"subject": "b a"})

    assert Tlp.AMBER == verdict.tlp
    assert Priority.P1 == verdict.priority
    assert ("one", "two", "three") == verdict.tags
    assert verdict.acknowledge
    assert not decide(rules, {"subject": "c"}).acknowledge


@settings(deadline=None)
@given(
    default=st.sampled_from(Tlp),
    marked=st.none() | st.sampled_from(Tlp),
    said=st.sets(st.sampled_from(Tlp), max_size=3),
)
def test_rules_never_lower_the_tlp(default: Tlp, marked: Tlp | None, said: set[Tlp]) -> None:
    """The TLP is the strictest of the marking, or else the default, and what the rules say."""
    subject = " ".join(f"level{tlp.rank}" for tlp in said)
    verdict = decide(LEVELS, {"subject": subject}, default_tlp=default, marked=marked)

    assert max({marked or default, *said}) == verdict.tlp
    assert (marked is not None) is verdict.tlp_marked


LEVELS = ruleset(*(mark(f"level{tlp.rank}", f"tlp: {tlp}") for tlp in Tlp))


@settings(deadline=None)
@given(st.sets(st.sampled_from(["a", "b", "c", "d", "e"])))
def test_more_marks_never_make_a_ticket_less_strict_or_less_urgent(names: set[str]) -> None:
    """Marks form a lattice: every further rule that speaks keeps or raises."""
    some = decide(MARKS, {"subject": " ".join(names)})
    more = decide(MARKS, {"subject": " ".join({*names, "a"})})

    assert more.tlp >= some.tlp
    assert more.priority <= some.priority or not {"a", "b", "d"} & names
    assert set(more.tags) >= set(some.tags)


MARKS = ruleset(
    mark("a", "tlp: amber, priority: p2, tags: [x]"),
    mark("b", "tlp: red, priority: p1"),
    mark("c", "tags: [y]"),
    mark("d", "priority: p4"),
    mark("e", "reply: none"),
)
VOTES = ruleset(
    vote("weak", "fraud: weak"),
    vote("medium", "fraud: medium, availability: weak"),
    vote("strong", "fraud: strong", "fraud:phishing"),
    vote("number", "fraud: 41", "fraud:copyright"),
    vote("against", "fraud: -30"),
    vote("down", "availability: strong", "availability:outage"),
    vote("sure", "intrusion: decisive"),
    vote("certain", "fraud: decisive", "fraud:masquerade"),
)


@pytest.mark.parametrize(
    ("subject", "category", "kind", "scores", "reason"),
    [
        ("nothing", "other", "other:undetermined", (), "undetermined: no rule recognised a class of incident"),
        ("strong", "fraud", "fraud:phishing", (("fraud", 50),), "fraud has 50 points"),
        (
            "weak",
            "other",
            "other:undetermined",
            (("fraud", 10),),
            "undetermined: fraud has 10 points of the 40 it needs",
        ),
        ("number", "fraud", "fraud:copyright", (("fraud", 41),), "fraud has 41 points"),
        ("weak strong number", "fraud", "fraud:phishing", (("fraud", 101),), "fraud has 101 points"),
        (
            "strong medium",
            "fraud",
            "fraud:phishing",
            (("fraud", 75), ("availability", 10)),
            "fraud has 75 points, next is availability with 10",
        ),
        (
            "number down",
            "other",
            "other:undetermined",
            (("availability", 50), ("fraud", 41)),
            "undetermined: availability with 50 and fraud with 41 are less than 20 points apart",
        ),
        (
            "strong against down",
            "availability",
            "availability:outage",
            (("availability", 50), ("fraud", 20)),
            "availability has 50 points, next is fraud with 20",
        ),
        (
            "against",
            "other",
            "other:undetermined",
            (("fraud", -30),),
            "undetermined: fraud has -30 points of the 40 it needs",
        ),
        (
            "sure strong number weak",
            "intrusion",
            "",
            (("fraud", 101), ("intrusion", 100)),
            "intrusion: cls.sure decides",
        ),
        ("certain strong number", "fraud", "fraud:masquerade", (("fraud", 191),), "fraud: cls.certain decides"),
        (
            "sure certain",
            "other",
            "other:undetermined",
            (("intrusion", 100), ("fraud", 100)),
            "undetermined: decisive rules disagree: intrusion (cls.sure) and fraud (cls.certain)",
        ),
    ],
)
def test_votes(subject: str, category: str, kind: str, scores: tuple[tuple[str, int], ...], reason: str) -> None:
    """Votes add up; a category wins with enough points, enough ahead, or by a decisive vote that nobody contradicts."""
    verdict = decide(VOTES, {"subject": subject})

    assert (category, kind) == (verdict.category, verdict.type)
    assert scores == verdict.scores
    assert reason == verdict.reason
    assert (kind == "other:undetermined") is verdict.review


@pytest.mark.parametrize(
    ("accept", "margin", "category"),
    [(50, 9, "availability"), (51, 9, "other"), (50, 10, "other"), (1, 0, "availability")],
)
def test_thresholds(accept: int, margin: int, category: str) -> None:
    """Points at the threshold are enough, one less is not."""
    rules = ruleset(
        vote("down", "availability: 50"),
        vote("fake", "fraud: 41"),
        head=f"decide: {{accept: {accept}, margin: {margin}}}",
    )

    assert category == decide(rules, {"subject": "down fake"}).category


def test_equal_sums_without_a_margin() -> None:
    """Where no margin is asked for, the order of the taxonomy decides between equals."""
    rules = ruleset(vote("fake", "fraud: 50"), vote("down", "availability: 50"), head="decide: {margin: 0}")

    assert "availability" == decide(rules, {"subject": "down fake"}).category


def test_otherwise() -> None:
    """What nobody won goes where the rule set says."""
    rules = ruleset(
        vote("down", "availability: 50"), head="decide: {otherwise: {category: abusive-content, review: false}}"
    )
    verdict = decide(rules, {"subject": "nothing"})

    assert ("abusive-content", "other:undetermined", False) == (verdict.category, verdict.type, verdict.review)


@settings(deadline=None)
@given(st.permutations(["weak", "medium", "strong", "number", "against", "down"]), st.integers(0, 6))
def test_the_order_of_words_does_not_matter(names: list[str], count: int) -> None:
    """Scores depend on which rules speak, not on where their words stand."""
    shuffled = decide(VOTES, {"subject": " ".join(names[:count])})

    assert decide(VOTES, {"subject": " ".join(sorted(names[:count]))}) == shuffled


ROUTES = ruleset(
    vote("fake", "fraud: strong", "fraud:phishing"),
    mark("urgent", "priority: p2, tags: [hurry]"),
    route(
        "first",
        "{all: [{decision.category: fraud}, {decision.type: 'fraud:phishing'}, {decision.score: {gte: 50}}]}",
        "priority: p3, queue: takedown, assign: on-call",
    ),
    route("second", "{decision.tags: hurry}", "priority: p4, queue: second"),
    route("third", "{all: [{decision.tlp: red}, {decision.tags: {words: [nothing]}}]}", "queue: third"),
    route("fourth", "{all: [{decision.review: true}, {decision.tlp: red}]}", "reply: none, kind: enquiry"),
)


def test_the_first_route_wins() -> None:
    """Routes see the decision; the first that holds says where the ticket goes."""
    verdict = decide(ROUTES, {"subject": "fake urgent"})

    assert ("takedown", "on-call", Priority.P2) == (verdict.queue, verdict.assign, verdict.priority)


def test_a_mark_is_not_lowered_by_a_route() -> None:
    """The most urgent of mark and route counts; without either it is the default."""
    assert Priority.P2 == decide(ROUTES, {"subject": "urgent"}).priority
    assert "second" == decide(ROUTES, {"subject": "urgent"}).queue
    assert Priority.P3 == decide(ROUTES, {"subject": "nothing"}).priority


def test_routes_may_silence_and_change_the_kind() -> None:
    """No acknowledgement, and another kind than the mailbox's."""
    verdict = decide(ROUTES, {"subject": "x"}, marked=Tlp.RED)

    assert TicketKind.ENQUIRY is verdict.kind
    assert not verdict.acknowledge
    assert "no acknowledgement: a reason for a person" in verdict.trace[-1].effect


@pytest.mark.parametrize(
    ("subject", "notify"),
    [("quiet", False), ("alarm", True), ("alarm quiet", True), ("path", True), ("bad alarm", False), ("test", False)],
)
def test_marks_and_the_route_ask_to_tell_handlers_at_once(subject: str, notify: bool) -> None:
    """One rule that asks is enough; a parked message tells nobody, and neither does a rule in shadow."""
    rules = ruleset(
        gate("bad", "park: a bad one"),
        mark("quiet", "tags: [x]"),
        mark("alarm", "notify: true"),
        mark("test", "notify: true") + "\nstatus: shadow",
        route("path", "{subject: {words: [path]}}", "queue: fast, notify: true"),
    )
    verdict = decide(rules, {"subject": subject})

    assert notify is verdict.notify
    assert notify is any(entry.notifies and entry.applied for entry in verdict.trace)
    assert notify is any("handlers are told at once" in entry.effect for entry in verdict.trace if entry.applied)


def test_decision_facts_that_are_given_are_kept() -> None:
    """The tests of route rules say themselves what was decided."""
    assert "takedown" == decide(
        ROUTES, {"decision.category": "fraud", "decision.type": "fraud:phishing", "decision.score": 50}
    ).queue  # fmt: skip


def test_the_kind_of_the_mailbox() -> None:
    """Without a route that says otherwise the ticket is of the mailbox's kind."""
    assert TicketKind.ENQUIRY is decide(VOTES, {}, kind=TicketKind.ENQUIRY).kind
    assert TicketKind.INCIDENT is decide(VOTES, {}).kind


def test_the_trace() -> None:
    """Each rule that spoke stands in the trace with place, reason, facts and effect, phase by phase."""
    rules = ruleset(
        route("r", "{decision.category: fraud}", "priority: p1, queue: q, assign: a, kind: incident, reply: none"),
        vote("v", "fraud: strong, availability: -5", "fraud:phishing"),
        mark("m", "tlp: amber, priority: p2, tags: [t], reply: none"),
        gate("g", "accept: true"),
    )
    facts: dict[str, FactValue] = {"subject": "g m v"}

    def entry(phase: Phase, rule: str, line: int, because: tuple[str, str], effect: str) -> TraceEntry:
        return TraceEntry(
            phase=phase,
            rule=rule,
            file="test.yaml",
            line=line,
            why="a reason for a person",
            because=(because,),
            effect=effect,
        )

    assert (
        entry(Phase.GATE, "gate.g", 29, ("subject", "g"), "accept"),
        entry(
            Phase.MARK,
            "mark.m",
            21,
            ("subject", "m"),
            "at least TLP:AMBER; priority at least p2; tags t; no acknowledgement: a reason for a person",
        ),
        entry(
            Phase.CLASSIFY,
            "cls.v",
            13,
            ("subject", "v"),
            "fraud +50 (strong), availability -5; type fraud:phishing",
        ),
        entry(
            Phase.ROUTE,
            "route.r",
            5,
            ("decision.category", "fraud"),
            "priority p1; queue q; assign a; kind incident; no acknowledgement: a reason for a person",
        ),
    ) == decide(rules, facts).trace


def test_shadow_rules_speak_without_effect() -> None:
    """In every phase a rule in shadow stands in the trace, not applied."""
    shadow = "\nstatus: shadow"
    rules = ruleset(
        gate("x", "park: why") + shadow,
        mark("x", "tlp: red, priority: p1, tags: [t]") + shadow,
        vote("x", "fraud: decisive") + shadow,
        route("x", "{subject: x}", "queue: q") + shadow,
    )
    verdict = decide(rules, {"subject": "x"})

    assert [False] * 4 == [entry.applied for entry in verdict.trace]
    assert ("", Tlp.GREEN, Priority.P3, (), "other", "") == (
        verdict.parked, verdict.tlp, verdict.priority, verdict.tags, verdict.category, verdict.queue
    )  # fmt: skip


def test_exceptions() -> None:
    """A rule does not hold where one of its exceptions does."""
    rules = ruleset(
        vote("fake", "fraud: strong")
        + "\nexcept:\n  - {id: training, when: {subject: {words: [webinar]}}}\n  - {id: test, when: {lang: xx}}"
    )

    assert "fraud" == decide(rules, {"subject": "fake"}).category
    assert "other" == decide(rules, {"subject": "fake webinar"}).category
    assert "other" == decide(rules, {"subject": "fake", "lang": "xx"}).category


def test_the_generation_goes_with_the_verdict() -> None:
    """Every verdict says which rules decided, parked or not."""
    assert VOTES.generation == decide(VOTES, {}).generation
    assert GATES.generation == decide(GATES, {"subject": "bad"}).generation
