"""The list prices of Claude, held against figures that others published."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from tollbook.core.catalogue import midnight
from tollbook.core.money import TOKENS_PER_MTOK, parse_usd
from tollbook.core.observation import Conditions, Part
from tollbook.core.rate import Rater
from tollbook.prices import load_catalogue

HERE = Path(__file__).parent
CLI = json.loads((HERE / "claude_code_2.1.330.json").read_text("utf-8"))
CLOUD_IDS = json.loads((HERE / "cloud_ids.json").read_text("utf-8"))
CATALOGUE = load_catalogue()
TODAY = midnight(date(2026, 11, 22))


@pytest.mark.parametrize("model", CLI["models"])
def test_claude_code_charges_the_same(model: str) -> None:
    rater = Rater(CATALOGUE)
    for what, dollars in CLI["models"][model].items():
        number, _, unit = what.rpartition(" ")
        part = Part(model, {unit: 1})
        uses = int(number) if number else TOKENS_PER_MTOK

        cost, _, unpriced = rater.part_cost(part, Conditions(), TODAY)

        assert (cost * uses, unpriced) == (parse_usd(dollars), {})


@pytest.mark.parametrize("model", CLOUD_IDS)
def test_every_name_a_cloud_gives_a_model_is_that_model(model: str) -> None:
    names = [model, *CLOUD_IDS[model]]
    prefixed = [f"us.{name}" for name in names if name.startswith("anthropic.")]

    assert {CATALOGUE.resolve(name) for name in (*names, *prefixed)} == {model}


def test_no_model_was_forgotten() -> None:
    assert {model.name for model in CATALOGUE.models()} == set(CLOUD_IDS)


def test_cache_writes_cost_a_quarter_more_and_twice_the_input() -> None:
    """Reads have no such rule any more, so they are listed and not derived."""
    old = {"claude-3-haiku-20240307"}  # published rounded: 0.30 and not 0.3125
    rates = [
        (rate, prices)
        for model in CATALOGUE.models()
        if model.name not in old
        for rate in (*model.rates, *model.fast)
        for prices in (rate.prices, *(tier.prices for tier in rate.tiers))
        if "cache_read_input_tokens" in prices
    ]

    assert len(rates) > 40
    for _, prices in rates:
        uncached = prices["uncached_input_tokens"]
        assert prices["cache_write_5m_tokens"] * 4 == uncached * 5
        assert prices["cache_write_1h_tokens"] == uncached * 2
        assert prices["cache_read_input_tokens"] * 10 <= uncached


def test_inference_in_the_us_costs_more_for_what_came_after_february_2026() -> None:
    for model in CATALOGUE.models():
        known = "inference_geo us" in model.multipliers
        assert known == (model.released > date(2026, 2, 1)), model.name
