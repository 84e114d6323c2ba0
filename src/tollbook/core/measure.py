"""What requests and sessions differ in, so that they can be put in order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from tollbook.core.tally import Tally
from tollbook.core.units import TOKEN_UNITS

Measure = Literal["cost", "tokens", "latency"]
"""List cost in picodollars, tokens of every kind, milliseconds until the answer."""

_TOKENS = tuple(unit.value for unit in TOKEN_UNITS)


def measured(tallies: Iterable[tuple[bool, Tally]], measure: Measure) -> int | None:
    """What some tallies come to, each with whether it is priced.

    Returns:
        ``None`` where that is not known: no latency was told; no response told its
        usage, which a failed request never does; or nothing of it has a price.
    """
    used = Tally()
    priced = False
    for has_price, tally in tallies:
        used = used.plus(tally)
        known = tally.responses > tally.missing_responses or tally.list_cost != 0
        priced = priced or (has_price and known)
    if measure == "latency":
        return used.latency_ms if used.timed_requests else None
    if used.responses == used.missing_responses:
        return None
    if measure == "cost":
        return used.list_cost if priced else None
    tokens: int = sum(getattr(used, unit) for unit in _TOKENS)
    return tokens
