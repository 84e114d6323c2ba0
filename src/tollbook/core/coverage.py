"""What a ledger knows, and what it is made of."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tollbook.core.observation import Instant


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the truth the ledger can know."""

    responses: int
    unrecorded_calls: int  # requests that were sent and whose answer no line holds
    problems: int  # without those that were acknowledged
    sources: Mapping[str, tuple[Instant | None, Instant | None]]
    """First and last event: to the quarter hour of one source, to the day of several."""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What a store is made of, for whoever looks after it."""

    engine: str  # "SQLite 3.54.1"
    schema: int  # 0 where there are no numbered tables
    price_version: str | None
    responses: int
    batches: int  # of facts, as this store keeps them
    recorded_at: Instant | None  # when the latest of them was stored
