"""Made-up look-ups and answers that the contract tests store."""

from dataclasses import replace
from datetime import timedelta

from contract.values import DRAFT, LEASE, NOON, VERDICT, open_ticket

from abuse_triage.model.decision import Tlp
from abuse_triage.model.lookups import Answer, LookupKind, LookupState, Permission, Result, Wanted
from abuse_triage.store.interface import Finished, Store
from abuse_triage.store.lookups import Task, TicketLookup

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
NAME, ADDRESS = "example.org", "192.0.2.80"


def wanted(subject: str = NAME, kind: LookupKind = LookupKind.DOMAIN, **changes: object) -> Wanted:
    """A look-up that waits, of a ticket with TLP:GREEN, and may leave at noon."""
    plain = Wanted(kind=kind, subject=subject, tlp=Tlp.GREEN, state=LookupState.WAITING, not_before=NOON)
    return replace(plain, **changes)


def network(subject: str = ADDRESS, **changes: object) -> Wanted:
    """The same about the network of an address."""
    return wanted(subject, LookupKind.NETWORK, **changes)


def withheld(subject: str = NAME, permission: Permission = Permission.ASK, **changes: object) -> Wanted:
    """The same where the policy does not let it leave."""
    given = {"state": LookupState.WITHHELD, "reason": "withheld by TLP:GREEN", "permission": permission}
    return wanted(subject, **{**given, **changes})


def asks(store: Store, name: str, *lookups: Wanted, tlp: Tlp = Tlp.GREEN, **changes: object) -> Finished:
    """Open a ticket of some TLP with a message that wants to know something."""
    draft, verdict = replace(DRAFT, tlp=tlp, tlp_marked=False), replace(VERDICT, tlp=tlp, tlp_marked=False)
    return open_ticket(store, name, **{"opens": draft, "verdict": verdict, "wanted": lookups, **changes})


def found(subject: str = NAME, kind: LookupKind = LookupKind.DOMAIN, **changes: object) -> Answer:
    """An answer."""
    plain = Answer(kind=kind, subject=subject, server="rdap.example.net", result=Result.FOUND, registrar="Registrar SA")
    return replace(plain, **changes)


def found_network(first: str, last: str, subject: str = "", **changes: object) -> Answer:
    """An answer about a network, asked for by its first address unless another one is given."""
    given = {"registrar": "", "network": "NET-EXAMPLE", "first": first, "last": last}
    return found(subject or first, LookupKind.NETWORK, **{**given, **changes})


def failed(subject: str = NAME, kind: LookupKind = LookupKind.DOMAIN) -> Answer:
    """A question that nobody answered."""
    return found(subject, kind, result=Result.FAILED, reason="no answer in 8 s", registrar="")


def claim(store: Store, *, minutes: int = 0, limit: int = 10, lease: timedelta = LEASE) -> list[Task]:
    """Claim look-ups so many minutes after noon."""
    return store.claim_lookups(limit, lease, NOON + minutes * MINUTE)


def answer(
    store: Store,
    task: Task,
    said: Answer,
    *,
    minutes: int = 0,
    fresh: timedelta = DAY,
    stale: timedelta = DAY,
    again: bool = False,
) -> None:
    """Answer a task so many minutes after noon."""
    store.answer_lookup(task, said, fresh=fresh, stale=stale, again=again, now=NOON + minutes * MINUTE)


def lookups(store: Store, number: str = "1") -> list[TicketLookup]:
    """The look-ups of a ticket."""
    return store.lookups_of(number)


def states(store: Store, number: str = "1") -> list[tuple[str, str]]:
    """What a ticket wants to know, and where that stands."""
    return [(lookup.subject, lookup.state.value) for lookup in store.lookups_of(number)]


def lines(store: Store, number: str = "1", actor: str = "looker") -> list[str]:
    """What somebody wrote into a ticket's journal."""
    return [line.detail for line in store.ticket(number).journal if line.actor == actor]
