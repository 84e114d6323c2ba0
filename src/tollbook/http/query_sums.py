"""Totals, series and top lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta

from tollbook.core.calendar import Bucket, day_start, local_day
from tollbook.core.report import Line
from tollbook.core.tally import Tally
from tollbook.http.query_desk import Asked, Desk
from tollbook.http.query_parameters import (
    TEXT_MAX,
    Parameter,
    choice_of,
    choice_schema,
    number_of,
    number_schema,
    refuse,
    text_of,
)
from tollbook.http.query_period import INTERVALS, Period, Point, points_of
from tollbook.http.query_shapes import (
    Amounts,
    Row,
    Series,
    SeriesAnswer,
    SeriesPoint,
    SeriesTime,
    TopAnswer,
    TotalsAnswer,
    amounts,
    figures,
    period_shape,
    row,
)
from tollbook.ledger.dimensions import STORED, stored_dimension
from tollbook.ledger.query import Ask, add_up
from tollbook.ports import TAG
from tollbook.render.fields import moment

LINES_MAX = 100
ROWS_MAX = 1_000

_BY = f"One of {', '.join(STORED)}, or {TAG}NAME."
_BY_SCHEMA = {
    "type": "string",
    "maxLength": TEXT_MAX,
    "pattern": f"^({'|'.join(STORED)}|{TAG}.+)$",
}
_TOP: dict[str, Callable[[Line], int]] = {
    "cost": lambda line: line.used.list_cost,
    "tokens": lambda line: line.tokens,
    "responses": lambda line: line.used.responses,
}

SERIES = (
    Parameter(
        name="interval",
        text="How long each point is.",
        schema=choice_schema(INTERVALS, "day"),
    ),
    Parameter(
        name="by",
        text=f"A line for each of these; one line without. {_BY}",
        schema=_BY_SCHEMA,
    ),
    Parameter(
        name="limit",
        text="How many lines at most; the rest is one more.",
        schema=number_schema(usual=12, most=LINES_MAX),
    ),
)
TOP = (
    Parameter(name="by", text=_BY, schema=_BY_SCHEMA, required=True),
    Parameter(
        name="measure",
        text="What the largest have most of.",
        schema=choice_schema(_TOP, "cost"),
    ),
    Parameter(
        name="limit",
        text="How many rows at most.",
        schema=number_schema(usual=10, most=ROWS_MAX),
    ),
)


def totals(asked: Asked, desk: Desk) -> TotalsAnswer:
    """Everything of a period together."""
    period, books = desk.period(asked), desk.books(asked)
    where = desk.where(asked, books.naming)
    found = add_up(books, Ask(buckets=[period.bucket], where=where))
    return TotalsAnswer(
        period=period_shape(period),
        totals=Amounts(**amounts(found.total, net=books.net)),
    )


def top(asked: Asked, desk: Desk) -> TopAnswer:
    """The largest of a dimension."""
    values = asked.values
    by = _dimension(text_of(values, "by") or "")
    measure = choice_of(values, "measure", _TOP, "cost")
    limit = number_of(values, "limit", usual=10, most=ROWS_MAX)
    period, books = desk.period(asked), desk.books(asked)
    ask = Ask(
        buckets=[period.bucket],
        by=by,
        where=desk.where(asked, books.naming),
        kinds=desk.kinds() if by == "kind" else {},
        split=False,
    )
    found = add_up(books, ask)
    lines = largest(found.lines, measure)
    return TopAnswer(
        period=period_shape(period),
        by=by,
        measure=measure,
        count=len(lines),
        rows=[Row(**row(line, net=books.net)) for line in lines[:limit]],
        totals=Amounts(**amounts(found.total, net=books.net)),
    )


def _dimension(by: str) -> str:
    if stored_dimension(by) is None:
        refuse("by", f"is no dimension; use one of {', '.join(STORED)}, or {TAG}NAME")
    return by


def largest(lines: Iterable[Line], measure: str) -> list[Line]:
    """The largest first; equal ones by name, and what has none after them."""
    size = _TOP[measure]
    return sorted(
        lines, key=lambda line: (-size(line), line.name is None, line.name or "")
    )


def series(asked: Asked, desk: Desk) -> SeriesAnswer:
    """A chart."""
    values = asked.values
    interval = choice_of(values, "interval", INTERVALS, "day")
    by = text_of(values, "by")
    by = None if by is None else _dimension(by)
    limit = number_of(values, "limit", usual=12, most=LINES_MAX)
    period, books = desk.period(asked), desk.books(asked)
    where = desk.where(asked, books.naming)
    points = points_of(interval, used_days(period, desk), period)
    ask = Ask(
        buckets=[point.bucket for point in points],
        by=by,
        where=where,
        kinds=desk.kinds() if by == "kind" else {},
    )
    found = add_up(books, ask)
    lines = largest(found.lines, "cost")
    shown = [_line([line], points, line.name) for line in lines[:limit]]
    if len(lines) > limit:
        shown.append(_line(lines[limit:], points, None, other=True))
    return SeriesAnswer(
        period=period_shape(period),
        interval=interval,
        by=by,
        times=[
            SeriesTime(at=point.name, start_at=moment(point.bucket[0]) or "")
            for point in points
        ],
        series=shown,
        totals=Amounts(**amounts(found.total, net=books.net)),
    )


def used_days(period: Period, desk: Desk) -> Bucket:
    """The asked time; where it has no limit, from or to the days with usage."""
    spans = desk.store.coverage().sources.values()
    seen = [at for span in spans for at in span if at is not None]
    zone, one_day = period.zone, timedelta(days=1)
    if not seen:
        start = period.start if period.start is not None else period.end
        end = period.end if period.end is not None else start
        return start or 0, end or 0
    first = day_start(local_day(min(seen), zone), zone)
    last = day_start(local_day(max(seen), zone) + one_day, zone)
    start = first if period.start is None else period.start
    end = last if period.end is None else period.end
    return start, max(start, end)


def _line(
    lines: Iterable[Line], points: list[Point], name: str | None, *, other: bool = False
) -> Series:
    """One line of a chart, which may stand for several."""
    whole, unpriced = Tally(), 0
    by_point: dict[int, tuple[Tally, int]] = {}
    for line in lines:
        whole, unpriced = whole.plus(line.used), unpriced + line.unpriced_units
        for part in line.breakdown:
            number = int(part.place)
            tally, units = by_point.get(number, (Tally(), 0))
            by_point[number] = tally.plus(part.used), units + part.unpriced_units
    return Series(
        name=name,
        other=other,
        points=[
            SeriesPoint(at=points[number].name, **figures(*by_point[number]))
            for number in sorted(by_point)
        ],
        **figures(whole, unpriced),
    )
