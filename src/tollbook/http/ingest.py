"""``POST /ingest`` and ``POST /v1/events``: what applications report, record by record.

Both take the same bodies. A record alone is answered alone; several get ``results`` in
their order::

    201 {"id": "msg_01…", "status": "added", "tokens": 1840, "usage": {"output_tokens":
         640, …}, "cost_usd": "0.0176", "unpriced": []}
    207 {"results": [{"status": "added", …},
                     {"status": "refused", "error": {"code": "record-shape", …}}]}

What is answered with added, merged, repeated or conflict is durable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from secrets import token_hex

import msgspec
from msgspec import UNSET, UnsetType

from tollbook.core.errors import NotAllowedError
from tollbook.core.money import usd_exact
from tollbook.core.observation import Observation
from tollbook.core.receipt import REPEATED, Receipt
from tollbook.core.units import TOKEN_UNITS
from tollbook.formats.cloudevents import (
    BATCH,
    CLOUDEVENTS,
    STRUCTURED,
    is_binary,
    name_by_headers,
    record_of,
)
from tollbook.formats.ingest import Given, observe
from tollbook.formats.ingest_body import (
    RECORDS,
    Read,
    UnreadableError,
    read_json,
    read_lines,
)
from tollbook.formats.ingest_record import TEXT_MAX, Record, Refused
from tollbook.http.exchange import Answer, RefusedError, Request, Route, Services
from tollbook.ledger.projects import kind_of
from tollbook.ports import Batch

SOURCE = "http"
BODY_MAX = 10 << 20
ASIDE_MIN = 64 << 10
"""Bytes from which on a body is read beside the loop, which goes on meanwhile."""

_JSON = "application/json"
_LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl")
_STATUS = {"too_many_events": 413, "empty_list": 422}
_FORBIDDEN = "record-forbidden"
_TOKENS = tuple(unit.value for unit in TOKEN_UNITS)

Outcome = Observation | Refused


class Why(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Why a record, or all of a request, was refused."""

    code: str
    message: str
    path: str = ""


