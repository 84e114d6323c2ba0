"""Where the catalogue may be wrong: what it doubts itself, and who says otherwise."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from tollbook.core.catalogue import (
    Fee,
    Multiplier,
    Period,
    PriceBook,
    PriceCatalogue,
    Prices,
    Rate,
)
from tollbook.core.money import Money
from tollbook.core.observation import Instant


class Doubt(msgspec.Struct, frozen=True, kw_only=True):
    """Something published in the catalogue that its own evidence does not settle."""

    subject: str  # a model, "a model fast", a fee's unit, a multiplier
    valid: Period
    confidence: str
    evidence: tuple[str, ...]
    note: str


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A unit of a model that another book prices otherwise; ``None``: not at all."""

    model: str
    unit: str
    prompt_tokens_over: int  # 0: the price of a short prompt
    ours: Money | None
    theirs: Money | None
    evidence: tuple[str, ...]  # theirs


def doubts(catalogue: PriceCatalogue) -> tuple[Doubt, ...]:
    """Everything of less than high confidence, in the catalogue's order."""
    return tuple(
        Doubt(
            subject=subject,
            valid=entry.valid,
            confidence=entry.confidence,
            evidence=entry.evidence,
            note=entry.note,
        )
        for subject, entry in _entries(catalogue)
        if entry.confidence != "high"
    )


def _entries(
    catalogue: PriceCatalogue,
) -> Iterator[tuple[str, Rate | Multiplier | Fee]]:
    for model in catalogue.models():
        yield from ((model.name, rate) for rate in model.rates)
        yield from ((f"{model.name} fast", rate) for rate in model.fast)
    yield from ((multiplier.name, multiplier) for multiplier in catalogue.multipliers())
    yield from ((fee.unit, fee) for fee in catalogue.fees())


def compare(
    catalogue: PriceCatalogue, other: PriceBook, at: Instant
) -> tuple[Difference, ...]:
    """Every standard price at an instant that another book has otherwise.

    A model that only one of the two knows is no difference.
    """
    found: list[Difference] = []
    for model in catalogue.models():
        ours = catalogue.card(model.name, at)
        name = other.resolve(model.name)
        theirs = other.card(name, at) if name else None
        if ours is not None and theirs is not None:
            found += _differences(model.name, ours.standard, theirs.standard)
    return tuple(found)


def _differences(model: str, ours: Rate, theirs: Rate) -> Iterator[Difference]:
    floors = {tier.prompt_tokens_over for tier in (*ours.tiers, *theirs.tiers)}
    for floor in sorted({0, *floors}):
        mine, other = _prices(ours, floor), _prices(theirs, floor)
        for unit in sorted({*mine, *other}):
            if mine.get(unit) != other.get(unit):
                yield Difference(
                    model=model,
                    unit=unit,
                    prompt_tokens_over=floor,
                    ours=mine.get(unit),
                    theirs=other.get(unit),
                    evidence=theirs.evidence,
                )


def _prices(rate: Rate, floor: int) -> Prices:
    reached = [tier for tier in rate.tiers if tier.prompt_tokens_over <= floor]
    return reached[-1].prices if floor and reached else rate.prices
