"""The figures for Prometheus: exact, complete, and of bounded number."""

from __future__ import annotations

from decimal import Decimal

from asking import serving
from prometheus_text import read
from query_world import world
from reporting import NOW, seen
from tollbook.core.observation import Evidence, Part
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


def test_what_nobody_told_the_usage_of_is_counted_beside_the_cost() -> None:
    services = world()
    silent = seen(
        900,
        "2026-11-20T10:00",
        project="silent",
        parts=(Part("claude-opus-5", {}),),
        evidence=Evidence.MISSING,
    )
    batch = Batch(source="http", origin="loopback", observations=[silent])
    services.store.append([batch], now=NOW)
    with serving(services) as client:
        shown = read(client.get("/metrics").text)
        plain = client.get("/metrics", params={"project_id": "silent"}).json()
        costs = client.get("/costs", params={"project_id": "silent"}).json()
        chart = client.get("/v1/series", params={"project": "silent"}).json()

    labels = (("project", "silent"), ("model", "claude-opus-5"))
    assert shown["tollbook_missing_responses", labels] == 1
    assert plain["totals"]["missing_responses"] == 1
    assert plain["models"][0]["missing_responses"] == 1
    assert chart["series"][0]["points"][0]["missing_responses"] == 1
    rows = [costs, *costs["daily"], *costs["providers"]]
    assert [row["missing_responses"] for row in rows] == [1, 1, 1]
