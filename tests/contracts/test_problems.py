"""What every store keeps of problems and of who took note; of ids that many share."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import START, Dice, FlatPricer, diced, observation_of, problem_of
from tollbook.core.observation import Observation
from tollbook.core.problem import Problem
from tollbook.ports import Batch, LedgerStore
from tollbook.stores.memory import MemoryStore
from tollbook.stores.sqlite.store import SqliteStore

ORIGINS = ("a.jsonl", "b.jsonl")
LOST = Problem(origin="a.jsonl", line=0, code="line-not-json", message="cut; look")

Store = Callable[[Path], LedgerStore]
STORES: dict[str, Store] = {
    "memory": lambda _: MemoryStore(FlatPricer(), "v1"),
    "sqlite": lambda folder: SqliteStore(folder / "ledger.db", FlatPricer(), "v1"),
}
every_store = pytest.mark.parametrize("make", STORES.values(), ids=list(STORES))


def step_of(dice: Dice) -> Batch | str | None:
    """A read of an origin; or its problems, or all, are acknowledged."""
    origin = dice.pick(*ORIGINS)
    match dice.pick("read", "read", "known", "all"):
        case "known":
            return origin
        case "all":
            return None
    return Batch(
        source="claude-code",
        origin=origin,
        afresh=dice.flip(),
        problems=[
            problem_of(dice, dice.pick(*ORIGINS)) for _ in range(dice.pick(2, 1, 0))
        ],
    )


def told(store: LedgerStore) -> object:
    """All that a store says of problems."""
    return store.problems(), store.acknowledged(), store.coverage().problems


@given(steps=st.lists(diced(step_of), max_size=8))
def test_what_is_known_is_kept_apart_as_the_oracle_does(
    steps: list[Batch | str | None],
) -> None:
    oracle = MemoryStore(FlatPricer(), "v1")
    with tempfile.TemporaryDirectory() as folder:
        store = STORES["sqlite"](Path(folder))
        for now, step in enumerate(steps):
            if isinstance(step, Batch):
                store.append([step], now=now)
                oracle.append([step], now=now)
            else:
                count = store.acknowledge(step, now=now)
                assert count == oracle.acknowledge(step, now=now)
            assert told(store) == told(oracle)
        store.close()


@every_store
def test_a_known_problem_that_comes_back_is_news(make: Store, tmp_path: Path) -> None:
    store = make(tmp_path)
    bad = Batch(source="s", origin="a.jsonl", afresh=True, problems=[LOST])
    store.append([bad], now=1)

    assert store.acknowledge("b.jsonl", now=2) == 0
    assert store.acknowledge("a.jsonl", now=2) == 1
    assert store.acknowledge(None, now=3) == 0
    assert (store.problems(), store.acknowledged()) == ([], [(LOST, 2)])
    store.append([bad], now=4)
    assert store.acknowledged() == [(LOST, 2)], "it never went away"
    store.append([msgspec.structs.replace(bad, problems=[])], now=5)
    assert store.acknowledged() == []
    store.append([bad], now=6)
    assert store.problems() == [LOST]
    store.close()


def constant(number: int, message_id: str, request_id: str | None) -> Observation:
    """An answer under a message id that is none of the provider's."""
    usual = observation_of(Dice(0))
    return msgspec.structs.replace(
        usual,
        message_id=message_id,
        request_id=request_id,
        session=f"session-{number}",
        first_at=START + number,
        at=START + number,
    )


@every_store
def test_a_message_id_that_many_share_finds_them_all_the_latest_first(
    make: Store, tmp_path: Path
) -> None:
    store = make(tmp_path)
    seen = [constant(n, "msg_const", f"req_{n}") for n in range(4)]
    seen += [constant(4, "msg_const", None), constant(5, "msg_constant", "req_5")]
    store.append([Batch(source="relay", origin="r", observations=seen)], now=1)

    found = list(store.find_events(response="msg_const"))
    assert [each.event.at - START for each in found] == [4, 3, 2, 1, 0]
    assert len(list(store.find_events(response="req_5"))) == 1
    assert list(store.find_events(response="msg_con")) == []
    store.close()
