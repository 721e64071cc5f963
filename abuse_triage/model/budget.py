"""Budgets that refill steadily: so many at once, and so many in a span of time."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A budget that refills steadily: at most `count` at once, and `count` in each `span`.

    `name` is what all processes know it by. It begins with the kind of budget; what follows a colon tells whose it is.
    """

    name: str
    count: int
    span: timedelta

    @property
    def kind(self) -> str:
        """The kind of budget, which names nobody."""
        return self.name.partition(":")[0]
