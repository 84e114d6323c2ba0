"""List the requests that told too little of their usage, and what they probably cost.

What is flagged (``core.review``) stands beside what is measured, so that one table says
how far the totals can be trusted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from tollbook.core.adjustment import SOURCE
from tollbook.core.calendar import Bucket
from tollbook.core.review import DOUBTED, STATE, UPSTREAM, Flagged, Group, doubt
from tollbook.core.tally import Tally
from tollbook.core.units import TOKEN_UNITS
from tollbook.ledger.dimensions import JOINED
from tollbook.ledger.estimating import Estimating, make_estimating
from tollbook.ledger.filters import Filter, Wanted, filter_of
from tollbook.ledger.report import Books
from tollbook.ports import TAG, EventQuery, LedgerStore, ListedEvent, UsageQuery

Sort = Literal["cost", "time"]

_PAGE = 1_000
_ALL_TOKENS = tuple(unit.value for unit in TOKEN_UNITS)


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """The flagged requests of a period, and how well all of it is known."""

    flagged: Sequence[Flagged]
    by: str
    groups: Sequence[Group]
    whole: Group
    healed: int  # which the relay could not count, and another source has counted since


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be reviewed."""

    bucket: Bucket
    wanted: Wanted = Wanted()
    by: str = TAG + UPSTREAM
    sort: Sort = "cost"


def review(books: Books, asked: Asked) -> Review:
    """Look through a period.

    Raises:
        NothingMatchesError: A name means nothing in this ledger.
    """
    store = books.store
    chosen = filter_of(store, books.naming, asked.wanted, books.kinds)
    estimating = make_estimating(store, books.naming, books.pricer)
    found = list(flagged(store, estimating, chosen, asked.bucket))
    found.sort(key=_by_time if asked.sort == "time" else _by_cost)
    groups = _groups(store, asked, chosen, found)
    return Review(
        flagged=found,
        by=asked.by,
        groups=[groups[name] for name in sorted(groups, key=lambda n: (n is None, n))],
        whole=_added_up(list(groups.values())),
        healed=_healed(store, asked, chosen, found),
    )


def flagged(
    store: LedgerStore, estimating: Estimating, chosen: Filter, bucket: Bucket
) -> Iterator[Flagged]:
    """The flagged requests of a period, the latest first."""
    known: set[str] = set()
    narrows: list[dict[str, str | None]] = [{TAG + STATE: each} for each in DOUBTED]
    for narrow in ({}, *narrows):
        where = {**narrow, **chosen.where}
        if any(where[name] != text for name, text in narrow.items()):
            continue
        query = EventQuery(
            start=bucket[0],
            end=bucket[1],
            where=where,
            in_doubt=not narrow,
            limit=_PAGE,
        )
        for listed in pages(store, query):
            why = doubt(listed.event)
            fits = listed.id not in known and chosen(_dimensions(listed))
            if fits and why is not None:
                known.add(listed.id)
                yield Flagged(
                    id=listed.id,
                    event=listed.event,
                    doubt=why,
                    list_cost=sum(share.tally.list_cost for share in listed.shares),
                    likely=estimating.likely(listed.event),
                )


def pages(store: LedgerStore, query: EventQuery) -> Iterator[ListedEvent]:
    """Every event of a question, page by page."""
    while True:
        found = store.page(query)
        yield from found
        if len(found) < query.limit:
            return
        last = found[-1]
        query = msgspec.structs.replace(query, after=(last.event.at, last.id))


def _dimensions(listed: ListedEvent) -> dict[str, str | None]:
    event = listed.event
    return {
        "project": event.project,
        "session": event.session,
        "model": listed.shares[0].model or None,
        "source": JOINED.join(event.sources),
    }


def _by_time(each: Flagged) -> tuple[int, str]:
    return -each.event.at, each.id


def _by_cost(each: Flagged) -> tuple[bool, int, int, str]:
    """The dearest first; what cannot be told behind."""
    added = each.added_cost
    return added is None, -(added or 0), *_by_time(each)


def _groups(
    store: LedgerStore, asked: Asked, chosen: Filter, found: Sequence[Flagged]
) -> dict[str | None, Group]:
    by = frozenset({asked.by, "source"})
    query = UsageQuery(buckets=[asked.bucket], by=by | chosen.by, where=chosen.where)
    tallies: dict[str | None, list[tuple[bool, Tally]]] = {}
    for total in store.totals(query):
        if chosen(total.dimensions):
            sources = (total.dimensions["source"] or "").split(JOINED)
            told = tallies.setdefault(total.dimensions[asked.by], [])
            told.append((SOURCE in sources, total.tally))
    flags: dict[str | None, list[Flagged]] = {name: [] for name in tallies}
    for each in found:
        flags.setdefault(_value(each, asked.by), []).append(each)
    return {name: _group(name, told, flags[name]) for name, told in tallies.items()}


def _healed(
    store: LedgerStore, asked: Asked, chosen: Filter, found: Sequence[Flagged]
) -> int:
    by = chosen.by | {TAG + STATE, "source"}
    query = UsageQuery(buckets=[asked.bucket], by=by, where=chosen.where)
    answered = sum(
        total.tally.responses
        for total in store.totals(query)
        if total.dimensions[TAG + STATE] in DOUBTED
        and SOURCE not in (total.dimensions["source"] or "").split(JOINED)
        and chosen(total.dimensions)
    )
    return answered - sum(
        each.tag(STATE) in DOUBTED and SOURCE not in each.event.sources
        for each in found
    )


def _value(each: Flagged, by: str) -> str | None:
    if by.startswith(TAG):
        return each.tag(by.removeprefix(TAG))
    if by == "model":
        return each.model or None
    value: str | None = getattr(each.event, by)
    return value


def _group(
    name: str | None,
    told: Sequence[tuple[bool, Tally]],
    found: Sequence[Flagged],
) -> Group:
    used = Tally()
    touched = 0
    for adjusted, tally in told:
        used = used.plus(tally)
        touched += adjusted * tally.responses
    missing = sum(each.doubt == "missing" for each in found)
    again = sum(SOURCE in each.event.sources for each in found)
    filled = max(0, touched - again)
    added = [each.added_cost for each in found]
    return Group(
        name=name,
        requests=used.responses + used.failed_requests,
        measured=used.responses - filled - len(found),
        adjusted=filled,
        partial=len(found) - missing,
        missing=missing,
        failed=used.failed_requests,
        measured_tokens=_tokens(used) - used.partial_output_tokens,
        partial_tokens=used.partial_output_tokens,
        list_cost=used.list_cost,
        added_cost=sum(each for each in added if each is not None),
        untold=sum(each is None for each in added),
    )


def _tokens(tally: Tally) -> int:
    tokens: int = sum(getattr(tally, unit) for unit in _ALL_TOKENS)
    return tokens


def _added_up(groups: Sequence[Group]) -> Group:
    sums: Mapping[str, int] = {
        field: sum(getattr(group, field) for group in groups)
        for field in Group.__struct_fields__
        if field != "name"
    }
    return Group(name=None, **sums)
