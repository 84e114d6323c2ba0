"""tollbook.http.query_event_shape: what is published of a response is all there is."""

from __future__ import annotations

from typing import Any

import msgspec

from query_world import world
from tollbook.config import Config
from tollbook.http.query_event_shape import EventAnswer
from tollbook.ledger.show import response
from tollbook.ledger.show_json import response_document
from tollbook.ports import EventQuery
from tollbook.wiring import make_rater


def test_nothing_that_show_tells_is_lost_over_http() -> None:
    store, rater = world().store, make_rater(Config())
    query = EventQuery(start=0, end=1 << 60, limit=1_000)
    names = [each.id for each in store.page(query)]
    stored = [found for name in names for found in store.find_events(response=name)]
    views = tuple(response(each, rater, store.labels()) for each in stored)
    document = response_document(views, more=True)

    answer = msgspec.convert(document, EventAnswer)

    assert len(views) > 5
    assert plain(answer) == plain(document)


def plain(value: object) -> dict[str, Any]:
    return msgspec.json.decode(msgspec.json.encode(value), type=dict[str, Any])
