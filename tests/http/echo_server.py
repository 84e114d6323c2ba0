"""A server with routes that tell what they were asked: the frame alone, as a process.

It prints where it listens. The words of its command line are settings, such as
``head_seconds=1``.
"""

from __future__ import annotations

import sys
import time
from asyncio import sleep
from functools import partial
from typing import cast

import msgspec
from starlette.requests import Request as PageRequest
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route as Page

from tollbook.config import Config
from tollbook.config import Server as Settings
from tollbook.core.errors import StoreUnavailableError
from tollbook.http.app import App
from tollbook.http.door import Door
from tollbook.http.exchange import Answer, Intake, Request, Route, Services
from tollbook.http.health import Readiness, routes
from tollbook.http.hosts import Hosts
from tollbook.http.journal import Journal
from tollbook.http.listen import bind
from tollbook.http.server import Server
from tollbook.ledger.keyring import Keyring
from tollbook.ports import LedgerStore
from tollbook.stores.memory_control import MemoryControl

SECRET = "CANARY"  # noqa: S105 - what no log may hold


async def echo(request: Request, services: Services) -> Answer:
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
    await sleep(0.7)
    return await echo(request, services)


async def large(request: Request, services: Services) -> Answer:
    del request, services
    return Answer(body=b"x" * (32 << 20), media_type="text/plain")


async def broken(request: Request, services: Services) -> Answer:
    del services
    raise ValueError(SECRET + request.body.decode())


async def away(request: Request, services: Services) -> Answer:
    del request, services
    raise StoreUnavailableError(SECRET)


async def smuggled(request: Request, services: Services) -> Answer:
    del request, services
    return Answer(body=b"SMUGGLED")


def page(request: PageRequest) -> Response:
    return PlainTextResponse(f"{request.path_params['name']} {request.state.origin}")


async def stream_and_break(request: PageRequest) -> Response:
    async def app(scope: object, receive: object, send: object) -> None:
        del scope, receive
        await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
        raise ValueError(SECRET)

    del request
    return cast("Response", app)


ROUTES = (
    Route(method="POST", path="/echo", handle=echo, scope="ingest", body_max=1 << 20),
    Route(method="POST", path="/slow", handle=slow, scope="ingest"),
    Route(method="GET", path="/large", handle=large, scope="read"),
    Route(method="POST", path="/broken", handle=broken, scope="ingest"),
    Route(method="POST", path="/otlp", handle=broken, scope="ingest", broken=503),
    Route(method="POST", path="/away", handle=away, scope="ingest"),
    Route(method="GET", path="/smuggled", handle=smuggled),
)
PAGES = [
    Page("/pages/{name}", page),
    Page("/breaks", stream_and_break),
]


def clock() -> int:
    return time.time_ns() // 1_000_000


def greet(port: int) -> None:
    sys.stdout.write(f"http://127.0.0.1:{port}\n\n")
    sys.stdout.flush()


def main() -> None:
    settings = msgspec.convert(
        dict(word.split("=") for word in sys.argv[1:]), Settings, strict=False
    )
    control = MemoryControl()
    services = Services(
        intake=cast("Intake", None),
        store=cast("LedgerStore", None),
        control=control,
        clock=clock,
        config=Config(server=settings),
    )
    journal = Journal(verbose=True)
    app = App(
        services,
        (
            Door(Keyring(control), clock),
            Hosts(settings.hosts, addresses=False),
        ),
        (*ROUTES, *routes(Readiness("/tmp"))),  # noqa: S108 - is there
        PAGES,
        journal,
    )
    listener = bind("127.0.0.1", 0)
    port = listener.getsockname()[1]
    server = Server(app, settings, journal, started=partial(greet, port))
    server.run([listener])


if __name__ == "__main__":
    main()
