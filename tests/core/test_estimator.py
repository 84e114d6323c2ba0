"""What is said of tokens that nobody counted."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbook.core.estimator import (
    PAIRS_MAX,
    PAIRS_MIN,
    Chars,
    Fit,
    Pair,
    estimate,
    fit,
    published,
    tokens_of,
)

MODEL = "claude-opus-5-5"
CHARS = st.tuples(*(st.integers(0, 100_000) for _ in range(3)))
PAIRS = st.lists(st.builds(Pair, CHARS, st.integers(0, 50_000)), max_size=40)


def responses(rates: Chars, count: int, *, noise: int = 0) -> list[Pair]:
    """Answers of a model with known rates, each up to some per mille off."""
    dice = Random(7)  # noqa: S311 - the same every time
    found = []
    for _ in range(count):
        chars = (dice.randrange(9_000), dice.randrange(3_000), dice.randrange(4_000))
        off = dice.randrange(-noise, noise + 1)
        found.append(Pair(chars, tokens_of(rates, chars) * (1_000 + off) // 1_000))
    return found


def test_the_rates_of_a_model_are_found_from_mixed_answers() -> None:
    true = (300_000, 900_000, 450_000)

    found = fit(MODEL, responses(true, 400, noise=30))

    assert found.method == "fitted"
    for rate, wanted in zip(found.rates, true, strict=True):
        assert abs(rate - wanted) < wanted // 25
    assert found.errors is not None
    assert found.errors.mean < 40
    assert found.errors.p95 < 60
    assert abs(found.errors.bias) < 10


def test_a_fit_is_better_than_what_is_published_where_the_text_is_unusual() -> None:
    pairs = responses((600_000, 600_000, 600_000), 100)
    fitted = fit(MODEL, pairs)
    start = fit(MODEL, [])
    chars = (5_000, 0, 0)

    assert abs(estimate(fitted, chars).count - 3_000) < 30
    assert estimate(start, chars).count < 1_700


def test_with_few_answers_the_published_rates_stand_and_say_so() -> None:
    found = fit(MODEL, responses((500_000,) * 3, PAIRS_MIN - 1))

    assert found == Fit(
        rates=published(MODEL), method="published", version="1.0", pairs=PAIRS_MIN - 1
    )
    said = estimate(found, (1_000, 0, 0))
    assert (said.count, said.low, said.high) == (327, 261, 393)
    assert said.method == "published"


def test_nobody_can_say_how_far_off_a_guess_about_thinking_is_before_a_fit() -> None:
    said = estimate(fit(MODEL, []), (100, 50, 0))

    assert said.count > 0
    assert (said.low, said.high) == (None, None)


def test_an_estimate_is_never_below_what_is_known() -> None:
    said = estimate(fit(MODEL, []), (10, 0, 0), least=500)

    assert (said.count, said.low) == (500, 500)


@pytest.mark.parametrize(
    ("model", "per_mille"),
    [
        ("claude-opus-4-6", 1_180),
        ("claude-opus-4-7", 1_530),
        ("claude-opus-4-20250514", 1_180),
        ("claude-sonnet-4-5", 1_180),
        ("claude-sonnet-5", 1_530),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", 1_180),
        ("claude-haiku-5-5", 1_530),
        ("claude-fable-5-2", 1_530),
        ("claude-3-5-sonnet-20241022", 1_180),
        ("gpt-5", 1_000),
    ],
)
def test_each_model_begins_with_its_own_tokenizer(model: str, per_mille: int) -> None:
    text, _, _ = published(model)

    assert text == 213_675 * per_mille // 1_000


@given(pairs=PAIRS)
def test_any_pairs_give_a_fit_the_same_each_time(pairs: list[Pair]) -> None:
    found = fit(MODEL, pairs)

    assert found == fit(MODEL, list(pairs))
    assert all(rate >= 0 for rate in found.rates)
    assert (found.errors is None) == (found.method == "published")


def test_lengths_beyond_reason_end_in_no_rate_and_not_in_an_error() -> None:
    found = fit(MODEL, [Pair((10**9, 10**9, 10**9), 1)] * PAIRS_MIN)

    assert found.rates == (0, 0, 0)
    assert estimate(found, (1_000, 0, 0)).count == 0


def test_only_the_latest_answers_count() -> None:
    old, new = responses((900_000,) * 3, 100), responses((300_000,) * 3, PAIRS_MAX)

    assert fit(MODEL, [*old, *new]) == fit(MODEL, new)
