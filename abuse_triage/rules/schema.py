"""The shape of a rule file, version 1: four phases, conditions as data, tests beside each rule."""

from typing import Annotated, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, TypeAdapter, model_validator

from abuse_triage.model.decision import Phase, Priority, Tlp

MAX_PATTERN = 1000
"""Longest regular expression in characters."""

FactLiteral = Annotated[int, Field(strict=True)] | Annotated[bool, Field(strict=True)] | Annotated[str, Field()]
Literals = Annotated[list[FactLiteral], Field(min_length=1, max_length=10_000)]
Pattern = Annotated[str, Field(min_length=1, max_length=MAX_PATTERN)]
Phrase = Annotated[str, Field(min_length=1, max_length=200)]
Why = Annotated[str, Field(min_length=10, max_length=500)]
Label = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,39}$")]
Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]


class Entry(BaseModel):
    """One mapping of a rule file: frozen, and no key that is not described here."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Test(Entry):
    """What must be true of one fact; several keys must all hold; of several values one is enough."""

    eq: FactLiteral | None = None
    """The value; upper and lower case are the same. `fact: value` is short for it."""
    in_: Literals | None = Field(default=None, alias="in")
    """One of these values."""
    not_in: Literals | None = None
    """None of these values; holds for an absent fact too."""
    in_list: str | None = None
    """One of the values of a list under `lists`."""
    re: Pattern | None = None
    """RE2 pattern, found anywhere; ^ and $ are line ends."""
    re_any: Annotated[list[Pattern], Field(min_length=1, max_length=200)] | None = None
    """At least one of these RE2 patterns."""
    contains_any: Annotated[list[Phrase], Field(min_length=1, max_length=1000)] | None = None
    """At least one of these strings, anywhere, upper and lower case alike."""
    words: Annotated[list[Phrase], Field(min_length=1, max_length=1000)] | None = None
    """At least one of these words or phrases, whole, without regard to accents, case, punctuation and line ends."""
    words_in: str | None = None
    """The same with a list under `lists`."""
    fold: bool = False
    """Match `re`, `re_any` and `contains_any` on a copy in lower case, without accents, all blanks single."""
    exists: Annotated[bool, Field(strict=True)] | None = None
    """Whether the fact has a value that is not empty."""
    gte: Annotated[int, Field(strict=True)] | None = None
    """At least this number."""
    lte: Annotated[int, Field(strict=True)] | None = None
    """At most this number."""
    cidr_any: Annotated[list[str], Field(min_length=1, max_length=10_000)] | None = None
    """An IP address in one of these networks."""
    domain_under: Annotated[list[str], Field(min_length=1, max_length=10_000)] | None = None
    """A name that is one of these or below one of them."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set - {"fold"}:
            raise ValueError("the test says nothing; give it eq, in, re, words or another key")
        return self


def _test_shape(value: object) -> str:
    return "test" if isinstance(value, dict) else "value"


Tested = Annotated[
    Annotated[FactLiteral, Tag("value")] | Annotated[Test, Tag("test")],
    Discriminator(_test_shape),
]


class All(Entry):
    """Every one of these conditions holds."""

    all: Annotated[list["Condition"], Field(min_length=1, max_length=100)]


class AnyOf(Entry):
    """At least one of these conditions holds."""

    any: Annotated[list["Condition"], Field(min_length=1, max_length=100)]


class Not(Entry):
    """This condition does not hold."""

    not_: "Condition" = Field(alias="not")


FactTest = Annotated[dict[str, Tested], Field(min_length=1, max_length=1)]
"""One fact and what must be true of it."""


def _condition_shape(value: object) -> str:
    if isinstance(value, dict):
        return next((key for key in ("all", "any", "not") if key in value), "fact")
    return "fact"


Condition = Annotated[
    Annotated[All, Tag("all")]
    | Annotated[AnyOf, Tag("any")]
    | Annotated[Not, Tag("not")]
    | Annotated[FactTest, Tag("fact")],
    Discriminator(_condition_shape),
]


class GateThen(Entry):
    """What a gate rule does: exactly one of the two."""

    accept: Literal[True] | None = None
    """The message goes on; no later gate rule is asked."""
    park: Line | None = None
    """The message is kept and listed, but opens no ticket; the text is the reason."""

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.accept is None) == (self.park is None):
            raise ValueError('a gate rule says either "accept: true" or "park: reason"')
        return self


class _Speaks(Entry):
    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("the rule does nothing")
        return self


class MarkThen(_Speaks):
    """What a mark rule adds; of several the strictest, the most urgent and all tags count."""

    tlp: Tlp | None = None
    """TLP is at least this."""
    priority: Priority | None = None
    """Priority is at least this urgent."""
    tags: Annotated[tuple[Label, ...], Field(max_length=20)] = ()
    """Tags of the ticket."""
    reply: Literal["none"] | None = None
    """No acknowledgement."""
    notify: Literal[True] | None = None
    """The handlers are told at once, by a mail of its own, when the message opens a ticket."""


def _weight(value: object) -> object:
    named = value in {"weak", "medium", "strong", "decisive"}
    if not named and (isinstance(value, bool) or not isinstance(value, int) or not -100 <= value <= 100):
        raise ValueError("a weight is weak, medium, strong, decisive or a number from -100 to 100")
    return value


