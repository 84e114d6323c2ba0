r"""A whole message as the events of a stream.

For upstreams that say what a message used only where it is not streamed: the message is
fetched whole, and told to a client that asked for a stream the way the Messages API
would have::

    event: message_start
    data: {"type":"message_start","message":{…,"content":[],"stop_reason":null,…}}
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

_PLACEHOLDER = 1  # the output so far, where a stream begins
_GROWING = {"text": ("text_delta", "text"), "thinking": ("thinking_delta", "thinking")}
_CALLS = ("tool_use", "server_tool_use", "mcp_tool_use")

Fields = dict[str, object]


def replay(body: bytes) -> bytes | None:
    """The events of a message; ``None`` when the body is no message."""
    try:
        message = msgspec.json.decode(body, type=Fields)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    content = message.get("content")
    if message.get("type") != "message" or not isinstance(content, list):
        return None
    return b"".join(_events(message, content))


def _events(message: Fields, content: list[object]) -> Iterator[bytes]:
    usage = message.get("usage")
    begun = message | {"content": [], "stop_reason": None, "stop_sequence": None}
    if isinstance(usage, dict):
        begun["usage"] = usage | {"output_tokens": _PLACEHOLDER}
    yield _event("message_start", message=begun)
    for index, block in enumerate(content):
        yield from _block(index, block if isinstance(block, dict) else {})
    ended = {key: message.get(key) for key in ("stop_reason", "stop_sequence")}
    ended |= {
        key: message[key] for key in ("stop_details", "container") if key in message
    }
    if isinstance(usage, dict):
        yield _event("message_delta", delta=ended, usage=usage)
    else:
        yield _event("message_delta", delta=ended)
    yield _event("message_stop")


def _block(index: int, block: Fields) -> Iterator[bytes]:
    deltas: list[Fields] = []
    kind = block.get("type")
    if kind in _GROWING:
        delta, field = _GROWING[str(kind)]
        deltas.append({"type": delta, field: block.get(field, "")})
        deltas += [
            {"type": "citations_delta", "citation": each}
            for each in _listed(block.get("citations"))
        ]
        if "signature" in block:
            signature = block["signature"]
            deltas.append({"type": "signature_delta", "signature": signature})
        block = (
            block | {field: ""} | ({"signature": ""} if "signature" in block else {})
        )
        block.pop("citations", None)
    elif kind in _CALLS:
        told = msgspec.json.encode(block.get("input", {})).decode()
        deltas.append({"type": "input_json_delta", "partial_json": told})
        block = block | {"input": {}}
    yield _event("content_block_start", index=index, content_block=block)
    for each in deltas:
        yield _event("content_block_delta", index=index, delta=each)
    yield _event("content_block_stop", index=index)


def _listed(said: object) -> list[object]:
    return said if isinstance(said, list) else []


def _event(kind: str, **fields: object) -> bytes:
    told = msgspec.json.encode({"type": kind, **fields})
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), told)
