"""A small world to ask about: two applications, a tool, three sources."""

from __future__ import annotations

from typing import Any

import msgspec

from reporting import ATLAS, NOTES, NOW, RATER, history, seen
from serving import control_of, services_of
from tollbook.config import Config
from tollbook.core.observation import Observation, Part
from tollbook.core.problem import Problem
from tollbook.http.exchange import Services
from tollbook.ports import Batch, LedgerStore
from tollbook.stores.memory import MemoryStore

SHOP, LAB = "shop", "lab"
ODD_ID = "shop:a/b;c d\u00e9"


def calls() -> list[Observation]:
    """What applications reported."""
    shop: dict[str, Any] = {
        "project": SHOP,
        "provider": "anthropic",
        "app": "llm_router",
        "user": "ada",
        "machine": "web-1",
        "key": "key1",
        "session": "visit-1",
        "tags": (("team", "payments"), ("tier", "gold")),
    }
    lab: dict[str, Any] = {
        "project": LAB,
        "provider": "openai",
        "app": "notebook",
        "user": None,
        "session": "visit-2",
    }
    failed = seen(104, "2026-11-20T10:03", **shop, latency_ms=30_000, failure="529")
    return [
        seen(101, "2026-11-20T10:00", **shop, latency_ms=1_000),
        seen(102, "2026-11-20T10:01", **shop, latency_ms=3_000),
        seen(103, "2026-11-21T10:02", **lab, latency_ms=500, stated_cost=10**12),
        msgspec.structs.replace(failed, parts=(Part("claude-opus-5", {}),), evidence=0),
        seen(105, "2026-11-21T23:30", **{**lab, "model": "gpt-mystery"}),
        msgspec.structs.replace(
            seen(106, "2026-11-22T01:00", **shop), message_id=None, request_id=ODD_ID
        ),
        msgspec.structs.replace(
            seen(107, "2026-11-22T02:00", **lab), message_id=None, request_id=None
        ),
    ]


def world(store: LedgerStore | None = None) -> Services:
    """The small world of the reports' tests, and beside it what came over HTTP."""
    store = store or MemoryStore(RATER, RATER.version)
    origin = "key tb_key1"
    problem = Problem(origin=origin, line=0, code="line-shape", message="of shop")
    other = Problem(origin="/a.jsonl", line=9, code="line-not-json", message="cut")
    batches = [
        Batch(
            source="claude-code",
            origin="/transcripts/a.jsonl",
            observations=history(),
            labels={ATLAS: "/home/dev/atlas", NOTES: "/home/dev/notes"},
        ),
        Batch(source="http", origin=origin, observations=calls(), problems=[problem]),
        Batch(source="otlp", origin="loopback", observations=calls()[:1]),
        Batch(source="otlp", origin="loopback", problems=[other]),
    ]
    store.append(batches, now=NOW)
    return services_of(
        store,
        control_of(shop="agents", lab="devtools", idle="agents"),
        now=NOW,
        config=Config(),
    )
