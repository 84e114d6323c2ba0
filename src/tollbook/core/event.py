"""From what sources said (observations) to what happened (usage events).

Every rule here is a maximum or a minimum over a total order, unit by unit and mark by
mark. So the result depends neither on the order of arrival nor on repeats: a retry, a
crash or a second copy of a file changes nothing, and states may be joined in any
grouping, incrementally or all at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial, reduce
from typing import TypeVar

import msgspec

from tollbook.core.money import Money
from tollbook.core.observation import (
    MESSAGE,
    Conditions,
    Evidence,
    Instant,
    Lesser,
    Observation,
    Part,
)
from tollbook.core.units import Unit

_V = TypeVar("_V", tuple[int, str], "Reading")
_MARKS = (
    "message", "request", "project", "branch", "agent", "skill",
    "model", "provider", "app", "user", "machine", "key", "failure",
)  # fmt: skip
_FROM_ANYWHERE = {
    "message_id": "message",
    "request_id": "request",
    **{name: name for name in ("project", "provider", "app", "user", "machine", "key")},
}
"""Fields of an event that any place may tell, and the marks they come from."""

_TAG = "#"  # begins the name of a tag's mark
_CONDITIONS = ("service_tier", "speed", "inference_geo", "platform")

Shape = tuple[tuple[str, str], ...]
"""Kind and model of every part of a statement, in its order."""

Reading = tuple[int, int, int, tuple[int, ...], Shape]
"""One unit's counts in one statement: evidence, number of parts, total, counts by part,
shape. Tuples compare in this order, so better evidence wins, then the more detailed
statement, then the larger count (stream snapshots only grow)."""

Place = tuple[bool, bool, str]
"""Copied, side chain, session. The least of them is where a response is at home."""


class UsageEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One response, counted once.

    Fields that it shares with ``Observation`` have the same names and meaning.
    """

    message_id: str | None
    request_id: str | None
    session: str | None
    first_at: Instant
    at: Instant
    parts: tuple[Part, ...]
    conditions: Conditions
    evidence: int
    lesser: Lesser | None
    sidechain: bool
    copied: bool
    project: str | None
    branch: str | None
    agent: str | None
    skill: str | None
    tools: tuple[str, ...]
    stated_cost: Money | None
    sources: tuple[str, ...]
    provider: str | None
    app: str | None
    user: str | None
    machine: str | None
    key: str | None
    tags: tuple[tuple[str, str], ...]
    latency_ms: int | None
    failure: str | None
    """Why there is no usage; ``None`` as soon as anybody knows some."""


