"""How long the server waits for slow clients, and for how many at once.

A thousand clients that say one byte a minute must cost nobody else anything: whoever
keeps the server waiting stands in a line by the time it began, and is sent away when
its time is over, or earlier when somebody needs the place.
"""

from __future__ import annotations

from typing import Protocol

_BYTES_PER_SECOND_MIN = 4 << 10


class Waiting(Protocol):
    """A connection the server waits for."""

    @property
    def received(self) -> int:
        """Bytes of the present body so far."""
        ...

    def hang_up(self) -> None:
        """Nothing was asked, or no answer is read: close."""
        ...

    def give_up(self) -> None:
        """Something was begun and not finished: say so and close."""
        ...


class Patience:
    """The lines of waiting connections, by what they are waited for.

    Args:
        head_seconds: For a whole head, from its first byte or from the connection on.
        body_seconds: Within each such time a body must grow, by 4 KiB a second.
        idle_seconds: For the next request on a connection.
        connections_max: With more than these, who waits longest goes.
    """

    def __init__(
        self,
        *,
        head_seconds: int,
        body_seconds: int,
        idle_seconds: int,
        connections_max: int,
    ) -> None:
        self._head_seconds = head_seconds
        self._body_seconds = body_seconds
        self._idle_seconds = idle_seconds
        self._connections_max = connections_max
        self._heads: dict[Waiting, float] = {}  # insertion is the order of deadlines
        self._idle: dict[Waiting, float] = {}
        self._bodies: dict[Waiting, tuple[float, int]] = {}
        self._readers: dict[Waiting, float] = {}

    def admit(self, who: Waiting, now: float, connections: int) -> bool:
        """Let a new connection in, if need be in the place of one that waits."""
        if connections > self._connections_max:
            line = self._heads or self._idle or self._bodies
            if not line:
                return False
            oldest = next(iter(line))
            self.leave(oldest)
            oldest.hang_up()
        self._heads[who] = now + self._head_seconds
        return True

    def head(self, who: Waiting, now: float) -> None:
        """Wait for the rest of a head."""
        if who not in self._heads:
            self._idle.pop(who, None)
            self._heads[who] = now + self._head_seconds

    def body(self, who: Waiting, now: float) -> None:
        """Wait for the rest of a body."""
        if who not in self._bodies:
            self._bodies[who] = (now + self._body_seconds, who.received)

    def idle(self, who: Waiting, now: float) -> None:
        """Wait for the next request."""
        self._bodies.pop(who, None)
        self._idle[who] = now + self._idle_seconds

    def reader(self, who: Waiting, now: float) -> None:
        """Wait for a client to read its answer."""
        self._readers[who] = now + self._idle_seconds

    def read(self, who: Waiting) -> None:
        """Wait no longer for a client to read."""
        self._readers.pop(who, None)

    def served(self, who: Waiting) -> None:
        """Wait for nothing: the whole request is here, or its head is."""
        self._heads.pop(who, None)
        self._idle.pop(who, None)
        self._bodies.pop(who, None)

    def leave(self, who: Waiting) -> None:
        """Forget a connection."""
        self.served(who)
        self.read(who)

    def look(self, now: float) -> None:
        """Send away whose time is over."""
        for who in _due(self._idle, now) + _due(self._readers, now):
            self.leave(who)
            who.hang_up()
        for who in _due(self._heads, now):
            self.leave(who)
            who.give_up()
        for who, (due, had) in list(self._bodies.items()):
            if due > now:
                break
            del self._bodies[who]
            if who.received - had < self._body_seconds * _BYTES_PER_SECOND_MIN:
                self.leave(who)
                who.give_up()
            else:
                self.body(who, now)


def _due(line: dict[Waiting, float], now: float) -> list[Waiting]:
    due = []
    for who, until in line.items():
        if until > now:
            break
        due.append(who)
    return due
