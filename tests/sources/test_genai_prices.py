"""``tollbook.sources.genai_prices`` charges what the package itself would."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from genai_prices import Usage, calc_price
from hypothesis import given
from hypothesis import strategies as st

from tollbook.core.money import PICO_PER_USD
from tollbook.core.observation import Conditions, Part
from tollbook.core.rate import Rater
from tollbook.prices import load_catalogue
from tollbook.sources.genai_prices import GenaiPrices

BOOK = GenaiPrices()
RATER = Rater(load_catalogue(), fallback=lambda: BOOK)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MODELS = [
    "gpt-5",
    "gpt-4o-mini-2024-07-18",
    "o3",
    "gpt-6.1-terra",
    "gemini-2.5-pro",
    "deepseek-chat",
    "grok-4",
    "mistral-large-latest",
]

instants = st.datetimes(datetime(2025, 6, 1), datetime(2026, 11, 22)).map(  # noqa: DTZ001  # given its zone on the next line
    lambda when: when.replace(tzinfo=UTC, microsecond=0)
)
counts = st.integers(0, 400_000)


def milliseconds(when: datetime) -> int:
    return (when - EPOCH) // timedelta(milliseconds=1)


@given(
    st.sampled_from(MODELS),
    instants,
    st.tuples(counts, counts, counts, counts, counts),
    st.sampled_from(["standard", "batch"]),
)
def test_a_part_costs_what_the_package_charges_for_the_same_tokens(
    model: str, when: datetime, usage: tuple[int, int, int, int, int], tier: str
) -> None:
    uncached, read, short, long, output = usage
    part = Part(
        model,
        {
            "uncached_input_tokens": uncached,
            "cache_read_input_tokens": read,
            "cache_write_5m_tokens": short,
            "cache_write_1h_tokens": long,
            "output_tokens": output,
        },
    )

    cost, net, unpriced = RATER.part_cost(part, Conditions(tier), milliseconds(when))

    if unpriced:  # no price for batches, at that time or ever
        assert tier == "batch"
        assert cost == 0
        return
    theirs = calc_price(
        Usage(
            input_tokens=uncached + read + short + long,
            cache_read_tokens=read,
            cache_write_tokens=short + long,
            cache_write_5m_tokens=short,
            cache_write_1h_tokens=long,
            output_tokens=output,
        ),
        model,
        genai_request_timestamp=when,
        price_context={"processing": "batch"} if tier == "batch" else None,
    )
    assert Decimal(cost) == theirs.total_price * PICO_PER_USD
    assert net == cost


def test_a_model_is_found_with_and_without_its_provider() -> None:
    assert BOOK.resolve("gpt-5") == "openai/gpt-5"
    assert BOOK.resolve("openai/gpt-5") == "openai/gpt-5"
    assert BOOK.resolve("nobody/gpt-5") is None
    assert BOOK.resolve("a-model-nobody-knows") is None


def test_a_model_nobody_resolved_has_no_card() -> None:
    assert GenaiPrices().card("openai/gpt-5", 0) is None


def test_the_evidence_is_the_package_with_its_version() -> None:
    part = Part("gpt-5", {"output_tokens": 1, "web_search_requests": 1})

    lines = RATER.price_lines(part, Conditions(), milliseconds(datetime.now(UTC)))

    assert {line.evidence for line in lines} == {(f"{BOOK.version}, openai/gpt-5",)}
    assert BOOK.version.startswith("genai-prices ")


@pytest.mark.parametrize(
    ("minute", "price"), [(29, 550_000), (30, 1_100_000)], ids=["night", "day"]
)
def test_a_price_of_the_hour_holds_for_its_hours(minute: int, price: int) -> None:
    when = datetime(2026, 11, 20, 0, minute, tzinfo=UTC)
    name = BOOK.resolve("deepseek-chat")
    assert name is not None

    card = BOOK.card(name, milliseconds(when))

    assert card is not None
    assert card.standard.prices["output_tokens"] == price
    assert milliseconds(when) in card.valid
    assert card.valid.end - card.valid.start in (8 * 3_600_000, 16 * 3_600_000)


def test_a_unit_the_package_does_not_price_is_unpriced() -> None:
    part = Part("gpt-5", {"code_execution_requests": 1, "output_tokens": 1})

    assert RATER.part_cost(part, Conditions(), milliseconds(datetime.now(UTC)))[2] == {
        "code_execution_requests": 1
    }


def test_a_price_finer_than_a_picodollar_is_one_we_do_not_have() -> None:
    """Some lists carry the noise of floating point: 0.18000000000000002."""
    name = BOOK.resolve("huggingface_together/Qwen/Qwen3-VL-8B-Instruct")
    assert name is not None

    card = BOOK.card(name, milliseconds(datetime(2026, 11, 20, tzinfo=UTC)))

    assert card is not None
    assert "uncached_input_tokens" not in card.standard.prices


def test_a_condition_no_response_states_is_passed_over() -> None:
    """Perplexity's prices depend on a search type that no usage tells."""
    name = BOOK.resolve("perplexity/perplexity/sonar")
    assert name is not None

    card = BOOK.card(name, milliseconds(datetime(2026, 11, 20, tzinfo=UTC)))

    assert card is not None
    assert all(mark in {"service_tier", "speed"} for mark, _ in card.variants)


def test_an_unknown_claude_is_not_priced_as_the_package_thinks() -> None:
    part = Part("claude-opus-4-9", {"output_tokens": 1})

    assert RATER.part_cost(part, Conditions(), milliseconds(datetime.now(UTC)))[2] != {}
