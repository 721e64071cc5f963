"""Facts and rules → verdict: gate, mark, classify, route, each step written down in the trace."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from abuse_triage.model.decision import Priority, TicketKind, Tlp, TraceEntry, Verdict
from abuse_triage.rules.conditions import View
from abuse_triage.rules.facts import Facts
from abuse_triage.rules.ruleset import Rule, Ruleset
from abuse_triage.rules.schema import ClassifyThen, MarkThen, RouteThen, Then

POINTS = {"weak": 10, "medium": 25, "strong": 50, "decisive": 100}
"""What the words for weights stand for; a decisive vote also wins over any sum of others."""
DEFAULT_PRIORITY = Priority.P3
"""Priority where no rule speaks of one."""


def evaluate(
    ruleset: Ruleset,
    facts: Facts,
    *,
    kind: TicketKind,
    default_tlp: Tlp,
    marked: Tlp | None,
    promoted: bool = False,
) -> Verdict:
    """Decide about one message.

    `kind` and `default_tlp` are those of the mailbox; `marked` is the strictest marking that stood in the message, None
    without one. Rules raise the TLP above either and never lower it. With `promoted` a person has overruled the gate:
    its rules speak in the trace, and the message goes on. Never raises: facts that are absent or odd only make
    conditions fail.
    """
    return consider(ruleset, facts, kind=kind, default_tlp=default_tlp, marked=marked, promoted=promoted)[0]


def consider(
    ruleset: Ruleset,
    facts: Facts,
    *,
    kind: TicketKind,
    default_tlp: Tlp,
    marked: Tlp | None,
    promoted: bool = False,
) -> tuple[Verdict, View]:
    """Decide as `evaluate` does, and return what the rules saw as well.

    Decision facts that are given already are kept: that is how the tests of route rules give them.
    """
    view = View(ruleset.engines, facts)
    trace: list[TraceEntry] = []
    parked = _gate(ruleset, view, trace)
    if parked and not promoted:
        verdict = Verdict(
            category=ruleset.decide.otherwise.category,
            type=ruleset.taxonomy.undetermined,
            tlp=default_tlp if marked is None else marked,
            tlp_marked=marked is not None,
            priority=DEFAULT_PRIORITY,
            kind=kind,
            reason=f"parked: {parked}",
            generation=ruleset.generation,
            parked=parked,
            acknowledge=False,
            trace=tuple(trace),
        )
        return verdict, view
    marks = _mark(ruleset, view, trace)
    tlp = max([default_tlp if marked is None else marked, *marks.tlps])
    decision = _classify(ruleset, view, trace)
    view.add(
        {
            "decision.category": decision.category,
            "decision.type": decision.type,
            "decision.score": decision.scores[0][1] if decision.scores else 0,
            "decision.review": decision.review,
            "decision.tags": tuple(marks.tags),
            "decision.tlp": str(tlp),
        }
    )
    route = _route(ruleset, view, trace)
    urgent = [*marks.priorities, *([route.priority] if route.priority else [])]
    verdict = Verdict(
        category=decision.category,
        type=decision.type,
        tlp=tlp,
        tlp_marked=marked is not None,
        priority=min(urgent, default=DEFAULT_PRIORITY),
        kind=TicketKind(route.kind) if route.kind else kind,
        reason=decision.reason,
        generation=ruleset.generation,
        review=decision.review,
        tags=tuple(marks.tags),
        queue=route.queue or "",
        assign=route.assign or "",
        acknowledge=not marks.silent and route.reply != "none",
        notify=marks.notify or bool(route.notify),
        scores=tuple(decision.scores),
        trace=tuple(trace),
    )
    return verdict, view


def _entry(rule: Rule[Then], view: View, effect: str, *, notifies: bool = False) -> TraceEntry:
    return TraceEntry(
        phase=rule.phase,
        rule=rule.id,
        file=rule.file,
        line=rule.line,
        why=rule.why,
        because=rule.because(view),
        effect=effect,
        applied=not rule.shadow,
        notifies=notifies,
    )


def _gate(ruleset: Ruleset, view: View, trace: list[TraceEntry]) -> str:
    """Return why the message is parked, "" where it goes on."""
    for rule in ruleset.gate.holding(view):
        trace.append(_entry(rule, view, f"park: {rule.then.park}" if rule.then.park else "accept"))
        if not rule.shadow:
            return rule.then.park or ""
    return ""


@dataclass(slots=True)
class _Marks:
    tlps: list[Tlp] = field(default_factory=list)
    priorities: list[Priority] = field(default_factory=list)
    tags: dict[str, None] = field(default_factory=dict)
    silent: bool = False
    notify: bool = False


def _mark(ruleset: Ruleset, view: View, trace: list[TraceEntry]) -> _Marks:
    marks = _Marks()
    for rule in ruleset.mark.holding(view):
        trace.append(_entry(rule, view, _mark_effect(rule.then, rule.why), notifies=bool(rule.then.notify)))
        if rule.shadow:
            continue
        marks.tlps += [rule.then.tlp] if rule.then.tlp else []
        marks.priorities += [rule.then.priority] if rule.then.priority else []
        marks.tags.update(dict.fromkeys(rule.then.tags))
        marks.silent = marks.silent or rule.then.reply == "none"
        marks.notify = marks.notify or bool(rule.then.notify)
    return marks


def _mark_effect(then: MarkThen, why: str) -> str:
    said = [
        f"at least {then.tlp.label}" if then.tlp else "",
        f"priority at least {then.priority}" if then.priority else "",
        f"tags {', '.join(then.tags)}" if then.tags else "",
        "handlers are told at once" if then.notify else "",
        f"no acknowledgement: {why}" if then.reply else "",
    ]
    return "; ".join(filter(None, said))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decision:
    category: str
    type: str
    reason: str
    review: bool
    scores: Sequence[tuple[str, int]]


def _classify(ruleset: Ruleset, view: View, trace: list[TraceEntry]) -> _Decision:
    rules = []
    for rule in ruleset.classify.holding(view):
        trace.append(_entry(rule, view, _vote_effect(rule.then)))
        if not rule.shadow:
            rules.append(rule)
    scores = _scores(ruleset, rules)
    decisive = {
        category: rule.id for rule in rules for category, weight in rule.then.vote.items() if weight == "decisive"
    }
    category, reason = _winner(ruleset, scores, decisive)
    if category:
        kind_of_it = _type(ruleset, rules, category)
        return _Decision(category=category, type=kind_of_it, reason=reason, review=False, scores=scores)
    otherwise = ruleset.decide.otherwise
    undetermined = ruleset.taxonomy.undetermined
    return _Decision(
        category=otherwise.category, type=undetermined, reason=reason, review=otherwise.review, scores=scores
    )


def _points(weight: int | str) -> int:
    return weight if isinstance(weight, int) else POINTS[weight]


def _vote_effect(then: ClassifyThen) -> str:
    votes = [
        f"{category} {_points(weight):+d}{f' ({weight})' if isinstance(weight, str) else ''}"
        for category, weight in then.vote.items()
    ]
    return ", ".join(votes) + (f"; type {then.type}" if then.type else "")


def _scores(ruleset: Ruleset, rules: Sequence[Rule[ClassifyThen]]) -> list[tuple[str, int]]:
    """Add up the votes, best first; equal sums in the order of the taxonomy."""
    sums: Counter[str] = Counter()
    for rule in rules:
        for category, weight in rule.then.vote.items():
            sums[category] += _points(weight)
    order = list(ruleset.taxonomy.categories)
    return sorted(sums.items(), key=lambda score: (-score[1], order.index(score[0])))


def _winner(ruleset: Ruleset, scores: Sequence[tuple[str, int]], decisive: dict[str, str]) -> tuple[str, str]:
    """Return the category that won, "" if none did, and one sentence that says why."""
    if len(decisive) > 1:
        sides = " and ".join(f"{category} ({rule})" for category, rule in decisive.items())
        return "", f"undetermined: decisive rules disagree: {sides}"
    if decisive:
        ((category, rule),) = decisive.items()
        return category, f"{category}: {rule} decides"
    if not scores:
        return "", "undetermined: no rule recognised a class of incident"
    (best, points), (second, next_points) = scores[0], scores[1] if len(scores) > 1 else ("", 0)
    runner_up = f", next is {second} with {next_points}" if second else ""
    if points < ruleset.decide.accept:
        return "", f"undetermined: {best} has {points} points of the {ruleset.decide.accept} it needs{runner_up}"
    if second and points - next_points < ruleset.decide.margin:
        wanted = f"less than {ruleset.decide.margin} points apart"
        return "", f"undetermined: {best} with {points} and {second} with {next_points} are {wanted}"
    return best, f"{best} has {points} points{runner_up}"


def _type(ruleset: Ruleset, rules: Sequence[Rule[ClassifyThen]], category: str) -> str:
    """Return the type of the category that most points speak for, "" where none was named."""
    sums: Counter[str] = Counter()
    for rule in rules:
        if rule.then.type and ruleset.taxonomy.category_of_type[rule.then.type] == category:
            weight = rule.then.vote[category]
            sums[rule.then.type] += _points(weight) + (1000 if weight == "decisive" else 0)
    order = list(ruleset.taxonomy.category_of_type)
    return min(sums, key=lambda kind: (-sums[kind], order.index(kind)), default="")


def _route(ruleset: Ruleset, view: View, trace: list[TraceEntry]) -> RouteThen:
    """Return what the first rule that holds says, nothing where none does."""
    for rule in ruleset.route.holding(view):
        trace.append(_entry(rule, view, _route_effect(rule.then, rule.why), notifies=bool(rule.then.notify)))
        if not rule.shadow:
            return rule.then
    return RouteThen.model_construct()


def _route_effect(then: RouteThen, why: str) -> str:
    said = [
        f"priority {then.priority}" if then.priority else "",
        f"queue {then.queue}" if then.queue else "",
        f"assign {then.assign}" if then.assign else "",
        f"kind {then.kind}" if then.kind else "",
        "handlers are told at once" if then.notify else "",
        f"no acknowledgement: {why}" if then.reply else "",
    ]
    return "; ".join(filter(None, said))
