"""Which ticket a message belongs to."""

from dataclasses import replace

import pytest

from abuse_triage.model.ticket import Relations, TicketRef, TicketState
from abuse_triage.tickets.relate import Relation, relate

ANA, EVE = "ana@example.org", "eve@example.net"


def ticket(number: int, state: TicketState = TicketState.NEW, participants: tuple[str, ...] = (ANA,)) -> TicketRef:
    """Return a ticket that exists."""
    return TicketRef(id=number, number=f"T#2026-{number:06}", state=state, participants=participants)


def related(
    relations: Relations | None = None,
    *,
    automatic: str = "",
    authenticated_from: str = "",
    sender: str = ANA,
    previous: TicketRef | None = None,
) -> Relation:
    """Relate a person's message that nothing is known about, except what is given."""
    return relate(
        relations=relations or Relations(),
        automatic=automatic,
        authenticated_from=authenticated_from,
        sender=sender,
        previous=previous,
    )


def test_a_first_report_opens_a_ticket() -> None:
    """Without relations there is a new ticket, without links, acknowledged."""
    assert (
        Relation(joins=None, reopens=False, links=(), reason="nothing relates it to another ticket", acknowledge=True)
        == related()
    )


def test_the_null_sender_has_nobody_to_acknowledge() -> None:
    """A new ticket from the null reverse-path is not acknowledged."""
    assert not related(sender="").acknowledge


def test_an_answer_to_our_mail_joins() -> None:
    """Our signed id opens the ticket to whoever has it, and answers nobody again."""
    relation = related(Relations(answered=ticket(1), tagged=ticket(2)), sender=EVE)
    assert (ticket(1), False, (), False) == (relation.joins, relation.reopens, relation.links, relation.acknowledge)


def test_a_tag_joins_a_proven_participant() -> None:
    """The subject's number is enough for somebody on the ticket whose From is authenticated, in any case."""
    relation = related(Relations(tagged=ticket(2)), authenticated_from=ANA.upper())
    assert (ticket(2), False) == (relation.joins, relation.acknowledge)


@pytest.mark.parametrize("authenticated_from", ["", EVE])
def test_a_tag_alone_opens_no_door(authenticated_from: str) -> None:
    """Numbers can be guessed: a stranger, or a From without proof, gets a new ticket that links the named one."""
    relation = related(Relations(tagged=ticket(2)), authenticated_from=authenticated_from, sender=EVE)
    assert (None, (ticket(2),), True) == (relation.joins, relation.links, relation.acknowledge)
    assert "not a proven participant" in relation.reason


def test_who_claims_to_be_a_participant_is_not_acknowledged_again() -> None:
    """A robot that answers each acknowledgement gets one: its answer opens a ticket, linked and unanswered."""
    relation = related(Relations(tagged=ticket(2)), sender=ticket(2).participants[0].upper())
    assert (None, (ticket(2),), False) == (relation.joins, relation.links, relation.acknowledge)


def test_an_empty_participant_proves_nothing() -> None:
    """A From that nothing proves is nobody, even on a ticket with an odd participant."""
    assert related(Relations(tagged=ticket(2, participants=("",)))).joins is None


def test_a_number_of_theirs_joins_as_a_follow_up() -> None:
    """A proven contact's own number finds its ticket, whoever of them wrote, and answers nobody again."""
    relation = related(Relations(peer=ticket(8), same_sender=ticket(3)), sender=EVE)
    assert (ticket(8), False, False) == (relation.joins, relation.reopens, relation.acknowledge)
    assert "number of theirs" in relation.reason


def test_what_is_proven_by_us_comes_before_their_number() -> None:
    """Our signed id and our own number say more than the number of somebody else."""
    relations = Relations(answered=ticket(1), tagged=ticket(2), peer=ticket(8))
    assert ticket(1) == related(relations).joins
    assert ticket(2) == related(replace(relations, answered=None), authenticated_from=ANA).joins
    assert ticket(8) == related(replace(relations, answered=None)).joins


@pytest.mark.parametrize(
    ("automatic", "words"),
    [
        ("", "it answers a mail of ours"),
        ("auto-reply", "it answers a mail of ours"),
        ("bounce", "it reports on the delivery of a mail of ours"),
        ("loop", "it is a mail of ours that came back"),
    ],
)
def test_the_reason_says_what_a_mail_of_ours_has_to_do_with_it(automatic: str, words: str) -> None:
    """Answers, bounces and mail that came back are told apart in the journal."""
    relation = related(Relations(answered=ticket(1)), automatic=automatic)
    assert relation.reason.startswith(words)
    assert bool(automatic) == relation.reason.endswith("joins silently")


