"""Decides whether a message belongs to a ticket that exists: follow-ups, duplicates, and mentions of others."""

from dataclasses import dataclass, replace

from abuse_triage.model.ticket import Relations, TicketRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """What a message is to the tickets that exist.

    `joins` is the ticket that it belongs to, None where it opens its own. `reopens` asks to set that ticket back to
    new. `links` are tickets that a new ticket mentions, each once. `reason` is one sentence for the journal, without
    anything that a reporter wrote. `acknowledge` says whether an acknowledgement is due as far as the relation goes:
    other reasons may still forbid it. `admits` says whether whoever wrote becomes a participant of the ticket.
    """

    joins: TicketRef | None
    reopens: bool
    links: tuple[TicketRef, ...]
    reason: str
    acknowledge: bool
    admits: bool = True


_OF_OURS = {
    "bounce": "it reports on the delivery of a mail of ours",
    "loop": "it is a mail of ours that came back, or answers one",
}
"""What a machine's message has to do with the mail of ours that it names, by kind."""


def relate(
    *,
    relations: Relations,
    automatic: str,
    authenticated_from: str,
    sender: str,
    previous: TicketRef | None,
) -> Relation:
    """Decide by what can be proven; a number in the subject alone opens no door, because numbers can be guessed.

    In this order: the ticket that the message already had; the ticket of a mail of ours that it answers, reports on or
    is (the signed Message-ID was told to the people on the ticket only); the ticket that the subject or the address
    names, if From is proven to be one of its participants; the ticket to which a proven contact gave the same number of
    theirs; the ticket of the same content from the same envelope sender. Otherwise it is a new ticket, linked to the
    one that it names and to that of another reporter with the same content; where the sender claims to be a participant
    of the one that it names, it is no follow-up, because that is not proven, but it is not acknowledged again either.

    What is sent again under a number of theirs or with the same content is acknowledged where that ticket never was:
    the first acknowledgement was refused for a reason that may be gone, or could not be delivered.

    Args:
        relations: what the store knows about the message's keys.
        automatic: which kind of robot wrote it ("bounce", "auto-reply", "loop" …), "" for a person; a robot's joins
            silently, and never reopens anything.
        authenticated_from: bare address of From where authentication proved it, else "".
        sender: envelope sender, or over a list of our own, whoever wrote to it; "" for the null reverse-path, which
            cannot be answered.
        previous: the ticket that this same message was given before, when it is tried again.
    """
    if previous is not None:
        return Relation(
            joins=previous,
            reopens=False,
            links=(),
            reason="the message was tried again and stays with its ticket",
            acknowledge=bool(sender),
        )
    if relations.answered is not None:
        return _join(relations.answered, _OF_OURS.get(automatic, "it answers a mail of ours"), automatic=automatic)
    if relations.tagged is not None and _is_participant(authenticated_from, relations.tagged):
        return _join(relations.tagged, "it names the ticket, and its From is a proven participant", automatic=automatic)
    known = relations.tagged is not None and _is_participant(sender, relations.tagged)
    answerable = bool(sender) and not known and not automatic
    if relations.peer is not None:
        joined = _join(relations.peer, "a proven contact gave it the same number of theirs", automatic=automatic)
        return _told_at_last(joined, relations.peer) if answerable else joined
    if relations.same_sender is not None:
        joined = _join(relations.same_sender, "the same content came from the same sender before", automatic=automatic)
        # Nothing proves the envelope sender, and others may know the content: From would be let in with both.
        joined = replace(joined, admits=False)
        return _told_at_last(joined, relations.same_sender) if answerable else joined
    links: dict[int, TicketRef] = {}
    reasons = []
    if relations.tagged is not None:
        links[relations.tagged.id] = relations.tagged
        reasons.append("it names a ticket, but its From is not a proven participant of that")
        if known:  # a robot that answers whatever it gets would otherwise go on for ever
            reasons.append("whoever claims to have sent it was acknowledged for that ticket")
    if relations.same_content is not None:
        links[relations.same_content.id] = relations.same_content
        reasons.append("another sender reported the same content before")
    return Relation(
        joins=None,
        reopens=False,
        links=tuple(links.values()),
        reason="; ".join(reasons) or "nothing relates it to another ticket",
        acknowledge=bool(sender) and not known,
    )


def _join(ticket: TicketRef, reason: str, *, automatic: str) -> Relation:
    reopens = not ticket.state.open and not automatic
    if automatic:
        reason += "; what a machine sent joins silently"
    elif reopens:
        reason += f"; the ticket was {ticket.state} and is open again"
    return Relation(joins=ticket, reopens=reopens, links=(), reason=reason, acknowledge=False)


def _told_at_last(joined: Relation, ticket: TicketRef) -> Relation:
    if ticket.acknowledged:
        return joined
    return replace(joined, acknowledge=True, reason=f"{joined.reason}; nobody was told its number yet")


def _is_participant(address: str, ticket: TicketRef) -> bool:
    folded = address.casefold()
    return bool(folded) and any(folded == participant.casefold() for participant in ticket.participants)
