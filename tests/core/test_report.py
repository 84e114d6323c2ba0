"""What a line of ``tollbook.core.report`` adds up to."""

from __future__ import annotations

from tollbook.core.report import DIMENSIONS, TIME_DIMENSIONS, Display, Line, PlanShare
from tollbook.core.tally import Tally


def test_a_lines_tokens_are_those_of_all_five_kinds() -> None:
    used = Tally(
        uncached_input_tokens=1,
        cache_read_input_tokens=20,
        cache_write_5m_tokens=300,
        cache_write_1h_tokens=4_000,
        output_tokens=50_000,
        web_search_requests=600_000,
    )

    line = Line(name="x", used=used, unpriced={"m": {"a": 1, "b": 2}, "n": {"a": 4}})

    assert line.tokens == 54_321
    assert line.unpriced_units == 7


def test_a_second_currency_is_rounded_to_its_nearest_millionth_of_a_millionth() -> None:
    euro = Display(currency="EUR", rate="0.875", numerator=7, denominator=8)

    assert [euro.amount(cost) for cost in (8, 1, 4, -8)] == [7, 1, 4, -7]


def test_a_plan_is_held_against_what_its_use_was_worth() -> None:
    assert PlanShare(name="Max", cost=200, list_cost=501).percent == 250
    assert PlanShare(name="None", cost=0, list_cost=501).percent is None


def test_every_dimension_of_time_is_a_dimension() -> None:
    assert set(DIMENSIONS) > TIME_DIMENSIONS
