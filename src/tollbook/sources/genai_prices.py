"""Other providers' prices, as the installed ``genai-prices`` package knows them.

The package is read, never updated over the network. It takes half a second to load, so
this module is imported only when a model turns up that cannot be Claude's.

Its ``input_tokens`` is everything that went in, cached tokens too, each class charged
at its own price where it has one and at its parent's where it has none. We hold the
classes apart, so each of ours takes the very price the package would charge it at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from importlib.metadata import version

from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import (
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

from tollbook.core.catalogue import (
    Condition,
    Fee,
    Period,
    Rate,
    RateCard,
    Tier,
    midnight,
    steady,
)
from tollbook.core.errors import InexactAmountError
from tollbook.core.money import TOKENS_PER_MTOK, Money, parse_usd
from tollbook.core.observation import Instant
from tollbook.core.units import Unit

_USES = 1000
_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEYS: Mapping[str, tuple[str, ...]] = {
    Unit.UNCACHED_INPUT.value: ("input_mtok",),
    Unit.CACHE_READ.value: ("cache_read_mtok", "input_mtok"),
    Unit.CACHE_WRITE_5M.value: (
        "cache_write_5m_mtok",
        "cache_write_mtok",
        "input_mtok",
    ),
    Unit.CACHE_WRITE_1H.value: (
        "cache_write_1h_mtok",
        "cache_write_mtok",
        "input_mtok",
    ),
    Unit.OUTPUT.value: ("output_mtok",),
}
"""The package's prices for each of our units, the most exact one first."""
_FEES = {Unit.WEB_SEARCH: "web_searches_kcount"}
_PROCESSING = "processing"  # the package's word for what we call the service tier
_MARKS = {_PROCESSING: "service_tier", "service_tier": "service_tier", "speed": "speed"}
_Constraint = StartDateConstraint | TimeOfDateConstraint | None


class GenaiPrices:
    """A ``PriceBook`` of every provider the package knows."""

    def __init__(self) -> None:
        self._version = f"genai-prices {version('genai-prices')}"
        self._snapshot = get_snapshot()
        self._found: dict[str, tuple[Provider, ModelInfo]] = {}

    @property
    def version(self) -> str:
        """The package and its version, which is also that of its data."""
        return self._version

    def resolve(self, raw: str) -> str | None:
        """``provider/model``, or ``None`` when the package does not know the model.

        An id may carry its provider in front (``openai/gpt-5``).
        """
        for provider, model in ((None, raw), _split(raw)):
            if model:
                try:
                    found = self._snapshot.find_provider_model(
                        model, None, provider, None
                    )
                except LookupError:
                    continue
                name = f"{found[0].id}/{found[1].id}"
                self._found[name] = found
                return name
        return None

    def card(self, model: str, at: Instant) -> RateCard | None:
        """The prices of a model, named as ``resolve`` did, at an instant.

        What only some requests pay besides tokens and searches (a fee for each request,
        audio, images) is not in it.
        """
        if model not in self._found:
            return None
        provider, info = self._found[model]
        when = _EPOCH + timedelta(milliseconds=at)
        valid = steady(at, _cuts(info, when))
        base = info.get_prices(when)
        return RateCard(
            model=model,
            family=provider.id,
            valid=valid,
            standard=self._rate(base, model, valid),
            variants={
                mark: self._rate(info.get_prices(when, context), model, valid)
                for mark, context in _contexts(info, when)
            },
            fees=tuple(self._fees(base, valid, model)),
        )

    def _evidence(self, model: str) -> tuple[str, ...]:
        return (f"{self._version}, {model}",)

    def _rate(self, prices: ModelPrice, model: str, valid: Period) -> Rate:
        found = {unit: _nearest(prices, keys) for unit, keys in _KEYS.items()}
        floors = sorted(
            {
                tier.start
                for price in found.values()
                if isinstance(price, TieredPrices)
                for tier in price.tiers
            }
        )
        return Rate(
            valid=valid,
            prices=_at(found, 0),
            evidence=self._evidence(model),
            tiers=tuple(
                Tier(prompt_tokens_over=floor, prices=_at(found, floor + 1))
                for floor in floors
            ),
        )

    def _fees(self, prices: ModelPrice, valid: Period, model: str) -> Iterable[Fee]:
        for unit, key in _FEES.items():
            price = _nearest(prices, (key,))
            pico = _pico(price, _USES) if isinstance(price, Decimal) else None
            if pico is not None:
                evidence = self._evidence(model)
                yield Fee(unit=unit.value, price=pico, valid=valid, evidence=evidence)


def _split(raw: str) -> tuple[str | None, str]:
    provider, _, model = raw.partition("/")
    return (provider, model) if model else (None, "")


def _nearest(prices: ModelPrice, keys: Iterable[str]) -> Decimal | TieredPrices | None:
    known = (getattr(prices, key) for key in keys)
    return next((price for price in known if price is not None), None)


def _at(
    found: Mapping[str, Decimal | TieredPrices | None], prompt: int
) -> dict[str, Money]:
    """The prices of a request with a prompt of so many tokens."""
    prices = {}
    for unit, price in found.items():
        flat = price
        if isinstance(price, TieredPrices):
            reached = [tier.price for tier in price.tiers if prompt > tier.start]
            flat = reached[-1] if reached else price.base
        pico = _pico(flat, TOKENS_PER_MTOK) if isinstance(flat, Decimal) else None
        if pico is not None:
            prices[unit] = pico
    return prices


def _pico(price: Decimal, per_usd: int) -> Money | None:
    """Whole picodollars; a price finer than that is one we do not have."""
    try:
        return parse_usd(str(price), per_usd=per_usd)
    except InexactAmountError:
        return None


def _contexts(
    info: ModelInfo, when: datetime
) -> Iterable[tuple[Condition, dict[str, str]]]:
    """Each condition that has prices of its own now, and the package's words for it."""
    for variant in info.price_variants or ():
        active = variant.constraint is None or variant.constraint.active(when)
        if active and len(variant.when) == 1:
            ((key, value),) = variant.when.items()
            if key in _MARKS:
                yield (_MARKS[key], value), dict(variant.when)


def _cuts(info: ModelInfo, when: datetime) -> Iterable[Instant]:
    constraints: list[_Constraint] = [
        variant.constraint for variant in info.price_variants or ()
    ]
    if not isinstance(info.prices, ModelPrice):
        constraints += [conditional.constraint for conditional in info.prices]
    for constraint in constraints:
        if isinstance(constraint, StartDateConstraint):
            yield midnight(constraint.start_date)
        elif isinstance(constraint, TimeOfDateConstraint):
            for clock in (constraint.start_time, constraint.end_time):
                yield from _daily(clock, when)


def _daily(clock: time, when: datetime) -> Iterable[Instant]:
    """That time of day in UTC, on the days around an instant."""
    zone = clock.tzinfo or UTC
    for days in (-1, 0, 1, 2):
        moment = datetime.combine(when.date() + days * _DAY, clock, zone)
        yield (moment - _EPOCH) // timedelta(milliseconds=1)
