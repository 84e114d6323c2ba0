"""The server on a disk that is full for a while."""

from __future__ import annotations

import resource
import time

import httpx
import pytest

from program import Program
from servers import Served, real_server

SECONDS_MAX = 20
SIZE = 100
needs_limits = pytest.mark.skipif(
    not hasattr(resource, "prlimit"), reason="only Linux limits another process"
)


def send(served: Served, number: int) -> httpx.Response:
    """A batch of events of its own."""
    events = [
        {
            "project_id": "shop",
            "model": "claude-opus-5-5",
            "provider": "anthropic",
            "message_id": f"msg_01FULL{number:06}{each:012}",
            "input_tokens": 1,
            "output_tokens": 1,
        }
        for each in range(SIZE)
    ]
    return httpx.post(f"{served.url}/v1/events", json={"events": events})


def until_taken(served: Served, number: int) -> None:
    """Send the same batch until it is taken in."""
    ends = time.monotonic() + SECONDS_MAX
    while send(served, number).status_code != httpx.codes.CREATED:
        assert time.monotonic() < ends
        time.sleep(0.1)


@needs_limits
def test_a_full_disk_is_refused_clearly_and_survived_without_a_restart(
    program: Program,
) -> None:
    everything = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    with real_server(program) as served:
        assert send(served, 0).status_code == httpx.codes.CREATED
        limit = program.home.joinpath("ledger/ledger.db-wal").stat().st_size + 50_000
        resource.prlimit(
            served.process.pid, resource.RLIMIT_FSIZE, (limit, everything[1])
        )
        taken = 1
        refused = None
        for number in range(1, 100):
            answer = send(served, number)
            if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                refused = answer
                break
            taken += 1

        assert refused is not None, "the limit was none"
        assert refused.headers["Retry-After"]
        assert "send it again" in refused.json()["error"]["message"]

        resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, everything)
        until_taken(served, 1_000)

    rows = program.json("models")["totals"]
    assert isinstance(rows, dict)
    assert rows["responses"] == (taken + 1) * SIZE
