"""The SQLite store derives a large ledger in pieces, and no piece shows."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import MESSAGE_IDS, REQUEST_IDS, SAID, FlatPricer
from tollbook.core.observation import Conditions, Observation, Part
from tollbook.ports import Batch, UsageQuery
from tollbook.stores.memory import MemoryStore
from tollbook.stores.sqlite import store as sqlite
from tollbook.stores.sqlite.store import SqliteStore

BY = ("project", "session", "model", "branch", "agent", "skill", "tools")
SMALL, LARGE = "_REPLAY_EVENTS_MAX", 1 << 30


def said_by(store: SqliteStore | MemoryStore) -> Sequence[object]:
    """What a ledger says of everything, in an order of its own."""
    queries = [UsageQuery(buckets=[(0, 2**62)], by=frozenset({name})) for name in BY]
    totals = [sorted(map(repr, store.totals(query))) for query in queries]
    found = [
        repr(each.event)
        for name in (*MESSAGE_IDS, *REQUEST_IDS)
        for each in store.find_events(response=name)
    ]
    return (totals, found, store.coverage())


@given(
    steps=st.lists(st.lists(SAID, max_size=4), max_size=6),
    limit=st.sampled_from([1, 2, 3, LARGE]),
)
def test_a_rebuild_in_pieces_is_a_rebuild(
    steps: list[list[tuple[str, Observation]]], limit: int
) -> None:
    oracle = MemoryStore(FlatPricer(), "v1")
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite, SMALL, limit)
        store = SqliteStore(Path(folder) / "ledger.db", FlatPricer(), "v1")
        for step in steps:
            batches = [
                Batch(source=source, origin="a", observations=[seen])
                for source, seen in step
            ]
            store.append(batches, now=1)
            oracle.append(batches, now=1)

        assert store.rebuild() == oracle.rebuild()
        assert said_by(store) == said_by(oracle)
        assert store.verify() == []
        store.close()


def test_verify_misses_the_way_from_an_event_to_its_facts(tmp_path: Path) -> None:
    part = Part("claude-small", {"output_tokens": 5})
    original = Observation(MESSAGE_IDS[0], None, "one", 5, 5, 1, (part,), Conditions())
    copy = msgspec.structs.replace(original, session="two", copied=True)
    store = SqliteStore(tmp_path / "ledger.db", FlatPricer(), "v1")
    for number, seen in enumerate((original, copy)):
        batch = Batch(
            source="claude-code", origin=f"{number}.jsonl", observations=[seen]
        )
        store.append([batch], now=1)
    assert store.verify() == []

    store._db.execute("DELETE FROM event_segments")  # noqa: SLF001  # damage

    assert [text.partition(":")[0] for text in store.verify()] == ["sightings"]
