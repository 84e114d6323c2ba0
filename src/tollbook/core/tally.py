"""What an event adds to every total: counts and cost, by model, priced or not.

A tally is a plain tuple of integers, so that sums over any number of events stay exact
and cheap. Unpriced units have a tally of their own beside the priced ones: they travel
with every total and are never free.
"""

from __future__ import annotations

from operator import add
from typing import NamedTuple, Protocol

from tollbook.core.event import UsageEvent
from tollbook.core.money import Money
from tollbook.core.observation import MESSAGE, Conditions, Evidence, Instant, Part
from tollbook.core.units import Unit

UNITS = tuple(unit.value for unit in Unit)
_KNOWN = frozenset(UNITS)
_OUTPUT = Unit.OUTPUT.value
_PARTIAL = int(Evidence.PARTIAL)
_MISSING = int(Evidence.MISSING)


class _Standing(NamedTuple):
    """What an event's first share tells of it, besides its counts."""

    responses: int = 0
    partial_responses: int = 0
    missing_responses: int = 0
    failed_requests: int = 0
    timed_requests: int = 0
    latency_ms: int = 0


_NOT_AGAIN = _Standing()  # a response is counted with its first share


class Tally(NamedTuple):
    """Additive facts about some responses."""

    responses: int = 0
    partial_responses: int = 0  # their output count is a lower bound
    missing_responses: int = 0  # their usage is not known at all
    partial_output_tokens: int = 0  # the part of the output that is a lower bound
    uncached_input_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    web_search_requests: int = 0
    web_fetch_requests: int = 0
    code_execution_requests: int = 0
    other_units: int = 0  # counters we have no name for
    failed_requests: int = 0  # they brought no answer, so they are no responses
    timed_requests: int = 0  # those whose latency is known
    latency_ms: int = 0  # of these, added up
    list_cost: Money = 0
    net_cost: Money = 0  # after the user's own terms

    def plus(self, other: Tally) -> Tally:
        """The facts of both, which must not share a response."""
        return Tally(*map(add, self, other))


class Share(NamedTuple):
    """One model's share of an event."""

    model: str
    priced: bool
    tally: Tally


class Pricer(Protocol):
    """What a part costs: ``core.rate.Rater``, seen from here."""

    def part_cost(
        self, part: Part, conditions: Conditions, at: Instant
    ) -> tuple[Money, Money, dict[str, int]]:
        """List cost, net cost, and the units that have no price."""
        ...

    def token_prices(
        self, model: str, conditions: Conditions, at: Instant
    ) -> tuple[Money, ...] | None:
        """List prices of ``TOKEN_UNITS``, where they alone decide list and net cost."""
        ...


def shares(event: UsageEvent, pricer: Pricer) -> list[Share]:
    """What an event adds, by model. The first share carries the response itself.

    A further part that counted nothing has no share: a row of zeros says nothing.
    """
    standing = _standing(event)
    found: list[Share] = []
    for part in _main_first(event.parts):
        list_cost, net_cost, unpriced = pricer.part_cost(
            part, event.conditions, event.at
        )
        usage = part.usage
        if unpriced:
            usage = {u: n for u, n in usage.items() if u not in unpriced}
        if any(usage.values()) or (standing is not _NOT_AGAIN and not unpriced):
            tally = _tally(standing, usage, list_cost, net_cost)
            found.append(Share(part.model, priced=True, tally=tally))
            standing = _NOT_AGAIN
        if unpriced and (standing is not _NOT_AGAIN or any(unpriced.values())):
            tally = _tally(standing, unpriced, 0, 0)
            found.append(Share(part.model, priced=False, tally=tally))
            standing = _NOT_AGAIN
    return found


def _main_first(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    if len(parts) == 1:
        return parts
    return tuple(sorted(parts, key=lambda part: part.kind != MESSAGE))


def _standing(event: UsageEvent) -> _Standing:
    timed = (0, 0) if event.latency_ms is None else (1, event.latency_ms)
    if event.failure is not None:
        return _Standing(0, 0, 0, 1, *timed)
    if event.evidence == _MISSING:
        return _Standing(1, 0, 1, 0, *timed)
    less = (event.lesser or {}).values()
    partial = int(event.evidence <= _PARTIAL or _PARTIAL in less)
    return _Standing(1, partial, 0, 0, *timed)


def _tally(
    standing: _Standing,
    usage: dict[str, int],
    list_cost: Money,
    net_cost: Money,
) -> Tally:
    get = usage.get
    other = 0
    if not usage.keys() <= _KNOWN:
        other = sum(count for unit, count in usage.items() if unit not in _KNOWN)
    output = get(_OUTPUT, 0) if standing.partial_responses else 0
    counts = [get(unit, 0) for unit in UNITS]
    return Tally._make(
        (*standing[:3], output, *counts, other, *standing[3:], list_cost, net_cost)
    )
