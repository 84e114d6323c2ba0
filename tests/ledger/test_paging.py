"""Cursors of ``tollbook.ledger.paging`` come back as they were, or not at all."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from tollbook.ledger.paging import cursor_text, packed, parse_cursor, unpacked


@given(st.integers(-(2**53), 2**53), st.text())
def test_a_cursor_means_what_it_meant(at: int, event: str) -> None:
    text = cursor_text(at, event)

    assert parse_cursor(text) == (at, event)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", text)


@given(st.text())
def test_any_other_text_is_none(text: str) -> None:
    found = parse_cursor(text)

    assert found is None or cursor_text(*found) == text


@given(st.binary())
def test_what_was_packed_is_unpacked(data: bytes) -> None:
    assert unpacked(packed(data)) == data


@given(st.text())
def test_there_is_one_way_to_pack(text: str) -> None:
    data = unpacked(text)

    assert data is None or packed(data) == text
