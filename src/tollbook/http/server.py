"""The server's life: it starts, works, is told to end, and finishes what it began."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from types import FrameType
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from tollbook.config import Server as Settings
from tollbook.http.journal import Journal
from tollbook.http.listen import room_for
from tollbook.http.patience import Patience
from tollbook.http.protocol import StrictProtocol

Work = Callable[[], Coroutine[Any, Any, None]]
"""What runs beside the requests until the end."""

_LOGGERS = ("uvicorn", "uvicorn.error", "uvicorn.access", "asyncio")


class Server(uvicorn.Server):
    """uvicorn, with our connections and our end.

    Args:
        app: What answers.
        settings: ``[server]``.
        journal: Where to tell.
        works: What runs beside.
        started: Called once requests are taken.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        journal: Journal,
        *,
        works: Sequence[Work] = (),
        started: Callable[[], None] = lambda: None,
    ) -> None:
        self._patience = Patience(
            head_seconds=settings.head_seconds,
            body_seconds=settings.body_seconds,
            idle_seconds=settings.idle_seconds,
            connections_max=room_for(settings.connections_max),
        )
        connection = partial(StrictProtocol, patience=self._patience)
        super().__init__(
            uvicorn.Config(
                app,
                http=cast("type[asyncio.Protocol]", connection),
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=settings.drain_seconds,
            )
        )
        self._journal = journal
        self._works = works
        self._started = started
        self._running: list[asyncio.Task[None]] = []

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to end; comes back when all is answered."""
        for name in _LOGGERS:  # what they say may quote a request
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        super().run(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        await super().startup(sockets)
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._unforeseen)
        self._running = [loop.create_task(self._keep(work)) for work in self._works]
        self._started()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: look who takes too long."""
        self._patience.look(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take nothing more; answer what was asked; end what runs beside."""
        for task in self._running:
            task.cancel()
        await super().shutdown(sockets)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                await asyncio.gather(*self._running, return_exceptions=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End in order; at the second signal, at once. Either way the exit code is 0."""
        del sig, frame
        self.force_exit = self.should_exit
        self.should_exit = True

    def _unforeseen(
        self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]
    ) -> None:
        del loop
        error = context.get("exception")
        if isinstance(error, Exception):
            self._journal.unforeseen(error)

    async def _keep(self, work: Work) -> None:
        """Run something to its end; should it break, say so and serve on."""
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - the requests must not suffer
            self._journal.unforeseen(error)
