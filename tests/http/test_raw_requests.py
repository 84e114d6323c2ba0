"""What nobody should send: each is refused and its connection closed, or means one thing.

``SMUGGLED`` is what a request inside a request would have been answered.
"""

from __future__ import annotations

import contextlib
import socket

import pytest

from servers import Served, read_all, status_of

JSON = b'{"events":[]}'
INNER = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
LENGTH = b"Content-Length: 13\r\n"
NONE = b"Content-Length: 0\r\n"
CHUNKS = b"d\r\n" + JSON + b"\r\n0\r\n\r\n"


def post(
    fields: bytes,
    body: bytes = b"",
    *,
    method: bytes = b"POST",
    version: bytes = b"HTTP/1.1",
    host: bytes = b"Host: localhost\r\n",
) -> bytes:
    return (
        method + b" /echo " + version + b"\r\n" + host + fields + b"\r\n" + body + INNER
    )


REFUSED: dict[str, tuple[bytes, int]] = {
    # two answers to where the body ends
    "length and chunks": (post(b"Content-Length: 6\r\n" + CHUNKED, b"0\r\n\r\n"), 400),
    "chunks and length": (post(CHUNKED + b"Content-Length: 4\r\n", b"0\r\n\r\n"), 400),
    "two lengths": (post(LENGTH + NONE, JSON), 400),
    "one length twice": (post(LENGTH + LENGTH, JSON), 400),
    "list of lengths": (post(b"Content-Length: 13, 0\r\n", JSON), 400),
    "plus": (post(b"Content-Length: +13\r\n", JSON), 400),
    "minus": (post(b"Content-Length: -1\r\n", JSON), 400),
    "hexadecimal": (post(b"Content-Length: 0xd\r\n", JSON), 400),
    "blank before colon": (post(b"Content-Length : 13\r\n", JSON), 400),
    "underscore": (post(b"Content-Length: 1_3\r\n", JSON), 400),
    "no digits": (post(b"Content-Length: \r\n", JSON), 400),
    "24 digits": (post(b"Content-Length: " + b"9" * 24 + b"\r\n", JSON), 400),
    "ten gigabytes": (post(b"Content-Length: 10737418240\r\n", JSON), 413),
    "identity": (post(b"Transfer-Encoding: identity\r\n" + LENGTH, JSON), 400),
    "xchunked": (post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"), 400),
    "coding twice": (post(CHUNKED + b"Transfer-Encoding: identity\r\n", b"0\r\n"), 400),
    "chunked not last": (post(b"Transfer-Encoding: chunked, identity\r\n"), 400),
    "gzip and chunked": (post(b"Transfer-Encoding: gzip, chunked\r\n"), 400),
    "vertical tab": (post(b"Transfer-Encoding: \x0bchunked\r\n"), 400),
    "chunks in 1.0": (post(CHUNKED, b"0\r\n\r\n", version=b"HTTP/1.0"), 400),
    # chunks that are none
    "negative chunk": (post(CHUNKED, b"-1\r\n\r\n"), 400),
    "0x chunk": (post(CHUNKED, b"0x" + CHUNKS), 400),
    "underscore chunk": (post(CHUNKED, b"0_" + CHUNKS), 400),
    "plus chunk": (post(CHUNKED, b"+" + CHUNKS), 400),
    "blank before size": (post(CHUNKED, b" " + CHUNKS), 400),
    "chunk overflow": (post(CHUNKED, b"f" * 17 + b"\r\n" + JSON), 400),
    "chunk of four gigabytes": (post(CHUNKED, b"ffffffff\r\n" + b"a" * (2 << 20)), 413),
    "chunk without end": (post(CHUNKED, b"d\r\n" + JSON + b"XX0\r\n\r\n"), 400),
    "chunk with lone LF": (post(CHUNKED, b"d\n" + JSON + b"\n0\n\n"), 400),
    "endless extension": (post(CHUNKED, b"d;" + b"a" * 200_000), 400),
    "control in extension": (post(CHUNKED, b"d;a\x00\r\n" + JSON), 400),
    "header line as trailer": (post(CHUNKED, b"0\r\nGET / HTTP/1.1\r\n\r\n"), 400),
    "many trailers": (post(CHUNKED, b"0\r\n" + b"X: a\r\n" * 2_000), 400),
    "endless trailer": (post(CHUNKED, b"0\r\nX: " + b"a" * 2_000), 400),
    "too many chunks": (post(CHUNKED, b"1\r\n \r\n" * 70_000), 400),
    # lines that do not end as lines do, and names that are none
    "lone LF": (b"POST /echo HTTP/1.1\nHost: localhost\n\n" + INNER, 400),
    "lone CR": (post(b"X: a\rTransfer-Encoding: chunked\r\n" + NONE), 400),
    "folded line": (post(b"X: a\r\n b\r\n" + LENGTH, JSON), 400),
    "NUL": (post(b"X: a\x00b\r\n" + NONE), 400),
    "blank in name": (post(b"Author ization: x\r\n" + NONE), 400),
    "no colon": (post(b"garbage\r\n" + NONE), 400),
    "no name": (post(b": a\r\n" + NONE), 400),
    "name beyond ASCII": (post(b"X-N\xc3\xa9: a\r\n" + NONE), 400),
    "megabyte of header": (post(b"X: " + b"a" * (1 << 20) + b"\r\n" + NONE), 431),
    "16 KiB of header": (post(b"X: " + b"a" * (16 << 10) + b"\r\n" + NONE), 431),
    "many header lines": (post(b"X: a\r\n" * 101 + NONE), 431),
    "two keys": (post(b"Authorization: Bearer a\r\n" * 2 + NONE), 400),
    "two encodings": (post(b"Content-Encoding: gzip\r\n" * 2 + NONE), 400),
    # whom it is for
    "no host": (post(NONE, host=b""), 400),
    "two hosts": (post(b"Host: evil\r\n" + NONE), 400),
    "foreign host": (post(NONE, host=b"Host: evil.example\r\n"), 421),
    "empty host": (post(NONE, host=b"Host:\r\n"), 421),
    "host with path": (post(NONE, host=b"Host: localhost/healthz?\r\n"), 421),
    "host with user": (post(NONE, host=b"Host: localhost@evil.example\r\n"), 421),
    "absolute target": (
        b"POST http://evil.example/echo HTTP/1.1\r\nHost: localhost\r\n"
        + NONE
        + b"\r\n",
        400,
    ),
    # other languages
    "HTTP/0.9": (b"GET /\r\n\r\n", 400),
    "HTTP/3.1": (post(NONE, version=b"HTTP/3.1"), 400),
    "lower case": (post(NONE, version=b"http/1.1"), 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64, 400),
    "a word": (b"hello", 400),
    "empty line first": (b"\r\n" + post(NONE), 400),
    "NUL in method": (post(NONE, method=b"P\x00ST"), 400),
    "lower method": (post(NONE, method=b"post"), 400),
    "unknown method": (post(NONE, method=b"BREW"), 400),
    "tunnel": (b"CONNECT 10.0.0.1:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "asterisk": (b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "endless target": (b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n", 414),
    "long target": (
        b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        414,
    ),
    "control in target": (b"GET /\x01\x7f HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
}

TAKEN: dict[str, tuple[bytes, int]] = {  # with how many bytes arrive
    "length": (post(LENGTH, JSON), 13),
    "chunks": (post(CHUNKED, CHUNKS), 13),
    "tab": (post(b"Transfer-Encoding:\tchunked\r\n", CHUNKS), 13),
    "extension": (post(CHUNKED, b"d;a=b\r\n" + JSON + b"\r\n0\r\n\r\n"), 13),
    "trailer": (post(CHUNKED, CHUNKS[:-2] + b"Authorization: Bearer x\r\n\r\n"), 13),
    "20,000 chunks": (post(CHUNKED, b"1\r\n \r\n" * 20_000 + CHUNKS), 20_013),
    "upgrade": (
        post(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" + LENGTH, JSON),
        13,
    ),
    "websocket": (post(b"Connection: Upgrade\r\nUpgrade: websocket\r\n" + NONE), 0),
    "many header lines": (post(b"X: a\r\n" * 98 + NONE), 0),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_and_the_connection_ends(echo: Served, name: str) -> None:
    request, status = REFUSED[name]

    with echo.connect(0.9) as line:
        with contextlib.suppress(OSError):  # it had seen enough
            line.sendall(request)
        answer = read_all(line)
        ended = line.recv(1) == b""

    assert status_of(answer) == status
    assert answer.count(b"HTTP/1.1 4") == 1
    assert b"HTTP/1.1 2" not in answer
    assert b"SMUGGLED" not in answer
    assert ended
    assert status_of(echo.ask(alive())) == 200


@pytest.mark.parametrize("name", TAKEN)
def test_it_means_one_thing_and_what_follows_is_the_next_request(
    echo: Served, name: str
) -> None:
    request, length = TAKEN[name]
    last = request.removesuffix(INNER) + INNER.replace(
        b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"
    )

    answer = echo.ask(last)

    assert status_of(answer) == 200
    assert b'"length":%d,' % length in answer
    assert answer.endswith(b"SMUGGLED")  # here it was no smuggling
    assert answer.count(b"HTTP/1.1 200 OK") == 2


def test_every_split_of_a_request_reads_alike(echo: Served) -> None:
    request = post(CHUNKED, CHUNKS).replace(INNER, alive())
    with echo.connect() as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request:
            line.sendall(bytes([byte]))
        answer = read_all(line)

    assert b'"length":13,' in answer
    assert answer.endswith(b'{"status":"ok"}')


def test_who_waits_for_leave_to_send_gets_it(echo: Served) -> None:
    with echo.connect() as line:
        line.sendall(post(LENGTH + b"Expect: 100-continue\r\n").removesuffix(INNER))
        leave = line.recv(100)
        line.sendall(JSON + alive())
        answer = read_all(line)

    assert leave.startswith(b"HTTP/1.1 100 ")
    assert b'"length":13,' in answer


def test_who_would_send_too_much_gets_no_leave(echo: Served) -> None:
    request = post(b"Content-Length: 9999999\r\nExpect: 100-continue\r\n")

    answer = echo.ask(request.removesuffix(INNER))

    assert status_of(answer) == 413


def test_a_client_that_has_said_its_last_word_is_answered(echo: Served) -> None:
    with echo.connect() as line:
        line.sendall(post(LENGTH, JSON).replace(b"/echo", b"/slow").removesuffix(INNER))
        line.shutdown(socket.SHUT_WR)
        answer = read_all(line)

    assert b'"length":13,' in answer
    assert b"connection: close" in answer


def test_many_requests_at_once_are_answered_in_their_order(echo: Served) -> None:
    requests = [
        post(LENGTH, JSON).removesuffix(INNER).replace(b"/echo", b"/echo?%d" % number)
        for number in range(2_000)
    ]

    answer = echo.ask(b"".join(requests) + alive())
    order = [part.partition(b'"')[0] for part in answer.split(b'"query":"')[1:]]

    assert order == [b"%d" % number for number in range(2_000)]


def alive() -> bytes:
    return b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
