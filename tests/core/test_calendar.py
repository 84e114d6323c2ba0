"""Days, weeks and months of ``tollbook.core.calendar``."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbook.core.calendar import (
    HOUR_MS,
    after_month,
    day_buckets,
    day_start,
    days_bucket,
    hour_buckets,
    local_day,
    local_time,
    month_of,
    parse_days,
    parse_period,
    week_of,
)
from tollbook.core.errors import InvalidPeriodError

TODAY = date(2026, 11, 22)  # a Sunday
ZONES = st.sampled_from(
    [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "America/Havana",
        "Asia/Kathmandu",
        "Asia/Beirut",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "America/Santiago",
    ]
).map(ZoneInfo)
DAYS = st.dates(date(1990, 1, 1), date(2040, 12, 31))


def at(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Europe/Berlin", date(2026, 10, 26), 24),
        ("Asia/Beirut", date(2026, 3, 29), 23),  # its clocks skip midnight
        ("America/Havana", date(2026, 11, 1), 25),  # and here they show it twice
    ],
)
def test_a_day_is_as_long_as_its_zone_makes_it(
    zone: str, day: date, hours: int
) -> None:
    start, end = days_bucket((day, day + timedelta(days=1)), ZoneInfo(zone))

    assert end - start == hours * HOUR_MS


def test_a_day_that_a_zone_left_out_has_no_bucket() -> None:
    days, buckets = day_buckets(
        (date(2011, 12, 29), date(2012, 1, 1)), ZoneInfo("Pacific/Apia")
    )

    assert days == [date(2011, 12, 29), date(2011, 12, 31)]
    assert buckets[0][1] == buckets[1][0]


def test_a_day_begins_at_its_own_midnight() -> None:
    berlin = ZoneInfo("Europe/Berlin")

    assert day_start(date(2026, 11, 22), berlin) == at("2026-11-21T23:00:00+00:00")
    assert local_day(at("2026-11-21T23:00:00+00:00"), berlin) == date(2026, 11, 22)
    assert local_day(at("2026-11-21T22:59:59.999+00:00"), berlin) == date(2026, 11, 21)
    assert local_time(at("2026-11-21T22:59:59+00:00"), berlin).hour == 23


@given(DAYS, st.integers(0, 40), ZONES)
def test_days_touch_and_every_instant_is_in_the_one_it_is_called(
    first: date, count: int, zone: ZoneInfo
) -> None:
    end = first + timedelta(days=count)

    days, buckets = day_buckets((first, end), zone)

    whole = days_bucket((first, end), zone)
    edges = [edge for start, stop in buckets for edge in (start, stop)]
    assert edges[1:-1:2] == edges[2::2]
    if buckets:
        assert (edges[0], edges[-1]) == whole
    for day, (start, stop) in zip(days, buckets, strict=True):
        assert local_day(start, zone) == local_day(stop - 1, zone) == day


@given(DAYS, ZONES)
def test_hours_fill_a_day(day: date, zone: ZoneInfo) -> None:
    bucket = days_bucket((day, day + timedelta(days=1)), zone)

    hours = hour_buckets(bucket)

    assert sum(stop - start for start, stop in hours) == bucket[1] - bucket[0]
    assert all(0 < stop - start <= HOUR_MS for start, stop in hours)


@given(DAYS, st.integers(0, 6))
def test_a_week_begins_on_the_day_asked_for(day: date, week_start: int) -> None:
    first = week_of(day, week_start)

    assert first.weekday() == week_start
    assert 0 <= (day - first).days < 7


def test_months_follow_each_other() -> None:
    assert month_of(TODAY) == date(2026, 11, 1)
    assert after_month(date(2026, 12, 31)) == date(2027, 1, 1)
    assert after_month(date(2026, 1, 15), -1) == date(2025, 12, 1)


@pytest.mark.parametrize(
    ("text", "first", "end"),
    [
        ("2026-11-03", date(2026, 11, 3), date(2026, 11, 4)),
        ("20261103", date(2026, 11, 3), date(2026, 11, 4)),
        ("2026-12", date(2026, 12, 1), date(2027, 1, 1)),
        ("2026", date(2026, 1, 1), date(2027, 1, 1)),
        (" Today ", date(2026, 11, 22), date(2026, 11, 23)),
        ("yesterday", date(2026, 11, 21), date(2026, 11, 22)),
        ("week", date(2026, 11, 16), date(2026, 11, 23)),
        ("month", date(2026, 11, 1), date(2026, 12, 1)),
        ("year", date(2026, 1, 1), date(2027, 1, 1)),
        ("1d", date(2026, 11, 22), date(2026, 11, 23)),
        ("7d", date(2026, 11, 16), date(2026, 11, 23)),
        ("4w", date(2026, 10, 26), date(2026, 11, 23)),
        ("3m", date(2026, 8, 23), date(2026, 11, 23)),
        ("1y", date(2025, 11, 23), date(2026, 11, 23)),
    ],
)
def test_a_period_is_read_as_people_mean_it(text: str, first: date, end: date) -> None:
    assert parse_days(text, today=TODAY) == (first, end)


def test_a_month_ago_from_a_day_that_month_lacks_is_its_last() -> None:
    assert parse_days("1m", today=date(2026, 3, 31))[0] == date(2026, 3, 1)


def test_a_week_may_begin_on_a_sunday() -> None:
    assert parse_days("week", today=TODAY, week_start=6)[0] == TODAY


@pytest.mark.parametrize(
    "text",
    ["", "0d", "2026-02-30", "2026-13", "soon", "٣d", "9999y", "-7d", "2026-1-1"],
)
def test_what_is_no_period_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(InvalidPeriodError, match="write 2026-11-03"):
        parse_days(text, today=TODAY)


@given(st.text(max_size=12))
def test_no_text_does_worse_than_being_refused(text: str) -> None:
    try:
        first, end = parse_days(text, today=TODAY)
    except InvalidPeriodError:
        return
    assert first < end


def test_until_takes_its_day_in() -> None:
    assert parse_period("2026-11-01", "2026-11-03", today=TODAY) == (
        date(2026, 11, 1),
        date(2026, 11, 4),
    )
    assert parse_period(None, None, today=TODAY) == (None, None)


@given(st.integers(1, 500), st.sampled_from("dwmy"))
def test_since_and_until_the_same_length_share_no_day(count: int, unit: str) -> None:
    since = parse_period(f"{count}{unit}", None, today=TODAY)[0]

    assert parse_period(None, f"{count}{unit}", today=TODAY)[1] == since


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(InvalidPeriodError, match="holds no day"):
        parse_period("today", "yesterday", today=TODAY)
