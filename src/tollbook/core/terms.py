"""Your own terms: a discount off the list, rates you agreed, names only you know.

Terms decide the *net* cost. The list cost stays the catalogue's, except where the
catalogue has no price at all: there a rate of yours is both.

A discount may leave fractions of a picodollar (a third decimal off a price with six).
So a net price is kept as an exact fraction, and the net amount of each unit of each
part is rounded once, half to even, to a whole picodollar. That depends on nothing but
the part itself: net costs add up the same in any order, and again after any rebuild.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import NoReturn
from zlib import crc32

import msgspec

from tollbook.core.catalogue import (
    ALWAYS,
    FOREVER,
    Period,
    day,
    midnight,
    steady,
)
from tollbook.core.errors import ConfigError, InexactAmountError, OverlappingRatesError
from tollbook.core.money import TOKENS_PER_MTOK, Money, parse_usd
from tollbook.core.observation import Instant
from tollbook.core.units import TOKEN_UNITS

EVERY_MODEL = "*"
Fraction = tuple[int, int]
"""Numerator and denominator."""


class PriceTerm(msgspec.Struct, frozen=True, kw_only=True):
    """One of your terms, in force while ``valid``: a discount, or rates.

    ``rates`` are dollars per million tokens at standard speed, whatever the length of
    the prompt; the list's multipliers (batch, ``inference_geo``, endpoint) apply to
    them too. A ``discount`` is a share (``"0.15"``) off all that the list prices, fees
    included.

    Raises:
        ConfigError: Neither or both are given, or one of them is no such figure.
    """

    model: str  # a model's name, a family, or "*"; the most exact one decides alone
    valid: Period = ALWAYS
    discount: str | None = None
    rates: dict[str, str] = {}

    def __post_init__(self) -> None:
        if bool(self.rates) == (self.discount is not None):
            self._refuse("needs either `discount` or `rates`; give one of them")
        self.kept()
        for unit, text in self.rates.items():
            if unit not in TOKEN_UNITS:
                units = ", ".join(TOKEN_UNITS)
                self._refuse(f"no rate can be set for {unit!r}; use {units}")
            if self.rate(unit) < 0:
                self._refuse(f"{unit} {text!r} is below zero; correct the rate")

    def _refuse(self, message: str) -> NoReturn:
        text = f"prices.terms {self.model!r}: {message}"
        raise ConfigError(text)

    def kept(self) -> Fraction:
        """The share of the list price that is left to pay."""
        try:
            share = Decimal(self.discount or 0)
            up, down = share.as_integer_ratio()
        except (InvalidOperation, ValueError, OverflowError):
            up, down = -1, 1
        if not 0 <= up <= down:
            text = f"discount {self.discount!r} is no share between 0 and 1"
            self._refuse(f'{text}; write 15 % as "0.15"')
        return down - up, down

    def rate(self, unit: str) -> Money:
        """Your picodollars for one token."""
        text = self.rates[unit]
        try:
            return parse_usd(text, per_usd=TOKENS_PER_MTOK)
        except InexactAmountError as error:
            self._refuse(f"{unit}: {error}")

    def __str__(self) -> str:
        return f"your discount {self.discount}" if self.discount else "your rate"


def price_term(
    model: str,
    *,
    start: date | None = None,
    end: date | None = None,
    discount: str | None = None,
    rates: Mapping[str, str] | None = None,
) -> PriceTerm:
    """One entry of ``[[prices.terms]]``: from ``start`` until before ``end``, in UTC.

    Raises:
        ConfigError: It is no usable term.
    """
    if start is not None and end is not None and end <= start:
        msg = f"prices.terms {model!r}: ends on {end}, not after its start {start}"
        raise ConfigError(msg)
    valid = Period(
        -FOREVER if start is None else midnight(start),
        FOREVER if end is None else midnight(end),
    )
    return PriceTerm(
        model=model, valid=valid, discount=discount, rates=dict(rates or {})
    )


class PriceTerms:
    """All your terms, and your names for models.

    Args:
        terms: In any order.
        aliases: Ids only you know, such as an application inference profile, each with
            the id of the model behind it.

    Raises:
        OverlappingRatesError: Two terms for the same model share an instant.
    """

    def __init__(
        self,
        terms: Iterable[PriceTerm] = (),
        *,
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        self.aliases = dict(sorted((aliases or {}).items()))
        self.terms = tuple(sorted(terms, key=lambda term: (term.model, term.valid)))
        for one, other in pairwise(self.terms):
            if one.model == other.model and other.valid.start < one.valid.end:
                begins = other.valid.start
                since = "the beginning" if begins == -FOREVER else day(begins)
                msg = (
                    f"prices.terms {one.model!r}: two terms from {since}; "
                    "end the older one on the day the newer begins"
                )
                raise OverlappingRatesError(msg)

    def named(self, resolve: Callable[[str], str | None]) -> PriceTerms:
        """The same terms under the names that a book uses.

        Raises:
            OverlappingRatesError: Two spellings were one model all along.
        """
        terms = [
            msgspec.structs.replace(term, model=resolve(term.model) or term.model)
            for term in self.terms
        ]
        return PriceTerms(terms, aliases=self.aliases)

    def find(
        self, names: Iterable[str], at: Instant
    ) -> tuple[PriceTerm | None, Period]:
        """Find the term in force for the first name that has one.

        Beside it: how long this stays the answer.
        """
        wanted = list(dict.fromkeys(names))
        mine = [term for term in self.terms if term.model in wanted]
        period = steady(at, [c for t in mine for c in (t.valid.start, t.valid.end)])
        live = {term.model: term for term in mine if at in term.valid}
        return next((live[name] for name in wanted if name in live), None), period

    @property
    def digest(self) -> str:
        """Differs when the terms do; empty when there are none."""
        if not self.terms and not self.aliases:
            return ""
        text = msgspec.json.encode((self.terms, self.aliases), order="sorted")
        return f"{len(text):x}-{crc32(text):08x}"


NO_TERMS = PriceTerms()
