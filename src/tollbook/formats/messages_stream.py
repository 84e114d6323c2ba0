"""The usage of a streamed answer of the Messages API, metered while it passes.

The machine reads no socket and knows no clock: bytes go in, in any pieces, and at the end
comes what they said. It keeps counts, names and lengths, never a text::

    event: message_start
    data: {"type": "message_start", "message": {"id": "msg_…", "usage": {…}}}

    event: message_delta
    data: {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {…}}

``message_start`` gives the input and a placeholder for the output, ``message_delta`` the
sums so far, and events of other names are to be passed over (documented at
https://platform.claude.com/docs/en/build-with-claude/streaming, read 2026-08-21). Some
upstreams give the sums in ``message_stop``, or on every event.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tollbook.formats.event_stream import EventStream, data_of_plain, parted
from tollbook.formats.lenient_json import NOT_JSON, read_leniently
from tollbook.formats.messages_shapes import (
    Content,
    Event,
    StartedMessage,
    decode_event,
    decode_events,
)
from tollbook.formats.metered import Ended, Flag, Metered, OutputChars
from tollbook.formats.transcript_lines import Usage
from tollbook.formats.usage_so_far import UsageSoFar
from tollbook.formats.verdict import Heard, judge

_BATCH = 8192  # bytes that wait until a look at them is worth it

_START = "message_start"
_DELTA = "message_delta"
_STOP = "message_stop"
_CARRIERS = (_START, _DELTA, _STOP)
_CLOSING = (_DELTA, _STOP)
_ADDITION = "content_block_delta"
_BLOCK = "content_block_start"
_WRITING = (_BLOCK, _ADDITION)
_OTHER = "other"
_NAMED = (*_CARRIERS, _OTHER)
_KNOWN = (*_CARRIERS, *_WRITING, "content_block_stop", "ping", "error")
_PLAIN_BLOCKS = (None, "text", "thinking", "redacted_thinking", "tool_use")
_TYPE = re.compile(rb'"type"\s*:\s*"([a-z_]{1,40})"')


class StreamMeter:
    """Meters one stream. Feed it a copy of the decoded bytes, whatever they are."""

    __slots__ = (
        "_asked", "_closed", "_error", "_events", "_failed", "_held", "_message",
        "_plain", "_seen", "_status", "_stop_reason", "_stopped", "_text", "_thinking",
        "_tool_input", "_usage", "_with_usage", "_wrote",
    )  # fmt: skip

    def __init__(self, *, asked: str | None = None, status: int = 200) -> None:
        self._asked = asked
        self._status = status
        self._events = EventStream()
        self._held = bytearray()
        self._usage = UsageSoFar()
        self._message = StartedMessage()
        self._stop_reason: str | None = None
        self._seen: set[str] = set()
        self._with_usage: set[str] = set()
        self._text = self._thinking = self._tool_input = 0
        self._wrote = self._stopped = self._failed = self._closed = False
        self._plain = True
        self._error: str | None = None

    def feed(self, chunk: bytes) -> None:
        """Take in the next bytes. They are looked into a batch at a time."""
        held = self._held
        held += chunk
        if len(held) >= _BATCH:
            self._look()

    @property
    def is_final(self) -> bool:
        """Whether nothing more about usage is to come."""
        self._look()
        return self._stopped or self._failed

    def outcome(self, ended: Ended) -> Metered:
        """What the stream said. The meter takes nothing in after that."""
        self._look()
        rest = self._events.close()
        if rest and not self._closed:
            for name, data in parted(rest):
                self._read_one(name, data, torn=True)
        self._closed = True
        flags = self._usage.flags
        if self._events.unread:
            flags.add(Flag.OVERSIZED)
        if ended is Ended.WHOLE and self._seen and not (self._stopped or self._failed):
            flags.add(Flag.NO_STOP)
        message = self._message
        return judge(
            Heard(
                ended=ended,
                message_id=message.id,
                model=message.model or self._asked,
                stop_reason=self._stop_reason or message.stop_reason,
                stopped=self._stopped,
                failed=self._failed,
                began=self._wrote or bool(self._seen),
                error_type=self._error,
                plain=self._plain,
                seen_in=_in_order(self._with_usage),
                lacked=_in_order((self._seen & {_START, _DELTA}) - self._with_usage),
                output_chars=OutputChars(
                    text=self._text,
                    thinking=self._thinking,
                    tool_input=self._tool_input,
                    unread_bytes=self._events.unread,
                ),
                status=self._status,
            ),
            self._usage,
        )

    def _look(self) -> None:
        if self._held:
            block = bytes(self._held)
            self._held.clear()
            for text, is_whole in self._events.feed(block):
                if is_whole:
                    self._read(text)
                else:
                    self._note_unread(text)

    def _read(self, text: bytes) -> None:
        """Take in whole events, all at once where all are as they should be."""
        data = data_of_plain(text)
        if data is not None:
            try:
                events = decode_events(b"\n".join(data))
            except NOT_JSON:
                events = []
            if len(events) == len(data):
                self._take_all(events)
                return
        for name, one in parted(text):
            self._read_one(name, one)

    def _read_one(self, name: str | None, data: bytes, *, torn: bool = False) -> None:
        event = self._read_alone(data, torn=torn)
        if event is not None:
            if event.type is None:
                event.type = name
            self._take_all([event])

    def _read_alone(self, text: bytes, *, torn: bool) -> Event | None:
        try:
            return decode_event(text)
        except NOT_JSON:
            pass
        try:
            event, refused = read_leniently(text, Event)
        except NOT_JSON:
            if not torn:
                self._usage.flags.add(Flag.BAD_JSON)
                self._note_unread(text)
            return None
        for path in refused:
            self._usage.refuse(path)
        return event

    def _note_unread(self, text: bytes) -> None:
        """Remember at least what an event that cannot be read was."""
        named = _TYPE.search(text)
        kind = named[1].decode() if named else None
        if kind in _CARRIERS:
            self._seen.add(kind)
        elif kind in _WRITING:
            self._note_writing()
        self._stopped |= kind == _STOP

    def _take_all(self, events: Sequence[Event]) -> None:
        text = 0
        wrote = False  # since the last word about the output
        for event in events:
            if event.type == _ADDITION and event.usage is None:
                wrote = True
                added = event.delta
                if added is not None:
                    if added.text is not None:
                        text += len(added.text)
                    else:
                        self._measure(added)
                continue
            if wrote or event.type in _WRITING:
                self._note_writing()
                wrote = False
            self._take(event)
        self._text += text
        if wrote:
            self._note_writing()

    def _note_writing(self) -> None:
        """What was said of the output before was not the last word."""
        self._wrote = True
        self._usage.output_is_final = False

    def _measure(self, added: Content) -> None:
        """Count what was written; the text itself is not kept."""
        if added.text is not None:
            self._text += len(added.text)
        elif added.partial_json is not None:
            self._tool_input += len(added.partial_json)
        elif added.thinking is not None:
            self._thinking += len(added.thinking)

    def _take(self, event: Event) -> None:
        kind = event.type
        if kind not in _KNOWN:
            return
        if kind in _CARRIERS:
            self._seen.add(kind)
        elif kind in _WRITING:
            block = event.content_block or event.delta
            if block is not None:
                self._measure(block)
                self._plain &= kind == _ADDITION or block.type in _PLAIN_BLOCKS
        elif kind == "error":
            self._failed = True
            self._error = (event.error and event.error.type) or "error"
        message = event.message
        if message is not None:
            self._know(message)
            if message.usage is not None:
                self._account(message.usage, kind)
        if event.delta is not None and event.delta.stop_reason:
            self._stop_reason = event.delta.stop_reason
        if event.usage is not None:
            self._account(event.usage, kind)
        self._stopped |= kind == _STOP

    def _know(self, message: StartedMessage) -> None:
        """What a message says of itself, unless it is known."""
        known = self._message
        known.id = known.id or message.id
        known.model = known.model or message.model
        known.stop_reason = message.stop_reason or known.stop_reason

    def _account(self, usage: Usage, kind: str | None) -> None:
        if self._usage.state(usage, closing=kind in _CLOSING, wrote=self._wrote):
            self._with_usage.add(kind if kind in _CARRIERS else _OTHER)


def _in_order(kinds: set[str]) -> tuple[str, ...]:
    return tuple([kind for kind in _NAMED if kind in kinds])
