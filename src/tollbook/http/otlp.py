"""OTLP over HTTP: ``POST /v1/logs``, ``/v1/metrics`` and ``/v1/traces``.

An exporter that gets 429, 502, 503 or 504 sends the same bytes again; at any other error
it drops them for ever. So trouble of ours is always 503, and 400 is for bytes that are no
export request. What is answered with 200 is durable; items that could not be used are
counted there, and none is sent again for their sake.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial

from tollbook.core.errors import ControlError, NotAllowedError
from tollbook.core.problem import Problem
from tollbook.formats.otlp import BadBytesError, TooManyError
from tollbook.formats.otlp_sender import Heard, Sender
from tollbook.formats.otlp_signals import SIGNALS, Encoding, Signal, answer, status
from tollbook.http.exchange import (
    Answer,
    Handler,
    RefusedError,
    Request,
    Route,
    Services,
)
from tollbook.ledger.projects import kind_of
from tollbook.ports import Batch, Key

SOURCE = "otlp"
BODY_MAX = 16 << 20
"""Bytes of a request, unpacked. Batches that carry whole bodies become large."""

ASIDE_MIN = 64 << 10
"""Bytes from which on a request is read beside the loop, which goes on meanwhile."""

_MEDIA_TYPES = {encoding.value: encoding for encoding in Encoding}
_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 408: 4, 413: 8, 415: 3, 429: 8, 503: 14}
_UNKNOWN = 2


async def take_in(
    signal: Signal,
    body: bytes,
    encoding: Encoding,
    *,
    caller: tuple[Key, str],
    services: Services,
) -> Heard:
    """Read an export request and make what it says durable, whatever it came over.

    Args:
        signal: Which of the three.
        body: Whole and unpacked.
        encoding: Of the body.
        caller: The key, and the origin that names it.
        services: The intake and the clock.

    Raises:
        BadBytesError: It is no export request.
        TooManyError: It holds more than is taken at once.
        BusyError: Too much is waiting; come back later.
        StoreUnavailableError: Locked, or the disk is full; nothing was taken in.
    """
    key, origin = caller
    sender = Sender(now=services.clock(), key=key.id or None, projects=key.projects)
    if len(body) < ASIDE_MIN:
        heard = signal.hear(body, encoding, sender)
    else:
        heard = await asyncio.to_thread(signal.hear, body, encoding, sender)
    await _admit(heard, key, services)
    if heard.observations or heard.statements or heard.findings:
        await services.intake.submit(_batch(heard, origin))
    return heard


async def _admit(heard: Heard, key: Key, services: Services) -> None:
    """Make projects that are new; refuse what is said of those that may not be."""
    book, now = services.projects, services.clock()
    for project, app in heard.projects().items():
        if book.known(project, now=now) is None:
            make = partial(book.admit, project, key=key, kind=kind_of(app), now=now)
            try:
                await asyncio.to_thread(make)
            except (ControlError, NotAllowedError) as error:
                heard.bar(project, str(error))


def _batch(heard: Heard, origin: str) -> Batch:
    return Batch(
        source=SOURCE,
        origin=origin,
        observations=heard.observations,
        statements=heard.statements,
        problems=[
            Problem(origin=origin, line=0, code=each.code, message=each.message)
            for each in heard.findings
        ],
        lines=len(heard.observations) + heard.refused,
        refused=heard.refused,
    )


def _encoding(headers: Mapping[str, str]) -> Encoding | None:
    media_type = headers.get("content-type", "").partition(";")[0]
    return _MEDIA_TYPES.get(media_type.strip().lower())


def _handler(signal: Signal) -> Handler:
    async def handle(request: Request, services: Services) -> Answer:
        encoding = _encoding(request.headers)
        if encoding is None:
            text = "send application/x-protobuf or application/json as content-type"
            raise RefusedError(415, "media_type", text)
        try:
            heard = await take_in(
                signal,
                request.body,
                encoding,
                caller=(request.key, request.origin),
                services=services,
            )
        except BadBytesError as error:
            text = f"{error}; check the exporter's protocol and its content-type"
            raise RefusedError(400, "bad_bytes", text) from error
        except TooManyError as error:
            raise RefusedError(413, "too_many_items", str(error)) from error
        return Answer(body=answer(signal, encoding, heard), media_type=encoding.value)

    return handle


def _refusal(headers: Mapping[str, str], error: RefusedError) -> Answer:
    """A ``google.rpc.Status``, in the encoding of the request."""
    encoding = _encoding(headers) or Encoding.JSON
    code = _CODES.get(error.status, _UNKNOWN)
    return Answer(
        status=error.status,
        body=status(encoding, code, error.message),
        media_type=encoding.value,
        headers=error.headers,
    )


ROUTES = tuple(
    Route(
        method="POST",
        path=signal.path,
        handle=_handler(signal),
        scope="ingest",
        body_max=BODY_MAX,
        refusal=_refusal,
        broken=503,
    )
    for signal in SIGNALS
)
