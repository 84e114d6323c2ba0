"""``tollbook relay``, ``serve --relay`` and ``probe`` from the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from program import Program
from relaying import ask, ledger_of, settings
from servers import real_server
from simulate.upstream import End, Seen, Step, UpstreamServer, message, reply, stream


@pytest.fixture
def program(tmp_path: Path) -> Program:
    made = Program(tmp_path)
    made.environ["MOCK_KEY"] = "k"
    return made


@pytest.fixture
def upstream() -> Iterator[UpstreamServer]:
    with UpstreamServer(lambda _: stream(1)) as found:
        yield found


def sound(seen: Seen) -> list[Step]:
    """Report as one should."""
    if "count_tokens" in seen.line:
        return [reply(b'{"input_tokens":14}')]
    if b'"stream":true' in seen.body:
        return list(stream(1))
    return [reply(msgspec.json.encode(message(1)))]


def hiding(seen: Seen) -> list[Step]:
    """Tell nothing of what a stream used."""
    if b'"stream":true' in seen.body:
        return list(stream(1, usage=False))
    return sound(seen)


def test_a_sound_upstream_is_found_sound(
    program: Program, upstream: UpstreamServer
) -> None:
    upstream.answer = sound
    program.settings(settings(upstream.url, 'betas = ["b-1"]'))
    told = program.text("probe", "mock")

    assert "stream, bare" in told
    assert "mock: it tells what its streams use; nothing is to be set" in told
    assert [seen.header("anthropic-beta") for seen in upstream.seen] == [
        ["b-1"],
        ["b-1"],
        [],
        ["b-1"],
    ]


def test_an_upstream_that_hides_usage_is_found_out(
    program: Program, upstream: UpstreamServer
) -> None:
    upstream.answer = hiding
    program.settings(settings(upstream.url))
    told = program.json("probe", "mock", code=1)

    assert told["sound"] is False
    assert 'upstreams.mock.on_missing = "nonstream"' in str(told["verdict"])


def test_an_upstream_that_breaks_off_is_found_out(
    program: Program, upstream: UpstreamServer
) -> None:
    program.settings(settings(upstream.url))
    upstream.answer = lambda _: [End.RESET]
    broken = program.text("probe", "mock", code=1)
    upstream.answer = lambda _: [*list(stream(1))[:3], 0.05, End.RESET]
    cut = program.text("probe", "mock", code=1)

    assert "it answers no stream (upstream_broken)" in broken
    assert "its streams do not tell all" in cut


def test_an_upstream_nobody_named_cannot_be_probed(program: Program) -> None:
    program.environ["ANTHROPIC_API_KEY"] = "k"
    done = program("probe", "nobody")

    assert done.returncode == 3
    assert b"upstreams.nobody: there is none; there is anthropic" in done.stderr


def test_the_server_has_the_relay_in_it(
    program: Program, upstream: UpstreamServer
) -> None:
    program.settings(settings(upstream.url))
    with real_server(program, "--relay", "--verbose") as served:
        answered = ask(served.url)
        theirs = ask(served.url, b"", method="GET", path="/v1/models")
        ours = ask(
            served.url, b"", {"anthropic-version": ""}, method="GET", path="/v1/totals"
        )
        served.stop()

    assert answered.status == theirs.status == ours.status == 200
    assert "export ANTHROPIC_BASE_URL=" in served.said
    assert "connect claude-code" in served.said or "OTEL_" in served.said
    assert "POST /v1/messages status=200 ms=" in served.told()
    assert len(ledger_of(program)) == 1


def test_the_relay_alone_serves_nothing_else(
    program: Program, upstream: UpstreamServer
) -> None:
    program.settings(settings(upstream.url))
    with real_server(program, command="relay") as served:
        health = ask(served.url, b"", method="GET", path="/healthz")
        totals = ask(served.url, b"", method="GET", path="/v1/totals")

    assert (health.status, totals.status) == (200, 404)
    assert "OTEL_" not in served.said
