"""Slow clients are sent away after their time, and cost the others nothing.

The server these tests ask is patient for one second, and for forty connections.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable

from servers import Served, read_all, status_of

ALIVE = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
POST = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"


def drip(line: socket.socket, first: bytes = b"GET /") -> None:
    """Say one byte every now and then, for as long as somebody listens."""

    def say() -> None:
        with contextlib.suppress(OSError):
            line.sendall(first)
            while True:
                line.sendall(b"a")
                time.sleep(0.1)

    threading.Thread(target=say, daemon=True).start()


def test_slow_clients_are_sent_away_in_time(echo: Served) -> None:
    begun: dict[str, Callable[[socket.socket], None]] = {
        "nothing": lambda _: None,
        "half a head": lambda line: line.sendall(b"POST /echo HT"),
        "a head in drips": drip,
        "half a body": lambda line: line.sendall(POST + b"{"),
        "a body in drips": lambda line: drip(line, POST + b"{"),
        "nothing more": lambda line: line.sendall(
            b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        ),
    }
    lines = {name: echo.connect(5) for name in begun}
    began = time.monotonic()
    for name, begin in begun.items():
        begin(lines[name])

    said = {name: status_of(read_all(line)) for name, line in lines.items()}
    for line in lines.values():
        line.close()

    assert time.monotonic() - began < 4
    assert said == {
        "nothing": 0,
        "half a head": 408,
        "a head in drips": 408,
        "half a body": 408,
        "a body in drips": 408,
        "nothing more": 200,
    }


def test_a_slow_body_that_grows_is_waited_for(echo: Served) -> None:
    size = 60_000
    with echo.connect() as line:
        line.sendall(POST.replace(b"100000", b"%d" % size))
        for _ in range(10):
            line.sendall(b"a" * (size // 10))
            time.sleep(0.15)
        line.sendall(ALIVE)
        answer = read_all(line)

    assert b'"length":%d,' % size in answer


def test_a_client_that_does_not_read_is_sent_away(echo: Served) -> None:
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect((echo.host, echo.port))
        line.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(1.6)
        line.settimeout(5)
        got = read_all(line)

    assert len(got) < 32 << 20


def test_more_connections_than_there_is_room_for_cost_nobody_an_answer(
    echo: Served,
) -> None:
    lines = []
    for number in range(200):
        with contextlib.suppress(OSError):
            line = echo.connect(2)
            lines.append(line)
            line.sendall(b"GET / HTTP/1.1\r\nX: ")
        if number % 20 == 0:
            assert status_of(echo.ask(ALIVE)) == 200
    for line in lines:
        line.close()


def test_a_client_that_leaves_in_the_middle_is_forgotten(echo: Served) -> None:
    for begun in (b"POST", POST, POST + b"{"):
        with echo.connect() as line:
            line.sendall(begun)

    assert status_of(echo.ask(ALIVE)) == 200


def test_whoever_goes_on_after_a_refusal_is_cut_off(echo: Served) -> None:
    began = time.monotonic()
    with echo.connect(5) as line, contextlib.suppress(OSError):
        line.sendall(
            b"POST /echo HTTP/1.1\r\nHost: evil\r\nContent-Length: 99999\r\n\r\n"
        )
        while time.monotonic() - began < 10:
            line.sendall(b"a" * (1 << 16))

    assert time.monotonic() - began < 4
