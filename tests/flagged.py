"""Requests as the relay notes them, known well, half or not at all."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from strategies import FlatPricer
from tollbook.core.observation import Conditions, Evidence, Observation, Part
from tollbook.core.review import Flagged
from tollbook.core.units import TOKEN_UNITS, Unit
from tollbook.ledger.estimating import make_estimating
from tollbook.ledger.filters import Filter
from tollbook.ledger.naming import EVER, Naming
from tollbook.ledger.review import flagged
from tollbook.ports import Batch, LedgerStore
from tollbook.stores.memory import MemoryStore

T = 1_795_341_600_000  # 2026-11-22T10:00:00Z
MODEL = "claude-large"
PRICE = 40_000_001  # picodollars of any token of it
NAMING = Naming(lambda raw: (raw.removeprefix("anthropic/"), "large"), {})
ALL = {unit.value: 100 for unit in TOKEN_UNITS}
OUTPUT, INPUT = Unit.OUTPUT.value, Unit.UNCACHED_INPUT.value
PARTIAL = {OUTPUT: int(Evidence.PARTIAL)}


def request(
    number: int,
    usage: Mapping[str, int] | None = None,
    *,
    state: str = "missing",
    chars: tuple[int, int, int] | None = None,
    **changes: object,
) -> Observation:
    """One request, a minute after the one before it."""
    tags = {"state": state, "upstream": "acme", "account": "main"}
    if chars is not None:
        names = ("chars_text", "chars_thinking", "chars_tool")
        tags |= dict(zip(names, map(str, chars), strict=True))
    at = T + number * 60_000
    seen = Observation(
        message_id=None,
        request_id=f"req_{number:012}",
        session=None,
        first_at=at,
        at=at + 2_000,
        line=0,
        parts=(Part(MODEL, dict(usage or {})),),
        conditions=Conditions(),
        evidence=int(Evidence.REPORTED if usage else Evidence.MISSING),
        project="shop",
        user="ada",
        tags=tuple(sorted(tags.items())),
    )
    return msgspec.structs.replace(seen, **changes)


def measured(number: int, **changes: object) -> Observation:
    """One whose counts are all known."""
    return request(number, ALL, **{"state": "complete", **changes})  # type: ignore[arg-type]  # any field


def partial(number: int, output: int = 2, **changes: object) -> Observation:
    """One whose stream broke off."""
    usage = ALL | {OUTPUT: output}
    return request(number, usage, **{"state": "partial", "lesser": PARTIAL, **changes})  # type: ignore[arg-type]  # any field


def ledger(*seen: Observation, source: str = "relay") -> MemoryStore:
    """A ledger that knows some requests."""
    store = MemoryStore(FlatPricer(), "v1")
    tell(store, *seen, source=source)
    return store


def tell(store: LedgerStore, *seen: Observation, source: str = "relay") -> None:
    """Let a source say something."""
    batch = Batch(source=source, origin="o", observations=seen, lines=len(seen))
    store.append([batch], now=T)


def flags(store: LedgerStore) -> dict[str, Flagged]:
    """What is to be checked, by id."""
    estimating = make_estimating(store, NAMING, FlatPricer())
    found = flagged(store, estimating, Filter({}), EVER)
    return {each.id: each for each in found}
