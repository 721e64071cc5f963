"""What rules learn from look-ups and local files: the facts `lookup.*`, empty as long as nobody has answered."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from abuse_triage.enrichment.questions import Question
from abuse_triage.model.lookups import Answer, Enrichment, LookupKind, Result
from abuse_triage.rules.facts import FactValue

LATE_FACTS = "lookup."
"""Beginning of the names of these facts."""
_OWN_NAMES = frozenset([LookupKind.OWN_DOMAIN, LookupKind.DELEGATION])


def late_facts(enrichment: Enrichment, at: datetime) -> Mapping[str, FactValue]:
    """Return the facts about what a message points at; `at` is the time by which ages are counted."""
    asked = enrichment.asked
    answers = [enrichment.known[question].answer for question in asked if question in enrichment.known]
    found = [answer for answer in answers if answer.result is Result.FOUND]
    local = enrichment.offline.values()
    ages = [(at - answer.created).days for answer in found if answer.created is not None]
    return {
        "lookup.done": bool(answers),
        "lookup.country": _each((answer.country for answer in found), (one.country for one in local)),
        "lookup.asn": _each(str(one.asn) for one in local if one.asn),
        "lookup.network": _each(answer.network for answer in found),
        "lookup.holder": _each((answer.holder for answer in found), (one.as_name for one in local)),
        "lookup.registrar": _each(name for answer in found for name in (answer.registrar, answer.managed_by)),
        "lookup.owner": _each(one.owner for one in local),
        "lookup.name_server": _each(name for answer in found for name in answer.name_servers),
        "lookup.age": max(0, min(ages)) if ages else -1,
        "lookup.unsigned": any(_unsigned(answer, asked) for answer in found),
    }


def _unsigned(answer: Answer, asked: Sequence[Question]) -> bool:
    """Tell whether an answer shows a name of ours whose delegation is not signed."""
    ours = (LookupKind.OWN_DOMAIN, answer.subject) in asked
    return ours and answer.kind in _OWN_NAMES and answer.signed is False


def _each(*values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for some in values for value in some if value))
