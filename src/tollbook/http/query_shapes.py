"""The published shapes of what the query API answers.

Names and meanings are those of ``--json`` (docs/reference/json.md). Money is exact
decimal text, instants are UTC text; ``null`` is what nobody knows.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from tollbook.core.money import Money, usd_exact
from tollbook.core.report import Line
from tollbook.core.tally import UNITS, Tally
from tollbook.core.units import TOKEN_UNITS
from tollbook.http.query_period import Period
from tollbook.render.fields import VERSION, moment

Usd = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^-?[0-9]+(\.[0-9]{1,12})?$",
        description="Dollars, exactly, as decimal text.",
        examples=["0.0123"],
    ),
]
Moment = Annotated[
    str,
    msgspec.Meta(
        description="An instant in UTC, to the second.",
        examples=["2026-11-03T14:15:00Z"],
    ),
]
_TOKENS = tuple(unit.value for unit in TOKEN_UNITS)


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What all shapes have in common: nothing."""


class PeriodShape(Shape, frozen=True, kw_only=True):
    """``start_at <= t < end_at``; ``null`` is no limit."""

    start_at: Moment | None
    end_at: Moment | None
    timezone: str


class Figures(Shape, frozen=True, kw_only=True):
    """The short form of what some responses used and cost."""

    responses: int
    failed_requests: int
    partial_responses: int
    missing_responses: int
    tokens: int
    output_tokens: int
    list_cost_usd: Usd
    unpriced_units: int
    mean_latency_ms: int | None


class Amounts(Shape, frozen=True, kw_only=True):
    """What some responses used and cost, as a row of ``--json`` says it."""

    models: tuple[str, ...]
    responses: int
    failed_requests: int
    partial_responses: int
    missing_responses: int
    tokens: int
    uncached_input_tokens: int
    cache_read_input_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    output_tokens: int
    web_search_requests: int
    web_fetch_requests: int
    code_execution_requests: int
    other_units: int
    list_cost_usd: Usd
    net_cost_usd: Usd | msgspec.UnsetType = msgspec.UNSET
    estimated_cost_usd: Usd | None
    unpriced: dict[str, dict[str, int]]
    timed_requests: int
    mean_latency_ms: int | None


class Row(Amounts, frozen=True, kw_only=True):
    """A row of some dimension. ``name`` is ``null`` where no source told it."""

    name: str | None
    first_at: Moment | None
    last_at: Moment | None


class ProjectRow(Row, frozen=True, kw_only=True):
    """A project; ``kind`` is ``null`` when it is not registered."""

    ids: list[str]
    path: str | None
    kind: str | None


class ModelRow(Row, frozen=True, kw_only=True):
    """A model, with the ids that sources wrote for it."""

    ids: list[str]
    family: str | None


class TotalsAnswer(Shape, frozen=True, kw_only=True):
    """Everything of a period together."""

    version: int = VERSION
    period: PeriodShape
    totals: Amounts


class SeriesPoint(Figures, frozen=True, kw_only=True):
    """One hour, day, week or month of a series; those without usage have none."""

    at: str


class Series(Figures, frozen=True, kw_only=True):
    """One line of a chart, with its points. ``other`` adds up all that have no line."""

    name: str | None
    other: bool
    points: list[SeriesPoint]


class SeriesTime(Shape, frozen=True, kw_only=True):
    """A point on the axis of time."""

    at: str
    start_at: Moment


class SeriesAnswer(Shape, frozen=True, kw_only=True):
    """A chart."""

    version: int = VERSION
    period: PeriodShape
    interval: str
    by: str | None
    times: list[SeriesTime]
    series: list[Series]
    totals: Amounts


class TopAnswer(Shape, frozen=True, kw_only=True):
    """The largest of a dimension; ``count`` tells how many there are."""

    version: int = VERSION
    period: PeriodShape
    by: str
    measure: str
    count: int
    rows: list[Row]
    totals: Amounts


class PercentileValue(Shape, frozen=True, kw_only=True):
    """``value``: dollars as text, tokens or milliseconds; ``null`` when there is none."""

    p: str
    value: str | int | None


class PercentilesAnswer(Shape, frozen=True, kw_only=True):
    """Values that were really seen (nearest rank); ``count`` tells of how many."""

    version: int = VERSION
    period: PeriodShape
    of: str
    per: str
    unit: str
    count: int
    percentiles: list[PercentileValue]


class EventRow(Shape, frozen=True, kw_only=True):
    """One response or failed request; what nobody told or priced is ``null``."""

    id: str
    at: Moment
    message_id: str | None
    request_id: str | None
    project: str | None
    session: str | None
    model: str | None
    provider: str | None
    app: str | None
    user: str | None
    machine: str | None
    key: str | None
    agent: str | None
    tags: dict[str, str]
    sources: tuple[str, ...]
    evidence: str
    failure: str | None
    latency_ms: int | None
    tokens: int | None
    usage: dict[str, int]
    list_cost_usd: Usd | None
    stated_cost_usd: Usd | None
    unpriced: dict[str, int]


