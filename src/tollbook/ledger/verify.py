"""Hold what is derived against the facts it is derived from."""

from __future__ import annotations

import msgspec

from tollbook.ports import LedgerStore


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What was compared, and what differed."""

    responses: int
    batches: int  # of facts, each checked for damage and derived from again
    unrecorded_calls: int
    differences: tuple[str, ...]
    repaired: bool = False


def verify(store: LedgerStore, *, repair: bool = False) -> Verification:
    """Derive everything again and compare; with ``repair`` keep what was derived.

    Raises:
        StoreDamagedError: The facts themselves are damaged; nothing was changed.
    """
    differences = tuple(store.verify())
    if repair:
        store.rebuild()
    health = store.health()
    return Verification(
        responses=health.responses,
        batches=health.batches,
        unrecorded_calls=store.coverage().unrecorded_calls,
        differences=differences,
        repaired=repair,
    )
