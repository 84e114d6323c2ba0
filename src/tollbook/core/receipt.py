"""What became of an observation, said to whoever sent it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from tollbook.core.event import EventState, Reading, UsageEvent
from tollbook.core.money import Money
from tollbook.core.observation import Evidence
from tollbook.core.tally import Share

ADDED = "added"
REPEATED = "repeated"
_REPORTED = int(Evidence.REPORTED)
MERGED = "merged"
CONFLICT = "conflict"


class Receipt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What became of one observation that was received.

    ``usage`` and ``list_cost`` are the whole response's, as far as it is known now: all
    its parts together. ``list_cost`` is ``None`` when nothing of it has a price.
    """

    status: str  # "added", "repeated", "merged" or "conflict"
    name: str  # what the response is known by: its message id, request id, ...
    usage: Mapping[str, int]
    list_cost: Money | None
    unpriced: tuple[str, ...] = ()  # models of which something has no price
    note: str | None = None  # how a conflict was merged


def receipt(
    name: str, event: UsageEvent, found: Sequence[Share], told: tuple[str, str | None]
) -> Receipt:
    """Say what an event holds, from its shares and a ``verdict``."""
    usage: dict[str, int] = {}
    for part in event.parts:
        for unit, count in part.usage.items():
            usage[unit] = usage.get(unit, 0) + count
    priced = [share.tally.list_cost for share in found if share.priced]
    status, note = told
    return Receipt(
        status=status,
        name=name,
        usage=usage,
        list_cost=sum(priced) if priced else None,
        unpriced=tuple(sorted({s.model for s in found if not s.priced})),
        note=note,
    )


def verdict(
    known: EventState | None, said: EventState, joined: EventState
) -> tuple[str, str | None]:
    """What a statement did to what was known, and how a conflict was settled."""
    if known is None:
        return ADDED, None
    note = contradiction(known, said)
    if note is not None:
        return CONFLICT, note
    return (REPEATED if _content(joined) == _content(known) else MERGED), None


def _content(state: EventState) -> tuple[object, ...]:
    """What a state says besides when: a retry may bear the time of its arrival."""
    marks = {
        place: {name: value for name, (_, value) in sighting.marks.items()}
        for place, sighting in state.places.items()
    }
    costs = state.stated_cost, state.latency_ms
    said = state.readings, state.conditions, marks, state.tools, state.sources
    return *said, costs, state.adjusted


def contradiction(known: EventState, said: EventState) -> str | None:
    """Where two final statements differ, and which of them stands.

    Better evidence replaces worse without contradicting it, and so does a later look at
    a count that was still growing.
    """
    found = []
    for unit, reading in sorted(said.readings.items()):
        other = known.readings.get(unit)
        if other is None or not _REPORTED == other[0] == reading[0]:
            continue
        if other[1:] != reading[1:]:
            kept, left = max(other, reading), min(other, reading)
            if kept[2] != left[2]:
                found.append(f"{unit}: {kept[2]} stands, {left[2]} was said, too")
            else:
                models = _models(kept), _models(left)
                found.append(f"{unit}: {models[0]} stands, {models[1]} was said, too")
    return "; ".join(found) or None


def _models(reading: Reading) -> str:
    return "+".join(model for _, model in reading[4])
