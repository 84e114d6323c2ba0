"""Figures, plots and tables of ``tollbook.render``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbook.core.money import parse_usd
from tollbook.render.figures import count, duration, money, plural, short
from tollbook.render.ink import Ink, cells, fit, pad
from tollbook.render.plots import bar, sparkline
from tollbook.render.table import Column, Table, draw


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "$0.00"),
        ("1234567.895", "$1,234,567.90"),
        ("0.01", "$0.01"),
        ("0.0042", "$0.0042"),
        ("0.00001", "<$0.0001"),
        ("-12.5", "-$12.50"),
        ("1000000000", "$1,000,000,000.00"),
    ],
)
def test_money_reads_like_money(amount: str, text: str) -> None:
    assert money(parse_usd(amount)) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (9_999, "9,999"),
        (10_000, "10.0k"),
        (99_949, "99.9k"),
        (99_951, "100k"),
        (123_456, "123k"),
        (999_499, "999k"),
        (999_501, "1.0M"),
        (1_234_567, "1.2M"),
        (3_400_000_000, "3.4B"),
        (7 * 10**12, "7.0T"),
        (4_321 * 10**12, "4,321T"),
        (-12_345, "-12.3k"),
    ],
)
def test_long_counts_are_shortened(number: int, text: str) -> None:
    assert short(number) == text


def test_counts_words_and_durations() -> None:
    assert count(1234567) == "1,234,567"
    assert (plural(1, "call"), plural(2, "call")) == ("1 call", "2 calls")
    assert plural(0, "batch", "batches") == "0 batches"
    assert duration(3 * 3_600_000 + 5 * 60_000) == "3h 05m"
    assert (duration(59_999), duration(-1)) == ("0m", "0m")


@given(st.integers(0, 10**15), st.integers(1, 10**15), st.integers(1, 60))
def test_a_bar_stays_in_its_room_and_something_is_never_nothing(
    value: int, largest: int, width: int
) -> None:
    value = min(value, largest)
    for plain in (False, True):
        drawn = bar(value, largest, width, plain=plain)

        assert len(drawn) <= width
        assert bool(drawn) == bool(value)


def test_a_sparkline_has_a_mark_for_each_value() -> None:
    assert sparkline([0, 1, 4, 8]) == " ▁▄█"
    assert sparkline([0, 1, 8], plain=True) == " _#"
    assert (sparkline([]), sparkline([0, 0]), bar(0, 0, 9)) == ("", "  ", "")


def test_text_is_cut_where_it_says_least() -> None:
    assert fit("/home/dev/atlas", 8, Ink(), tail=True) == "…v/atlas"
    assert fit("claude-opus-5", 8, Ink(plain=True)) == "claude-~"
    assert fit("日本語日本語", 5, Ink()) == "日本…"
    assert cells("e\u0301日") == 3
    assert pad("日", 4, right=True) == "  日"


def test_the_least_important_column_goes_first() -> None:
    def column(title: str, rank: int) -> Column:
        return Column(title=title, texts=["x" * 20, "y"], rank=rank)

    table = Table(columns=[column("a", 0), column("b", 2), column("c", 1)])

    shown = {width: draw(table, Ink(width=width))[0].split() for width in (64, 63, 41)}
    assert shown == {64: ["a", "b", "c"], 63: ["a", "c"], 41: ["a"]}
