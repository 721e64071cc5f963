"""The contract of outgoing mail: each step is durable before the next, and an acknowledgement is sent at most once."""

from dataclasses import replace
from datetime import UTC, timedelta, timezone, tzinfo

import pytest
from contract.values import NOON, acknowledgement, certificate, digest, open_ticket

from abuse_triage.errors import InputError, NotFoundError
from abuse_triage.model.ticket import MailKind, MailState
from abuse_triage.store.interface import Store
from abuse_triage.store.outbox import StoredMail

LATER = NOON + timedelta(hours=1)


def only(store: Store) -> StoredMail:
    """The only mail there is."""
    (mail,) = store.mails((), 10)
    return mail


def journal_of(store: Store) -> list[tuple[str, str, str]]:
    """What the first ticket's journal says about mail: actor, action and detail."""
    lines = store.ticket("1").journal
    return [(line.actor, line.action, line.detail) for line in lines if line.action.startswith("mail ")]


def test_mail_without_ticket_is_queued_once(store: Store) -> None:
    """The same digest cannot be queued twice."""
    assert store.queue(digest(), NOON)
    assert not store.queue(digest(), LATER)
    mail = only(store)
    assert (mail.kind, mail.ticket, mail.created_at, mail.next_try) == (MailKind.DIGEST, "", NOON, NOON)
    assert store.due(NOON, 10)[0].content == b"Subject: digest\r\n\r\n"


def test_due_mail_comes_oldest_first(store: Store) -> None:
    """What is queued first is sent first, nothing before its time, and at most as many as asked for."""
    for n in range(4):
        store.queue(digest(f"d{n}"), NOON + timedelta(minutes=n))
    due = store.due(NOON + timedelta(minutes=2), 10)
    assert [held.mail.message_id for held in due] == [f"digest.d{n}@example.pt" for n in range(3)]
    assert len(store.due(LATER, 2)) == 2
    assert store.due(NOON - timedelta(seconds=1), 10) == []


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=5))])
def test_mail_may_have_to_wait(store: Store, zone: tzinfo) -> None:
    """A mail that may not leave yet is queued and due at its time, also one that belongs to a ticket."""
    soon = NOON + timedelta(seconds=90)
    store.queue(replace(digest(), not_before=soon.astimezone(zone)), NOON)
    open_ticket(store, outgoing=(replace(acknowledgement("m1"), not_before=soon.astimezone(zone)),))
    assert store.due(soon - timedelta(seconds=1), 10) == []
    assert [1, 2] == [held.mail.id for held in store.due(soon, 10)]
    assert [soon, soon] == [mail.next_try for mail in store.mails((), 10)]
    assert [NOON + timedelta(minutes=1), NOON] == [mail.created_at for mail in store.mails((), 10)]


def test_mail_whose_time_has_come_is_due_at_once(store: Store) -> None:
    """A message that was worked on late is not answered later still, nor before others that wait."""
    store.queue(digest("d1"), NOON)
    store.queue(replace(digest("d2"), not_before=NOON - timedelta(hours=1)), LATER)
    assert [(1, NOON), (2, LATER)] == [(held.mail.id, held.mail.next_try) for held in store.due(LATER, 10)]


def test_sender_learns_whom_to_encrypt_to(store: Store) -> None:
    """The key of a mail's recipient is told with the mail, wherever it is listed; other mail has none."""
    fingerprint = certificate(1).fingerprint
    open_ticket(store, outgoing=(replace(acknowledgement("m1"), encrypt_to=fingerprint),))
    store.queue(digest(), NOON)
    assert ["", fingerprint] == [held.mail.encrypt_to for held in store.due(LATER, 10)]
    assert ["", fingerprint] == [mail.encrypt_to for mail in store.mails((), 10)]
    assert [fingerprint] == [mail.encrypt_to for mail in store.ticket("1").mails]


def test_asking_what_is_due_changes_nothing(store: Store) -> None:
    """A sender that dies before "sending" leaves no trace."""
    store.queue(digest(), NOON)
    assert store.due(NOON, 10) == store.due(NOON, 10)


