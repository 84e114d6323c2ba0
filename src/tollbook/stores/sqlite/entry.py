"""One response while a transaction works on it."""

from __future__ import annotations

from tollbook.core.event import EventState, UsageEvent, join, lift, settle, settle_one
from tollbook.core.observation import Observation
from tollbook.stores.sqlite.rows import Row


class Entry:
    """A response several observations speak of, or one the ledger knows already."""

    __slots__ = ("id", "more", "row", "seen", "segment", "source", "state")

    def __init__(self, seen: Observation | None, source: str, segment: int) -> None:
        self.seen = seen  # while one observation is all there is
        self.source = source
        self.segment = segment
        self.state: EventState | None = None
        self.row: Row | None = None
        self.id = 0
        self.more: list[int] = []

    def own_state(self) -> EventState:
        """All that this response's own observations said."""
        if self.state is None:
            assert self.seen is not None
            self.state = lift(self.seen, self.source)
        return self.state

    def absorb(self, seen: Observation, source: str, segment: int) -> bool:
        """Join a further observation; False when it says nothing new."""
        state = self.own_state()
        joined = join(state, lift(seen, source))
        if joined == state:
            return False
        self.state, self.seen = joined, None
        if segment not in (self.segment, *self.more):
            self.more.append(segment)
        return True

    def own_event(self) -> UsageEvent:
        """The event of this response's own observations."""
        if self.seen is not None:
            return settle_one(self.seen, self.source)
        return settle(self.own_state())
