"""tollbook.sdk.parcels: a parcel arrives, or the reason why not is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import zstandard

from receiver import free_port
from tollbook.core.errors import SourceRejectedError, SourceUnavailableError
from tollbook.formats.push import Reply
from tollbook.sdk.parcels import ATTEMPTS, HttpReceiver

GOOD = (200, b'{"observations": 1, "added": 1}')
BUSY = (503, b'{"error": {"code": "busy", "message": "later"}}')


class Team(ThreadingHTTPServer):
    """Answers as planned; remembers what came."""

    daemon_threads = True

    def __init__(self) -> None:
        self.plans: list[tuple[int, bytes]] = []
        self.heard: list[tuple[str, str | None, bytes]] = []
        super().__init__(("127.0.0.1", 0), _Desk)


class _Desk(BaseHTTPRequestHandler):
    server: Team

    def do_POST(self) -> None:
        """Say what was planned."""
        body = self.rfile.read(int(self.headers["content-length"]))
        said = (self.path, self.headers["authorization"], zstandard.decompress(body))
        self.server.heard.append(said)
        status, answer = self.server.plans.pop(0)
        self.send_response(status)
        if status == 503:
            self.send_header("retry-after", "3")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def team() -> Iterator[Team]:
    """A server in a thread."""
    with Team() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_parcel_is_packed_and_carries_the_key(team: Team) -> None:
    team.plans = [GOOD]
    url = f"http://127.0.0.1:{team.server_port}/"
    with HttpReceiver(url, "tb_key") as receiver:
        assert receiver.send(b"parcel") == Reply(observations=1, added=1)
        assert receiver.name == url.rstrip("/")

    assert team.heard == [("/v1/observations", "Bearer tb_key", b"parcel")]


def test_a_busy_server_is_asked_again_when_it_says(team: Team) -> None:
    team.plans = [BUSY, BUSY, GOOD]
    waited: list[float] = []
    url = f"http://127.0.0.1:{team.server_port}"
    with HttpReceiver(url, "", sleep=waited.append) as receiver:
        assert receiver.send(b"parcel").added == 1

    assert waited == [3.0, 3.0]
    assert [key for _, key, _ in team.heard] == [None] * 3


def test_a_server_that_is_away_is_given_up_after_a_while() -> None:
    waited: list[float] = []
    url = f"http://127.0.0.1:{free_port()}"
    with (
        HttpReceiver(url, "", sleep=waited.append) as receiver,
        pytest.raises(SourceUnavailableError, match="push again later"),
    ):
        receiver.send(b"parcel")

    assert len(waited) == ATTEMPTS - 1
    assert waited[-1] > waited[0]


@pytest.mark.parametrize(
    "plan",
    [
        (401, b'{"error": {"code": "unauthorised", "message": "no"}}'),
        (404, b"<html>"),
        (200, b"<html>"),
    ],
)
def test_a_server_that_will_not_listen_is_not_asked_again(
    team: Team, plan: tuple[int, bytes]
) -> None:
    team.plans = [plan]
    url = f"http://127.0.0.1:{team.server_port}"
    with (
        HttpReceiver(url, "") as receiver,
        pytest.raises(SourceRejectedError, match=f"{plan[0]}.*check the address"),
    ):
        receiver.send(b"parcel")

    assert len(team.heard) == 1
