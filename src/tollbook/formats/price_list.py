"""Read and write our own price lists.

People write TOML, a file for each family of models::

    [[models]]
    name = "claude-sonnet-5-5"
    family = "sonnet"
    multipliers = ["batch", "inference_geo us"]

    [[models.prices]]
    start = 2026-09-28          # inclusive
    end = 2026-10-07            # exclusive
    uncached_input_tokens = "2" # USD per million tokens, as a string: no float anywhere
    output_tokens = "10"
    evidence = ["where it was read, read 2026-11-22"]

and all of them together become one JSON document of the same shape, because a report
must not wait for TOML. Both are checked field by field: an unknown word is an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Literal

import msgspec

from tollbook.core.catalogue import (
    FOREVER,
    Condition,
    Fee,
    Model,
    Multiplier,
    Period,
    PriceCatalogue,
    Prices,
    Rate,
    Tier,
    midnight,
)
from tollbook.core.errors import CatalogueDataError, InexactAmountError
from tollbook.core.money import TOKENS_PER_MTOK, parse_usd
from tollbook.core.units import TOKEN_UNITS

_USES = 1000
Confidence = Literal["high", "medium", "low"]


class _Strict(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """What every table of a price list has in common."""


class _Tokens(_Strict, frozen=True, kw_only=True):
    uncached_input_tokens: str | None = None
    output_tokens: str | None = None
    cache_write_5m_tokens: str | None = None
    cache_write_1h_tokens: str | None = None
    cache_read_input_tokens: str | None = None


class TierTable(_Tokens, frozen=True, kw_only=True):
    """``[[models.prices.tiers]]``."""

    prompt_tokens_over: int


class PriceTable(_Tokens, frozen=True, kw_only=True):
    """``[[models.prices]]`` and ``[[models.fast]]``."""

    start: date
    end: date | None = None
    confidence: Confidence
    evidence: tuple[str, ...]
    tiers: tuple[TierTable, ...] = ()
    note: str = ""
    gap: str = ""


class ModelTable(_Strict, frozen=True, kw_only=True):
    """``[[models]]``."""

    name: str
    display_name: str
    family: str
    aliases: tuple[str, ...] = ()
    released: date
    deprecated: date | None = None
    retires: date | None = None
    context_window: int
    max_output_tokens: int | None = None
    multipliers: tuple[str, ...] = ()
    note: str = ""
    prices: tuple[PriceTable, ...]
    fast: tuple[PriceTable, ...] = ()


class MultiplierTable(_Strict, frozen=True, kw_only=True):
    """``[[multipliers]]``."""

    name: str
    when: dict[str, str]
    factor: str
    start: date | None = None
    end: date | None = None
    confidence: Confidence
    evidence: tuple[str, ...]
    note: str = ""


class FeeTable(_Strict, frozen=True, kw_only=True):
    """``[[fees]]``."""

    unit: str
    usd_per_1000: str
    start: date | None = None
    end: date | None = None
    confidence: Confidence
    evidence: tuple[str, ...]
    note: str = ""


class PriceList(_Strict, frozen=True, kw_only=True):
    """One file, or all of them together."""

    format: Literal[1] = 1
    currency: Literal["USD"] = "USD"
    as_of: date | None = None
    digest: str = ""
    multipliers: tuple[MultiplierTable, ...] = ()
    fees: tuple[FeeTable, ...] = ()
    models: tuple[ModelTable, ...] = ()


_decode = msgspec.json.Decoder(PriceList).decode


def parse_price_list(raw: bytes, *, origin: str) -> PriceList:
    """Read the JSON form.

    Args:
        raw: The whole document.
        origin: Where it was found, for the message.

    Raises:
        CatalogueDataError: It is not a price list.
    """
    try:
        return _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _unusable(origin, error) from error


def convert_price_list(tables: object, *, origin: str) -> PriceList:
    """Read what a TOML parser made of a file.

    Raises:
        CatalogueDataError: It is not a price list.
    """
    try:
        return msgspec.convert(tables, PriceList)
    except msgspec.ValidationError as error:
        raise _unusable(origin, error) from error


def _unusable(origin: str, error: Exception) -> CatalogueDataError:
    return CatalogueDataError(
        f"{origin}: {error}; correct the price list (docs/reference/prices.md)"
    )


def combine(lists: Iterable[PriceList]) -> PriceList:
    """All files as one, models in the order of family, release and name.

    Raises:
        CatalogueDataError: None of them, or several, say ``as_of``.
    """
    parts = list(lists)
    days = [part.as_of for part in parts if part.as_of is not None]
    if len(days) != 1:
        msg = f"price lists: {len(days)} files say as_of; exactly one must"
        raise CatalogueDataError(msg)
    models = [model for part in parts for model in part.models]
    models.sort(key=lambda model: (model.family, model.released, model.name))
    return PriceList(
        as_of=days[0],
        multipliers=tuple(each for part in parts for each in part.multipliers),
        fees=tuple(each for part in parts for each in part.fees),
        models=tuple(models),
    )


def format_price_list(prices: PriceList) -> bytes:
    """Write the JSON form, one model on a line, so that a change shows as one."""
    head = msgspec.structs.replace(prices, models=())
    lines = b",\n".join(msgspec.json.encode(model) for model in prices.models)
    return msgspec.json.encode(head)[:-1] + b',"models":[\n' + lines + b"\n]}\n"


def catalogue_of(prices: PriceList, *, origin: str) -> PriceCatalogue:
    """Check a whole price list and make it usable.

    Raises:
        CatalogueError: It contradicts itself, or holds something that is no price.
    """
    build = _Builder(origin)
    return PriceCatalogue(
        [build.model(each) for each in prices.models],
        multipliers=[build.multiplier(each) for each in prices.multipliers],
        fees=[build.fee(each) for each in prices.fees],
        version=f"{prices.as_of}+{prices.digest}",
    )


class _Builder:
    """Turns the tables of a list into the core's structs; says where it failed."""

    def __init__(self, origin: str) -> None:
        self._origin = origin

    def _wrong(self, subject: str, message: str) -> CatalogueDataError:
        return CatalogueDataError(f"{self._origin}: {subject}: {message}")

    def model(self, table: ModelTable) -> Model:
        if not table.prices:
            raise self._wrong(table.name, "has no prices; add one [[models.prices]]")
        return Model(
            name=table.name,
            display_name=table.display_name,
            family=table.family,
            released=table.released,
            context_window=table.context_window,
            rates=tuple(self._rate(table.name, each) for each in table.prices),
            fast=tuple(self._rate(f"{table.name} fast", each) for each in table.fast),
            aliases=table.aliases,
            deprecated=table.deprecated,
            retires=table.retires,
            max_output_tokens=table.max_output_tokens,
            multipliers=table.multipliers,
            note=table.note,
        )

    def _rate(self, subject: str, table: PriceTable) -> Rate:
        return Rate(
            valid=self._period(subject, table.start, table.end),
            prices=self._prices(subject, table),
            evidence=self._evidence(subject, table.evidence),
            confidence=table.confidence,
            tiers=tuple(
                Tier(
                    prompt_tokens_over=tier.prompt_tokens_over,
                    prices=self._prices(subject, tier),
                )
                for tier in table.tiers
            ),
            note=table.note,
            gap=table.gap,
        )

    def _prices(self, subject: str, table: _Tokens) -> Prices:
        return {
            unit.value: self._usd(f"{subject} {unit}", text, TOKENS_PER_MTOK)
            for unit in TOKEN_UNITS
            if (text := getattr(table, unit)) is not None
        }

    def _usd(self, subject: str, text: str, per_usd: int) -> int:
        try:
            price = parse_usd(text, per_usd=per_usd)
        except InexactAmountError as error:
            raise self._wrong(subject, str(error)) from error
        if price < 0:
            raise self._wrong(subject, f"{text} is below zero; correct the price")
        return price

    def fee(self, table: FeeTable) -> Fee:
        return Fee(
            unit=table.unit,
            price=self._usd(table.unit, table.usd_per_1000, _USES),
            valid=self._period(table.unit, table.start, table.end),
            evidence=self._evidence(table.unit, table.evidence),
            confidence=table.confidence,
            note=table.note,
        )

    def multiplier(self, table: MultiplierTable) -> Multiplier:
        numerator = self._usd(table.name, table.factor, 1)
        return Multiplier(
            name=table.name,
            when=self._condition(table),
            numerator=numerator,
            denominator=10**12,
            factor=table.factor,
            valid=self._period(table.name, table.start, table.end),
            evidence=self._evidence(table.name, table.evidence),
            confidence=table.confidence,
            note=table.note,
        )

    def _condition(self, table: MultiplierTable) -> Condition:
        if len(table.when) != 1:
            raise self._wrong(table.name, "`when` must name exactly one condition")
        return next(iter(table.when.items()))

    def _evidence(self, subject: str, evidence: tuple[str, ...]) -> tuple[str, ...]:
        if not all(each.strip() for each in evidence) or not evidence:
            raise self._wrong(subject, "no evidence; say where and when it was read")
        return evidence

    def _period(self, subject: str, start: date | None, end: date | None) -> Period:
        if start is not None and end is not None and end <= start:
            raise self._wrong(subject, f"ends on {end}, not after its start {start}")
        return Period(
            -FOREVER if start is None else midnight(start),
            FOREVER if end is None else midnight(end),
        )
