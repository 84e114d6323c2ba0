"""``tollbook.core.rate`` and ``tollbook.core.quote``: exact, and never a guess."""

from __future__ import annotations

from datetime import date

import pytest

from tollbook.core.catalogue import midnight
from tollbook.core.money import PICO_PER_USD, TOKENS_PER_MTOK, parse_usd, usd_exact
from tollbook.core.observation import Conditions, Instant, Part
from tollbook.core.rate import NOTHING, Rater
from tollbook.core.units import TOKEN_UNITS, Unit
from tollbook.prices import load_catalogue

RATER = Rater(load_catalogue())
PLAIN = Conditions()
FAST = Conditions(speed="fast")
BATCH = Conditions(service_tier="batch")
US = Conditions(inference_geo="us")
TODAY = midnight(date(2026, 11, 22))


def of_each(
    model: str, conditions: Conditions = PLAIN, at: Instant = TODAY
) -> list[str]:
    """Dollars for a million tokens of each class, short prompts: in, read, 5m, 1h, out.

    An unpriced class is a question mark.
    """
    prices = []
    for unit in TOKEN_UNITS:
        amount, net, rest = RATER.part_cost(Part(model, {unit: 1}), conditions, at)
        assert net == amount
        prices.append("?" if rest else usd_exact(amount * TOKENS_PER_MTOK))
    return prices


def on(year: int, month: int, dayofmonth: int) -> Instant:
    return midnight(date(year, month, dayofmonth))


def test_the_worked_example_costs_what_the_provider_says() -> None:
    """A compaction, the answer and an advisor, with US inference, and two searches."""
    parts = [
        Part(
            "claude-opus-5-5",
            {"uncached_input_tokens": 160_000, "output_tokens": 2_100},
            "compaction",
        ),
        Part(
            "claude-opus-5-5",
            {
                "uncached_input_tokens": 1_200,
                "output_tokens": 640,
                "cache_read_input_tokens": 42_000,
                "cache_write_5m_tokens": 1_000,
                "cache_write_1h_tokens": 2_000,
                "web_search_requests": 2,
                "web_fetch_requests": 0,
            },
        ),
        Part(
            "claude-fable-5-2",
            {"uncached_input_tokens": 5_000, "output_tokens": 300},
            "advisor_message",
        ),
    ]
    conditions = Conditions("standard", "standard", "us", None)

    costs = [RATER.part_cost(part, conditions, TODAY) for part in parts]

    assert sum(cost for cost, _, _ in costs) == parse_usd("0.8791")
    assert all(unpriced is NOTHING for _, _, unpriced in costs)


@pytest.mark.parametrize(
    ("model", "prices"),
    [
        ("claude-fable-5", ["10", "1", "12.5", "20", "50"]),
        ("claude-fable-5-1", ["10", "0.25", "12.5", "20", "50"]),
        ("claude-fable-5-2", ["8", "0.2", "10", "16", "40"]),
        ("claude-opus-5", ["5", "0.5", "6.25", "10", "25"]),
        ("claude-opus-5-5", ["4", "0.2", "5", "8", "20"]),
    ],
)
def test_a_model_is_not_its_namesake_with_a_shorter_name(
    model: str, prices: list[str]
) -> None:
    assert of_each(model) == prices


def test_a_price_changes_at_midnight_utc_of_its_day() -> None:
    change = on(2026, 10, 7)

    assert of_each("claude-sonnet-5-5", at=change - 1)[1] == "0.2"
    assert of_each("claude-sonnet-5-5", at=change)[1] == "0.1"
    assert of_each("claude-sonnet-5-5", at=change - 1)[1] == "0.2"


@pytest.mark.parametrize(
    ("prompt", "dollars"), [(100_000, "0.0105"), (100_001, "0.0525005")]
)
def test_a_prompt_over_the_threshold_makes_the_whole_request_dearer(
    prompt: int, dollars: str
) -> None:
    usage = {"uncached_input_tokens": prompt, "output_tokens": 1_000}

    cost, _, _ = RATER.part_cost(Part("claude-haiku-5-5", usage), PLAIN, TODAY)

    assert usd_exact(cost) == dollars


@pytest.mark.parametrize(("more", "price"), [(0, 500_000), (1, 2_500_000)])
def test_every_kind_of_prompt_token_counts_to_the_threshold_and_no_other(
    more: int, price: int
) -> None:
    usage = {unit.value: 25_000 for unit in TOKEN_UNITS}
    usage["cache_write_1h_tokens"] += more
    usage["output_tokens"] = 900_000

    lines = RATER.price_lines(Part("claude-haiku-5-5", usage), PLAIN, TODAY)

    assert lines[-1].price == price


