"""tollbook.http.safety: what every answer says to a browser."""

from __future__ import annotations

import pytest

from http_frame import Frame
from servers import Served


@pytest.fixture
def frame() -> Frame:
    return Frame()


@pytest.mark.parametrize("path", ["/healthz", "/read", "/pages/x", "/nothing", "/echo"])
def test_every_answer_is_safe_in_a_browser(frame: Frame, path: str) -> None:
    headers = frame.ask("GET", path).headers

    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert {"server", "access-control-allow-origin"}.isdisjoint(headers)


def test_a_page_may_state_its_own_policy(frame: Frame) -> None:
    answer = frame.ask("GET", "/styled")

    assert answer.headers.get_list("content-security-policy") == ["style-src 'self'"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_server_does_not_say_what_it_is_made_of(echo: Served) -> None:
    for path in (b"/healthz", b"/nothing", b"bad"):
        answer = echo.ask(b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 0.1)

        assert b"\r\nserver:" not in answer.lower()
        assert b"uvicorn" not in answer.lower()
        assert b"nosniff" in answer
