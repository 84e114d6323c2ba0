"""The facts of a ledger file, told to another in the order they were stored."""

from __future__ import annotations

from pathlib import Path

import apsw
import msgspec
import pytest

from strategies import Dice, FlatPricer, observation_of
from tollbook.core.errors import StoreDamagedError
from tollbook.core.observation import Call, StatementLine
from tollbook.ports import Batch, Fact, LedgerStore
from tollbook.stores.memory import MemoryStore
from tollbook.stores.sqlite.store import SqliteStore

BATCHES = [
    Batch(source="claude-code", origin="a", observations=[observation_of(Dice(7))]),
    Batch(source="relay", origin="b", calls=[Call("ask-1", asked=True)]),
    Batch(source="relay", origin="b", statements=[StatementLine("s", 1, 2, ())]),
]


def filled(store: LedgerStore) -> LedgerStore:
    """A ledger with a fact of each kind."""
    for batch in BATCHES:
        store.append([batch], now=1)
    return store


def plain(facts: list[Fact]) -> list[object]:
    """Facts, whether their members stand in lists or tuples."""
    return [msgspec.json.decode(msgspec.json.encode(fact)) for fact in facts]


def test_facts_come_in_order_from_where_one_stopped(tmp_path: Path) -> None:
    stores = [
        filled(MemoryStore(FlatPricer(), "v1")),
        filled(SqliteStore(tmp_path / "ledger.db", FlatPricer(), "v1")),
    ]
    expected = [
        Fact(
            id=number,
            source=batch.source,
            origin=batch.origin,
            observations=batch.observations,
            calls=batch.calls,
            statements=batch.statements,
        )
        for number, batch in enumerate(BATCHES, 1)
    ]
    for store in stores:
        assert plain(store.facts(0, 10)) == plain(expected)
        assert plain(store.facts(1, 1)) == plain(expected[1:2])
        assert store.facts(3, 10) == []
        store.close()


def test_damaged_facts_are_told_to_nobody(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    store = filled(SqliteStore(path, FlatPricer(), "v1"))
    apsw.Connection(str(path)).execute("UPDATE segments SET checksum = 1 WHERE id = 2")

    assert len(store.facts(0, 1)) == 1
    with pytest.raises(StoreDamagedError, match="segment 2 are damaged"):
        store.facts(0, 3)
