"""By what the in-memory store divides its totals, and how exactly it knows their times."""

from __future__ import annotations

import msgspec

from tollbook.core.event import UsageEvent
from tollbook.core.observation import Instant
from tollbook.core.slots import DAY_MS, SLOT_MS, whole_days, whole_slots
from tollbook.ports import TAG, UsageQuery

_encode = msgspec.json.Encoder().encode


def dimensions_of(event: UsageEvent) -> dict[str, str | None]:
    """All but the model, by which an event may be divided."""
    return {
        "project": event.project,
        "session": event.session,
        "branch": event.branch,
        "agent": event.agent,
        "skill": event.skill,
        "tools": _encode(event.tools).decode() if event.tools else None,
        "source": "+".join(event.sources),
        "provider": event.provider,
        "app": event.app,
        "user": event.user,
        "machine": event.machine,
        "key": event.key,
        **{TAG + name: value for name, value in event.tags},
    }


def seen_at(query: UsageQuery, at: Instant, start: Instant, end: Instant) -> Instant:
    """An event's time, as exactly as the sums that answer a query know it."""
    if query.grain == "event":
        return at
    step, whole = (
        (SLOT_MS, whole_slots(start, end))
        if query.grain == "slot"
        else (DAY_MS, whole_days(start, end))
    )
    return at // step * step if whole and whole[0] <= at < whole[1] else at
