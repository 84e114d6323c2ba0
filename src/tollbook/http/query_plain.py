"""The plain pair for simple clients: what a project used, and what a day cost."""

from __future__ import annotations

import re
from datetime import date, timedelta

import msgspec

from tollbook.core.calendar import day_start
from tollbook.core.money import usd_exact
from tollbook.core.observation import Instant
from tollbook.http.query_desk import Asked, Desk
from tollbook.http.query_parameters import Parameter, Values, refuse, text_of
from tollbook.http.query_period import (
    EARLIEST,
    LATEST,
    Period,
    points_of,
    zone_named,
)
from tollbook.http.query_prometheus import exposition_of
from tollbook.http.query_shapes import (
    CostsAnswer,
    DayCost,
    Figures,
    MetricsAnswer,
    ModelFigures,
    ProviderCost,
    figures,
)
from tollbook.http.query_sums import largest, used_days
from tollbook.ledger.query import Ask, add_up

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)

_DATES = (
    Parameter(
        name="start_date",
        text="The first day, 2026-11-03; from the beginning when it is missing.",
        schema={"type": "string", "format": "date"},
    ),
    Parameter(
        name="end_date",
        text="The last day, included; up to now when it is missing.",
        schema={"type": "string", "format": "date"},
    ),
)
METRICS = (
    Parameter(
        name="project_id",
        text="The project. Without one the answer is Prometheus' text, for all.",
    ),
    *_DATES,
)
COSTS = (
    Parameter(name="project_id", text="Only this project; all when it is missing."),
    *_DATES,
)


def metrics(asked: Asked, desk: Desk) -> MetricsAnswer | str:
    """What a project used; without a project, everything for Prometheus."""
    values = asked.values
    if "project_id" not in values:
        for name in ("start_date", "end_date"):
            if name in values:
                refuse("project_id", f"is missing; give it, or leave out {name}")
        return exposition_of(asked, desk)
    period, books = _period(asked, desk), desk.books(asked)
    where = desk.where(_about(asked), books.naming)
    found = add_up(books, Ask(buckets=[period.bucket], by="model", where=where))
    return MetricsAnswer(
        project_id=values["project_id"][0],
        start_date=text_of(values, "start_date"),
        end_date=text_of(values, "end_date"),
        timezone=period.zone.key,
        totals=Figures(**figures(found.total.used, found.total.unpriced_units)),
        models=[
            ModelFigures(model=line.name, **figures(line.used, line.unpriced_units))
            for line in largest(found.lines, "cost")
        ],
    )


def costs(asked: Asked, desk: Desk) -> CostsAnswer:
    """What each day and each provider cost."""
    values = asked.values
    period, books = _period(asked, desk), desk.books(asked)
    where = desk.where(_about(asked), books.naming)
    first, last = used_days(msgspec.structs.replace(period, start=None, end=None), desk)
    start, end = period.bucket
    used = max(first, start), min(last, end)
    points = points_of("day", used, period, name="start_date")
    buckets = [point.bucket for point in points]
    found = add_up(books, Ask(buckets=buckets, by="provider", where=where))
    days = {int(part.place): part for part in found.total.breakdown}
    return CostsAnswer(
        project_id=text_of(values, "project_id"),
        start_date=text_of(values, "start_date"),
        end_date=text_of(values, "end_date"),
        timezone=period.zone.key,
        list_cost_usd=usd_exact(found.total.used.list_cost),
        unpriced_units=found.total.unpriced_units,
        missing_responses=found.total.used.missing_responses,
        daily=[
            DayCost(
                date=points[number].name,
                list_cost_usd=usd_exact(day.used.list_cost),
                unpriced_units=day.unpriced_units,
                missing_responses=day.used.missing_responses,
            )
            for number, day in sorted(days.items())
        ],
        providers=[
            ProviderCost(
                provider=line.name,
                list_cost_usd=usd_exact(line.used.list_cost),
                unpriced_units=line.unpriced_units,
                missing_responses=line.used.missing_responses,
            )
            for line in largest(found.lines, "cost")
        ],
    )


def _about(asked: Asked) -> Asked:
    """The same question in the words of ``/v1``."""
    values = asked.values
    given = {"project": values["project_id"]} if "project_id" in values else {}
    return msgspec.structs.replace(asked, values=given)


def _period(asked: Asked, desk: Desk) -> Period:
    """From the first day up to and with the last one, on the server's own clock."""
    zone = zone_named(desk.services.config.display.timezone)
    values = asked.values
    first, last = _day(values, "start_date"), _day(values, "end_date")
    if first is not None and last is not None and last < first:
        refuse("end_date", "is before start_date; let the period end after it begins")
    start: Instant | None = None if first is None else day_start(first, zone)
    after = None if last is None else last + timedelta(days=1)
    end: Instant | None = None if after is None else day_start(after, zone)
    return Period(start=start, end=end, zone=zone, week_start=0)


def _day(values: Values, name: str) -> date | None:
    text = text_of(values, name)
    if text is None:
        return None
    try:
        day = date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or not EARLIEST <= day < LATEST:
        refuse(name, f"is no day from {EARLIEST} on; write it like 2026-11-03")
    return day
