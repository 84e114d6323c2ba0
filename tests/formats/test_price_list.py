"""``tollbook.formats.price_list``: a price list is understood wholly or not at all."""

from __future__ import annotations

import tomllib
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbook.core.catalogue import ALWAYS, Period, PriceCatalogue, midnight
from tollbook.core.errors import CatalogueDataError
from tollbook.formats.price_list import (
    PriceList,
    catalogue_of,
    combine,
    convert_price_list,
    format_price_list,
    parse_price_list,
)

LIST = """
as_of = 2026-11-22

[[multipliers]]
name = "batch"
when = { service_tier = "batch" }
factor = "0.5"
confidence = "high"
evidence = ["here"]

[[fees]]
unit = "web_search_requests"
usd_per_1000 = "10"
start = 2025-05-07
confidence = "high"
evidence = ["here"]

[[models]]
name = "claude-x"
display_name = "Claude X"
family = "x"
released = 2026-01-01
context_window = 1_000
multipliers = ["batch"]

[[models.prices]]
start = 2026-01-01
end = 2026-02-01
uncached_input_tokens = "1"
output_tokens = "5"
confidence = "high"
evidence = ["here"]

[[models.prices.tiers]]
prompt_tokens_over = 100
uncached_input_tokens = "2"
output_tokens = "10"

[[models.prices]]
start = 2026-03-01
uncached_input_tokens = "3"
output_tokens = "15"
confidence = "high"
evidence = ["here"]
gap = "paused"
"""


def read(text: str = LIST) -> PriceList:
    return combine([convert_price_list(tomllib.loads(text), origin="x.toml")])


def catalogue(text: str = LIST) -> PriceCatalogue:
    return catalogue_of(read(text), origin="x.toml")


def test_a_list_says_what_it_holds() -> None:
    known = catalogue()
    model = known.model("claude-x")

    assert model is not None
    old, new = model.rates
    assert old.valid == Period(midnight(date(2026, 1, 1)), midnight(date(2026, 2, 1)))
    assert old.prices == {"uncached_input_tokens": 10**6, "output_tokens": 5 * 10**6}
    assert old.tiers[0].prices["output_tokens"] == 10**7
    assert (new.gap, new.valid.start) == ("paused", midnight(date(2026, 3, 1)))
    assert known.fees()[0].price == 10**10
    assert known.multipliers()[0].valid == ALWAYS
    assert known.version == "2026-11-22+"


def test_the_json_form_says_the_same() -> None:
    prices = read()

    written = format_price_list(prices)

    assert parse_price_list(written, origin="x.json") == prices
    assert written.count(b"\n") == 3


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"5"', "5.0", "x.toml: Expected `str | null`, got `float` - at `.*output_tok"),
        ('"5"', '"five"', "x.toml: claude-x output_tokens: 'five' is not a whole"),
        ('"5"', '"-5"', "x.toml: claude-x output_tokens: -5 is below zero"),
        ('"5"', '"0.0000001"', "never round on the way in"),
        ("output_tokens", "output", "x.toml: .*unknown field `output`"),
        ('confidence = "high"', 'confidence = "sure"', "Invalid enum value 'sure'"),
        ('["here"]', "[]", "no evidence; say where and when it was read"),
        ('["here"]', '[" "]', "no evidence; say where and when it was read"),
        ("2026-02-01", "2026-01-01", "ends on 2026-01-01, not after its start"),
        ('{ service_tier = "batch" }', "{}", "batch: `when` must name exactly one"),
        ("as_of = 2026-11-22", "", "0 files say as_of; exactly one must"),
        ("as_of = 2026-11-22", "format = 2", "Invalid enum value 2"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_its_place(
    old: str, new: str, complaint: str
) -> None:
    with pytest.raises(CatalogueDataError, match=complaint):
        catalogue(LIST.replace(old, new))


def test_a_model_without_prices_is_refused() -> None:
    with pytest.raises(CatalogueDataError, match="claude-x: has no prices; add one"):
        catalogue(LIST[: LIST.index("[[models.prices]]")] + "prices = []")


def test_only_one_file_says_how_old_the_prices_are() -> None:
    with pytest.raises(CatalogueDataError, match="2 files say as_of"):
        combine([read(), read()])


@given(st.one_of(st.binary(), st.text().map(str.encode)))
def test_no_bytes_are_more_than_a_bad_price_list(raw: bytes) -> None:
    try:
        parse_price_list(raw, origin="x.json")
    except CatalogueDataError as error:
        assert str(error).startswith("x.json: ")  # noqa: PT017  # most bytes are none
