"""By what the in-memory store divides its totals, and how exactly it knows their times."""

from __future__ import annotations

import msgspec

from tollbook.core.event import UsageEvent
from tollbook.core.observation import Instant
from tollbook.core.slots import DAY_MS, whole_days
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
    days = whole_days(start, end) if query.grain == "day" else None
    return at // DAY_MS * DAY_MS if days and days[0] <= at < days[1] else at
