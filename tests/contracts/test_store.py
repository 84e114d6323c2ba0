"""What every store must do: answer like the in-memory one, whatever happens to it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from itertools import combinations
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tollbook.stores
from listings import by_model, listings
from strategies import (
    CALLS,
    DAY_MS,
    FOREIGN_IDS,
    HOSTILE,
    MESSAGE_IDS,
    OUTPUT,
    PRICES,
    REQUEST_IDS,
    SAID,
    SESSIONS,
    SOURCES,
    START,
    STATEMENTS,
    Dice,
    FlatPricer,
    call_of,
    diced,
    observation_of,
    problem_of,
    statement_of,
)
from tollbook.core.event import join, lift, settle
from tollbook.core.observation import Call, Conditions, Observation, Part, StatementLine
from tollbook.core.units import TOKEN_UNITS, Unit
from tollbook.ports import Batch, LedgerStore, StoredEvent, UsageQuery
from tollbook.stores.memory import MemoryStore
from tollbook.stores.sqlite.store import SqliteStore

NOW = START + DAY_MS
EACH = ("project", "session", "model", "branch", "agent", "skill", "tools")
ASKERS = ("source", "provider", "app", "user", "machine", "key", "tag:team", "tag:none")
DIMENSIONS = (*EACH, *ASKERS)
FILTERS: Sequence[dict[str, str | None]] = (
    {"project": HOSTILE},
    {"session": SESSIONS[0]},
    {"model": "claude-large", "project": None},
    {"user": "ada"},
    {"user": None, "project": "-work"},
    {"source": SOURCES[0], "branch": "main"},
    {"tag:team": "blue"},
    {"tag:team": None, "machine": "lab"},
    {"user": "nobody"},
)
BUCKETS = (
    (START, START + 3_600_000),
    (START + 3_600_000, START + 8 * 900_000),
    (START + 8 * 900_000, START + DAY_MS),
)
LONG_BY = [(), ("project",), ("project", "model"), *((name,) for name in ASKERS)]
LONG = (
    (START - 3 * DAY_MS, START + 1_000_001),
    (START + 1_000_001, START + 9 * DAY_MS),
)
ALWAYS = (0, 2**62)
NOTHING: Mapping[str, str | None] = {}

Store = Callable[[Path], LedgerStore]

STORES: dict[str, Store] = {
    "memory": lambda _: MemoryStore(FlatPricer(), "v1"),
    "sqlite": lambda folder: SqliteStore(folder / "ledger.db", FlatPricer(), "v1"),
}
every_store = pytest.mark.parametrize("make", STORES.values(), ids=list(STORES))


@contextmanager
def opened(make: Store, *, handles: int = 1) -> Iterator[list[LedgerStore]]:
    """Some handles on one new store."""
    with tempfile.TemporaryDirectory() as folder:
        first = make(Path(folder))
        shared = isinstance(first, MemoryStore)
        others = (first if shared else make(Path(folder)) for _ in range(1, handles))
        stores = [first, *others]
        try:
            yield stores
        finally:
            for store in stores:
                store.close()


def totals(
    store: LedgerStore,
    *by: str,
    where: Mapping[str, str | None] = NOTHING,
    buckets: Sequence[tuple[int, int]] = BUCKETS,
) -> Sequence[object]:
    """Every total by some dimensions, in an order of its own."""
    query = UsageQuery(buckets=buckets, by=frozenset(by), where=where)
    return sorted(
        (
            total.bucket,
            [(name, str(total.dimensions[name])) for name in sorted(by)],
            total.priced,
            total.tally,
            total.first_at,
            total.last_at,
        )
        for total in store.totals(query)
    )


def events(store: LedgerStore) -> Sequence[object]:
    """Every event with its shares, found by session and by response."""
    names = (*MESSAGE_IDS, *REQUEST_IDS, *FOREIGN_IDS)
    found: list[StoredEvent] = []
    for session in SESSIONS:
        found += store.find_events(session=session)
    for name in names:
        found += store.find_events(response=name)
    for stored in found:
        states = (lift(seen, source) for source, _, seen in stored.seen)
        assert settle(reduce(join, states)) == stored.event, "seen is not all"
    return sorted(
        msgspec.json.encode((stored.event, by_model(stored.shares)), order="sorted")
        for stored in found
    )


def what_follows(store: LedgerStore) -> dict[str, object]:
    """All that must not depend on the order in which facts came in."""
    queries = [(), *((name,) for name in EACH), *combinations(EACH[:4], 2)]
    queries += [("user", "project"), ("source", "model"), ("app", "key"), DIMENSIONS]
    return {
        **{f"totals {by}": totals(store, *by) for by in queries},
        **{f"days {by}": totals(store, *by, buckets=LONG) for by in LONG_BY},
        **{f"totals where {where}": totals(store, where=where) for where in FILTERS},
        "events": events(store),
        **listings(store),
        "unrecorded": store.unrecorded(*ALWAYS),
        "some unrecorded": store.unrecorded(*BUCKETS[0], session=SESSIONS[0]),
        "statements": [store.statements(session) for session in SESSIONS],
        "labels": store.labels(),
        "sessions": [store.sessions(prefix) for prefix in ("", "session", HOSTILE)],
        "coverage": store.coverage(),
    }


def answers(store: LedgerStore) -> dict[str, object]:
    """Everything a store can be asked."""
    return {
        **what_follows(store),
        "problems": store.problems(),
        "cursors": [store.cursors(source) for source in SOURCES],
        "prices": store.price_version(),
    }


def differences(one: LedgerStore, other: LedgerStore) -> dict[str, object]:
    """The questions that two stores answer differently."""
    theirs = answers(other)
    return {
        question: (answer, theirs[question])
        for question, answer in answers(one).items()
        if answer != theirs[question]
    }


def batch_of(dice: Dice) -> Batch:
    """One read of one origin, which may have been overtaken by another process."""
    origin = dice.pick("a.jsonl", "b.jsonl")
    seen = [observation_of(dice) for _ in range(dice.pick(1, 2, 4, 0))]
    found = [problem_of(dice, origin) for _ in range(dice.pick(0, 0, 1, 2))]
    return Batch(
        source=dice.pick(*SOURCES),
        origin=origin,
        previous=dice.pick(None, b"1", b"2"),
        cursor=dice.pick(None, b"1", b"2"),
        afresh=dice.flip(),
        observations=seen,
        calls=[call_of(dice) for _ in range(dice.pick(0, 0, 1, 2))],
        statements=[statement_of(dice) for _ in range(dice.pick(0, 0, 1, 2))],
        problems=found,
        labels=dice.pick({}, {"-work": "/work"}, {"-work": HOSTILE}),
        lines=sum(o.lines for o in seen) + len(found),
        refused=len(found),
    )


HISTORIES = st.lists(st.lists(diced(batch_of), max_size=3), max_size=5)
OTHERS = {name: make for name, make in STORES.items() if name != "memory"}
others = pytest.mark.parametrize("make", OTHERS.values(), ids=list(OTHERS))


def test_every_store_is_held_to_this_contract() -> None:
    folder = Path(tollbook.stores.__file__).parent
    names = {path.stem for path in folder.iterdir() if not path.name.startswith("__")}
    stores = {name.partition("_")[0] for name in names}

    assert stores == set(STORES)


@others
@given(history=HISTORIES)
def test_a_store_answers_like_the_oracle(
    make: Store, history: list[list[Batch]]
) -> None:
    oracle = MemoryStore(FlatPricer(), "v1")
    with opened(make) as [store]:
        for step in history:
            appended = store.append(step, now=NOW)

            assert appended == oracle.append(step, now=NOW)
            assert appended.lines == sum(
                (appended.added, appended.repeated, appended.refused)
            )
        assert differences(store, oracle) == {}
        assert store.verify() == []
        assert store.rebuild() == oracle.rebuild()
        assert differences(store, oracle) == {}
        assert store.verify() == []


@others
@given(history=HISTORIES, data=st.data())
def test_processes_that_take_turns_see_one_ledger(
    make: Store, history: list[list[Batch]], data: st.DataObject
) -> None:
    oracle = MemoryStore(FlatPricer(), "v1")
    with opened(make, handles=2) as stores:
        for step in history:
            store = data.draw(st.sampled_from(stores))

            assert store.append(step, now=NOW) == oracle.append(step, now=NOW)
            if data.draw(st.booleans()):
                data.draw(st.sampled_from(stores)).rebuild()
        for store in stores:
            assert differences(store, oracle) == {}
            assert store.verify() == []


def dealt(data: st.DataObject, facts: Sequence[object]) -> Iterator[list[Batch]]:
    """The same facts in another order, some of them twice, in other batches."""
    order = data.draw(st.permutations(facts))
    order += data.draw(st.lists(st.sampled_from(order), max_size=4)) if order else []
    while order:
        size = data.draw(st.integers(1, len(order)))
        step, order = order[:size], order[size:]
        yield [alone(fact) for fact in step]


def alone(fact: object) -> Batch:
    """A batch of one fact."""
    match fact:
        case Call():
            return Batch(source="claude-code", origin="a", calls=[fact])
        case StatementLine():
            return Batch(source="claude-code", origin="a", statements=[fact])
        case (str(source), Observation() as seen):
            return Batch(source=source, origin="a", observations=[seen])
    raise AssertionError(fact)


@every_store
@given(
    said=st.lists(SAID, max_size=8),
    rest=st.lists(st.one_of(CALLS, STATEMENTS), max_size=4),
    data=st.data(),
)
def test_neither_order_nor_repeats_nor_batches_matter(
    make: Store,
    said: list[tuple[str, Observation]],
    rest: list[Call | StatementLine],
    data: st.DataObject,
) -> None:
    facts = [*said, *rest]
    with opened(make) as [one], opened(make) as [other]:
        one.append([alone(fact) for fact in facts], now=NOW)
        for step in dealt(data, facts):
            other.append(step, now=NOW)

        assert what_follows(one) == what_follows(other)


def response(number: int, count: int) -> Observation:
    """A plain final response."""
    return Observation(
        message_id=f"msg_01{number:022}",
        request_id=f"req_{number}",
        session="session-1",
        first_at=START,
        at=START,
        line=number,
        parts=(Part("claude-large", {OUTPUT: count}),),
        conditions=Conditions(),
    )


@every_store
def test_a_billion_dollars_add_up_to_the_last_picodollar(make: Store) -> None:
    seen = [response(number, 10**10) for number in range(2_499)]
    seen.append(response(2_499, 10**10 - 1))
    with opened(make) as [store]:
        batch = Batch(source="claude-code", origin="a", observations=seen)
        store.append([batch], now=NOW)
        [by_slot] = store.totals(UsageQuery(buckets=[ALWAYS]))
        [by_event] = store.totals(UsageQuery(buckets=[ALWAYS], by=frozenset({"tools"})))

        assert by_slot.tally.list_cost == 10**21 - 40_000_000
        assert by_slot.tally == by_event.tally


@every_store
@pytest.mark.parametrize("count", [0, 2])
def test_what_is_stated_to_be_nothing_is_not_unknown(make: Store, count: int) -> None:
    tokens = {unit.value: 7 for unit in TOKEN_UNITS}
    part = Part("claude-large", {**tokens, Unit.WEB_SEARCH.value: count})
    seen = msgspec.structs.replace(response(1, 7), parts=(part,))
    with opened(make) as [store]:
        batch = Batch(source="claude-code", origin="a", observations=[seen])
        store.append([batch], now=NOW)
        [found] = store.find_events(response=seen.message_id)

        assert found.event.parts == (part,)
        assert (store.rebuild(), store.rerate()) == (1, 1)
        [found] = store.find_events(response=seen.message_id)
        assert found.event.parts == (part,)


@every_store
def test_a_batch_that_was_overtaken_is_left_out_whole(make: Store) -> None:
    first = Batch(source="claude-code", origin="a", cursor=b"1")
    late = Batch(
        source="claude-code", origin="a", cursor=b"2", observations=[response(1, 1)]
    )
    with opened(make, handles=2) as [one, other]:
        one.append([first], now=NOW)
        appended = other.append([late], now=NOW)

        assert appended.superseded == 1
        assert other.coverage().responses == 0
        assert one.cursors("claude-code") == {"a": b"1"}


def received(batch: Batch) -> Batch:
    """A batch as a server takes it in: it has no cursor."""
    return msgspec.structs.replace(
        batch, previous=None, cursor=None, afresh=False, labels={}
    )


@every_store
@given(history=HISTORIES, data=st.data())
def test_what_is_received_counts_as_soon_as_it_is_posted(
    make: Store, history: list[list[Batch]], data: st.DataObject
) -> None:
    oracle = MemoryStore(FlatPricer(), "v1")
    told = MemoryStore(FlatPricer(), "v1")
    with opened(make, handles=2) as stores:
        for step in history:
            batches = [received(batch) for batch in step]
            store = data.draw(st.sampled_from(stores))

            receipts = store.receive(batches, now=NOW)

            oracle.append(batches, now=NOW)
            assert receipts == told.receive(batches, now=NOW)
            data.draw(st.sampled_from(stores)).post(limit=data.draw(st.integers(1, 9)))
        while stores[0].post(limit=3):
            pass
        assert not stores[-1].post(limit=1)
        for store in stores:
            assert differences(store, oracle) == {}
            assert store.verify() == []


@every_store
def test_a_receipt_says_what_became_of_each(make: Store) -> None:
    first, more, other = (response(1, count) for count in (5, 5, 9))
    with opened(make) as [store]:
        said = Batch(source="http", origin="key", observations=[first, more, other])
        [answers] = store.receive([said], now=NOW)

        assert [answer.status for answer in answers] == [
            "added",
            "repeated",
            "conflict",
        ]
        assert [answer.usage[OUTPUT] for answer in answers] == [5, 5, 9]
        assert answers[2].note == f"{OUTPUT}: 9 stands, 5 was said, too"
        assert answers[0].name == first.message_id
        assert answers[0].list_cost == 5 * PRICES["claude-large"]
