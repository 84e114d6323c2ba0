"""A message told as a stream (``tollbook.formats.messages_replay``)."""

from __future__ import annotations

import json

import msgspec
import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter

from tollbook.formats.messages_replay import replay
from tollbook.formats.messages_stream import StreamMeter
from tollbook.formats.metered import Ended

MESSAGE = {
    "id": "msg_01AAAAAAAAAAAAAAAAAAAAAA",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-5-5",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
        {"type": "text", "text": "a\u00e9\U0001f642", "citations": None},
        {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"a": [1, {}]}},
        {"type": "redacted_thinking", "data": "x"},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {"input_tokens": 7, "output_tokens": 50},
}


def events_of(stream: bytes) -> list[dict[str, object]]:
    """The data of each event."""
    return [
        json.loads(part.partition(b"data: ")[2])
        for part in stream.split(b"\n\n")
        if part
    ]


def test_the_library_puts_the_same_message_together_again() -> None:
    stream = replay(msgspec.json.encode(MESSAGE))
    assert stream is not None
    adapter: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)
    snapshot = None
    bufs: dict[int, bytes] = {}
    for said in events_of(stream):
        event = adapter.validate_python(said)
        snapshot = accumulate_event(
            event=event, current_snapshot=snapshot, json_bufs=bufs
        )

    assert snapshot is not None
    told = Message.model_validate(snapshot.model_dump())
    assert told.model_dump(exclude_none=True) == Message.model_validate(
        MESSAGE
    ).model_dump(exclude_none=True)


def test_the_usage_is_the_messages_own() -> None:
    meter = StreamMeter()
    meter.feed(replay(msgspec.json.encode(MESSAGE)) or b"")
    metered = meter.outcome(Ended.WHOLE)

    assert metered.state == "complete"
    assert metered.parts[0].usage["output_tokens"] == 50


def test_citations_come_one_by_one() -> None:
    block = {"type": "text", "text": "x", "citations": [{"type": "a"}, {"type": "b"}]}
    stream = replay(msgspec.json.encode({**MESSAGE, "content": [block]}))
    kinds = [str(event["type"]) for event in events_of(stream or b"")]

    assert kinds.count("content_block_delta") == 3


def test_without_usage_none_is_made_up() -> None:
    bare = {"type": "message", "content": ["odd"], "stop_details": {"category": "x"}}
    stream = replay(msgspec.json.encode(bare)) or b""

    assert b"usage" not in stream
    assert b'"stop_details":{"category":"x"}' in stream


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"type":"message"}', b"\xff"])
def test_what_is_no_message_is_not_told(body: bytes) -> None:
    assert replay(body) is None
