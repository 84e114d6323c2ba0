"""``POST /v1/observations``: what another ledger knows; see ``formats.push``.

It is answered when everything that could be used is durable; the same body sent again
changes nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence

import msgspec

from tollbook.core.control import DEVTOOLS
from tollbook.core.errors import ControlError, NotAllowedError
from tollbook.formats.push import (
    Parcel,
    ParcelError,
    Piece,
    Reply,
    Rights,
    parse_parcel,
)
from tollbook.http.exchange import Answer, RefusedError, Request, Route, Services
from tollbook.ports import Batch

BODY_MAX = 16 << 20
_REFUSALS_MAX = 100
_FORBIDDEN = "project_not_allowed"


async def take(request: Request, services: Services) -> Answer:
    """Take a parcel in, durably."""
    key = request.key
    rights = Rights(
        key=key.id or None,
        projects=None if key.projects is None else frozenset(key.projects),
    )
    try:
        parcel = await asyncio.to_thread(parse_parcel, request.body, rights)
    except ParcelError as error:
        status = 403 if error.code == _FORBIDDEN else 400
        raise RefusedError(status, error.code, str(error)) from error
    if parcel.project is not None:
        await _admit(parcel.project, request, services)
    submitted = [services.intake.submit(batch) for batch in _batches(parcel.pieces)]
    receipts = await asyncio.gather(*submitted)
    statuses = Counter(receipt.status for given in receipts for receipt in given)
    return Answer(body=msgspec.json.encode(_reply(parcel, statuses)))


async def _admit(project: str, request: Request, services: Services) -> None:
    """Make the project that all of a parcel is for, where it is new."""
    book, now = services.projects, services.clock()
    try:
        await asyncio.to_thread(
            book.admit, project, key=request.key, kind=DEVTOOLS, now=now
        )
    except (ControlError, NotAllowedError) as error:
        raise RefusedError(403, _FORBIDDEN, str(error)) from error


def _batches(pieces: Sequence[Piece]) -> list[Batch]:
    """One for each source and origin."""
    by_place: defaultdict[tuple[str, str], list[Piece]] = defaultdict(list)
    for piece in pieces:
        if piece.observations or piece.calls or piece.statements:
            by_place[piece.source, piece.origin].append(piece)
    return [
        Batch(
            source=source,
            origin=origin,
            observations=[each for piece in found for each in piece.observations],
            calls=[each for piece in found for each in piece.calls],
            statements=[each for piece in found for each in piece.statements],
            lines=sum(each.lines for piece in found for each in piece.observations),
        )
        for (source, origin), found in by_place.items()
    ]


def _reply(parcel: Parcel, statuses: Counter[str]) -> Reply:
    refused = sum(each.kind == "observation" for each in parcel.refused)
    repeated = statuses["repeated"]
    return Reply(
        observations=statuses.total() + refused,
        added=statuses.total() - repeated,
        repeated=repeated,
        refused=refused,
        refused_others=len(parcel.refused) - refused,
        refusals=parcel.refused[:_REFUSALS_MAX],
    )


ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/v1/observations",
        handle=take,
        scope="ingest",
        body_max=BODY_MAX,
    ),
)
