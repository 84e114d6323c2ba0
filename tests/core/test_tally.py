"""What ``tollbook.core.tally`` adds up, and what it keeps beside the sum."""

from __future__ import annotations

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import OUTPUT, SAID, START, FlatPricer
from tollbook.core.event import UsageEvent, lift, settle
from tollbook.core.merge import merge
from tollbook.core.observation import Conditions, Evidence, Observation, Part
from tollbook.core.tally import Share, Tally, shares

INPUT = "uncached_input_tokens"
PRICER = FlatPricer()


def event(*parts: Part, **changes: object) -> UsageEvent:
    """A response made of some parts."""
    fields: dict[str, object] = {
        "message_id": "msg_01" + "A" * 22,
        "request_id": None,
        "session": "s",
        "first_at": START,
        "at": START,
        "line": 1,
        "parts": parts,
        "conditions": Conditions(),
        **changes,
    }
    return settle(lift(Observation(**fields), "relay"))  # type: ignore[arg-type]  # any


def whole(found: list[Share]) -> Tally:
    """All shares together."""
    return reduce(Tally.plus, (share.tally for share in found), Tally())


@given(said=SAID)
def test_shares_add_up_to_the_event(said: tuple[str, Observation]) -> None:
    response = settle(lift(said[1], said[0]))
    total = whole(shares(response, PRICER))
    costs = [
        PRICER.part_cost(part, response.conditions, response.at)
        for part in response.parts
    ]

    assert total.responses + total.failed_requests == 1
    assert total.list_cost == sum(cost for cost, _, _ in costs)
    assert total.net_cost == sum(net for _, net, _ in costs)
    assert sum(total[4:13]) == sum(
        count for part in response.parts for count in part.usage.values()
    )


@given(said=SAID)
def test_every_share_but_the_first_says_something(
    said: tuple[str, Observation],
) -> None:
    first, *rest = shares(settle(lift(said[1], said[0])), PRICER)

    assert first.tally.responses + first.tally.failed_requests == 1
    assert all(any(share.tally) and share.tally.responses == 0 for share in rest)


@given(seen=st.lists(SAID, max_size=8), data=st.data())
def test_a_sum_of_tallies_does_not_depend_on_the_order(
    seen: list[tuple[str, Observation]], data: st.DataObject
) -> None:
    tallies = [whole(shares(e, PRICER)) for e in merge(seen).values()]
    again = data.draw(st.permutations(tallies))

    assert reduce(Tally.plus, again, Tally()) == reduce(Tally.plus, tallies, Tally())


def test_unpriced_units_stand_beside_the_priced_ones() -> None:
    part = Part("claude-large", {OUTPUT: 2, "moon_phases": 3})
    priced, unpriced = shares(event(part), PRICER)

    assert (priced.priced, unpriced.priced) == (True, False)
    assert priced.tally.other_units == 0
    assert priced.tally.list_cost == 80_000_000
    assert unpriced.tally == Tally(other_units=3)


def test_an_unknown_model_is_unpriced_and_never_free() -> None:
    [share] = shares(event(Part("mystery", {OUTPUT: 2})), PRICER)

    assert not share.priced
    assert share.tally == Tally(responses=1, output_tokens=2)


def test_each_iteration_counts_for_its_own_model() -> None:
    helper = Part("claude-small", {OUTPUT: 1}, "advisor_message")
    found = shares(event(helper, Part("claude-large", {OUTPUT: 2})), PRICER)

    assert [(s.model, s.tally.responses, s.tally.output_tokens) for s in found] == [
        ("claude-large", 1, 2),
        ("claude-small", 0, 1),
    ]


def test_a_part_that_counted_nothing_has_no_share() -> None:
    idle = Part("claude-small", {}, "compaction")

    assert len(shares(event(idle, Part("claude-large", {OUTPUT: 2})), PRICER)) == 1


@pytest.mark.parametrize(
    ("evidence", "lesser", "expected"),
    [
        (Evidence.REPORTED, None, (1, 0, 0, 0)),
        (Evidence.REPORTED, {OUTPUT: int(Evidence.PARTIAL)}, (1, 1, 0, 2)),
        (Evidence.PARTIAL, None, (1, 1, 0, 2)),
        (Evidence.ESTIMATED, None, (1, 1, 0, 2)),
        (Evidence.REPORTED, {INPUT: int(Evidence.ESTIMATED)}, (1, 0, 0, 0)),
    ],
)
def test_a_count_that_is_not_final_is_a_lower_bound(
    evidence: Evidence, lesser: dict[str, int] | None, expected: tuple[int, ...]
) -> None:
    part = Part("claude-large", {INPUT: 1, OUTPUT: 2})
    [share] = shares(event(part, evidence=int(evidence), lesser=lesser), PRICER)

    assert share.tally[:4] == expected


def test_a_response_without_usage_is_counted_as_missing() -> None:
    part = Part("claude-large", {})
    [share] = shares(event(part, evidence=int(Evidence.MISSING)), PRICER)

    assert share.tally == Tally(responses=1, missing_responses=1)


def test_a_request_that_failed_is_no_response_and_costs_nothing() -> None:
    failed = event(
        Part("claude-large", {}),
        evidence=int(Evidence.MISSING),
        failure="429",
        latency_ms=250,
    )

    [share] = shares(failed, PRICER)

    assert share.tally == Tally(failed_requests=1, timed_requests=1, latency_ms=250)


def test_a_request_that_brought_usage_has_not_failed() -> None:
    answered = event(Part("claude-large", {OUTPUT: 2}), failure="connection")

    [share] = shares(answered, PRICER)

    assert answered.failure is None
    assert (share.tally.responses, share.tally.failed_requests) == (1, 0)
