"""What a report says, before anybody decides how it looks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import msgspec

from tollbook.core.money import Money
from tollbook.core.observation import Instant
from tollbook.core.tally import Tally

DIMENSIONS = (
    "day",
    "week",
    "month",
    "weekday",
    "hour",
    "project",
    "group",
    "session",
    "model",
    "family",
    "branch",
    "agent",
    "skill",
    "tool",
    "kind",
    "provider",
    "app",
    "user",
    "machine",
    "key",
    "source",
)
"""What a line may stand for. A tag, ``tag:team``, may stand beside these."""

TIME_DIMENSIONS = frozenset({"day", "week", "month", "weekday", "hour"})
TAG = "tag:"
"""Begins the name of a tag, which is a dimension, too."""

Unpriced = Mapping[str, Mapping[str, int]]
"""Counts that have no price, by model and unit."""


def tag_of(dimension: str) -> str:
    """The name of the tag that a dimension is; empty when it is none."""
    return dimension.removeprefix(TAG) if dimension.startswith(TAG) else ""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What some responses used and cost together.

    ``used`` counts all of it; ``unpriced`` says which of that has no price and is not
    in the costs.
    """

    name: str | None  # what the line is called; ``None``: its sources did not say
    place: str = ""  # where the line stands when lines stand by name
    path: str | None = None  # of a project, where it is known
    used: Tally
    unpriced: Unpriced = {}
    estimated_cost: Money | None = None  # the list cost if partial counts were final
    first_at: Instant | None = None  # to the quarter hour
    last_at: Instant | None = None
    models: tuple[str, ...] = ()  # the dearest first
    projects: tuple[str, ...] = ()
    breakdown: tuple[Line, ...] = ()

    @property
    def tokens(self) -> int:
        """All tokens of every kind."""
        used = self.used
        return used.output_tokens + self.sent_tokens

    @property
    def sent_tokens(self) -> int:
        """All tokens that were sent, cached or not."""
        used = self.used
        return (
            used.uncached_input_tokens
            + used.cache_read_input_tokens
            + used.cache_write_5m_tokens
            + used.cache_write_1h_tokens
        )

    @property
    def unpriced_units(self) -> int:
        """How many units of any kind have no price."""
        return sum(sum(units.values()) for units in self.unpriced.values())


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the truth a report can know."""

    sources: Mapping[str, tuple[Instant | None, Instant | None]] = {}
    unrecorded_calls: int = 0  # asked in the period, answered in no line
    problems: int = 0  # in the whole ledger


class Display(msgspec.Struct, frozen=True, kw_only=True):
    """A second currency, at a rate the user fixed."""

    currency: str
    rate: str  # how much of it one dollar is, as the user wrote it
    numerator: int
    denominator: int

    def amount(self, cost: Money) -> Money:
        """A dollar amount in this currency, to the nearest millionth of a millionth."""
        return (2 * cost * self.numerator + self.denominator) // (2 * self.denominator)


class PlanShare(msgspec.Struct, frozen=True, kw_only=True):
    """What a subscription cost in a report's period."""

    name: str
    cost: Money
    list_cost: Money  # of what was used on the days the plan was held

    @property
    def percent(self) -> int | None:
        """List-price value for every hundred dollars of the plan."""
        return 100 * self.list_cost // self.cost if self.cost else None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one question, complete."""

    name: str  # "daily"
    dimension: str
    breakdown: str | None = None
    since: date | None = None
    until: date | None = None  # the last day, inclusive
    timezone: str = "UTC"
    lines: tuple[Line, ...] = ()
    total: Line
    known: Known = Known()
    net: bool = False  # the user has terms, so net costs differ from list costs
    display: Display | None = None
    plan: PlanShare | None = None


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How fast a window that is not over is being used up, and where that leads."""

    tokens_per_minute: int
    cost_per_hour: Money
    left_ms: int
    projected_tokens: int
    projected_cost: Money


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A five-hour window of use."""

    start: Instant
    end: Instant
    title: str  # when it began, on the local clock
    line: Line
    pace: Pace | None = None  # of the one that is not over
