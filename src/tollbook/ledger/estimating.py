"""What responses without usage probably counted, beside what is known of them.

For each response: what it wrote is estimated from its length where the relay noted that
(tags ``chars_text``, ``chars_thinking``, ``chars_tool``), by rates fitted to the ledger's
own responses (``core.estimator``). What it read, and what it wrote where no length is
known, is the mean of the model's complete responses. A count that ``count_tokens`` gave
is used as it is. None of this enters a total.

The estimate of the reports (``ledger.estimate``) is another: it must add up over any
split of any report, so it is one number for all partial responses of a model and month,
taken from sums alone. This one looks at each response, and lists may afford that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tollbook.core.adjustment import level
from tollbook.core.estimator import Chars, Estimate, Fit, Pair, estimate, fit
from tollbook.core.event import UsageEvent, main_model
from tollbook.core.money import Money
from tollbook.core.observation import Evidence, Part
from tollbook.core.review import STATE, Likely
from tollbook.core.tally import Pricer, Tally
from tollbook.core.units import PROMPT_UNITS, TOKEN_UNITS, Unit
from tollbook.ledger.naming import EVER, Naming
from tollbook.ports import TAG, EventQuery, LedgerStore, UsageQuery

CHARS_TAGS = ("chars_text", "chars_thinking", "chars_tool")
_WHOLE_TEXT = ("complete", "refused", "missing")
"""States of an answer whose text came to its end, with or without its usage."""

_RECENT = 10_000  # responses of each state that a fit looks at
_DIGITS_MAX = 9
_REPORTED, _PARTIAL = int(Evidence.REPORTED), int(Evidence.PARTIAL)
_COUNTED = int(Evidence.ESTIMATED)


class Estimating:
    """Estimates single responses by what a ledger knows of others.

    Args:
        fits: By the model's canonical name.
        means: Tokens of a complete response, likewise, in the order of ``TOKEN_UNITS``.
        naming: Tells which ids are one model.
        pricer: Says what it would cost.
    """

    def __init__(
        self,
        fits: Mapping[str, Fit],
        means: Mapping[str, Sequence[int]],
        naming: Naming,
        pricer: Pricer,
    ) -> None:
        self.fits = fits
        self._means = means
        self._naming = naming
        self._pricer = pricer

    def likely(self, event: UsageEvent) -> Likely:
        """What an event probably counted where that is not known for sure."""
        raw = main_model(event.parts)
        name = self._naming.model(raw) or ""
        counts: dict[str, Estimate] = {}
        usage: dict[str, int] = {}
        for part in event.parts:
            for unit, count in part.usage.items():
                usage[unit] = usage.get(unit, 0) + count
        if level(event, Unit.OUTPUT) <= _PARTIAL:
            guess = self._output(name, event, usage.get(Unit.OUTPUT, 0))
            if guess is not None:
                counts[Unit.OUTPUT.value] = guess
        counts |= self._prompt(name, event, usage)
        told = usage | {unit: each.count for unit, each in counts.items()}
        return Likely(counts=counts, list_cost=self._cost(raw, event, told))

    def _output(self, name: str, event: UsageEvent, known: int) -> Estimate | None:
        chars = chars_of(event)
        if chars is not None and any(chars):
            return estimate(self.fits.get(name) or fit(name, ()), chars, least=known)
        mean = self._mean(name, TOKEN_UNITS.index(Unit.OUTPUT))
        return None if mean is None else _by_mean(max(known, mean))

    def _prompt(
        self, name: str, event: UsageEvent, usage: Mapping[str, int]
    ) -> dict[str, Estimate]:
        """What it read: as it was counted beforehand, else as others read."""
        counted = usage.get(Unit.UNCACHED_INPUT)
        if counted is not None and level(event, Unit.UNCACHED_INPUT) == _COUNTED:
            exact = Estimate(
                count=counted, low=None, high=None, method="count_tokens", version="1"
            )
            return {Unit.UNCACHED_INPUT.value: exact}
        if any(level(event, unit) > 0 for unit in PROMPT_UNITS):
            return {}
        means = {unit: self._mean(name, n) for n, unit in enumerate(PROMPT_UNITS)}
        return {
            unit.value: _by_mean(mean)
            for unit, mean in means.items()
            if mean is not None
        }

    def _mean(self, name: str, place: int) -> int | None:
        means = self._means.get(name)
        return None if means is None else means[place]

    def _cost(self, raw: str, event: UsageEvent, usage: dict[str, int]) -> Money | None:
        """At list prices, were it all done by one model."""
        if not usage:
            return None
        part = Part(raw, usage)
        cost, _, unpriced = self._pricer.part_cost(part, event.conditions, event.at)
        return None if unpriced and not cost else cost


def chars_of(event: UsageEvent) -> Chars | None:
    """How much a response wrote, where that was noted; nonsense is not."""
    tags = dict(event.tags)
    if not any(name in tags for name in CHARS_TAGS):
        return None
    text, thinking, tool = (_number(tags.get(name, "0")) for name in CHARS_TAGS)
    return text, thinking, tool


def make_estimating(store: LedgerStore, naming: Naming, pricer: Pricer) -> Estimating:
    """Learn from what a ledger holds."""
    pairs = known_pairs(store, naming)
    fits = {name: fit(name, found) for name, found in sorted(pairs.items())}
    return Estimating(fits, _means(store, naming), naming, pricer)


def known_pairs(store: LedgerStore, naming: Naming) -> dict[str, list[Pair]]:
    """Lengths and counts of responses that know both, by model, the earliest first.

    What an adjustment brought is somebody's word, and teaches nothing.
    """
    found: dict[str, list[tuple[int, str, Pair]]] = {}
    for state in _WHOLE_TEXT:
        query = EventQuery(
            start=EVER[0], end=EVER[1], where={TAG + STATE: state}, limit=_RECENT
        )
        for listed in store.page(query):
            event = listed.event
            chars = chars_of(event)
            if chars is None or not _teaches(event):
                continue
            count = event.parts[0].usage[Unit.OUTPUT]
            name = naming.model(main_model(event.parts)) or ""
            place = (event.at, listed.id, Pair(chars, count))
            found.setdefault(name, []).append(place)
    return {
        name: [pair for _, _, pair in sorted(each, key=lambda one: one[:2])]
        for name, each in found.items()
    }


def _teaches(event: UsageEvent) -> bool:
    """One model's answer, counted by the provider."""
    return (
        len(event.parts) == 1
        and level(event, Unit.OUTPUT) == _REPORTED
        and "adjustment" not in event.sources
    )


def _means(store: LedgerStore, naming: Naming) -> dict[str, list[int]]:
    """Tokens of a complete response of each model, in the order of ``TOKEN_UNITS``."""
    query = UsageQuery(buckets=[EVER], by=frozenset({"model"}))
    sums: dict[str, Tally] = {}
    for total in store.totals(query):
        name = naming.model(total.dimensions["model"]) or ""
        sums[name] = sums.get(name, Tally()).plus(total.tally)
    return {
        name: _mean_counts(tally)
        for name, tally in sums.items()
        if tally.responses > tally.partial_responses + tally.missing_responses
    }


def _mean_counts(tally: Tally) -> list[int]:
    """What partial responses read is known, so it counts among what was read."""
    answered = tally.responses - tally.missing_responses
    complete = answered - tally.partial_responses
    read = [getattr(tally, unit) // answered for unit in PROMPT_UNITS]
    wrote = (tally.output_tokens - tally.partial_output_tokens) // complete
    return [*read, wrote]


def _by_mean(count: int) -> Estimate:
    return Estimate(count=count, low=None, high=None, method="mean", version="1")


def _number(text: str) -> int:
    plain = text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX
    return int(text) if plain else 0
