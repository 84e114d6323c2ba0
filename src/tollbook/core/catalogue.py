"""Dated list prices: which were in force at an instant, and who said so.

A price is never changed, only ended on the day the next begins. A catalogue that
contradicts itself (two prices at one instant, a hole nobody explained, a multiplier
that would leave fractions of a picodollar) is refused as a whole, before it prices
anything.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import pairwise, product
from typing import Protocol

import msgspec

from tollbook.core.errors import (
    CatalogueDataError,
    CatalogueGapError,
    OverlappingRatesError,
)
from tollbook.core.model_id import dateless, parse_model_id
from tollbook.core.money import Money
from tollbook.core.observation import Instant

FOREVER: Instant = 253_402_300_800_000  # 10000-01-01: after everything
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_DAY_MS = 86_400_000

Prices = Mapping[str, Money]
"""Picodollars for ONE unit (one token, one search), by unit."""

Condition = tuple[str, str]
"""A mark of a response and its value: ``("service_tier", "batch")``. The marks are the
fields of ``Conditions``, and ``endpoint``."""

FAST: Condition = ("speed", "fast")
BATCH: Condition = ("service_tier", "batch")


EARLY_MS = 7 * 86_400_000
"""How long before its first price a model may have been served at that price."""


class Period(msgspec.Struct, frozen=True, order=True):
    """Half-open: ``start <= t < end``."""

    start: Instant = -FOREVER
    end: Instant = FOREVER

    def __post_init__(self) -> None:
        assert self.start < self.end, "a period ends after it starts"

    def __contains__(self, at: Instant) -> bool:
        return self.start <= at < self.end

    def __str__(self) -> str:
        start = "the beginning" if self.start == -FOREVER else day(self.start)
        return f"{start} to {'date' if self.end == FOREVER else day(self.end)}"


ALWAYS = Period()


def midnight(when: date) -> Instant:
    """The first instant of a day in UTC."""
    return (when.toordinal() - _EPOCH_DAY) * _DAY_MS


def day(at: Instant) -> str:
    """The UTC day of an instant, for a message."""
    return date.fromordinal(_EPOCH_DAY + at // _DAY_MS).isoformat()


def steady(at: Instant, cuts: Iterable[Instant]) -> Period:
    """The longest period around an instant with no cut inside it."""
    ordered = sorted({-FOREVER, FOREVER, *cuts})
    after = bisect_right(ordered, at)
    return Period(ordered[after - 1], ordered[after])


class Tier(msgspec.Struct, frozen=True, kw_only=True):
    """The prices of a whole request, output too, with a long prompt."""

    prompt_tokens_over: int  # strictly: at exactly this many the tier below applies
    prices: Prices


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """What a model's tokens cost while ``valid``, and who said so."""

    valid: Period
    prices: Prices
    evidence: tuple[str, ...]
    confidence: str = "high"  # "high", "medium", "low"
    tiers: tuple[Tier, ...] = ()  # ascending
    note: str = ""
    gap: str = ""  # why there was no price just before this one


class Fee(msgspec.Struct, frozen=True, kw_only=True):
    """What one use costs, with every model; no multiplier touches it."""

    unit: str
    price: Money
    valid: Period
    evidence: tuple[str, ...]
    confidence: str = "high"
    note: str = ""


