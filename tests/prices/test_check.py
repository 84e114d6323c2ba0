"""``tollbook.prices.check`` shows what may be wrong with the catalogue."""

from __future__ import annotations

from datetime import date

from tollbook.core.catalogue import midnight
from tollbook.prices import load_catalogue
from tollbook.prices.check import compare, doubts
from tollbook.sources.genai_prices import GenaiPrices

CATALOGUE = load_catalogue()


def test_what_only_one_reading_supports_is_doubted() -> None:
    found = {doubt.subject: doubt.confidence for doubt in doubts(CATALOGUE)}

    assert found["claude-mythos-preview"] == "low"
    assert found["us-gov endpoint"] == "medium"
    assert "claude-opus-5-5" not in found


def test_a_catalogue_agrees_with_itself() -> None:
    assert compare(CATALOGUE, CATALOGUE, midnight(date(2026, 11, 22))) == ()


def test_another_book_differs_only_where_we_know_better() -> None:
    now = compare(CATALOGUE, GenaiPrices(), midnight(date(2026, 11, 22)))
    then = compare(CATALOGUE, GenaiPrices(), midnight(date(2026, 10, 1)))

    assert {each.model for each in now} == {
        "claude-2.0",
        "claude-2.1",
        "claude-3-sonnet-20240229",  # never had a cache, and neither had Claude 2
        "claude-sonnet-4-5-20250929",  # the premium for long prompts ended
    }
    assert {each.prompt_tokens_over for each in now if "4-5" in each.model} == {200_000}
    (read,) = [each for each in then if each.model == "claude-sonnet-5-5"]
    assert (read.unit, read.ours, read.theirs) == (
        "cache_read_input_tokens",
        200_000,
        100_000,
    )
