"""Meters whatever comes back from the Messages API, as it comes back.

It is given a copy of the body's bytes, undoes their content coding, and tells an event
stream from a JSON body by how it begins: a header may say what it likes.
"""

from __future__ import annotations

import msgspec

from tollbook.formats.content_coding import decoder
from tollbook.formats.messages_body import meter_body
from tollbook.formats.messages_stream import StreamMeter
from tollbook.formats.metered import Ended, Flag, Metered

BODY_MAX = 8_388_608  # bytes; a larger body is measured and not looked into
_BLANK = b" \t\r\n\xef\xbb\xbf"  # may stand before a body, as may a byte order mark


class AnswerMeter:
    """Meters one answer. No bytes can make it raise."""

    __slots__ = (
        "_asked", "_begun", "_body", "_damaged", "_decode", "_status", "_stream",
        "_unread",
    )  # fmt: skip

    def __init__(
        self, *, status: int, content_encoding: str | None, asked: str | None
    ) -> None:
        """Begin with the head of an answer.

        Args:
            status: The HTTP status.
            content_encoding: The header's value.
            asked: The model that was asked for, in case the answer names none.
        """
        self._status = status
        self._asked = asked
        self._stream: StreamMeter | None = None
        self._body = bytearray()
        self._begun = False  # it is known to be a stream, or a body
        self._unread = 0  # bytes of a body that are too many to be kept
        self._damaged = False
        try:
            self._decode = decoder(content_encoding, self._take)
        except ValueError:
            self._decode = None
            self._damaged = True

    def feed(self, chunk: bytes) -> None:
        """Take in the next bytes of the body, as they were sent."""
        if self._stream is not None and self._decode is None:
            self._stream.feed(chunk)
        elif self._damaged:
            pass
        elif self._decode is None:
            self._take(chunk)
        else:
            try:
                self._decode(chunk)
            except ValueError:
                self._damaged = True

    @property
    def is_final(self) -> bool:
        """Whether nothing more about usage is to come, whatever else does."""
        return self._stream is not None and self._stream.is_final

    def outcome(self, ended: Ended) -> Metered:
        """What the answer said of its usage. Nothing is taken in after that."""
        if self._damaged and ended is Ended.WHOLE:
            ended = Ended.CUT
        if self._stream is not None:
            said = self._stream.outcome(ended)
        else:
            said = meter_body(
                bytes(self._body),
                asked=self._asked,
                status=self._status,
                ended=ended,
                unread=self._unread,
            )
        if self._damaged:
            flags = tuple(sorted({*said.flags, Flag.BAD_CODING}))
            said = msgspec.structs.replace(said, flags=flags)
        return said

    def _take(self, piece: bytes) -> None:
        if self._stream is not None:
            self._stream.feed(piece)
        elif self._unread or len(self._body) + len(piece) > BODY_MAX:
            self._unread += len(self._body) + len(piece)
            self._body.clear()
        else:
            self._body += piece
            if not self._begun:
                self._begin()

    def _begin(self) -> None:
        """Tell by the first byte that says anything what this is."""
        first = self._body.lstrip(_BLANK)[:1]
        self._begun = bool(first)
        if first and first != b"{":
            self._stream = StreamMeter(asked=self._asked, status=self._status)
            self._stream.feed(bytes(self._body))
            self._body.clear()
