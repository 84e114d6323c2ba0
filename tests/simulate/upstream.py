"""An upstream whose every byte and every break the test decides.

It speaks raw HTTP/1.1 on this machine, in a thread of its own. What it answers is a
sequence of steps: bytes to write at once, seconds to wait, or an end.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from types import TracebackType
from typing import Self

import msgspec

NAMES = 1 << 40
"""Where the numbers of messages begin, so that all ids are of one length."""


class End(Enum):
    """How an answer ends, other than well."""

    CLOSE = "close"  # FIN
    RESET = "reset"  # RST
    HANG = "hang"  # silence until the other side goes


Step = bytes | float | End


class Seen(msgspec.Struct, kw_only=True):
    """A request as it came."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes
    gone: bool = False  # whether the asker went before the answer's end

    def header(self, name: str) -> list[str]:
        """All values of a header."""
        return [value for found, value in self.headers if found.lower() == name]


Answer = Callable[[Seen], Iterable[Step]]


class UpstreamServer:
    """The upstream; ``seen`` is every request in order.

    Args:
        answer: What it answers, asked anew for each request.
    """

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.seen: list[Seen] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server
        self.port = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        starting = asyncio.start_server(self._talk, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(10)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End, and hang up on everybody."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _talk(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while (seen := await _read(reader)) is not None:
                self.seen.append(seen)
                if not await self._say(seen, writer):
                    break
        except (ConnectionError, asyncio.CancelledError):
            pass  # the other side has gone, or the test has ended
        finally:
            writer.close()

    async def _say(self, seen: Seen, writer: asyncio.StreamWriter) -> bool:
        """Answer; whether the connection may be used again."""
        for step in self.answer(seen):
            try:
                if isinstance(step, bytes):
                    writer.write(step)
                    await writer.drain()
                elif isinstance(step, End):
                    await self._break(step, writer)
                    return False
                else:
                    await asyncio.sleep(step)
            except ConnectionError:
                seen.gone = True
                raise
        return not seen.header("connection")

    async def _break(self, end: End, writer: asyncio.StreamWriter) -> None:
        if end is End.RESET:
            line = writer.get_extra_info("socket")
            linger = struct.pack("ii", 1, 0)
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
        elif end is End.HANG:
            await asyncio.sleep(3600)


async def _read(reader: asyncio.StreamReader) -> Seen | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    line, *fields = head.decode("latin-1")[:-4].split("\r\n")
    headers = [(n, v.strip()) for n, _, v in (f.partition(":") for f in fields)]
    seen = Seen(line=line, headers=headers, body=b"")
    length = seen.header("content-length")
    seen.body = await reader.readexactly(int(length[0])) if length else b""
    return seen


def message_of(number: int) -> str:
    """The id of a message, such as the provider's."""
    return f"msg_01{NAMES + number:020d}"


def request_of(number: int) -> str:
    """The id of a request, such as the provider's."""
    return f"req_01{NAMES + number:020d}"


def reply(
    body: bytes,
    status: int = 200,
    *lines: tuple[str, str],
    media_type: str = "application/json",
) -> bytes:
    """A whole answer with its length."""
    head = [
        f"HTTP/1.1 {status} Whatever",
        f"content-type: {media_type}",
        f"content-length: {len(body)}",
        *(f"{name}: {value}" for name, value in lines),
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


def usage_of(number: int, output: int) -> dict[str, object]:
    """A usage that can be told from every other."""
    return {
        "input_tokens": 1000 + number,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 40_000 + number,
        "cache_creation": {
            "ephemeral_5m_input_tokens": 0,
            "ephemeral_1h_input_tokens": 0,
        },
        "output_tokens": output,
        "service_tier": "standard",
    }


def message(number: int, model: str = "claude-opus-5-5") -> dict[str, object]:
    """A whole message."""
    return {
        "id": message_of(number),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": f"SECRETANSWER {number}"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage_of(number, 50 + number),
    }


def events(
    number: int, *, deltas: int = 3, usage: bool = True, model: str = "claude-opus-5-5"
) -> Iterator[bytes]:
    """A message as the events of a stream."""
    whole = message(number, model)
    begun = whole | {"content": [], "stop_reason": None, "usage": usage_of(number, 1)}
    ended: dict[str, object] = {"delta": {"stop_reason": "end_turn"}}
    if usage:
        ended["usage"] = {"output_tokens": 50 + number}
    else:
        del begun["usage"]
    block = {"type": "text", "text": ""}
    yield event("message_start", message=begun)
    yield event("content_block_start", index=0, content_block=block)
    for _ in range(deltas):
        delta = {"type": "text_delta", "text": "SECRETANSWER "}
        yield event("content_block_delta", index=0, delta=delta)
    yield event("content_block_stop", index=0)
    yield event("message_delta", **ended)
    yield event("message_stop")


def event(kind: str, **fields: object) -> bytes:
    """One event of a stream."""
    said = json.dumps({"type": kind, **fields})
    return f"event: {kind}\ndata: {said}\n\n".encode()


def head(number: int, *lines: tuple[str, str]) -> bytes:
    """How a stream begins."""
    fields = [
        "HTTP/1.1 200 OK",
        "content-type: text/event-stream; charset=utf-8",
        "transfer-encoding: chunked",
        f"request-id: {request_of(number)}",
        *(f"{name}: {value}" for name, value in lines),
    ]
    return "\r\n".join([*fields, "", ""]).encode()


def chunk(piece: bytes) -> bytes:
    """A piece of a stream; an empty one ends it."""
    return b"%x\r\n%s\r\n" % (len(piece), piece)


def stream(number: int, *, deltas: int = 3, usage: bool = True) -> Iterator[Step]:
    """A whole stream, event by event."""
    yield head(number)
    for piece in events(number, deltas=deltas, usage=usage):
        yield chunk(piece)
    yield chunk(b"")
