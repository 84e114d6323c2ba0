"""Days, weeks, months and hours of a time zone, as half-open stretches of instants.

A local day is as long as its zone makes it: 23 or 25 hours when clocks change, and
nothing at all where a zone leapt over one. Neighbours always touch, so nothing falls
between two of them or into both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo

from tollbook.core.errors import InvalidPeriodError
from tollbook.core.observation import Instant

HOUR_MS = 3_600_000
DAYS_IN_WEEK = 7
MONTHS_IN_YEAR = 12
WEEKDAYS = (
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
)

Bucket = tuple[Instant, Instant]
"""``start <= t < end``."""

Days = tuple[date, date]
"""``first <= day < end``: the first day of a period, and the first after it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_DAY = timedelta(days=1)
_COUNTED = re.compile(r"(\d{1,4})([dwmy])", re.ASCII)
_WRITTEN = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)", re.ASCII)


def local_time(at: Instant, zone: tzinfo) -> datetime:
    """What clocks in a zone show at an instant."""
    return (_EPOCH + timedelta(milliseconds=at)).astimezone(zone)


def local_day(at: Instant, zone: tzinfo) -> date:
    """The day it is in a zone."""
    return local_time(at, zone).date()


def day_start(day: date, zone: tzinfo) -> Instant:
    """The first instant of a local day.

    Where clocks skip midnight that is the instant of the change; where they show it
    twice, the first of them.
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    return (midnight - _EPOCH) // _MILLISECOND


def days_bucket(days: Days, zone: tzinfo) -> Bucket:
    """The instants of some local days."""
    return day_start(days[0], zone), day_start(days[1], zone)


def each_day(days: Days) -> Iterator[date]:
    """Every day of a period."""
    day, end = days
    while day < end:
        yield day
        day += _DAY


def day_buckets(days: Days, zone: tzinfo) -> tuple[list[date], list[Bucket]]:
    """Every day with its instants; a day that a zone left out has none."""
    named: list[date] = []
    buckets: list[Bucket] = []
    start = day_start(days[0], zone)
    for day in each_day(days):
        end = day_start(day + _DAY, zone)
        if start < end:
            named.append(day)
            buckets.append((start, end))
            start = end
    return named, buckets


def hour_buckets(bucket: Bucket) -> list[Bucket]:
    """The full hours of a stretch of time, the last one as long as is left."""
    start, end = bucket
    return [(at, min(at + HOUR_MS, end)) for at in range(start, end, HOUR_MS)]


def week_of(day: date, week_start: int = 0) -> date:
    """The first day of a day's week, which begins on ``week_start`` (0 is Monday)."""
    return day - timedelta(days=(day.weekday() - week_start) % DAYS_IN_WEEK)


def month_of(day: date) -> date:
    """The first day of a day's month."""
    return day.replace(day=1)


def after_month(day: date, months: int = 1) -> date:
    """The first day of a later month, or of an earlier one when negative."""
    year, month = divmod(day.year * MONTHS_IN_YEAR + day.month - 1 + months, 12)
    return date(year, month + 1, 1)


def parse_days(text: str, *, today: date, week_start: int = 0) -> Days:
    """Read the days a person means: ``2026-11-03``, ``2026-11``, ``month``, ``7d``.

    ``7d``, ``4w``, ``3m`` and ``1y`` are as many days, weeks, months or years, up to
    and with today.

    Raises:
        InvalidPeriodError: None of these, or no day of the calendar.
    """
    word = text.strip().lower()
    named = _named(word, today, week_start)
    if named is not None:
        return named
    try:
        if counted := _COUNTED.fullmatch(word):
            return _back(int(counted[1]), counted[2], today), today + _DAY
        if written := _COMPACT.fullmatch(word) or _WRITTEN.fullmatch(word):
            return _spelt(*written.groups())
    except (ValueError, OverflowError) as error:
        raise _not_understood(text) from error
    raise _not_understood(text)


def _not_understood(text: str) -> InvalidPeriodError:
    return InvalidPeriodError(
        f"{text!r} is no day or period; write 2026-11-03, 2026-11, today, yesterday, "
        "week, month, year, or a length up to today such as 7d, 4w, 3m, 1y"
    )


def _named(word: str, today: date, week_start: int) -> Days | None:
    match word:
        case "today":
            return today, today + _DAY
        case "yesterday":
            return today - _DAY, today
        case "week":
            first = week_of(today, week_start)
            return first, first + timedelta(days=DAYS_IN_WEEK)
        case "month":
            return month_of(today), after_month(today)
        case "year":
            return date(today.year, 1, 1), date(today.year + 1, 1, 1)
    return None


def _back(count: int, unit: str, today: date) -> date:
    if count == 0:
        raise ValueError
    match unit:
        case "d":
            return today - timedelta(days=count - 1)
        case "w":
            return today - timedelta(days=DAYS_IN_WEEK * count - 1)
    months = count if unit == "m" else count * MONTHS_IN_YEAR
    first = after_month(today, -months)
    length = after_month(first).toordinal() - first.toordinal()
    return first.replace(day=min(today.day, length)) + _DAY


def _spelt(year: str, month: str | None, day: str | None) -> Days:
    if month is None:
        return date(int(year), 1, 1), date(int(year) + 1, 1, 1)
    first = date(int(year), int(month), int(day or 1))
    return first, first + _DAY if day else after_month(first)


def parse_period(
    since: str | None, until: str | None, *, today: date, week_start: int = 0
) -> tuple[date | None, date | None]:
    """From the first day of ``since`` up to and with the last day of ``until``.

    A length such as ``7d`` ends where it begins when it is an ``until``: everything
    before the last seven days. So ``--until 7d`` and ``--since 7d`` share no day and
    leave none out.

    Returns:
        The first day, and the first after the period; ``None`` is no limit.

    Raises:
        InvalidPeriodError: One cannot be understood, or no day is left.
    """
    first = end = None
    if since is not None:
        first = parse_days(since, today=today, week_start=week_start)[0]
    if until is not None:
        days = parse_days(until, today=today, week_start=week_start)
        end = days[0] if _COUNTED.fullmatch(until.strip().lower()) else days[1]
    if first is not None and end is not None and end <= first:
        message = (
            f"the period from {since!r} until {until!r} holds no day; "
            "let it end on or after the day it begins"
        )
        raise InvalidPeriodError(message)
    return first, end
