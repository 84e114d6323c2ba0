"""How ``tollbook.formats.transcript`` reads blocks: each response once, no byte too odd."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lines import (
    AT_MS,
    COUNTS,
    ID,
    LINES,
    USAGE,
    answer,
    counted,
    events,
    parse,
    request,
    text_of,
    usage_of,
)
from tollbook.core.observation import Evidence
from tollbook.formats.transcript import Parsed, is_whole, parse_block, working_folder

OUTPUT = "output_tokens"


def read(block: bytes, first_line: int = 1) -> Parsed:
    """What some bytes say."""
    return parse_block(memoryview(block), origin="a.jsonl", first_line=first_line)


def codes(parsed: Parsed) -> list[tuple[int, str]]:
    """Line and code of every problem."""
    return [(problem.line, problem.code) for problem in parsed.problems]


# -- accounting ----------------------------------------------------------------------


def accounted(parsed: Parsed) -> bool:
    """Whether every line that spoke of usage became part of something."""
    spoken = sum(seen.lines for seen in parsed.observations)
    return parsed.lines == spoken + parsed.refused


@given(block=st.binary())
@example(b"{}")
@example(b"{}\n{}")
@example(b'{"usage"}')
@example(b"\xef\xbb\xbf")
@example(b'{"type":"assistant","message":{"usage":"x"},"deep":' + b"[" * 100_000)
@example(b'{"type":"assistant","message":{"usage":{}},"deep":' + b'{"a":' * 99_999)
@example(b'{"usage":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n")
@example(b'{"cwd":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n")
def test_no_bytes_can_stop_a_run(block: bytes) -> None:
    parsed = read(block)

    assert accounted(parsed)
    assert 0 <= parsed.consumed <= len(block)
    is_whole(block)
    working_folder(memoryview(block))


@given(lines=LINES, data=st.data())
def test_no_damage_can_stop_a_run(lines: list[object], data: st.DataObject) -> None:
    block = bytearray(text_of(*lines))
    for _ in range(data.draw(st.integers(1, 4))):
        if block:
            start = data.draw(st.integers(0, len(block) - 1))
            end = start + data.draw(st.integers(0, 9))
            block[start:end] = data.draw(st.binary(max_size=3))
    parsed = read(bytes(block))

    assert accounted(parsed)
    assert len(parsed.problems) >= parsed.refused


@given(lines=LINES)
def test_every_whole_block_is_consumed_to_its_end(lines: list[object]) -> None:
    block = text_of(*lines)
    parsed = parse(*lines)

    assert accounted(parsed)
    assert parsed.consumed == len(block)
    assert parsed.newlines == block.count(b"\n")


@given(lines=LINES, data=st.data())
def test_a_block_says_the_same_whole_or_in_pieces(
    lines: list[object], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(lines)))
    whole = parse(*lines)
    first, second = parse(*lines[:cut]), parse(*lines[cut:], first_line=cut + 1)

    assert events(first, second) == events(whole)
    assert {*first.calls, *second.calls} == {*whole.calls}
    assert codes(first) + codes(second) == codes(whole)
    assert first.lines + second.lines == whole.lines


@given(lines=LINES)
def test_lines_collapsed_here_give_what_the_ledger_would_merge(
    lines: list[object],
) -> None:
    alone = [parse(line, first_line=n) for n, line in enumerate(lines, start=1)]

    assert events(*alone) == events(parse(*lines))


# -- one response, many lines --------------------------------------------------------


def test_a_usage_object_becomes_counts_that_do_not_overlap() -> None:
    [seen] = parse(answer()).observations

    assert seen.message_id == ID
    assert seen.request_id == "req_1"
    assert seen.session == "session-1"
    assert seen.at == AT_MS
    assert seen.parts[0].model == "claude-opus-5-5"
    assert seen.parts[0].usage == COUNTS
    assert (seen.project, seen.branch) == ("-work", "main")


def test_one_line_for_each_content_block_is_one_response() -> None:
    parsed = parse(answer(), answer(uuid="u-3"), answer(uuid="u-4"))
    [seen] = parsed.observations

    assert seen.lines == parsed.lines == 3
    assert seen.parts[0].usage == COUNTS


def test_a_streamed_message_is_charged_once_at_its_final_count() -> None:
    lines = [counted(1, final=False), counted(40, final=False), counted(502)]

    assert usage_of(*lines) == COUNTS
    assert usage_of(*reversed(lines)) == COUNTS


def test_a_stale_partial_line_after_the_final_one_changes_nothing() -> None:
    parsed = parse(counted(502), counted(900, final=False))
    [event] = events(parsed).values()

    assert event.parts[0].usage == COUNTS
    assert event.lesser is None


def test_a_response_that_never_ended_has_a_lower_bound() -> None:
    [seen] = parse(counted(3, final=False)).observations

    assert seen.evidence == Evidence.REPORTED
    assert seen.lesser == {OUTPUT: Evidence.PARTIAL}


@pytest.mark.parametrize("request_id", ["req_2", None])
def test_an_aside_under_another_request_and_time_is_the_same_response(
    request_id: str | None,
) -> None:
    copy = answer(
        requestId=request_id,
        timestamp="2026-11-23T00:00:00Z",
        sessionId="aside",
        isSidechain=True,
    )
    [event] = events(parse(copy), parse(answer())).values()

    assert (event.session, event.request_id, event.at) == ("session-1", "req_1", AT_MS)


def test_a_fork_stays_at_home_where_its_line_names_it() -> None:
    copy = answer(
        sessionId="a-fork",
        timestamp="2026-01-01T00:00:00Z",
        forkedFrom={"sessionId": "x"},
    )
    [seen] = parse(copy).observations

    assert (seen.session, seen.copied) == ("x", True)


def test_a_relays_constant_message_id_does_not_hide_responses() -> None:
    lines = [answer({"id": "chatcmpl-x"}, requestId=f"req_{n}") for n in range(4)]

    assert len(events(parse(*lines))) == 4


def test_without_any_id_the_lines_of_one_answer_follow_each_other() -> None:
    def line(uuid: str, parent: str, second: int) -> dict[str, object]:
        time = f"2026-11-22T03:18:{second:02}Z"
        return answer(
            {"id": "x"}, requestId=None, uuid=uuid, parentUuid=parent, timestamp=time
        )

    lines = [line("b", "a", 1), line("c", "b", 2), line("e", "d", 3)]

    assert len(events(parse(*lines))) == 2


def test_tools_are_remembered_from_every_line() -> None:
    blocks = [{"type": "tool_use", "name": name} for name in ("Read", "Bash")]
    [seen] = parse(*(answer({"content": [block]}) for block in blocks)).observations

    assert seen.tools == ("Bash", "Read")


# -- what carries no usage -----------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        answer({"model": "<synthetic>"}),
        answer(isApiErrorMessage=True),
        {"type": "user", "toolUseResult": {"usage": USAGE, "totalTokens": 9}},
        {"type": "user", "message": {"content": json.dumps(answer())}},
        {"type": "user", "message": {"role": "user", "usage": USAGE}},
        {"type": "summary", "usage": 3},
        {"type": "something-new", "message": {"usage": USAGE}},
        b"",
        b"  \t\r",
        b"{}",
    ],
    ids=str,
)
def test_a_line_that_bills_nothing_is_passed_over(line: object) -> None:
    parsed = parse(line, answer())

    assert (parsed.lines, parsed.refused, parsed.problems) == (1, 0, [])
    assert len(parsed.observations) == 1


def test_a_usage_object_inside_a_tools_answer_is_not_a_response() -> None:
    decoy = answer(toolUseResult={"usage": {**USAGE, OUTPUT: 10**6}})
    decoy["message"] = {"content": "x", "model": "claude-opus-5-5"}

    assert parse(decoy).observations == []


def test_an_escaped_look_alike_in_a_text_is_text() -> None:
    trap = '"}],"usage":{"output_tokens":1000000}}} \\" \\\\'

    assert usage_of(answer({"content": [{"type": "text", "text": trap}]})) == COUNTS


def test_a_sub_agents_copy_in_a_progress_line_is_the_sub_agents() -> None:
    inner = answer(sessionId=None, timestamp=None, isSidechain=False)
    outer = {
        "type": "progress",
        "timestamp": "2026-11-22T03:18:35.285Z",
        "sessionId": "session-1",
        "data": {"type": "agent_progress", "message": inner},
    }
    [seen] = parse(outer).observations

    assert (seen.session, seen.sidechain, seen.at) == ("session-1", True, AT_MS)
    assert len(events(parse(outer, answer()))) == 1


# -- requests and statements ---------------------------------------------------------


def test_a_request_that_no_line_answers_is_an_open_call() -> None:
    [call] = parse(request()).calls

    assert (call.reference, call.asked, call.at) == ("ask-1", True, AT_MS)
    assert (call.session, call.project) == ("session-1", "-work")
    assert call.model == "claude-opus-5-5"


def test_an_answer_closes_its_request() -> None:
    asked, answered = parse(request(), answer(requestRef="ask-1")).calls

    assert (asked.reference, asked.asked) == ("ask-1", True)
    assert (answered.reference, answered.asked) == ("ask-1", False)


def test_a_running_total_is_a_statement_and_no_event() -> None:
    state = {
        "type": "cost-state",
        "sessionId": "session-1",
        "totalCostUSD": 0.0246,
        "totalDuration": 22205,
        "modelUsage": {
            "claude-opus-5-5": {
                "inputTokens": 200,
                "outputTokens": 1000,
                "cacheReadInputTokens": 4000,
                "cacheCreationInputTokens": 600,
                "cacheCreationEphemeral1hInputTokens": 100,
                "costUSD": 0.0246,
            }
        },
    }
    parsed = parse(state)
    [statement] = parsed.statements

    assert parsed.observations == []
    assert (statement.session, statement.sequence) == ("session-1", 22205)
    assert statement.stated_cost == 24_600_000_000
    assert statement.models[0].usage["cache_write_5m_tokens"] == 500


@pytest.mark.parametrize("cost", ["NaN", "1e400", "-1", '"x"'])
def test_an_impossible_running_total_is_left_out(cost: str) -> None:
    line = f'{{"type":"cost-state","sessionId":"session-1","totalCostUSD":{cost}}}'

    assert parse(line.encode(), answer()).statements == []
