"""The description of the API is true, whole and can be read anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import httpx
import jsonschema_rs
import pytest

from asking import routes, serving
from query_world import world
from tollbook.http.docs_page import page
from tollbook.http.openapi import document
from tollbook.http.query import QUESTIONS
from tollbook.http.query_desk import Desk
from tollbook.ledger.dimensions import STORED

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "api.md"
DOCUMENT = document()


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with serving(world()) as client:
        yield client


def test_it_describes_every_route_and_no_other() -> None:
    desk = Desk(world())
    served = {(route.method, route.path) for route in routes(desk)}
    served |= {("GET", question.path) for question in QUESTIONS}
    desk.close()
    described = {
        (method.upper(), path)
        for path, methods in DOCUMENT["paths"].items()
        for method in methods
    }

    assert described == served


def test_every_reference_leads_somewhere() -> None:
    text = httpx.Response(200, json=DOCUMENT).text
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', text))

    assert names == set(DOCUMENT["components"]["schemas"])


EXAMPLES = [
    "/v1/totals", "/v1/series?by=model", "/v1/top?by=session", "/v1/percentiles",
    "/v1/percentiles?of=tokens", "/v1/events", "/v1/problems", "/v1/coverage",
    "/v1/projects", "/v1/models", "/metrics?project_id=shop", "/costs",
    "/healthz", "/readyz", "/openapi.json",
]  # fmt: skip


@pytest.mark.parametrize("address", EXAMPLES)
def test_answers_have_the_shape_they_are_said_to_have(
    client: httpx.Client, address: str
) -> None:
    said = DOCUMENT["paths"][address.partition("?")[0]]["get"]["responses"]["200"]
    schema = said["content"]["application/json"]["schema"]
    whole = {**schema, "components": DOCUMENT["components"]}

    jsonschema_rs.validate(whole, client.get(address).json())


class Links(HTMLParser):
    """What a page asks for, runs and repeats."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.styled: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element says of itself."""
        said = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.addresses += [said[name] for name in ("href", "src") if name in said]
        self.ids += [said["id"]] if "id" in said else []
        self.styled += [name for name in said if name == "style" or name[:2] == "on"]


def test_the_page_needs_nothing_from_elsewhere(client: httpx.Client) -> None:
    answer = client.get("/docs")
    links = Links()
    links.feed(answer.text)
    inside = [address[1:] for address in links.addresses if address.startswith("#")]
    outside = {address for address in links.addresses if not address.startswith("#")}

    assert "style-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert not {"script", "style", "iframe"} & set(links.tags)
    assert links.styled == []
    assert outside == {"/openapi.json", "/docs.css"}
    assert len(links.ids) == len(set(links.ids))
    assert inside
    assert set(inside) <= set(links.ids)
    assert client.get("/docs.css").headers["content-type"].startswith("text/css")


def test_what_it_says_cannot_become_part_of_the_page() -> None:
    hostile = "<script>alert(1)</script>"
    text = page(DOCUMENT | {"info": {**DOCUMENT["info"], "title": hostile}})

    assert hostile not in text


def test_the_reference_page_names_every_address_and_parameter() -> None:
    text = PAGE.read_text("utf-8")
    named = set(re.findall(r"`([^`\n]+)`", text))
    paths = {path for path in DOCUMENT["paths"] if path != "/docs.css"}
    parameters = {p.name for question in QUESTIONS for p in question.parameters}

    assert paths <= {name.removeprefix("GET ").removeprefix("POST ") for name in named}
    assert parameters <= named
    assert set(STORED) <= named
