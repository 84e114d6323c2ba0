"""What a ledger's owner should know about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from tollbook.core.observation import Instant
from tollbook.core.tally import UNITS
from tollbook.core.units import TOKEN_UNITS
from tollbook.ports import LedgerStore, UsageQuery
from tollbook.render.figures import plural

FINE, CARE = "fine", "care"
_AHEAD_MS = 3_600_000
_FEES = (*(unit for unit in UNITS if unit not in TOKEN_UNITS), "other_units")
_ALWAYS: tuple[Instant, Instant] = (0, 2**61)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    name: str
    what: str
    state: str = FINE  # or "care": somebody should do something
    remedy: str = ""


def examine(store: LedgerStore, *, now: Instant, prices: str) -> Iterator[Finding]:
    """Look at what the ledger holds.

    Args:
        store: The ledger.
        now: For times that lie ahead.
        prices: The version of today's prices.
    """
    health, coverage = store.health(), store.coverage()
    yield Finding(name="engine", what=f"{health.engine}, schema {health.schema}")
    batches = plural(health.batches, "batch", "batches")
    yield Finding(
        name="facts",
        what=f"{plural(health.responses, 'response')} in {batches}",
    )
    yield _prices(health.price_version, prices)
    yield _clock(store, now)
    yield from _unpriced(store)
    calls = plural(coverage.unrecorded_calls, "call")
    yield Finding(
        name="unrecorded calls",
        what=f"{calls} sent whose usage no line holds",
    )
    count = coverage.problems
    yield Finding(
        name="problems",
        what=f"{plural(count, 'piece')} of input could not be used",
        state=CARE if count else FINE,
        remedy="see `tollbook problems`" if count else "",
    )


def _prices(stored: str | None, current: str) -> Finding:
    if stored in (None, current):
        return Finding(name="prices", what=current)
    return Finding(
        name="prices",
        what=f"costs were rated at {stored}, today's prices are {current}",
        state=CARE,
        remedy="run `tollbook verify --repair`",
    )


def _clock(store: LedgerStore, now: Instant) -> Finding:
    """Responses of tomorrow mean that a clock is, or was, wrong."""
    query = UsageQuery(buckets=[(now + _AHEAD_MS, _ALWAYS[1])])
    ahead = sum(total.tally.responses for total in store.totals(query))
    if not ahead:
        return Finding(name="clock", what="no response lies ahead of this machine's")
    return Finding(
        name="clock",
        what=f"{plural(ahead, 'response')} ahead of this machine's clock",
        state=CARE,
        remedy="set the clock right; the times are kept as they were written",
    )


def _unpriced(store: LedgerStore) -> Iterator[Finding]:
    """Models whose tokens have no price; units that have none whatever the model."""
    query = UsageQuery(buckets=[_ALWAYS], by=frozenset({"model"}))
    models: set[str] = set()
    units: dict[str, int] = {}
    for total in store.totals(query):
        if total.priced:
            continue
        fees = {unit: getattr(total.tally, unit) for unit in _FEES}
        if any(getattr(total.tally, unit) for unit in TOKEN_UNITS) or not any(
            fees.values()
        ):
            models.add(total.dimensions["model"] or "?")
        for unit, count in fees.items():
            units[unit] = units.get(unit, 0) + count
    yield _unpriced_models(sorted(models))
    counts = ", ".join(f"{count:,} {unit}" for unit, count in units.items() if count)
    if counts:
        yield Finding(name="unpriced units", what=f"{counts}; they are in no cost")


def _unpriced_models(models: Sequence[str]) -> Finding:
    if not models:
        return Finding(name="unpriced models", what="every model has a price")
    return Finding(
        name="unpriced models",
        what=", ".join(models),
        state=CARE,
        remedy="name the model behind it in [prices.aliases], or set your own rates",
    )
