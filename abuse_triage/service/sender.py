"""The sender: takes mail from the outbox, hands it to the smarthost or folder, and commits what became of it.

An acknowledgement is sent at most once: "sending" is durable before the receiver sees the first byte of it, and where
nobody can tell whether it arrived, the mail becomes "delivery-unknown" and a person decides. A digest or notice is sent
at least once.
"""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from abuse_triage import config
from abuse_triage.errors import ConfigError, TemporaryError
from abuse_triage.model.settings import OutboxSettings, Settings
from abuse_triage.model.ticket import MailKind, MailState
from abuse_triage.service.allowance import Allowance, Purse
from abuse_triage.service.delivery import (
    DeliveryError,
    Folder,
    Letter,
    NotNowError,
    RefusedError,
    Route,
    RouteDownError,
    Smarthost,
    UnknownError,
)
from abuse_triage.service.failpoints import failpoint
from abuse_triage.service.lifeline import Stop
from abuse_triage.service.sealing import Sealer, SealingError
from abuse_triage.service.templates import wording_of
from abuse_triage.store.keys import Keys
from abuse_triage.store.outbox import MailToSend, StoredMail

log = structlog.get_logger()

_BATCH = 100
_WAIT_SECONDS = 1.0
_MAX_DOUBLINGS = 30


class Supply(Purse, Keys, Protocol):
    """What is needed of a store."""


def run_sender(
    settings: Settings,
    store: Supply,
    stop: Stop,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    chance: Callable[[], float] = random.random,
) -> None:
    """Send what is due until `stop` is set; only one sender may run on a store.

    Raises `ConfigError` where a smarthost is configured for a team that is still an example, and `TemporaryError`
    where the store does not answer at the start. Later the store is asked again and again; a result that could not be
    kept until the sender was stopped is "delivery-unknown" at the next start.

    Args:
        settings: the whole configuration.
        store: outbox, health and keys of the store.
        stop: asks to stop; the mail in hand is finished first.
        now: the clock.
        chance: random numbers from 0 to 1 for the jitter of pauses.
    """
    route = _route(settings)
    allowance = Allowance(
        settings,
        store,
        sender=own_address(settings),
        secret=config.secret(settings),
        freemail=config.freemail(settings),
        wording=wording_of(settings),
    )
    sealer = Sealer(settings, store)
    sender = _Sender(settings, store, stop, route=route, allowance=allowance, sealer=sealer, now=now, chance=chance)
    sender.recover()
    try:
        while not stop.is_set():
            try:
                if not sender.work():
                    route.rest()
                    store.wait(_WAIT_SECONDS)
            except TemporaryError as error:
                log.error("sender-waits", error=str(error))  # noqa: TRY400 -- the store's trouble, no traceback of ours
                stop.wait(_WAIT_SECONDS)
    finally:
        route.close()
        sealer.close()


def own_address(settings: Settings) -> str:
    """Return the address that all but acknowledgements come from and bounce to: `reply.sender` or the first mailbox."""
    return settings.reply.sender or settings.mailbox[0].address


def next_try(tries: int, first: timedelta, cap: timedelta, chance: float) -> timedelta:
    """Return the pause after the failed try number `tries`, which counts from 1.

    It doubles from `first` to at most `cap`; jitter, by `chance` from 0 to 1, takes away up to half of it, so that what
    failed together is not tried again together.
    """
    pause = min(first, cap)
    for _ in range(min(tries - 1, _MAX_DOUBLINGS)):
        pause = min(pause * 2, cap)
    return pause * (1 - chance / 2)


def _route(settings: Settings) -> Route:
    outbox = settings.outbox
    if not outbox.smarthost:
        return Folder(outbox.folder)
    if settings.team.example:
        raise ConfigError(("outbox.smarthost: nothing is sent while team.example is true",))
    return Smarthost(outbox.smarthost, hostname=settings.smtp.hostname, timeout=outbox.timeout.total_seconds())


