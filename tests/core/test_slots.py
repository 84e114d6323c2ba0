"""What ``tollbook.core.slots`` says of days."""

from __future__ import annotations

import pytest

from tollbook.core.slots import DAY_MS, SLOT_MS, bounds, whole_days, whole_slots


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, DAY_MS, (0, DAY_MS)),
        (1, 2 * DAY_MS, (DAY_MS, 2 * DAY_MS)),
        (1, 2 * DAY_MS - 1, None),
        (-DAY_MS, DAY_MS - 1, (-DAY_MS, 0)),
        (5, 5, None),
    ],
)
def test_whole_days_lie_inside_their_range(
    start: int, end: int, expected: tuple[int, int] | None
) -> None:
    assert whole_days(start, end) == expected


def test_whole_quarter_hours_lie_inside_their_range() -> None:
    assert whole_slots(1, 3 * SLOT_MS + 1) == (SLOT_MS, 3 * SLOT_MS)
    assert whole_slots(1, 2 * SLOT_MS - 1) is None


def test_the_only_source_is_known_to_the_quarter_hour() -> None:
    whole = (3 * SLOT_MS, 5 * SLOT_MS)

    assert bounds((0, 0), whole) == whole


def test_one_of_several_sources_is_known_to_the_day() -> None:
    assert bounds((DAY_MS, DAY_MS), (0, 9 * DAY_MS)) == (DAY_MS, 2 * DAY_MS - SLOT_MS)
