"""A ledger file answers as the in-memory store does, from another thread, too."""

from __future__ import annotations

from pathlib import Path

from asking import serving
from query_world import world
from reporting import RATER
from tollbook.stores.sqlite.store import SqliteStore

ADDRESSES = (
    "/v1/totals", "/v1/totals?source=http&user=ada&kind=agents",
    "/v1/series?interval=day&by=tag:team&tz=Asia/Kathmandu",
    "/v1/series?interval=hour&by=provider&since=2026-11-20&until=2026-11-22",
    *(f"/v1/top?by={by}" for by in ("key", "kind", "tool", "source", "machine")),
    *(f"/v1/percentiles?of={of}" for of in ("cost", "tokens", "latency")),
    "/v1/percentiles?per=session", "/v1/events?limit=4&tag=tier=gold",
    "/v1/events?order=asc&model=opus&source=otlp", "/v1/problems", "/v1/coverage",
    "/v1/projects", "/v1/models", "/metrics", "/metrics?project_id=lab", "/costs",
)  # fmt: skip


def test_both_stores_give_the_same_answers(tmp_path: Path) -> None:
    file = SqliteStore(tmp_path / "ledger.db", RATER, RATER.version)
    with serving(world()) as one, serving(world(file)) as other:
        for address in ADDRESSES:
            expected, found = one.get(address), other.get(address)
            assert (found.status_code, found.text) == (200, expected.text), address
        first = one.get("/v1/events?limit=1000").json()["events"]
        for event in first:
            address = f"/v1/events/{event['id']}"
            assert other.get(address).json() == one.get(address).json()
    file.close()
