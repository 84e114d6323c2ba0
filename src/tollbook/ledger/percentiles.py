"""Exact percentiles: a value that was really seen, and no interpolation.

The p-th percentile of n values is the ceil(n * p / 100)-th smallest (nearest rank).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tollbook.core.measure import Measure, measured
from tollbook.core.tally import Tally
from tollbook.ports import Total

SCALE = 1_000
"""A percentile is a whole number of thousandths of a percent: 99.9 is 99_900."""

_WHOLE = 100 * SCALE


def percentile(ordered: Sequence[int], rank: int) -> int | None:
    """The value at a rank of some that are sorted; ``None`` when there are none.

    Args:
        ordered: The smallest value first.
        rank: Thousandths of a percent, above 0 and up to 100_000.
    """
    if not ordered:
        return None
    place = -(-len(ordered) * rank // _WHOLE)
    return ordered[place - 1]


def session_values(totals: Iterable[Total], measure: Measure) -> list[int]:
    """What each session cost, used or waited, from totals by session.

    A session of which that is not known has no value, and what belongs to no session
    has none either.
    """
    sessions: dict[str, list[tuple[bool, Tally]]] = {}
    for total in totals:
        session = total.dimensions["session"]
        if session is not None:
            sessions.setdefault(session, []).append((total.priced, total.tally))
    values = (measured(tallies, measure) for tallies in sessions.values())
    return [value for value in values if value is not None]
