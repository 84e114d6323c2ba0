"""tollbook.http.protocol and server, around applications that do as they like."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from http_frame import CANARY
from servers import error_of, read_all, status_of
from tollbook.config import Server as Settings
from tollbook.http.app import App
from tollbook.http.journal import Journal
from tollbook.http.listen import bind
from tollbook.http.server import Server, Work

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
SIZE = 8 << 20


@contextmanager
def serving(
    app: ASGIApp, *, connections: int = 10, works: Sequence[Work] = ()
) -> Iterator[tuple[int, list[str]]]:
    """Serve an application from a thread; gives the port and what is told."""
    told: list[str] = []
    settings = Settings(connections_max=connections, drain_seconds=1)
    started = threading.Event()
    server = Server(
        cast("App", app),
        settings,
        Journal(told.append),
        works=works,
        started=started.set,
    )
    listener = bind("127.0.0.1", 0)
    port = listener.getsockname()[1]
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    assert started.wait(10)
    try:
        yield port, told
    finally:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 10)


async def start(send: Send, *, size: int = 2) -> None:
    length = (b"content-length", b"%d" % size)
    await send({"type": "http.response.start", "status": 200, "headers": [length]})


async def hasty(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers before it has read."""
    del scope, receive
    await start(send)
    await send({"type": "http.response.body", "body": b"ok"})


async def dawdling(scope: Scope, receive: Receive, send: Send) -> None:
    """Takes its time."""
    del scope, receive
    await asyncio.sleep(0.5)
    await start(send)
    await send({"type": "http.response.body", "body": b"ok"})


async def chatty(scope: Scope, receive: Receive, send: Send) -> None:
    """Begins to answer, then reads."""
    del scope
    await start(send)
    while (await receive())["type"] != "http.disconnect":
        pass


async def verbose(scope: Scope, receive: Receive, send: Send) -> None:
    """Says much, a piece at a time."""
    del scope, receive
    await start(send, size=SIZE)
    for _ in range(SIZE >> 16):
        await send(
            {"type": "http.response.body", "body": b"a" * (1 << 16), "more_body": True}
        )
    await send({"type": "http.response.body"})


def test_an_answer_before_the_end_of_the_request_ends_the_connection() -> None:
    with serving(hasty) as (port, _), connect(port) as line:
        line.sendall(POST + b"5\r\nab")
        answer = read_all(line)

    assert (status_of(answer), answer[-2:]) == (200, b"ok")


def test_nothing_is_said_into_an_answer_that_has_begun() -> None:
    with serving(chatty) as (port, _), connect(port) as line:
        line.sendall(POST)
        first = line.recv(1 << 16)
        line.sendall(b"no chunk\r\n")
        rest = read_all(line)

    assert status_of(first) == 200
    assert rest == b""


def test_where_all_are_served_one_more_is_told_to_come_back() -> None:
    with serving(dawdling, connections=1) as (port, _), connect(port) as first:
        first.sendall(GET)
        time.sleep(0.1)
        with connect(port) as second:
            refused = read_all(second)
        served = first.recv(1 << 16)

    assert (status_of(refused), error_of(refused)) == (503, "too_many_connections")
    assert status_of(served) == 200


def test_a_client_that_reads_late_gets_all_of_it() -> None:
    with serving(verbose) as (port, _), socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.settimeout(10)
        line.connect(("127.0.0.1", port))
        line.sendall(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        time.sleep(0.3)
        answer = read_all(line)

    assert len(answer.partition(b"\r\n\r\n")[2]) == SIZE


def test_what_breaks_beside_is_told_of_and_the_requests_do_not_suffer() -> None:
    async def breaks() -> None:
        raise ValueError(CANARY)

    async def breaks_later() -> None:
        def burst() -> None:
            raise KeyError(CANARY)

        loop = asyncio.get_running_loop()
        loop.call_soon(burst)
        loop.call_exception_handler({"message": CANARY})

    works = [breaks, breaks_later]
    with serving(hasty, works=works) as (port, told), connect(port) as line:
        line.sendall(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        answer = read_all(line)

    assert status_of(answer) == 200
    assert [line.split()[2] for line in told] == ["ValueError", "KeyError"]
    assert not any(CANARY in line for line in told)


@pytest.mark.parametrize("sent", [b"", b"GET / HT", GET, POST + b"5\r\nab"])
def test_the_end_does_not_wait_for_those_who_wait(sent: bytes) -> None:
    with serving(hasty) as (port, _):
        line = connect(port)
        line.sendall(sent)
        time.sleep(0.1)
        began = time.monotonic()
    line.close()

    assert time.monotonic() - began < 3
