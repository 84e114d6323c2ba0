"""Streams of the Messages API, made for tests."""

from __future__ import annotations

import json

ID = "msg_01" + "A" * 22
MODEL = "claude-opus-5-5"
PROMPT = {
    "input_tokens": 812,
    "cache_creation_input_tokens": 300,
    "cache_read_input_tokens": 20480,
    "cache_creation": {
        "ephemeral_5m_input_tokens": 200,
        "ephemeral_1h_input_tokens": 100,
    },
}
STARTED = {**PROMPT, "output_tokens": 1, "service_tier": "standard"}
COUNTS = {
    "uncached_input_tokens": 812,
    "cache_read_input_tokens": 20480,
    "cache_write_5m_tokens": 200,
    "cache_write_1h_tokens": 100,
    "output_tokens": 377,
}
NOTHING = object()
"""In place of a usage: the field is not there at all."""


def event(kind: str, **fields: object) -> bytes:
    """One event as the API writes it; a field that is NOTHING is left out."""
    said = {key: value for key, value in fields.items() if value is not NOTHING}
    data = json.dumps({"type": kind, **said}, ensure_ascii=False)
    return f"event: {kind}\ndata: {data}\n\n".encode()


def start(usage: object = STARTED, **fields: object) -> bytes:
    """How a message begins."""
    message = {"id": ID, "model": MODEL, "stop_reason": None, "usage": usage, **fields}
    said = {key: value for key, value in message.items() if value is not NOTHING}
    return event("message_start", message=said)


def block(kind: str = "text") -> bytes:
    """How a block of content begins."""
    return event("content_block_start", index=0, content_block={"type": kind})


def text(words: str = "Hello") -> bytes:
    """Something written."""
    delta = {"type": "text_delta", "text": words}
    return event("content_block_delta", index=0, delta=delta)


def delta(usage: object, stop_reason: str | None = "end_turn") -> bytes:
    """How a message ends."""
    return event("message_delta", delta={"stop_reason": stop_reason}, usage=usage)


STOP = event("message_stop")
WRITTEN = block() + text() + event("content_block_stop", index=0)
FINAL = delta({"output_tokens": 377})
WHOLE = start() + event("ping") + WRITTEN + FINAL + STOP
