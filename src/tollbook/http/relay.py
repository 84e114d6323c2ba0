"""The relay: stands between applications and the Messages API, and keeps the books.

It takes what its rules name and leaves every other path to the server behind it. Host,
browser, key, project, body, in this order, as everywhere; then the request is written
down, and only then does its first byte go upstream.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from tollbook.core.control import AGENTS, DEVTOOLS
from tollbook.core.errors import BusyError, ControlError, NotAllowedError, StoreError
from tollbook.http.bodies import Body, Budget, DisconnectedError
from tollbook.http.door import Door, origin_of
from tollbook.http.exchange import RefusedError, Services
from tollbook.http.hosts import Hosts, check_browser
from tollbook.http.journal import Journal
from tollbook.http.relay_rules import Kind, Rule, Rules
from tollbook.http.relay_traffic import Traffic, Visit
from tollbook.http.safety import with_safety
from tollbook.ports import Key

_PROJECT = "x-tollbook-project"
_MARK = "anthropic-version"
_OURS_TOO = b"/v1/models"
_RETRY = (("Retry-After", "2"),)
_KINDS: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    415: "invalid_request_error",
    421: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


class Relay:
    """The ASGI application.

    Args:
        services: What routes work with.
        gate: Who may come in, and under which names.
        traffic: Where requests go on.
        behind: Who answers all else.
        journal: Where to tell.
    """

    def __init__(
        self,
        services: Services,
        gate: tuple[Door, Hosts],
        traffic: Traffic,
        behind: ASGIApp,
        journal: Journal,
    ) -> None:
        self._services = services
        self._door, self._hosts = gate
        self._traffic = traffic
        self._behind = behind
        self._journal = journal
        self._rules = Rules(services.config.upstreams)
        self._budget = Budget(services.config.server.bodies_bytes_max)
        self._projects = services.projects

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        rules = self._rules.find(scope["raw_path"])
        if not rules or _is_ours(scope):
            await self._behind(scope, receive, send)
            return
        began = time.perf_counter_ns()
        said = _Said(send)
        body = Body(self._budget, self._services.config.relay.body_bytes_max)
        try:
            await self._answer(rules, scope, receive, said, body)
        except DisconnectedError:
            pass
        except Exception as error:
            refusal = self._refusal(error)
            if said.status and not isinstance(error, RefusedError):
                raise  # the answer has begun: all that is left is to break it off
            await said.refused(refusal)
        finally:
            body.close()
        if self._journal.verbose:
            ms = (time.perf_counter_ns() - began) // 1_000_000
            place = next(iter(rules.values())).path
            self._journal.request(
                scope["method"], place, said.status, who=said.who, ms=ms
            )

    async def _answer(
        self,
        rules: Mapping[str, Rule],
        scope: Scope,
        receive: Receive,
        said: _Said,
        body: Body,
    ) -> None:
        headers = _joined(scope["headers"])
        rule, key = self._admit(rules, scope, headers)
        said.who = origin_of(key)
        if rule.kind is Kind.HELLO:
            await said.whole(200, [], b"")
            return
        project = await self._project(headers, key)
        visit = Visit(
            rule=rule,
            target=_target(scope),
            lines=scope["headers"],
            headers=headers,
            body=await body.read(receive, headers),
            free=body.close,
            key=key,
            who=said.who,
            project=project,
            receive=receive,
            send=said,
        )
        said.heard_out = True
        await self._traffic.take(visit)

    def _refusal(self, error: Exception) -> RefusedError:
        """What to say of an error."""
        if isinstance(error, RefusedError):
            return error
        if isinstance(error, BusyError):
            return RefusedError(503, "busy", str(error), _RETRY)
        if isinstance(error, StoreError):
            text = "the ledger cannot be used, so nothing was sent; ask again later"
            return RefusedError(503, "store_unavailable", text, _RETRY)
        number = self._journal.unforeseen(error)
        text = f"something went wrong here; the log says more of {number}"
        return RefusedError(500, "unforeseen", text)

    def _admit(
        self, rules: Mapping[str, Rule], scope: Scope, headers: Mapping[str, str]
    ) -> tuple[Rule, Key]:
        method = scope["method"]
        self._hosts.check(headers.get("host", ""))
        check_browser(method, headers)
        rule = rules.get(method)
        if rule is None:
            allowed = ", ".join(sorted(rules))
            text = f"{method}: use {allowed}"
            raise RefusedError(405, "method_not_allowed", text, (("Allow", allowed),))
        client = scope.get("client")
        peer = "" if client is None else str(client[0])
        key = self._door.enter(headers, peer, "relay")
        if headers.get("content-encoding", "identity") != "identity":
            text = "the relay reads requests as they are; send it without an encoding"
            raise RefusedError(415, "unknown_encoding", text)
        return rule, key

    async def _project(self, headers: Mapping[str, str], key: Key) -> str | None:
        """The project that a request names, or the only one of its key."""
        named = headers.get(_PROJECT)
        if named is None:
            only = key.projects or ()
            return only[0] if len(only) == 1 else None
        now = self._services.clock()
        agent = headers.get("user-agent", "")
        kind = DEVTOOLS if agent.startswith("claude-") else AGENTS
        try:
            if self._projects.known(named, now=now) is None:
                await asyncio.to_thread(
                    self._projects.admit, named, key=key, kind=kind, now=now
                )
            else:
                self._projects.admit(named, key=key, kind=kind, now=now)
        except (ControlError, NotAllowedError) as error:
            raise RefusedError(403, "project_not_allowed", str(error)) from error
        return named


class _Said:
    """Says things to a client, and knows how far that came."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.who = "nobody"  # as far as is known
        self.status = 0  # 0: nothing was said yet
        self.heard_out = False  # whether the request was read to its end

    async def __call__(self, message: Mapping[str, object]) -> None:
        """Pass on what somebody says."""
        if message["type"] == "http.response.start":
            self.status = int(str(message["status"]))
        await self._send(dict(message))

    async def whole(
        self, status: int, headers: list[tuple[bytes, bytes]], body: bytes
    ) -> None:
        """Say something of our own."""
        lines = [*headers, (b"content-length", b"%d" % len(body))]
        self.status = status
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": with_safety(lines),
            }
        )
        await self._send({"type": "http.response.body", "body": body})

    async def refused(self, error: RefusedError) -> None:
        """Say why not, the way the Messages API does."""
        if self.status:
            return  # it had begun; it is broken off
        kind = _KINDS.get(error.status, "api_error")
        body = msgspec.json.encode(
            {"type": "error", "error": {"type": kind, "message": error.message}}
        )
        lines = [(n.lower().encode(), v.encode()) for n, v in error.headers]
        lines += [
            (b"content-type", b"application/json"),
            (b"x-tollbook-error", error.code.encode()),
        ]
        if not self.heard_out:
            lines.append((b"connection", b"close"))
        await self.whole(error.status, lines, body)


def _joined(lines: list[tuple[bytes, bytes]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for raw, value in lines:
        name, text = raw.decode("latin-1"), value.decode("latin-1")
        found[name] = f"{found[name]}, {text}" if name in found else text
    return found


def _target(scope: Scope) -> str:
    path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return (path + b"?" + query if query else path).decode("ascii")


def _is_ours(scope: Scope) -> bool:
    """Whether ``/v1/models`` asks what was spent, and not what there is."""
    return scope["raw_path"] == _OURS_TOO and not any(
        name == _MARK.encode() for name, _ in scope["headers"]
    )
