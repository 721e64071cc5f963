"""Which look-ups a message asks for: those that the policy allows, and for the others why they are not made."""

import hashlib
import hmac
from datetime import datetime

from abuse_triage.enrichment.policy import permission, withheld
from abuse_triage.model.decision import Tlp
from abuse_triage.model.lookup_settings import LookupSettings
from abuse_triage.model.lookups import Enrichment, Level, LookupKind, LookupState, Permission, Wanted

_ON_REQUEST = frozenset([LookupKind.HOSTS, LookupKind.POINTER])
"""Only worth a line where somebody may release it: they are hardly ever allowed."""
MOST_LISTED = 200
"""Look-ups of one message that are listed at all."""


def plan(
    enrichment: Enrichment,
    settings: LookupSettings,
    *,
    tlp: Tlp,
    level: Level,
    message_id: str,
    received_at: datetime,
    secret: bytes,
) -> tuple[Wanted, ...]:
    """Decide about every question that could be asked; what is in the cache needs nobody's leave.

    At most `settings.per_message` of them leave by themselves. When each leaves is drawn from the secret: it looks like
    chance to whoever does not know that, and is the same whenever the message is decided again.
    """
    wanted: list[Wanted] = []
    leaving = 0
    for kind, subject in enrichment.asked[:MOST_LISTED]:
        allowed = permission(settings.policy, kind, level)
        state, reason, not_before = LookupState.WITHHELD, withheld(level, tlp), None
        known = enrichment.known.get((kind, subject))
        if known is not None and known.fresh_until > (enrichment.at or received_at):
            state, reason = LookupState.ANSWERED, ""
        elif allowed is Permission.YES and leaving == settings.per_message:
            state, reason = LookupState.SKIPPED, f"not asked: a message has at most {settings.per_message} look-ups"
        elif allowed is Permission.YES:
            leaving += 1
            share = _share(secret, f"{message_id} {kind} {subject}")
            state, reason, not_before = LookupState.WAITING, "", received_at + settings.spread * share
        elif allowed is Permission.NO and kind in _ON_REQUEST:
            continue
        wanted.append(
            Wanted(
                kind=kind,
                subject=subject,
                tlp=tlp,
                state=state,
                reason=reason,
                permission=allowed,
                not_before=not_before,
                cached=known is not None,
            )
        )
    return tuple(wanted)


def _share(secret: bytes, text: str) -> float:
    """Return a number from 0 to 1 that only those can foresee who know the secret."""
    return int.from_bytes(hmac.digest(secret, f"look-up {text}".encode(), hashlib.sha256)[:4], "big") / 2**32
