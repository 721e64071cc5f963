"""Which mail may leave now: budgets delay it and fold what waits for one person into one mail; none is lost."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime
from typing import Protocol

import structlog

from abuse_triage.mail.thread import own_id
from abuse_triage.model.settings import Settings
from abuse_triage.model.ticket import MailKind, Outgoing
from abuse_triage.replies.budget import buckets, for_notice, overall
from abuse_triage.replies.folded import LISTED, folded
from abuse_triage.replies.notice import gathered
from abuse_triage.replies.wording import Wording
from abuse_triage.service.failpoints import failpoint
from abuse_triage.store.interface import Health
from abuse_triage.store.outbox import MailToSend, Outbox, StoredMail

log = structlog.get_logger()


class Purse(Outbox, Health, Protocol):
    """What is needed of a store."""


class Allowance:
    """The budgets of one installation."""

    def __init__(
        self,
        settings: Settings,
        store: Purse,
        *,
        sender: str,
        secret: bytes,
        freemail: AbstractSet[str],
        wording: Wording,
    ) -> None:
        """Take what folded mail is written with: the address in From, the secret of Message-IDs and the templates."""
        self._settings = settings
        self._store = store
        self._sender = sender
        self._secret = secret
        self._freemail = freemail
        self._wording = wording
        self._alarmed = {bucket.name: bool(store.recall(_alarm(bucket.name))) for bucket in overall(settings.budget)}

    def admit(self, due: Sequence[MailToSend], now: datetime) -> list[MailToSend]:
        """Return those of the mails that are due which may leave now, in their order; the others wait or are folded.

        An acknowledgement or notice is paid for once, before anybody is offered it, in one transaction for all. Where
        more of its kind wait for the same person when one is paid for, they leave together as one new mail, as many as
        that can list.
        """
        unpaid = [held.mail for held in due if _costs(held.mail)]
        if not unpaid:
            return list(due)
        budget = self._settings.budget
        answers = self._store.pay(
            [
                (
                    mail.id,
                    buckets(mail.recipient, proven=mail.proven, budget=budget, freemail=self._freemail)
                    if mail.kind is MailKind.ACKNOWLEDGEMENT
                    else for_notice(mail.recipient, proven=mail.proven, budget=budget),
                )
                for mail in unpaid
            ],
            now,
        )
        failpoint("sender.paid")
        spent = {mail.id: answer for mail, answer in zip(unpaid, answers, strict=True)}
        admitted = []
        for held in due:
            mail, answer = held.mail, spent.get(held.mail.id)
            if answer is None:
                admitted.append(held)
            elif answer.bucket is not None:
                if mail.held_at is None:
                    _log("mail-held", mail, budget=answer.bucket.kind)
            elif not (answer.others and self._fold(mail, now)):
                admitted.append(replace(held, mail=replace(mail, paid_at=now)))
        self._watch(now)
        return admitted

    def _fold(self, paid: StoredMail, now: datetime) -> bool:
        """Put one mail in place of a paid one and all that wait for the same person; False where none waits.

        Mail to a person who is proven to have written is not folded with what others may have forged in his name.
        """
        waiting = self._store.foldable(paid.recipient, LISTED - 1, proven=paid.proven, kind=paid.kind)
        if not waiting:
            return False
        together = sorted((paid, *waiting), key=lambda mail: mail.id)
        outgoing = self._told_together(paid, together, now)
        stored = self._store.fold(outgoing, [mail.id for mail in together], now)
        failpoint("sender.folded")
        if stored is not None:
            _log("mail-folded", stored, folded=len(together))
        return True  # where somebody took one of them meanwhile, the paid one is due again at once

    def _told_together(self, paid: StoredMail, together: Sequence[StoredMail], now: datetime) -> Outgoing:
        key = " ".join(mail.message_id for mail in together)
        message_id = own_id("fold", key, self._secret, self._settings.reply.message_id_domain)
        if paid.kind is MailKind.NOTICE:
            return gathered(
                team=self._settings.team,
                tickets={mail.ticket: (mail.priority, mail.tlp) for mail in together},
                message_id=message_id,
                sender=self._sender,
                recipient=paid.recipient,
                date=now,
                proven=paid.proven,
            )
        return folded(
            team=self._settings.team,
            numbers=list(dict.fromkeys(mail.ticket for mail in together)),
            language=paid.language,
            message_id=message_id,
            sender=self._sender,
            recipient=paid.recipient,
            date=now,
            references=list(dict.fromkeys(mail.answers for mail in together if mail.answers)),
            proven=paid.proven,
            wording=self._wording,
        )

    def _watch(self, now: datetime) -> None:
        """Give the alarm when a budget for all is nearly used up: once, until half of that has come back."""
        budget = self._settings.budget
        totals = overall(budget)
        for bucket, used in zip(totals, self._store.used(totals, now), strict=True):
            percent = round(100 * used)
            alarmed = self._alarmed[bucket.name]
            if percent >= budget.alarm and not alarmed:
                log.warning("budget-nearly-spent", budget=bucket.kind, percent=percent)
            elif not (alarmed and percent < budget.alarm / 2):
                continue
            self._store.remember(_alarm(bucket.name), "" if alarmed else now.isoformat())
            self._alarmed[bucket.name] = not alarmed


def _costs(mail: StoredMail) -> bool:
    return mail.kind in {MailKind.ACKNOWLEDGEMENT, MailKind.NOTICE} and mail.paid_at is None


def _alarm(name: str) -> str:
    """Return the name under which the store remembers when an alarm was given."""
    return f"alarm of budget {name}"


def _log(event: str, mail: StoredMail, **values: str | int) -> None:
    """Log what became of a mail by its ids."""
    log.info(event, mail=mail.id, message_id=mail.message_id, ticket=mail.ticket, **values)
