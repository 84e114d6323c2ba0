"""What every store must do with adjustments: count them, and forget them completely."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from listings import listings
from strategies import (
    COUNTS,
    DAY_MS,
    OUTPUT,
    START,
    Dice,
    FlatPricer,
    diced,
    observation_of,
)
from tollbook.core.adjustment import SOURCE, Author, Correction, adjust, withdraw
from tollbook.core.event_id import event_id
from tollbook.core.identity import identify
from tollbook.core.observation import Conditions, Evidence, Observation, Part
from tollbook.core.units import TOKEN_UNITS
from tollbook.ports import Batch, EventQuery, LedgerStore, UsageQuery
from tollbook.stores.memory import MemoryStore
from tollbook.stores.sqlite.store import SqliteStore

Store = Callable[[Path], LedgerStore]
STORES: dict[str, Store] = {
    "memory": lambda _: MemoryStore(FlatPricer(), "v1"),
    "sqlite": lambda folder: SqliteStore(folder / "ledger.db", FlatPricer(), "v1"),
}
every_store = pytest.mark.parametrize("make", STORES.values(), ids=list(STORES))
NOW = START + DAY_MS
DIMENSIONS = ("project", "session", "model", "source", "user", "tag:team")
EVERYTHING = EventQuery(start=0, end=START + 2 * DAY_MS, limit=1_000)
ADA = Author(run="adj_a", who="ada", at=NOW, why="the console", basis="console")
BEN = msgspec.structs.replace(ADA, who="ben", why="it was another account's")
MISSING = Observation(
    message_id=None,
    request_id="req_missing01",
    session=None,
    first_at=START,
    at=START + 900,
    line=0,
    parts=(Part("claude-large", {}),),
    conditions=Conditions(),
    evidence=int(Evidence.MISSING),
    project="shop",
    tags=(("state", "missing"),),
)


def honest(dice: Dice) -> Observation:
    """What no adjustment says."""
    seen = observation_of(dice)
    return msgspec.structs.replace(seen, adjustment=None)


def correction_of(dice: Dice) -> Correction:
    """What somebody knows better."""
    units = dice.some(*(unit.value for unit in TOKEN_UNITS)) or [OUTPUT]
    return Correction(
        usage={unit: dice.pick(*COUNTS) for unit in units},
        evidence=dice.pick(Evidence.REPORTED, Evidence.APPORTIONED, Evidence.ESTIMATED),
        model=dice.pick(None, "claude-small"),
        stated_cost=dice.pick(None, 10**13),
    )


def batch(*seen: Observation, source: str = SOURCE) -> Batch:
    return Batch(source=source, origin="o", observations=seen, lines=len(seen))


def adjusted(
    store: LedgerStore, corrections: Sequence[Correction]
) -> list[Observation]:
    """What corrects the first events of a store."""
    events = store.page(EVERYTHING)
    pairs = zip(events, corrections, strict=False)
    made = [adjust(e.event, c, ADA, n) for n, (e, c) in enumerate(pairs)]
    return [each for each in made if each is not None]


@contextmanager
def opened(make: Store) -> Iterator[LedgerStore]:
    """A new store."""
    with tempfile.TemporaryDirectory() as folder:
        store = make(Path(folder))
        try:
            yield store
        finally:
            store.close()


def known(store: LedgerStore) -> dict[str, object]:
    """All that follows, but for the names of those who ever spoke."""
    chosen = [(), *((name,) for name in DIMENSIONS), *combinations(DIMENSIONS, 2)]
    found = {f"totals {by}": totals(store, by) for by in chosen}
    return found | listings(store)


def totals(store: LedgerStore, by: tuple[str, ...]) -> object:
    """All there is by some dimensions, in an order of its own."""
    query = UsageQuery(buckets=[(0, START + 2 * DAY_MS)], by=frozenset(by))
    rows = store.totals(query)
    return sorted(
        (sorted((k, str(v)) for k, v in row.dimensions.items()), row.priced, row.tally)
        for row in rows
    )


SEEN = st.lists(diced(honest), min_size=1, max_size=6)
CORRECTIONS = st.lists(diced(correction_of), min_size=1, max_size=4)


@every_store
@given(seen=SEEN, corrections=CORRECTIONS)
def test_what_is_taken_back_leaves_every_total_as_it_was(
    make: Store, seen: list[Observation], corrections: list[Correction]
) -> None:
    with opened(make) as store:
        store.append([batch(*seen, source="relay")], now=NOW)
        before = known(store)
        made = adjusted(store, corrections)
        store.append([batch(*made)], now=NOW)
        store.append([batch(*(withdraw(each, BEN) for each in made))], now=NOW)

        assert known(store) == before
        assert store.verify() == []


@pytest.mark.parametrize("make", [STORES["sqlite"]], ids=["sqlite"])
@given(seen=SEEN, corrections=CORRECTIONS, order=st.randoms(use_true_random=False))
def test_the_order_in_which_it_is_heard_decides_nothing(
    make: Store,
    seen: list[Observation],
    corrections: list[Correction],
    order: Random,
) -> None:
    oracle = MemoryStore(FlatPricer(), "v1")
    oracle.append([batch(*seen, source="relay")], now=NOW)
    made = adjusted(oracle, corrections)
    taken_back = [withdraw(each, BEN) for each in made[:2]]
    oracle.append([batch(*made, *taken_back)], now=NOW)
    steps = [batch(each, source="relay") for each in seen]
    steps += [batch(each) for each in (*made, *taken_back)]
    order.shuffle(steps)

    with opened(make) as store:
        for step in steps:
            store.append([step], now=NOW)

        assert known(store) == known(oracle)
        assert store.verify() == []


@given(seen=SEEN, corrections=CORRECTIONS)
def test_an_adjustment_speaks_of_its_event_and_fills_what_it_lacks(
    seen: list[Observation], corrections: list[Correction]
) -> None:
    store = MemoryStore(FlatPricer(), "v1")
    store.append([batch(*seen, source="relay")], now=NOW)
    for listed, correction in zip(store.page(EVERYTHING), corrections, strict=False):
        made = adjust(listed.event, correction, ADA, 1)
        if made is None:
            continue
        store.append([batch(made)], now=NOW)
        names = {each.id: each.event for each in store.page(EVERYTHING)}
        after = names[listed.id]

        identity = identify(made)
        assert event_id(identity) in (listed.id, listed.event.request_id)
        assert made.adjustment is not None
        for unit, count in made.parts[0].usage.items():
            assert sum(part.usage.get(unit, 0) for part in after.parts) == count
        assert after.at == listed.event.at
        assert after.project == listed.event.project


@every_store
def test_a_filled_response_counts_at_once_and_names_its_source(make: Store) -> None:
    said = Correction(usage={unit.value: 10 for unit in TOKEN_UNITS})
    with opened(make) as store:
        store.append([batch(MISSING, source="relay")], now=NOW)
        (listed,) = store.page(msgspec.structs.replace(EVERYTHING, in_doubt=True))
        made = adjust(listed.event, said, ADA, 1)
        assert made is not None
        store.append([batch(made)], now=NOW)

        (after,) = store.page(EVERYTHING)
        assert after.event.evidence == Evidence.REPORTED
        assert after.event.sources == ("adjustment", "relay")
        assert after.shares[0].tally.list_cost == 50 * 40_000_000
        assert store.page(msgspec.structs.replace(EVERYTHING, in_doubt=True)) == []
        (fact,) = store.facts(0, 9, source=SOURCE)
        assert list(fact.observations) == [made]
        assert len(store.facts(0, 9)) == 2
        assert store.facts(0, 9, source="nobody") == []


@every_store
def test_a_taking_back_that_comes_alone_is_kept_for_later(make: Store) -> None:
    store_of_others = MemoryStore(FlatPricer(), "v1")
    store_of_others.append([batch(MISSING, source="relay")], now=NOW)
    (made,) = adjusted(store_of_others, [Correction(usage={OUTPUT: 7})])
    with opened(make) as store:
        store.append([batch(withdraw(made, BEN))], now=NOW)

        (alone,) = store.page(EVERYTHING)
        assert alone.event.request_id == MISSING.request_id
        assert alone.event.evidence == Evidence.MISSING
        assert alone.event.sources == (SOURCE,)
        store.append([batch(made), batch(MISSING, source="relay")], now=NOW)
        (whole,) = store.page(EVERYTHING)
        assert whole.event.sources == ("relay",)
        assert whole.event.parts == (Part("claude-large", {}),)
        assert store.verify() == []


@every_store
def test_a_receipt_tells_a_taking_back_from_a_repetition(make: Store) -> None:
    with opened(make) as store:
        store.append([batch(MISSING, source="relay")], now=NOW)
        (made,) = adjusted(store, [Correction(usage={OUTPUT: 7})])
        back = withdraw(made, BEN)
        told = [store.receive([batch(each)], now=NOW) for each in (made, made, back)]

        assert [receipt[0][0].status for receipt in told] == [
            "merged", "repeated", "merged",
        ]  # fmt: skip
        assert store.post(limit=99) == 3
        assert store.verify() == []


def test_a_measured_count_is_never_adjusted() -> None:
    store = MemoryStore(FlatPricer(), "v1")
    seen = msgspec.structs.replace(
        MISSING, parts=(Part("claude-large", {OUTPUT: 3}),), evidence=4
    )
    store.append([batch(seen, source="relay")], now=NOW)
    (listed,) = store.page(EVERYTHING)

    assert adjust(listed.event, Correction(usage={OUTPUT: 99}), ADA, 1) is None