Weight = Annotated[int | str, BeforeValidator(_weight)]
"""What a vote counts."""


class ClassifyThen(Entry):
    """What a classify rule votes for."""

    vote: Annotated[dict[str, Weight], Field(min_length=1, max_length=10)]
    """Points by category: weak 10, medium 25, strong 50, a number from -100 to 100, or decisive."""
    type: str = ""
    """The type this speaks for; its category must be among those voted for."""


class RouteThen(_Speaks):
    """Where a ticket goes."""

    priority: Priority | None = None
    """Its priority, unless a mark rule made it more urgent."""
    queue: Label | None = None
    """The queue it is put in."""
    assign: Label | None = None
    """Who gets it."""
    reply: Literal["none"] | None = None
    """No acknowledgement."""
    kind: Literal["incident", "enquiry"] | None = None
    """What kind of matter it is, whatever the mailbox."""
    notify: Literal[True] | None = None
    """The handlers are told at once, by a mail of its own, when the message opens a ticket."""


class Except(Entry):
    """A named case in which a rule does not hold."""

    id: Label
    when: Condition


class Expect(Entry):
    """What a test expects: `match` of its own rule, the rest of the verdict of the whole rule set."""

    match: Annotated[bool, Field(strict=True)]
    category: str | None = None
    type: str | None = None
    review: Annotated[bool, Field(strict=True)] | None = None
    tlp: Tlp | None = None
    priority: Priority | None = None
    park: Annotated[bool, Field(strict=True)] | None = None
    """Whether the message is parked."""
    tags: tuple[Label, ...] | None = None
    """Tags that are among those of the verdict."""
    queue: str | None = None
    assign: str | None = None
    acknowledge: Annotated[bool, Field(strict=True)] | None = None
    kind: Literal["incident", "enquiry"] | None = None
    notify: Annotated[bool, Field(strict=True)] | None = None
    """Whether the handlers are told at once."""


class Example(Entry):
    """A test inside a rule: some facts, all others empty, and what is expected."""

    name: Line
    todo: bool = False
    """Known to fail: not run yet, and not counted."""
    facts: dict[str, FactLiteral | list[FactLiteral]]
    expect: Expect


Then = TypeVar("Then", GateThen, MarkThen, ClassifyThen, RouteThen)


class RuleOf(Entry, Generic[Then]):
    """What rules of every phase have."""

    id: Annotated[str, Field(pattern=r"^(gate|mark|cls|route)\.[a-z0-9][a-z0-9.-]{0,79}$")]
    status: Literal["live", "shadow", "off"] = "live"
    """shadow: it speaks in the trace only; off: it is not asked."""
    why: Why
    when: Condition
    then: Then
    except_: Annotated[list[Except], Field(alias="except", max_length=100)] = []
    tests: Annotated[list[Example], Field(min_length=2, max_length=100)]
    """At least one that matches and one that does not."""

    @model_validator(mode="after")
    def _both_sides(self) -> Self:
        sides = {test.expect.match for test in self.tests if not test.todo}
        if sides != {True, False}:
            raise ValueError(
                "tests: give at least one with match: true and one with match: false (todo does not count)"
            )
        return self


class GateRule(RuleOf[GateThen]):
    """A rule of the first phase: the first that matches wins."""

    phase: Literal[Phase.GATE]


class MarkRule(RuleOf[MarkThen]):
    """A rule of the second phase: all that match count."""

    phase: Literal[Phase.MARK]


class ClassifyRule(RuleOf[ClassifyThen]):
    """A rule of the third phase: each that matches votes once."""

    phase: Literal[Phase.CLASSIFY]


class RouteRule(RuleOf[RouteThen]):
    """A rule of the last phase: the first that matches wins; it may look at decision facts."""

    phase: Literal[Phase.ROUTE]


AnyRule = Annotated[GateRule | MarkRule | ClassifyRule | RouteRule, Field(discriminator="phase")]


class Otherwise(Entry):
    """What a report gets that no category won."""

    category: str = "other"
    review: bool = True


class Decide(Entry):
    """How votes become a decision; at most one file of a rule set says it."""

    accept: Annotated[int, Field(strict=True, ge=1, le=1000)] = 40
    """Points that a category needs."""
    margin: Annotated[int, Field(strict=True, ge=0, le=1000)] = 20
    """Points that it must be ahead of the next."""
    otherwise: Otherwise = Otherwise()


class RulesetHead(Entry):
    """Which rule set a file belongs to."""

    id: Label
    taxonomy: str = ""
    """Id of the taxonomy that the rules were written for."""


RULE: TypeAdapter[GateRule | MarkRule | ClassifyRule | RouteRule] = TypeAdapter(AnyRule)
"""Checks one rule."""


class RuleFile(Entry):
    """One file of rules."""

    version: Literal[1]
    ruleset: RulesetHead
    decide: Decide | None = None
    lists: Annotated[dict[Label, Annotated[list[str], Field(min_length=1, max_length=50_000)]], Field()] = {}
    rules: Annotated[list[AnyRule], Field(max_length=5000)] = []


MODELS = (
    RuleFile, RulesetHead, Decide, Otherwise, GateRule, GateThen, MarkThen, ClassifyThen, RouteThen, Except, Example,
    Expect, Test, All, AnyOf, Not,
)  # fmt: skip
"""Every mapping of a rule file, for the keys that are proposed instead of unknown ones."""
