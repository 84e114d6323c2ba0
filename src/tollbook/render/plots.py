"""Figures as marks in a line: bars and sparklines."""

from __future__ import annotations

from collections.abc import Sequence

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_STEPS = "▁▂▃▄▅▆▇█"
_PLAIN_STEPS = "_.:-=+*#"


def bar(value: int, largest: int, width: int, *, plain: bool = False) -> str:
    """A bar as long as its share of the largest; something is never nothing."""
    if value <= 0 or largest <= 0 or width <= 0:
        return ""
    if plain:
        return "#" * max(1, value * width // largest)
    eighths = max(1, value * width * 8 // largest)
    whole, rest = divmod(eighths, 8)
    return _EIGHTHS[8] * whole + (_EIGHTHS[rest] if rest else "")


def sparkline(values: Sequence[int], *, plain: bool = False) -> str:
    """One mark for each value, from nothing (a blank) to the largest."""
    largest = max(values, default=0)
    steps = _PLAIN_STEPS if plain else _STEPS
    return "".join(
        steps[(value * len(steps) - 1) // largest] if value > 0 else " "
        for value in values
    )
