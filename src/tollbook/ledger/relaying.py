"""Requests on their way through the relay: each is opened, and closed once.

Before its first byte goes upstream a request stands in the ledger as a call that was
asked. What came of it closes the call. A process that is killed in between leaves calls
open; the next one to start finds them, and closes them as what they are: requests of
which nobody knows the end. So each request has exactly one row.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import count
from typing import Protocol

import msgspec

from tollbook.core.errors import BusyError, StoreError
from tollbook.core.identity import own_id
from tollbook.core.observation import (
    Call,
    Conditions,
    Evidence,
    Instant,
    Observation,
    Part,
)
from tollbook.core.problem import Problem
from tollbook.core.receipt import Receipt
from tollbook.ports import Batch, LedgerStore

SOURCE = "relay"
RECOVERED = "recovered"
"""The origin of rows that a later process wrote."""

_PORTION = 5_000
_FOREVER = 1 << 62
_OWED_MAX = 10_000
_AGAIN_SECONDS = 1


class Intake(Protocol):
    """Takes batches in."""

    async def submit(self, batch: Batch) -> list[Receipt]:
        """Give receipts once a batch is durable.

        Raises:
            BusyError: Too much is waiting; come back later.
            StoreUnavailableError: Locked, or the disk is full; nothing was taken in.
        """
        ...


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A request that is known to the ledger, if ``secured``."""

    reference: str  # "relay:<instance>:<number>"
    origin: str
    at: Instant
    model: str | None
    session: str | None
    project: str | None
    secured: bool

    @property
    def own_id(self) -> str:
        """What the request is known by, where the provider gave it no id."""
        return own_id(self.project, self.reference)


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What to do when nothing can be written."""

    fail_open: bool  # whether a request may go all the same
    write_seconds: int  # how long it waits before


class Books:
    """Opens and closes the requests of one process.

    Args:
        intake: Where they are written.
        instance: The process's own name, never used twice.
        policy: What to do when nothing can be written.
        tell: Where to say what went wrong.
    """

    def __init__(
        self,
        intake: Intake,
        instance: str,
        policy: Policy,
        tell: Callable[[str], None],
    ) -> None:
        self._intake = intake
        self._instance = instance
        self._fail_open = policy.fail_open
        self._write_seconds = policy.write_seconds
        self._tell = tell
        self._numbers = count(1)
        self._owed: set[asyncio.Task[None]] = set()
        self.unsecured = 0  # requests that went without being written down

    async def open(self, call: Call, origin: str) -> Opened:
        """Write down that a request is about to go; ``call`` without its reference.

        Raises:
            BusyError: Too much is waiting; nothing may go upstream.
            StoreUnavailableError: The ledger is locked or full; nothing may go.
        """
        reference = f"{SOURCE}:{self._instance}:{next(self._numbers)}"
        call = msgspec.structs.replace(call, reference=reference)
        secured = True
        batch = Batch(source=SOURCE, origin=origin, calls=(call,))
        try:
            await self._write_soon(batch)
        except (BusyError, StoreError) as error:
            if not self._fail_open:
                raise
            secured = False
            self.unsecured += 1
            self._tell(f"{self.unsecured} requests went unwritten (fail_open): {error}")
        return Opened(
            reference=reference,
            origin=origin,
            at=call.at or 0,
            model=call.model,
            session=call.session,
            project=call.project,
            secured=secured,
        )

    def close(self, opened: Opened, seen: Observation) -> None:
        """Write down what came of a request, as soon as the ledger lets us."""
        self._owe(
            Batch(
                source=SOURCE,
                origin=opened.origin,
                observations=(seen,),
                calls=(Call(opened.reference, asked=False),),
                lines=1,
            )
        )

    def note(
        self,
        origin: str,
        seen: Sequence[Observation],
        problems: Sequence[Problem] = (),
    ) -> None:
        """Write down what an answer told of other requests."""
        if seen or problems:
            self._owe(
                Batch(
                    source=SOURCE,
                    origin=origin,
                    observations=seen,
                    problems=problems,
                    lines=len(seen) + len(problems),
                    refused=len(problems),
                )
            )

    async def _write_soon(self, batch: Batch) -> None:
        """Write calls, or take them back: they may have been written too late."""
        try:
            async with asyncio.timeout(self._write_seconds):
                await self._intake.submit(batch)
        except TimeoutError:
            if not self._fail_open:
                answered = [Call(call.reference, asked=False) for call in batch.calls]
                self._owe(msgspec.structs.replace(batch, calls=answered))
            raise BusyError from None

    def _owe(self, batch: Batch) -> None:
        if len(self._owed) >= _OWED_MAX:
            self._tell(
                "too much waits for the ledger; the next start says what is lost"
            )
            return
        task = asyncio.get_running_loop().create_task(self._write(batch))
        self._owed.add(task)
        task.add_done_callback(self._owed.discard)

    async def settle(self) -> None:
        """Wait until all that was closed is written."""
        while self._owed:
            await asyncio.wait(self._owed)

    async def _write(self, batch: Batch) -> None:
        while True:
            try:
                await self._intake.submit(batch)
            except (BusyError, StoreError):
                await asyncio.sleep(_AGAIN_SECONDS)
            else:
                return


def instance_of(reference: str) -> str | None:
    """The process that opened a call; ``None`` for calls of others."""
    source, _, rest = reference.partition(":")
    return rest.rpartition(":")[0] if source == SOURCE else None


def recover(
    store: LedgerStore, is_alive: Callable[[str], bool], *, now: Instant
) -> int:
    """Close what processes that are no more left open; returns how many that were.

    Raises:
        StoreUnavailableError: Locked, or the disk is full; try again.
    """
    while store.post(limit=_PORTION):
        pass
    alive: dict[str, bool] = {}
    lost = []
    for call in store.unrecorded(0, _FOREVER):
        instance = instance_of(call.reference)
        if instance is None:
            continue
        if instance not in alive:
            alive[instance] = is_alive(instance)
        if not alive[instance]:
            lost.append(call)
    for start in range(0, len(lost), _PORTION):
        calls = lost[start : start + _PORTION]
        store.receive([_closing(calls)], now=now)
    return len(lost)


def _closing(calls: Sequence[Call]) -> Batch:
    return Batch(
        source=SOURCE,
        origin=RECOVERED,
        observations=[_unknown_end(call) for call in calls],
        calls=[Call(call.reference, asked=False) for call in calls],
        lines=len(calls),
    )


def _unknown_end(call: Call) -> Observation:
    return Observation(
        message_id=None,
        request_id=own_id(call.project, call.reference),
        session=call.session,
        first_at=call.at or 0,
        at=call.at or 0,
        line=0,
        parts=(Part(call.model or "", {}),),
        conditions=Conditions(),
        evidence=int(Evidence.MISSING),
        project=call.project,
        provider="anthropic",
        tags=(("state", "aborted"),),
    )
