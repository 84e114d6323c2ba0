"""How ``tollbook.formats.batch_results`` reads the results of a batch."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from sse_events import COUNTS, ID, MODEL, PROMPT
from tollbook.core.observation import Conditions, Evidence, Observation, Part
from tollbook.formats.batch_results import LINE_MAX, BatchResults, Fetched

FETCHED = Fetched(batch="msgbatch_1", at=1_795_000_000_000, project="lab", key="k")
MESSAGE = {
    "id": ID,
    "type": "message",
    "model": MODEL,
    "content": [],
    "stop_reason": "end_turn",
    "usage": {**PROMPT, "output_tokens": 377},
}


def line(name: str, kind: str, **fields: object) -> bytes:
    """One result."""
    said = {"custom_id": name, "result": {"type": kind, **fields}}
    return json.dumps(said).encode() + b"\n"


ERROR = {"type": "error", "error": {"type": "invalid_request_error"}}
LINES = (
    line("a", "succeeded", message=MESSAGE),
    line("b", "errored", error=ERROR),
    line("c", "expired"),
    b"\n",
    line("d", "succeeded", message={**MESSAGE, "id": "other", "usage": None}),
)


def read(*chunks: bytes) -> tuple[list[Observation], list[tuple[int, str]]]:
    """What chunks say, and what could not be used."""
    results = BatchResults(FETCHED)
    said = [seen for chunk in chunks for seen in results.feed(chunk)]
    said += results.close()
    return said, [(problem.line, problem.code) for problem in results.problems]


def test_what_succeeded_is_counted_at_the_batch_tier() -> None:
    [seen], problems = read(LINES[0])

    assert (seen.message_id, seen.request_id) == (ID, None)
    assert (seen.parts, seen.evidence) == ((Part(MODEL, COUNTS),), Evidence.REPORTED)
    assert seen.conditions == Conditions("batch")
    assert (seen.first_at, seen.project, seen.key) == (FETCHED.at, "lab", "k")
    assert (seen.failure, problems) == (None, [])


def test_what_failed_is_told_and_costs_nothing() -> None:
    said, _ = read(*LINES[1:3])

    assert [seen.failure for seen in said] == ["invalid_request_error", "expired"]
    assert [seen.request_id for seen in said] == [
        "lab:msgbatch_1:b",
        "lab:msgbatch_1:c",
    ]
    assert {seen.evidence for seen in said} == {Evidence.MISSING}


def test_an_id_that_is_not_the_providers_is_the_batchs_own() -> None:
    [seen], _ = read(LINES[4])

    assert (seen.message_id, seen.request_id) == (None, "lab:msgbatch_1:d")
    assert (seen.evidence, seen.failure) == (Evidence.MISSING, None)


def test_what_cannot_be_used_is_a_problem_with_its_line() -> None:
    long = b"x" * (LINE_MAX + 1)
    said, problems = read(LINES[0], b"{}\n", long, b"x\n", LINES[1], long)

    assert [seen.line for seen in said] == [1, 4]
    assert problems == [
        (2, "line-not-json"),
        (3, "line-too-long"),
        (5, "line-too-long"),
    ]


@given(place=st.integers(0, 1500))
def test_where_the_bytes_are_cut_does_not_matter(place: int) -> None:
    stream = b"".join(LINES).rstrip(b"\n")

    assert read(stream[:place], stream[place:]) == read(*LINES)
