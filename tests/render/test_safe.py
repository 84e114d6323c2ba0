"""tollbook.render.safe: what a hostile name looks like."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbook.render.safe import safe


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("claude-opus-5-5", "claude-opus-5-5"),
        ("Zürich 部屋 🙂", "Zürich 部屋 🙂"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x9b31m", r"\x9b31m"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("evil\u202egnp.exe", r"evil\u202egnp.exe"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("\udc80", r"\udc80"),
        ("tag\U000e0041", r"tag\U000e0041"),
        ("\u2028", r"\u2028"),
        ("\x00\x7f", r"\x00\x7f"),
    ],
)
def test_what_is_not_ink_is_written_out(text: str, shown: str) -> None:
    assert safe(text) == shown


@given(st.text())
def test_nothing_that_moves_the_cursor_gets_through(text: str) -> None:
    assert safe(text).isprintable()
