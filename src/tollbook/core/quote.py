"""The final prices of a model under some conditions, worked out beforehand.

Three things come together here: the prices in force, what a response says of how it was
made, and your terms. Their order is fixed: a variant stands instead of the standard
prices (fast), the length of the prompt chooses the tier, multipliers stack on it, and
your terms decide what is left to pay.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd, lcm, prod

import msgspec

from tollbook.core.catalogue import (
    BATCH,
    FAST,
    Condition,
    Fee,
    Multiplier,
    Period,
    Prices,
    Rate,
    RateCard,
)
from tollbook.core.model_id import ModelId
from tollbook.core.money import Money
from tollbook.core.observation import Conditions, Instant
from tollbook.core.terms import Fraction, PriceTerm
from tollbook.core.units import PROMPT_UNITS, TOKEN_UNITS

_UNCACHED, _READ, _SHORT, _LONG = (unit.value for unit in PROMPT_UNITS)
_USUAL = {"service_tier": ("standard", "default"), "speed": ("standard",)}
"""What stands for no condition at all."""


class UnitPrice(msgspec.Struct, frozen=True, kw_only=True):
    """The final price of one unit, and how it came about."""

    base: Money | None
    steps: tuple[str, ...]
    price: Money
    net: Fraction
    terms: str
    evidence: tuple[str, ...]
    confidence: str


class Column(msgspec.Struct, frozen=True):
    """The final price of each unit, for prompts up to some length.

    ``net`` are numerators over ``scale``, or ``None`` where net and list are the same.
    """

    prices: dict[str, Money]
    net: dict[str, int] | None
    scale: int
    units: dict[str, UnitPrice]
    tokens: tuple[Money, ...] | None = (
        None  # of ``TOKEN_UNITS``, if that is all it takes
    )


class Quote(msgspec.Struct, frozen=True):
    """A model's prices under some conditions, while nothing about them changes."""

    start: Instant
    end: Instant
    column: Column
    longer: tuple[tuple[int, Column], ...]  # prompt tokens over, descending
    why: str  # why a token unit is missing from the columns


def marks_of(conditions: Conditions, parsed: ModelId) -> dict[str, str]:
    """What is out of the ordinary about a response, of all that could change prices."""
    platform = (conditions.platform or "").partition(":")[2]
    stated = {
        "speed": "fast" if parsed.fast else conditions.speed,
        "service_tier": conditions.service_tier,
        "inference_geo": conditions.inference_geo,
        "endpoint": parsed.endpoint or platform,
    }
    return {
        mark: value
        for mark, value in stated.items()
        if value and value not in _USUAL.get(mark, ())
    }


def unlisted(
    marks: dict[str, str], term: PriceTerm | None, valid: Period, *, known: bool
) -> Quote:
    """Where there is no list price: a rate of yours is list and net at once."""
    units: dict[str, UnitPrice] = {}
    if term is not None and "speed" not in marks:
        for unit in term.rates:
            price = term.rate(unit)
            units[str(unit)] = UnitPrice(
                base=price,
                steps=(),
                price=price,
                net=(price, 1),
                terms=str(term),
                evidence=("yours",),
                confidence="yours",
            )
    why = "the model had no price at that time" if known else "unknown model"
    return Quote(valid.start, valid.end, _column_of(units), (), why)


def listed(
    card: RateCard, marks: dict[str, str], term: PriceTerm | None, valid: Period
) -> Quote:
    """Where there is one: every price a prompt of any length may need."""
    variants = [mark for mark in marks.items() if mark in card.variants]
    multipliers = [
        each for each in card.multipliers if marks.get(each.when[0]) == each.when[1]
    ]
    covered = {*variants, *(each.when for each in multipliers)}
    why = _no_price(marks, variants, covered)
    rate = card.variants[variants[0]] if variants else card.standard
    pricing = _Pricing(
        base=card.standard.prices,
        rate=rate,
        steps=tuple(_step(mark) for mark in variants),
        multipliers=tuple(multipliers),
        label=_label(marks, covered),
        term=term,
        fees=card.fees,
        usual=not variants,
    )
    if why:
        return Quote(valid.start, valid.end, pricing.column({}), (), why)
    longer = tuple(
        (
            tier.prompt_tokens_over,
            pricing.column(
                tier.prices, f"prompt over {tier.prompt_tokens_over:,} tokens"
            ),
        )
        for tier in reversed(rate.tiers)
    )
    return Quote(valid.start, valid.end, pricing.column(rate.prices), longer, "")