class EventsAnswer(Shape, frozen=True, kw_only=True):
    """A page of events. ``next`` is the cursor of the following page, if there is one."""

    version: int = VERSION
    period: PeriodShape
    events: list[EventRow]
    next: str | None


class ProblemShape(Shape, frozen=True, kw_only=True):
    """Input that could not be used, and where it is."""

    origin: str
    line: int
    code: str
    message: str


class ProblemsAnswer(Shape, frozen=True, kw_only=True):
    """A page of problems; ``next`` is the offset of the following one."""

    version: int = VERSION
    count: int
    problems: list[ProblemShape]
    next: int | None


class Span(Shape, frozen=True, kw_only=True):
    """When a source's first and last response came."""

    first_at: Moment | None
    last_at: Moment | None


class CoverageAnswer(Shape, frozen=True, kw_only=True):
    """What is known, and what is known to be missing."""

    version: int = VERSION
    sources: dict[str, Span]
    responses: int
    unrecorded_calls: int
    problems: int


class ProjectsAnswer(Shape, frozen=True, kw_only=True):
    """Every project that is registered or has usage."""

    version: int = VERSION
    projects: list[ProjectRow]


class ModelsAnswer(Shape, frozen=True, kw_only=True):
    """Every model that answered."""

    version: int = VERSION
    models: list[ModelRow]


class ModelFigures(Figures, frozen=True, kw_only=True):
    """One model's part; ``null``: no source told which."""

    model: str | None


class MetricsAnswer(Shape, frozen=True, kw_only=True):
    """What a project used and cost."""

    project_id: str
    start_date: str | None
    end_date: str | None
    timezone: str
    totals: Figures
    models: list[ModelFigures]


class DayCost(Shape, frozen=True, kw_only=True):
    """A day that has any usage."""

    date: str
    list_cost_usd: Usd
    unpriced_units: int
    missing_responses: int


class ProviderCost(Shape, frozen=True, kw_only=True):
    """A provider's part; ``null``: no source told which."""

    provider: str | None
    list_cost_usd: Usd
    unpriced_units: int
    missing_responses: int


class CostsAnswer(Shape, frozen=True, kw_only=True):
    """What days and providers cost."""

    project_id: str | None
    start_date: str | None
    end_date: str | None
    timezone: str
    list_cost_usd: Usd
    unpriced_units: int
    missing_responses: int
    daily: list[DayCost]
    providers: list[ProviderCost]


def period_shape(period: Period) -> PeriodShape:
    """A period as it is published."""
    return PeriodShape(
        start_at=moment(period.start),
        end_at=moment(period.end),
        timezone=period.zone.key,
    )


def tokens_of(tally: Tally) -> int:
    """All tokens of every kind."""
    tokens: int = sum(getattr(tally, unit) for unit in _TOKENS)
    return tokens


def mean_latency_ms(tally: Tally) -> int | None:
    """To the nearest millisecond; ``None`` when no request was timed."""
    timed = tally.timed_requests
    return (2 * tally.latency_ms + timed) // (2 * timed) if timed else None


def figures(tally: Tally, unpriced_units: int) -> dict[str, Any]:
    """The fields of ``Figures``."""
    return {
        "responses": tally.responses,
        "failed_requests": tally.failed_requests,
        "partial_responses": tally.partial_responses,
        "missing_responses": tally.missing_responses,
        "tokens": tokens_of(tally),
        "output_tokens": tally.output_tokens,
        "list_cost_usd": usd_exact(tally.list_cost),
        "unpriced_units": unpriced_units,
        "mean_latency_ms": mean_latency_ms(tally),
    }


def amounts(line: Line, *, net: bool) -> dict[str, Any]:
    """The fields of ``Amounts``; ``net``: the user has terms."""
    used = line.used
    fields: dict[str, Any] = {
        "models": line.models,
        "responses": used.responses,
        "failed_requests": used.failed_requests,
        "partial_responses": used.partial_responses,
        "missing_responses": used.missing_responses,
        "tokens": line.tokens,
        **{unit: getattr(used, unit) for unit in UNITS},
        "other_units": used.other_units,
        "list_cost_usd": usd_exact(used.list_cost),
        "estimated_cost_usd": usd_or_none(line.estimated_cost),
        "unpriced": {model: dict(units) for model, units in line.unpriced.items()},
        "timed_requests": used.timed_requests,
        "mean_latency_ms": mean_latency_ms(used),
    }
    return fields | {"net_cost_usd": usd_exact(used.net_cost)} if net else fields


def row(line: Line, *, net: bool) -> dict[str, Any]:
    """The fields of ``Row``."""
    return {
        "name": line.name,
        "first_at": moment(line.first_at),
        "last_at": moment(line.last_at),
        **amounts(line, net=net),
    }


def usd_or_none(amount: Money | None) -> str | None:
    """An amount that may be unknown."""
    return None if amount is None else usd_exact(amount)
