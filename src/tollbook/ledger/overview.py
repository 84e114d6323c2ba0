"""The first screen: now, lately, and where it goes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import msgspec

from tollbook.core.calendar import month_of, week_of
from tollbook.core.report import Line, Report
from tollbook.core.tally import Tally
from tollbook.ledger.report import Books, Question, in_order, load

TREND_DAYS = 30


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """Several views of the same days."""

    report: Report  # today, this week, this month
    trend: tuple[tuple[date, int], ...]  # list cost by day, days of nothing too
    recent: Report  # the days of the trend
    projects: Report
    models: Report


def load_overview(books: Books, question: Question) -> Overview:
    """Load it all; a period of the question bounds the trend and the tops.

    Raises:
        NothingMatchesError: A filter means nothing in this ledger.
    """
    today = question.today
    week, month = week_of(today, question.week_start), month_of(today)
    since = question.since or today - timedelta(days=TREND_DAYS - 1)
    tops = msgspec.structs.replace(question, since=since)
    days = msgspec.structs.replace(
        question,
        dimension="day",
        since=min(since, week, month, today),
        before=None,
    )
    daily = load(books, days)
    recent = load(books, msgspec.structs.replace(tops, dimension="day"))
    spans = {"today": today, "this week": week, "this month": month}
    end = today + timedelta(days=1)
    lines = tuple(
        _span(name, first, daily.lines, end=end) for name, first in spans.items()
    )
    costs = {line.name: line.used.list_cost for line in recent.lines}
    length = ((question.before or end) - since).days
    shown = [since + timedelta(days=n) for n in range(length)]
    return Overview(
        report=msgspec.structs.replace(recent, dimension="period", lines=lines),
        trend=tuple((day, costs.get(day.isoformat(), 0)) for day in shown),
        recent=recent,
        projects=_top(books, tops, "project"),
        models=_top(books, tops, "model"),
    )


def _top(books: Books, question: Question, dimension: str) -> Report:
    """The dearest first."""
    report = load(books, msgspec.structs.replace(question, dimension=dimension))
    best = sorted(report.lines, key=lambda line: -line.used.list_cost)
    return msgspec.structs.replace(report, lines=tuple(best))


def _span(name: str, first: date, days: tuple[Line, ...], *, end: date) -> Line:
    """The sum of some daily lines."""
    since, before = first.isoformat(), end.isoformat()
    return _sum(name, since, [line for line in days if since <= line.place < before])


def _sum(name: str | None, place: str, lines: Sequence[Line]) -> Line:
    """Some lines as one; parts that stand for the same are one part."""
    used = Tally()
    unpriced: dict[str, dict[str, int]] = {}
    estimated = None
    parts: dict[tuple[str, str | None], list[Line]] = {}
    for line in lines:
        used = used.plus(line.used)
        for model, units in line.unpriced.items():
            known = unpriced.setdefault(model, {})
            for unit, count in units.items():
                known[unit] = known.get(unit, 0) + count
        for part in line.breakdown:
            parts.setdefault((part.place, part.name), []).append(part)
    if any(line.estimated_cost is not None for line in lines):
        estimated = sum(
            line.used.list_cost if line.estimated_cost is None else line.estimated_cost
            for line in lines
        )
    seen = [at for line in lines for at in (line.first_at, line.last_at) if at]
    return Line(
        name=name,
        place=place,
        path=lines[0].path if lines else None,
        used=used,
        unpriced=unpriced,
        estimated_cost=estimated,
        first_at=min(seen, default=None),
        last_at=max(seen, default=None),
        models=tuple(sorted({model for line in lines for model in line.models})),
        projects=tuple(sorted({each for line in lines for each in line.projects})),
        breakdown=tuple(_sum(key[1], key[0], parts[key]) for key in in_order(parts)),
    )