def test_the_same_report_again_joins_without_an_answer() -> None:
    """The same content from the same sender is the same report."""
    relation = related(Relations(same_sender=ticket(3), same_content=ticket(4)))
    assert (ticket(3), False, ()) == (relation.joins, relation.acknowledge, relation.links)


def test_the_same_content_lets_nobody_in() -> None:
    """Content and envelope sender can be known and forged: whoever stands in From does not come on the ticket."""
    assert not related(Relations(same_sender=ticket(3))).admits
    assert related(Relations(answered=ticket(1))).admits
    assert related().admits


@pytest.mark.parametrize("name", ["same_sender", "peer"])
def test_who_was_never_told_is_told_at_last(name: str) -> None:
    """What is sent again is acknowledged where no acknowledgement of its ticket has left or waits."""
    untold = replace(ticket(3), acknowledged=False)
    relation = related(Relations(**{name: untold}))
    assert (untold, True) == (relation.joins, relation.acknowledge)
    assert relation.reason.endswith("nobody was told its number yet")
    assert (name == "peer") == relation.admits


@pytest.mark.parametrize("name", ["same_sender", "peer"])
@pytest.mark.parametrize("why", ["robot", "null sender", "names a ticket of the same sender"])
def test_a_robot_is_not_told_at_last(name: str, why: str) -> None:
    """Machines, the null sender and who may be a robot that answers what it gets stay unanswered."""
    relations = Relations(**{name: replace(ticket(3), acknowledged=False)})
    relation = {
        "robot": related(relations, automatic="auto-reply"),
        "null sender": related(relations, sender=""),
        "names a ticket of the same sender": related(replace(relations, tagged=ticket(2))),
    }[why]
    assert (3, False) == (relation.joins and relation.joins.id, relation.acknowledge)


@pytest.mark.parametrize("name", ["answered", "tagged"])
def test_a_follow_up_is_never_acknowledged(name: str) -> None:
    """Who answers us or is proven to be on the ticket talks with people there already."""
    relations = Relations(**{name: replace(ticket(3), acknowledged=False)})
    assert not related(relations, authenticated_from=ANA).acknowledge


def test_another_reporter_is_never_silenced() -> None:
    """The same content from somebody else is a ticket of its own, linked and acknowledged."""
    relation = related(Relations(same_content=ticket(4)), sender=EVE)
    assert (None, (ticket(4),), True) == (relation.joins, relation.links, relation.acknowledge)


def test_each_ticket_is_linked_once() -> None:
    """A ticket that is both named and alike appears once, different ones in order."""
    assert (ticket(2),) == related(Relations(tagged=ticket(2), same_content=ticket(2))).links
    assert (ticket(2), ticket(4)) == related(Relations(tagged=ticket(2), same_content=ticket(4))).links


@pytest.mark.parametrize("state", [TicketState.RESOLVED, TicketState.CLOSED])
@pytest.mark.parametrize("name", ["answered", "tagged", "peer", "same_sender"])
def test_a_match_reopens_what_was_finished(state: TicketState, name: str) -> None:
    """A person's follow-up brings a resolved or closed ticket back; a robot's joins silently."""
    relations = Relations(**{name: ticket(5, state)})
    reopened = related(relations, authenticated_from=ANA)
    assert (ticket(5, state), True) == (reopened.joins, reopened.reopens)
    assert f"the ticket was {state} and is open again" in reopened.reason
    silent = related(relations, authenticated_from=ANA, automatic="auto-reply")
    assert (ticket(5, state), False, False) == (silent.joins, silent.reopens, silent.acknowledge)
    assert "joins silently" in silent.reason


def test_a_message_tried_again_stays_where_it_is() -> None:
    """A retry keeps its ticket whatever it looks like, reopens nothing, and may be acknowledged for the first time."""
    previous = ticket(6, TicketState.CLOSED)
    relation = related(Relations(answered=ticket(1), same_sender=ticket(6)), previous=previous)
    assert (previous, False, True) == (relation.joins, relation.reopens, relation.acknowledge)


def test_a_reason_repeats_nothing_that_was_written_to_us() -> None:
    """Reasons go to journals and digests: no address and no subject stands in them."""
    everything = Relations(tagged=ticket(2), same_content=ticket(4))
    for relation in (related(everything, sender=EVE), related(Relations(answered=ticket(1)), sender=EVE)):
        assert "@" not in relation.reason