class Sighting(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the observations at one ``Place`` say of where and when."""

    first_at: Instant
    marks: dict[str, tuple[Instant, str]]
    """What is known of it by name, each from the earliest that knew it."""
    best: tuple[int, int, Instant]
    """The best output count: its evidence, the count, the latest instant that gave it."""


AdjustmentName = tuple[str, int]
"""The run and the number of an adjustment."""


class EventState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """All that must be remembered of one response's observations to merge the next.

    What adjustments say is kept apart from the rest, by their names: so one that was
    withdrawn can be left out, whichever of the two became known first.
    """

    readings: dict[str, Reading]
    conditions: dict[str, tuple[int, str]]
    places: dict[Place, Sighting]
    tools: tuple[str, ...]
    sources: tuple[str, ...]
    stated_cost: Money | None
    latency_ms: int | None = None
    adjusted: dict[AdjustmentName, Adjusted] = {}


class Adjusted(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one adjustment says, and whether it was withdrawn."""

    withdrawn: bool
    said: EventState


_untold = partial(msgspec.structs.replace, EventState({}, {}, {}, (), (), None))


def lift(seen: Observation, source: str) -> EventState:
    """One observation as the state of an event nobody else has spoken of."""
    said = _lift(seen, source)
    if (made := seen.adjustment) is None:
        return said
    return _untold(adjusted={(made.run, made.number): Adjusted(made.withdrawn, said)})


def _lift(seen: Observation, source: str) -> EventState:
    readings = _readings(seen)
    known = zip(_CONDITIONS, msgspec.structs.astuple(seen.conditions), strict=True)
    output = readings.get(Unit.OUTPUT)
    sighting = Sighting(
        first_at=seen.first_at,
        marks={
            name: (seen.first_at, value)
            for name, value in zip(_MARKS, _marks(seen), strict=True)
            if value
        }
        | {_TAG + name: (seen.first_at, value) for name, value in seen.tags},
        best=(output[0], output[2], seen.at) if output else (-1, 0, seen.at),
    )
    return EventState(
        readings=readings,
        conditions={
            name: (int(seen.evidence), value)
            for name, value in known
            if value is not None
        },
        places={(seen.copied, seen.sidechain, seen.session or ""): sighting},
        tools=seen.tools,
        sources=(source,),
        stated_cost=seen.stated_cost,
        latency_ms=seen.latency_ms,
    )


def _readings(seen: Observation) -> dict[str, Reading]:
    lesser = seen.lesser or {}
    best = int(seen.evidence)
    shape = tuple([(part.kind, part.model) for part in seen.parts])
    if len(shape) == 1:
        return {
            unit: (int(lesser.get(unit, best)), 1, count, (count,), shape)
            for unit, count in seen.parts[0].usage.items()
        }
    readings: dict[str, Reading] = {}
    for unit in dict.fromkeys(unit for part in seen.parts for unit in part.usage):
        counts = tuple([part.usage.get(unit, 0) for part in seen.parts])
        evidence = int(lesser.get(unit, best))
        readings[unit] = (evidence, len(shape), sum(counts), counts, shape)
    return readings


def join(one: EventState, other: EventState) -> EventState:
    """Merge two states of the same response.

    Commutative, associative and idempotent, which the property tests prove.
    """
    places = dict(one.places)
    for place, sighting in other.places.items():
        known = places.get(place)
        places[place] = sighting if known is None else _join_sightings(known, sighting)
    return EventState(
        readings=_greater(one.readings, other.readings),
        conditions=_greater(one.conditions, other.conditions),
        places=places,
        tools=_union(one.tools, other.tools),
        sources=_union(one.sources, other.sources),
        stated_cost=_larger(one.stated_cost, other.stated_cost),
        latency_ms=_larger(one.latency_ms, other.latency_ms),
        adjusted=_join_adjusted(one.adjusted, other.adjusted),
    )


def _larger(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)


def _greater(one: dict[str, _V], other: dict[str, _V]) -> dict[str, _V]:
    if one == other:
        return one
    joined = dict(one)
    for key, value in other.items():
        known = joined.get(key)
        if known is None or value > known:
            joined[key] = value
    return joined


def _union(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return one if one == other else tuple(sorted({*one, *other}))


def _join_adjusted(
    one: dict[AdjustmentName, Adjusted], other: dict[AdjustmentName, Adjusted]
) -> dict[AdjustmentName, Adjusted]:
    """Once withdrawn is withdrawn."""
    if one == other or not other:
        return one
    joined = dict(one)
    for name, each in other.items():
        known = joined.get(name, each)
        withdrawn = known.withdrawn or each.withdrawn
        joined[name] = Adjusted(withdrawn, join(known.said, each.said))
    return joined


def _join_sightings(one: Sighting, other: Sighting) -> Sighting:
    marks = one.marks
    if marks != other.marks:
        marks = dict(marks)
        for name, mark in other.marks.items():
            marks[name] = min(mark, marks.get(name, mark))
    return Sighting(
        first_at=min(one.first_at, other.first_at),
        marks=marks,
        best=max(one.best, other.best),
    )


def _marks(seen: Observation) -> tuple[str | None, ...]:
    """The values of ``_MARKS``."""
    return (
        seen.message_id, seen.request_id, seen.project, seen.branch, seen.agent, seen.skill,
        main_model(seen.parts), seen.provider, seen.app, seen.user, seen.machine, seen.key,
        seen.failure,
    )  # fmt: skip


def main_model(parts: Iterable[Part]) -> str:
    """The model that made the answer, else the first one that did anything."""
    models = [(part.kind != MESSAGE, n, part.model) for n, part in enumerate(parts)]
    return min(models)[2] if models else ""


def settle(state: EventState) -> UsageEvent:
    """What happened, as far as the observations in a state know.

    A response is at home where it was seen first: the parent's session before a side
    chain's, an original's before a copy's. It occurred when its final count was written
    there. Ids, session, project, tags and who asked with what, when nobody knew them at
    home, are taken from the next place that did; a branch, an agent and a skill mean
    something at home only.
    """
    if state.adjusted:
        state = _in_force(state)
    ordered = sorted(
        state.places.items(), key=lambda item: (item[0][:2], item[1].first_at, item[0])
    )
    (copied, sidechain, _), home = ordered[0]
    sightings = [sighting.marks for _, sighting in ordered]
    evidence, lesser = _evidence(state.readings)
    return UsageEvent(
        session=next((place[2] for place, _ in ordered if place[2]), None),
        first_at=home.first_at,
        at=home.best[2],
        parts=_parts(state.readings, _mark(sightings[:1], "model") or ""),
        conditions=Conditions(*(_value(state, name) for name in _CONDITIONS)),
        evidence=evidence,
        lesser=lesser,
        sidechain=sidechain,
        copied=copied,
        branch=_mark(sightings[:1], "branch"),
        agent=_mark(sightings[:1], "agent"),
        skill=_mark(sightings[:1], "skill"),
        tools=state.tools,
        stated_cost=state.stated_cost,
        sources=state.sources,
        tags=_tags(sightings),
        latency_ms=state.latency_ms,
        failure=None if state.readings else _mark(sightings, "failure"),
        **{field: _mark(sightings, name) for field, name in _FROM_ANYWHERE.items()},
    )


def _in_force(state: EventState) -> EventState:
    """What is known with the adjustments that stand, as if the others had never been.

    Of a response that only withdrawn ones speak of no more is known than that it was.
    """
    each, known = state.adjusted.values(), msgspec.structs.replace(state, adjusted={})
    known = reduce(join, [one.said for one in each if not one.withdrawn], known)
    if known.places:
        return known
    gone = reduce(join, [one.said for one in each])
    return _untold(places=gone.places, sources=gone.sources)


def settle_one(seen: Observation, source: str) -> UsageEvent:
    """``settle(lift(seen, source))``, at a fraction of its price."""
    if seen.adjustment or len(seen.parts) != 1:
        return settle(lift(seen, source))
    known = bool(seen.parts[0].usage)
    return UsageEvent(
        message_id=seen.message_id or None,
        request_id=seen.request_id or None,
        session=seen.session or None,
        first_at=seen.first_at,
        at=seen.at,
        parts=seen.parts if known else (Part(seen.parts[0].model, {}),),
        conditions=seen.conditions,
        evidence=seen.evidence if known else int(Evidence.MISSING),
        lesser=seen.lesser if known else None,
        sidechain=seen.sidechain,
        copied=seen.copied,
        project=seen.project or None,
        branch=seen.branch or None,
        agent=seen.agent or None,
        skill=seen.skill or None,
        tools=seen.tools,
        stated_cost=seen.stated_cost,
        sources=(source,),
        provider=seen.provider or None,
        app=seen.app or None,
        user=seen.user or None,
        machine=seen.machine or None,
        key=seen.key or None,
        tags=seen.tags,
        latency_ms=seen.latency_ms,
        failure=None if known else seen.failure or None,
    )


def _evidence(readings: dict[str, Reading]) -> tuple[int, Lesser | None]:
    """The best evidence there is, and the units that have less."""
    if not readings:
        return int(Evidence.MISSING), None
    best = max(reading[0] for reading in readings.values())
    lesser = {unit: each[0] for unit, each in readings.items() if each[0] < best}
    return best, lesser or None


def _mark(
    sightings: Sequence[Mapping[str, tuple[Instant, str]]], name: str
) -> str | None:
    """The first of some sightings that knew a mark."""
    return next((marks[name][1] for marks in sightings if name in marks), None)


def _tags(
    sightings: Sequence[Mapping[str, tuple[Instant, str]]],
) -> tuple[tuple[str, str], ...]:
    names = {name for marks in sightings for name in marks if name.startswith(_TAG)}
    return tuple(
        (name[len(_TAG) :], _mark(sightings, name) or "") for name in sorted(names)
    )


def _value(state: EventState, name: str) -> str | None:
    known = state.conditions.get(name)
    return known[1] if known else None


def _parts(readings: dict[str, Reading], model: str) -> tuple[Part, ...]:
    usages: dict[tuple[int, str, str], dict[str, int]] = {}
    for unit, (_, _, _, counts, shape) in readings.items():
        for place, ((kind, name), count) in enumerate(zip(shape, counts, strict=True)):
            usage = usages.setdefault((place, kind, name), {})
            if count or len(shape) == 1:
                usage[unit] = count
    if not usages:
        return (Part(model, {}),)
    return tuple(
        Part(name, usages[place, kind, name], kind)
        for place, kind, name in sorted(usages)
    )
