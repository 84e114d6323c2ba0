"""A whole server: its routes behind their door, from the start to an orderly end."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from functools import partial

import msgspec
from starlette.types import ASGIApp

from tollbook.core.errors import StoreUnavailableError
from tollbook.http.app import App
from tollbook.http.beside import note_uses
from tollbook.http.docs_page import DOCS_ROUTES as DOCS
from tollbook.http.door import Door
from tollbook.http.exchange import Services
from tollbook.http.health import Flow, Readiness
from tollbook.http.health import routes as health_routes
from tollbook.http.hosts import Hosts
from tollbook.http.ingest import ROUTES as INGEST
from tollbook.http.journal import Journal
from tollbook.http.listen import is_open
from tollbook.http.otlp import ROUTES as OTLP
from tollbook.http.push import ROUTES as PUSH
from tollbook.http.query import query_pages, query_routes
from tollbook.http.query_desk import Desk
from tollbook.http.relay import Relay
from tollbook.http.relay_station import Relaying
from tollbook.http.server import Server, Work
from tollbook.ledger.intake import Intake
from tollbook.ledger.keyring import Keyring

_LATER = "what is not derived yet is durable, and is derived at the next start"


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What a server is made of."""

    services: Services
    intake: Intake
    keyring: Keyring
    door: Door
    journal: Journal
    folder: str  # where the ledger is
    relaying: Relaying | None = None


def run(
    parts: Parts,
    listener: socket.socket,
    *,
    works: Sequence[Work],
    started: Callable[[], None],
) -> None:
    """Serve until told to end; then answer, write and derive what was taken in."""
    settings = parts.services.config.server
    desk = Desk(parts.services)
    if parts.relaying is not None:
        works = [*works, parts.relaying.run]
    server = Server(
        _application(parts, desk, listener),
        settings,
        parts.journal,
        works=[*works, partial(note_uses, parts.keyring)],
        started=started,
    )
    parts.intake.start()
    try:
        server.run([listener])
    finally:
        desk.close()
        if not parts.intake.close(settings.drain_seconds):
            parts.journal.say(_LATER)
        if parts.relaying is not None:
            parts.relaying.instance.close()
        try:
            parts.keyring.note_uses(last=True)
        except StoreUnavailableError as error:
            parts.journal.say(str(error))


def _application(parts: Parts, desk: Desk, listener: socket.socket) -> ASGIApp:
    settings = parts.services.config.server
    readiness = Readiness(parts.folder, (Flow(parts.intake.state),))
    names = (*settings.hosts, settings.host, socket.gethostname())
    gate = (parts.door, Hosts(names, addresses=is_open(listener)))
    health = health_routes(readiness)
    if parts.relaying is not None and parts.relaying.alone:
        app = App(parts.services, gate, health, (), parts.journal)
    else:
        app = App(
            parts.services,
            gate,
            (*INGEST, *OTLP, *PUSH, *query_routes(desk), *DOCS, *health),
            query_pages(desk),
            parts.journal,
        )
    if parts.relaying is None:
        return app
    return Relay(parts.services, gate, parts.relaying.traffic, app, parts.journal)
