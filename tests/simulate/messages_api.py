"""A small Messages API on this machine: streams a few answers, and remembers what for.

Every answer has its own counts, so that one that is lost or counted twice shows in any
sum. The first answer of a conversation calls a tool; with the tool's result the next one
ends it. Nothing here is the provider's text.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import msgspec
from starlette.types import Receive, Scope, Send

THOUGHT_SECONDS = 0.2
"""How long an answer takes, so that it is later than its question to any clock."""

JSON = [(b"content-type", b"application/json")]


class Answered(msgspec.Struct, frozen=True):
    """One answer that would be billed."""

    message_id: str
    request_id: str
    model: str
    usage: dict[str, int]  # by our units


class MessagesApi:
    """The ASGI application; ``served`` is the truth."""

    def __init__(self) -> None:
        self.served: list[Answered] = []
        self.asked: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.asked.append(f"{scope['method']} {scope['path']}")
        if (scope["method"], scope["path"]) != ("POST", "/v1/messages"):
            status = 200 if scope["method"] == "HEAD" else 404
            await _reply(send, status, JSON, b"{}")
            return
        asked = json.loads(body)
        await asyncio.sleep(THOUGHT_SECONDS)
        answer, message = self._answer(asked)
        headers = [(b"request-id", answer.request_id.encode())]
        if asked.get("stream"):
            headers.append((b"content-type", b"text/event-stream"))
            await _reply(send, 200, headers, b"".join(_events(message)))
        else:
            await _reply(send, 200, headers + JSON, json.dumps(message).encode())

    def _answer(self, asked: dict[str, object]) -> tuple[Answered, dict[str, object]]:
        number = len(self.served) + 1
        usage = {
            "uncached_input_tokens": 1000 + number,
            "cache_read_input_tokens": 40_000 + number,
            "cache_write_5m_tokens": 2000 + number,
            "cache_write_1h_tokens": 300 + number,
            "output_tokens": 50 + number,
        }
        served = Answered(
            f"msg_test{number:020d}",
            f"req_test{number:020d}",
            str(asked["model"]),
            usage,
        )
        self.served.append(served)
        calls = bool(asked.get("tools")) and number % 2 == 1
        return served, {
            "id": served.message_id,
            "type": "message",
            "role": "assistant",
            "model": served.model,
            "content": [_tool_use(number) if calls else _text(number)],
            "stop_reason": "tool_use" if calls else "end_turn",
            "stop_sequence": None,
            "usage": _wire_usage(usage),
        }


def _text(number: int) -> dict[str, object]:
    return {"type": "text", "text": f"SECRETANSWER {number}"}


def _tool_use(number: int) -> dict[str, object]:
    return {
        "type": "tool_use",
        "id": f"toolu_test{number:016d}",
        "name": "Bash",
        "input": {"command": "echo SECRETCOMMAND", "description": "echo"},
    }


def _wire_usage(usage: dict[str, int]) -> dict[str, object]:
    minutes, hour = usage["cache_write_5m_tokens"], usage["cache_write_1h_tokens"]
    return {
        "input_tokens": usage["uncached_input_tokens"],
        "cache_read_input_tokens": usage["cache_read_input_tokens"],
        "cache_creation_input_tokens": minutes + hour,
        "cache_creation": {
            "ephemeral_5m_input_tokens": minutes,
            "ephemeral_1h_input_tokens": hour,
        },
        "output_tokens": usage["output_tokens"],
        "service_tier": "standard",
        "inference_geo": "global",
        "speed": "standard",
    }


def _events(message: dict[str, object]) -> Iterator[bytes]:
    """A message as the events of a stream."""
    content, usage = message["content"], message["usage"]
    assert isinstance(content, list)
    assert isinstance(usage, dict)
    begun = {**message, "content": [], "stop_reason": None}
    begun["usage"] = {**usage, "output_tokens": 1}
    yield _event({"type": "message_start", "message": begun})
    for index, block in enumerate(content):
        tool = block["type"] == "tool_use"
        empty = {**block, "input": {}} if tool else {**block, "text": ""}
        delta = (
            {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
            if tool
            else {"type": "text_delta", "text": block["text"]}
        )
        start = {"type": "content_block_start", "index": index, "content_block": empty}
        yield _event(start)
        yield _event({"type": "content_block_delta", "index": index, "delta": delta})
        yield _event({"type": "content_block_stop", "index": index})
    final = {"output_tokens": usage["output_tokens"]}
    ended = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield _event({"type": "message_delta", "delta": ended, "usage": final})
    yield _event({"type": "message_stop"})


def _event(said: dict[str, object]) -> bytes:
    return f"event: {said['type']}\ndata: {json.dumps(said)}\n\n".encode()


async def _reply(
    send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    sized = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": sized})
    await send({"type": "http.response.body", "body": body})
