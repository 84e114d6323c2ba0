"""What a store says of single events, asked in every way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import msgspec

from strategies import DAY_MS, MODELS, SESSIONS, SOURCES, START
from tollbook.core.measure import Measure
from tollbook.core.tally import Share, Tally
from tollbook.ports import EventQuery, LedgerStore, ListedEvent

PAGE = 3
_HOUR = 3_600_000
QUERIES: Mapping[str, dict[str, Any]] = {
    "all": {},
    "of no source": {"source": "+".join(SOURCES)},
    "of a source in two hours": {
        "source": SOURCES[0],
        "start": START + _HOUR,
        "end": START + 3 * _HOUR,
    },
    "of some models of a project": {
        "models": frozenset((MODELS[0], "")),
        "projects": frozenset(("-work",)),
    },
    "of a session and no known user": {"where": {"session": SESSIONS[0], "user": None}},
    "in doubt": {"in_doubt": True},
    "of an app and a tag": {"where": {"app": "llm_router", "tag:team": "blue"}},
}


def listings(store: LedgerStore) -> dict[str, object]:
    """Every page of every question, both ways, and all that can be measured."""
    found: dict[str, object] = {}
    for name, chosen in QUERIES.items():
        query = EventQuery(
            **{"start": 0, "end": START + DAY_MS, "limit": PAGE} | chosen
        )
        newest = walked(store, query)
        oldest = walked(store, msgspec.structs.replace(query, newest_first=False))
        assert newest == oldest[::-1], name
        found[f"events {name}"] = newest
        whole = msgspec.structs.replace(query, limit=1_000)
        for measure in get_args(Measure):
            found[f"{measure} {name}"] = sorted(store.measures(whole, measure))
    return found


def walked(store: LedgerStore, query: EventQuery) -> Sequence[object]:
    """All pages of a question, one behind the other."""
    found: list[ListedEvent] = []
    while True:
        page = store.page(query)
        assert len(page) <= query.limit
        found += page
        if len(page) < query.limit:
            break
        last = page[-1]
        query = msgspec.structs.replace(query, after=(last.event.at, last.id))
    assert len({each.id for each in found}) == len(found), "one event, one id"
    return [
        (each.id, msgspec.json.encode(each.event, order="sorted")) for each in found
    ]


def by_model(found: Sequence[Share]) -> list[tuple[str, bool, Tally]]:
    """Shares, one for each model; how many rows a store makes of them is its own."""
    added: dict[tuple[str, bool], Tally] = {}
    for model, priced, tally in found:
        known = added.get((model, priced), Tally())
        added[model, priced] = known.plus(tally)
    return sorted((model, priced, tally) for (model, priced), tally in added.items())
