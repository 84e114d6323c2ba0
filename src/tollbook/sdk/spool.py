r"""Records on disk that wait for the server.

A folder belongs to one server and project and is shared by every process that reports to
it. A file in it is a *segment*; each line is the CRC-32 of a record and the record::

    6c0e94d1 {"id":"tb-9f3c…","model":"claude-opus-5-5","output_tokens":500}

Whoever writes or sends a segment holds its lock. The lock of a dead process is gone, so
the next one takes its segments up; a last line that was cut is noticed by its checksum.
"""

from __future__ import annotations

import os
import time
import zlib
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from errno import ENOSPC
from itertools import count
from threading import Lock

from tollbook.sdk.lock import hold

_SUFFIX = ".ndjson"
_MARK = 9  # eight hexadecimal digits and a space
_numbers = count()


class SpoolFullError(OSError):
    """The folder holds as much as it may, and all of it is in other hands."""


class Segment:
    """One file of records, held by this process."""

    def __init__(self, path: str, handle: int, *, own: bool) -> None:
        self.path = path
        self.own = own  # written by this process
        self.size = os.fstat(handle).st_size
        self.resolved = 0  # lines from the beginning that need no more care
        self.damaged = 0  # lines without their checksum
        self._handle = handle

    def append(self, lines: Sequence[bytes], *, sync: bool) -> None:
        """Add records, whole or not at all.

        Raises:
            OSError: The disk is full or gone; the segment is as it was.
        """
        block = b"".join([b"%08x %b\n" % (zlib.crc32(line), line) for line in lines])
        try:
            written = os.write(self._handle, block)
            if sync:
                os.fsync(self._handle)
        except OSError:
            self._cut()
            raise
        if written != len(block):
            self._cut()
            raise OSError(ENOSPC, os.strerror(ENOSPC), self.path)
        self.size += len(block)

    def _cut(self) -> None:
        with suppress(OSError):  # what is left of a line is noticed when it is read
            os.ftruncate(self._handle, self.size)

    def read(self) -> list[bytes]:
        """The records that still need care, oldest first."""
        with open(self._handle, "rb", closefd=False) as file:
            file.seek(0)
            found = file.read().split(b"\n")
        lines = [line[_MARK:] for line in found if _is_sound(line)]
        self.damaged = sum(map(bool, found)) - len(lines)
        return lines[self.resolved :]

    def discard(self) -> None:
        """Let it be gone; nobody who comes late finds anything in it."""
        with suppress(OSError):
            os.ftruncate(self._handle, 0)
        self.release()
        with suppress(OSError):
            os.unlink(self.path)

    def release(self) -> None:
        """Leave it on disk for whoever comes next."""
        os.close(self._handle)


class Spool:
    """The segments this process holds, and the folder others leave theirs in.

    Args:
        folder: Made when it is first needed, readable by its owner only.
        bytes_max: What the folder may hold; the oldest segments go first.
        segment_bytes_max: From this size on a new segment is begun.
    """

    def __init__(
        self,
        folder: str,
        *,
        bytes_max: int = 256 << 20,
        segment_bytes_max: int = 1 << 20,
    ) -> None:
        self.folder = folder
        self.dropped = 0  # own records that had to go for newer ones
        self.dropped_of_others = 0  # those of other processes
        self._bytes_max = bytes_max
        self._segment_bytes_max = min(segment_bytes_max, bytes_max // 4)
        self._lock = Lock()
        self._current: Segment | None = None
        self._sealed: deque[Segment] = deque()
        self._taken: Segment | None = None
        self._closed = False

    def write(self, lines: Sequence[bytes], *, sync: bool = True) -> None:
        """Keep records for later.

        Raises:
            OSError: They could not be kept.
        """
        with self._lock:
            current = self._current
            if current is not None and current.size >= self._segment_bytes_max:
                self._seal()
            if self._current is None:
                self._make_room(sum(map(len, lines)))
                self._current = self._begin()
            try:
                self._current.append(lines, sync=sync)
            except OSError:
                self._seal()
                raise

    def take(self) -> Segment | None:
        """The oldest segment this process wrote, to be settled or put back."""
        with self._lock:
            if not self._sealed:
                self._seal()
            self._taken = self._sealed.popleft() if self._sealed else None
            return self._taken

    def adopt(self) -> Segment | None:
        """A segment whose process is gone, the oldest first; to be settled or put back."""
        with self._lock:
            self._taken = self._orphan()
            return self._taken

    def put_back(self, segment: Segment) -> None:
        """Try it again later, or leave that to the next process."""
        with self._lock:
            self._taken = None
            if self._closed:
                segment.release()
            else:
                self._sealed.appendleft(segment)

    def settle(self, segment: Segment) -> None:
        """Every record of it is where it belongs."""
        with self._lock:
            segment.discard()
            self._taken = None

    def left_behind(self) -> bool:
        """Whether the folder holds anything, in whosever hands."""
        return bool(self._names())

    def close(self) -> None:
        """Leave everything to the next process."""
        with self._lock:
            self._closed = True
            self._seal()
            while self._sealed:
                self._sealed.popleft().release()

    def abandon(self) -> None:  # pragma: no cover - runs in forked children only
        """In a forked child: close the parent's files, whose locks stay with the parent."""
        for segment in (*self._sealed, self._current, self._taken):
            if segment is not None:
                segment.release()
        self._lock = Lock()
        self._current = self._taken = None
        self._sealed.clear()

    def _seal(self) -> None:
        if self._current is not None:
            if self._current.size:
                self._sealed.append(self._current)
            else:
                self._current.discard()
            self._current = None

    def _begin(self) -> Segment:
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        while True:
            name = f"{time.time_ns():020d}-{os.getpid()}-{next(_numbers)}{_SUFFIX}"
            path = os.path.join(self.folder, name)
            flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND
            handle = os.open(path, flags, 0o600)
            if hold(handle) and os.fstat(handle).st_nlink:
                return Segment(path, handle, own=True)
            os.close(handle)  # pragma: no cover - another process was faster

    def _orphan(self) -> Segment | None:
        for name in self._names():
            path = os.path.join(self.folder, name)
            try:
                handle = os.open(path, os.O_RDWR | os.O_APPEND)
            except OSError:
                continue
            if hold(handle) and os.fstat(handle).st_nlink:
                return Segment(path, handle, own=False)
            os.close(handle)
        return None

    def _names(self) -> list[str]:
        try:
            return sorted(n for n in os.listdir(self.folder) if n.endswith(_SUFFIX))
        except OSError:
            return []

    def _make_room(self, wanted: int) -> None:
        """Drop the oldest segments until another one fits; the dead's before one's own."""
        room = self._bytes_max - max(wanted, self._segment_bytes_max)
        while self._held_bytes() > max(room, 0):
            oldest = self._orphan()
            if oldest is not None:
                self.dropped_of_others += len(oldest.read())
            elif self._sealed:
                oldest = self._sealed.popleft()
                lost = len(oldest.read())
                self.dropped += lost if oldest.own else 0
                self.dropped_of_others += 0 if oldest.own else lost
            else:
                text = (
                    f"{self.folder}: is full and in use; make room or raise its limit"
                )
                raise SpoolFullError(text)
            oldest.discard()

    def _held_bytes(self) -> int:
        total = 0
        for name in self._names():
            with suppress(OSError):
                total += os.stat(os.path.join(self.folder, name)).st_size
        return total


def _is_sound(line: bytes) -> bool:
    return line[:_MARK] == b"%08x " % zlib.crc32(line[_MARK:])
