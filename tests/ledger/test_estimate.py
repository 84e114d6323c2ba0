"""``tollbook.ledger.estimate``: what partial responses really produced."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting import (
    RESPONSES,
    ZONES,
    ask,
    books_of,
    instant,
    sample_store,
    seen,
    store_of,
)
from tollbook.core.money import parse_usd
from tollbook.ledger.naming import EVER
from tollbook.ledger.query import Ask, add_up

SMALL_WORLD = sample_store()


def test_a_partial_response_is_a_lower_bound_with_an_estimate_beside_it() -> None:
    report = ask(SMALL_WORLD, "agent")

    main, helper = report.lines[1], report.lines[0]
    assert (helper.name, main.name) == ("Explore", None)
    assert main.estimated_cost is None
    assert helper.used.partial_responses == 1
    lacking = parse_usd("0.002485")  # 497 tokens at 5 dollars a million
    assert helper.estimated_cost == helper.used.list_cost + lacking


def test_a_model_without_a_complete_response_is_not_estimated() -> None:
    partial = seen(1, "2026-11-20T15:00", evidence=3, usage={"output_tokens": 1})

    assert ask(store_of([partial]), "day").total.estimated_cost is None


@pytest.mark.parametrize("day", ["2026-11-01", "2026-09-01"])
def test_the_ledger_helps_where_the_period_cannot(day: str) -> None:
    store = store_of(
        [
            seen(1, f"{day}T15:00"),
            seen(2, "2026-11-20T15:00", evidence=3, usage={"output_tokens": 1}),
        ]
    )

    line = ask(store, "day", since=date(2026, 11, 20)).total

    assert line.estimated_cost == line.used.list_cost + parse_usd("0.012475")


@given(st.lists(RESPONSES, max_size=12), st.sampled_from(ZONES))
def test_an_estimate_is_the_same_whatever_was_asked(
    responses: list[object], zone: str
) -> None:
    store = store_of(responses)  # type: ignore[arg-type]  # built above
    books = books_of(store)
    whole = ask(store, "day", zone=ZoneInfo(zone), breakdown="project")

    for line in whole.lines:
        day = date.fromisoformat(line.name or "")
        alone = ask(
            store,
            "hour",
            zone=ZoneInfo(zone),
            breakdown="project",
            since=day,
            before=day + timedelta(days=1),
        )
        assert alone.total.estimated_cost == line.estimated_cost
    if zone == "UTC":
        year = instant("2026-01-01T00:00"), instant("2027-01-01T00:00")
        for buckets in ([EVER], [year]):
            found = add_up(books, Ask(buckets=buckets))
            assert found.total.estimated_cost == whole.total.estimated_cost


def test_other_months_change_no_estimate() -> None:
    cut = seen(2, "2026-11-20T15:00", evidence=3, usage={"output_tokens": 1})
    november = [seen(1, "2026-11-01T15:00"), cut]
    october = seen(3, "2026-10-31T15:00", usage={"output_tokens": 90_000})

    one = ask(store_of(november), "day", since=date(2026, 11, 1))
    other = ask(store_of([*november, october]), "day", since=date(2026, 11, 1))

    assert one.total.estimated_cost == other.total.estimated_cost


def test_each_month_has_its_own_mean_in_one_long_answer() -> None:
    cut: dict[str, Any] = {"evidence": 3, "usage": {"output_tokens": 1}}
    store = store_of(
        [
            seen(1, "2026-10-30T09:00"),
            seen(2, "2026-10-30T10:00", **cut),
            seen(3, "2026-11-02T09:00", usage={"output_tokens": 901}),
            seen(4, "2026-11-02T10:00", **cut),
        ]
    )
    daily = ask(store, "day").total

    assert daily.estimated_cost == daily.used.list_cost + 25 * 10**6 * (499 + 900)
    for bucket in (EVER, (instant("2026-10-30T09:30"), EVER[1])):
        total = add_up(books_of(store), Ask(buckets=[bucket])).total
        assert total.estimated_cost == total.used.list_cost + 25 * 10**6 * (499 + 900)