class _Sender:
    def __init__(
        self,
        settings: Settings,
        store: Purse,
        stop: Stop,
        *,
        route: Route,
        allowance: Allowance,
        sealer: Sealer,
        now: Callable[[], datetime],
        chance: Callable[[], float],
    ) -> None:
        self._outbox: OutboxSettings = settings.outbox
        self._bounces_to = own_address(settings)
        self._store = store
        self._stop = stop
        self._route = route
        self._allowance = allowance
        self._sealer = sealer
        self._now = now
        self._chance = chance

    def recover(self) -> None:
        """Settle what a predecessor left as "sending": the folder knows about its mails, all others are unknown."""
        folder = Folder(self._outbox.folder)
        for mail in self._store.mails((MailState.SENDING,), _BATCH):
            if folder.confirm(mail.message_id):
                self._store.sent(mail.id, self._now(), f"written to {mail.message_id}.eml")
                _log("mail-sent", mail)
            elif folder.offered(mail.message_id):
                self._store.put_off(mail.id, self._now(), "the sender was stopped before the file had its name")
                _log("mail-put-off", mail)
        for mail in self._store.recover(self._now()):
            _log("mail-unknown" if _once(mail) else "mail-put-off", mail)

    def work(self) -> int:
        """Send one batch of what is due and may leave; returns how many mails were due."""
        due = self._store.due(self._now(), _BATCH)
        mails = self._allowance.admit(due, self._now())
        for position, mail in enumerate(mails):
            if self._stop.is_set():
                break
            try:
                self._send(mail)
            except RouteDownError as error:  # the others would wait for the same timeout, one after the other
                for waiting in mails[position:]:
                    self._put_off(waiting.mail, error)
                break
        return len(due)

    def _send(self, held: MailToSend) -> None:
        """Send one mail and commit what became of it; raises `RouteDownError` where it is to be put off with others."""
        mail = held.mail
        try:
            letter = Letter(
                message_id=mail.message_id,
                bounces_to="" if _once(mail) else self._bounces_to,
                recipient=mail.recipient,
                content=self._sealed(held),
            )
            self._route.offer(letter)
            if not self._mark_sending(mail):
                return
            failpoint("sender.before-data")
            answer = self._route.commit()
            failpoint("sender.after-data")
        except RouteDownError:
            raise
        except SealingError as error:  # the fault is ours, however long it lasts: no mail is given up for it
            self._try_later(mail, NotNowError(f"{error}; {error.advice}"))
        except NotNowError as error:
            self._put_off(mail, error)
        except RefusedError as error:
            self._give_up(mail, error)
        except UnknownError as error:
            if _once(mail):
                self._unknown(mail, error)
            else:
                self._put_off(mail, error)
        else:
            self._record(lambda: self._store.sent(mail.id, self._now(), answer))
            _log("mail-sent", mail)

    def _sealed(self, held: MailToSend) -> bytes:
        """Sign and encrypt a mail; handlers get theirs unsigned where that fails, or nobody would tell them so."""
        try:
            return self._sealer.seal(held.mail, held.content)
        except SealingError as error:
            if _once(held.mail):
                raise
            log.warning("mail-unsigned", mail=held.mail.id, message_id=held.mail.message_id, error=str(error))
            return held.content

    def _mark_sending(self, mail: StoredMail) -> bool:
        """Commit "sending"; otherwise the offer is withdrawn."""
        marked = False
        try:
            marked = self._store.sending(mail.id, self._now())
        finally:
            if not marked:
                self._route.withdraw()
        return marked

    def _put_off(self, mail: StoredMail, error: DeliveryError) -> None:
        # A mail that waited for its budget lives as long as any other from the moment at which it might leave.
        if self._now() - (mail.paid_at or mail.created_at) >= self._outbox.lifetime:
            self._give_up(mail, error)
        else:
            self._try_later(mail, error)

    def _try_later(self, mail: StoredMail, error: DeliveryError) -> None:
        pause = next_try(mail.tries + 1, self._outbox.retry_first, self._outbox.retry_cap, self._chance())
        self._record(lambda: self._store.put_off(mail.id, self._now() + pause, str(error)))
        _log("mail-put-off", mail, error)

    def _give_up(self, mail: StoredMail, error: DeliveryError) -> None:
        self._record(lambda: self._store.give_up(mail.id, self._now(), str(error)))
        _log("mail-given-up", mail, error)

    def _unknown(self, mail: StoredMail, error: DeliveryError) -> None:
        self._record(lambda: self._store.unknown(mail.id, self._now(), str(error)))
        _log("mail-unknown", mail, error)

    def _record(self, write: Callable[[], None]) -> None:
        """Commit a result however long the store takes: a result that is lost makes a delivery unknown."""
        while True:
            try:
                return write()
            except TemporaryError as error:
                log.error("sender-waits", error=str(error))  # noqa: TRY400 -- the store's trouble, no traceback of ours
                if self._stop.wait(_WAIT_SECONDS):
                    raise


def _once(mail: StoredMail) -> bool:
    """Whether a mail is sent at most once, with the null reverse-path; all others go to handlers, at least once."""
    return mail.kind is MailKind.ACKNOWLEDGEMENT


def _log(event: str, mail: StoredMail, error: DeliveryError | None = None) -> None:
    """Log what became of a mail by its ids; the peer's words may hold an address, so only their code is told."""
    level = log.info if event == "mail-sent" else log.warning
    level(event, mail=mail.id, message_id=mail.message_id, ticket=mail.ticket, code=error.code if error else None)
