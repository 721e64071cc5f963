"""Which look-ups leave, wait for a handler or never leave follows from the TLP, the policy and the limits."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from abuse_triage.enrichment.plan import plan
from abuse_triage.enrichment.policy import level_of, permission, withheld
from abuse_triage.enrichment.questions import Question
from abuse_triage.model.decision import Tlp
from abuse_triage.model.lookup_settings import LookupSettings, PolicySettings
from abuse_triage.model.lookups import (
    Answer,
    Enrichment,
    Known,
    Level,
    LookupKind,
    LookupState,
    Permission,
    Result,
    Wanted,
)

NOW = datetime(2026, 10, 5, 9, 0, tzinfo=UTC)
SETTINGS = LookupSettings(enabled=True, spread="2m")
NETWORK: Question = (LookupKind.NETWORK, "9.9.9.9")
DOMAIN: Question = (LookupKind.DOMAIN, "example.org")
OWN: Question = (LookupKind.OWN_DOMAIN, "loja.pt")
POINTER: Question = (LookupKind.POINTER, "9.9.9.9")
ALL = [(kind, "example.org") for kind in LookupKind]

TABLE = """
                unmarked  clear  green  amber  amber+strict  red
network         yes       yes    yes    yes    ask           ask
abuse-contact   yes       yes    yes    yes    ask           ask
domain          yes       yes    yes    ask    ask           no
own-domain      yes       yes    yes    yes    ask           ask
delegation      ask       yes    yes    yes    ask           no
hosts           no        ask    ask    no     no            no
pointer         no        ask    ask    no     no            no
"""


def _plan(
    *asked: Question,
    tlp: Tlp = Tlp.GREEN,
    level: Level | None = None,
    known: Enrichment | None = None,
    settings: LookupSettings = SETTINGS,
    message_id: str = "m1",
) -> tuple[Wanted, ...]:
    return plan(
        *(replace(known or Enrichment(), asked=asked), settings),
        tlp=tlp,
        level=level or Level(tlp.value),
        message_id=message_id,
        received_at=NOW,
        secret=b"s" * 32,
    )


def _known(question: Question, *, fresh: timedelta) -> Enrichment:
    kind, subject = question
    answer = Answer(kind=kind, subject=subject, server="rdap.example", result=Result.FOUND)
    known = Known(
        answer=answer, asked_at=NOW, fresh_until=NOW + fresh, stale_until=NOW + timedelta(days=7), tlp=Tlp.CLEAR
    )
    return Enrichment(known={question: known})


def test_the_default_policy_is_the_table() -> None:
    """What leaves by itself, on request and never is this table, cell by cell."""
    head, *rows = (line.split() for line in TABLE.strip().splitlines())
    assert [*Level] == head
    expected = {row[0]: row[1:] for row in rows}
    assert expected == {
        kind: [permission(PolicySettings(), kind, level).value for level in Level] for kind in LookupKind
    }


def test_an_own_table_replaces_single_cells() -> None:
    """What the configuration does not name stays as it is."""
    policy = PolicySettings(domain={"unmarked": "no"})
    assert Permission.NO is permission(policy, LookupKind.DOMAIN, Level.UNMARKED)
    assert Permission.YES is permission(policy, LookupKind.DOMAIN, Level.GREEN)


@pytest.mark.parametrize(
    ("tlp", "marked", "sealed", "level"),
    [
        (Tlp.GREEN, False, False, Level.UNMARKED),
        (Tlp.GREEN, True, False, Level.GREEN),
        (Tlp.CLEAR, True, False, Level.CLEAR),
        (Tlp.AMBER, False, False, Level.AMBER),
        (Tlp.RED, False, False, Level.RED),
        (Tlp.AMBER, False, True, Level.AMBER),
        (Tlp.AMBER_STRICT, True, True, Level.AMBER_STRICT),
    ],
)
def test_the_column_of_a_report(tlp: Tlp, marked: bool, sealed: bool, level: Level) -> None:
    """A default has its own column, unless a rule raised it or the report came encrypted."""
    assert level is level_of(tlp, Tlp.GREEN, marked=marked, sealed=sealed)


@pytest.mark.parametrize("default", list(Tlp))
def test_a_strict_default_is_as_strict_as_a_marking(default: Tlp) -> None:
    """Of a mailbox whose mail is AMBER+STRICT or RED from the beginning nothing leaves by itself either."""
    wanted = _plan(*ALL, tlp=default, level=level_of(default, default, marked=False, sealed=False))
    assert (default < Tlp.AMBER_STRICT) == any(one.state is LookupState.WAITING for one in wanted)


def test_an_answer_that_grew_old_while_the_message_waited_is_asked_again() -> None:
    """What counts is when somebody looks, not when the message came, which may be weeks before a person promotes it."""
    question = (LookupKind.DOMAIN, "example.org")
    known = _known(question, fresh=timedelta(hours=1))
    assert [LookupState.ANSWERED] == [one.state for one in _plan(question, known=known)]
    later = replace(known, at=NOW + timedelta(hours=2))
    assert [LookupState.WAITING] == [one.state for one in _plan(question, known=later)]


@pytest.mark.parametrize("tlp", [Tlp.AMBER_STRICT, Tlp.RED])
def test_nothing_leaves_that_is_strict(tlp: Tlp) -> None:
    """Of AMBER+STRICT and RED reports every look-up is withheld, and says by what."""
    wanted = _plan(*ALL, tlp=tlp)
    assert {(LookupState.WITHHELD, f"withheld by {tlp.label}", None)} == {
        (one.state, one.reason, one.not_before) for one in wanted
    }


def test_what_is_not_marked_asks_registries_only() -> None:
    """Unmarked mail permits RDAP and WHOIS; DNS waits for a handler, and what tips off is not even listed."""
    states = {one.kind: (one.state, one.reason) for one in _plan(*ALL, level=Level.UNMARKED)}
    leaving = (LookupState.WAITING, "")
    assert {
        LookupKind.NETWORK: leaving,
        LookupKind.ABUSE_CONTACT: leaving,
        LookupKind.DOMAIN: leaving,
        LookupKind.OWN_DOMAIN: leaving,
        LookupKind.DELEGATION: (LookupState.WITHHELD, "withheld: not marked"),
    } == states


def test_look_ups_leave_spread_in_time() -> None:
    """Each leaves at a moment of its own within the span, the same however often the message is decided."""
    asked = [(LookupKind.NETWORK, f"9.9.9.{number}") for number in range(40)]
    moments = [one.not_before for one in _plan(*asked)]
    assert all(moment is not None and NOW <= moment < NOW + timedelta(minutes=2) for moment in moments)
    assert 40 == len(set(moments))
    assert moments == [one.not_before for one in _plan(*asked)]
    assert moments != [one.not_before for one in _plan(*asked, message_id="m2")]
    assert any(moment is not None and moment > NOW + timedelta(minutes=1) for moment in moments)


def test_a_message_has_a_limit() -> None:
    """What is beyond the limit is listed as not asked; what is withheld does not count."""
    asked = [(LookupKind.NETWORK, f"9.9.9.{number}") for number in range(4)]
    wanted = _plan((LookupKind.HOSTS, "example.org"), *asked, settings=LookupSettings(per_message=3))
    assert [
        (LookupState.WITHHELD, "withheld by TLP:GREEN"),
        *[(LookupState.WAITING, "")] * 3,
        (LookupState.SKIPPED, "not asked: a message has at most 3 look-ups"),
    ] == [(one.state, one.reason) for one in wanted]


def test_the_cache_needs_nobody_s_leave() -> None:
    """What is known and fresh is answered, even where nothing may be asked; what is stale is asked again."""
    (fresh,) = _plan(DOMAIN, tlp=Tlp.RED, known=_known(DOMAIN, fresh=timedelta(hours=1)))
    assert (LookupState.ANSWERED, "") == (fresh.state, fresh.reason)
    (stale,) = _plan(DOMAIN, known=_known(DOMAIN, fresh=-timedelta(hours=1)))
    assert LookupState.WAITING is stale.state
    (secret,) = _plan(DOMAIN, tlp=Tlp.RED, known=_known(DOMAIN, fresh=-timedelta(hours=1)))
    assert LookupState.WITHHELD is secret.state


def test_a_handler_may_release_what_the_policy_asks_about() -> None:
    """Each withheld look-up says whether a handler can release it."""
    wanted = {one.kind: one.permission for one in _plan(NETWORK, DOMAIN, OWN, POINTER, tlp=Tlp.RED)}
    assert {
        LookupKind.NETWORK: Permission.ASK,
        LookupKind.DOMAIN: Permission.NO,
        LookupKind.OWN_DOMAIN: Permission.ASK,
    } == wanted


def test_the_words_for_what_is_withheld() -> None:
    """The reason names the marking, or that there is none."""
    assert "withheld by TLP:AMBER+STRICT" == withheld(Level.AMBER_STRICT, Tlp.AMBER_STRICT)
    assert "withheld: not marked" == withheld(Level.UNMARKED, Tlp.GREEN)
