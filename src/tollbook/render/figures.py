"""Amounts and counts as people read them; the exact ones stand in JSON and CSV."""

from __future__ import annotations

from tollbook.core.calendar import HOUR_MS
from tollbook.core.money import PICO_PER_USD, Money, usd

_CENT = PICO_PER_USD // 100
_LEAST = PICO_PER_USD // 10_000
_SHORT_FROM = 10_000
_TENTHS_MAX = 1_000  # from a hundred on, tenths say nothing
_SUFFIXES = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k"))
_MINUTE_MS = 60_000


def money(amount: Money, symbol: str = "$") -> str:
    """Two decimals, four below a cent: ``$1,234.50``, ``$0.0042``."""
    sign, size = ("-" if amount < 0 else ""), abs(amount)
    if 0 < size < _LEAST:
        return f"{sign}<{symbol}0.0001"
    places = 4 if 0 < size < _CENT else 2
    return f"{sign}{symbol}{usd(size, places):,}"


def count(number: int) -> str:
    """With a separator at each thousand."""
    return f"{number:,}"


def short(number: int) -> str:
    """Three or four digits and a letter: ``9,876``, ``12.3k``, ``1.2M``, ``3.4B``."""
    if abs(number) < _SHORT_FROM:
        return f"{number:,}"
    size, suffix = next(x for x in _SUFFIXES if abs(number) * 2000 >= 1999 * x[0])
    tenths = (10 * abs(number) + size // 2) // size
    text = f"{tenths // 10:,}" + (f".{tenths % 10}" if tenths < _TENTHS_MAX else "")
    return ("-" if number < 0 else "") + text + suffix


def duration(milliseconds: int) -> str:
    """Hours and minutes: ``3h 05m``, ``12m``."""
    hours, rest = divmod(max(0, milliseconds), HOUR_MS)
    minutes = rest // _MINUTE_MS
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m"


def plural(number: int, noun: str, many: str | None = None) -> str:
    """``1 response``, ``2 responses``; ``many`` where an s is not enough."""
    return f"{number:,} {noun if number == 1 else many or f'{noun}s'}"