def _no_price(
    marks: dict[str, str], variants: list[Condition], covered: set[Condition]
) -> str:
    """Why no list price is meant for a response like this; empty when one is."""
    if len(variants) > 1:
        return f"no price for {' and '.join(map(_step, variants))} together"
    speed = ("speed", marks.get("speed", ""))
    for mark in (speed, BATCH):
        if mark in marks.items() and mark not in covered:
            return f"the model had no {mark[1]} price at that time"
    return ""


def _label(marks: dict[str, str], covered: set[Condition]) -> tuple[str, ...]:
    tier = ("service_tier", marks.get("service_tier", ""))
    if not tier[1] or tier in covered:
        return ()
    return (f"service_tier {tier[1]} at list price",)


def _step(mark: Condition) -> str:
    return mark[1] if mark in (FAST, BATCH) else " ".join(mark)


class _Pricing(msgspec.Struct, frozen=True, kw_only=True):
    """How the prices of a rate become final ones under some conditions."""

    base: Prices
    rate: Rate
    steps: tuple[str, ...]
    multipliers: tuple[Multiplier, ...]
    label: tuple[str, ...]
    term: PriceTerm | None
    fees: tuple[Fee, ...]
    usual: bool

    def column(self, prices: Prices, step: str = "") -> Column:
        steps = (
            *self.steps,
            *((step,) if step else ()),
            *(str(each) for each in self.multipliers),
            *self.label,
        )
        units = {unit: self._unit(unit, price, steps) for unit, price in prices.items()}
        for fee in self.fees:
            net, terms = self._net(fee.unit, fee.price, (1, 1))
            units[fee.unit] = UnitPrice(
                base=fee.price,
                steps=(),
                price=fee.price,
                net=net,
                terms=terms,
                evidence=fee.evidence,
                confidence=fee.confidence,
            )
        return _column_of(units)

    def _unit(self, unit: str, price: Money, steps: tuple[str, ...]) -> UnitPrice:
        up = prod(each.numerator for each in self.multipliers)
        down = prod(each.denominator for each in self.multipliers)
        final, rest = divmod(price * up, down)
        assert rest == 0, "the catalogue refuses multipliers that leave fractions"
        net, terms = self._net(unit, final, (up, down))
        return UnitPrice(
            base=self.base.get(unit),
            steps=steps,
            price=final,
            net=net,
            terms=terms,
            evidence=self.rate.evidence,
            confidence=self.rate.confidence,
        )

    def _net(self, unit: str, final: Money, factor: Fraction) -> tuple[Fraction, str]:
        term = self.term
        if term is None:
            return (final, 1), ""
        if term.discount is not None:
            up, down = term.kept()
            return (final * up, down), str(term)
        if self.usual and unit in term.rates:
            return (term.rate(unit) * factor[0], factor[1]), str(term)
        return (final, 1), ""


def _column_of(units: dict[str, UnitPrice]) -> Column:
    prices = {unit: each.price for unit, each in units.items()}
    if not any(each.terms for each in units.values()):
        complete = all(unit in prices for unit in TOKEN_UNITS)
        tokens = tuple(prices[unit] for unit in TOKEN_UNITS) if complete else None
        return Column(prices, None, 1, units, tokens)
    nets = {unit: each.net for unit, each in units.items()}
    scale = lcm(*(down // gcd(up, down) for up, down in nets.values()))
    net = {unit: up * scale // down for unit, (up, down) in nets.items()}
    return Column(prices, net, scale, units)


def column_for(quote: Quote, usage: Mapping[str, int]) -> Column:
    """The prices for a prompt as long as this one."""
    known = usage.get
    prompt = known(_UNCACHED, 0) + known(_READ, 0) + known(_SHORT, 0) + known(_LONG, 0)
    for over, column in quote.longer:
        if prompt > over:
            return column
    return quote.column
