"""``tollbook.core.rate`` at your terms: they decide the net cost and no other."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tollbook.core.catalogue import (
    FAST,
    PriceBook,
    Rate,
    RateCard,
    Tier,
    midnight,
    steady,
)
from tollbook.core.errors import OverlappingRatesError
from tollbook.core.observation import Conditions, Part
from tollbook.core.rate import Rater
from tollbook.core.terms import PriceTerm, PriceTerms, price_term
from tollbook.prices import load_catalogue

CATALOGUE = load_catalogue()
PLAIN = Conditions()
TODAY = midnight(date(2026, 11, 22))
PROFILE = "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc"


class Neighbours:
    """Another provider's list, in which two kinds of request have their own prices."""

    version = "neighbours 1"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def resolve(self, raw: str) -> str | None:
        """Know one model."""
        self.asked.append(raw)
        return f"other/{raw}" if raw == "gpt-5" else None

    def card(self, model: str, at: int) -> RateCard | None:
        """Charge the same at all times."""
        prices = Rate(
            valid=steady(at, ()), prices={"output_tokens": 6}, evidence=("x",)
        )
        return RateCard(
            model=model,
            family="other",
            valid=prices.valid,
            standard=prices,
            variants={FAST: prices, ("service_tier", "flex"): prices},
        )


def costs(
    part: Part,
    *terms: PriceTerm,
    conditions: Conditions = PLAIN,
    at: int = TODAY,
    book: PriceBook | None = None,
) -> tuple[int, int, dict[str, int]]:
    rater = Rater(CATALOGUE, PriceTerms(terms), (lambda: book) if book else None)
    return rater.part_cost(part, conditions, at)


def tokens(model: str, count: int = 1) -> Part:
    return Part(model, {"output_tokens": count})


def test_a_discount_lowers_the_net_cost_of_everything_the_list_prices() -> None:
    part = Part("claude-opus-5-5", {"output_tokens": 100, "web_search_requests": 1})

    cost, net, _ = costs(part, price_term("opus", discount="0.15"))

    assert (cost, net) == (12_000_000_000, 10_200_000_000)


def test_a_free_contract_costs_nothing_and_is_still_priced() -> None:
    assert costs(tokens("claude-opus-5-5"), price_term("*", discount="1")) == (
        20_000_000,
        0,
        {},
    )


def test_terms_hold_in_their_time_only() -> None:
    term = price_term(
        "*", start=date(2026, 11, 1), end=date(2026, 11, 10), discount="0.5"
    )
    rater = Rater(CATALOGUE, PriceTerms([term]))
    days = [
        date(2026, 10, 31),
        date(2026, 11, 1),
        date(2026, 11, 9),
        date(2026, 11, 10),
    ]

    nets = [
        rater.part_cost(tokens("claude-opus-5-5"), PLAIN, midnight(each))[1]
        for each in days
    ]

    assert nets == [20_000_000, 10_000_000, 10_000_000, 20_000_000]


def test_rates_of_yours_replace_those_they_name_and_take_the_multipliers() -> None:
    part = Part("claude-opus-5-5", {"output_tokens": 1, "uncached_input_tokens": 1})
    term = price_term("claude-opus-5-5", rates={"output_tokens": "18"})

    assert costs(part, term)[:2] == (24_000_000, 22_000_000)
    assert costs(part, term, conditions=Conditions("batch"))[1] == 11_000_000


def test_rates_of_yours_are_flat_and_for_standard_speed() -> None:
    long = Part("claude-haiku-5-5", {"uncached_input_tokens": 100_001})
    flat = price_term("haiku", rates={"uncached_input_tokens": "0.1"})
    fast = Conditions(speed="fast")

    assert costs(long, flat)[:2] == (500_000 * 100_001, 100_000 * 100_001)
    assert costs(
        tokens("claude-opus-5-5"),
        price_term("opus", rates={"output_tokens": "1"}),
        conditions=fast,
    )[:2] == (40_000_000, 40_000_000)


def test_a_model_only_you_know_costs_what_you_say() -> None:
    term = price_term("claude-next", rates={"output_tokens": "7"})
    part = Part("us.anthropic.claude-next", {"output_tokens": 2, "new_counter": 1})
    rater = Rater(CATALOGUE, PriceTerms([term]))

    assert rater.part_cost(part, PLAIN, TODAY) == (
        14_000_000,
        14_000_000,
        {"new_counter": 1},
    )
    line = rater.price_lines(part, PLAIN, TODAY)[0]
    assert (line.terms, line.evidence, line.confidence) == (
        "your rate",
        ("yours",),
        "yours",
    )
    assert rater.part_cost(tokens("claude-next"), Conditions(speed="fast"), TODAY)[2]


def test_only_its_own_name_prices_a_model_nobody_knows() -> None:
    everything = price_term("*", rates={"output_tokens": "7"})
    discount = price_term("claude-next", discount="0.5")

    assert costs(tokens("claude-next"), everything, discount)[2] != {}


