r"""Where a body ends: by a stated length, or by its chunks.

Chunks are read as strictly as heads (RFC 9112 section 7.1, read on 2026-11-24)::

    d\r\n
    {"events":[]}\r\n
    0\r\n
    \r\n

Extensions and trailers are allowed, short, and forgotten.
"""

from __future__ import annotations

import re
from typing import Protocol

from tollbook.http.head import malformed

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[\t ]*;[\t\x20-\x7e\x80-\xff]*)?\r\n")
_TRAILER = re.compile(
    rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[\t\x20-\x7e\x80-\xff]*+\r\n)?+\r\n"
)
_LINE_MAX = 256
_TRAILERS_MAX = 4 << 10
_CHUNKS_MAX = 64 << 10  # a body that needs more than these wants to be a nuisance


class Framing(Protocol):
    """Cuts a body out of what comes in."""

    done: bool

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """Give the content that ``data`` holds, and what is left of it.

        What is left belongs to the next request when ``done``; otherwise it is the
        beginning of something whose rest has not come yet.

        Raises:
            RefusedError: The body cannot be read one way only.
        """
        ...


class Sized:
    """A body of a stated length."""

    __slots__ = ("_missing", "done")

    def __init__(self, length: int) -> None:
        self._missing = length
        self.done = length == 0

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """Give what is still missing, at most."""
        content, rest = data[: self._missing], data[self._missing :]
        self._missing -= len(content)
        self.done = self._missing == 0
        return content, rest


class Chunked:
    """A body in chunks."""

    __slots__ = ("_chunks", "_missing", "_trailers", "done")

    def __init__(self) -> None:
        self._missing = 0  # bytes of the chunk at hand, its line end included
        self._chunks = 0
        self._trailers = -1  # bytes of trailers so far; -1 before the last chunk
        self.done = False

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """Give the content of the chunks, joined."""
        parts: list[bytes] = []
        at = 0
        while not self.done:
            if self._trailers >= 0:
                after = self._trailer(data, at)
            elif self._missing:
                after = self._content(data, at, parts)
            else:
                after = self._size(data, at)
            if after is None:
                break
            at = after
        return b"".join(parts), data[at:]

    def _size(self, data: bytes, at: int) -> int | None:
        line = _SIZE.match(data, at)
        if line is None:
            _wait(data, at, _LINE_MAX)
            return None
        self._chunks += 1
        if self._chunks > _CHUNKS_MAX or len(line[0]) > _LINE_MAX:
            malformed("the body comes in too many chunks, or in oddly described ones")
        size = int(line[1], 16)
        if size:
            self._missing = size + 2
        else:
            self._trailers = 0
        return line.end()

    def _content(self, data: bytes, at: int, parts: list[bytes]) -> int | None:
        """Take what is there of a chunk; its line end only when both bytes are."""
        size = self._missing - 2
        if size:
            part = data[at : at + size]
            parts.append(part)
            self._missing -= len(part)
            return at + len(part) if part else None
        end = data[at : at + 2]
        if not b"\r\n".startswith(end):
            malformed("a chunk is longer than it says")
        if len(end) < 2:  # noqa: PLR2004 - a line end has two bytes
            return None
        self._missing = 0
        return at + 2

    def _trailer(self, data: bytes, at: int) -> int | None:
        end = data.find(b"\r\n", at)
        if end < 0:
            _wait(data, at, _LINE_MAX)
            return None
        self._trailers += end + 2 - at
        line = data[at : end + 2] + (b"\r\n" if end > at else b"")
        long = len(line) > _LINE_MAX or self._trailers > _TRAILERS_MAX
        if long or not _TRAILER.fullmatch(line):
            malformed("the trailers are malformed or too large")
        self.done = end == at
        return end + 2


def _wait(data: bytes, at: int, size_max: int) -> None:
    r"""Leave an unfinished line to what comes next, if it can still become one."""
    line = data[at : at + size_max + 1]
    if len(line) > size_max or b"\n" in line or b"\r" in line[:-1]:
        malformed("the size of a chunk or a trailer is malformed")
