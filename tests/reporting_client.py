"""What tests of the client share: a message, quick limits, and patience."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from tollbook import Client, Limits, Stats
from tollbook.places import spool_folder

QUICK = Limits(batch_age_s=0.02, retry_min_s=0.02, retry_max_s=0.1, answer_s=0.5)


SECONDS = 10.0


ANSWER = {
    "id": "msg_01" + "A" * 22,
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-5-5",
    "content": [{"type": "text", "text": "what nobody may keep"}],
    "stop_reason": "end_turn",
    "usage": {
        "input_tokens": 5,
        "output_tokens": 7,
        "cache_read_input_tokens": 0,
        "cache_creation": {
            "ephemeral_5m_input_tokens": 1,
            "ephemeral_1h_input_tokens": 2,
        },
        "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0},
        "service_tier": "standard",
    },
}


def said(client: Client, *ids: str, model: str = "m") -> None:
    """Record something for each id."""
    for name in ids:
        client.record(model=model, id=name)


def spooled() -> list[Path]:
    """The files that wait on disk."""
    return sorted(Path(spool_folder()).rglob("*.ndjson"))


def until(met: Callable[[], bool]) -> None:
    """Wait for something that will be so."""
    end = time.monotonic() + SECONDS
    while not met():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


def is_balanced(stats: Stats) -> bool:
    """Whether every record is somewhere."""
    answered = stats.accepted + stats.repeated + stats.refused
    return stats.recorded == answered + stats.dropped + stats.waiting
