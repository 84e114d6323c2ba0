"""What a part of a response costs: exactly, and at the price of its own instant.

Everything that can be worked out beforehand is: for a model under some conditions, and
for the stretch of time in which nothing about it changes, a ``Quote`` holds the final
price of each unit. Rating a part is then one product and one sum for each of its units.
``price_lines`` explains the very same figures, from the same quote.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Mapping

import msgspec

from tollbook.core.catalogue import Period, PriceBook
from tollbook.core.model_id import looks_like_claude, parse_model_id
from tollbook.core.money import Money
from tollbook.core.observation import Conditions, Instant, Part
from tollbook.core.quote import Column, Quote, column_for, listed, marks_of, unlisted
from tollbook.core.terms import EVERY_MODEL, NO_TERMS, PriceTerms
from tollbook.core.units import TOKEN_UNITS

NOTHING: dict[str, int] = {}
"""Shared by every part without unpriced units. Never write to it."""

_ORDER = {unit.value: place for place, unit in enumerate(TOKEN_UNITS)}
_QUOTES_MAX = 20_000


class PriceLine(msgspec.Struct, frozen=True, kw_only=True):
    """How one unit of a part came to its cost.

    ``price`` is ``None`` where the unit is unpriced, and ``why`` says why.
    """

    unit: str
    count: int
    base_price: Money | None  # the standard list price of one unit
    steps: tuple[str, ...]  # from there to ``price``: ("fast", "batch 0.5")
    price: Money | None
    amount: Money
    net_amount: Money
    terms: str  # what made ``net_amount``: "", "your discount 0.15", "your rate"
    evidence: tuple[str, ...]
    confidence: str
    why: str = ""


class Rater:
    """Prices parts at list, and at your terms.

    Args:
        catalogue: The prices of Claude.
        terms: Yours.
        fallback: Gives the book to ask for models that cannot be Claude's. It is called
            once, when the first of them turns up, for such a book is slow to load.
    """

    def __init__(
        self,
        catalogue: PriceBook,
        terms: PriceTerms = NO_TERMS,
        fallback: Callable[[], PriceBook] | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._terms = terms.named(catalogue.resolve)
        self._fallback = fallback
        self._other: PriceBook | None = None
        self._latest: dict[str, dict[Conditions, Quote]] = {}
        self._quotes: dict[tuple[str, Conditions], list[Quote]] = {}

    @property
    def version(self) -> str:
        """Changes whenever a Claude model's cost could."""
        digest = self._terms.digest
        version = self._catalogue.version
        return f"{version}/{digest}" if digest else version

    def model(self, raw: str, at: Instant) -> tuple[str, str] | None:
        """The name and family of a model in the book that knows it, by any spelling."""
        book, name = self._find(self._terms.aliases.get(raw, raw))
        if book is None or name is None:
            return None
        card = book.card(name, at)
        return name, card.family if card else name

    def part_cost(
        self, part: Part, conditions: Conditions, at: Instant
    ) -> tuple[Money, Money, dict[str, int]]:
        """List cost, net cost, and the counts that have no price.

        The last is one shared empty dictionary when everything has a price.
        """
        known = self._latest.get(part.model)
        quote = known.get(conditions) if known is not None else None
        if quote is None or not quote.start <= at < quote.end:
            quote = self._quote(part.model, conditions, at)
        usage = part.usage
        column = column_for(quote, usage) if quote.longer else quote.column
        prices = column.prices
        cost = 0
        try:
            for unit, count in usage.items():
                cost += prices[unit] * count
        except KeyError:
            return _partly(column, usage)
        if column.net is None:
            return cost, cost, NOTHING
        return cost, _net(column.net, column.scale, usage), NOTHING

    def token_prices(
        self, model: str, conditions: Conditions, at: Instant
    ) -> tuple[Money, ...] | None:
        """List prices of ``TOKEN_UNITS``, where they alone decide list and net cost.

        ``None`` where the prompt's length, terms of yours or a missing price matter.
        """
        known = self._latest.get(model)
        quote = known.get(conditions) if known is not None else None
        if quote is None or not quote.start <= at < quote.end:
            quote = self._quote(model, conditions, at)
        return None if quote.longer else quote.column.tokens

    def price_lines(
        self, part: Part, conditions: Conditions, at: Instant
    ) -> tuple[PriceLine, ...]:
        """Explain the same, with a line for each unit that was used."""
        quote = self._quote(part.model, conditions, at)
        column = column_for(quote, part.usage)
        used = [(str(unit), count) for unit, count in part.usage.items() if count]
        used.sort(key=lambda item: (_ORDER.get(item[0], len(_ORDER)), item[0]))
        return tuple(_line(quote, column, unit, count) for unit, count in used)

    def _quote(self, raw: str, conditions: Conditions, at: Instant) -> Quote:
        if len(self._quotes) > _QUOTES_MAX:  # ids are foreign text: no end to them
            self._quotes.clear()
            self._latest.clear()
        quotes = self._quotes.setdefault((raw, conditions), [])
        place = bisect_right(quotes, at, key=lambda quote: quote.start)
        if place and at < quotes[place - 1].end:
            quote = quotes[place - 1]
        else:
            quote = self._work_out(raw, conditions, at)
            if quote.end - quote.start > 1:  # one instant is not worth keeping
                insort(quotes, quote, key=lambda quote: quote.start)
        self._latest.setdefault(raw, {})[conditions] = quote
        return quote

    def _work_out(self, raw: str, conditions: Conditions, at: Instant) -> Quote:
        model_id = self._terms.aliases.get(raw, raw)
        parsed = parse_model_id(model_id)
        book, name = self._find(model_id)
        card = book.card(name, at) if book and name else None
        marks = marks_of(conditions, parsed)
        if card is None:
            term, period = self._terms.find((name or parsed.name,), at)
            if name:
                period = Period(at, at + 1)  # a book does not say how long it is silent
            return unlisted(marks, term, period, known=bool(name))
        names = (card.model, card.family, EVERY_MODEL)
        term, period = self._terms.find(names, at)
        start = max(period.start, card.valid.start)
        end = min(period.end, card.valid.end)
        return listed(card, marks, term, Period(start, end))

    def _find(self, raw: str) -> tuple[PriceBook | None, str | None]:
        name = self._catalogue.resolve(raw)
        if name is not None:
            return self._catalogue, name
        if self._fallback is None or looks_like_claude(raw):
            return None, None
        if self._other is None:
            self._other = self._fallback()
        return self._other, self._other.resolve(raw)


