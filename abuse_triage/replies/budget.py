"""Which budgets our mail draws from: an acknowledgement from one for its address, one for its domain, one for all.

Mail whose sender is not proven has budgets of its own throughout, so that forged mail cannot use up those of the people
whose addresses it forges.
"""

import hashlib
from collections.abc import Set as AbstractSet

from abuse_triage.indicators.names import organisation
from abuse_triage.model.budget import Bucket
from abuse_triage.model.fields import Rate
from abuse_triage.model.settings import BudgetSettings

PROVEN, UNPROVEN = "proven", "unproven"
"""The names of the two budgets for all recipients together."""


def overall(budget: BudgetSettings) -> tuple[Bucket, Bucket]:
    """Return the budgets for all proven and for all other recipients."""
    return _bucket(PROVEN, budget.proven), _bucket(UNPROVEN, budget.unproven)


def for_notice(recipient: str, *, proven: bool, budget: BudgetSettings) -> tuple[Bucket, ...]:
    """Return the budget of one notice: its handler's, one for mail whose sender is proven and one for all other."""
    kind = "notices" if proven else f"{UNPROVEN}-notices"
    return (_bucket(f"{kind}:{_hash(recipient.lower())}", budget.notices),)


def buckets(recipient: str, *, proven: bool, budget: BudgetSettings, freemail: AbstractSet[str]) -> tuple[Bucket, ...]:
    """Return the budgets of one acknowledgement, the one for all last.

    Names hold a hash (SHA-256) instead of an address or domain. An address counts without what stands behind a "+" in
    it, a domain as its organisation has registered it.

    Args:
        recipient: bare address.
        proven: whether the recipient is proven to have written.
        budget: the rates.
        freemail: domains in lower case that have no budget of their own, because strangers share them.
    """
    local, _, domain = recipient.lower().rpartition("@")
    address = f"{local.partition('+')[0] or local}@{domain}"
    registered = organisation(domain) or domain
    prefix = "" if proven else f"{UNPROVEN}-"
    found = [_bucket(f"{prefix}sender:{_hash(address)}", budget.sender if proven else budget.unproven_sender)]
    if not {domain, registered} & freemail:
        found.append(_bucket(f"{prefix}domain:{_hash(registered)}", budget.domain))
    for_proven, for_others = overall(budget)
    return (*found, for_proven if proven else for_others)


def _bucket(name: str, rate: Rate) -> Bucket:
    return Bucket(name=name, count=rate.count, span=rate.span)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
