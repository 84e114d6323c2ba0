"""tollbook.http.app: who is let in, where to, and what every answer says."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest
import zstandard

from http_frame import CANARY, Frame
from servers import Served, error_of, status_of
from tollbook.core.control import SCOPES

ELSEWHERE = "203.0.113.9"
PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
    "identity": bytes,
}


@pytest.fixture
def frame() -> Frame:
    return Frame()


@pytest.fixture
def guarded() -> Frame:
    """A ledger with keys."""
    frame = Frame()
    for scope in SCOPES:
        frame.add_key(scope)
    return frame


def code_of(answer: httpx.Response) -> str:
    code = answer.json()["error"]["code"]
    assert isinstance(code, str)
    return code


# -- who ---------------------------------------------------------------------------------


def test_without_keys_this_machine_is_served_and_no_other(frame: Frame) -> None:
    here = frame.ask("POST", "/echo")
    away = frame.ask("POST", "/echo", peer=ELSEWHERE)
    nowhere = frame.ask("POST", "/echo", peer=None)

    assert (here.status_code, here.json()["origin"]) == (200, "loopback")
    assert (away.status_code, code_of(away)) == (401, "unauthorised")
    assert nowhere.status_code == 401


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"])
def test_a_proxy_on_this_machine_is_not_this_machine(frame: Frame, name: str) -> None:
    assert frame.ask("POST", "/echo", headers={name: "x"}).status_code == 401


def test_with_keys_this_machine_needs_one_too(guarded: Frame) -> None:
    assert guarded.ask("POST", "/echo").status_code == 401


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize(
    ("method", "path", "needed"),
    [
        ("POST", "/echo", "ingest"),
        ("GET", "/read", "read"),
        ("GET", "/pages/x", "read"),
    ],
)
def test_a_key_does_what_its_scope_says(
    guarded: Frame, scope: str, method: str, path: str, needed: str
) -> None:
    answer = guarded.ask(method, path, headers=guarded.bearer(scope))

    if scope in {needed, "admin"}:
        assert answer.status_code == 200
    else:
        assert (answer.status_code, code_of(answer)) == (403, "scope_missing")


def test_both_ways_to_send_a_key_are_good_and_not_at_once(guarded: Frame) -> None:
    key = guarded.keys["ingest"]
    plain = {"X-Api-Key": key}

    told = guarded.ask("POST", "/echo", headers=plain)
    loose = guarded.ask("POST", "/echo", headers={"Authorization": f"bearer  {key}"})
    both = guarded.ask("POST", "/echo", headers=plain | guarded.bearer("ingest"))

    assert told.json()["origin"] == "key " + key.rpartition("_")[0]
    assert loose.status_code == 200
    assert (both.status_code, code_of(both)) == (400, "two_keys")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer tb_aaaaaaaaaa_" + "a" * 32},
        {"Authorization": "Bearer ' OR '1'='1"},
        {"Authorization": "Basic dGI6dGI="},
        {"Authorization": ""},
        {"X-Api-Key": "sk-ant-x"},
        {"X-Api-Key": "tb_\xe9"},
        {"X-Api-Key": ""},
    ],
)
def test_whatever_is_wrong_with_a_key_the_answer_is_the_same(
    guarded: Frame, headers: Mapping[str, str]
) -> None:
    bare = guarded.ask("POST", "/echo")
    answer = guarded.ask("POST", "/echo", headers=headers)

    assert (answer.status_code, answer.content) == (401, bare.content)
    assert answer.headers["www-authenticate"] == 'Bearer realm="tollbook"'


def test_guessing_is_slowed_down_and_a_right_key_is_not(guarded: Frame) -> None:
    wrong = {"X-Api-Key": "tb_aaaaaaaaaa_" + "a" * 32}

    answers = [guarded.ask("POST", "/echo", headers=wrong) for _ in range(30)]
    right = guarded.ask("POST", "/echo", headers=guarded.bearer("ingest"))
    other = guarded.ask("POST", "/echo", headers=wrong, peer=ELSEWHERE)

    assert {answer.status_code for answer in answers} == {401, 429}
    assert int(answers[-1].headers["retry-after"]) > 0
    assert right.status_code == 200
    assert other.status_code == 401


def test_what_is_open_needs_no_key(guarded: Frame) -> None:
    assert guarded.ask("GET", "/healthz", peer=ELSEWHERE).json() == {"status": "ok"}
    assert guarded.ask("GET", "/readyz", peer=ELSEWHERE).json() == {"status": "ready"}
    assert guarded.ask("HEAD", "/healthz").status_code == 200


# -- under which name, and from which page -----------------------------------------------


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST.:80", 200),
        ("127.0.0.1:4318", 200),
        ("127.9.9.9", 200),
        ("[::1]:4318", 200),
        ("ledger.example", 200),
        ("ledger.example.evil", 421),
        ("evil.example", 421),
        ("localhost:x", 421),
        ("203.0.113.9", 421),
        ("[::2]", 421),
        ("", 421),
    ],
)
def test_a_server_answers_under_its_own_names(
    frame: Frame, host: str, status: int
) -> None:
    for _ in range(2):  # what is known is remembered
        answer = frame.ask("GET", "/healthz", headers={"Host": host})

        assert answer.status_code == status


def test_an_open_server_answers_under_any_address() -> None:
    frame = Frame(addresses=True)

    assert frame.ask("GET", "/healthz", headers={"Host": ELSEWHERE}).is_success
    assert frame.ask("GET", "/healthz", headers={"Host": "evil.example"}).is_error


def test_however_many_names_are_tried_the_answer_is_right() -> None:
    frame = Frame(addresses=True)
    for number in range(300):
        headers = {"Host": f"192.0.2.1:{number}"}

        assert frame.ask("GET", "/healthz", headers=headers).is_success


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "http://localhost"}, 200),
    ],
)
def test_other_sites_pages_change_nothing(
    frame: Frame, headers: dict[str, str], status: int
) -> None:
    changing = frame.ask("POST", "/echo", headers=headers)
    asking = frame.ask("GET", "/read", headers=headers)

    assert (changing.status_code, asking.status_code) == (status, 200)


# -- where to ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "//echo",
        "/echo/",
        "/Echo",
        "/./echo",
        "/x/../echo",
        "/%65cho",
        "/echo%2f",
        "/echo;a=b",
        "/echo%00",
        "/echo%0d%0aX:%20y",
        "/pages/..",
        "/pages/%2e%2e",
        "/pages/a%2fb",
        "/pages/a%5cb",
        "/pages/a;b",
        "/pages/a//b",
        "/pages/%zz",
        "/pages/",
        "/pages",
        "/",
    ],
)
def test_only_exact_paths_lead_somewhere(echo: Served, path: str) -> None:
    for method in ("POST", "GET"):
        request = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close"

        answer = echo.ask(request.encode() + b"\r\n\r\n")

        assert (status_of(answer), error_of(answer)) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/echo", {"POST"}),
        ("DELETE", "/echo", {"POST"}),
        ("OPTIONS", "/echo", {"POST"}),
        ("POST", "/healthz", {"GET", "HEAD"}),
        ("POST", "/pages/x", {"GET", "HEAD"}),
    ],
)
def test_a_wrong_method_learns_the_right_ones(
    frame: Frame, method: str, path: str, allowed: set[str]
) -> None:
    answer = frame.ask(method, path)

    assert (answer.status_code, code_of(answer)) == (405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == allowed


def test_a_page_learns_who_asks_and_what(frame: Frame) -> None:
    assert frame.ask("GET", "/pages/a%20b").text == "a b loopback"
    assert frame.ask("POST", "/bodies", content=b"whole").text == "whole"
    assert code_of(frame.ask("GET", "/refuses")) == "teapot"


# -- bodies ------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "zstd", "identity", " GZIP "])
def test_a_packed_body_is_unpacked(frame: Frame, coding: str) -> None:
    body = b"usage" * 10_000
    name = coding.strip().lower().removeprefix("x-")

    answer = frame.ask(
        "POST",
        "/echo",
        content=PACK[name](body),
        headers={"Content-Encoding": coding},
    )

    assert answer.json()["length"] == len(body)


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip", "compress", ""])
def test_an_unknown_packing_is_told_the_known_ones(frame: Frame, coding: str) -> None:
    answer = frame.ask("POST", "/echo", headers={"Content-Encoding": coding})

    assert (answer.status_code, code_of(answer)) == (415, "unknown_encoding")
    assert answer.headers["accept-encoding"] == "gzip, zstd"


def test_a_body_has_its_limit_on_the_way_and_unpacked(frame: Frame) -> None:
    exact, over = b"a" * (1 << 20), b"a" * ((1 << 20) + 1)

    assert frame.ask("POST", "/echo", content=exact).is_success
    answer = frame.ask("POST", "/echo", content=over)
    assert (answer.status_code, code_of(answer)) == (413, "body_too_large")
    for coding in ("gzip", "zstd"):
        pack = PACK[coding]
        headers = {"Content-Encoding": coding}
        fits = frame.ask("POST", "/echo", content=pack(exact), headers=headers)
        bursts = frame.ask("POST", "/echo", content=pack(over), headers=headers)
        assert fits.json()["length"] == len(exact)
        assert (bursts.status_code, code_of(bursts)) == (413, "body_too_large")


# -- when things go wrong ----------------------------------------------------------------


def test_nobody_learns_what_broke(frame: Frame) -> None:
    answer = frame.ask("POST", "/broken", content=b"prompt")
    number = answer.json()["error"]["message"].split()[-1]

    assert answer.status_code == 500
    assert CANARY not in answer.text
    assert number in frame.told[-1]
    assert "ValueError at " in frame.told[-1]
    assert CANARY not in frame.told[-1]


def test_an_exporter_is_told_to_come_back_when_something_broke(frame: Frame) -> None:
    answer = frame.ask("POST", "/otlp")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


def test_a_ledger_that_is_away_is_said_so(frame: Frame) -> None:
    answer = frame.ask("POST", "/away")

    assert (answer.status_code, code_of(answer)) == (503, "store_unavailable")
    assert answer.headers["retry-after"] == "2"
    assert CANARY not in answer.text


def test_a_busy_server_says_when_to_come_back(frame: Frame) -> None:
    answer = frame.ask("POST", "/busy")

    assert (answer.status_code, code_of(answer)) == (503, "busy")
    assert answer.headers["retry-after"] == "2"


def test_a_page_that_breaks_half_way_is_broken_off(echo: Served) -> None:
    answer = echo.ask(b"GET /breaks HTTP/1.1\r\nHost: localhost\r\n\r\n")

    assert status_of(answer) == 200
    assert not answer.endswith(b"0\r\n\r\n")  # so the client knows
    assert CANARY not in echo.told()


def test_the_log_names_no_query_and_no_foreign_path(echo: Served) -> None:
    echo.ask(b"POST /echo?key=CANARY HTTP/1.1\r\nHost: localhost\r\n\r\n", 0.1)
    echo.ask(b"GET /CANARY HTTP/1.1\r\nHost: localhost\r\n\r\n", 0.1)
    echo.ask(b"GET /pages/CANARY HTTP/1.1\r\nHost: localhost\r\n\r\n", 0.1)

    told = re.sub(r"ms=[0-9]+", "ms=0", echo.told())
    assert CANARY not in told
    assert 'POST /echo status=200 ms=0 from="loopback"' in told
    assert 'GET - status=404 ms=0 from="loopback"' in told
    assert "GET /pages/{name} status=200" in told


def test_a_client_that_left_gets_no_answer(frame: Frame) -> None:
    said: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:  # noqa: ANN401 - as ASGI has it
        said.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "raw_path": b"/echo",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"content-length", b"5")],
        "client": ("127.0.0.1", 1),
    }
    asyncio.run(frame.app(scope, receive, send))

    assert said == []
