"""The one door of the server: every request comes through ``App``.

Host, browser, route, key, scope, body, in this order; then the route's own function.
Routes are exact: a path that is written in any other way leads nowhere.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from tollbook.core.errors import BusyError, StoreError
from tollbook.http.bodies import Body, Budget, DisconnectedError
from tollbook.http.door import Door, origin_of
from tollbook.http.exchange import (
    BODY_MAX,
    LOCAL,
    Answer,
    RefusedError,
    Request,
    Route,
    Services,
    refuse,
)
from tollbook.http.hosts import Hosts, check_browser
from tollbook.http.journal import Journal
from tollbook.http.safety import SAFETY, Headers, with_safety

_PLAIN_PATH = re.compile(rb"(?:/(?:[A-Za-z0-9_.~!$&'()*+,=:@-]|%[0-9A-Fa-f]{2})*+)++")
_HIDDEN = re.compile(rb"[\x00-\x1f\x7f/\\;]|\A\.{0,2}\Z")
_NOBODY = "nobody"
_RETRY = (("Retry-After", "2"),)


class App:
    """The ASGI application.

    Args:
        services: What routes work with.
        door: Who may come in.
        hosts: Under which names.
        routes: The exact ones.
        pages: Starlette's, all under the scope ``read``.
        journal: Where to tell.
    """

    def __init__(
        self,
        services: Services,
        gate: tuple[Door, Hosts],
        routes: Iterable[Route],
        pages: Sequence[BaseRoute] = (),
        journal: Journal | None = None,
    ) -> None:
        self._services = services
        self._door, self._hosts = gate
        self._journal = journal or Journal()
        self._budget = Budget(services.config.server.bodies_bytes_max)
        self._routes: dict[tuple[str, bytes], Route] = {}
        for route in routes:
            self._routes[route.method, route.path.encode()] = route
            if route.method == "GET":
                self._routes["HEAD", route.path.encode()] = route
        self._pages: ASGIApp = Router(
            pages, redirect_slashes=False, default=_no_such_page
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        began = time.perf_counter_ns()
        visit = _Visit(scope, send)
        try:
            answer = await self._answer(visit, receive)
        except DisconnectedError:
            return
        except RefusedError as error:
            answer = visit.refused(error)
        except BusyError as error:
            answer = visit.refused(RefusedError(503, "busy", str(error), _RETRY))
        except StoreError:
            answer = visit.refused(_store_away())
        except HTTPException as error:
            answer = visit.refused(_as_refused(error))
        except Exception as error:
            number = self._journal.unforeseen(error)
            if visit.status:
                raise  # the answer has begun: all that is left is to break it off
            answer = visit.refused(_unforeseen(visit.route, number))
        finally:
            visit.close()
        if answer is not None:
            await visit.send(answer)
        if self._journal.verbose:
            ms = (time.perf_counter_ns() - began) // 1_000_000
            self._journal.request(
                visit.method, visit.place, visit.status, who=visit.who, ms=ms
            )

    async def _answer(self, visit: _Visit, receive: Receive) -> Answer | None:
        """The answer, or ``None`` when a page has given it."""
        headers = visit.read_headers()
        self._hosts.check(headers.get("host", ""))
        check_browser(visit.method, headers)
        path: bytes = visit.scope["raw_path"]
        route = self._routes.get((visit.method, path))
        if route is None:
            self._must_be_page(visit.method, path)
        visit.route = route
        key = LOCAL
        wanted = "read" if route is None else route.scope
        if wanted is not None:
            key = self._door.enter(headers, _peer(visit.scope), wanted)
            visit.who = origin_of(key)
        body_max = BODY_MAX if route is None else route.body_max
        visit.body = Body(self._budget, body_max)
        content = await visit.body.read(receive, headers)
        visit.heard_out = True
        if route is None:
            await self._show(visit, receive, key, content)
            return None
        request = Request(
            visit.method,
            route.path,
            visit.scope["query_string"],
            headers,
            content,
            key,
            visit.who,
        )
        return await route.handle(request, self._services)

    def _must_be_page(self, method: str, path: bytes) -> None:
        """Leave a path to the pages, unless it is exact and the method is not."""
        methods = sorted(each for each, known in self._routes if known == path)
        if methods:
            text = f"{method}: use {' or '.join(methods)}"
            allow = (("Allow", ", ".join(methods)),)
            raise RefusedError(405, "method_not_allowed", text, allow)
        parts = path.split(b"/")[1:]
        if not _PLAIN_PATH.fullmatch(path) or any(
            _HIDDEN.search(unquote_to_bytes(part)) for part in parts
        ):
            raise _nowhere()

    async def _show(
        self, visit: _Visit, receive: Receive, key: object, content: bytes
    ) -> None:
        """Let Starlette answer."""
        scope = visit.scope
        scope["app"] = self
        scope["state"] = {
            "services": self._services,
            "key": key,
            "origin": visit.who,
        }
        given = False

        async def give() -> MutableMapping[str, Any]:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": content, "more_body": False}

        await self._pages(scope, give, visit.relay)
        visit.place = getattr(scope.get("route"), "path", visit.place)


class _Visit:
    """One request on its way: how far it came, and what was said."""

    __slots__ = (
        "_send",
        "body",
        "headers",
        "heard_out",
        "method",
        "place",
        "route",
        "scope",
        "status",
        "who",
    )

    def __init__(self, scope: Scope, send: Send) -> None:
        self.scope = scope
        self._send = send
        self.method: str = scope["method"]
        self.headers: Mapping[str, str] = {}
        self.route: Route | None = None
        self.body: Body | None = None
        self.heard_out = False  # whether the body was read to its end
        self.place = "-"
        self.who = _NOBODY
        self.status = 0  # 0: nothing was said yet

    def read_headers(self) -> Mapping[str, str]:
        """The header lines; those that came twice, joined as HTTP allows."""
        found: dict[str, str] = {}
        for raw, value in self.scope["headers"]:
            name = raw.decode("latin-1")
            text = value.decode("latin-1")
            found[name] = f"{found[name]}, {text}" if name in found else text
        self.headers = found
        return found

    def refused(self, error: RefusedError) -> Answer:
        """An error in the shape its readers expect."""
        shape = refuse if self.route is None else self.route.refusal
        return shape(self.headers, error)

    def close(self) -> None:
        """Give back what the body took."""
        if self.body is not None:
            self.body.close()

    async def send(self, answer: Answer) -> None:
        """Say it, safely for browsers."""
        if self.route is not None:
            self.place = self.route.path
        headers: Headers = [
            (b"content-type", answer.media_type.encode("latin-1")),
            (b"content-length", b"%d" % len(answer.body)),
        ]
        if answer.headers:
            for name, value in answer.headers:
                headers.append((name.encode("latin-1"), value.encode("latin-1")))
            headers = with_safety(headers)
        else:
            headers += SAFETY
        if not self.heard_out and self._says_more():
            headers.append((b"connection", b"close"))
        self.status = answer.status
        await self._send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": headers,
            }
        )
        await self._send({"type": "http.response.body", "body": answer.body})

    async def relay(self, message: MutableMapping[str, Any]) -> None:
        """Pass on what a page says, made safe."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = with_safety(list(message.get("headers", ())))
            message = {**message, "headers": headers}
        await self._send(message)

    def _says_more(self) -> bool:
        return "content-length" in self.headers or "transfer-encoding" in self.headers


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return "" if client is None else str(client[0])


async def _no_such_page(scope: Scope, receive: Receive, send: Send) -> None:
    del scope, receive, send
    raise _nowhere()


def _nowhere() -> RefusedError:
    return RefusedError(404, "not_found", "there is nothing here; check the address")


def _store_away() -> RefusedError:
    text = "the ledger cannot be used for now; nothing was lost, send it again"
    return RefusedError(503, "store_unavailable", text, _RETRY)


def _as_refused(error: HTTPException) -> RefusedError:
    headers = tuple((error.headers or {}).items())
    code = error.detail.lower().replace(" ", "_").replace("'", "")
    text = f"{error.detail}; check the request"
    return RefusedError(error.status_code, code, text, headers)


def _unforeseen(route: Route | None, number: str) -> RefusedError:
    status = 500 if route is None else route.broken
    text = f"something went wrong here; the server's log says more of {number}"
    retry = _RETRY if status == 503 else ()  # noqa: PLR2004 - Service Unavailable
    return RefusedError(status, "unforeseen", text, retry)
