"""Transcript lines as Claude Code writes them, and as it never should, for tests."""

from __future__ import annotations

import json
from collections.abc import Mapping

from hypothesis import strategies as st

from strategies import MESSAGE_IDS, Dice, diced
from tollbook.core.event import UsageEvent
from tollbook.core.identity import Identity
from tollbook.core.merge import merge
from tollbook.formats.transcript import Parsed, parse_block

ID = MESSAGE_IDS[0]
AT = "2026-11-22T03:18:35.285Z"
AT_MS = 1_795_317_515_285
USAGE: Mapping[str, object] = {
    "input_tokens": 100,
    "cache_creation_input_tokens": 300,
    "cache_read_input_tokens": 2000,
    "output_tokens": 502,
    "cache_creation": {
        "ephemeral_5m_input_tokens": 200,
        "ephemeral_1h_input_tokens": 100,
    },
    "service_tier": "standard",
    "inference_geo": "global",
    "iterations": [],
    "speed": "standard",
}
COUNTS = {
    "uncached_input_tokens": 100,
    "cache_read_input_tokens": 2000,
    "cache_write_5m_tokens": 200,
    "cache_write_1h_tokens": 100,
    "output_tokens": 502,
}
STEPS = [{"type": "message", "input_tokens": 5}]
NOTHING = object()
"""Stands for a field that is left out."""


def compact(value: object) -> bytes:
    """JSON as Claude Code writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def filled(fields: Mapping[str, object]) -> dict[str, object]:
    """The fields that are there."""
    return {name: value for name, value in fields.items() if value is not NOTHING}


def answer(
    message: Mapping[str, object] | None = None,
    usage: Mapping[str, object] | object = NOTHING,
    **line: object,
) -> dict[str, object]:
    """A response's line; what is given replaces or adds to the usual."""
    known = USAGE if usage is NOTHING else usage
    return filled(
        {
            "type": "assistant",
            "uuid": "u-2",
            "parentUuid": "u-1",
            "timestamp": AT,
            "sessionId": "session-1",
            "cwd": "/work",
            "gitBranch": "main",
            "isSidechain": False,
            "requestId": "req_1",
            "message": filled(
                {
                    "id": ID,
                    "type": "message",
                    "model": "claude-opus-5-5",
                    "content": [{"type": "text", "text": "."}],
                    "stop_reason": "end_turn",
                    "usage": known,
                    **(message or {}),
                }
            ),
            **line,
        }
    )


def counted(output: int, *, final: bool = True, **line: object) -> dict[str, object]:
    """A line with an output count, of a stream that has ended or has not."""
    stop = "end_turn" if final else None
    usage = {**USAGE, "output_tokens": output}
    return answer({"stop_reason": stop}, usage, **line)


def request(reference: str = "ask-1", **fields: object) -> dict[str, object]:
    """The line of a request that was sent."""
    return filled(
        {
            "type": "api-request",
            "id": reference,
            "timestamp": AT,
            "sessionId": "session-1",
            "params": {"model": "claude-opus-5-5"},
            **fields,
        }
    )


def text_of(*lines: object) -> bytes:
    """Lines as bytes; bytes stay what they are."""
    return b"".join(
        (line if isinstance(line, bytes) else compact(line)) + b"\n" for line in lines
    )


def parse(*lines: object, first_line: int = 1, agent: str | None = None) -> Parsed:
    """What a block of lines says."""
    return parse_block(
        memoryview(text_of(*lines)),
        origin="a.jsonl",
        first_line=first_line,
        project="-work",
        agent=agent,
    )


def events(*blocks: Parsed) -> dict[Identity, UsageEvent]:
    """What the ledger makes of some blocks."""
    return merge(("claude-code", one) for block in blocks for one in block.observations)


def usage_of(*lines: object) -> dict[str, int]:
    """The counts of the one response that some lines speak of."""
    [event] = events(parse(*lines)).values()
    [part] = event.parts
    return part.usage


def line_of(dice: Dice) -> object:
    """One of few responses, sessions and instants, in all states of repair."""
    shape = dice.pick("answer", "answer", "answer", "request", "progress", "noise")
    if shape == "request":
        return request(dice.pick("ask-1", "ask-2"))
    if shape == "noise":
        return dice.pick(
            b"", b'{"type":"user"}', b'{"usage":', b"\x00", {"type": "summary"}
        )
    message_id = dice.pick(*MESSAGE_IDS[:2], "constant", NOTHING)
    line = answer(
        {
            "id": message_id,
            "model": dice.pick("claude-opus-5-5", "claude-haiku-5"),
            "stop_reason": dice.pick("end_turn", None),
            "content": dice.pick([], [{"type": "tool_use", "name": "Bash"}], "text"),
        },
        {
            **USAGE,
            "input_tokens": dice.pick(100, 100, 100, 7),
            "output_tokens": dice.pick(1, 3, 500, 0),
            "speed": dice.pick("standard", "standard", "fast"),
            "server_tool_use": dice.pick(None, {"web_search_requests": 2}),
            "iterations": dice.pick([], [], None, STEPS),
        },
        requestId=dice.pick("req_1", "req_2", NOTHING),
        sessionId=dice.pick("session-1", "session-2"),
        timestamp=f"2026-11-22T03:18:0{dice.pick(1, 2, 3, 4)}.000Z",
        isSidechain=dice.flip(4),
        uuid=dice.pick("u-1", "u-2", "u-3", NOTHING),
        parentUuid=dice.pick("u-0", "u-1", "u-2", NOTHING),
        requestRef=dice.pick("ask-1", NOTHING),
        costUSD=dice.pick(NOTHING, NOTHING, 0.5, 0.25),
    )
    if "requestId" not in line and message_id not in MESSAGE_IDS:
        line.pop("uuid", None)  # only within a block do such lines find each other
    if shape == "progress":
        return {"type": "progress", "data": {"message": line}, "sessionId": "session-1"}
    return line


LINES = st.lists(diced(line_of), max_size=12)
