"""``tollbook.core.catalogue`` refuses what contradicts itself, and says the remedy."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tollbook.core.catalogue import (
    ALWAYS,
    BATCH,
    EARLY_MS,
    FAST,
    FOREVER,
    Fee,
    Model,
    Multiplier,
    Period,
    PriceCatalogue,
    Rate,
    Tier,
    day,
    midnight,
    steady,
)
from tollbook.core.errors import (
    CatalogueDataError,
    CatalogueGapError,
    OverlappingRatesError,
)

JAN, MAR, MAY = (midnight(date(2026, month, 1)) for month in (1, 3, 5))
SOURCE = ("https://example.com/prices, read 2026-01-01",)
HALF = Multiplier(
    name="batch",
    when=BATCH,
    numerator=1,
    denominator=2,
    factor="0.5",
    valid=ALWAYS,
    evidence=SOURCE,
)


def rate(
    start: int, end: int = FOREVER, *, price: int = 4, gap: str = "", tiers: str = ""
) -> Rate:
    return Rate(
        valid=Period(start, end),
        prices={"output_tokens": price},
        evidence=SOURCE,
        gap=gap,
        tiers=tuple(
            Tier(prompt_tokens_over=int(over), prices={"output_tokens": price * 2})
            for over in tiers.split()
        ),
    )


def model(*rates: Rate, name: str = "claude-x", fast: tuple[Rate, ...] = ()) -> Model:
    return Model(
        name=name,
        display_name="Claude X",
        family="x",
        released=date(2026, 1, 1),
        context_window=1000,
        rates=rates,
        fast=fast,
        aliases=(f"{name}-latest",),
        deprecated=date(2026, 5, 1),
        retires=date(2026, 8, 1),
        multipliers=("batch",),
    )


def catalogue(*models: Model, fees: tuple[Fee, ...] = ()) -> PriceCatalogue:
    return PriceCatalogue(models, multipliers=[HALF], fees=fees, version="t")


def test_two_prices_at_one_instant_are_refused_with_the_remedy() -> None:
    with pytest.raises(
        OverlappingRatesError,
        match="t: claude-x: two prices from 2026-03-01; end the older one on the day",
    ):
        catalogue(model(rate(JAN), rate(MAR)))


def test_two_fast_prices_at_one_instant_are_refused() -> None:
    with pytest.raises(OverlappingRatesError, match="claude-x fast: two prices"):
        catalogue(model(rate(JAN), fast=(rate(JAN, MAY), rate(MAR))))


def test_prices_out_of_order_are_refused() -> None:
    with pytest.raises(OverlappingRatesError, match="two prices from 2026-03-01"):
        catalogue(model(rate(MAR, MAY), rate(JAN, MAR)))


def test_two_fees_at_one_instant_are_refused() -> None:
    fees = [
        Fee(unit="web_search_requests", price=1, valid=Period(start), evidence=SOURCE)
        for start in (JAN, MAR)
    ]

    with pytest.raises(OverlappingRatesError, match="web_search_requests"):
        catalogue(fees=tuple(fees))


def test_a_hole_between_prices_is_refused_with_the_remedy() -> None:
    with pytest.raises(
        CatalogueGapError,
        match="no price from 2026-03-01 to 2026-05-01; close the hole, or say why",
    ):
        catalogue(model(rate(JAN, MAR), rate(MAY)))


def test_a_hole_somebody_explained_has_no_price_and_no_complaint() -> None:
    known = catalogue(model(rate(JAN, MAR), rate(MAY, gap="the preview was paused")))

    assert known.card("claude-x", MAR) is None
    assert known.card("claude-x", MAY) is not None


def test_a_name_that_is_taken_is_refused() -> None:
    with pytest.raises(CatalogueDataError, match="stands for claude-x already"):
        catalogue(model(rate(JAN)), model(rate(JAN), name="claude-x-latest"))


def test_a_multiplier_nobody_defined_is_refused() -> None:
    with pytest.raises(CatalogueDataError, match="no multiplier is called 'batch'"):
        PriceCatalogue([model(rate(JAN))], version="t")


def test_a_multiplier_that_leaves_fractions_is_refused_not_rounded() -> None:
    with pytest.raises(CatalogueDataError, match="no whole number of picodollars"):
        catalogue(model(rate(JAN, price=3)))


def test_only_multipliers_that_can_meet_are_multiplied() -> None:
    quarter = [
        Multiplier(
            name=name,
            when=("endpoint", name),
            numerator=1,
            denominator=2,
            factor="0.5",
            valid=ALWAYS,
            evidence=SOURCE,
        )
        for name in ("here", "there")
    ]
    one = Model(
        name="claude-y",
        display_name="Claude Y",
        family="y",
        released=date(2026, 1, 1),
        context_window=1000,
        rates=(rate(JAN, price=2),),
        multipliers=("here", "there"),
    )

    assert PriceCatalogue([one], multipliers=quarter, version="t").models() == (one,)


@pytest.mark.parametrize("tiers", ["200 100", "100 100"])
def test_prompt_tiers_rise(tiers: str) -> None:
    with pytest.raises(CatalogueDataError, match="tiers from 2026-01-01 do not rise"):
        catalogue(model(rate(JAN, tiers=tiers)))


def test_a_tier_prices_what_the_base_prices() -> None:
    lacking = Rate(
        valid=Period(JAN),
        prices={"output_tokens": 4},
        evidence=SOURCE,
        tiers=(Tier(prompt_tokens_over=9, prices={}),),
    )

    with pytest.raises(CatalogueDataError, match="price other units than the base"):
        catalogue(model(lacking))


def test_names_are_compared_whole() -> None:
    known = catalogue(model(rate(JAN)))

    assert known.resolve("claude-x") == "claude-x"
    assert known.resolve("us.anthropic.claude-x") == "claude-x"
    assert known.resolve("claude-x-latest") == "claude-x"
    assert known.resolve("claude-x-20260101") == "claude-x"
    assert known.resolve("claude-x-2") is None
    assert known.resolve("claude") is None


def test_a_card_holds_all_that_applies_and_for_how_long() -> None:
    fast = rate(MAR, MAY, price=8)
    fee = Fee(unit="web_search_requests", price=1, valid=Period(MAR), evidence=SOURCE)
    known = catalogue(model(rate(JAN), fast=(fast,)), fees=(fee,))

    early, late = known.card("claude-x", JAN), known.card("claude-x", MAR)

    assert early is not None
    assert late is not None
    assert (early.valid, early.variants, early.fees) == (Period(JAN, MAR), {}, ())
    assert (late.valid, late.variants, late.fees) == (
        Period(MAR, MAY),
        {FAST: fast},
        (fee,),
    )
    assert late.multipliers == (HALF,)
    assert known.card("claude-y", JAN) is None
    assert known.card("claude-x", JAN - EARLY_MS - 1) is None


def test_a_multiplier_applies_from_the_day_it_was_announced() -> None:
    late = replace(HALF, valid=Period(MAR))
    known = PriceCatalogue([model(rate(JAN))], multipliers=[late], version="t")

    early, after = known.card("claude-x", MAR - 1), known.card("claude-x", MAR)

    assert early is not None
    assert after is not None
    assert (early.valid, early.multipliers) == (Period(JAN, MAR), ())
    assert (after.valid, after.multipliers) == (Period(MAR), (late,))


def test_what_is_listed_is_what_was_given() -> None:
    one = model(rate(JAN))
    known = catalogue(one)

    assert known.version == "t"
    assert known.models() == (one,)
    assert known.model("claude-x") == one
    assert known.model("claude-x-latest") is None
    assert known.multipliers() == (HALF,)
    assert known.fees() == ()
    assert str(HALF) == "batch 0.5"


@pytest.mark.parametrize(
    ("today", "status"),
    [
        (date(2026, 4, 30), "active"),
        (date(2026, 5, 1), "deprecated"),
        (date(2026, 8, 1), "retired"),
    ],
)
def test_a_model_is_deprecated_and_retired_on_the_day_it_says(
    today: date, status: str
) -> None:
    assert model(rate(JAN)).status(today) == status


def test_a_period_holds_its_start_and_not_its_end() -> None:
    assert JAN in Period(JAN, MAR)
    assert MAR - 1 in Period(JAN, MAR)
    assert MAR not in Period(JAN, MAR)
    with pytest.raises(AssertionError):
        Period(JAN, JAN)


def test_a_period_reads_like_a_sentence() -> None:
    assert str(Period(JAN, MAR)) == "2026-01-01 to 2026-03-01"
    assert str(ALWAYS) == "the beginning to date"


@given(st.dates())
def test_midnight_is_the_first_instant_of_its_day(when: date) -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    begins = datetime(when.year, when.month, when.day, tzinfo=UTC)

    assert midnight(when) == (begins - epoch).days * 86_400_000
    assert day(midnight(when)) == day(midnight(when) + 86_399_999) == when.isoformat()


@given(st.lists(st.integers(-50, 50)), st.integers(-60, 60))
def test_no_cut_lies_inside_a_steady_period(cuts: list[int], at: int) -> None:
    period = steady(at, cuts)

    assert at in period
    assert not any(period.start < cut < period.end for cut in cuts)
    assert {period.start, period.end} <= {-FOREVER, FOREVER, *cuts}
