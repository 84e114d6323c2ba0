"""tollbook.ledger.push: what one ledger knows arrives in another, whatever happens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import (
    DAY_MS,
    MESSAGE_IDS,
    SESSIONS,
    SOURCES,
    START,
    Dice,
    FlatPricer,
    call_of,
    diced,
    observation_of,
    statement_of,
)
from tollbook.core.errors import SourceUnavailableError
from tollbook.core.observation import Observation
from tollbook.formats.push import Reply, Rights, Sender, parse_parcel
from tollbook.ledger import push as pushing
from tollbook.ledger.push import SOURCE, Pushed, push
from tollbook.ports import Batch, LedgerStore, UsageQuery
from tollbook.stores.memory import MemoryStore

NOW = START + DAY_MS
ALWAYS = (0, 2**62)
BY = ("project", "session", "model", "branch", "agent", "tools")


class Server:
    """A receiver that stores, and fails before or after it has stored."""

    name = "http://team"

    def __init__(self, *faults: str) -> None:
        self.store = MemoryStore(FlatPricer(), "v1")
        self.faults = list(reversed(faults))
        self.parcels = 0

    def send(self, parcel: bytes) -> Reply:
        """See ``Receiver.send``."""
        fault = self.faults.pop() if self.faults else ""
        if fault == "away":
            raise SourceUnavailableError(self.name)
        found = parse_parcel(parcel, Rights())
        batches = [
            Batch(
                source=piece.source,
                origin=piece.origin,
                observations=piece.observations,
                calls=piece.calls,
                statements=piece.statements,
                lines=sum(seen.lines for seen in piece.observations),
            )
            for piece in found.pieces
        ]
        known = self.store.append(batches, now=NOW)
        self.parcels += 1
        if fault == "lost":
            raise SourceUnavailableError(self.name)
        return Reply(added=known.added, refused_others=len(found.refused))


def history_of(dice: Dice) -> tuple[Batch, ...]:
    """What one machine saw: its files hold copies of what others' hold."""
    return tuple(
        Batch(
            source=dice.pick(*SOURCES),
            origin=dice.pick("a.jsonl", "b.jsonl"),
            observations=[observation_of(dice) for _ in range(dice.pick(0, 1, 3))],
            calls=[call_of(dice) for _ in range(dice.pick(0, 0, 2))],
            statements=[statement_of(dice) for _ in range(dice.pick(0, 0, 1))],
        )
        for _ in range(dice.pick(1, 2, 4))
    )


HISTORIES = st.lists(diced(history_of), min_size=1, max_size=3)
FAULTS = st.lists(st.sampled_from(["", "", "away", "lost"]), max_size=12)


def ledger_of(history: Sequence[Batch]) -> MemoryStore:
    """A machine's own ledger."""
    store = MemoryStore(FlatPricer(), "v1")
    for batch in history:
        store.append([batch], now=NOW)
    return store


def what_it_says(store: LedgerStore) -> dict[str, object]:
    """Everything a ledger adds up to."""
    found: dict[str, object] = {
        "coverage": store.coverage(),
        "unrecorded": store.unrecorded(*ALWAYS),
        "statements": [store.statements(session) for session in SESSIONS],
    }
    for by in ((), *((name,) for name in (*BY, "user", "machine"))):
        query = UsageQuery(buckets=[ALWAYS], by=frozenset(by))
        found[f"totals {by}"] = sorted(
            (sorted(map(str, total.dimensions.items())), total.priced, total.tally)
            for total in store.totals(query)
        )
    return found


def union(histories: Sequence[Sequence[Batch]]) -> MemoryStore:
    """One ledger that saw it all, tagged with whose it was."""
    store = MemoryStore(FlatPricer(), "v1")
    for number, history in enumerate(histories):
        for batch in history:
            tagged = msgspec.structs.replace(
                batch,
                origin=f"machine-{number}:{batch.origin}",
                observations=[owned(seen, number) for seen in batch.observations],
            )
            store.append([tagged], now=NOW)
    return store


def owned(seen: Observation, number: int) -> Observation:
    """An observation and whose it was; a correction is nobody's request."""
    if seen.adjustment is not None:
        return seen
    return msgspec.structs.replace(
        seen,
        user=seen.user or f"user-{number}",
        machine=seen.machine or f"machine-{number}",
    )


def sender(number: int) -> Sender:
    """Who a machine is."""
    return Sender(user=f"user-{number}", machine=f"machine-{number}")


@given(HISTORIES, FAULTS, st.randoms(use_true_random=False))
def test_the_server_holds_the_union_of_all_ledgers(
    histories: list[tuple[Batch, ...]], faults: list[str], chance: object
) -> None:
    server = Server(*faults)
    ledgers = [ledger_of(history) for history in histories]
    left = list(range(len(ledgers)))
    while left:
        number = chance.choice(left)  # type: ignore[attr-defined]  # a Random
        try:
            push(ledgers[number], server, sender(number), now=lambda: NOW)
        except SourceUnavailableError:
            continue
        left.remove(number)

    assert what_it_says(server.store) == what_it_says(union(histories))

    server.faults.clear()
    for number, ledger in enumerate(ledgers):
        push(ledger, server, sender(number), now=lambda: NOW, again=True)

    assert what_it_says(server.store) == what_it_says(union(histories))


@pytest.fixture
def seen() -> Observation:
    """A response."""
    return next(
        found
        for found in (observation_of(Dice(n)) for n in range(1, 99))
        if found.message_id == MESSAGE_IDS[0]
    )


def test_what_was_pushed_is_not_sent_again(seen: Observation) -> None:
    ledger, server = MemoryStore(FlatPricer(), "v1"), Server()
    send = partial(push, ledger, server, sender(1), now=lambda: NOW)
    ledger.append([Batch(source="a", origin="x", observations=[seen])], now=NOW)

    assert send().observations == 1
    assert send() == Pushed()

    ledger.append([Batch(source="a", origin="y", observations=[seen])], now=NOW)

    assert send().facts == 1
    assert server.parcels == 2
    assert send(again=True).facts == 2
    assert send() == Pushed()


def test_a_large_fact_goes_in_pieces_and_the_cursor_waits_for_the_last(
    seen: Observation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "PARCEL_BYTES", 600)
    ledger, server = MemoryStore(FlatPricer(), "v1"), Server("", "", "away")
    many = [msgspec.structs.replace(seen, line=line) for line in range(1, 21)]
    ledger.append([Batch(source="a", origin="x", observations=many)], now=NOW)
    told: list[int] = []
    send = partial(
        push, ledger, server, sender(1), now=lambda: NOW, progress=told.append
    )

    with pytest.raises(SourceUnavailableError):
        send()

    assert server.parcels == 2
    assert ledger.cursors(SOURCE) == {}

    found = send()

    assert (found.facts, found.observations) == (1, 20)
    assert server.parcels > 4
    assert told[-1] == 1
    assert ledger.cursors(SOURCE) == {server.name: b"1"}


def test_two_pushes_at_once_move_one_cursor(seen: Observation) -> None:
    class Hurried(Server):
        def send(self, parcel: bytes) -> Reply:
            cursor = Batch(source=SOURCE, origin=self.name, cursor=b"1")
            ledger.append([cursor], now=NOW)
            return super().send(parcel)

    ledger, server = MemoryStore(FlatPricer(), "v1"), Hurried()
    ledger.append([Batch(source="a", origin="x", observations=[seen])], now=NOW)

    assert push(ledger, server, sender(1), now=lambda: NOW).facts == 1
    assert ledger.cursors(SOURCE) == {server.name: b"1"}
