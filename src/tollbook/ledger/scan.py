"""Bring a source's news into the ledger."""

from __future__ import annotations

from collections.abc import Callable

from tollbook.core.observation import Instant
from tollbook.ports import Appended, Batch, LedgerStore, Source

_TRANSACTION_OBSERVATIONS = 40_000
_TRANSACTION_BYTES = 2 << 30
_POST_FACTS = 10_000

Progress = Callable[[int, int], None]
"""Told how many bytes of how many have been read."""


def no_progress(done: int, total: int) -> None:
    """Tell nobody."""


def scan(
    source: Source,
    store: LedgerStore,
    *,
    now: Callable[[], Instant],
    progress: Progress = no_progress,
) -> Appended:
    """Read everything new, and store it with the cursors in few large transactions.

    A crash loses at most the current transaction, which is then read again.
    """
    while store.post(limit=_POST_FACTS):
        pass  # what a server received, and did not live to derive
    pending = source.survey(store.cursors(source.name))
    total = Appended()
    if not pending.items:
        return total
    batches: list[Batch] = []
    observations = size = done = 0
    for batch in source.read(pending):
        batches.append(batch)
        observations += len(batch.observations)
        size += batch.size
        done += batch.size
        progress(min(done, pending.size), pending.size)
        if observations >= _TRANSACTION_OBSERVATIONS or size >= _TRANSACTION_BYTES:
            total = total.plus(store.append(batches, now=now()))
            batches, observations, size = [], 0, 0
    if batches:
        total = total.plus(store.append(batches, now=now()))
    return total
