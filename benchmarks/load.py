"""A load of ingest requests: raw, keep-alive, as many at once as asked for.

The bodies are made before the clock starts, so that what is measured is the server.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator

MODELS = (
    "claude-opus-4-5-20251101",
    "claude-sonnet-4-5-20250929",
    "claude-haiku-4-5-20251001",
)


def record(number: int, run: str) -> dict[str, object]:
    """One usage record of about half a kilobyte."""
    session = number // 700 * 10 + number % 10
    return {
        "project_id": f"project-{session % 40}",
        "model": MODELS[session % 3],
        "provider": "anthropic",
        "message_id": f"msg_01{run}{number:016}",
        "request_id": f"req_011{run}{number:015}",
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "input_tokens": number % 100,
        "output_tokens": number % 700 + 1,
        "cache_read_input_tokens": 20_000 + number % 120_000,
        "cache_creation_input_tokens": number % 2_200,
        "latency_ms": number % 9_000,
        "session_id": f"5e551011-0000-4000-8000-{session:012}",
        "user": f"user{session % 2_000}@example.com",
        "metadata": {"source": "llm_router", "env": "dev" if session % 5 else "ci"},
    }


def requests(path: str, count: int, size: int, run: str) -> list[bytes]:
    """Whole requests of ``size`` records each."""
    made = []
    for first in range(0, count * size, size):
        records = [record(number, run) for number in range(first, first + size)]
        body = json.dumps({"events": records} if size > 1 else records[0]).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json"
            f"\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


class Result:
    """What became of a load."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.latencies: list[float] = []
        self.statuses: Counter[int] = Counter()

    def quantile(self, share: float) -> float:
        """Milliseconds within which that share of the requests was answered."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000


async def _exchange(
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], request: bytes
) -> int:
    reader, writer = streams
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    await reader.readexactly(length)
    return int(head[9:12])


async def _load(
    port: int, pending: Iterator[tuple[float, bytes]], connections: int, result: Result
) -> None:
    started = time.perf_counter()

    async def worker() -> None:
        streams = await asyncio.open_connection("127.0.0.1", port)
        for due, request in pending:
            at = started + due
            wait = at - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            sent = at if due else time.perf_counter()
            status = await _exchange(streams, request)
            result.latencies.append(time.perf_counter() - sent)
            result.statuses[status] += 1
        streams[1].close()

    await asyncio.gather(*(worker() for _ in range(connections)))
    result.seconds = time.perf_counter() - started


def closed(port: int, made: list[bytes], connections: int) -> Result:
    """Each connection sends its next request when the last one was answered."""
    result = Result()
    asyncio.run(_load(port, ((0.0, each) for each in made), connections, result))
    return result


def paced(
    port: int, made: Callable[[], Iterator[bytes]], rate: float, connections: int
) -> Result:
    """Requests at a steady rate; latency counts from when each was due."""
    result = Result()
    jitter = random.Random(1)  # noqa: S311 - not for secrets
    due = 0.0

    def schedule() -> Iterator[tuple[float, bytes]]:
        nonlocal due
        for each in made():
            due += jitter.expovariate(rate)
            yield due, each

    asyncio.run(_load(port, schedule(), connections, result))
    return result