def test_the_long_context_premium_of_its_time_is_kept() -> None:
    part = Part("claude-sonnet-4-6", {"uncached_input_tokens": 1_000_000})

    before, _, _ = RATER.part_cost(part, PLAIN, on(2026, 3, 13) - 1)
    after, _, _ = RATER.part_cost(part, PLAIN, on(2026, 3, 13))

    assert (usd_exact(before), usd_exact(after)) == ("6", "3")


@pytest.mark.parametrize(
    ("model", "at", "prices"),
    [
        ("claude-opus-5-5", TODAY, ["8", "0.4", "10", "16", "40"]),
        ("claude-fable-5-2", TODAY, ["16", "0.4", "20", "32", "80"]),
        ("claude-opus-4-8", on(2026, 11, 29), ["10", "1", "12.5", "20", "50"]),
        ("claude-opus-4-8", on(2026, 11, 30), ["?"] * 5),
        ("claude-opus-4-7", on(2026, 5, 12) - 1, ["?"] * 5),
        ("claude-opus-4-7", on(2026, 5, 12), ["30", "3", "37.5", "60", "150"]),
        ("claude-opus-4-7", on(2026, 7, 24), ["?"] * 5),
        ("claude-sonnet-5-5", TODAY, ["?"] * 5),
    ],
)
def test_fast_has_its_own_prices_in_its_own_time_or_none(
    model: str, at: Instant, prices: list[str]
) -> None:
    assert of_each(model, FAST, at) == prices


def test_a_search_of_a_fast_answer_without_a_price_still_has_its_own() -> None:
    part = Part("claude-sonnet-5-5", {"output_tokens": 7, "web_search_requests": 1})

    assert RATER.part_cost(part, FAST, TODAY) == (
        parse_usd("0.01"),
        parse_usd("0.01"),
        {"output_tokens": 7},
    )


def test_a_fast_deployment_is_fast_whatever_the_response_says() -> None:
    said = Conditions(speed="standard")

    assert of_each("claude-opus-5-5-fast", said) == of_each("claude-opus-5-5", FAST)


def test_a_speed_nobody_published_has_no_price() -> None:
    assert of_each("claude-opus-5-5", Conditions(speed="turbo")) == ["?"] * 5


def test_a_batch_costs_half_of_every_token() -> None:
    assert of_each("claude-opus-5-5", BATCH) == ["2", "0.1", "2.5", "4", "10"]
    assert of_each("claude-2.1", BATCH) == ["?"] * 5


def test_priority_is_priced_at_list_and_says_so() -> None:
    priority = Conditions(service_tier="priority")
    part = Part("claude-opus-4-6", {"output_tokens": 1})

    (line,) = RATER.price_lines(part, priority, TODAY)

    assert of_each("claude-opus-4-6", priority) == of_each("claude-opus-4-6")
    assert line.steps == ("service_tier priority at list price",)


@pytest.mark.parametrize(
    ("model", "conditions", "output"),
    [
        ("claude-opus-5-5", US, "22"),
        ("claude-opus-4-5", US, "25"),
        ("claude-opus-5-5", Conditions(inference_geo="global"), "20"),
        ("claude-opus-5-5", Conditions(inference_geo="not_available"), "20"),
        ("claude-opus-5-5", Conditions("batch", "standard", "us"), "11"),
        ("claude-opus-5-5", Conditions(None, "fast", "us"), "44"),
        ("us.anthropic.claude-opus-5-5", PLAIN, "22"),
        ("global.anthropic.claude-opus-5-5", PLAIN, "20"),
        ("anthropic.claude-opus-5-5", PLAIN, "20"),
        ("us-gov.anthropic.claude-opus-5-5", PLAIN, "24"),
        ("us.anthropic.claude-opus-4-1-20250805-v1:0", PLAIN, "75"),
        ("us.anthropic.claude-opus-5-5", BATCH, "11"),
        ("claude-opus-5-5", Conditions(platform="bedrock:regional"), "22"),
        ("global.anthropic.claude-opus-5-5", Conditions(platform="b:regional"), "20"),
        ("claude-opus-5-5", Conditions(platform="vertex:regional"), "22"),
        ("claude-opus-5-5", Conditions(platform="bedrock:us-gov"), "24"),
        ("claude-opus-5-5", Conditions(platform="foundry:us-data-zone"), "22"),
        ("claude-opus-4-5", Conditions(platform="foundry:us-data-zone"), "25"),
        ("claude-opus-5-5", Conditions(platform="bedrock"), "20"),
        ("claude-opus-5-5", Conditions(platform="vertex:global"), "20"),
    ],
)
def test_multipliers_apply_where_the_list_says_and_stack(
    model: str, conditions: Conditions, output: str
) -> None:
    assert of_each(model, conditions)[-1] == output


