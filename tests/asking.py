"""A real server on a real port, in this process: every byte goes through a socket."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import msgspec

from tollbook.core.receipt import Receipt
from tollbook.http import ingest, otlp, push
from tollbook.http.app import App
from tollbook.http.docs_page import DOCS_ROUTES
from tollbook.http.door import Door
from tollbook.http.exchange import Route, Services
from tollbook.http.health import Readiness
from tollbook.http.health import routes as health_routes
from tollbook.http.hosts import Hosts
from tollbook.http.journal import Journal
from tollbook.http.listen import bind
from tollbook.http.query import query_pages, query_routes
from tollbook.http.query_desk import Desk
from tollbook.http.server import Server
from tollbook.ledger.intake import IntakeState
from tollbook.ledger.keyring import Keyring
from tollbook.ledger.keys import Grant, create_key
from tollbook.ports import Batch, LedgerStore

SECONDS_MAX = 10


class PlainIntake:
    """Stores each batch at once."""

    def __init__(self, store: LedgerStore, now: int) -> None:
        self._store = store
        self._now = now

    async def submit(self, batch: Batch) -> list[Receipt]:
        """See ``Intake.submit``."""
        self._store.append([batch], now=self._now)
        return [
            Receipt(status="added", name="", usage={}, list_cost=None)
            for _ in batch.observations
        ]

    def state(self) -> IntakeState:
        """Figures that differ, so that none is taken for another."""
        return IntakeState(received=7, posted=4, refused=2, waiting=3)


def key_text(
    services: Services, *scopes: str, projects: tuple[str, ...] | None = None
) -> str:
    """A new key, as its owner holds it."""
    name = f"{'-'.join(scopes)} {projects}"
    grant = Grant(name=name, scopes=frozenset(scopes), projects=projects)
    return create_key(services.control, grant, now=services.clock())[1]


def routes(desk: Desk) -> tuple[Route, ...]:
    """Every exact route there is."""
    health = health_routes(Readiness("/"))
    inputs = (*ingest.ROUTES, *otlp.ROUTES, *push.ROUTES)
    return (*inputs, *health, *DOCS_ROUTES, *query_routes(desk))


@contextmanager
def serving(services: Services) -> Iterator[httpx.Client]:
    """Serve until the block ends; gives a client that knows the address."""
    intake = PlainIntake(services.store, services.clock())
    services = msgspec.structs.replace(services, intake=intake)
    desk = Desk(services)
    door = Door(Keyring(services.control), services.clock)
    gate = (door, Hosts((), addresses=False))
    journal = Journal()
    app = App(services, gate, routes(desk), query_pages(desk), journal)
    listener = bind("127.0.0.1", 0)
    started = threading.Event()
    server = Server(app, services.config.server, journal, started=started.set)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        assert started.wait(SECONDS_MAX)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with httpx.Client(
            base_url=address, timeout=SECONDS_MAX, trust_env=False
        ) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(SECONDS_MAX)
        listener.close()
        desk.close()