class Result(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What became of one record; counts and cost are the response's as now known."""

    status: str
    id: str | UnsetType = UNSET
    tokens: int | UnsetType | None = UNSET  # of every kind; ``None``: not known
    usage: Mapping[str, int] | UnsetType = UNSET  # counts by unit
    cost_usd: str | UnsetType | None = UNSET  # ``None``: nothing of it has a price
    unpriced: Sequence[str] | UnsetType = UNSET
    note: str | UnsetType = UNSET
    error: Why | UnsetType = UNSET
    ignored: Sequence[str] | UnsetType = UNSET  # of a record that came alone


class Results(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What became of several records, in their order."""

    results: Sequence[Result]
    ignored: Sequence[str] = ()  # names of fields that are not understood
    error: Why | UnsetType = UNSET  # when all were refused


async def take(request: Request, services: Services) -> Answer:
    """Read records, make them durable, and say what became of each."""
    given = _given(request, services)
    if len(request.body) < ASIDE_MIN:
        read, outcomes = _understand(request, given)
    else:
        read, outcomes = await asyncio.to_thread(_understand, request, given)
    outcomes = await _admitted(outcomes, request, services)
    taken = [each for each in outcomes if isinstance(each, Observation)]
    receipts: list[Receipt] = []
    if taken:
        receipts = await services.intake.submit(
            Batch(
                source=SOURCE,
                origin=request.origin,
                observations=taken,
                lines=len(taken),
            )
        )
    told = iter(receipts)
    results = [
        _refused(each) if isinstance(each, Refused) else _taken(next(told))
        for each in outcomes
    ]
    return _one(results[0], read) if read.single else _several(results, read)


def _given(request: Request, services: Services) -> Given:
    mark = request.headers.get("idempotency-key")
    if mark is not None and not (0 < len(mark) <= TEXT_MAX and mark.isprintable()):
        message = (
            f"Idempotency-Key: 1 to {TEXT_MAX} printable characters; choose others"
        )
        raise RefusedError(400, "idempotency_key", message)
    return Given(
        now=services.clock(),
        nonce=token_hex(16),
        projects=request.key.projects,
        key=request.key.id or None,
        idempotency_key=mark,
    )


def _understand(
    request: Request, given: Given
) -> tuple[Read[Record], Sequence[Outcome]]:
    try:
        read = _read(request)
    except UnreadableError as error:
        status = _STATUS.get(error.code, 400)
        raise RefusedError(status, error.code, f"the body: {error}") from error
    return read, [
        each if isinstance(each, Refused) else observe(each, given, number)
        for each, number in zip(read.items, read.numbers, strict=True)
    ]


def _read(request: Request) -> Read[Record]:
    headers, body = request.headers, request.body
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type in _LINES:
        return read_lines(body, RECORDS)
    if media_type in (STRUCTURED, BATCH):
        events = read_json(body, CLOUDEVENTS)
        items = [e if isinstance(e, Refused) else record_of(e) for e in events.items]
        return Read(items, events.numbers, events.ignored, events.single)
    if media_type != _JSON:
        message = f"send {_JSON}, {_LINES[0]} or {STRUCTURED} as content-type"
        raise RefusedError(415, "media_type", message)
    read = read_json(body, RECORDS)
    if is_binary(headers):
        name_by_headers(read, headers)
    return read


async def _admitted(
    outcomes: Sequence[Outcome], request: Request, services: Services
) -> Sequence[Outcome]:
    """Make projects that are new, and refuse what is said of those that may not be."""
    first = {
        each.project: each
        for each in reversed(outcomes)
        if isinstance(each, Observation) and each.project is not None
    }
    barred: dict[str | None, Refused] = {}
    book, now = services.projects, services.clock()
    for project, seen in first.items():
        assert project is not None
        if book.known(project, now=now) is not None:
            continue
        kind = kind_of(seen.app)
        try:
            await asyncio.to_thread(
                book.admit, project, key=request.key, kind=kind, now=now
            )
        except NotAllowedError as error:
            barred[project] = Refused(
                code="record-forbidden", message=str(error), path="project_id"
            )
    if not barred:
        return outcomes
    return [
        barred.get(each.project, each) if isinstance(each, Observation) else each
        for each in outcomes
    ]


def _refused(why: Refused) -> Result:
    return Result(status="refused", error=Why(why.code, why.message, why.path))


def _taken(told: Receipt) -> Result:
    usage = told.usage
    tokens = [usage[unit] for unit in _TOKENS if unit in usage]
    cost = told.list_cost if usage else None  # what is not known is not free
    return Result(
        status=told.status,
        id=told.name,
        tokens=sum(tokens) if tokens else None,
        usage=usage,
        cost_usd=usd_exact(cost) if cost is not None else None,
        unpriced=told.unpriced,
        note=told.note or UNSET,
    )


def _one(result: Result, read: Read[Record]) -> Answer:
    why = result.error
    if why is not UNSET:
        status = 403 if why.code == _FORBIDDEN else 422
        return Answer(status=status, body=msgspec.json.encode({"error": why}))
    if read.ignored:
        result = msgspec.structs.replace(result, ignored=read.ignored)
    status = 200 if result.status == REPEATED else 201
    return Answer(status=status, body=msgspec.json.encode(result))


def _several(results: Sequence[Result], read: Read[Record]) -> Answer:
    refused = sum(each.error is not UNSET for each in results)
    error: Why | UnsetType = UNSET
    if refused and refused == len(results):
        forbidden = all(r.error and r.error.code == _FORBIDDEN for r in results)
        status = 403 if forbidden else 422
        message = f"all {refused:,} records were refused; each result says why"
        error = Why("all_refused", message)
    elif refused:
        status = 207
    else:
        status = 200 if all(r.status == REPEATED for r in results) else 201
    body = Results(results=results, ignored=tuple(read.ignored), error=error)
    return Answer(status=status, body=msgspec.json.encode(body))


ROUTES: tuple[Route, ...] = tuple(
    Route(method="POST", path=path, handle=take, scope="ingest", body_max=BODY_MAX)
    for path in ("/ingest", "/v1/events")
)
