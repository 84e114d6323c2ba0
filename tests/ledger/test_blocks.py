"""Five-hour windows of ``tollbook.ledger.blocks``."""

from __future__ import annotations

from datetime import date
from functools import reduce
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from reporting import (
    NOW,
    ask,
    books_of,
    instant,
    question,
    sample_store,
    seen,
    store_of,
)
from tollbook.core.calendar import HOUR_MS
from tollbook.core.tally import Tally
from tollbook.ledger.blocks import BLOCK_MS, load_blocks, windows


def test_a_window_begins_at_the_full_hour_of_its_first_response() -> None:
    store = store_of(
        [
            seen(1, "2026-11-20T09:59"),
            seen(2, "2026-11-20T13:59:59.999"),
            seen(3, "2026-11-20T14:00"),
            seen(4, "2026-11-21T03:30"),
        ]
    )

    _, blocks = load_blocks(books_of(store), question("block"), now=NOW)

    assert [(block.title, block.line.used.responses) for block in blocks] == [
        ("2026-11-20 09:00", 2),
        ("2026-11-20 14:00", 1),
        ("2026-11-21 03:00", 1),
    ]
    assert all(block.pace is None for block in blocks)


@given(st.sets(st.integers(0, 200), max_size=60))
def test_windows_never_overlap_and_hold_every_hour(numbers: set[int]) -> None:
    hours = {number * HOUR_MS for number in numbers}

    starts = windows(hours)

    assert all(b - a >= BLOCK_MS for a, b in pairwise(starts))
    assert all(any(s <= hour < s + BLOCK_MS for s in starts) for hour in hours)
    assert set(starts) <= hours


def test_the_windows_add_up_to_the_ledger() -> None:
    store = sample_store()

    report, blocks = load_blocks(books_of(store), question("block"), now=NOW)

    used = reduce(Tally.plus, (block.line.used for block in blocks), Tally())
    assert used == report.total.used == ask(store, "day").total.used


def test_the_active_window_burns_since_its_first_response() -> None:
    books = books_of(sample_store())
    now = instant("2026-11-22T12:05")  # two hours after the first response

    report, (block,) = load_blocks(books, question("block"), now=now, at=now)

    assert block.title == "2026-11-22 10:00"
    assert block.pace is not None
    assert block.pace.tokens_per_minute == block.line.tokens // 120
    assert block.pace.cost_per_hour == block.line.used.list_cost // 2
    assert block.pace.left_ms == 175 * 60_000
    assert block.pace.projected_tokens == block.line.tokens * (120 + 175) // 120
    assert report.total.used == block.line.used


def test_a_period_or_project_never_moves_the_windows() -> None:
    books = books_of(sample_store())
    _, whole = load_blocks(books, question("block"), now=NOW)

    _, since = load_blocks(books, question("block", since=date(2026, 11, 17)), now=NOW)
    _, before = load_blocks(
        books, question("block", before=date(2026, 11, 17)), now=NOW
    )
    _, notes = load_blocks(books, question("block", projects=("notes",)), now=NOW)

    starts = [block.start for block in whole]
    assert [block.start for block in (*before, *since)] == starts
    assert {block.start for block in notes} < set(starts)


def test_an_empty_ledger_has_no_windows() -> None:
    _, blocks = load_blocks(books_of(store_of([])), question("block"), now=NOW)

    assert blocks == []
