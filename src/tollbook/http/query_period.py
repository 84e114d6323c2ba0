"""The stretch of time a question is about, and the points of a series in it.

``since`` and ``until`` are days, the last one included, or instants, the last one
excluded; ``tz`` says where days begin and what an instant without a zone means.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from tollbook.config import Config, system_zone, zone_of
from tollbook.core.calendar import (
    DAYS_IN_WEEK,
    HOUR_MS,
    WEEKDAYS,
    Bucket,
    after_month,
    day_buckets,
    day_start,
    hour_buckets,
    local_day,
    local_time,
    month_of,
    parse_days,
    parse_period,
    week_of,
)
from tollbook.core.errors import ConfigError, InvalidPeriodError
from tollbook.core.observation import Instant
from tollbook.http.query_parameters import Parameter, Values, refuse, text_of

POINTS_MAX = 2_000
INTERVALS = ("hour", "day", "week", "month")

EARLIEST, LATEST = date(1970, 1, 1), date(2200, 1, 1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*", re.ASCII | re.DOTALL)
_ONE_DAY, _ONE_WEEK = timedelta(days=1), timedelta(days=DAYS_IN_WEEK)
_DAY_MS = 24 * HOUR_MS

PERIOD = (
    Parameter(
        name="since",
        text="The first day (2026-11-03, 2026-11, month, 7d, ...) or instant "
        "(2026-11-03T14:00:00Z); everything when it is missing.",
    ),
    Parameter(
        name="until",
        text="The last day, included, or an instant, excluded; up to now when it is "
        "missing.",
    ),
    Parameter(
        name="tz",
        text="The time zone in which days begin, e.g. Europe/Zurich; the server's when "
        "it is missing.",
    ),
)


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for: ``start <= t < end``. ``None`` is no limit."""

    start: Instant | None
    end: Instant | None
    zone: ZoneInfo
    week_start: int

    @property
    def bucket(self) -> Bucket:
        """Its instants; where there is no limit, all there can be."""
        start = day_start(EARLIEST, self.zone) if self.start is None else self.start
        end = day_start(LATEST, self.zone) if self.end is None else self.end
        return start, end


def period_of(values: Values, config: Config, now: Instant) -> Period:
    """The period that parameters name.

    Raises:
        RefusedError: 422; one of them cannot be understood, or no time is left.
    """
    zone = zone_named(text_of(values, "tz") or config.display.timezone)
    week_start = [day.lower() for day in WEEKDAYS].index(config.display.week_start)
    today = local_day(now, zone)
    start, end = text_of(values, "since"), text_of(values, "until")
    bounds: list[Instant | None] = []
    for name, text in (("since", start), ("until", end)):
        if text is None:
            bounds.append(None)
        elif _INSTANT.fullmatch(text):
            bounds.append(_instant(name, text, zone))
        else:
            bounds.append(_day(name, text, zone, today, week_start))
    first, last = bounds
    if first is not None and last is not None and last <= first:
        refuse("until", "is not after since; let the period end after it begins")
    return Period(start=first, end=last, zone=zone, week_start=week_start)


def zone_named(name: str) -> ZoneInfo:
    """A time zone; the system's when there is no name.

    Raises:
        RefusedError: 422; there is none of that name.
    """
    if not name:
        return system_zone()
    try:
        return zone_of(name, where="tz")
    except ConfigError:
        refuse("tz", "is no time zone; use a name like Europe/Zurich or UTC")


def _instant(name: str, text: str, zone: ZoneInfo) -> Instant:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        at = (moment - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        refuse(name, "is no instant; write it like 2026-11-03T14:00:00Z")
    if not day_start(EARLIEST, UTC) <= at < day_start(LATEST, UTC):
        refuse(name, f"is out of range; use a time from {EARLIEST} to {LATEST}")
    return at


def _day(name: str, text: str, zone: ZoneInfo, today: date, week_start: int) -> Instant:
    try:
        if name == "since":
            day = parse_days(text, today=today, week_start=week_start)[0]
        else:
            _, end = parse_period(None, text, today=today, week_start=week_start)
            assert end is not None
            day = end
    except InvalidPeriodError:
        refuse(
            name,
            "is no day, period or instant; write 2026-11-03, 2026-11, today, week, "
            "month, year, 7d, or 2026-11-03T14:00:00Z",
        )
    if not EARLIEST <= day <= LATEST:
        refuse(name, f"is out of range; use a day from {EARLIEST} to {LATEST}")
    return day_start(day, zone)


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One point of a series."""

    name: str  # "2026-11-03T14:00:00+01:00", "2026-11-03", or "2026-11"
    bucket: Bucket


def points_of(
    interval: str, bucket: Bucket, period: Period, *, name: str = "interval"
) -> list[Point]:
    """The hours, days, weeks or months of a stretch of time, cut to it.

    Args:
        interval: One of ``INTERVALS``.
        bucket: The stretch of time.
        period: Says where days and weeks begin.
        name: The parameter to complain about.

    Raises:
        RefusedError: 422; they are too many.
    """
    start, end = bucket
    lengths = {"hour": HOUR_MS, "week": DAYS_IN_WEEK * _DAY_MS, "month": 28 * _DAY_MS}
    if (end - start) // lengths.get(interval, _DAY_MS) >= POINTS_MAX:
        refuse(
            name,
            f"more than {POINTS_MAX} points; ask for less time, or for longer intervals",
        )
    named = (
        _hours(bucket, period)
        if interval == "hour"
        else _days(interval, bucket, period)
    )
    return [
        Point(name=name, bucket=(max(start, first), min(end, last)))
        for name, (first, last) in named
        if max(start, first) < min(end, last)
    ]


def _hours(bucket: Bucket, period: Period) -> Iterator[tuple[str, Bucket]]:
    zone = period.zone
    first, last = local_day(bucket[0], zone), local_day(bucket[1] - 1, zone)
    for day in day_buckets((first, last + _ONE_DAY), zone)[1]:
        for hour in hour_buckets(day):
            yield local_time(hour[0], zone).isoformat(timespec="seconds"), hour


def _days(
    interval: str, bucket: Bucket, period: Period
) -> Iterator[tuple[str, Bucket]]:
    zone = period.zone
    day, last = local_day(bucket[0], zone), local_day(bucket[1] - 1, zone)
    step: Callable[[date], date] = {"week": _next_week, "month": after_month}.get(
        interval, _next_day
    )
    if interval == "week":
        day = week_of(day, period.week_start)
    elif interval == "month":
        day = month_of(day)
    while day <= last:
        after = step(day)
        name = day.isoformat()[:7] if interval == "month" else day.isoformat()
        yield name, (day_start(day, zone), day_start(after, zone))
        day = after


def _next_day(day: date) -> date:
    return day + _ONE_DAY


def _next_week(day: date) -> date:
    return day + _ONE_WEEK
