"""``Rater.price_lines`` explains ``Rater.part_cost``: the same figures, and why."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from tollbook.core.catalogue import midnight
from tollbook.core.observation import Conditions, Part
from tollbook.core.rate import PriceLine, Rater
from tollbook.core.terms import PriceTerms, price_term
from tollbook.core.units import COUNT_MAX, Unit
from tollbook.prices import load_catalogue

CATALOGUE = load_catalogue()
TERMS = PriceTerms(
    [
        price_term("*", discount="0.0333333"),
        price_term("opus", start=date(2026, 5, 1), discount="0.15"),
        price_term("claude-haiku-5-5", rates={"output_tokens": "0.123457"}),
        price_term("claude-unknown-9", rates={"output_tokens": "1"}),
    ],
    aliases={"mine": "claude-opus-5-5"},
)
RATERS = [Rater(CATALOGUE), Rater(CATALOGUE, TERMS)]
TODAY = midnight(date(2026, 11, 22))
NAMES = [model.name for model in CATALOGUE.models()]

models = st.one_of(
    st.sampled_from(NAMES),
    st.sampled_from([f"us.anthropic.{name}" for name in NAMES]),
    st.sampled_from(["claude-unknown-9", "claude-opus-5-5-fast", "mine", "gpt-5"]),
)
conditions = st.builds(
    Conditions,
    st.sampled_from([None, "standard", "batch", "priority"]),
    st.sampled_from([None, "standard", "fast"]),
    st.sampled_from([None, "us", "global", "not_available"]),
    st.sampled_from([None, "bedrock", "bedrock:regional", "vertex:us-gov"]),
)
usages = st.dictionaries(
    st.sampled_from([*(unit.value for unit in Unit), "new_counter"]),
    st.one_of(st.integers(0, 300_000), st.integers(0, COUNT_MAX)),
)
instants = st.one_of(
    st.dates(date(2023, 1, 1), date(2027, 1, 1)).map(midnight),
    st.integers(midnight(date(2025, 12, 1)), TODAY),
)


@given(st.sampled_from(RATERS), st.builds(Part, models, usages), conditions, instants)
def test_the_lines_add_up_to_the_cost(
    rater: Rater, part: Part, when: Conditions, at: int
) -> None:
    cost, net, unpriced = rater.part_cost(part, when, at)
    lines = rater.price_lines(part, when, at)

    assert sum(line.amount for line in lines) == cost
    assert sum(line.net_amount for line in lines) == net
    assert {line.unit: line.count for line in lines if line.price is None} == unpriced
    assert {line.unit for line in lines} == {u for u, n in part.usage.items() if n}
    for line in lines:
        assert bool(line.why) == (line.price is None)
        assert bool(line.evidence) == (line.price is not None)


@given(
    st.lists(st.tuples(st.builds(Part, models, usages), conditions, instants)),
    st.randoms(use_true_random=False),
)
def test_neither_order_nor_repetition_changes_a_cost(
    asked: list[tuple[Part, Conditions, int]], chance: object
) -> None:
    rater = Rater(CATALOGUE, TERMS)
    shuffled = [*asked, *asked]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # a random.Random

    warm = [rater.part_cost(*each) for each in shuffled]

    assert warm == [Rater(CATALOGUE, TERMS).part_cost(*each) for each in shuffled]


@given(usages, usages)
def test_list_costs_of_two_parts_are_the_cost_of_both(
    one: dict[str, int], other: dict[str, int]
) -> None:
    both = {unit: one.get(unit, 0) + other.get(unit, 0) for unit in {*one, *other}}

    def cost(usage: dict[str, int]) -> int:
        return RATERS[0].part_cost(Part("claude-opus-5-5", usage), Conditions(), TODAY)[
            0
        ]

    assert cost(one) + cost(other) == cost(both)


def lines_of(model: str, when: Conditions, **usage: int) -> tuple[PriceLine, ...]:
    return RATERS[0].price_lines(Part(model, usage), when, TODAY)


def test_a_line_tells_how_the_price_came_about() -> None:
    (line,) = lines_of(
        "us.anthropic.claude-haiku-5-5",
        Conditions("batch", None, "us"),
        cache_read_input_tokens=100_001,
    )

    assert line.base_price == 10_000
    assert line.steps == (
        "prompt over 100,000 tokens",
        "batch 0.5",
        "inference_geo us 1.1",
        "regional endpoint 1.1",
    )
    assert line.price == 50_000 * 5 * 11 * 11 // 1000
    assert line.amount == line.price * 100_001 == line.net_amount
    assert (line.terms, line.why, line.confidence) == ("", "", "high")
    assert "Claude Code 2.1.330's own rates, read 2026-11-22" in line.evidence


def test_a_fast_line_starts_from_the_standard_price() -> None:
    (line,) = lines_of("claude-opus-5-5", Conditions(speed="fast"), output_tokens=1)

    assert (line.base_price, line.price) == (20_000_000, 40_000_000)
    assert line.steps == ("fast",)


def test_lines_stand_in_the_usual_order() -> None:
    usage = {unit.value: 1 for unit in sorted(Unit, reverse=True)}

    lines = RATERS[0].price_lines(Part("claude-opus-5-5", usage), Conditions(), TODAY)

    assert [line.unit for line in lines] == [
        "uncached_input_tokens",
        "cache_read_input_tokens",
        "cache_write_5m_tokens",
        "cache_write_1h_tokens",
        "output_tokens",
        "code_execution_requests",
        "web_fetch_requests",
        "web_search_requests",
    ]


def test_a_line_without_a_price_says_why() -> None:
    plain, fast, batch = Conditions(), Conditions(speed="fast"), Conditions("batch")
    early = Part("claude-opus-5-5", {"output_tokens": 1})

    assert [
        lines_of("claude-x", plain, output_tokens=1)[0].why,
        lines_of("claude-x", plain, new_counter=1)[0].why,
        RATERS[0].price_lines(early, plain, 0)[0].why,
        lines_of("claude-sonnet-5", fast, output_tokens=1)[0].why,
        lines_of("claude-sonnet-5", fast, new_counter=1)[0].why,
        lines_of("claude-2.1", batch, output_tokens=1)[0].why,
        lines_of("claude-2.1", plain, cache_read_input_tokens=1)[0].why,
    ] == [
        "unknown model",
        "unknown model",
        "the model had no price at that time",
        "the model had no fast price at that time",
        "the list has no price for it",
        "the model had no batch price at that time",
        "the list has no price for it",
    ]
