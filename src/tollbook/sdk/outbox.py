"""What waits for the server, and the thread that brings it there.

A record waits in memory, in the thread's hand, or in the spool on disk; it leaves when
the server has answered for it. What is oldest goes first. While the server is away,
everything that comes in goes to disk, and attempts become rarer.
"""

from __future__ import annotations

import atexit
import logging
import os
import random
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import parent_process
from multiprocessing.util import Finalize
from time import monotonic
from weakref import WeakSet

import msgspec

from tollbook.sdk.delivery import Courier, Delivered, Verdict
from tollbook.sdk.spool import Segment, Spool
from tollbook.sdk.stats import Limits, Stats

_log = logging.getLogger("tollbook")
_REFUSALS_KEPT = 20
_LOG_EVERY_S = 60.0
_FINAL_WRITE_S = 0.2  # for the thread to finish what it is writing
_TURN_S = 0.02  # between two looks at records that are on their way to disk
_FIRST = 100  # before multiprocessing ends its own children
_everyone: WeakSet[Outbox] = WeakSet()


class Outbox:
    """Takes records, and never makes the caller wait for the server.

    Args:
        courier: Brings a batch to the server.
        spool: Where records wait that memory is too small or too unsafe for.
        limits: See ``Limits``.
        durable: Every record is on disk before ``add`` returns.
    """

    def __init__(
        self, courier: Courier, spool: Spool, limits: Limits, *, durable: bool
    ) -> None:
        self._courier = courier
        self._spool = spool
        self._limits = limits
        self._durable = durable
        self._closed = False
        self._begin()
        _everyone.add(self)
        if spool.left_behind():
            with self._lock:
                self._start()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._news = threading.Condition(self._lock)  # for the thread
        self._settled = threading.Condition(self._lock)  # for those who flush
        self._stats = Stats()
        self._memory: deque[bytes] = deque()
        self._memory_bytes = 0
        self._in_hand: Sequence[bytes] = ()
        self._fresh = 0  # records since the thread last looked
        self._fresh_at = 0.0
        self._flushing = 0
        self._spilling = False
        self._thread: threading.Thread | None = None
        self._attempts = 0  # in vain, since the last that was not
        self._not_before = 0.0  # no attempt before
        self._told_to_wait = False
        self._turned_at = 0.0
        self._adopt_at = 0.0
        self._said: dict[str, float] = {}

    def forget(self) -> None:  # pragma: no cover - runs in forked children only
        """In a forked child: what waits is the parent's to send."""
        self._begin()
        self._courier.forget()
        self._spool.abandon()

    # -- for the application ---------------------------------------------------------

    def add(self, line: bytes) -> None:
        """Take a record: some microseconds, whatever the server does."""
        kept = (self._durable or self._closed) and self._keep([line])
        crowded = lost = False
        with self._lock:
            self._stats.recorded += 1
            if not kept:
                self._memory.append(line)
                self._memory_bytes += len(line)
                crowded = self._memory_bytes > self._limits.memory_bytes_max
                lost = crowded and self._drop_oldest()
            self._fresh += 1
            if self._fresh == 1:
                self._fresh_at = monotonic()
                self._news.notify()
            elif self._fresh == self._limits.batch_records_max:
                self._news.notify()
            if self._thread is None and not self._closed:
                self._start()
        if crowded:
            self._relieve()
        if lost:
            self._say("memory", "memory and disk are full; the oldest records are lost")

    def flush(self, timeout: float) -> bool:
        """Send what waits now; False when not everything was answered for in time."""
        with self._lock:
            self._flushing += 1
            if not self._told_to_wait:
                self._not_before = 0.0
            if self._waiting() and self._thread is None:
                self._start()
            self._news.notify()
            try:
                return self._settled.wait_for(lambda: not self._waiting(), timeout)
            finally:
                self._flushing -= 1

    def close(self, timeout: float) -> bool:
        """Flush, and leave on disk what could not be sent in time."""
        if self._closed:
            return not self.stats.waiting
        done = self.flush(timeout)
        with self._lock:
            self._closed = True
            self._news.notify()
            thread = self._thread
        if thread is not None:
            thread.join(_FINAL_WRITE_S)
        with self._lock:
            left = [*self._in_hand, *self._memory]
            self._memory.clear()
        if left and not self._keep(left):
            with self._lock:
                self._stats.dropped += len(left)
        self._spool.close()
        atexit.unregister(self._at_exit)
        return done

    @property
    def stats(self) -> Stats:
        """A copy of what is known at this moment."""
        with self._lock:
            return msgspec.structs.replace(
                self._stats,
                waiting=self._waiting(),
                dropped=self._stats.dropped + self._spool.dropped,
                dropped_of_others=self._spool.dropped_of_others,
            )

    def _waiting(self) -> int:
        s = self._stats
        answered = s.accepted + s.repeated + s.refused
        return s.recorded - answered - s.dropped - self._spool.dropped

    def _drop_oldest(self) -> bool:
        """Keep memory bounded when not even the disk takes anything."""
        lost = 0
        while self._memory_bytes > 2 * self._limits.memory_bytes_max:
            self._memory_bytes -= len(self._memory.popleft())
            lost += 1
        self._stats.dropped += lost
        return lost > 0

    # -- threads ---------------------------------------------------------------------

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="tollbook", daemon=True)
        with suppress(RuntimeError):  # the interpreter is ending, or out of threads
            thread.start()
            self._thread = thread
            atexit.register(self._at_exit)
            if parent_process() is not None:  # pragma: no cover - it skips atexit
                Finalize(None, self._at_exit, exitpriority=_FIRST)

    def _at_exit(self) -> None:
        self.close(self._limits.exit_s)

    def _relieve(self) -> None:
        """Bring memory to disk beside the sending thread, which may hang on the net."""
        with self._lock:
            if self._spilling:
                return
            self._spilling = True
        try:
            threading.Thread(target=self._spill, name="tollbook-spill").start()
        except RuntimeError:  # pragma: no cover - the interpreter is ending
            self._spill()

    def _spill(self) -> None:
        with self._lock:
            lines, self._memory = self._memory, deque()
            self._memory_bytes = 0
        kept = not lines or self._keep(lines)
        with self._lock:
            if not kept:
                self._return(lines)
            self._spilling = False

    def _return(self, lines: Sequence[bytes]) -> None:
        self._memory.extendleft(reversed(lines))
        self._memory_bytes += sum(map(len, lines))
        self._drop_oldest()

    def _run(self) -> None:
        try:
            while self._pause():
                self._turn()
        finally:
            self._courier.close()

    def _pause(self) -> bool:
        with self._lock:
            while not self._closed:
                seconds = self._wake_at() - monotonic()
                if seconds <= 0:
                    self._fresh, self._turned_at = 0, monotonic()
                    return True
                self._news.wait(seconds)
        return False

    def _wake_at(self) -> float:
        if self._fresh:
            full = self._fresh >= self._limits.batch_records_max
            hurry = full or self._flushing > 0
            return 0.0 if hurry else self._fresh_at + self._limits.batch_age_s
        if self._waiting():
            return max(self._not_before, self._turned_at + _TURN_S)
        return max(self._adopt_at, self._not_before)

    def _turn(self) -> None:
        away = monotonic() < self._not_before
        if away or not (self._send_spooled() and self._send_memory()):
            self._spill()
        else:
            self._adopt()

    # -- sending ---------------------------------------------------------------------

    def _send_spooled(self) -> bool:
        while (segment := self._spool.take()) is not None:
            if not self._send_segment(segment):
                return False
        return True

    def _send_segment(self, segment: Segment) -> bool:
        size = self._limits.batch_records_max
        try:
            lines = segment.read()
        except OSError as error:
            self._spool.put_back(segment)
            self._fail(Delivered(reason=str(error)))
            return False
        if not segment.resolved:
            with self._lock:
                self._stats.damaged += segment.damaged
                self._stats.dropped += segment.damaged if segment.own else 0
        for start in range(0, len(lines), size):
            batch = lines[start : start + size]
            left = self._send(batch, own=segment.own)
            segment.resolved += len(batch) - len(left)
            if left:
                self._spool.put_back(segment)
                return False
        self._spool.settle(segment)
        return True

    def _send_memory(self) -> bool:
        size = self._limits.batch_records_max
        while True:
            with self._lock:
                count = min(size, len(self._memory))
                batch = [self._memory.popleft() for _ in range(count)]
                self._memory_bytes -= sum(map(len, batch))
                self._in_hand = batch
            left = self._send(batch, own=True) if batch else []
            kept = self._closed or not left or self._keep(left)
            with self._lock:
                if not kept:
                    self._return(left)
                if not self._closed:
                    self._in_hand = ()
                if left or len(self._memory) < size:
                    return not left

    def _adopt(self) -> None:
        """Send what dead processes left, once in a while."""
        if monotonic() >= self._adopt_at:
            self._adopt_at = monotonic() + self._limits.adopt_every_s
            while (segment := self._spool.adopt()) is not None:
                if not self._send_segment(segment):
                    return

    def _send(self, batch: Sequence[bytes], *, own: bool) -> Sequence[bytes]:
        """Send some records; gives those that must be sent again."""
        left = [batch]
        while left:
            if self._closed:
                break
            found = self._courier.deliver(left[-1])
            if found.verdicts:
                self._settle(found.verdicts, own=own)
                left.pop()
            elif found.split and len(left[-1]) > 1:
                piece = left.pop()
                half = len(piece) // 2
                left += [piece[half:], piece[:half]]
            else:
                self._fail(found)
                break
        return [line for piece in reversed(left) for line in piece]

    def _settle(self, verdicts: Sequence[Verdict], *, own: bool) -> None:
        refused = [verdict.reason for verdict in verdicts if verdict.refused]
        repeated = sum(verdict.status == "repeated" for verdict in verdicts)
        with self._lock:
            stats = self._stats
            if own:
                stats.refused += len(refused)
                stats.repeated += repeated
                stats.accepted += len(verdicts) - repeated - len(refused)
            else:
                stats.adopted += len(verdicts)
            stats.refusals = (*stats.refusals, *refused)[-_REFUSALS_KEPT:]
            away, stats.trouble = bool(stats.trouble), ""
            self._attempts, self._not_before, self._told_to_wait = 0, 0.0, False
            if not self._waiting():
                self._settled.notify_all()
        if away:
            _log.info("tollbook: the server answers again")
        for reason in dict.fromkeys(refused):
            self._say(reason, f"the server refuses a record: {reason}")

    def _fail(self, found: Delivered) -> None:
        """Try again later; later each time, and never all clients at once."""
        limits = self._limits
        with self._lock:
            seconds = min(limits.retry_max_s, limits.retry_min_s * 2**self._attempts)
            seconds *= random.uniform(0.5, 1.0)  # noqa: S311 - no secret
            if found.wait_s is not None:
                seconds = max(seconds, found.wait_s)
            self._attempts = min(self._attempts + 1, 32)
            self._not_before = monotonic() + seconds
            self._told_to_wait = found.wait_s is not None
            self._stats.failures += 1
            self._stats.trouble = found.reason
        self._say("away", f"not sent, kept for later: {found.reason}")

    # -- disk and log ----------------------------------------------------------------

    def _keep(self, lines: Sequence[bytes]) -> bool:
        """Bring records to disk; False when it has no room or is gone."""
        before = self._spool.dropped + self._spool.dropped_of_others
        try:
            self._spool.write(lines)
        except OSError as error:
            self._say("disk", f"{self._spool.folder}: cannot be written ({error})")
            return False
        with self._lock:
            self._stats.spooled += len(lines)
        lost = self._spool.dropped + self._spool.dropped_of_others - before
        if lost:
            self._say(
                "spool", f"{self._spool.folder}: is full; {lost} records are lost"
            )
        return True

    def _say(self, kind: str, text: str) -> None:
        """Log a kind of trouble, once a minute at most."""
        now = monotonic()
        if now >= self._said.get(kind, 0.0):
            self._said[kind] = now + _LOG_EVERY_S
            _log.warning("tollbook: %s", text)


def _forked() -> None:  # pragma: no cover - runs in forked children only
    for outbox in _everyone:
        outbox.forget()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows cannot fork
    os.register_at_fork(after_in_child=_forked)
