"""Bodies: read within limits, unpacked within limits, all together within limits."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import zstandard

from tollbook.http.exchange import RefusedError

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_STEP_BYTES = 64 << 10
_INLINE_BYTES = 32 << 10  # more is unpacked in a thread: it could take milliseconds
_MEMBERS_MAX = 64  # of a body's parts; each may be empty and still cost time
_WINDOW_BYTES_MAX = 8 << 20  # what RFC 8878 asks every zstd decoder to bear
_GZIP = zlib.MAX_WBITS | 16


class DisconnectedError(Exception):
    """The client has gone; nobody waits for an answer."""


class Budget:
    """How many bytes all bodies may hold in memory at one time.

    Args:
        bytes_max: The whole process's share.
    """

    def __init__(self, bytes_max: int) -> None:
        self._left = bytes_max

    def take(self, size: int) -> None:
        """Count bytes in.

        Raises:
            RefusedError: There is no room now.
        """
        if size > self._left:
            raise RefusedError(
                503,
                "busy",
                "the server holds as many bodies as it may; try again in a second",
                (("Retry-After", "1"),),
            )
        self._left -= size

    def give_back(self, size: int) -> None:
        """Count bytes out."""
        self._left += size


class Body:
    """The body of one request, and its share of the budget until it is closed.

    Args:
        budget: Shared by all.
        size_max: Bytes it may have, on the way and unpacked.
    """

    __slots__ = ("_budget", "_size_max", "_taken")

    def __init__(self, budget: Budget, size_max: int) -> None:
        self._budget = budget
        self._size_max = size_max
        self._taken = 0

    async def read(self, receive: Receive, headers: Mapping[str, str]) -> bytes:
        """Read it to its end and unpack it.

        Raises:
            RefusedError: Too large, unreadable, or no room.
            DisconnectedError: The client did not finish it.
        """
        coding = headers.get("content-encoding", "identity").strip().lower()
        if coding not in _UNPACK and coding != "identity":
            raise _unknown()
        if int(headers.get("content-length", "0")) > self._size_max:
            raise self._too_large()
        packed = await self._receive(receive)
        if coding == "identity":
            return packed
        self._take(self._size_max)  # at most; what is not needed goes back below
        unpack = _UNPACK[coding]
        try:
            if len(packed) <= _INLINE_BYTES:
                body = unpack(packed, self._size_max)
            else:
                body = await asyncio.to_thread(unpack, packed, self._size_max)
        except (zlib.error, zstandard.ZstdError, EOFError) as error:
            text = f"the body is no whole {coding}; send it again"
            raise RefusedError(400, "unreadable_body", text) from error
        if body is None:
            raise self._too_large()
        self._shrink(len(body))
        return body

    def close(self) -> None:
        """Give back its share."""
        self._shrink(0)

    async def _receive(self, receive: Receive) -> bytes:
        parts: list[bytes] = []
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise DisconnectedError
            part = bytes(message.get("body", b""))
            size += len(part)
            if size > self._size_max:
                raise self._too_large()
            if part:
                self._take(len(part))
                parts.append(part)
            more = message.get("more_body", False)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _take(self, size: int) -> None:
        self._budget.take(size)
        self._taken += size

    def _shrink(self, size: int) -> None:
        self._budget.give_back(self._taken - size)
        self._taken = size

    def _too_large(self) -> RefusedError:
        text = f"the body is larger than {self._size_max} bytes; send less at a time"
        return RefusedError(413, "body_too_large", text)


def _unknown() -> RefusedError:
    return RefusedError(
        415,
        "unknown_encoding",
        "Content-Encoding: use gzip, zstd, or none",
        (("Accept-Encoding", "gzip, zstd"),),
    )


def _gunzip(packed: bytes, size_max: int) -> bytes | None:
    """Unpack gzip; ``None`` when it is larger than allowed."""
    parts: list[bytes] = []
    size = 0
    for _ in range(_MEMBERS_MAX):
        member = zlib.decompressobj(_GZIP)
        part = member.decompress(packed, size_max + 1 - size)
        parts.append(part)
        size += len(part)
        packed = member.unused_data
        if size > size_max:
            return None
        if member.eof and not packed:
            return b"".join(parts)
        if not member.eof:
            break
    raise EOFError


def _unzstd(packed: bytes, size_max: int) -> bytes | None:
    """Unpack zstd; ``None`` when it is larger than allowed.

    One way of the library's keeps to a size, the other knows where a frame ends; so the
    first measures and the second reads.
    """
    decoder = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES_MAX)
    size = 0
    with decoder.stream_reader(packed, read_across_frames=True) as reader:
        while part := reader.read(_STEP_BYTES):
            size += len(part)
            if size > size_max:
                return None
    parts: list[bytes] = []
    for _ in range(_MEMBERS_MAX):
        frame = decoder.decompressobj()
        parts.append(frame.decompress(packed))
        packed = frame.unused_data
        if frame.eof and not packed:
            return b"".join(parts)
        if not frame.eof:
            break
    raise EOFError


_UNPACK: Mapping[str, Callable[[bytes, int], bytes | None]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "zstd": _unzstd,
}
