"""What may be asked about a report: its marking, and the operator's table, decide for each kind of question."""

from abuse_triage.model.decision import Tlp
from abuse_triage.model.lookup_settings import PolicySettings
from abuse_triage.model.lookups import Level, LookupKind, Permission


def level_of(tlp: Tlp, default: Tlp, *, marked: bool, sealed: bool) -> Level:
    """Return the column of the policy's table for a report.

    A default is nobody's word: it has a column of its own, as long as no rule raised the TLP above it. What came
    encrypted is treated as marked even where it is not, because its sender took the trouble; and a default of
    AMBER+STRICT or RED is the operator's word, for nothing leaves of such tickets.
    """
    if not marked and not sealed and tlp <= default and tlp < Tlp.AMBER_STRICT:
        return Level.UNMARKED
    return Level(tlp.value)


def permission(policy: PolicySettings, kind: LookupKind, level: Level) -> Permission:
    """Return whether a question leaves by itself, when a handler releases it, or never."""
    return policy.permission(kind, level)


def withheld(level: Level, tlp: Tlp) -> str:
    """Say why a look-up is not made, such as "withheld by TLP:RED"."""
    return "withheld: not marked" if level is Level.UNMARKED else f"withheld by {tlp.label}"
