"""Who may ask what: every route with every kind of key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from asking import key_text, routes, serving
from query_world import LAB, SHOP, world
from tollbook.core.control import SCOPES
from tollbook.http.query import QUESTIONS
from tollbook.http.query_desk import Desk

SERVICES = world()
KEYS = {scope: key_text(SERVICES, scope) for scope in SCOPES}
LIMITED = key_text(SERVICES, "read", projects=(SHOP,))
WRONG = "tb_" + "a" * 10 + "_" + "b" * 32
EVENT = "msg_010000000000000000000101"  # of the shop
FOREIGN = "msg_010000000000000000000103"  # of the lab


def matrix() -> Iterator[tuple[str, str, str | None]]:
    """Every route: its method, an address and its scope."""
    desk = Desk(SERVICES)
    for route in routes(desk):
        yield route.method, route.path, route.scope
    for question in QUESTIONS:
        if question.path_parameters:
            yield "GET", question.path.replace("{id}", EVENT), "read"
    desk.close()


ROUTES = list(matrix())


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with serving(SERVICES) as client:
        yield client


def status(client: httpx.Client, method: str, path: str, key: str | None) -> int:
    headers = {"Content-Type": "application/json"}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    content = b"{}" if method == "POST" else None
    return client.request(method, path, headers=headers, content=content).status_code


def test_there_are_routes() -> None:
    assert {"GET", "POST"} == {method for method, _, _ in ROUTES}
    assert {None, "read", "ingest"} == {scope for _, _, scope in ROUTES}


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
def test_a_route_opens_to_its_scope_and_to_admins(
    client: httpx.Client, method: str, path: str, scope: str | None
) -> None:
    said = {name: status(client, method, path, key) for name, key in KEYS.items()}
    nobody = {status(client, method, path, key) for key in (None, WRONG)}

    if scope is None:
        assert {*said.values(), *nobody} == {200}
    else:
        assert nobody <= {401, 429}
        for name, number in said.items():
            assert (number == 403) == (name not in {scope, "admin"}), name
            assert number < 500


def ask(client: httpx.Client, path: str, **parameters: object) -> httpx.Response:
    headers = {"Authorization": f"Bearer {LIMITED}"}
    return client.get(path, params=parameters, headers=headers)  # type: ignore[arg-type]  # texts


CHOOSING = [q.path for q in QUESTIONS if any(p.name == "project" for p in q.parameters)]


@pytest.mark.parametrize("path", CHOOSING)
@pytest.mark.parametrize("project", [LAB, "nowhere", "/home/dev/atlas"])
def test_to_ask_for_another_project_is_forbidden(
    client: httpx.Client, path: str, project: str
) -> None:
    by = {"by": "model"} if path == "/v1/top" else {}
    answers = [
        ask(client, path, project=project, **by),
        ask(client, path, project=[SHOP, project], **by),
    ]

    assert {answer.status_code for answer in answers} == {403}
    assert ask(client, path, project=SHOP, **by).status_code == 200


@pytest.mark.parametrize("path", ["/metrics", "/costs"])
def test_the_plain_pair_forbids_it_too(client: httpx.Client, path: str) -> None:
    assert ask(client, path, project_id=LAB).status_code == 403
    assert ask(client, path, project_id=SHOP).status_code == 200


def test_a_limited_key_sees_its_own_projects_everywhere(client: httpx.Client) -> None:
    def found(path: str, **parameters: object) -> dict[str, Any]:
        answer: dict[str, Any] = ask(client, path, **parameters).json()
        return answer

    assert found("/v1/totals")["totals"]["responses"] == 3
    assert found("/v1/totals", kind="devtools")["totals"]["responses"] == 0
    assert [row["name"] for row in found("/v1/projects")["projects"]] == [SHOP]
    assert [row["name"] for row in found("/v1/models")["models"]] == ["claude-opus-5"]
    assert found("/v1/percentiles")["count"] == 3
    assert found("/v1/percentiles", per="session")["count"] == 1
    assert {e["project"] for e in found("/v1/events")["events"]} == {SHOP}
    assert len(found("/v1/series", by="project")["series"]) == 1
    assert found("/costs")["list_cost_usd"] == "0.08775"
    coverage = found("/v1/coverage")
    assert (coverage["responses"], coverage["problems"]) == (3, 0)
    assert set(coverage["sources"]) == {"http", "otlp"}
    assert found("/v1/problems")["count"] == 0
    text = ask(client, "/metrics").text
    assert SHOP in text
    assert LAB not in text
    assert "tollbook_problems" not in text


def test_an_event_of_another_project_is_not_there(client: httpx.Client) -> None:
    assert ask(client, f"/v1/events/{EVENT}").status_code == 200
    assert ask(client, f"/v1/events/{FOREIGN}").status_code == 404


@pytest.mark.parametrize(
    "key", ["' OR '1'='1", "tb_' OR '1'='1", "tb_", "null", WRONG.upper()]
)
def test_no_text_is_a_key(client: httpx.Client, key: str) -> None:
    assert status(client, "GET", "/v1/totals", key) in {401, 429}


def test_a_hostile_name_is_only_a_name(client: httpx.Client) -> None:
    key = {"Authorization": f"Bearer {KEYS['read']}"}
    hostile = "'; DROP TABLE events; --"
    for name in ("project", "model", "user", "session", "source"):
        answer = client.get("/v1/totals", params={name: hostile}, headers=key)
        assert answer.json()["totals"]["responses"] == 0
    answer = client.get("/v1/top", params={"by": f"tag:{hostile}"}, headers=key)
    assert answer.json()["totals"]["responses"] == 16
