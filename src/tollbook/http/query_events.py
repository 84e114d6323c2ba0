"""Single events: page by page, and one with everything that speaks for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import reduce
from itertools import islice

import msgspec

from tollbook.core.event_id import event_id, moment_of
from tollbook.core.identity import identify
from tollbook.core.money import usd_exact
from tollbook.core.observation import Evidence
from tollbook.core.tally import UNITS, Tally
from tollbook.http.exchange import RefusedError
from tollbook.http.query_desk import Asked, Desk
from tollbook.http.query_event_shape import EventAnswer
from tollbook.http.query_parameters import (
    Parameter,
    choice_of,
    choice_schema,
    number_of,
    number_schema,
    refuse,
    text_of,
)
from tollbook.http.query_period import Period
from tollbook.http.query_shapes import (
    EventRow,
    EventsAnswer,
    period_shape,
    tokens_of,
    usd_or_none,
)
from tollbook.ledger.naming import Naming
from tollbook.ledger.paging import cursor_text, packed, parse_cursor, unpacked
from tollbook.ledger.query import ModelFilter
from tollbook.ledger.show import response
from tollbook.ledger.show_json import evidence_name, response_document
from tollbook.ports import EventQuery, ListedEvent, StoredEvent, UsageQuery
from tollbook.render.fields import moment

PAGE_MAX = 1_000
NAMESAKES_MAX = 20
"""How many responses one request id may bring back."""

_ORDERS = ("desc", "asc")
_PLAIN_ID = re.compile(r"[A-Za-z0-9_.:-]+", re.ASCII)
_ODD = "~"  # begins an id that had to be written as base64

EVENTS = (
    Parameter(
        name="cursor",
        text="Where the page before ended: its next.",
        schema={"type": "string", "maxLength": 2_048},
    ),
    Parameter(
        name="limit",
        text="How many events at most.",
        schema=number_schema(usual=100, most=PAGE_MAX),
    ),
    Parameter(
        name="order",
        text="The newest first (desc) or the oldest (asc).",
        schema=choice_schema(_ORDERS, "desc"),
    ),
)


def events(asked: Asked, desk: Desk) -> EventsAnswer:
    """One page of events."""
    values = asked.values
    limit = number_of(values, "limit", usual=100, most=PAGE_MAX)
    order = choice_of(values, "order", _ORDERS, "desc")
    text = text_of(values, "cursor")
    after = None if text is None else parse_cursor(text)
    if text is not None and after is None:
        refuse("cursor", "is none of ours; use what the page before called next")
    period = desk.period(asked)
    query = msgspec.structs.replace(
        events_query(asked, desk, period, limit=limit + 1),
        after=after,
        newest_first=order == "desc",
    )
    found = desk.store.page(query)
    page = found[:limit]
    naming = desk.books(asked).naming
    return EventsAnswer(
        period=period_shape(period),
        events=[_row(each, naming) for each in page],
        next=cursor_text(page[-1].event.at, page[-1].id)
        if len(found) > limit
        else None,
    )


def events_query(asked: Asked, desk: Desk, period: Period, *, limit: int) -> EventQuery:
    """The single events that a question is about."""
    naming = desk.books(asked).naming
    where = desk.where(asked, naming)
    start, end = period.bucket
    models = None
    if where.models:
        query = UsageQuery(buckets=[(start, end)], by=frozenset({"model"}))
        known = {total.dimensions["model"] for total in desk.store.totals(query)}
        wanted = ModelFilter(naming, where.models)
        models = frozenset(raw or "" for raw in known if wanted(raw))
    return EventQuery(
        start=start,
        end=end,
        projects=where.projects,
        models=models,
        source=where.source,
        where=where.dimensions,
        limit=limit,
    )


def _row(listed: ListedEvent, naming: Naming) -> EventRow:
    event, shares = listed.event, listed.shares
    used = reduce(Tally.plus, (share.tally for share in shares))
    known = event.evidence != Evidence.MISSING
    priced = known and any(share.priced for share in shares)
    unpriced: dict[str, int] = {}
    for share in shares:
        if not share.priced:
            for unit, count in _usage(share.tally).items():
                unpriced[unit] = unpriced.get(unit, 0) + count
    return EventRow(
        id=path_id(listed.id),
        at=moment(event.at) or "",
        message_id=event.message_id,
        request_id=event.request_id,
        project=naming.project(event.project),
        session=event.session,
        model=naming.model(shares[0].model),
        provider=event.provider,
        app=event.app,
        user=event.user,
        machine=event.machine,
        key=event.key,
        agent=event.agent,
        tags=dict(event.tags),
        sources=event.sources,
        evidence=evidence_name(event.evidence),
        failure=event.failure,
        latency_ms=event.latency_ms,
        tokens=tokens_of(used) if known else None,
        usage=_usage(used),
        list_cost_usd=usd_exact(used.list_cost) if priced else None,
        stated_cost_usd=usd_or_none(event.stated_cost),
        unpriced=unpriced,
    )


def _usage(tally: Tally) -> dict[str, int]:
    counts = {unit: getattr(tally, unit) for unit in (*UNITS, "other_units")}
    return {unit: count for unit, count in counts.items() if count}


def event(asked: Asked, desk: Desk) -> EventAnswer:
    """Responses by an id, each with its observations and price lines.

    Raises:
        RefusedError: 404; there is none that the key may see.
    """
    name = plain_id(asked.path["id"])
    own = asked.key.projects
    seen = (
        stored
        for stored in _found(name, desk)
        if own is None or stored.event.project in own
    )
    found = list(islice(seen, NAMESAKES_MAX + 1))
    if not found:
        text = "id: no response has this message or request id; /v1/events lists them"
        raise RefusedError(404, "event", text)
    labels = desk.store.labels()
    views = tuple(
        response(stored, desk.rater, labels) for stored in found[:NAMESAKES_MAX]
    )
    more = len(found) > NAMESAKES_MAX
    return msgspec.convert(response_document(views, more=more), EventAnswer)


def _found(name: str, desk: Desk) -> Iterator[StoredEvent]:
    moment_id = moment_of(name)
    if moment_id is None:
        candidates = desk.store.find_events(response=name)
    elif moment_id.session:
        candidates = desk.store.find_events(session=moment_id.session)
    else:
        candidates = desk.store.find_events(response=moment_id.name)
    for stored in candidates:
        if moment_id is None or event_id(identify(stored.event)) == name:
            yield stored


def path_id(name: str) -> str:
    """An event's id as it may stand in any address; odd ones are written as base64."""
    return name if _PLAIN_ID.fullmatch(name) else _ODD + packed(name.encode())


def plain_id(text: str) -> str:
    """The id behind the one in an address."""
    if not text.startswith(_ODD):
        return text
    found = unpacked(text[len(_ODD) :])
    return text if found is None else found.decode(errors="replace")
