"""What to do about an upstream that does not say what its streams used.

Either the input is counted by asking, or the message is fetched in one piece, where such
upstreams often do say it, and told to the client as a stream.
"""

from __future__ import annotations

import asyncio

import msgspec

from tollbook.config import Relay as Settings
from tollbook.formats.messages_replay import replay
from tollbook.formats.messages_request import countable, counted, unstreamed
from tollbook.formats.metered import Ended
from tollbook.http.exchange import RefusedError
from tollbook.http.relay_headers import downward
from tollbook.http.relay_passage import Bound, Listener, Passage, send_up
from tollbook.http.relay_wire import Lost, Response, Wire

_COUNT_TARGET = "/v1/messages/count_tokens"
_COUNT_SECONDS = 20
_BODY_BYTES_MAX = 32 << 20
_FINE = 200


def to_unstream(bound: Bound) -> Bound | None:
    """The same request for a message in one piece; ``None`` when that cannot be."""
    body = unstreamed(bound.body)
    if body is None:
        return None
    lines = [line for line in bound.lines if line[0] != b"accept-encoding"]
    return msgspec.structs.replace(bound, body=body, lines=lines)


class _Kept:
    """Hears an answer, and keeps it."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._parts: list[bytes] = []
        self.size = 0

    def feed(self, chunk: bytes) -> None:
        """Keep it."""
        self._listener.feed(chunk)
        self.size += len(chunk)
        if self.size <= _BODY_BYTES_MAX:
            self._parts.append(chunk)

    @property
    def is_final(self) -> bool:
        """Never before its end: only then it is a message."""
        return False

    @property
    def body(self) -> bytes:
        """All of it."""
        return b"".join(self._parts)


async def carry_unstreamed(
    passage: Passage, response: Response, listener: Listener
) -> Ended:
    """Read a message to its end, then tell it as a stream; an error as it is."""
    if response.status != _FINE:
        return await passage.carry(response, listener)
    kept = _Kept(listener)
    ended = await passage.hear(response, kept, aloud=False)
    events = replay(kept.body) if ended is Ended.WHOLE else None
    if events is None:
        text = "the upstream's answer is no whole message; ask again"
        if ended is not Ended.WHOLE or kept.size > _BODY_BYTES_MAX:
            raise RefusedError(502, "upstream_broken", text)
        await passage.begin(response.status, downward(response.raw_headers))
        await passage.say(kept.body, more=False)
        return ended
    lines = [
        line
        for line in downward(response.raw_headers)
        if line[0] not in (b"content-length", b"content-type")
    ]
    lines.append((b"content-type", b"text/event-stream; charset=utf-8"))
    await passage.begin(response.status, lines)
    await passage.say(events, more=False)
    return ended


async def count_input(bound: Bound, wire: Wire, settings: Settings) -> int | None:
    """Ask how many tokens a request has; ``None`` when nobody says."""
    body = countable(bound.body)
    if body is None:
        return None
    lines = [line for line in bound.lines if line[0] != b"accept-encoding"]
    question = msgspec.structs.replace(
        bound, target=_COUNT_TARGET, body=body, lines=lines
    )
    try:
        async with asyncio.timeout(_COUNT_SECONDS):
            sent = await send_up(question, wire, settings)
            try:
                told = await sent.response.read()
            finally:
                sent.response.close()
    except (RefusedError, *Lost):
        return None
    return counted(told) if sent.response.status == _FINE else None
