"""The connection: strict about what it reads, patient within limits, last to hang up.

uvicorn runs the cycle of request and response. What it is given was checked first:
``head`` and ``framing`` alone decide where a request ends, so a second one cannot hide
in it, and the parser behind them sees one head at a time and nothing else.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from tollbook.http.exchange import RefusedError
from tollbook.http.framing import Chunked, Framing, Sized
from tollbook.http.head import CHUNKED, END, body_length, check_start, malformed
from tollbook.http.patience import Patience
from tollbook.http.safety import last_words

_LINGER_SECONDS = 1
_LINGER_BYTES = 4 << 20
_AHEAD_BYTES = 64 << 10  # of requests sent before the present one is answered
_SLOW = RefusedError(
    408, "too_slow", "the request did not arrive in time; send it faster, or in parts"
)
_FULL = RefusedError(
    503, "too_many_connections", "too many connections are open; come back later"
)


class Gentle:
    """A transport that hears its client out before it closes.

    A connection that is closed while bytes are unread is reset, and the answer is lost
    on its way. So we end our side, forget what still comes for a second, then close.
    """

    __slots__ = ("_closing", "_transport", "get_extra_info", "heard_out", "write")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._closing = False
        self.heard_out = True  # whether all that the client meant to say was read
        self.write = transport.write
        self.get_extra_info = transport.get_extra_info

    def is_closing(self) -> bool:
        """Whether anything written now would be lost."""
        return self._closing or self._transport.is_closing()

    def close(self) -> None:
        """End our side; close when the client has, or soon."""
        if self.heard_out or not self._transport.can_write_eof():
            self._transport.close()
        elif not self.is_closing():
            self._closing = True
            self._transport.write_eof()
            self._transport.resume_reading()
            loop = asyncio.get_running_loop()
            loop.call_later(_LINGER_SECONDS, self._transport.close)

    def abort(self) -> None:
        """Close at once, whatever is on its way."""
        self._transport.abort()


class StrictProtocol(HttpToolsProtocol):
    """One connection.

    Args:
        config: uvicorn's settings.
        server_state: What uvicorn's connections share.
        app_state: What uvicorn's lifespan made; nothing.
        patience: How long to wait, shared by all connections.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        patience: Patience,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._patience = patience
        self._gentle: Gentle
        self._pending = b""
        self._framing: Framing | None = None  # ``None``: between two requests
        self._forgotten = 0  # bytes that came after the connection's end
        self.received = 0

    def connection_made(  # type: ignore[override]  # as in uvicorn
        self, transport: asyncio.Transport
    ) -> None:
        """Take a client in, or send it away when there are too many."""
        super().connection_made(transport)
        self._gentle = Gentle(transport)
        self.transport = self._gentle  # type: ignore[assignment]  # what is used of one
        if not self._patience.admit(self, self.loop.time(), len(self.connections)):
            self._refuse(_FULL)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client."""
        self._patience.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        if self._gentle.is_closing():
            self._forgotten += len(data)
            if self._forgotten > _LINGER_BYTES:
                self._gentle.abort()
            return
        self._pending = self._pending + data if self._pending else data
        self._read_on()

    def eof_received(self) -> bool:  # type: ignore[override]  # as asyncio wants it
        """Answer what was asked in full, though the client will ask no more."""
        if not self._answering() or self._framing is not None:
            return False
        self.cycle.keep_alive = False
        return True

    def on_response_complete(self) -> None:
        """Turn to the next request, which may be here already."""
        self.server_state.total_requests += 1
        if self._gentle.is_closing():
            return
        if self._framing is not None:  # answered before it was read to its end
            self._gentle.close()
            return
        self.flow.resume_reading()
        self._patience.idle(self, self.loop.time())
        self._read_on()

    def pause_writing(self) -> None:
        """Wait for a client that does not read, but not for ever."""
        super().pause_writing()
        self._patience.reader(self, self.loop.time())

    def resume_writing(self) -> None:
        """Go on: the client reads."""
        super().resume_writing()
        self._patience.read(self)

    def shutdown(self) -> None:
        """Answer what was asked, and close."""
        if self._answering():
            self.cycle.keep_alive = False
        else:
            self._gentle.close()

    def hang_up(self) -> None:
        """Close without a word."""
        self._gentle.abort()

    def give_up(self) -> None:
        """Close with a word, if anything was asked."""
        if self._pending or self._framing is not None:
            self._refuse(_SLOW)
        else:
            self._gentle.abort()

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _read_on(self) -> None:
        """Work off what has come: one request at a time."""
        try:
            while self._pending and not self._gentle.is_closing():
                if self._framing is not None:
                    self._continue(self._framing)
                    if self._framing is not None:
                        return
                elif self._answering():
                    if len(self._pending) > _AHEAD_BYTES:
                        self.flow.pause_reading()
                    return
                elif not self._begin():
                    return
        except RefusedError as error:
            self._refuse(error)

    def _begin(self) -> bool:
        """Start on a request, if its head is whole."""
        end = self._pending.find(END)
        if end < 0:
            check_start(self._pending)
            self._patience.head(self, self.loop.time())
            return False
        end += len(END)
        head, self._pending = self._pending[:end], self._pending[end:]
        length = body_length(head)
        self._framing = Chunked() if length == CHUNKED else Sized(length)
        self.received = 0
        self._patience.served(self)
        self._parse(head)
        self._continue(self._framing)
        return True

    def _parse(self, head: bytes) -> None:
        self.parser = httptools.HttpRequestParser(self)
        try:
            self.parser.feed_data(head)
        except httptools.HttpParserUpgrade:
            pass  # we speak HTTP/1.1, and answer what was asked in it
        except httptools.HttpParserError:
            malformed("the head is not as HTTP/1.1 wants it")

    def _continue(self, framing: Framing) -> None:
        """Hand on what is here of a body."""
        content, self._pending = framing.take(self._pending)
        self._gentle.heard_out = framing.done
        if content:
            self.received += len(content)
            self.on_body(content)
        if framing.done:
            self._framing = None
            self._patience.served(self)
            self.on_message_complete()
        else:
            self._patience.body(self, self.loop.time())

    def _refuse(self, error: RefusedError) -> None:
        """Say why, if nothing was said yet, and close for good."""
        self._gentle.heard_out = False
        self._patience.leave(self)
        if self._answering():
            self.cycle.disconnected = True  # whoever reads the body stops
            self.cycle.message_event.set()
        if not self._answering() or not self.cycle.response_started:
            self._gentle.write(last_words(error))
        self._gentle.close()
