"""``tollbook.ledger.percentiles`` gives values that were seen, at their exact rank."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from reporting import sample_store
from tollbook.ledger.naming import EVER
from tollbook.ledger.percentiles import SCALE, percentile, session_values
from tollbook.ports import UsageQuery

VALUES = st.lists(st.integers(0, 10**15), min_size=1).map(sorted)


@given(VALUES, st.integers(1, 100 * SCALE))
def test_enough_values_are_not_larger_and_no_more_than_needed(
    values: list[int], rank: int
) -> None:
    found = percentile(values, rank)
    assert found is not None
    below = sum(value < found for value in values)
    up_to = sum(value <= found for value in values)

    assert below * 100 * SCALE < rank * len(values) <= up_to * 100 * SCALE


def test_of_nothing_there_is_none() -> None:
    assert percentile([], 50 * SCALE) is None


def test_sessions_are_measured_whole() -> None:
    query = UsageQuery(buckets=[EVER], by=frozenset({"session", "model"}))
    totals = sample_store().totals(query)
    whole = {total.dimensions["session"] for total in totals}

    assert len(session_values(totals, "cost")) == len(whole) == 2
    assert sum(session_values(totals, "tokens")) == 10 * 21_600 - 497
    assert session_values(totals, "latency") == []


def test_what_belongs_to_no_session_has_no_value() -> None:
    query = UsageQuery(buckets=[EVER], by=frozenset({"session"}))
    [first, *_] = sample_store().totals(query)
    nobodys = msgspec.structs.replace(first, dimensions={"session": None})

    assert session_values([first, nobodys], "cost") == session_values([first], "cost")