def _partly(
    column: Column, usage: Mapping[str, int]
) -> tuple[Money, Money, dict[str, int]]:
    cost = 0
    unpriced: dict[str, int] = {}
    for unit, count in usage.items():
        price = column.prices.get(unit)
        if price is not None:
            cost += price * count
        elif count:
            unpriced[str(unit)] = count
    net = cost if column.net is None else _net(column.net, column.scale, usage)
    return cost, net, unpriced or NOTHING


def _net(prices: Mapping[str, int], scale: int, usage: Mapping[str, int]) -> Money:
    net = 0
    for unit, count in usage.items():
        amount = prices.get(unit, 0) * count
        net += amount if scale == 1 else _half_even(amount, scale)
    return net


def _half_even(amount: int, scale: int) -> Money:
    whole, rest = divmod(amount, scale)
    return whole + (2 * rest > scale or (2 * rest == scale and whole % 2))


def _line(quote: Quote, column: Column, unit: str, count: int) -> PriceLine:
    known = column.units.get(unit)
    if known is None:
        affected = unit in _ORDER or not column.units
        return PriceLine(
            unit=unit,
            count=count,
            base_price=None,
            steps=(),
            price=None,
            amount=0,
            net_amount=0,
            terms="",
            evidence=(),
            confidence="",
            why=(quote.why if affected else "") or "the list has no price for it",
        )
    return PriceLine(
        unit=unit,
        count=count,
        base_price=known.base,
        steps=known.steps,
        price=known.price,
        amount=known.price * count,
        net_amount=_half_even(known.net[0] * count, known.net[1]),
        terms=known.terms,
        evidence=known.evidence,
        confidence=known.confidence,
    )
