"""Every view of ``tollbook.ledger.report`` is a sum over the same totals."""

from __future__ import annotations

from datetime import date
from functools import reduce
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting import (
    ATLAS,
    HOSTILE,
    NOTES,
    RESPONSES,
    TODAY,
    ZONES,
    ask,
    books_of,
    history,
    instant,
    question,
    sample_store,
    seen,
    store_of,
)
from tollbook.core.errors import NothingMatchesError
from tollbook.core.money import parse_usd
from tollbook.core.report import DIMENSIONS, Line, Report
from tollbook.core.tally import Tally
from tollbook.ledger.overview import load_overview
from tollbook.ledger.plan import Plan
from tollbook.ledger.report import load

SMALL_WORLD = sample_store()


def summed(lines: tuple[Line, ...]) -> Tally:
    return reduce(Tally.plus, (line.used for line in lines), Tally())


def unpriced(lines: tuple[Line, ...]) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for line in lines:
        for model, units in line.unpriced.items():
            for unit, count in units.items():
                found[model, unit] = found.get((model, unit), 0) + count
    return found


def estimated(lines: tuple[Line, ...]) -> int:
    return sum(
        line.used.list_cost if line.estimated_cost is None else line.estimated_cost
        for line in lines
    )


def names(report: Report) -> list[str | None]:
    return [line.name for line in report.lines]


@given(st.lists(RESPONSES, max_size=12), st.sampled_from(ZONES))
def test_all_views_add_up_to_the_same(responses: list[object], zone: str) -> None:
    store = store_of(responses)  # type: ignore[arg-type]  # built above
    daily = ask(store, "day", zone=ZoneInfo(zone))

    for dimension in DIMENSIONS:
        report = ask(store, dimension, zone=ZoneInfo(zone), breakdown="model")
        parts = tuple(part for line in report.lines for part in line.breakdown)
        total = (report.total,)

        assert report.total.used == daily.total.used
        assert summed(report.lines) == summed(parts) == report.total.used
        assert unpriced(report.lines) == unpriced(parts) == unpriced(total)
        assert estimated(report.lines) == estimated(parts) == estimated(total)


def test_a_session_across_midnight_lies_in_both_days_and_is_one_line() -> None:
    days = ask(SMALL_WORLD, "day", since=date(2026, 11, 16), before=date(2026, 11, 18))
    sessions = ask(SMALL_WORLD, "session")

    assert [(line.name, line.used.responses) for line in days.lines] == [
        ("2026-11-16", 2),
        ("2026-11-17", 1),
    ]
    assert [line.used.responses for line in sessions.lines] == [7, 3]


def test_a_day_is_the_readers_own() -> None:
    zone = ZoneInfo("Asia/Kathmandu")
    report = ask(SMALL_WORLD, "day", zone=zone, since=date(2026, 11, 16))

    assert names(report)[:2] == ["2026-11-17", "2026-11-20"]


def test_a_day_with_25_hours_holds_them_all() -> None:
    hours = [f"2026-10-24T{22 + n:02}:30" for n in range(2)]
    hours += [f"2026-10-25T{n:02}:30" for n in range(24)]
    store = store_of([seen(n, at) for n, at in enumerate(hours)])

    report = ask(store, "day", zone=ZoneInfo("Europe/Berlin"))

    assert [(line.name, line.used.responses) for line in report.lines] == [
        ("2026-10-25", 25),
        ("2026-10-26", 1),
    ]


def test_ids_of_one_model_are_one_line_and_an_unknown_one_stays_as_it_is() -> None:
    report = ask(SMALL_WORLD, "model")

    assert names(report) == [
        "claude-haiku-4-5-20251001",
        "claude-opus-5",
        "claude-sonnet-5-5",
        "mystery-1",
    ]
    assert report.lines[3].unpriced["mystery-1"]["output_tokens"] == 500
    assert report.lines[3].used.list_cost == 0
    assert report.total.unpriced_units == 21_600


def test_the_cost_is_the_lists_to_the_last_picodollar() -> None:
    report = ask(
        SMALL_WORLD, "day", since=date(2026, 10, 30), before=date(2026, 10, 31)
    )

    one = 100 * 5 + 20_000 * 0 + 500 * 25
    read, written = parse_usd("0.01"), parse_usd("0.00625")
    assert report.total.used.list_cost == 2 * (one * 10**6 + read + written)


@pytest.mark.parametrize(
    ("wanted", "responses"),
    [
        ({"projects": ("/home/dev/atlas",)}, 7),
        ({"projects": ("/home/dev/atlas/",)}, 7),
        ({"projects": ("atlas", "notes")}, 10),
        ({"projects": (NOTES,)}, 3),
        ({"models": ("claude-opus-5",)}, 4),
        ({"models": ("anthropic.claude-sonnet-5-5",)}, 3),
        ({"models": ("haiku", "mystery-1")}, 3),
        ({"sessions": ("5e551011-0000-4000-8000-000000000002",)}, 3),
        ({"projects": ("atlas",), "models": ("sonnet",)}, 0),
    ],
)
def test_a_filter_takes_any_name_of_what_it_means(
    wanted: dict[str, tuple[str, ...]], responses: int
) -> None:
    for dimension in ("day", "session", "branch", "hour"):
        report = ask(SMALL_WORLD, dimension, **wanted)

        assert report.total.used.responses == responses


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        ({"projects": ("atlantis",)}, "there are /home/dev/atlas, /home/dev/notes"),
        ({"models": ("claude-opus",)}, "claude-opus-5"),
        ({"sessions": ("6",)}, "5e551011-0000-4000-8000-000000000001"),
        ({"sessions": ("5e55",)}, "means more than one"),
    ],
)
def test_a_filter_that_means_nothing_says_what_there_is(
    wanted: dict[str, tuple[str, ...]], there: str
) -> None:
    with pytest.raises(NothingMatchesError, match=there):
        ask(SMALL_WORLD, "day", **wanted)


