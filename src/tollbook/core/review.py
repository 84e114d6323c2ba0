"""Which requests told too little of their usage, and how well some are known together.

A request is flagged while a count that is billed is not the provider's own: it has no
usage at all, a lower bound, or an estimate, and nobody has adjusted it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from tollbook.core.adjustment import SOURCE, level
from tollbook.core.estimator import Estimate
from tollbook.core.event import UsageEvent, main_model
from tollbook.core.money import Money
from tollbook.core.observation import Evidence
from tollbook.core.units import Unit

STATE, UPSTREAM, ACCOUNT = "state", "upstream", "account"
"""Tags that the relay gives its requests."""

Doubt = Literal["missing", "partial", "estimated", "apportioned"]

DOUBTED = ("partial", "missing", "aborted")
"""States in which the relay saw that a count was missing, which others may not know."""

_BILLED_ALWAYS = (Unit.UNCACHED_INPUT, Unit.OUTPUT)
_LEVELS: Mapping[int, Doubt] = {
    int(Evidence.ESTIMATED): "estimated",
    int(Evidence.APPORTIONED): "apportioned",
}


class Likely(msgspec.Struct, frozen=True, kw_only=True):
    """What one response probably counted: an estimate for each count in doubt."""

    counts: Mapping[str, Estimate]
    list_cost: Money | None  # of all of it, known counts too; ``None``: cannot be told


class Flagged(msgspec.Struct, frozen=True, kw_only=True):
    """One request to check."""

    id: str  # see ``core.event_id``
    event: UsageEvent
    doubt: Doubt
    list_cost: Money  # of what is known
    likely: Likely

    @property
    def model(self) -> str:
        """The one that made the answer, as it was written."""
        return main_model(self.event.parts)

    @property
    def added_cost(self) -> Money | None:
        """What probably comes on top; ``None`` where nobody can say."""
        likely = self.likely.list_cost
        return None if likely is None else max(0, likely - self.list_cost)

    def tag(self, name: str) -> str | None:
        """One of its tags."""
        return dict(self.event.tags).get(name)


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """How well some requests are known.

    ``requests = measured + adjusted + partial + missing + failed``. What is estimated or
    apportioned without an adjustment counts among the partial ones.
    """

    name: str | None
    requests: int = 0
    measured: int = 0
    adjusted: int = 0
    partial: int = 0
    missing: int = 0
    failed: int = 0
    measured_tokens: int = 0
    partial_tokens: int = 0  # output that is a lower bound
    list_cost: Money = 0
    added_cost: Money = 0  # what flagged ones probably add, as far as can be told
    untold: int = 0  # flagged ones of which not even that can be told

    @property
    def to_check(self) -> int:
        """How many are flagged."""
        return self.partial + self.missing


def doubt(event: UsageEvent) -> Doubt | None:
    """Why an event is flagged; ``None`` when it is not."""
    if event.failure is not None:
        return None
    least = min(level(event, unit) for unit in _BILLED_ALWAYS)
    if SOURCE in event.sources:
        if level(event, Unit.OUTPUT) not in (Evidence.MISSING, Evidence.PARTIAL):
            return None
    elif dict(event.tags).get(STATE) not in DOUBTED or least == Evidence.REPORTED:
        least = min([event.evidence, *(event.lesser or {}).values()])
    if event.evidence == Evidence.MISSING:
        return "missing"
    return None if least == Evidence.REPORTED else _LEVELS.get(least, "partial")
