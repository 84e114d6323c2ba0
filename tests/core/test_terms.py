"""``tollbook.core.terms``: what you agreed, checked before it prices anything."""

from __future__ import annotations

from datetime import date

import pytest

from tollbook.core.catalogue import ALWAYS, FOREVER, Period, midnight
from tollbook.core.errors import ConfigError, OverlappingRatesError
from tollbook.core.terms import NO_TERMS, PriceTerm, PriceTerms, price_term

JAN, MAR = midnight(date(2026, 1, 1)), midnight(date(2026, 3, 1))


@pytest.mark.parametrize(
    ("term", "complaint"),
    [
        ({}, "needs either `discount` or `rates`"),
        ({"discount": "0.1", "rates": {"output_tokens": "1"}}, "needs either"),
        ({"discount": "15"}, "no share between 0 and 1; write 15 % as"),
        ({"discount": "-0.1"}, "no share between 0 and 1"),
        ({"discount": "much"}, "no share between 0 and 1"),
        ({"discount": "NaN"}, "no share between 0 and 1"),
        ({"rates": {"input_tokens": "1"}}, "no rate can be set for 'input_tokens'"),
        ({"rates": {"output_tokens": "-1"}}, "is below zero"),
        ({"rates": {"output_tokens": "0.0000001"}}, "not a whole number"),
        (
            {"discount": "0.1", "start": date(2026, 3, 1), "end": date(2026, 3, 1)},
            "ends on 2026-03-01, not after its start",
        ),
    ],
)
def test_a_term_that_cannot_be_meant_is_refused(
    term: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=f"prices.terms 'claude-x': .*{complaint}"):
        price_term("claude-x", **term)  # type: ignore[arg-type]  # as a file gives it


def test_two_terms_for_one_model_at_one_instant_are_refused() -> None:
    terms = [
        price_term("opus", discount="0.1"),
        price_term("opus", start=date(2026, 3, 1), discount="0.2"),
    ]

    with pytest.raises(OverlappingRatesError, match="two terms from 2026-03-01; end"):
        PriceTerms(terms)
    with pytest.raises(OverlappingRatesError, match="two terms from the beginning"):
        PriceTerms(terms[:1] * 2)


def test_terms_that_meet_on_a_day_do_not_overlap() -> None:
    change = date(2026, 3, 1)
    old = price_term("opus", end=change, discount="0.1")
    new = price_term("opus", start=change, discount="0.2")
    terms = PriceTerms([new, old])

    assert terms.find(["opus"], MAR - 1) == (old, Period(-FOREVER, MAR))
    assert terms.find(["opus"], MAR) == (new, Period(MAR, FOREVER))


def test_the_most_exact_name_decides_alone() -> None:
    for_all = price_term("*", discount="0.1")
    for_opus = price_term("opus", start=date(2026, 1, 1), discount="0.2")
    terms = PriceTerms([for_all, for_opus])

    assert terms.find(["claude-opus-5", "opus", "*"], JAN)[0] == for_opus
    assert terms.find(["claude-opus-5", "opus", "*"], JAN - 1)[0] == for_all
    assert terms.find(["claude-sonnet-5", "sonnet", "*"], JAN) == (for_all, ALWAYS)
    assert terms.find(["gpt-5"], JAN) == (None, ALWAYS)


def test_two_spellings_of_one_model_are_one_model() -> None:
    terms = PriceTerms(
        [price_term(name, discount="0.1") for name in ("haiku", "haiku-latest")]
    )

    with pytest.raises(OverlappingRatesError):
        terms.named(lambda name: name.removesuffix("-latest"))


def test_terms_take_the_names_of_the_book() -> None:
    named = PriceTerms(
        [price_term("haiku-latest", discount="0.1"), price_term("x", discount="0")],
        aliases={"mine": "haiku-latest"},
    ).named({"haiku-latest": "haiku-4-5"}.get)

    assert [term.model for term in named.terms] == ["haiku-4-5", "x"]
    assert named.aliases == {"mine": "haiku-latest"}


def test_the_digest_follows_the_terms_and_not_their_order() -> None:
    one, two = price_term("a", discount="0.1"), price_term("b", discount="0.1")
    digests = {
        PriceTerms([one]).digest,
        PriceTerms([two]).digest,
        PriceTerms([one, two]).digest,
        PriceTerms([price_term("a", discount="0.2")]).digest,
        PriceTerms([one], aliases={"mine": "a"}).digest,
    }

    assert len(digests) == 5
    assert PriceTerms([two, one]).digest == PriceTerms([one, two]).digest
    assert NO_TERMS.digest == ""


def test_a_term_says_what_it_is() -> None:
    rates = PriceTerm(model="*", rates={"output_tokens": "1"})

    assert str(rates) == "your rate"
    assert str(PriceTerm(model="*", discount="0.15")) == "your discount 0.15"
