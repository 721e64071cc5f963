"""What the rules decide, and why."""

from dataclasses import dataclass
from enum import StrEnum


class Tlp(StrEnum):
    """Traffic Light Protocol 2.0 labels in rising order of strictness (FIRST, August 2022)."""

    CLEAR = "clear"
    GREEN = "green"
    AMBER = "amber"
    AMBER_STRICT = "amber+strict"
    RED = "red"

    @property
    def label(self) -> str:
        """The written form, such as "TLP:AMBER+STRICT"."""
        return f"TLP:{self.value.upper()}"

    @property
    def rank(self) -> int:
        """The position in the order of strictness, 0 for CLEAR."""
        return list(Tlp).index(self)

    # All four stand here: `functools.total_ordering` keeps those that `str` brings along, which order by spelling.

    def __lt__(self, other: object) -> bool:
        """Order by strictness, not by spelling."""
        return self.rank < other.rank if isinstance(other, Tlp) else NotImplemented

    def __le__(self, other: object) -> bool:
        """Order by strictness, not by spelling."""
        return self.rank <= other.rank if isinstance(other, Tlp) else NotImplemented

    def __gt__(self, other: object) -> bool:
        """Order by strictness, not by spelling."""
        return self.rank > other.rank if isinstance(other, Tlp) else NotImplemented

    def __ge__(self, other: object) -> bool:
        """Order by strictness, not by spelling."""
        return self.rank >= other.rank if isinstance(other, Tlp) else NotImplemented


class Priority(StrEnum):
    """How urgent a ticket is; P1 is the most urgent."""

    P1 = "p1"
    P2 = "p2"
    P3 = "p3"
    P4 = "p4"


class TicketKind(StrEnum):
    """Which kind of matter a ticket is."""

    INCIDENT = "incident"
    ENQUIRY = "enquiry"


class Phase(StrEnum):
    """The four phases of a rule set, in the order they run."""

    GATE = "gate"
    MARK = "mark"
    CLASSIFY = "classify"
    ROUTE = "route"


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceEntry:
    """One rule that spoke: where it stands, which facts made it fire, and what it did.

    `because` pairs each fact's name with the value or the words that matched, shortened to 120 characters; `effect` is
    one line for a person, such as "fraud +50 (strong)". Rules in shadow speak, but `applied` is False. `notifies` says
    that the rule asks to tell the handlers at once.
    """

    phase: Phase
    rule: str
    file: str
    line: int
    why: str
    because: tuple[tuple[str, str], ...]
    effect: str
    applied: bool = True
    notifies: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the rules decided about one report.

    `category` is an id of the taxonomy ("fraud"), `type` one of its type ids ("fraud:phishing") or "". `parked` holds
    the reason where a gate rule parked the message, "" otherwise. `tlp_marked` tells an explicit marking from a
    default. `scores` are the sums of evidence per category, best first. `review` asks a person to look, `notify` asks
    to tell the handlers at once, `reason` says in one sentence how the category came about. `generation` is the hash of
    the rule set.
    """

    category: str
    type: str
    tlp: Tlp
    tlp_marked: bool
    priority: Priority
    kind: TicketKind
    reason: str
    generation: str
    review: bool = False
    parked: str = ""
    tags: tuple[str, ...] = ()
    queue: str = ""
    assign: str = ""
    acknowledge: bool = True
    notify: bool = False
    scores: tuple[tuple[str, int], ...] = ()
    trace: tuple[TraceEntry, ...] = ()