def test_your_name_for_a_model_is_the_model() -> None:
    terms = PriceTerms(aliases={PROFILE: "us.anthropic.claude-opus-5-5"})

    assert Rater(CATALOGUE, terms).part_cost(tokens(PROFILE), PLAIN, TODAY)[0] == (
        22_000_000
    )


def test_terms_may_use_any_spelling_of_a_model_but_only_one() -> None:
    spellings = [
        price_term(name, discount="0.5")
        for name in ("claude-haiku-4-5", "claude-haiku-4-5@20251001")
    ]

    assert costs(tokens("claude-haiku-4-5-20251001"), spellings[1])[1] == 2_500_000
    with pytest.raises(OverlappingRatesError):
        Rater(CATALOGUE, PriceTerms(spellings))


@given(st.integers(0, 10**10), st.integers(0, 10**7))
def test_a_net_amount_is_the_nearest_whole_picodollar_ties_to_even(
    count: int, share: int
) -> None:
    text = f"{share // 10**7}.{share % 10**7:07}"

    _, net, _ = costs(
        tokens("claude-3-haiku-20240307", count), price_term("*", discount=text)
    )

    twice = 2 * 1_250_000 * count * (10**7 - share)
    off = 2 * net * 10**7 - twice
    assert abs(off) <= 10**7
    assert abs(off) < 10**7 or net % 2 == 0


def test_halves_are_rounded_to_even() -> None:
    """0.03 USD per million cached tokens is 30,000 picodollars for each of them."""
    term = price_term("*", discount="0.99995")

    nets = [
        costs(Part("claude-3-haiku-20240307", {"cache_read_input_tokens": n}), term)[1]
        for n in (1, 2, 3)
    ]

    assert nets == [2, 3, 4]


def test_each_unit_is_rounded_for_itself() -> None:
    usage = {"cache_read_input_tokens": 1, "uncached_input_tokens": 1}
    term = price_term("*", discount="0.99999999")
    both = costs(Part("claude-3-haiku-20240307", usage), term)[1]
    apart = [costs(Part("claude-3-haiku-20240307", {u: 1}), term)[1] for u in usage]

    assert both == sum(apart)


def test_another_provider_is_asked_once_it_is_needed_and_never_about_claude() -> None:
    book = Neighbours()
    loads: list[int] = []

    def load() -> PriceBook:
        loads.append(1)
        return book

    rater = Rater(CATALOGUE, fallback=load)
    for model in ("claude-opus-5-5", "claude-next", PROFILE):
        rater.part_cost(tokens(model), PLAIN, TODAY)
    assert loads == []

    prices = [
        rater.part_cost(tokens(m), PLAIN, TODAY)[0] for m in ("gpt-5", "gpt-5", "gpt-x")
    ]

    assert prices == [6, 6, 0]
    assert (loads, book.asked) == ([1], ["gpt-5", "gpt-x"])


def test_terms_reach_other_providers_by_model_and_family() -> None:
    book = Neighbours()

    assert (
        costs(tokens("gpt-5"), price_term("other", discount="0.5"), book=book)[1] == 3
    )
    assert costs(tokens("gpt-5"), price_term("other/gpt-5", discount="0.5"), book=book)[
        :2
    ] == (6, 3)


def test_a_kind_of_request_with_prices_of_its_own_is_named() -> None:
    rater = Rater(CATALOGUE, fallback=Neighbours)
    flex = Conditions("flex")

    (line,) = rater.price_lines(tokens("gpt-5"), flex, TODAY)

    assert line.steps == ("service_tier flex",)


def test_two_such_kinds_at_once_have_no_price() -> None:
    rater = Rater(CATALOGUE, fallback=Neighbours)

    (line,) = rater.price_lines(tokens("gpt-5"), Conditions("flex", "fast"), TODAY)

    assert line.why == "no price for fast and service_tier flex together"


@pytest.mark.parametrize(
    ("prompt", "price"), [(10, 6), (11, 8), (20, 8), (21, 9)], ids=str
)
def test_the_highest_tier_a_prompt_reaches_decides(prompt: int, price: int) -> None:
    tiers = tuple(
        Tier(prompt_tokens_over=over, prices={"cache_read_input_tokens": each})
        for over, each in ((10, 8), (20, 9))
    )

    class Tiered(Neighbours):
        def card(self, model: str, at: int) -> RateCard | None:
            card = super().card(model, at)
            assert card is not None
            prices = {"cache_read_input_tokens": 6}
            return replace(
                card, standard=replace(card.standard, prices=prices, tiers=tiers)
            )

    cost, _, _ = costs(
        Part("gpt-5", {"cache_read_input_tokens": prompt}), book=Tiered()
    )

    assert cost == price * prompt


def test_the_version_names_the_catalogue_and_follows_the_terms() -> None:
    one, other = (
        Rater(CATALOGUE, PriceTerms([price_term("*", discount=text)])).version
        for text in ("0.1", "0.2")
    )

    assert Rater(CATALOGUE).version == CATALOGUE.version
    assert one.startswith(CATALOGUE.version)
    assert len({one, other, CATALOGUE.version}) == 3
