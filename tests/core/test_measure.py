"""``tollbook.core.measure`` measures what is known, and nothing else."""

from __future__ import annotations

from tollbook.core.measure import measured
from tollbook.core.tally import Tally

PRICED = (True, Tally(responses=1, output_tokens=7, list_cost=50))
UNPRICED = (False, Tally(responses=1, output_tokens=5))
FAILED = (True, Tally(failed_requests=1, timed_requests=1, latency_ms=900))
MISSING = (True, Tally(responses=1, missing_responses=1))


def test_costs_are_of_what_has_a_price() -> None:
    assert measured([PRICED, UNPRICED], "cost") == 50
    assert measured([UNPRICED], "cost") is None
    assert measured([UNPRICED, FAILED], "cost") is None
    assert measured([(True, Tally(responses=1))], "cost") == 0


def test_a_further_model_with_a_price_counts() -> None:
    assert measured([UNPRICED, (True, Tally(list_cost=3))], "cost") == 3


def test_tokens_are_of_what_told_its_usage() -> None:
    assert measured([PRICED, UNPRICED, MISSING], "tokens") == 12
    assert measured([MISSING], "tokens") is None
    assert measured([FAILED], "tokens") is None


def test_latency_is_of_what_was_timed() -> None:
    assert measured([PRICED, FAILED], "latency") == 900
    assert measured([PRICED], "latency") is None
