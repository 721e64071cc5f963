"""An operator's templates written out before they answer anybody, over everything that may be said in them."""

import traceback
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from abuse_triage.model.decision import Tlp
from abuse_triage.model.identity import Team
from abuse_triage.model.report import Kind
from abuse_triage.model.settings import Settings
from abuse_triage.model.ticket import NUMBER_PLACEHOLDER
from abuse_triage.replies.acknowledgement import incident_address
from abuse_triage.replies.missing import LOGS, MESSAGE, PAGE, SOURCE, TIME
from abuse_triage.replies.sandbox import WIDTH
from abuse_triage.replies.wording import SUBJECT, Wording, parts_of, signature

_LONGEST_NUMBER = 54
"""Characters of a ticket's number that a line has to have room for; a longer one may make it wider."""
_LONGEST_SUBJECT = 60
_COMMON = 8
"""Characters that a written line and one of the template have in common at least, to be taken for the same."""
_SHOWN = 40
_NO_BREAK = "\xa0"
_WHO = "who-answers"
"""In place of the team's name and of `contact`, to see whether a template says one of them."""
_ASKED = (TIME, SOURCE, PAGE, LOGS, MESSAGE)
_THEIRS = "CERT-EXAMPLE|Incident Response #2026-11-21-000000000123456"


def problems(wording: Wording, settings: Settings, categories: Sequence[tuple[str, str]]) -> list[str]:
    """Write out the operator's own templates, and return what is wrong with them as lines `file:line: problem`.

    They are written with the team of the settings, and with one that says nothing and one that says much, for
    everything that a report may lack or have. A line is at most 68 columns wide with the numbers of these settings,
    unless such a number is longer than 54 characters. The line is left out where it cannot be told.

    Args:
        wording: with the templates.
        settings: that hold.
        categories: names of the categories in Portuguese and in English.
    """
    names = {"pt": ["-", *(pt for pt, _ in categories)], "en": ["-", *(en for _, en in categories)]}
    found: list[str] = []
    for name in sorted(wording.own):
        doubts = _rehearse(wording, settings, name, max(names[parts_of(name)[0]], key=len))
        found += [f"{wording.place}{name}{f':{line}' if line else ''}: {problem}" for line, problem in doubts]
    return found


def unsigned(wording: Wording, settings: Settings) -> list[str]:
    """Name the operator's own templates that never say who answers: neither by `contact` nor by the team's name.

    A reader cannot tell such a mail from a forged one; it is for the operator to decide whether it says so otherwise.
    """
    team = signature(settings.team.model_copy(update={"name": _WHO}), "en")
    found = []
    for name in sorted(wording.own):
        language, template = parts_of(name)
        samples = _samples(template, settings, "-")
        texts = (wording.text(template, language, {**values, "team": team, "contact": _WHO}) for values in samples)
        if not any(_WHO in text or settings.team.name in text for text in texts):
            found.append(name)
    return found


def _rehearse(wording: Wording, settings: Settings, name: str, category: str) -> list[tuple[int, str]]:
    """Write one template out for three teams, and return lines and problems; of a line that is too wide the widest."""
    language, template = parts_of(name)
    source = wording.own[name].splitlines()
    found: dict[tuple[int, str], None] = {}
    widest: dict[int, str] = {}
    for team in (settings.team, _silent(settings.team), _wordy(settings.team)):
        for values in _samples(template, settings, category):
            given = {**values, "team": signature(team, language), "contact": "."}
            try:
                text = wording.text(template, language, given).replace(NUMBER_PLACEHOLDER, number(settings))
            except Exception as error:  # noqa: BLE001 -- a template may do anything wrong, and all of it is told
                found[_where(error), str(error)] = None
                continue
            found |= dict.fromkeys(_doubts(template, text, settings, values, source))
            for line in _too_wide(text, settings) if team is settings.team else ():
                place = _line(line, source)
                widest[place] = max(line, widest.get(place, ""), key=len)
    for place, line in widest.items():
        found[place, f"a line has {len(line)} columns, at most {WIDTH} fit: {line[:_SHOWN]}…"] = None
    return list(found)


def number(settings: Settings) -> str:
    """Return a ticket's number as it may be, long rather than short."""
    return settings.tickets.number.format(prefix=settings.team.ticket_prefix, year=2026, sequence=999_999)


