"""A server for tests of those who send: it keeps ids, and fails as it is told to."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import msgspec
import uvicorn

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Plan = tuple[int, dict[str, str]] | str
"""A status with headers, or ``"hang"``, ``"cut"``, ``"lost"`` (kept, answer cut)."""

SECONDS_MAX = 20.0


class Receiver:
    """Takes ``/v1/events`` as the real server does, but for what ``plans`` says."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()  # how often each id was accepted
        self.requests: list[tuple[float, int, dict[str, str]]] = []
        self.plans: deque[Plan] = deque()
        self.always: Plan | None = None
        self.refused = "bad"  # records of this model are refused one by one
        self.batch_max = 10_000
        self.records: list[dict[str, Any]] = []

    async def __call__(
        self, scope: MutableMapping[str, Any], receive: Receive, send: Send
    ) -> None:
        """Answer a request as planned."""
        assert scope["type"] == "http"
        headers = {k.decode(): v.decode() for k, v in scope["headers"]}
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        lines = gzip.decompress(body).splitlines()
        self.requests.append((time.monotonic(), len(lines), headers))
        plan = self.plans.popleft() if self.plans else self.always
        if plan == "hang":
            await asyncio.sleep(SECONDS_MAX)
        if plan == "html":
            await answer(send, 200, msgspec.Raw(b"<html>"), {})
            return
        if plan == "cut":
            await cut(send)
            return
        if isinstance(plan, tuple):
            code = plan[1].get("x-code", "planned")
            await answer(send, plan[0], {"error": {"code": code}}, plan[1])
            return
        if len(lines) > self.batch_max:
            await answer(send, 413, {"error": {"code": "too_large"}}, {})
            return
        results = [self.take(msgspec.json.decode(line)) for line in lines]
        if plan == "lost":
            await cut(send)
            return
        await answer(send, 200, {"results": results}, {})

    def take(self, record: dict[str, Any]) -> dict[str, Any]:
        """One record's result."""
        if record.get("model") == self.refused:
            reason = {"code": "model", "message": "is bad; send another"}
            return {"status": "refused", "error": reason}
        name = record["id"]
        self.taken[name] += 1
        self.records.append(record)
        return {"status": "added" if self.taken[name] == 1 else "repeated"}


async def answer(
    send: Send, status: int, body: object, headers: dict[str, str]
) -> None:
    """Say something."""
    head = [(k.encode(), v.encode()) for k, v in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": msgspec.json.encode(body)})


async def cut(send: Send) -> None:
    """Promise an answer, and hang up in the middle of it."""
    head = [(b"content-length", b"99"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    body = {"type": "http.response.body", "body": b"{", "more_body": True}
    await send(body)
    raise ConnectionResetError


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def served(app: Any, port: int = 0) -> Iterator[str]:  # noqa: ANN401 - any ASGI app
    """An app behind a real socket; gives its address."""
    port = port or free_port()
    config = uvicorn.Config(
        app,
        port=port,
        log_level="critical",
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + SECONDS_MAX
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = server.force_exit = True
        thread.join(SECONDS_MAX)
