"""How the in-memory store lists single events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tollbook.core.observation import Evidence, Instant
from tollbook.ports import EventQuery, ListedEvent


def _is_reported(listed: ListedEvent) -> bool:
    """Whether nobody need ask what it counted: it is all reported, or it failed."""
    if listed.event.failure is not None:
        return True
    partial = listed.shares[0].tally.partial_responses
    return listed.event.evidence == Evidence.REPORTED and not partial


def wanted(
    listed: ListedEvent, known: Mapping[str, str | None], query: EventQuery
) -> bool:
    """Whether a question is about an event, whose dimensions are ``known``."""
    event, model = listed.event, listed.shares[0].model
    return (
        query.start <= event.at < query.end
        and (query.projects is None or event.project in query.projects)
        and (query.models is None or model in query.models)
        and (query.source is None or query.source in event.sources)
        and not (query.in_doubt and _is_reported(listed))
        and all(known.get(name) == text for name, text in query.where.items())
    )


def page(listed: Iterable[ListedEvent], query: EventQuery) -> list[ListedEvent]:
    """One page of some events."""
    found = sorted(listed, key=_position, reverse=query.newest_first)
    last = query.after
    if last is not None:
        newest = query.newest_first
        found = [
            each
            for each in found
            if (_position(each) < last if newest else _position(each) > last)
        ]
    return found[: query.limit]


def _position(listed: ListedEvent) -> tuple[Instant, str]:
    return listed.event.at, listed.id
