"""The shapes of ``tollbook.formats.transcript_lines``, held against odd ones."""

from __future__ import annotations

import msgspec
import pytest

from lines import USAGE, answer, compact, parse, request
from tollbook.formats import transcript_lines


@pytest.mark.parametrize(
    "field", ["version", "entrypoint", "effort", "apiBlockIndex", "someday", "error"]
)
@pytest.mark.parametrize("value", [None, 1, "x", [1], {"usage": {"output_tokens": 9}}])
def test_a_field_we_do_not_know_changes_nothing(field: str, value: object) -> None:
    known, odd = parse(answer()), parse(answer() | {field: value})

    assert odd.observations == known.observations
    assert odd.problems == []


@pytest.mark.parametrize(
    "field",
    ["sessionId", "requestId", "gitBranch", "attributionAgent", "uuid", "requestRef"],
)
def test_a_known_field_of_another_kind_is_a_problem_and_no_guess(field: str) -> None:
    parsed = parse(answer() | {field: [1]}, answer())

    assert [problem.code for problem in parsed.problems] == ["line-shape"]
    assert len(parsed.observations) == 1


@pytest.mark.parametrize("content", [None, "text", [], [{}], [{"type": "thinking"}]])
def test_content_may_have_any_of_its_shapes(content: object) -> None:
    [seen] = parse(answer({"content": content})).observations

    assert seen.tools == ()


def test_another_line_types_odd_shape_is_none_of_ours() -> None:
    odd = {"type": "system", "message": 17, "usage": USAGE}

    assert parse(odd).problems == []


def test_a_request_needs_no_more_than_an_id() -> None:
    bare = {"type": "api-request", "id": "ask-1", "padding": "x" * 40}
    [call] = parse(bare).calls

    assert (call.reference, call.session, call.at, call.model) == (
        "ask-1",
        None,
        None,
        None,
    )


def test_a_request_without_an_id_is_a_problem() -> None:
    [problem] = parse(request(id=7)).problems

    assert problem.code == "line-shape"


def test_every_decoder_refuses_what_is_no_object() -> None:
    decoders = [
        value
        for name, value in vars(transcript_lines).items()
        if name.startswith("decode_")
    ]

    assert decoders
    for decode in decoders:
        with pytest.raises(msgspec.DecodeError):
            decode(compact([answer()]))
