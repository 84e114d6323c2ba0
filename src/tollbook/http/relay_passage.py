"""The bytes of one request and its answer, on their way through.

The answer's bytes pass as they come; a copy of them is listened to. When the reader goes,
the rest of an answer is still read, within limits: its usage stands at its end, and it
is billed.
"""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Protocol, Self

import msgspec
from starlette.types import Receive, Send

from tollbook.config import Relay as Settings
from tollbook.formats.metered import Ended
from tollbook.http.exchange import RefusedError
from tollbook.http.relay_headers import downward, upward
from tollbook.http.relay_upstreams import SLOW_DOWN, Account, Upstream
from tollbook.http.relay_wire import (
    BrokenError,
    Lost,
    Response,
    SilentError,
    UnreachableError,
    Wire,
)

_REDIRECTS = range(300, 400)
_NOT_MODIFIED = 304

Lines = list[tuple[bytes, bytes]]


class Listener(Protocol):
    """Hears a copy of an answer's bytes, as they came over the wire."""

    def feed(self, chunk: bytes) -> None:
        """Hear some."""
        ...

    @property
    def is_final(self) -> bool:
        """Whether what is still to come can tell nothing new."""
        ...


class Bound(msgspec.Struct, kw_only=True):
    """A request, and where it goes."""

    method: str
    target: str  # path and query, as they came
    lines: Lines
    body: bytes  # let go of when it is needed no longer
    upstream: Upstream


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """An answer whose head is there, and who was asked for it."""

    response: Response
    upstream: Upstream
    account: Account
    attempts: int


class UnansweredError(RefusedError):
    """No answer came from upstream; ``failure`` is what the ledger says of it."""

    def __init__(self, status: int, failure: str, message: str) -> None:
        super().__init__(status, f"upstream_{failure}", message)
        self.failure = failure


class Drains:
    """How many answers are read to their end though nobody listens."""

    def __init__(self, drains_max: int) -> None:
        self._left = drains_max

    def admit(self) -> bool:
        """Whether there is room for one more; if so, it is taken."""
        if not self._left:
            return False
        self._left -= 1
        return True

    def leave(self) -> None:
        """Make room again."""
        self._left += 1


async def send_up(bound: Bound, wire: Wire, settings: Settings) -> Sent:
    """Ask one account after the other, as long as none can have served the request.

    Raises:
        UnansweredError: No answer came, or one that must not be followed.
    """
    upstream = bound.upstream
    accounts = upstream.accounts(time.monotonic())
    url = upstream.base + bound.target
    failed: UnreachableError | None = None
    for attempts, account in enumerate(accounts, 1):
        lines = upward(bound.lines, upstream.settings, account.key())
        try:
            response = await wire.ask(bound.method, url, lines, bound.body)
        except UnreachableError as error:
            failed = error
            continue
        except BrokenError as error:
            raise _unanswered(upstream, error) from error
        if response.status in SLOW_DOWN:
            asked = response.headers.get("retry-after")
            account.rest(asked, settings.cool_seconds, time.monotonic())
            if attempts < len(accounts):
                response.close()
                continue
        elif response.status in _REDIRECTS and response.status != _NOT_MODIFIED:
            response.close()
            text = f"{upstream.name} points elsewhere; correct its base_url"
            raise UnansweredError(502, "redirect", text)
        return Sent(
            response=response, upstream=upstream, account=account, attempts=attempts
        )
    raise _unanswered(upstream, failed) from failed


def _unanswered(upstream: Upstream, error: Exception | None) -> UnansweredError:
    name = upstream.name
    if isinstance(error, SilentError):
        text = f"{name} said nothing in time; it may have been asked, ask again"
        return UnansweredError(504, "timeout", text)
    if isinstance(error, BrokenError):
        text = f"{name} broke off before it answered ({error}); ask again"
        return UnansweredError(502, "broken", text)
    text = f"{name} cannot be reached ({error}); nothing was sent, ask again"
    return UnansweredError(502, "connection", text)


class Passage:
    """The way of one answer down to its client.

    Args:
        receive: Tells when the client has gone.
        send: Takes what the client is told.
        settings: ``[relay]``.
        drains: Shared by all.
    """

    def __init__(
        self, receive: Receive, send: Send, settings: Settings, drains: Drains
    ) -> None:
        self._receive = receive
        self._send = send
        self._settings = settings
        self._drains = drains
        self._draining = False
        self._timeout = asyncio.timeout(None)
        self._watcher: asyncio.Task[None] | None = None
        self.gone = False  # whether the client is

    async def __aenter__(self) -> Self:
        """Begin to look after the client."""
        await self._timeout.__aenter__()
        self._watcher = asyncio.get_running_loop().create_task(self._watch())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End; raises ``TimeoutError`` when the client went and the rest took too long."""
        assert self._watcher is not None
        self._watcher.cancel()
        if self._draining:
            self._drains.leave()
        await self._timeout.__aexit__(kind, error, trace)

    async def begin(self, status: int, lines: Lines) -> None:
        """Say the head of an answer."""
        await self._send(
            {"type": "http.response.start", "status": status, "headers": lines}
        )

    async def say(self, body: bytes, *, more: bool) -> None:
        """Say some of the body; waits for a client that is slow."""
        await self._send(
            {"type": "http.response.body", "body": body, "more_body": more}
        )

    async def carry(self, response: Response, listener: Listener) -> Ended:
        """Pass an answer on to its end, or to ours."""
        await self.begin(response.status, downward(response.raw_headers))
        ended = await self.hear(response, listener, aloud=True)
        if ended is Ended.WHOLE:
            await self.say(b"", more=False)
        return ended

    async def hear(
        self, response: Response, listener: Listener, *, aloud: bool
    ) -> Ended:
        """Read an answer to its end, or to ours; ``aloud``: pass it on meanwhile."""
        unheard = 0
        try:
            while chunk := await response.content.readany():
                listener.feed(chunk)
                if not self.gone:
                    if aloud:
                        await self.say(chunk, more=True)
                    continue
                unheard += len(chunk)
                if listener.is_final or unheard > self._settings.drain_bytes_max:
                    return Ended.LEFT
        except Lost:
            return Ended.CUT
        return Ended.WHOLE

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        self._draining = self._drains.admit()
        wait = self._settings.drain_seconds if self._draining else 0
        self._timeout.reschedule(asyncio.get_running_loop().time() + wait)