def test_sending_is_granted_once(store: Store, other: Store) -> None:
    """Of two senders only one gets a mail, and its attempt is counted."""
    store.queue(digest(), NOON)
    mail_id = only(store).id
    assert store.sending(mail_id, NOON)
    assert not other.sending(mail_id, NOON)
    assert store.due(LATER, 10) == []
    assert (only(store).state, only(store).tries) == (MailState.SENDING, 1)
    assert not store.sending(999, NOON)


def test_sent_mail_is_journaled(store: Store) -> None:
    """A mail that was taken over is done, with the answer shortened, and its ticket says so."""
    open_ticket(store)
    store.sending(1, NOON)
    store.sent(1, LATER, "250 2.0.0 Ok: queued as 4F" + "x" * 500)
    assert only(store).state is MailState.SENT
    assert len(only(store).error) == 200
    assert [("sender", "mail sent")] == [line[:2] for line in journal_of(store)]
    assert store.ticket("1").journal[-1].at == LATER
    assert "250 2.0.0 Ok" in journal_of(store)[0][2]


def test_put_off_mail_is_tried_again(store: Store) -> None:
    """A mail that was certainly not taken over waits for its next time, and keeps the reason."""
    store.queue(digest(), NOON)
    store.sending(1, NOON)
    store.put_off(1, LATER, "451 try later")
    mail = only(store)
    assert (mail.state, mail.tries, mail.next_try, mail.error) == (MailState.QUEUED, 1, LATER, "451 try later")
    assert store.due(LATER - timedelta(seconds=1), 10) == []
    assert len(store.due(LATER, 10)) == 1


def test_attempt_before_sending_is_counted(store: Store) -> None:
    """A mail that is put off before "sending" has used an attempt too."""
    store.queue(digest(), NOON)
    store.put_off(1, LATER, "connection refused")
    assert (only(store).state, only(store).tries) == (MailState.QUEUED, 1)


@pytest.mark.parametrize("begun", [True, False])
def test_given_up_mail_is_journaled(store: Store, begun: bool) -> None:
    """A mail that was refused for good is not tried again, whether its text was offered or not."""
    open_ticket(store)
    if begun:
        store.sending(1, NOON)
    store.give_up(1, LATER, "550 no such user")
    assert only(store).state is MailState.FAILED
    assert store.due(LATER, 10) == []
    assert [("sender", "mail failed")] == [line[:2] for line in journal_of(store)]


def test_unknown_delivery_waits_for_a_person(store: Store) -> None:
    """A mail that may or may not have arrived is neither due nor sent again by itself, and its ticket says so."""
    open_ticket(store)
    store.sending(1, NOON)
    store.unknown(1, LATER, "timeout after the text")
    assert only(store).state is MailState.UNKNOWN
    assert store.due(LATER, 10) == []
    assert not store.sending(1, LATER)
    assert [("sender", "mail delivery-unknown")] == [line[:2] for line in journal_of(store)]


def test_recovery_settles_what_a_sender_left(store: Store, other: Store) -> None:
    """After a crash an acknowledgement is "delivery-unknown" and journaled, a digest is queued again."""
    open_ticket(store)
    store.queue(digest(), NOON)
    store.queue(digest("d2"), NOON)
    for mail_id in (1, 2):
        store.sending(mail_id, NOON)
    left = other.recover(LATER)
    assert [(mail.id, mail.state) for mail in left] == [(1, MailState.UNKNOWN), (2, MailState.QUEUED)]
    assert [mail.state for mail in store.mails((), 10)] == ["queued", "queued", "delivery-unknown"]
    assert [("sender", "mail delivery-unknown")] == [line[:2] for line in journal_of(store)]
    assert other.recover(LATER) == []