class Multiplier(msgspec.Struct, frozen=True, kw_only=True):
    """A factor on every token price of a response that was made under ``when``."""

    name: str  # "inference_geo us"
    when: Condition
    numerator: int
    denominator: int
    valid: Period
    evidence: tuple[str, ...]
    factor: str  # the factor as it was published: "1.1"
    confidence: str = "high"
    note: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.factor}"


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A model: its names, its dates and all its prices, oldest first."""

    name: str
    display_name: str
    family: str
    released: date
    context_window: int
    rates: tuple[Rate, ...]
    fast: tuple[Rate, ...] = ()
    aliases: tuple[str, ...] = ()
    deprecated: date | None = None
    retires: date | None = None
    max_output_tokens: int | None = None
    multipliers: tuple[str, ...] = ()
    note: str = ""

    def status(self, today: date) -> str:
        """``active``, ``deprecated`` or ``retired`` on a day."""
        if self.retires is not None and self.retires <= today:
            return "retired"
        deprecated = self.deprecated is not None and self.deprecated <= today
        return "deprecated" if deprecated else "active"


class RateCard(msgspec.Struct, frozen=True, kw_only=True):
    """All that decides a model's prices throughout ``valid``.

    ``variants`` are prices that stand instead of the standard ones under a condition
    (fast mode); ``multipliers`` stack on whichever of them applies.
    """

    model: str
    family: str
    valid: Period
    standard: Rate
    variants: Mapping[Condition, Rate] = {}
    multipliers: tuple[Multiplier, ...] = ()
    fees: tuple[Fee, ...] = ()


class PriceBook(Protocol):
    """Anything that knows prices: the Claude catalogue, another provider's list."""

    @property
    def version(self) -> str:
        """What to quote beside a figure, and to compare before trusting a cache."""
        ...

    def resolve(self, raw: str) -> str | None:
        """The book's own name of a model, from an id in any spelling."""
        ...

    def card(self, model: str, at: Instant) -> RateCard | None:
        """The prices of a model, named as ``resolve`` does, at an instant."""
        ...


