"""The shapes of the Messages API's answers, as far as they speak of usage or length.

Read from the provider's own types (``anthropic`` 2.12.0) and from recordings
(2026-11-22). Texts are read to be measured, and let go. Fields keep the foreign
spelling; what is not named here is skipped undecoded.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from tollbook.formats.transcript_lines import Usage

NAME_MAX = 200
Name = Annotated[str, msgspec.Meta(max_length=NAME_MAX)]


class ErrorDetail(msgspec.Struct, gc=False):
    """What went wrong, by the provider's name for it; its text is not read."""

    type: Name | None = None


class Content(msgspec.Struct, gc=False):
    """A block of content, or an addition to one."""

    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    stop_reason: Name | None = None  # in the addition to a message


class StartedMessage(msgspec.Struct, gc=False):
    """The message an event speaks of."""

    id: Name | None = None
    model: Name | None = None
    stop_reason: Name | None = None
    usage: Usage | None = None


class Event(msgspec.Struct, gc=False):
    """Any event of a stream."""

    type: str | None = None
    message: StartedMessage | None = None
    content_block: Content | None = None
    delta: Content | None = None
    usage: Usage | None = None
    error: ErrorDetail | None = None


class NamedEvent(Event, gc=False, kw_only=True):
    """An event that says itself what it is."""

    type: str


class WrittenBlock(msgspec.Struct, gc=False):
    """A block of a whole message."""

    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    input: msgspec.Raw = msgspec.Raw()


class Body(msgspec.Struct, gc=False):
    """A whole message, or an error in its place."""

    type: str | None = None
    id: Name | None = None
    model: Name | None = None
    stop_reason: Name | None = None
    content: list[WrittenBlock] | None = None
    usage: Usage | None = None
    error: ErrorDetail | None = None


decode_events = msgspec.json.Decoder(NamedEvent).decode_lines
decode_event = msgspec.json.Decoder(Event).decode
decode_body = msgspec.json.Decoder(Body).decode