def _silent(team: Team) -> Team:
    return Team(name=team.name, ticket_prefix=team.ticket_prefix, timezone=team.timezone)


def _wordy(team: Team) -> Team:
    line = "All of it, " * 18
    return team.model_copy(
        update={
            "name": "N" * 60,
            "organisation": line,
            "hours_pt": line,
            "hours_en": line,
            "telephones": (line, line, line),
            "openpgp_fingerprint": "F" * 40,
            "policy_url": "u" * 200,
        }
    )


def _samples(template: str, settings: Settings, category: str) -> Iterator[Mapping[str, object]]:
    """Yield the variables of a template, but those that follow from the team, in every combination that matters."""
    if template == "team":
        yield {}
    elif template == "folded":
        one = number(settings)
        for other_follows, numbers, more in product((True, False), ((one,), (one, one)), (0, 7)):
            yield {"numbers": numbers, "more": more, "other_follows": other_follows}
    else:
        yield from _tickets(template, settings, category)


def _tickets(template: str, settings: Settings, category: str) -> Iterator[Mapping[str, object]]:
    incident = template == "incident"
    for other_follows, theirs, (until, hours), (tlp, marked, sealed, use_key), address, dsa, missing, count in product(
        (True, False),
        ("", _THEIRS),
        (("2026-11-22 14:30 (WEST)", 24), ("", 1)),
        (
            (Tlp.GREEN, False, False, False),
            (Tlp.AMBER_STRICT, True, False, bool(settings.team.openpgp_fingerprint)),
            (Tlp.AMBER, False, True, False),
        ),
        ("",) if incident else ("", incident_address(settings.mailbox)),
        (True, False) if incident else (False,),
        ((), _ASKED) if incident else ((),),
        (0, 1, 2000) if incident else (0,),
    ):
        yield {
            "number": NUMBER_PLACEHOLDER,
            "their_number": theirs,
            "category": category,
            "counts": dict.fromkeys(Kind, count),
            "missing": missing,
            "tlp": tlp.label,
            "tlp_marked": marked,
            "until": until,
            "hours": hours,
            "sealed": sealed,
            "use_key": use_key,
            "dsa": dsa,
            "incident_address": address,
            "other_follows": other_follows,
        }


def _doubts(
    template: str, text: str, settings: Settings, values: Mapping[str, object], source: list[str]
) -> Iterator[tuple[int, str]]:
    """Yield what is wrong with a text that was written, as line of the template (0 where unknown) and problem."""
    if template != "team":
        first, second, *_ = [*text.split("\n"), "", ""]
        subject = first.removeprefix(SUBJECT).strip()
        if not first.startswith(SUBJECT) or not subject or second:
            yield 0, f'should begin with one line "{SUBJECT}…" and an empty line behind it'
        elif len(subject) > _LONGEST_SUBJECT:
            yield 0, f"the subject has {len(subject)} characters; {_LONGEST_SUBJECT} are enough"
        if number(settings) not in text and (template != "folded" or values["other_follows"]):
            yield 0, "does not say the number of the ticket"
    for line in text.split("\n"):
        strange = next((one for one in line if not one.isprintable() and one != _NO_BREAK), "")
        if strange:
            yield _line(line, source), f"has a character that cannot be printed, U+{ord(strange):04X}"


def _too_wide(text: str, settings: Settings) -> Iterator[str]:
    """Yield the lines that do not fit, unless a very long number is to blame."""
    excused = number(settings) if len(number(settings)) > _LONGEST_NUMBER else "\n"
    for line in text.split("\n"):
        if len(line) > WIDTH and excused not in line and not line.startswith(SUBJECT):
            yield line


def _line(written: str, lines: list[str]) -> int:
    """Return the line of a template that a written line comes from, 0 where none begins like it."""
    common = [_in_common(written, line) for line in lines]
    return common.index(max(common)) + 1 if max(common, default=0) >= _COMMON else 0


def _in_common(one: str, other: str) -> int:
    return next(
        (n for n, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), min(len(one), len(other))
    )


def _where(error: Exception) -> int:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<template>"]
    return (lines[-1] if lines else None) or 0