def test_an_empty_ledger_says_so() -> None:
    empty = store_of([])

    assert ask(empty, "day").lines == ()
    with pytest.raises(NothingMatchesError, match="the ledger is empty"):
        ask(empty, "day", models=("opus",))


def test_a_hostile_name_is_made_visible_in_an_error() -> None:
    store = store_of([seen(1, "2026-11-20T15:00", project=HOSTILE)])

    with pytest.raises(NothingMatchesError) as caught:
        ask(store, "day", projects=("\x1b]0;",))

    assert str(caught.value).isprintable()


def test_your_own_names_come_first_and_groups_add_up() -> None:
    books = books_of(
        SMALL_WORLD,
        aliases={"atlas": "The Atlas"},
        groups={"clients": ("The Atlas",), "own": ("/home/dev/notes",)},
    )

    projects = load(books, question("project"))
    groups = load(books, question("group"))
    chosen = load(books, question("day", projects=("The Atlas",)))

    assert names(projects) == ["/home/dev/notes", "The Atlas"]
    assert names(groups) == ["clients", "own"]
    assert chosen.total.used == groups.lines[0].used


def test_two_folders_with_one_base_name_stay_two() -> None:
    store = store_of(
        [seen(1, "2026-11-20T15:00", project="-a-x"), seen(2, "2026-11-20T15:00")],
        labels={"-a-x": "/a/atlas", ATLAS: "/home/dev/atlas"},
    )

    assert names(ask(store, "project")) == ["/a/atlas", "/home/dev/atlas"]
    assert ask(store, "day", projects=("atlas",)).total.used.responses == 2


def test_a_response_with_several_tools_is_counted_once() -> None:
    report = ask(SMALL_WORLD, "tool")

    assert [(line.name, line.used.responses) for line in report.lines] == [
        ("Bash, Read", 1),
        ("Bash", 1),
        (None, 8),
    ]


def test_weeks_begin_where_the_reader_likes_and_weekdays_follow() -> None:
    monday = ask(SMALL_WORLD, "week", since=date(2026, 11, 15))
    sunday = ask(SMALL_WORLD, "week", since=date(2026, 11, 15), week_start=6)
    weekdays = ask(SMALL_WORLD, "weekday", week_start=6)

    assert names(monday) == ["2026-11-16"]
    assert names(sunday) == ["2026-11-15", "2026-11-22"]
    assert names(weekdays)[0] == "Sunday"


def test_what_is_missing_is_said_of_the_period_and_the_filter_alone() -> None:
    assert ask(SMALL_WORLD, "day").known.unrecorded_calls == 1
    assert ask(SMALL_WORLD, "day", since=TODAY).known.unrecorded_calls == 0
    assert ask(SMALL_WORLD, "day", projects=("notes",)).known.unrecorded_calls == 0
    assert ask(SMALL_WORLD, "day").known.problems == 1


def test_a_plan_costs_its_share_of_each_month() -> None:
    plan = Plan(name="Max", price=parse_usd("300"), first=date(2026, 10, 31))
    books = msgspec.structs.replace(books_of(SMALL_WORLD), plan=plan)
    report = load(books, question("model"))

    assert report.plan is not None
    october, november = parse_usd("300") // 31, 22 * parse_usd("10")
    assert report.plan.cost == october + november
    assert (
        report.plan.list_cost
        == ask(SMALL_WORLD, "day", since=date(2026, 10, 31)).total.used.list_cost
    )
    assert load(books, question("model", projects=("atlas",))).plan is None


def test_a_free_plan_has_no_ratio() -> None:
    plan = Plan(name="Free", price=0)
    books = msgspec.structs.replace(books_of(SMALL_WORLD), plan=plan)

    report = load(books, question("day"))

    assert report.plan is not None
    assert report.plan.percent is None


def test_the_overview_shows_today_in_the_week_in_the_month() -> None:
    found = load_overview(books_of(SMALL_WORLD), question("period"))
    spans = {line.name: line.used.responses for line in found.report.lines}

    assert spans == {"today": 2, "this week": 8, "this month": 8}
    assert len(found.trend) == 30
    assert found.trend[-1][0] == TODAY
    assert sum(cost for _, cost in found.trend) == found.recent.total.used.list_cost
    assert summed(found.projects.lines) == summed(found.models.lines)


def test_the_overview_divides_each_period_and_each_of_the_dearest() -> None:
    found = load_overview(books_of(SMALL_WORLD), question("period", breakdown="model"))

    for line in (*found.report.lines, *found.projects.lines):
        assert summed(line.breakdown) == line.used
        assert unpriced(line.breakdown) == unpriced((line,))
    week = found.report.lines[1]
    assert [part.name for part in week.breakdown] == [
        "claude-haiku-4-5-20251001",
        "claude-opus-5",
        "claude-sonnet-5-5",
        "mystery-1",
    ]
    assert estimated(week.breakdown) == week.estimated_cost
    assert week.first_at == instant("2026-11-16T22:45")


def test_the_order_of_arrival_changes_nothing() -> None:
    one, other = store_of(history()), store_of(reversed(history()))

    assert ask(one, "session", breakdown="day") == ask(
        other, "session", breakdown="day"
    )


def test_a_session_may_be_named_by_its_beginning() -> None:
    store = store_of(
        [
            seen(1, "2026-11-20T15:00", session="abc-1"),
            seen(2, "2026-11-20T15:00", session="abd-2"),
        ]
    )

    report = ask(store, "session", sessions=("abd",))

    assert names(report) == ["abd-2"]
