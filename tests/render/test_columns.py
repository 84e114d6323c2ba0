"""tollbook.render.columns: short lists of facts."""

from __future__ import annotations

from tollbook.render.columns import columns


def test_cells_stand_below_their_heads_and_figures_to_the_right() -> None:
    shown = columns(
        ("name", "count"), [("部屋", "7"), ("a\x1b", "12")], right=("count",)
    )

    assert shown.splitlines() == ["name   count", "部屋       7", r"a\x1b     12"]


def test_facts_without_heads_have_no_head_line() -> None:
    assert columns(("", ""), [("a", "b")]) == "a  b"
