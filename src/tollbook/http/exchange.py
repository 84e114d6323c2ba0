"""What passes between the frame of the server and its routes.

A route is a value: a method, an exact path, the scope it asks for, how large a body may
be, and a function from a request to an answer. By the time that function is called the
frame has checked the host, the key and the scope, and has read and unpacked the body.

Starlette's routes pass through the same gate, under the scope ``read``; they find what
is here in ``request.state.services``, ``.key`` and ``.origin``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, Protocol

import msgspec

from tollbook.config import Config
from tollbook.core.control import SCOPES
from tollbook.core.observation import Instant
from tollbook.core.receipt import Receipt
from tollbook.ledger.intake import IntakeState
from tollbook.ledger.projects import ProjectBook
from tollbook.ports import Batch, ControlStore, Key, LedgerStore

Scope = Literal["ingest", "read", "relay", "admin"]
JSON = "application/json"

BODY_MAX = 8 << 20
"""How many bytes a body may have, unpacked, unless a route says otherwise."""

LOCAL = Key(id="", name="loopback", scopes=frozenset(SCOPES), created_at=0)
"""Who asks from this machine while the ledger has no key."""


class Intake(Protocol):
    """Takes observations in; several small requests share one write to the disk."""

    async def submit(self, batch: Batch) -> list[Receipt]:
        """Give a receipt for each observation once all are durable.

        Raises:
            BusyError: Too much is waiting; come back later.
            StoreUnavailableError: Locked, or the disk is full; nothing was taken in.
        """
        ...

    def state(self) -> IntakeState:
        """What it has done since it began, and what is before it."""
        ...


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """What routes work with."""

    intake: Intake
    store: LedgerStore  # to read from; writes go through the intake
    control: ControlStore  # projects, keys, audit
    projects: ProjectBook  # those that reports name, remembered between requests
    clock: Callable[[], Instant]
    config: Config


class Request(msgspec.Struct, frozen=True, gc=False):
    """A request that may be answered."""

    method: str
    path: str
    query: bytes = b""
    headers: Mapping[str, str] = {}  # names in lower case, values as Latin-1
    body: bytes = b""  # whole and unpacked
    key: Key = LOCAL
    origin: str = "loopback"  # for ``Batch.origin``: "key tb_ab12cd34" or "loopback"


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What goes back."""

    status: int = 200
    body: bytes = b""
    media_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


Handler = Callable[[Request, Services], Awaitable[Answer]]


class RefusedError(Exception):
    """A request cannot be answered as asked.

    Args:
        status: The HTTP status, 400 or above.
        code: Stable, in snake_case, for programs.
        message: Where, what, remedy, for people; without keys and without bodies.
        headers: More header lines, e.g. ``Retry-After``.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers
        super().__init__(message)


Refusal = Callable[[Mapping[str, str], RefusedError], Answer]
"""A route's own shape for what is refused, from the request's headers."""


def refuse(headers: Mapping[str, str], error: RefusedError) -> Answer:
    """The usual shape: ``{"error": {"code": "...", "message": "..."}}``."""
    del headers
    return Answer(
        status=error.status,
        body=msgspec.json.encode(
            {"error": {"code": error.code, "message": error.message}}
        ),
        headers=error.headers,
    )


class Route(msgspec.Struct, frozen=True):
    """One method of one exact path."""

    method: str
    path: str
    handle: Handler
    scope: Scope | None = None  # ``None``: open to everybody
    body_max: int = BODY_MAX
    refusal: Refusal = refuse
    broken: int = 500  # the status when something unforeseen goes wrong
