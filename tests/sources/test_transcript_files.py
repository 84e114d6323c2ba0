"""``tollbook.sources.transcript_files``: which files there are, and what became of them."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbook.core.problem import Problem
from tollbook.sources.transcript_files import (
    Cursor,
    checksum,
    cursor_of,
    decode_cursor,
    encode_cursor,
    is_of,
    walk,
)

NUMBERS = st.integers(0, 2**63 - 1)


def found(root: Path) -> list[tuple[str, str]]:
    """Names and projects of the transcripts below a folder."""
    return sorted(
        (Path(each[0]).name, each[1])
        for each in walk(root)
        if not isinstance(each, Problem)
    )


@given(numbers=st.lists(NUMBERS, min_size=9, max_size=9))
def test_a_cursor_survives_being_stored(numbers: list[int]) -> None:
    chain = ("chatcmpl-1", "u-1", datetime(2026, 11, 1, tzinfo=UTC))
    cursor = Cursor(*numbers[:9], chain=chain)  # type: ignore[misc, arg-type]  # nine numbers

    assert decode_cursor(encode_cursor(cursor)) == cursor


def test_a_file_nobody_touched_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "1.jsonl"
    path.write_bytes(b"{}\n")

    assert is_of(encode_cursor(cursor_of(path.stat())), path.stat())


@pytest.mark.parametrize(
    "field", ["device", "inode", "size", "modified_ns", "changed_ns"]
)
def test_any_sign_of_change_is_seen(field: str) -> None:
    names = ("st_mode", "st_ino", "st_dev", "st_nlink", "st_uid", "st_gid", "st_size")
    status = os.stat_result((1,) * 10, dict.fromkeys(names, 1))
    known = cursor_of(status)

    other = msgspec.structs.replace(known, **{field: 2})

    assert is_of(encode_cursor(known), status)
    assert not is_of(encode_cursor(other), status)


def test_a_modification_time_that_was_set_back_hides_nothing(tmp_path: Path) -> None:
    path = tmp_path / "1.jsonl"
    path.write_bytes(b"{}\n")
    before = path.stat()
    known = cursor_of(before)
    os.utime(path, ns=(0, before.st_mtime_ns))
    after = cursor_of(path.stat())

    assert after.modified_ns == known.modified_ns
    assert after.changed_ns >= known.changed_ns


def test_transcripts_are_found_at_every_depth_and_know_their_project(
    tmp_path: Path,
) -> None:
    for name in (
        "top.jsonl",
        "-a/1.jsonl",
        "-a/s/subagents/2.jsonl",
        "-b/w/x/y/3.jsonl",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "-a" / "notes.json").touch()
    (tmp_path / "-a" / "folder.jsonl").mkdir()

    assert found(tmp_path) == [
        ("1.jsonl", "-a"),
        ("2.jsonl", "-a"),
        ("3.jsonl", "-b"),
        ("top.jsonl", tmp_path.name),
    ]


def test_names_in_any_spelling_are_found(tmp_path: Path) -> None:
    names = [
        b"\x1b[31m.jsonl",
        "é\u202e.jsonl".encode(),
        b"\xff\xfe.jsonl",
        b"a\nb.jsonl",
    ]
    for name in names:
        (Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))).touch()

    assert len(found(tmp_path)) == len(names)


def test_a_checksum_tells_bytes_apart() -> None:
    assert checksum(b"a") == checksum(memoryview(b"a"))
    assert checksum(b"a") != checksum(b"b")
