"""The frame of the server in this process, around routes that tell what they hear."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import cast

import httpx
import msgspec
from starlette.requests import Request as PageRequest
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route as Page

from tollbook.config import Config
from tollbook.config import Server as Settings
from tollbook.core.errors import BusyError, StoreUnavailableError
from tollbook.http.app import App
from tollbook.http.door import Door
from tollbook.http.exchange import (
    Answer,
    Intake,
    RefusedError,
    Request,
    Route,
    Services,
)
from tollbook.http.health import Readiness, routes
from tollbook.http.hosts import Hosts
from tollbook.http.journal import Journal
from tollbook.ledger.keyring import Keyring
from tollbook.ledger.keys import Grant, create_key
from tollbook.ledger.projects import ProjectBook
from tollbook.ports import LedgerStore
from tollbook.stores.memory_control import MemoryControl

CANARY = "CANARY"  # what no answer and no log may hold
BODY_MAX = 1 << 20
SETTINGS = Settings(hosts=("Ledger.example.",))


async def echo(request: Request, services: Services) -> Answer:
    """Tell what was asked."""
    del services
    told = {
        "method": request.method,
        "path": request.path,
        "query": request.query.decode("latin-1"),
        "length": len(request.body),
        "origin": request.origin,
    }
    return Answer(body=msgspec.json.encode(told))


async def slow(request: Request, services: Services) -> Answer:
    """Tell it late."""
    await asyncio.sleep(0.7)
    return await echo(request, services)


async def large(request: Request, services: Services) -> Answer:
    """Say more than a client may want to hear."""
    del request, services
    return Answer(body=b"x" * (32 << 20), media_type="text/plain")


async def broken(request: Request, services: Services) -> Answer:
    """Break."""
    del services
    raise ValueError(CANARY + request.body.decode())


async def away(request: Request, services: Services) -> Answer:
    """Find the ledger locked."""
    del request, services
    raise StoreUnavailableError(CANARY)


async def busy(request: Request, services: Services) -> Answer:
    """Find too much waiting."""
    del request, services
    raise BusyError


async def smuggled(request: Request, services: Services) -> Answer:
    """Show that a request was heard."""
    del request, services
    return Answer(body=b"SMUGGLED")


def page(request: PageRequest) -> Response:
    """Tell what a page learns."""
    return PlainTextResponse(f"{request.path_params['name']} {request.state.origin}")


async def body_page(request: PageRequest) -> Response:
    """Tell a body."""
    return Response(await request.body())


def refusing_page(request: PageRequest) -> Response:
    """Refuse."""
    del request
    raise RefusedError(418, "teapot", "it is short and stout; ask for tea")


def styled_page(request: PageRequest) -> Response:
    """Have a policy."""
    del request
    return Response(headers={"Content-Security-Policy": "style-src 'self'"})


def breaking_page(request: PageRequest) -> Response:
    """Break when half is said."""
    del request
    return StreamingResponse(b"half" if n else _break() for n in (1, 0))


def _break() -> bytes:
    raise ValueError(CANARY)


ROUTES = (
    Route("POST", "/echo", echo, "ingest", BODY_MAX),
    Route("POST", "/slow", slow, "ingest"),
    Route("GET", "/read", echo, "read"),
    Route("GET", "/large", large, "read"),
    Route("POST", "/broken", broken, "ingest"),
    Route("POST", "/otlp", broken, "ingest", broken=503),
    Route("POST", "/away", away, "ingest"),
    Route("POST", "/busy", busy, "ingest"),
    Route("GET", "/smuggled", smuggled),
)
PAGES = [
    Page("/pages/{name}", page),
    Page("/bodies", body_page, methods=["POST"]),
    Page("/refuses", refusing_page),
    Page("/styled", styled_page),
    Page("/breaks", breaking_page),
]


def clock() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Frame:
    """The application, with keys to try it."""

    def __init__(
        self,
        settings: Settings = SETTINGS,
        *,
        addresses: bool = False,
        journal: Journal | None = None,
    ) -> None:
        self.control = MemoryControl()
        self.keys: dict[str, str] = {}
        self.told: list[str] = []
        self.services = Services(
            intake=cast("Intake", None),  # no route here takes anything in
            store=cast("LedgerStore", None),
            control=self.control,
            projects=ProjectBook(self.control),
            clock=clock,
            config=Config(server=settings),
        )
        self.app = App(
            self.services,
            (
                Door(Keyring(self.control), clock),
                Hosts(settings.hosts, addresses=addresses),
            ),
            (*ROUTES, *routes(Readiness("."))),
            PAGES,
            journal or Journal(self.told.append),
        )

    def add_key(self, scope: str) -> None:
        """Make a key with one scope, called like it."""
        grant = Grant(name=scope, scopes=frozenset({scope}))
        _, self.keys[scope] = create_key(self.control, grant, now=clock())

    def bearer(self, scope: str) -> dict[str, str]:
        """The header that says it."""
        return {"Authorization": f"Bearer {self.keys[scope]}"}

    def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
        peer: str | None = "127.0.0.1",
    ) -> httpx.Response:
        """Send a request, from an address."""
        lines = [
            (name.encode(), value.encode("latin-1"))
            for name, value in (headers or {}).items()
        ]
        client = None if peer is None else (peer, 1)
        transport = httpx.ASGITransport(self.app, client=client)  # type: ignore[arg-type]  # no peer is a peer, too

        async def send() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=transport, base_url="http://localhost"
            ) as asker:
                return await asker.request(method, path, headers=lines, content=content)

        return asyncio.run(send())
