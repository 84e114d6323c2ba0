"""Tell another ledger what this one knows: all of it, once, from where it stopped.

A cursor for each receiver is kept in the ledger itself, under the source ``push``. It is
moved when the receiver has a fact for good; whatever was sent after it is sent again, and
a fact that arrives twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

import msgspec

from tollbook.core.observation import Instant
from tollbook.formats.push import (
    Reply,
    Sender,
    WireFact,
    encode_item,
    write_parcel,
)
from tollbook.ports import Batch, Fact, LedgerStore

SOURCE = "push"
PARCEL_BYTES = 2 << 20
_FACTS_AT_ONCE = 64
_REASONS_MAX = 10


Progress = Callable[[int], None]
"""Told how many facts have arrived so far."""


def no_progress(facts: int) -> None:
    """Tell nobody."""


class Receiver(Protocol):
    """Where parcels go."""

    @property
    def name(self) -> str:
        """Its address: cursors are kept under it."""
        ...

    def send(self, parcel: bytes) -> Reply:
        """Hand over one parcel; once it returns the receiver has it for good.

        Raises:
            SourceError: It has not; ``SourceUnavailableError``: try again later.
        """
        ...


class Pushed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a push. ``observations = added + repeated + refused`` of them."""

    facts: int = 0  # batches of facts that arrived
    observations: int = 0
    added: int = 0
    repeated: int = 0
    refused: int = 0
    refused_others: int = 0  # calls, statements and whole facts
    bytes: int = 0  # of parcels, before they were packed
    reasons: Sequence[str] = ()

    def plus(self, reply: Reply, *, facts: int, observations: int, size: int) -> Pushed:
        """With one more parcel."""
        reasons = (f"{each.code}: {each.message}" for each in reply.refusals)
        return Pushed(
            facts=self.facts + facts,
            observations=self.observations + observations,
            added=self.added + reply.added,
            repeated=self.repeated + reply.repeated,
            refused=self.refused + reply.refused,
            refused_others=self.refused_others + reply.refused_others,
            bytes=self.bytes + size,
            reasons=tuple(dict.fromkeys((*self.reasons, *reasons)))[:_REASONS_MAX],
        )


class _Load(msgspec.Struct, frozen=True):
    """Facts for one parcel, and the last fact that is complete with it."""

    facts: list[WireFact]
    complete: int
    count: int  # facts that are complete with it, and were not before
    observations: int


def push(
    store: LedgerStore,
    receiver: Receiver,
    sender: Sender,
    *,
    now: Callable[[], Instant],
    again: bool = False,
    progress: Progress = no_progress,
) -> Pushed:
    """Send every fact the receiver does not have; ``again``: every fact there is.

    A parcel that cannot be delivered ends the push; the next one goes on from there.

    Raises:
        SourceError: The receiver cannot be reached, or will not listen.
        StoreError: This ledger cannot be read, or not keep the cursor.
    """
    cursor = store.cursors(SOURCE).get(receiver.name)
    total = Pushed()
    done = 0 if again or cursor is None else int(cursor)
    for load in _loads(_facts(store, done), done):
        parcel = write_parcel(sender, load.facts)
        reply = receiver.send(parcel)
        if load.complete > done:
            done = load.complete
            cursor = _save(store, receiver.name, cursor, done, now())
        total = total.plus(
            reply, facts=load.count, observations=load.observations, size=len(parcel)
        )
        progress(total.facts)
    return total


def _save(
    store: LedgerStore, name: str, previous: bytes | None, done: int, now: Instant
) -> bytes:
    """Move the cursor; another push may have moved it, which is as good."""
    cursor = b"%d" % done
    batch = Batch(source=SOURCE, origin=name, previous=previous, cursor=cursor)
    if store.append([batch], now=now).superseded:
        return store.cursors(SOURCE)[name]
    return cursor


def _facts(store: LedgerStore, after: int) -> Iterator[Fact]:
    while found := store.facts(after, _FACTS_AT_ONCE):
        yield from found
        after = found[-1].id


def _loads(facts: Iterable[Fact], done: int) -> Iterator[_Load]:
    """Facts in parcels of a bounded size; a large fact goes in pieces."""
    waiting: list[WireFact] = []
    size = count = observations = 0
    for fact in facts:
        for piece, weight, last in _pieces(fact):
            if waiting and size + weight > PARCEL_BYTES:
                yield _Load(waiting, done, count, observations)
                waiting, size, count, observations = [], 0, 0, 0
            waiting.append(piece)
            size += weight
            observations += len(piece.observations)
            if last:
                done = fact.id
                count += 1
    if waiting:
        yield _Load(waiting, done, count, observations)


def _pieces(fact: Fact) -> Iterator[tuple[WireFact, int, bool]]:
    """A fact in pieces, their sizes, and whether it is complete with them."""
    kinds = (fact.observations, fact.calls, fact.statements)
    raws = [(kind, encode_item(item)) for kind in range(3) for item in kinds[kind]]
    start = 0
    while True:
        end, size = start, 0
        while end < len(raws) and (end == start or size < PARCEL_BYTES):
            size += len(raws[end][1])
            end += 1
        parts: tuple[list[msgspec.Raw], ...] = ([], [], [])
        for kind, raw in raws[start:end]:
            parts[kind].append(msgspec.Raw(raw))
        yield (
            WireFact(fact.id, fact.source, fact.origin, *parts),
            size,
            end == len(raws),
        )
        if end == len(raws):
            return
        start = end
