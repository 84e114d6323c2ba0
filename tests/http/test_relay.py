"""The relay: the client's bytes are the upstream's, and each request has one row."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from relaying import ASKED, KEY, Relayed, ask, relaying, tags_of
from simulate.upstream import (
    End,
    Step,
    chunk,
    events,
    head,
    message,
    message_of,
    reply,
    request_of,
    stream,
)
from tollbook.core.observation import Evidence
from tollbook.core.units import Unit

WHOLE = {**ASKED, "stream": False}
NUMBERS = iter(range(1, 1000))


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relayed]:
    home = tmp_path_factory.mktemp("relay")
    with relaying(home, lambda _: [], relay="drain_seconds = 1") as relayed:
        yield relayed


def test_a_stream_passes_unchanged_and_leaves_one_row(relay: Relayed) -> None:
    number = next(NUMBERS)
    relay.answers(lambda _: stream(number))
    heard = ask(relay.url)
    row = relay.row()

    assert heard.body == b"".join(events(number))
    assert heard.headers["request-id"] == request_of(number)
    assert (row.message_id, row.request_id) == (message_of(number), request_of(number))
    assert row.parts[0].usage == {
        Unit.UNCACHED_INPUT: 1000 + number,
        Unit.CACHE_READ: 40_000 + number,
        Unit.CACHE_WRITE_5M: 0,
        Unit.CACHE_WRITE_1H: 0,
        Unit.OUTPUT: 50 + number,
    }
    assert row.evidence == Evidence.REPORTED
    assert row.sources == ("relay",)
    assert tags_of(row) == {
        "state": "complete",
        "upstream": "mock",
        "account": "main",
        "stop_reason": "end_turn",
        "chars_text": "39",
    }


def test_a_whole_message_passes_unchanged_and_leaves_one_row(relay: Relayed) -> None:
    number = next(NUMBERS)
    body = msgspec.json.encode(message(number))
    relay.answers(lambda _: [reply(body, 200, ("request-id", request_of(number)))])
    heard = ask(relay.url, WHOLE)
    row = relay.row()

    assert heard.body == body
    assert row.message_id == message_of(number)
    assert row.parts[0].usage[Unit.OUTPUT] == 50 + number
    assert row.latency_ms is not None


def test_a_query_goes_with_its_path(relay: Relayed) -> None:
    number = next(NUMBERS)
    relay.answers(lambda _: stream(number))
    ask(relay.url, path="/v1/messages?beta=true")
    relay.row()

    assert relay.upstream.seen[0].line == "POST /v1/messages?beta=true HTTP/1.1"


def test_the_request_is_rebuilt_with_our_key(relay: Relayed) -> None:
    number = next(NUMBERS)
    relay.answers(lambda _: stream(number))
    ask(
        relay.url,
        headers={
            "Connection": "keep-alive, X-Mine",
            "X-Mine": "1",
            "TE": "trailers",
            "Cookie": "a=b",
            "X-Forwarded-Host": "evil.example",
            "Accept-Encoding": "gzip, deflate, br, zstd, snappy",
            "anthropic-beta": "one-2026-01-01,two-2026-01-01",
            "x-tollbook-project": "shop",
            "User-Agent": "me/1",
        },
    )
    relay.row()
    [seen] = relay.upstream.seen
    names = {name.lower() for name, _ in seen.headers}

    assert names == {
        "host", "anthropic-version", "accept-encoding", "anthropic-beta", "user-agent",
        "x-api-key", "content-length",
    }  # fmt: skip
    assert seen.header("host") == [relay.upstream.url.removeprefix("http://")]
    assert seen.header("x-api-key") == [KEY]
    assert seen.header("accept-encoding") == ["gzip, deflate, br, zstd"]
    assert seen.header("anthropic-beta") == ["one-2026-01-01,two-2026-01-01"]
    assert seen.body == msgspec.json.encode(ASKED)


def test_an_upstreams_cookies_and_hop_lines_stay_behind(relay: Relayed) -> None:
    number = next(NUMBERS)
    lines = [
        ("set-cookie", "a=b"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("anthropic-ratelimit-requests-remaining", "7"),
        ("retry-after", "3"),
    ]
    body = msgspec.json.encode(message(number))
    relay.answers(lambda _: [reply(body, 200, *lines)])
    heard = ask(relay.url, WHOLE)
    relay.row()

    assert heard.headers["anthropic-ratelimit-requests-remaining"] == "7"
    assert heard.headers["retry-after"] == "3"
    assert {"set-cookie", "x-hop"} & heard.headers.keys() == set()


@pytest.mark.parametrize("status", [400, 401, 403, 413, 429, 500, 502, 529])
def test_an_error_passes_as_it_is_and_is_no_usage(relay: Relayed, status: int) -> None:
    body = b'{"type":"error","error":{"type":"some_error","message":"no"}}'
    lines = [("request-id", f"req_0123456789{status}"), ("retry-after", "0")]
    relay.answers(lambda _: [reply(body, status, *lines)])
    heard = ask(relay.url)
    row = relay.row()

    assert (heard.status, heard.body) == (status, body)
    assert heard.headers["retry-after"] == "0"
    assert heard.headers["request-id"] == f"req_0123456789{status}"
    assert len(relay.upstream.seen) == 1
    assert row.failure is not None
    assert tags_of(row)["state"] == "failed"
    assert tags_of(row)["error"] == "some_error"


def test_a_redirect_is_not_followed_with_the_key(relay: Relayed) -> None:
    relay.answers(lambda _: [reply(b"", 307, ("location", relay.upstream.url))])
    heard = ask(relay.url)

    assert heard.status == 502
    assert "location" not in heard.headers
    assert len(relay.upstream.seen) == 1
    assert relay.row().failure == "redirect"


@pytest.mark.parametrize("end", [End.CLOSE, End.RESET])
def test_a_stream_that_breaks_off_breaks_off_for_the_client(
    relay: Relayed, end: End
) -> None:
    number = next(NUMBERS)
    said = list(events(number))[:4]
    steps: list[Step] = [head(number), *map(chunk, said), 0.1, end]
    relay.answers(lambda _: steps)
    heard = ask(relay.url)
    row = relay.row()

    assert heard.cut
    assert heard.status == 200
    assert row.message_id == message_of(number)
    assert row.parts[0].usage[Unit.UNCACHED_INPUT] == 1000 + number
    assert tags_of(row)["state"] == "partial"


@pytest.mark.parametrize("end", [End.CLOSE, End.RESET])
def test_a_request_without_any_answer_leaves_a_row(relay: Relayed, end: End) -> None:
    relay.answers(lambda _: [end])
    heard = ask(relay.url)
    row = relay.row()

    assert (heard.status, heard.error) == (502, "api_error")
    assert len(relay.upstream.seen) == 1, "it may have been served: never again"
    assert row.failure == "broken"
    assert row.evidence == Evidence.MISSING


def test_a_stream_without_usage_is_missing_and_never_zero(relay: Relayed) -> None:
    number = next(NUMBERS)
    relay.answers(lambda _: stream(number, usage=False))
    ask(relay.url)
    row = relay.row()

    assert row.evidence == Evidence.MISSING
    assert row.parts[0].usage == {}
    assert tags_of(row)["state"] == "missing"
    assert tags_of(row)["lacked"] == "message_start+message_delta"


def test_a_client_that_goes_is_followed_to_the_usage(relay: Relayed) -> None:
    number = next(NUMBERS)
    said = list(events(number))
    steps: list[Step] = [
        head(number),
        *map(chunk, said[:3]),
        0.3,
        *map(chunk, said[3:]),
    ]
    relay.answers(lambda _: steps)
    leave_early(relay)
    row = relay.row()

    assert row.parts[0].usage[Unit.OUTPUT] == 50 + number
    assert tags_of(row)["state"] == "complete"
    assert tags_of(row)["client"] == "gone"


def test_a_client_that_goes_is_not_followed_for_ever(relay: Relayed) -> None:
    number = next(NUMBERS)
    said = list(events(number))[:3]
    steps: list[Step] = [head(number), *map(chunk, said), End.HANG]
    relay.answers(lambda _: steps)
    leave_early(relay)
    row = relay.row()

    assert row.parts[0].usage[Unit.UNCACHED_INPUT] == 1000 + number
    assert tags_of(row)["state"] == "aborted"
    assert tags_of(row)["drain"] == "given_up"


def leave_early(relay: Relayed) -> None:
    """Ask, hear the beginning, and go."""
    body = msgspec.json.encode(ASKED)
    said = b"POST /v1/messages HTTP/1.1\r\nHost: %b\r\nContent-Length: %d\r\n\r\n%b" % (
        relay.served.authority,
        len(body),
        body,
    )
    with relay.served.connect() as line:
        line.sendall(said)
        assert line.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "//v1/messages", 404),
        ("POST", "/v1/../v1/messages", 404),
        ("POST", "/v1/%6dessages", 404),
        ("POST", "/v1/messages;x", 404),
        ("POST", "/V1/messages", 404),
        ("POST", "/v1/messages/", 404),
        ("GET", "/v1/messages", 405),
        ("PUT", "/v1/messages", 405),
        ("GET", "/v1/files", 404),
        ("GET", "/v1/models/..", 404),
        ("GET", "/v1/organizations/usage_report/messages", 404),
    ],
)
def test_only_what_is_listed_passes(
    relay: Relayed, method: str, path: str, status: int
) -> None:
    relay.answers(lambda _: [reply(b"{}")])
    heard = ask(relay.url, b"" if method == "GET" else ASKED, method=method, path=path)

    assert heard.status == status
    assert relay.upstream.seen == []


def test_the_free_paths_pass_without_a_row(relay: Relayed) -> None:
    relay.answers(lambda _: [reply(b'{"input_tokens":14}')])
    counted = ask(relay.url, path="/v1/messages/count_tokens")
    models = ask(relay.url, b"", method="GET", path="/v1/models?limit=1")
    hello = ask(relay.url, b"", method="HEAD", path="/api/hello")

    assert counted.body == models.body == b'{"input_tokens":14}'
    assert hello.status == 200
    assert [seen.line for seen in relay.upstream.seen] == [
        "POST /v1/messages/count_tokens HTTP/1.1",
        "GET /v1/models?limit=1 HTTP/1.1",
    ]
    relay.rows(0)


def test_a_batchs_results_become_rows(relay: Relayed) -> None:
    number = next(NUMBERS)
    lines = [
        {"custom_id": "a", "result": {"type": "succeeded", "message": message(number)}},
        {"custom_id": "b", "result": {"type": "expired"}},
    ]
    body = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
    relay.answers(lambda _: [reply(body, media_type="application/x-jsonl")])
    path = "/v1/messages/batches/msgbatch_01abc/results"
    heard = ask(relay.url, b"", method="GET", path=path)
    rows = relay.rows(2)

    assert heard.body == body
    assert message_of(number) in {row.message_id for row in rows}
    assert {row.conditions.service_tier for row in rows} == {"batch"}


def test_who_asks_is_kept(relay: Relayed) -> None:
    number = next(NUMBERS)
    relay.answers(lambda _: stream(number))
    user_id = '{"device_id":"d","account_uuid":"acc-1","session_id":"ses-1"}'
    ask(
        relay.url,
        {**ASKED, "metadata": {"user_id": user_id}},
        {
            "User-Agent": "claude-cli/2.1.330 (external, cli)",
            "X-Claude-Code-Session-Id": "ses-2",
            "x-claude-code-agent-id": "agent-1",
            "x-tollbook-project": "shop",
        },
    )
    row = relay.row()

    assert row.session == "ses-2"
    assert row.user == "acc-1"
    assert row.app == "claude_code"
    assert row.project == "shop"
    assert row.provider == "anthropic"
    assert row.sidechain


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Content-Encoding": "gzip"}, 415),
        ({"x-api-key": "a", "Authorization": "Bearer b"}, 400),
        ({"x-api-key": "tb_nobody_knows"}, 401),
        ({"x-tollbook-project": "a\u00a0"}, 403),
    ],
)
def test_who_may_not_is_refused_as_the_api_would(
    relay: Relayed, headers: dict[str, str], status: int
) -> None:
    relay.answers(lambda _: [reply(b"{}")])
    heard = ask(relay.url, headers=headers)

    assert heard.status == status
    assert heard.error.endswith("_error")
    assert relay.upstream.seen == []
