"""tollbook.core.review: why a request is flagged, and what it says of itself."""

from __future__ import annotations

import pytest

from flagged import ALL, INPUT, OUTPUT, flags, ledger, measured, partial, request
from tollbook.core.event import lift, settle
from tollbook.core.observation import Evidence, Observation
from tollbook.core.review import Group, doubt


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (measured(1), None),
        (request(1, failure="429"), None),
        (request(1), "missing"),
        (partial(1), "partial"),
        (request(1, {OUTPUT: 5}, state="partial"), "partial"),
        (request(1, {INPUT: 5}, state="complete"), None),
        (request(1, ALL, evidence=int(Evidence.ESTIMATED)), "estimated"),
        (request(1, ALL, evidence=int(Evidence.APPORTIONED)), "apportioned"),
    ],
)
def test_what_is_not_the_providers_own_is_in_doubt(
    seen: Observation, why: str | None
) -> None:
    assert doubt(settle(lift(seen, "relay"))) == why


def test_a_flagged_request_knows_its_model_its_tags_and_what_may_come() -> None:
    (found,) = flags(ledger(measured(2), partial(1))).values()

    assert found.model == "claude-large"
    assert (found.tag("upstream"), found.tag("moon")) == ("acme", None)
    assert found.added_cost is not None
    assert found.added_cost > 0


def test_what_is_to_check_is_what_is_partial_or_missing() -> None:
    assert Group(name=None, partial=2, missing=3, failed=4).to_check == 5
