"""What the query API answers, asked over a socket."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from asking import serving
from query_world import LAB, SHOP, calls, world
from reporting import NOW, seen
from tollbook.core.observation import Part
from tollbook.http.query_events import path_id
from tollbook.http.query_parameters import TEXT_MAX
from tollbook.ports import Batch

Found = dict[str, Any]


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with serving(world()) as client:
        yield client


def ask(client: httpx.Client, path: str, **parameters: object) -> Found:
    answer = client.get(path, params=parameters)  # type: ignore[arg-type]  # texts
    assert answer.status_code == 200, answer.text
    found: Found = answer.json()
    return found


def usd(*amounts: str) -> Decimal:
    return sum(map(Decimal, amounts), Decimal(0))


def test_totals_are_those_of_a_report(client: httpx.Client) -> None:
    found = ask(client, "/v1/totals")["totals"]

    assert found["responses"] == 16
    assert found["failed_requests"] == 1
    assert found["list_cost_usd"] == "0.321565"
    assert found["mean_latency_ms"] == (1_000 + 3_000 + 500 + 30_000) // 4
    assert set(found["unpriced"]) == {"mystery-1", "gpt-mystery"}


@pytest.mark.parametrize(
    ("filters", "responses"),
    [
        ({"project": SHOP}, 3),
        ({"project": [SHOP, LAB]}, 6),
        ({"project": "/home/dev/notes"}, 3),
        ({"project": "nowhere"}, 0),
        ({"model": "opus", "project": SHOP}, 3),
        ({"model": "claude-sonnet-5-5"}, 3),
        ({"user": "ada"}, 3),
        ({"user": "", "project": LAB}, 3),
        ({"kind": "devtools"}, 13),
        ({"source": "otlp"}, 1),
        ({"source": "http", "provider": "openai"}, 3),
        ({"tag": "team=payments"}, 3),
        ({"tag": ["team=payments", "tier=silver"]}, 0),
        ({"session": "visit-2", "app": "notebook"}, 3),
        ({"since": "2026-11-22"}, 4),
        ({"since": "2026-11-22T01:00:00Z", "until": "2026-11-22T10:00:00Z"}, 2),
        (
            {"since": "2026-11-22T02:00", "until": "2026-11-22", "tz": "Europe/Zurich"},
            4,
        ),
        ({"since": "7d", "kind": "agents", "project": LAB}, 0),
    ],
)
def test_filters_choose_what_is_counted(
    client: httpx.Client, filters: Found, responses: int
) -> None:
    found = ask(client, "/v1/totals", **filters)

    assert found["totals"]["responses"] == responses


@pytest.mark.parametrize("interval", ["hour", "day", "week", "month"])
@pytest.mark.parametrize("by", [None, "project", "kind", "tool", "tag:team", "family"])
def test_a_series_adds_up_to_the_totals(
    client: httpx.Client, interval: str, by: str | None
) -> None:
    asked = {"interval": interval, "tz": "Asia/Kathmandu", "limit": 2}
    found = ask(client, "/v1/series", **asked | ({"by": by} if by else {}))
    lines = found["series"]
    points = [point for line in lines for point in line["points"]]

    assert sum(point["responses"] for point in points) == 16
    assert usd(*(p["list_cost_usd"] for p in points)) == Decimal("0.321565")
    assert usd(*(line["list_cost_usd"] for line in lines)) == Decimal("0.321565")
    assert {point["at"] for point in points} <= {time["at"] for time in found["times"]}
    assert len(lines) <= 3
    assert [line["other"] for line in lines] == sorted(line["other"] for line in lines)


def test_an_hour_of_a_series_is_named_by_the_local_clock(client: httpx.Client) -> None:
    found = ask(
        client,
        "/v1/series",
        interval="hour",
        since="2026-10-25T00:30:00Z",
        until="2026-10-25T02:10:00Z",
        tz="Europe/Zurich",
    )

    assert found["times"] == [
        {"at": "2026-10-25T02:00:00+02:00", "start_at": "2026-10-25T00:30:00Z"},
        {"at": "2026-10-25T02:00:00+01:00", "start_at": "2026-10-25T01:00:00Z"},
        {"at": "2026-10-25T03:00:00+01:00", "start_at": "2026-10-25T02:00:00Z"},
    ]


def test_the_largest_come_first_and_the_rest_is_counted(client: httpx.Client) -> None:
    found = ask(client, "/v1/top", by="model", measure="responses", limit=2)
    names = [row["name"] for row in found["rows"]]

    assert names == ["claude-opus-5", "claude-sonnet-5-5"]
    assert found["count"] == 5
    assert found["totals"]["responses"] == 16


def test_what_has_no_name_stands_behind_what_has(client: httpx.Client) -> None:
    found = ask(client, "/v1/top", by="group")

    assert [row["name"] for row in found["rows"]] == [None]


def test_percentiles_are_values_that_were_seen(client: httpx.Client) -> None:
    latency = ask(client, "/v1/percentiles", of="latency", p="50, 75,75.001,100")
    tokens = ask(
        client, "/v1/percentiles", of="tokens", project=LAB, model="gpt-mystery"
    )
    cost = ask(client, "/v1/percentiles", per="session", project=[SHOP, LAB])

    values = [each["value"] for each in latency["percentiles"]]
    assert values == [1_000, 3_000, 30_000, 30_000]
    assert (tokens["count"], tokens["percentiles"][0]["value"]) == (1, 21_600)
    assert cost["unit"] == "usd"
    assert [each["value"] for each in cost["percentiles"][:2]] == ["0.0585", "0.08775"]


def test_percentiles_of_nothing_are_null(client: httpx.Client) -> None:
    found = ask(client, "/v1/percentiles", of="latency", per="session", user="nobody")

    assert (found["count"], found["percentiles"][0]["value"]) == (0, None)


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_lead_through_all_events_once(client: httpx.Client, order: str) -> None:
    seen: list[Found] = []
    cursor: Found = {}
    while True:
        found = ask(client, "/v1/events", limit=3, order=order, **cursor)
        seen += found["events"]
        if found["next"] is None:
            break
        cursor = {"cursor": found["next"]}
    times = [event["at"] for event in seen]

    assert len(seen) == len({event["id"] for event in seen}) == 17
    assert times == sorted(times, reverse=order == "desc")
    assert sum(event["failure"] is not None for event in seen) == 1


def test_every_listed_event_can_be_looked_up(client: httpx.Client) -> None:
    for event in ask(client, "/v1/events")["events"]:
        [found] = ask(client, f"/v1/events/{event['id']}")["responses"]

        assert found["at"] == event["at"]
        assert found["list_cost_usd"] == event["list_cost_usd"]


def test_an_event_shows_who_spoke_of_it_and_how_it_was_priced(
    client: httpx.Client,
) -> None:
    [found] = ask(client, f"/v1/events/{calls()[0].message_id}")["responses"]

    assert [seen["source"] for seen in found["observations"]] == ["http", "otlp"]
    assert found["tags"] == {"team": "payments", "tier": "gold"}
    lines = [line for part in found["parts"] for line in part["lines"]]
    assert usd(*(line["list_cost_usd"] for line in lines)) == Decimal("0.02925")


def test_an_event_whose_cost_nobody_knows_is_not_free() -> None:
    services = world()
    silent = seen(900, NOW, parts=(Part("claude-opus-5", {}),), evidence=0)
    strange = seen(901, NOW, model="nobody-s-model")
    batch = Batch(source="http", origin="loopback", observations=[silent, strange])
    services.store.append([batch], now=NOW)
    with serving(services) as asked:
        one, other = (
            ask(asked, f"/v1/events/{each.message_id}")["responses"][0]
            for each in (silent, strange)
        )
        rows = {
            row["message_id"]: row
            for row in ask(asked, "/v1/events", limit=1000)["events"]
        }

    unknown = rows[silent.message_id]
    assert (unknown["tokens"], unknown["list_cost_usd"]) == (None, None)
    unpriced = rows[strange.message_id]
    assert (unpriced["tokens"], unpriced["list_cost_usd"]) == (21_600, None)
    for found in (one, other):
        assert (found["list_cost_usd"], found["net_cost_usd"]) == (None, None)
    lines = other["parts"][0]["lines"]
    assert {line["list_cost_usd"] for line in lines} == {None}


def test_events_of_a_model_are_those_of_its_family(client: httpx.Client) -> None:
    found = ask(client, "/v1/events", model=["sonnet", "gpt-mystery"])

    assert {event["model"] for event in found["events"]} == {
        "claude-sonnet-5-5",
        "gpt-mystery",
    }
    assert found["events"][0]["unpriced"] != {} or found["events"][-1]["unpriced"] == {}


@pytest.mark.parametrize(
    "name", ["msg_none", "~not*base64", "~AAAA", "12:[1]", '5:["",""]', '5:["","x"]']
)
def test_what_is_not_there_is_404(client: httpx.Client, name: str) -> None:
    given = name if name.startswith("~") else path_id(name)
    answer = client.get(f"/v1/events/{given}")

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "event")


def test_problems_come_page_by_page(client: httpx.Client) -> None:
    first = ask(client, "/v1/problems", limit=1)
    second = ask(client, "/v1/problems", limit=1, offset=first["next"])

    assert first["count"] == second["count"] == 2
    assert [first["problems"][0]["line"], second["problems"][0]["line"]] == [9, 0]
    assert second["next"] is None
    assert ask(client, "/v1/problems", offset=0)["count"] == 2


def test_coverage_says_which_sources_reported_when(client: httpx.Client) -> None:
    found = ask(client, "/v1/coverage")

    assert set(found["sources"]) == {"claude-code", "http", "otlp"}
    assert (found["responses"], found["problems"]) == (16, 2)


def test_projects_are_those_registered_and_those_used(client: httpx.Client) -> None:
    rows = ask(client, "/v1/projects")["projects"]
    kinds = {row["name"]: row["kind"] for row in rows}

    assert kinds["shop"] == "agents"
    assert kinds["lab"] == "devtools"
    assert kinds["/home/dev/atlas"] == "devtools", "a folder of transcripts"
    assert [row["responses"] for row in rows if row["name"] == "idle"] == [0]


def test_models_tell_the_ids_that_sources_wrote(client: httpx.Client) -> None:
    rows = {row["name"]: row for row in ask(client, "/v1/models")["models"]}

    assert rows["claude-sonnet-5-5"]["ids"] == [
        "claude-sonnet-5-5",
        "claude-sonnet-5-5[1m]",
    ]
    assert rows["claude-sonnet-5-5"]["family"] == "sonnet"


def test_the_plain_pair_answers_simple_clients(client: httpx.Client) -> None:
    days = {"start_date": "2026-11-20", "end_date": "2026-11-21"}
    metrics = ask(client, "/metrics", project_id=SHOP, **days)
    costs = ask(client, "/costs", project_id=SHOP)

    assert metrics["totals"]["responses"] == 2
    assert metrics["totals"]["mean_latency_ms"] == 11_333
    assert [model["model"] for model in metrics["models"]] == ["claude-opus-5"]
    assert [day["date"] for day in costs["daily"]] == ["2026-11-20", "2026-11-22"]
    assert usd(*(day["list_cost_usd"] for day in costs["daily"])) == Decimal("0.08775")
    assert costs["providers"][0]["provider"] == "anthropic"
    assert ask(client, "/costs", start_date="2199-12-31")["daily"] == []


WRONG = [
    ("/v1/events?limit=0", "limit"),
    ("/v1/events?limit=1000000000", "limit"),
    ("/v1/events?limit=%D9%A1", "limit"),
    ("/v1/events?limit=1&limit=2", "limit"),
    ("/v1/events?cursor=rubbish", "cursor"),
    ("/v1/events?cursor=W10", "cursor"),
    ("/v1/events?cursor=%C3%A9", "cursor"),
    ("/v1/events?order=up", "order"),
    ("/v1/events/msg_1?x=1", "'x'"),
    ("/v1/problems?offset=-1", "offset"),
    ("/v1/totals?sice=7d", "'sice'"),
    ("/v1/totals?since=yesteryear", "since"),
    ("/v1/totals?until=yesteryear", "until"),
    ("/v1/totals?since=0001-01-01", "since"),
    ("/v1/totals?since=9999-12-31T23:59:59-14:00", "since"),
    ("/v1/totals?since=2026-13-01T00:00", "since"),
    ("/v1/totals?since=2026-11-03&until=2026-11-01T00:00Z", "until"),
    ("/v1/totals?tz=Mars/Olympus", "tz"),
    ("/v1/totals?tz=../../etc/passwd", "tz"),
    ("/v1/totals?tz=%00", "tz"),
    ("/v1/totals?tz=%FF", "tz"),
    ("/v1/totals?%FF=1", "query"),
    (f"/v1/totals?user={'x' * (TEXT_MAX + 1)}", "user"),
    (f"/v1/totals?{'user=x&' * 65}", "query"),
    ("/v1/totals?kind=secret", "kind"),
    ("/v1/totals?tag=team", "tag"),
    ("/v1/totals?tag=team=a&tag=team=b", "tag"),
    ("/v1/series?interval=second", "interval"),
    ("/v1/series?interval=hour&since=1970-01-01&until=2199-12-31", "interval"),
    ("/v1/series?by=price; DROP TABLE events", "by"),
    ("/v1/series?by=tag:", "by"),
    ("/v1/top", "by"),
    ("/v1/top?by=model&measure=beauty", "measure"),
    ("/v1/percentiles?p=0", "p"),
    ("/v1/percentiles?p=100.1", "p"),
    ("/v1/percentiles?p=NaN", "p"),
    (f"/v1/percentiles?p={','.join(['5'] * 21)}", "p"),
    ("/metrics?start_date=2026-11-01", "project_id"),
    ("/costs?start_date=2026-02-30", "start_date"),
    ("/costs?start_date=1969-12-31", "start_date"),
    ("/costs?start_date=2026-11-02&end_date=2026-11-01", "end_date"),
]


@pytest.mark.parametrize(("address", "name"), WRONG)
def test_a_wrong_parameter_is_named_with_its_remedy(
    client: httpx.Client, address: str, name: str
) -> None:
    answer = client.get(address)
    error = answer.json()["error"]

    assert (answer.status_code, error["code"]) == (422, "parameter")
    assert error["message"].startswith(f"{name}: ")
    assert ";" in error["message"]
