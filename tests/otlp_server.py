"""A running receiver: the frame, OTLP's routes and gRPC around one real ledger."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc.aio
import uvicorn

from tollbook.config import Config
from tollbook.core.errors import StoreUnavailableError
from tollbook.core.rate import Rater
from tollbook.core.receipt import Receipt
from tollbook.http.app import App
from tollbook.http.door import Door
from tollbook.http.exchange import Services
from tollbook.http.hosts import Hosts
from tollbook.http.journal import Journal
from tollbook.http.otlp import ROUTES
from tollbook.http.otlp_grpc import listen
from tollbook.ledger.intake import IntakeState
from tollbook.ledger.keyring import Keyring
from tollbook.ledger.projects import ProjectBook
from tollbook.ports import Batch, LedgerStore
from tollbook.prices import load_catalogue
from tollbook.stores.sqlite.control import SqliteControl
from tollbook.stores.sqlite.store import SqliteStore


def now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Straight:
    """Takes every batch straight into the ledger.

    Args:
        store: The ledger.
    """

    def __init__(self, store: LedgerStore) -> None:
        self._store = store
        self.batches: list[Batch] = []
        self.trouble: list[Exception] = []  # raised one by one, before anything is kept

    def state(self) -> IntakeState:
        """Nothing waits here."""
        return IntakeState()

    async def submit(self, batch: Batch) -> list[Receipt]:
        """Store a batch; the ledger is asked for what became of it."""
        if self.trouble:
            raise self.trouble.pop()
        self._store.append([batch], now=now())
        self.batches.append(batch)
        return []


class Receiver:
    """A receiver that can be spoken to.

    Args:
        path: Where the ledger lies.
    """

    def __init__(self, path: Path) -> None:
        rater = Rater(load_catalogue())
        self.store = SqliteStore(path, rater, rater.version)
        self.control = SqliteControl(path)
        self.intake = Straight(self.store)
        self.said: list[str] = []
        self.services = Services(
            intake=self.intake,
            store=self.store,
            control=self.control,
            projects=ProjectBook(self.control),
            clock=now,
            config=Config(),
        )
        self.port = self.grpc_port = 0

    @property
    def url(self) -> str:
        """Where HTTP is answered."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def grpc_url(self) -> str:
        """Where gRPC is answered."""
        return f"http://127.0.0.1:{self.grpc_port}"

    def run_out(self, times: int = 1) -> None:
        """Let the disk be full for a few requests."""
        self.intake.trouble += [StoreUnavailableError("disk full")] * times

    async def serve(self, ready: threading.Event, stop: threading.Event) -> None:
        """Answer until told to stop."""
        journal = Journal(self.said.append)
        door = Door(Keyring(self.control), now)
        hosts = Hosts((), addresses=True)
        app = App(self.services, (door, hosts), ROUTES, journal=journal)
        http = uvicorn.Server(
            uvicorn.Config(app, port=0, log_level="warning", lifespan="off")
        )
        serving = asyncio.create_task(http.serve())
        free = 0
        server: grpc.aio.Server | None = None
        while server is None:
            free = _free_port()
            try:
                server = await listen(f"127.0.0.1:{free}", self.services, door, journal)
            except RuntimeError:
                continue
        while not http.started:  # noqa: ASYNC110  # uvicorn has no event for it
            await asyncio.sleep(0.01)
        self.port = http.servers[0].sockets[0].getsockname()[1]
        self.grpc_port = free
        ready.set()
        await asyncio.to_thread(stop.wait)
        await server.stop(1)
        http.should_exit = True
        await serving


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def running(path: Path) -> Iterator[Receiver]:
    """A receiver while the block lasts; its ledger stays open to the end of it."""
    receiver = Receiver(path)
    ready, stop = threading.Event(), threading.Event()
    thread = threading.Thread(
        target=lambda: asyncio.run(receiver.serve(ready, stop)), daemon=True
    )
    thread.start()
    assert ready.wait(20), "the receiver did not start"
    try:
        yield receiver
    finally:
        stop.set()
        thread.join(20)
        receiver.control.close()
        receiver.store.close()