class PriceCatalogue:
    """Every list price we know of Claude, fixed at construction.

    Raises:
        OverlappingRatesError: A model has two prices at one instant.
        CatalogueGapError: A model's prices stop and start again, unexplained.
        CatalogueDataError: A name is taken twice or missing, or a multiplier does not
            leave whole picodollars.
    """

    def __init__(
        self,
        models: Iterable[Model],
        *,
        multipliers: Iterable[Multiplier] = (),
        fees: Iterable[Fee] = (),
        version: str,
    ) -> None:
        self._version = version
        self._multipliers = {each.name: each for each in multipliers}
        self._fees = tuple(sorted(fees, key=lambda fee: (fee.unit, fee.valid)))
        self._models: dict[str, Model] = {}
        self._names: dict[str, str] = {}
        for model in models:
            self._add(model)
        for unit in dict.fromkeys(fee.unit for fee in self._fees):
            periods = [(fee.valid, "") for fee in self._fees if fee.unit == unit]
            self._refuse_overlaps(unit, periods)

    def _add(self, model: Model) -> None:
        for name in (model.name, *model.aliases):
            if name in self._names:
                msg = f"the name stands for {self._names[name]} already; use it once"
                raise CatalogueDataError(self._where(name, msg))
            self._names[name] = model.name
        self._models[model.name] = model
        self._refuse_holes(model.name, model.rates)
        self._refuse_holes(f"{model.name} fast", model.fast)
        self._refuse_fractions(model)

    def _where(self, subject: str, message: str) -> str:
        return f"price catalogue {self._version}: {subject}: {message}"

    def _refuse_holes(self, subject: str, rates: Sequence[Rate]) -> None:
        self._refuse_overlaps(subject, [(rate.valid, rate.gap) for rate in rates])
        for rate in rates:
            floors = [tier.prompt_tokens_over for tier in rate.tiers]
            units = {frozenset(tier.prices) for tier in rate.tiers}
            if floors != sorted(set(floors)) or units - {frozenset(rate.prices)}:
                msg = (
                    f"the prompt tiers from {day(rate.valid.start)} do not rise, or "
                    "price other units than the base; list each threshold once, in "
                    "order, with every unit"
                )
                raise CatalogueDataError(self._where(subject, msg))

    def _refuse_overlaps(
        self, subject: str, periods: Sequence[tuple[Period, str]]
    ) -> None:
        for (one, _), (other, gap) in pairwise(periods):
            if other.start < one.end:
                msg = (
                    f"two prices from {day(max(one.start, other.start))}; "
                    "end the older one on the day the newer begins"
                )
                raise OverlappingRatesError(self._where(subject, msg))
            if other.start > one.end and not gap:
                msg = (
                    f"no price from {day(one.end)} to {day(other.start)}; "
                    'close the hole, or say why with gap = "..." on the newer price'
                )
                raise CatalogueGapError(self._where(subject, msg))

    def _refuse_fractions(self, model: Model) -> None:
        missing = [name for name in model.multipliers if name not in self._multipliers]
        if missing:
            msg = f"no multiplier is called {missing[0]!r}; add it or correct the name"
            raise CatalogueDataError(self._where(model.name, msg))
        stacks = _stacks([self._multipliers[name] for name in model.multipliers])
        for rate in (*model.rates, *model.fast):
            for prices in (rate.prices, *(tier.prices for tier in rate.tiers)):
                for unit, price in prices.items():
                    if any(price * up % down for up, down in stacks):
                        msg = (
                            f"{unit} from {day(rate.valid.start)} is no whole number "
                            "of picodollars after every multiplier; correct the price "
                            "or the factor, we never round on the way in"
                        )
                        raise CatalogueDataError(self._where(model.name, msg))

    @property
    def version(self) -> str:
        """The day the prices were last read again, and a digest of all of them."""
        return self._version

    def resolve(self, raw: str) -> str | None:
        """The catalogue's name of a model, or ``None`` when it does not know it.

        Names are compared whole, never by their beginnings. An unknown snapshot of a
        known dateless name is that model.
        """
        name = parse_model_id(raw).name
        known = self._names.get(name)
        if known is None and (short := dateless(name)) is not None:
            return self._names.get(short)
        return known

    def card(self, model: str, at: Instant) -> RateCard | None:
        """Give all that decides the prices of a model, named as ``resolve`` does.

        Announcements have a day but no hour, and some are served to a few before it. So
        an answer from the last days before a model's first price has that price.
        """
        known = self._models.get(model)
        if known is None or not known.rates:
            return None
        first = known.rates[0].valid.start
        early = Period(first - EARLY_MS, first)
        if at in early:
            card = self.card(model, first)
            return card and msgspec.structs.replace(card, valid=early)
        standard = _in_force(known.rates, at)
        if standard is None:
            return None
        fast = _in_force(known.fast, at)
        multipliers = [self._multipliers[name] for name in known.multipliers]
        periods = [
            *(rate.valid for rate in (*known.rates, *known.fast)),
            *(each.valid for each in multipliers),
            *(fee.valid for fee in self._fees),
        ]
        cuts = [cut for period in periods for cut in (period.start, period.end)]
        return RateCard(
            model=model,
            family=known.family,
            valid=steady(at, cuts),
            standard=standard,
            variants={FAST: fast} if fast else {},
            multipliers=tuple(each for each in multipliers if at in each.valid),
            fees=tuple(fee for fee in self._fees if at in fee.valid),
        )

    def model(self, name: str) -> Model | None:
        """All that is known of a model, named as ``resolve`` does."""
        return self._models.get(name)

    def models(self) -> tuple[Model, ...]:
        """Every model, by family and then by release."""
        key = sorted(
            self._models.values(), key=lambda m: (m.family, m.released, m.name)
        )
        return tuple(key)

    def multipliers(self) -> tuple[Multiplier, ...]:
        """Every multiplier."""
        return tuple(self._multipliers.values())

    def fees(self) -> tuple[Fee, ...]:
        """Every fee per use, by unit and then by start."""
        return self._fees


def _in_force(rates: Sequence[Rate], at: Instant) -> Rate | None:
    return next((rate for rate in rates if at in rate.valid), None)


def _stacks(multipliers: Sequence[Multiplier]) -> list[tuple[int, int]]:
    """Every product of factors that can meet: at most one for each mark."""
    marks: dict[str, list[tuple[int, int]]] = {}
    for each in multipliers:
        factors = marks.setdefault(each.when[0], [(1, 1)])
        factors.append((each.numerator, each.denominator))
    stacks = []
    for chosen in product(*marks.values()):
        up = down = 1
        for numerator, denominator in chosen:
            up, down = up * numerator, down * denominator
        stacks.append((up, down))
    return stacks
