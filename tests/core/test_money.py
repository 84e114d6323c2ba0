"""``tollbook.core.money``: exact in, exact between, rounded once on the way out."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbook.core.errors import InexactAmountError
from tollbook.core.money import (
    PICO_PER_USD,
    TOKENS_PER_MTOK,
    nearest_pico,
    parse_usd,
    usd,
    usd_exact,
)

AMOUNTS = st.integers(-(10**30), 10**30)


@given(amount=AMOUNTS)
def test_an_amount_survives_being_written_and_read(amount: int) -> None:
    assert parse_usd(usd_exact(amount)) == amount


@given(amounts=st.lists(AMOUNTS))
def test_a_sum_is_exact_whatever_its_size(amounts: list[int]) -> None:
    total = sum(Fraction(usd_exact(amount)) for amount in amounts)

    assert Fraction(usd_exact(sum(amounts))) == total


@given(amount=AMOUNTS, places=st.integers(0, 12))
def test_rounding_is_off_by_half_a_digit_at_most(amount: int, places: int) -> None:
    shown = parse_usd(str(usd(amount, places)))

    assert 2 * abs(shown - amount) <= 10 ** (12 - places)


def test_a_price_per_million_tokens_is_whole_per_token() -> None:
    assert parse_usd("3.00", per_usd=TOKENS_PER_MTOK) == 3_000_000
    assert parse_usd("0.000001", per_usd=TOKENS_PER_MTOK) == 1


def test_cents_are_read_as_cents() -> None:
    assert parse_usd("123.45", per_usd=100) == 1_234_500_000_000


@pytest.mark.parametrize(
    "text", ["", "three", "1e-13", "NaN", "Infinity", "1,5", "0x1"]
)
def test_what_cannot_be_held_exactly_is_refused_by_its_text(text: str) -> None:
    with pytest.raises(InexactAmountError) as caught:
        parse_usd(text)

    assert caught.value.text == text
    assert repr(text) in str(caught.value)


def test_a_price_finer_than_a_picodollar_is_refused() -> None:
    with pytest.raises(InexactAmountError):
        parse_usd("0.0000001", per_usd=TOKENS_PER_MTOK)


@pytest.mark.parametrize(
    ("amount", "places", "shown"),
    [
        (0, 2, "0.00"),
        (PICO_PER_USD // 2, 0, "0"),
        (3 * PICO_PER_USD // 2, 0, "2"),
        (5 * 10**9, 2, "0.00"),
        (15 * 10**9, 2, "0.02"),
        (-15 * 10**9, 2, "-0.02"),
        (10**21, 2, "1000000000.00"),
    ],
)
def test_halves_are_rounded_to_even(amount: int, places: int, shown: str) -> None:
    assert str(usd(amount, places)) == shown


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(0, "0"), (1, "0.000000000001"), (-1, "-0.000000000001"), (12 * 10**11, "1.2")],
)
def test_an_exact_amount_has_no_digit_too_many(amount: int, shown: str) -> None:
    assert usd_exact(amount) == shown


def test_a_foreign_float_is_held_to_the_nearest_picodollar() -> None:
    assert nearest_pico(Decimal("0.0246")) == 24_600_000_000
    assert nearest_pico(Decimal("0.00000000000049")) == 0
    assert nearest_pico(Decimal("0.0245999999999999996")) == 24_600_000_000
