"""What every store must do with periods: add up exactly what lies in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reporting import seen
from strategies import DAY_MS, START, FlatPricer
from tollbook.ports import Batch, LedgerStore, UsageQuery
from tollbook.stores.memory import MemoryStore
from tollbook.stores.sqlite.store import SqliteStore

Store = Callable[[Path], LedgerStore]
STORES: dict[str, Store] = {
    "memory": lambda _: MemoryStore(FlatPricer(), "v1"),
    "sqlite": lambda folder: SqliteStore(folder / "ledger.db", FlatPricer(), "v1"),
}
ODD = START + 400_000  # within a quarter hour
NEXT = ODD + DAY_MS


@pytest.mark.parametrize("make", STORES.values(), ids=list(STORES))
@pytest.mark.parametrize(
    "by", [(), ("project",), ("session", "model"), ("user",), ("tools",)]
)
def test_a_period_begins_and_ends_at_any_millisecond(
    make: Store, by: tuple[str, ...], tmp_path: Path
) -> None:
    store = make(tmp_path)
    times = (ODD - 1, ODD, NEXT - 1, NEXT)
    said = [
        seen(number, at, usage={"output_tokens": 10**number})
        for number, at in enumerate(times)
    ]
    store.append([Batch(source="http", origin="a", observations=said)], now=NEXT)
    buckets = [(START, ODD), (ODD, NEXT), (NEXT, NEXT + DAY_MS)]

    found = store.totals(UsageQuery(buckets=buckets, by=frozenset(by)))
    store.close()

    assert {each.bucket: each.tally.output_tokens for each in found} == {
        0: 1,
        1: 110,
        2: 1_000,
    }
