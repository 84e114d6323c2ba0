"""One writer for many senders: small requests share a write to the disk.

Whoever submits a batch waits until it is durable, together with all that came in while
the disk was busy. What follows from it is derived a moment later, in larger portions, by
the same thread, so that two writers never wait for each other.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from threading import Condition, Thread

import msgspec

from tollbook.core.errors import BusyError, StoreError
from tollbook.core.observation import Instant
from tollbook.core.receipt import Receipt
from tollbook.ports import Batch, LedgerStore, size_of

_GROUP_FACTS = 5_000  # one write to the disk
_QUEUED_FACTS_MAX = 20_000  # not durable yet
_WAITING_FACTS_MAX = 200_000  # durable, not posted yet
_PORTION, _PORTION_LATE = 500, 2_000  # facts to post at once; many at once cost less
_LATE = 4_000  # waiting facts from which on there is something to catch up with
_TOO_LATE = 12_000  # and from which on that is as urgent as answering
_PAUSE_SECONDS = 1  # after the store could not be used


class _Submitted:
    """A batch, and who waits for its receipts."""

    __slots__ = ("batch", "future", "loop", "size")

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.size = size_of(batch) + len(batch.problems)
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[list[Receipt]] = self.loop.create_future()


class IntakeState(msgspec.Struct, frozen=True, kw_only=True):
    """What an intake has done since it began, and what is before it."""

    received: int = 0  # facts made durable
    posted: int = 0
    refused: int = 0  # batches that came while too much was waiting
    queued: int = 0  # facts not durable yet
    waiting: int = 0  # facts received and not posted, of this process
    trouble: str | None = None  # why the store cannot be used just now


class Intake:
    """Takes batches from an event loop and gives them to a store in a thread.

    Args:
        open_store: Opens the store; called in the thread that will use it.
        clock: What time it is, for ``recorded_at``.
    """

    def __init__(
        self, open_store: Callable[[], LedgerStore], clock: Callable[[], Instant]
    ) -> None:
        self._open_store = open_store
        self._clock = clock
        self._queue: deque[_Submitted] = deque()
        self._changed = Condition()
        self._closing = False
        self._queued = self._received = self._posted = self._refused = 0
        self._posted_at = self._post_took = 0  # nanoseconds
        self._trouble: str | None = None
        self._thread = Thread(target=self._run, name="tollbook-intake", daemon=True)

    def start(self) -> None:
        """Begin; what an earlier process received and did not post is posted now."""
        self._thread.start()

    def close(self, timeout: int = 30) -> bool:
        """Write and post all that was submitted; whether that took fewer seconds."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    async def submit(self, batch: Batch) -> list[Receipt]:
        """Give a receipt for each observation once all are durable.

        Raises:
            BusyError: Too much is waiting; come back later.
            StoreUnavailableError: Locked, or the disk is full; nothing was taken in.
        """
        item = _Submitted(batch)
        with self._changed:
            if self._closing or self._is_full():
                self._refused += 1
                raise BusyError
            self._queue.append(item)
            self._queued += item.size
            self._changed.notify()
        return await item.future

    def state(self) -> IntakeState:
        """A look at it, from any thread."""
        with self._changed:
            return IntakeState(
                received=self._received,
                posted=self._posted,
                refused=self._refused,
                queued=self._queued,
                waiting=max(0, self._received - self._posted),
                trouble=self._trouble,
            )

    def _is_full(self) -> bool:
        waiting = self._received - self._posted
        return self._queued >= _QUEUED_FACTS_MAX or waiting >= _WAITING_FACTS_MAX

    # -- the thread ------------------------------------------------------------------

    def _run(self) -> None:
        store = None
        while store is None:
            try:
                store = self._open_store()
            except StoreError as error:
                if self._give_up(error):
                    return
        try:
            while self._serve(store):
                pass
        finally:
            store.close()

    def _give_up(self, error: StoreError) -> bool:
        """The store cannot be opened: answer those who wait, and try again later."""
        self._note(error)
        for item in self._taken():
            _fail([item], error)
        with self._changed:
            self._changed.wait_for(lambda: self._closing, _PAUSE_SECONDS)
            return self._closing

    def _serve(self, store: LedgerStore) -> bool:
        """One round: write what came in, derive a portion; False when all is done."""
        group = self._taken()
        if group:
            self._write(store, group)
        posted = self._post(store) if self._may_post() else 0
        with self._changed:
            if self._queue or posted:
                return True
            if self._closing:
                return False
            pause = _PAUSE_SECONDS if self._trouble else None
            self._changed.wait_for(lambda: self._queue or self._closing, pause)
            return True

    def _taken(self) -> list[_Submitted]:
        """The oldest batches, as many as one write should hold."""
        group: list[_Submitted] = []
        size = 0
        with self._changed:
            while self._queue and size < _GROUP_FACTS:
                item = self._queue.popleft()
                group.append(item)
                size += item.size
            self._queued -= size
        return group

    def _write(self, store: LedgerStore, group: list[_Submitted]) -> None:
        try:
            batches = [item.batch for item in group]
            receipts = store.receive(batches, now=self._clock())
        except StoreError as error:
            self._note(error)
            _fail(group, error)
        except Exception as error:  # noqa: BLE001 - one bad batch must not end the service
            if len(group) > 1:  # nor fail those beside it
                for item in group:
                    self._write(store, [item])
                return
            self._note(error)
            _fail(group, error)
        else:
            with self._changed:
                self._received += sum(size_of(batch) for batch in batches)
                self._trouble = None
            _answer(group, receipts)

    def _post(self, store: LedgerStore) -> int:
        waiting = self._received - self._posted
        started = time.monotonic_ns()
        try:
            posted = store.post(limit=_PORTION_LATE if waiting >= _LATE else _PORTION)
        except Exception as error:  # noqa: BLE001 - it stays in the inbox
            self._note(error)
            return 0
        with self._changed:
            self._posted_at = time.monotonic_ns()
            self._post_took = self._posted_at - started
            self._posted += posted
            self._received = max(self._received, self._posted)  # some were here before
        return posted

    def _may_post(self) -> bool:
        """Whether it is the sums' turn.

        Senders wait for their receipts, and nobody for the sums: a tenth of the time is
        theirs while somebody waits, and half of it when they fall behind.
        """
        waiting = self._received - self._posted
        pause = self._post_took * (1 if waiting >= _TOO_LATE else 9)
        rested = time.monotonic_ns() - self._posted_at >= pause
        return not self._queue or rested or waiting >= _WAITING_FACTS_MAX // 2

    def _note(self, error: Exception) -> None:
        with self._changed:
            self._trouble = str(error) or repr(error)


def _answer(group: list[_Submitted], receipts: list[list[Receipt]]) -> None:
    """Wake everybody whose batch is durable: one call for each event loop."""
    by_loop: dict[
        asyncio.AbstractEventLoop, list[tuple[_Submitted, list[Receipt]]]
    ] = {}
    for item, found in zip(group, receipts, strict=True):
        by_loop.setdefault(item.loop, []).append((item, found))

    def wake(pairs: list[tuple[_Submitted, list[Receipt]]]) -> None:
        for item, found in pairs:
            if not item.future.done():
                item.future.set_result(found)

    for loop, pairs in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(wake, pairs)


def _fail(group: list[_Submitted], error: Exception) -> None:
    def wake(item: _Submitted) -> None:
        if not item.future.done():
            item.future.set_exception(error)

    for item in group:
        if not item.loop.is_closed():
            item.loop.call_soon_threadsafe(wake, item)