def test_person_releases_a_mail(store: Store) -> None:
    """A mail that is unknown or failed is sent again when somebody says so, who stands in the journal."""
    open_ticket(store)
    store.sending(1, NOON)
    store.unknown(1, NOON, "timeout")
    store.resend(1, "ana", LATER)
    assert (only(store).state, only(store).next_try) == (MailState.QUEUED, LATER)
    assert journal_of(store)[-1][:2] == ("ana", "mail queued")
    store.sending(1, LATER)
    store.give_up(1, LATER, "550")
    store.resend(1, "ana", LATER)
    store.sending(1, LATER)
    store.sent(1, LATER, "250 ok")
    assert only(store).state is MailState.SENT


def test_late_answer_settles_an_unknown_delivery(store: Store) -> None:
    """Who learns afterwards that an unknown mail was taken over may say so."""
    open_ticket(store)
    store.sending(1, NOON)
    store.recover(NOON)
    store.sent(1, LATER, "found in the folder")
    assert only(store).state is MailState.SENT


@pytest.mark.parametrize("state", ["queued", "sending", "sent"])
def test_only_unknown_or_failed_mail_is_released(store: Store, state: str) -> None:
    """A mail that is on its way or has arrived is not sent again."""
    store.queue(digest(), NOON)
    if state != "queued":
        store.sending(1, NOON)
    if state == "sent":
        store.sent(1, NOON, "250 ok")
    with pytest.raises(InputError):
        store.resend(1, "ana", LATER)
    assert state == only(store).state


def test_unknown_mail_is_an_error(store: Store) -> None:
    """There is no silent success about a mail that is not there, or not in the sender's hand."""
    with pytest.raises(NotFoundError):
        store.resend(9, "ana", LATER)
    store.queue(digest(), NOON)
    with pytest.raises(NotFoundError):
        store.sent(1, NOON, "250 ok")
    with pytest.raises(NotFoundError):
        store.put_off(9, LATER, "?")
    with pytest.raises(NotFoundError):
        store.give_up(9, LATER, "?")
    with pytest.raises(NotFoundError):
        store.unknown(1, LATER, "?")
    assert only(store).state is MailState.QUEUED


def test_mails_are_listed_newest_first(store: Store) -> None:
    """A list has the newest mails on top, those of the states asked for, and ends at its limit."""
    for n in range(4):
        store.queue(digest(f"d{n}"), NOON)
    store.sending(1, NOON)
    store.sent(1, NOON, "250 ok")
    store.sending(2, NOON)

    def listed(*states: MailState, limit: int = 10) -> list[int]:
        return [mail.id for mail in store.mails(states, limit)]

    assert listed() == [4, 3, 2, 1]
    assert listed(limit=2) == [4, 3]
    assert listed(MailState.SENT) == [1]
    assert listed(MailState.QUEUED, MailState.SENDING) == [4, 3, 2]
    assert listed(MailState.UNKNOWN) == []


def test_peers_words_may_be_anything(store: Store) -> None:
    """NUL and lone surrogates in an answer keep no result from being stored."""
    open_ticket(store)
    store.sending(1, NOON)
    store.sent(1, NOON, "250 \0 \ud800 ok")
    assert only(store).error == "250 \ufffd \ufffd ok"


def test_two_mails_of_one_ticket(store: Store) -> None:
    """A ticket lists its mails, oldest first."""
    open_ticket(store, outgoing=(acknowledgement("a"), acknowledgement("b", "soc@example.org")))
    mails = store.ticket("1").mails
    assert [(mail.message_id, mail.recipient) for mail in mails] == [
        ("ack.a@example.pt", "ana@example.org"),
        ("ack.b@example.pt", "soc@example.org"),
    ]


def test_a_mail_can_be_read_whatever_became_of_it(store: Store) -> None:
    """The whole mail is there before and after it was sent; there is none that was not queued."""
    open_ticket(store)
    before = store.content(1)
    store.sending(1, NOON)
    store.sent(1, LATER, "250 ok")
    assert before == store.content(1) == acknowledgement("m1").numbered(only(store).ticket)
    with pytest.raises(NotFoundError, match="there is no mail 2"):
        store.content(2)
