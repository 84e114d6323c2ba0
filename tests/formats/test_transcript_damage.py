"""How ``tollbook.formats.transcript`` reads JSON in any layout, and what is damaged."""

from __future__ import annotations

import json

import pytest

from lines import (
    AT_MS,
    COUNTS,
    USAGE,
    answer,
    compact,
    counted,
    events,
    parse,
    text_of,
    usage_of,
)
from tollbook.formats.transcript import Parsed, is_whole, parse_block, working_folder


def read(block: bytes, first_line: int = 1) -> Parsed:
    """What some bytes say."""
    return parse_block(memoryview(block), origin="a.jsonl", first_line=first_line)


def codes(parsed: Parsed) -> list[tuple[int, str]]:
    """Line and code of every problem."""
    return [(problem.line, problem.code) for problem in parsed.problems]


def spread(line: dict[str, object]) -> bytes:
    """A line as an editor formats it."""
    return json.dumps(line, indent=2).encode()


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbf" + compact(answer()),
        compact(answer()) + b"\r",
        b"  " + compact(answer()) + b"  ",
        json.dumps(answer(), indent=None).encode(),
        json.dumps(answer()).encode("ascii"),
        spread(answer()),
        spread(answer()).replace(b"\n", b"\r\n"),
    ],
    ids=["mark", "crlf", "padded", "spaced", "ascii", "lines", "lines-crlf"],
)
def test_good_json_is_read_however_it_is_laid_out(text: bytes) -> None:
    parsed = parse(text, counted(7, requestId="req_2"))

    assert parsed.problems == []
    assert len(parsed.observations) >= 1
    assert len(events(parsed)) == 1


def test_lines_are_numbered_through_an_object_of_many_lines() -> None:
    parsed = parse(spread(answer()), b'{"usage":', first_line=10)

    assert codes(parsed) == [(10 + spread(answer()).count(b"\n") + 1, "line-not-json")]


@pytest.mark.parametrize(
    "damaged",
    [
        compact(answer())[:-40],
        compact(answer())[40:],
        compact(answer()).replace(b"end_turn", b"end\x00turn"),
        compact(answer()).replace(b"end_turn", b"end\xff\xfeturn"),
        compact(answer()).replace(b'"main"', b'"\\ud800"'),
        b'{"usage":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=[
        "torn",
        "headless",
        "nul-inside",
        "utf8",
        "surrogate",
        "deep",
    ],
)
def test_good_lines_beside_a_damaged_one_still_count(damaged: bytes) -> None:
    parsed = parse(answer(), damaged, counted(7, requestId="req_2"))

    assert len(events(parsed)) == 1
    assert (parsed.lines, parsed.refused) == (3, 1)
    assert codes(parsed) == [(2, "line-not-json")]


@pytest.mark.parametrize("count", [-1, 1.5, "7", True, 10**10 + 1, 10**400, [], {}])
def test_a_count_that_is_no_count_is_refused(count: object) -> None:
    parsed = parse(answer(usage={**USAGE, "input_tokens": count}))

    assert parsed.observations == []
    assert codes(parsed) == [(1, "line-shape")]


@pytest.mark.parametrize("time", [None, "", "yesterday", "2026-11-22T03:18:35", 17])
def test_a_line_without_an_instant_is_refused(time: object) -> None:
    parsed = parse(answer(timestamp=time), answer())

    assert len(parsed.observations) == 1
    assert (parsed.lines, parsed.refused) == (2, 1)
    assert parsed.problems[0].code in {"line-time", "line-shape"}


def test_a_time_in_another_zone_is_the_same_instant() -> None:
    [seen] = parse(answer(timestamp="2026-11-22T05:18:35.285+02:00")).observations

    assert seen.at == AT_MS


def test_of_a_key_that_stands_twice_the_last_counts() -> None:
    doubled = b'"output_tokens":1,"output_tokens":502'
    line = compact(answer()).replace(b'"output_tokens":502', doubled)

    assert usage_of(line) == COUNTS


def test_a_problem_shows_no_payload() -> None:
    secret = answer({"content": "s3cret"}, usage={**USAGE, "speed": ["s3cret"]})
    parsed = parse(secret, compact(answer({"content": "s3cret"}))[:-5])

    assert len(parsed.problems) == 2
    assert "s3cret" not in str(parsed.problems)
    assert all("; " in problem.message for problem in parsed.problems)


def test_an_object_whose_end_is_not_written_yet_is_left_for_the_next_read() -> None:
    begun = spread(answer())[:-2]
    parsed = read(text_of(answer()) + begun)

    assert parsed.consumed == len(text_of(answer()))
    assert parsed.problems == []


def test_the_working_folder_is_the_first_that_is_named() -> None:
    block = text_of({"type": "mode"}, {"cwd": "/a"}, {"cwd": "/b"})

    assert working_folder(memoryview(block)) == "/a"
    assert working_folder(memoryview(text_of({"type": "mode"}))) is None


@pytest.mark.parametrize(
    ("line", "whole"),
    [(compact(answer()), True), (b"{}", True), (b'{"type":"a', False), (b"17", False)],
)
def test_a_last_line_without_newline_is_known_to_be_whole(
    line: bytes,
    whole: bool,  # noqa: FBT001  # an expected value
) -> None:
    assert is_whole(line) == whole


GOOD = compact({"parentUuid": None, **answer({"id": "msg_01" + "B" * 22})})


@pytest.mark.parametrize(
    "remains", [b"\0" * 64, compact(answer())[:120]], ids=["NULs", "a cut line"]
)
def test_a_good_line_glued_behind_remains_still_counts(remains: bytes) -> None:
    """What a crash or a full disk leaves, and a client then writes on behind it."""
    parsed = read(remains + GOOD + b"\n" + compact(answer()) + b"\n")

    assert len(events(parsed)) == 2
    assert codes(parsed) == [(1, "line-not-json")]
    assert (parsed.lines, parsed.refused) == (2, 0)


def test_two_lines_that_lost_the_end_between_them_both_count() -> None:
    parsed = read(compact(answer()) + GOOD + b"\n")

    assert len(events(parsed)) == 2
    assert (parsed.lines, parsed.refused, codes(parsed)) == (2, 0, [])
