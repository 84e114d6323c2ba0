"""The figures for Prometheus: exact, complete, and of bounded number."""

from __future__ import annotations

from decimal import Decimal

from asking import serving
from prometheus_text import read
from query_world import world
from reporting import NOW, seen
from tollbook.http.query_prometheus import OTHER, PAIRS_MAX
from tollbook.ports import Batch


def test_figures_add_up_however_many_projects_there_are() -> None:
    services = world()
    hostile = 'a"b\\c\nd'
    more = [
        seen(1000 + number, "2026-11-20T10:00", project=f"{hostile}{number}")
        for number in range(PAIRS_MAX + 20)
    ]
    batch = Batch(source="http", origin="loopback", observations=more)
    services.store.append([batch], now=NOW)
    with serving(services) as client:
        answer = client.get("/metrics")
        totals = client.get("/v1/totals").json()["totals"]
    found = read(answer.text)

    def named(name: str) -> dict[tuple[tuple[str, str], ...], Decimal]:
        return {labels: v for (family, labels), v in found.items() if family == name}

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    responses = named("tollbook_responses")
    assert len(responses) == PAIRS_MAX + 1
    assert (("project", OTHER), ("model", OTHER)) in responses
    ingest = {
        family: value for (family, _), value in found.items() if "_ingest_" in family
    }
    assert ingest == {
        "tollbook_ingest_received_total": 7,
        "tollbook_ingest_posted_total": 4,
        "tollbook_ingest_refused_total": 2,
        "tollbook_ingest_waiting": 3,
    }
    assert sum(responses.values()) == totals["responses"]
    cost = sum(named("tollbook_list_cost_dollars").values())
    assert cost == Decimal(totals["list_cost_usd"])
    assert named("tollbook_problems") == {(): Decimal(2)}
    unpriced = sum(named("tollbook_unpriced_usage").values())
    assert unpriced == sum(sum(units.values()) for units in totals["unpriced"].values())
