"""All that is known of one model's prices, as one page."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from tollbook.core.catalogue import (
    FOREVER,
    Fee,
    Model,
    Period,
    PriceCatalogue,
    Prices,
    Rate,
    RateCard,
    day,
)
from tollbook.core.money import TOKENS_PER_MTOK, usd_exact
from tollbook.core.observation import Instant
from tollbook.core.units import TOKEN_UNITS, Unit
from tollbook.render.columns import columns
from tollbook.render.safe import safe

_USES = 1000
HEADS = {
    Unit.UNCACHED_INPUT: "input",
    Unit.OUTPUT: "output",
    Unit.CACHE_WRITE_5M: "write 5m",
    Unit.CACHE_WRITE_1H: "write 1h",
    Unit.CACHE_READ: "read",
}
assert HEADS.keys() == set(TOKEN_UNITS)


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """One price and how long it held."""

    start: str | None  # None: for ever
    end: str | None
    kind: str  # "standard", "fast"
    prompt_tokens_over: int
    usd_per_mtok: dict[str, str]
    confidence: str
    evidence: tuple[str, ...]
    note: str = ""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about a model's prices."""

    version: int = 1
    catalogue: str
    model: str
    family: str
    aliases: tuple[str, ...] = ()
    released: str | None = None
    deprecated: str | None = None
    retires: str | None = None
    windows: tuple[Window, ...]
    multipliers: tuple[str, ...] = ()
    fees_usd_per_1000: dict[str, str] = {}
    note: str = ""


def per_mtok(prices: Prices) -> dict[str, str]:
    """Dollars per million tokens by unit, exactly."""
    return {str(u): usd_exact(price * TOKENS_PER_MTOK) for u, price in prices.items()}


def model_page(model: Model, catalogue: PriceCatalogue, at: Instant | None) -> Page:
    """A Claude model's prices: all of them, or those of an instant."""
    kinds = (("standard", model.rates), ("fast", model.fast))
    known = {each.name: each for each in catalogue.multipliers()}
    factors = [known[name] for name in model.multipliers]
    return Page(
        catalogue=catalogue.version,
        model=model.name,
        family=model.family,
        aliases=model.aliases,
        released=str(model.released),
        deprecated=str(model.deprecated) if model.deprecated else None,
        retires=str(model.retires) if model.retires else None,
        windows=tuple(
            window
            for kind, rates in kinds
            for rate in rates
            if at is None or at in rate.valid
            for window in _windows(rate, kind)
        ),
        multipliers=tuple(
            f"{each}, {each.valid}"
            for each in factors
            if at is None or at in each.valid
        ),
        fees_usd_per_1000=_fees(catalogue.fees(), at),
        note=model.note,
    )


def card_page(card: RateCard, catalogue: str) -> Page:
    """What another price book says of a model at an instant."""
    windows = list(_windows(card.standard, "standard"))
    for (_, value), rate in card.variants.items():
        windows += _windows(rate, value)
    return Page(
        catalogue=catalogue,
        model=card.model,
        family=card.family,
        windows=tuple(windows),
        fees_usd_per_1000=_fees(card.fees, None),
    )


def _windows(rate: Rate, kind: str) -> Iterator[Window]:
    tiers = [(tier.prompt_tokens_over, tier.prices) for tier in rate.tiers]
    for over, prices in ((0, rate.prices), *tiers):
        start, end = _ends(rate.valid)
        yield Window(
            start=start,
            end=end,
            kind=kind,
            prompt_tokens_over=over,
            usd_per_mtok=per_mtok(prices),
            confidence=rate.confidence,
            evidence=rate.evidence,
            note=rate.note,
        )


def _ends(valid: Period) -> tuple[str | None, str | None]:
    start = None if valid.start == -FOREVER else day(valid.start)
    return start, None if valid.end == FOREVER else day(valid.end)


def _fees(fees: tuple[Fee, ...], at: Instant | None) -> dict[str, str]:
    """The latest of each."""
    return {
        str(fee.unit): usd_exact(fee.price * _USES)
        for fee in fees
        if at is None or at in fee.valid
    }


def page_text(page: Page) -> str:
    """The page for people."""
    heads = ("from", "until", "kind", *HEADS.values(), "confidence")
    rows = [
        (
            window.start or "ever",
            window.end or "",
            window.kind + _over(window.prompt_tokens_over),
            *(window.usd_per_mtok.get(unit, "-") for unit in HEADS),
            window.confidence,
        )
        for window in page.windows
    ]
    said = dict.fromkeys(text for window in page.windows for text in window.evidence)
    notes = dict.fromkeys([page.note, *(window.note for window in page.windows)])
    lines = [
        *_head(page),
        "",
        columns(heads, rows, right=tuple(HEADS.values())),
        "USD per million tokens, from the first day until before the last, in UTC",
        *(["", "multipliers"] if page.multipliers else []),
        *(f"  {safe(text)}" for text in page.multipliers),
        *(["", "fees in USD per 1000 uses"] if page.fees_usd_per_1000 else []),
        *(f"  {safe(u)}  {price}" for u, price in page.fees_usd_per_1000.items()),
        "",
        "read in",
        *(f"  {safe(text)}" for text in said),
        *(["", "notes"] if any(notes) else []),
        *(f"  {safe(text)}" for text in notes if text),
    ]
    return "\n".join(lines)


def _head(page: Page) -> Iterator[str]:
    yield f"{safe(page.model)}, {safe(page.family)}, list {safe(page.catalogue)}"
    dates = {
        "released": page.released,
        "deprecated": page.deprecated,
        "retires": page.retires,
    }
    if page.released:
        yield ", ".join(f"{name} {when}" for name, when in dates.items() if when)
    if page.aliases:
        yield "also " + ", ".join(map(safe, page.aliases))


def _over(floor: int) -> str:
    return f", prompt over {floor:,}" if floor else ""
