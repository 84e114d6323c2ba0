"""Content codings, undone while the bytes pass: gzip, deflate, br, zstd, lists of them.

What comes out comes in pieces of a bounded size and is bounded in all, so a small body
that stands for a huge one does no harm. A body that is cut gives what it held till then.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Protocol

import brotli  # type: ignore[import-untyped]  # a C extension without stubs
import zstandard

DECODED_MAX = 134_217_728  # bytes in all; an answer is far smaller
_PIECE = 65_536
_WINDOW_MAX = 8_388_608  # bytes; what RFC 9659 has every decoder support
_CODINGS_MAX = 3
_SAME = ("", "identity")
_WRAPPED = 15 + 32  # zlib's word for: gzip or zlib, whichever it is
_BARE = -15  # no wrapping at all, which some servers call deflate
_DEFLATED = 8  # the method in the low half of a zlib header's first byte

Sink = Callable[[bytes], object]


class TooLargeError(ValueError):
    """What a body stands for is larger than anything we look into."""


class Decoder(Protocol):
    """Undoes one coding."""

    def feed(self, chunk: bytes) -> None:
        """Take in the next bytes, and give what they stand for to the sink."""


class _Inflater:
    """gzip, with any number of members, and deflate, in either of its meanings."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._inflate: zlib._Decompress | None = None

    def feed(self, chunk: bytes) -> None:
        full = False
        while chunk or full:
            if self._inflate is None:
                is_bare = chunk[0] & 15 != _DEFLATED and chunk[0] != 0x1F  # noqa: PLR2004  # gzip's
                self._inflate = zlib.decompressobj(_BARE if is_bare else _WRAPPED)
            try:
                piece = self._inflate.decompress(chunk, _PIECE)
            except zlib.error as damage:
                raise ValueError(*damage.args) from damage
            if piece:
                self._sink(piece)
            full = len(piece) == _PIECE
            chunk = self._inflate.unconsumed_tail
            if self._inflate.eof:
                chunk = self._inflate.unused_data.lstrip(b"\0")
                self._inflate, full = None, False


class _Brotli:
    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._brotli = brotli.Decompressor()

    def feed(self, chunk: bytes) -> None:
        piece = chunk
        while piece or not self._brotli.can_accept_more_data():
            try:
                piece = self._brotli.process(chunk, output_buffer_limit=_PIECE)
            except brotli.error as damage:
                raise ValueError(*damage.args) from damage
            if piece:
                self._sink(piece)
            chunk = b""


class _Zstandard:
    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        unpack = zstandard.ZstdDecompressor(max_window_size=_WINDOW_MAX)
        self._writer = unpack.stream_writer(self, write_size=_PIECE)  # type: ignore[arg-type]  # it only writes

    def write(self, piece: bytes) -> int:
        """Pass a decoded piece on."""
        self._sink(bytes(piece))
        return len(piece)

    def feed(self, chunk: bytes) -> None:
        try:
            self._writer.write(chunk)
        except zstandard.ZstdError as damage:
            raise ValueError(*damage.args) from damage


class _Limit:
    """Passes bytes on until there are too many."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._left = DECODED_MAX

    def feed(self, piece: bytes) -> None:
        self._left -= len(piece)
        if self._left < 0:
            message = f"stands for more than {DECODED_MAX:,} bytes"
            raise TooLargeError(message)
        self._sink(piece)


_DECODERS: dict[str, Callable[[Sink], Decoder]] = {
    "gzip": _Inflater,
    "x-gzip": _Inflater,
    "deflate": _Inflater,
    "br": _Brotli,
    "zstd": _Zstandard,
}


def decoder(content_encoding: str | None, sink: Sink) -> Sink | None:
    """What undoes a ``Content-Encoding``; None where there is nothing to undo.

    Args:
        content_encoding: The header's value.
        sink: Is given the decoded bytes.

    Returns:
        A function to be called with each chunk. It raises ``ValueError`` for damaged
        bytes, and for bytes that stand for too much.

    Raises:
        ValueError: A coding is unknown, or there are too many.
    """
    names = [name.strip().lower() for name in (content_encoding or "").split(",")]
    codings = [name for name in names if name not in _SAME]
    if not codings:
        return None
    if len(codings) > _CODINGS_MAX or not _DECODERS.keys() >= set(codings):
        message = "a content coding that is not known"
        raise ValueError(message)
    for name in codings:  # the last one listed was applied last
        sink = _DECODERS[name](_Limit(sink).feed).feed
    return sink
