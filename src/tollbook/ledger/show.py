"""One session or one response, down to the line each number came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from itertools import islice

import msgspec

from tollbook.core.errors import TollbookError
from tollbook.core.money import Money
from tollbook.core.observation import Conditions, Instant, Part
from tollbook.core.rate import PriceLine, Rater
from tollbook.core.tally import Tally
from tollbook.core.units import PROMPT_UNITS
from tollbook.ports import LedgerStore, Statement, StoredEvent

NAMESAKES_MAX = 100
"""Some relays give all their answers one message id."""


class NotFoundError(TollbookError):
    """Nothing in the ledger goes by that name."""

    exit_code = 2


class PricedPart(msgspec.Struct, frozen=True, kw_only=True):
    """What one model did for a response, and how it came to its cost."""

    part: Part
    lines: tuple[PriceLine, ...]


class ResponseView(msgspec.Struct, frozen=True, kw_only=True):
    """A response, its cost and everything that speaks for it."""

    stored: StoredEvent
    parts: tuple[PricedPart, ...]
    tally: Tally
    context_tokens: int  # all that went in, cached or not
    path: str | None  # the folder the project's name stands for, where it is known

    @property
    def unpriced(self) -> dict[str, int]:
        """Counts that no price covers: they are not in the cost, and not free."""
        found: dict[str, int] = {}
        for line in (line for part in self.parts for line in part.lines):
            if line.price is None:
                found[line.unit] = found.get(line.unit, 0) + line.count
        return found


class NamesakesView(msgspec.Struct, frozen=True, kw_only=True):
    """The responses that an id names: usually one, the latest first."""

    responses: tuple[ResponseView, ...]
    more: bool = False  # there are older ones, too


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation with all its responses, sub-agents' too."""

    session: str
    project: str | None
    path: str | None  # the folder the project's name stands for, where it is known
    responses: tuple[ResponseView, ...]
    tally: Tally
    agents: dict[str, Tally]  # by the sub-agent's type; "" is the conversation itself
    unrecorded_calls: int
    statements: tuple[Statement, ...]

    @property
    def unpriced(self) -> dict[str, int]:
        """Counts of all responses that no price covers."""
        found: dict[str, int] = {}
        for view in self.responses:
            for unit, number in view.unpriced.items():
                found[unit] = found.get(unit, 0) + number
        return found

    @property
    def stated_cost(self) -> Money | None:
        """What the client said at last, where it said anything."""
        costs = [each.line.stated_cost for each in self.statements]
        return max(costs, default=None)


def find(store: LedgerStore, rater: Rater, name: str) -> SessionView | NamesakesView:
    """What a message id, a request id, or the beginning of a session id names.

    Raises:
        NotFoundError: Nothing goes by that name, or several sessions begin with it.
    """
    named = islice(store.find_events(response=name), NAMESAKES_MAX + 1)
    found = _responses(store, rater, named)
    if found:
        latest = found[:NAMESAKES_MAX]
        return NamesakesView(responses=latest, more=len(found) > len(latest))
    sessions = store.sessions(name)
    if name in sessions:
        sessions = [name]
    if not name or not sessions:
        text = (
            f"{name!r}: no session begins with it and no response has that id; "
            "`tollbook sessions` lists the sessions"
        )
        raise NotFoundError(text)
    if len(sessions) > 1:
        text = f"{name!r}: several sessions begin with it; say more: "
        raise NotFoundError(text + ", ".join(sessions))
    return session(store, rater, sessions[0])


def session(store: LedgerStore, rater: Rater, name: str) -> SessionView:
    """A session with its responses in order."""
    views = _responses(store, rater, store.find_events(session=name))
    agents: dict[str, Tally] = {}
    for view in views:
        event = view.stored.event
        agent = (event.agent or "sub-agent") if event.sidechain else ""
        agents[agent] = agents.get(agent, Tally()).plus(view.tally)
    whole: tuple[Instant, Instant] = (0, 2**61)
    first = views[0] if views else None
    return SessionView(
        session=name,
        project=first.stored.event.project if first else None,
        path=first.path if first else None,
        responses=views,
        tally=_sum([view.tally for view in views]),
        agents=agents,
        unrecorded_calls=len(store.unrecorded(*whole, session=name)),
        statements=tuple(store.statements(name)),
    )


def _responses(
    store: LedgerStore, rater: Rater, found: Iterable[StoredEvent]
) -> tuple[ResponseView, ...]:
    labels = store.labels()
    return tuple(response(each, rater, labels) for each in found)


def response(
    stored: StoredEvent, rater: Rater, labels: Mapping[str, str]
) -> ResponseView:
    """A response with the price of each unit of each part."""
    event = stored.event
    return ResponseView(
        stored=stored,
        parts=tuple(_priced(event.parts, event.conditions, event.at, rater)),
        tally=_sum([share.tally for share in stored.shares]),
        context_tokens=sum(event.parts[-1].usage.get(unit, 0) for unit in PROMPT_UNITS),
        path=labels.get(event.project or ""),
    )


def _priced(
    parts: Sequence[Part], conditions: Conditions, at: Instant, rater: Rater
) -> Iterator[PricedPart]:
    for part in parts:
        yield PricedPart(part=part, lines=rater.price_lines(part, conditions, at))


def _sum(tallies: Sequence[Tally]) -> Tally:
    return reduce(Tally.plus, tallies, Tally())
