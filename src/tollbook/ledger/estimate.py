"""What partial responses really produced: an estimate, beside the lower bound.

Some files never got the final output count of a response. What they hold is a lower
bound, and only that is charged. The estimate assumes that such a response produced as
much as complete ones of the same model do on average: in the asked period, or where
none is complete there, in the whole ledger. What it lacks is the difference between
that mean and the mean of the partial counts, in whole tokens, at the standard output
price of its day. That is the same number for every partial response of a model, so
estimates add up like everything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tollbook.core.observation import Conditions, Instant, Part
from tollbook.core.tally import Pricer, Tally
from tollbook.core.units import Unit

Partials = dict[tuple[str, Instant], int]
"""How many responses are partial, by model and the instant that decides their price."""


class Basis(NamedTuple):
    """What is known of the output of one model's responses."""

    complete: int = 0
    complete_output: int = 0
    partial: int = 0
    partial_output: int = 0

    def plus(self, tally: Tally) -> Basis:
        """With some more responses."""
        unfinished = tally.partial_responses + tally.missing_responses
        return Basis(
            self.complete + tally.responses - unfinished,
            self.complete_output + tally.output_tokens - tally.partial_output_tokens,
            self.partial + tally.partial_responses,
            self.partial_output + tally.partial_output_tokens,
        )

    @property
    def is_open(self) -> bool:
        """Whether there is something to estimate and nothing to do it with."""
        return bool(self.partial) and not self.complete

    def lacking(self, means: Basis) -> int | None:
        """Tokens that a partial response lacks, by the mean of complete ones."""
        if not self.partial or not means.complete:
            return None
        mean, partial_mean = means.complete_output, self.partial_output
        gap = mean * self.partial - partial_mean * means.complete
        return max(0, gap // (means.complete * self.partial))


def bases(totals: Iterable[tuple[str, Tally]]) -> dict[str, Basis]:
    """Add up what is known, by model."""
    found: dict[str, Basis] = {}
    for model, tally in totals:
        found[model] = found.get(model, Basis()).plus(tally)
    return found


class Estimator:
    """Prices what partial responses lack.

    Args:
        asked: What is known of each model in the asked period.
        ever: What is known of it in the whole ledger, where the period has no complete
            response.
        pricer: Knows the output prices.
    """

    def __init__(
        self, asked: Mapping[str, Basis], ever: Mapping[str, Basis], pricer: Pricer
    ) -> None:
        self._pricer = pricer
        self._prices: dict[tuple[str, Instant], int] = {}
        self._lacking = {
            model: known.lacking(ever.get(model, known) if known.is_open else known)
            for model, known in asked.items()
        }

    def added_cost(self, partials: Partials) -> int | None:
        """What the missing output costs; ``None`` when nothing can be said."""
        added = None
        for (model, at), count in partials.items():
            lacking = self._lacking.get(model)
            if lacking is not None:
                price = self._price(model, at)
                added = (added or 0) + count * lacking * price
        return added

    def _price(self, model: str, at: Instant) -> int:
        price = self._prices.get((model, at))
        if price is None:
            part = Part(model, {Unit.OUTPUT.value: 1})
            price = self._pricer.part_cost(part, Conditions(), at)[0]
            self._prices[model, at] = price
        return price
