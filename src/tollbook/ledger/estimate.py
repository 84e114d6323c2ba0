"""What partial responses really produced: an estimate, beside the lower bound.

Some files never got the final output count of a response. What they hold is a lower
bound, and only that is charged. The estimate assumes that such a response produced as
much as complete ones of the same model do on average, in the same calendar month (UTC)
of the whole ledger; where a month cannot tell, in all months together. What it lacks is
the difference between that mean and the mean of the partial counts, in whole tokens, at
the standard output price on the month's last day. That is the same number for every
partial response of a model and month, whatever was asked: so estimates add up like
everything else, and two reports that share a response say the same of it.

Single requests are estimated better in ``ledger.estimating``, by what each of them wrote.
That cannot be had from sums, so reports do not use it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, date
from typing import NamedTuple

from tollbook.core.calendar import Bucket, after_month, days_bucket, local_day, month_of
from tollbook.core.observation import Conditions, Part
from tollbook.core.tally import Pricer, Tally
from tollbook.core.units import Unit
from tollbook.ledger.naming import EVER, Naming
from tollbook.ports import LedgerStore, UsageQuery

Place = tuple[str, date]
"""A model by its canonical name, and a month by its first day."""

Partials = dict[Place, int]
"""How many responses are partial."""


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
    def lacking(self) -> int | None:
        """Tokens that a partial response lacks; ``None`` where that cannot be told."""
        if not (self.partial and self.complete):
            return None
        mean, partial_mean = self.complete_output, self.partial_output
        gap = mean * self.partial - partial_mean * self.complete
        return max(0, gap // (self.complete * self.partial))


class Estimator:
    """Prices what partial responses lack.

    Args:
        lacking: How many tokens that is, where it can be told.
        pricer: Knows the output prices.
    """

    def __init__(self, lacking: Mapping[Place, int], pricer: Pricer) -> None:
        self._costs = {
            place: count * _output_price(place, pricer)
            for place, count in lacking.items()
        }

    def added_cost(self, partials: Partials) -> int | None:
        """What the missing output costs; ``None`` when nothing can be said."""
        costs = self._costs
        added = [n * costs[place] for place, n in partials.items() if place in costs]
        return sum(added) if added else None


def make_estimator(
    store: LedgerStore, naming: Naming, pricer: Pricer, places: Collection[Place]
) -> Estimator:
    """Learn what partial responses of some models and months lack."""
    months = sorted({month for _, month in places})
    known = {
        (model, months[n]): basis
        for (model, n), basis in _bases(store, naming, [*map(_bucket, months)]).items()
    }
    lacking = {place: known.get(place, Basis()).lacking for place in places}
    if None in lacking.values():
        ever = _bases(store, naming, [EVER])
        for (model, month), count in lacking.items():
            if count is None:
                lacking[model, month] = ever[model, 0].lacking
    told = {place: count for place, count in lacking.items() if count is not None}
    return Estimator(told, pricer)


def month_pieces(bucket: Bucket, used: Bucket) -> Iterator[tuple[Bucket, date]]:
    """A stretch of time, cut where months of UTC end; each piece with its month.

    ``used`` is the time with any usage: before and after it nothing is cut.
    """
    start, end = bucket
    first, last = used
    month = month_of(local_day(min(max(start, first), last), UTC))
    while (cut := _bucket(month)[1]) < min(end, last):
        yield (start, cut), month
        start, month = cut, after_month(month)
    yield (start, end), month


def _bases(
    store: LedgerStore, naming: Naming, buckets: Sequence[Bucket]
) -> dict[tuple[str, int], Basis]:
    """What is known of each model in some stretches of time, by their numbers."""
    found: dict[tuple[str, int], Basis] = {}
    if buckets:
        query = UsageQuery(buckets=buckets, by=frozenset({"model"}))
        for total in store.totals(query):
            key = (naming.model(total.dimensions["model"]) or "", total.bucket)
            found[key] = found.get(key, Basis()).plus(total.tally)
    return found


def _bucket(month: date) -> Bucket:
    return days_bucket((month, after_month(month)), UTC)


def _output_price(place: Place, pricer: Pricer) -> int:
    model, month = place
    part = Part(model, {Unit.OUTPUT.value: 1})
    return pricer.part_cost(part, Conditions(), _bucket(month)[1] - 1)[0]