def test_fees_take_no_multiplier() -> None:
    part = Part(
        "us.anthropic.claude-opus-5-5",
        {"web_search_requests": 3, "web_fetch_requests": 4},
    )
    conditions = Conditions("batch", "standard", "us")

    assert RATER.part_cost(part, conditions, TODAY) == (3 * 10**10, 3 * 10**10, {})


def test_a_search_before_there_was_a_fee_is_unpriced() -> None:
    part = Part("claude-3-7-sonnet-20250219", {"web_search_requests": 1})

    assert RATER.part_cost(part, PLAIN, on(2025, 5, 7) - 1)[2] != {}
    assert RATER.part_cost(part, PLAIN, on(2025, 5, 7))[0] == 10**10


def test_counters_nobody_published_a_price_for_travel_beside_the_sum() -> None:
    usage = {"output_tokens": 1, "code_execution_requests": 2, "new_counter": 3}

    cost, _, unpriced = RATER.part_cost(Part("claude-opus-5-5", usage), PLAIN, TODAY)

    assert cost == 20_000_000
    assert unpriced == {"code_execution_requests": 2, "new_counter": 3}


def test_a_count_of_nothing_is_not_unpriced() -> None:
    nothing = {"code_execution_requests": 0, "output_tokens": 0}

    for model in ("claude-opus-5-5", "claude-unknown-9"):
        cost, net, unpriced = RATER.part_cost(Part(model, nothing), PLAIN, TODAY)
        assert (cost, net) == (0, 0)
        assert unpriced is NOTHING


@pytest.mark.parametrize(
    "model",
    [
        "claude-unknown-9",
        "claude-opus-5-6",
        "claude-fable",
        "gpt-5",
        "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc",
    ],
)
def test_a_model_nobody_knows_is_unpriced_and_never_its_neighbour(model: str) -> None:
    usage = {"output_tokens": 5, "web_search_requests": 1, "new_counter": 0}

    assert RATER.part_cost(Part(model, usage), PLAIN, TODAY) == (
        0,
        0,
        {"output_tokens": 5, "web_search_requests": 1},
    )


def test_a_model_long_before_its_first_price_is_unpriced() -> None:
    release = on(2026, 9, 22)

    week_before = release - 7 * 86_400_000

    assert of_each("claude-opus-5-5", at=week_before - 1) == ["?"] * 5
    assert of_each("claude-opus-5-5", at=week_before)[-1] == "20"
    assert of_each("claude-opus-5-5", at=release)[-1] == "20"


def test_a_class_the_model_never_had_is_unpriced() -> None:
    assert of_each("claude-3-sonnet-20240229") == ["3", "?", "?", "?", "15"]


def test_a_billion_dollars_are_exact() -> None:
    part = Part("claude-fable-5", {"output_tokens": 10**10, "web_search_requests": 1})

    costs = [RATER.part_cost(part, PLAIN, TODAY)[0] for _ in range(2_000)]

    assert sum(costs) == 10**9 * PICO_PER_USD + 2_000 * 10**10


def test_units_count_the_same_under_their_enum_names() -> None:
    part = Part("claude-opus-5-5", {Unit.OUTPUT: 1, Unit.CODE_EXECUTION: 1})

    cost, _, unpriced = RATER.part_cost(part, PLAIN, TODAY)

    assert cost == 20_000_000
    assert [type(unit) for unit in unpriced] == [str]


def test_endless_foreign_model_names_do_not_fill_the_memory() -> None:
    rater = Rater(load_catalogue())

    for number in range(20_100):
        rater.part_cost(Part(f"x{number}", {"output_tokens": 1}), PLAIN, TODAY)

    assert len(rater._quotes) < 20_002  # noqa: SLF001  # nothing public shows memory


def test_neither_do_answers_from_before_a_model_had_a_price() -> None:
    rater = Rater(load_catalogue())

    for at in range(100):
        rater.part_cost(Part("claude-opus-5-5", {"output_tokens": 1}), PLAIN, at)

    assert rater._quotes == {("claude-opus-5-5", PLAIN): []}  # noqa: SLF001  # as above
