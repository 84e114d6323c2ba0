"""Raw answers a Messages API gave, and how HTTP/1.1 frames them, for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from tollbook.formats.answer_meter import AnswerMeter
from tollbook.formats.metered import Ended, Metered, unanswered

GOLDEN = Path(__file__).parent / "golden" / "messages_stream"
MANIFEST: dict[str, dict[str, Any]] = json.loads(
    (GOLDEN / "manifest.json").read_text("utf-8")
)
INTERIM = b"HTTP/1.1 1"


class Answer(msgspec.Struct, frozen=True):
    """A recorded answer without its framing."""

    status: int
    headers: dict[str, str]
    body: bytes
    ended: Ended


def recorded(name: str) -> Answer | None:
    """An answer by the name of its scenario; None where not even a head came."""
    raw = (GOLDEN / f"{name}.http").read_bytes()
    while raw.startswith(INTERIM):
        raw = raw.partition(b"\r\n\r\n")[2]
    if not raw:
        return None
    head, _, rest = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {
        key.lower(): value for key, _, value in (x.partition(": ") for x in lines)
    }
    body, whole = _unframed(headers, rest)
    broke = MANIFEST[name]["end"] != "eof"
    ended = Ended.CUT if broke or not whole else Ended.WHOLE
    return Answer(int(first.split()[1]), headers, body, ended)


def _unframed(headers: dict[str, str], rest: bytes) -> tuple[bytes, bool]:
    """The body, and whether all of it is there."""
    if headers.get("transfer-encoding") != "chunked":
        length = int(headers.get("content-length", len(rest)))
        return rest[:length], len(rest) >= length
    body = b""
    while True:
        size, found, rest = rest.partition(b"\r\n")
        if not found:
            return body, False
        length = int(size, 16)
        if not length:
            return body, True
        body += rest[:length]
        if len(rest) < length + 2:
            return body, False
        rest = rest[length + 2 :]


def metered(
    answer: Answer | None, *cuts: int, ended: Ended | None = None, step: int = 0
) -> Metered:
    """What an answer says when it comes in pieces."""
    if answer is None:
        return unanswered(None, "connection")
    meter = AnswerMeter(
        status=answer.status,
        content_encoding=answer.headers.get("content-encoding"),
        asked="claude-mock-1",
    )
    places = [*range(0, len(answer.body), step)] if step else [0, *cuts]
    for begin, end in zip(places, [*places[1:], len(answer.body)], strict=True):
        meter.feed(answer.body[begin:end])
    return meter.outcome(ended or answer.ended)
