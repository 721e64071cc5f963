"""One mail in place of several acknowledgements to the same person that had to wait for their budget."""

from collections.abc import Sequence
from datetime import datetime

from abuse_triage.mail.compose import compose
from abuse_triage.model.identity import Team
from abuse_triage.model.ticket import MailKind, Outgoing
from abuse_triage.replies.acknowledgement import both
from abuse_triage.replies.wording import LANGUAGES, Wording

LISTED = 500
"""Numbers that are written out; of the others it says how many there are."""


def folded(
    *,
    team: Team,
    numbers: Sequence[str],
    language: str,
    message_id: str,
    sender: str,
    recipient: str,
    date: datetime,
    references: Sequence[str],
    proven: bool,
    wording: Wording,
) -> Outgoing:
    """Write the mail that tells the numbers of several tickets; it says as little of the messages as any other.

    Args:
        team: who signs.
        numbers: of the tickets, at least one, in the order in which they are listed; the first stands in the subject.
        language: "pt" puts Portuguese first, anything else English.
        message_id: ours, bare, from `thread.own_id`.
        sender: bare address in From.
        recipient: bare address; `compose.written_address` must be able to write it, else `ValueError`.
        date: now, aware.
        references: Message-IDs of the mails that are answered, bare, in their order; the last one is answered in the
            sense of In-Reply-To (RFC 5322 section 3.6.4).
        proven: whether the recipient is proven to have written.
        wording: the templates.
    """
    languages = LANGUAGES if language == "pt" else LANGUAGES[::-1]
    values = {"numbers": tuple(numbers[:LISTED]), "more": max(len(numbers) - LISTED, 0)}
    subject, body = both(
        [
            wording.mail("folded", code, team, {**values, "other_follows": position == 0})
            for position, code in enumerate(languages)
        ]
    )
    answers = references[-1] if references else ""
    content = compose(
        kind=MailKind.ACKNOWLEDGEMENT,
        message_id=message_id,
        sender_name=team.name,
        sender=sender,
        recipient=recipient,
        subject=f"[{numbers[0]}] Auto: {subject}",
        body=body,
        date=date,
        in_reply_to=answers,
        references=references,
    )
    return Outgoing(
        kind=MailKind.ACKNOWLEDGEMENT,
        message_id=message_id,
        recipient=recipient,
        content=content,
        proven=proven,
        answers=answers,
        language=languages[0],
    )
