"""The grid of time that sums are kept on: quarter hours and days, both UTC.

Times are milliseconds since 1970, as everywhere; this module imports nothing, because a
status line cannot wait.
"""

from __future__ import annotations

SLOT_MS = 900_000
"""Every time zone in use begins its days on a quarter hour UTC."""

DAY_MS = 86_400_000
SLOTS_A_DAY = DAY_MS // SLOT_MS


def whole_slots(start: int, end: int) -> tuple[int, int] | None:
    """The whole quarter hours of a half-open range; ``None`` where it has none."""
    return _whole(start, end, SLOT_MS)


def whole_days(start: int, end: int) -> tuple[int, int] | None:
    """The whole UTC days of a half-open range; ``None`` where it has none."""
    return _whole(start, end, DAY_MS)


def _whole(start: int, end: int, step: int) -> tuple[int, int] | None:
    first, last = -(-start // step) * step, end // step * step
    return (first, last) if first < last else None


def bounds(days: tuple[int, int], whole: tuple[int, int]) -> tuple[int, int]:
    """Between which slots a source spoke, from its first and last day.

    ``whole`` are the first and last slot of all sources together, so that the only
    source of a ledger is known to the quarter hour.
    """
    first, last = days
    return max(first, whole[0]), min(last + DAY_MS - SLOT_MS, whole[1])
