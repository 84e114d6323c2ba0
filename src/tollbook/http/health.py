"""``/healthz``: the server is alive. ``/readyz``: it can take something in, too."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable

import msgspec

from tollbook.http.exchange import Answer, RefusedError, Request, Route, Services
from tollbook.ledger.intake import IntakeState

_FREE_BYTES_MIN = 64 << 20
_AGE_SECONDS_MAX = 1

Probe = Callable[[], Awaitable[bool]]
"""Whether something is as it should be."""


async def _alive(request: Request, services: Services) -> Answer:
    del request, services
    return Answer(body=msgspec.json.encode({"status": "ok"}))


class Readiness:
    """Whether events can be taken in; asked anew once a second at most.

    Args:
        folder: Where the ledger is.
        probes: What else must hold.
    """

    def __init__(self, folder: str, probes: tuple[Probe, ...] = ()) -> None:
        self._folder = folder
        self._probes = probes
        self._ready = False
        self._asked_at: float | None = None
        self._asking = asyncio.Lock()

    async def answer(self, request: Request, services: Services) -> Answer:
        """200, or 503 without details: everybody may ask."""
        del request, services
        async with self._asking:
            now = asyncio.get_running_loop().time()
            if self._asked_at is None or now - self._asked_at >= _AGE_SECONDS_MAX:
                self._ready = await self._is_ready()
                self._asked_at = now
        if self._ready:
            return Answer(body=msgspec.json.encode({"status": "ready"}))
        text = "the server cannot take anything in for now; see its log"
        raise RefusedError(503, "not_ready", text, (("Retry-After", "5"),))

    async def _is_ready(self) -> bool:
        if not await asyncio.to_thread(_can_write, self._folder):
            return False
        for probe in self._probes:
            if not await probe():
                return False
        return True


class Flow:
    """Whether an intake moves on.

    Args:
        state: A look at it.
    """

    def __init__(self, state: Callable[[], IntakeState]) -> None:
        self._state = state
        self._last = state()

    async def __call__(self) -> bool:
        """No trouble, and not the same queue as last time."""
        last, now = self._last, self._state()
        self._last = now
        stuck = last.queued and now.queued and last.received == now.received
        return now.trouble is None and not stuck


def _can_write(folder: str) -> bool:
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return False
    return free >= _FREE_BYTES_MIN and os.access(folder, os.W_OK)


def routes(readiness: Readiness) -> tuple[Route, ...]:
    """Both, open to everybody."""
    return (
        Route(method="GET", path="/healthz", handle=_alive, body_max=0),
        Route(method="GET", path="/readyz", handle=readiness.answer, body_max=0),
    )
