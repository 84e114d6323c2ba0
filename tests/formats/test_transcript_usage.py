"""What ``tollbook.formats.transcript_usage`` makes of a usage object."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lines import AT_MS, COUNTS, NOTHING, USAGE, answer, filled, parse, usage_of
from tollbook.core.observation import Evidence, Observation, Part
from tollbook.formats.transcript_usage import instant, stated

ADVISOR = "claude-fable-5-2"
MESSAGE_STEP = {
    "type": "message",
    "input_tokens": 1200,
    "output_tokens": 640,
    "cache_read_input_tokens": 42000,
    "cache_creation_input_tokens": 3000,
    "cache_creation": {
        "ephemeral_5m_input_tokens": 1000,
        "ephemeral_1h_input_tokens": 2000,
    },
}
COMPACTION = {"type": "compaction", "input_tokens": 160_000, "output_tokens": 2100}
ADVICE = {
    "type": "advisor_message",
    "model": ADVISOR,
    "input_tokens": 5000,
    "output_tokens": 300,
}


def said(**usage: object) -> Observation:
    """What a line with some usage fields says."""
    [seen] = parse(answer(usage=filled({**USAGE, **usage}))).observations
    return seen


def counts(**usage: object) -> dict[str, int]:
    """The counts of its only part."""
    [part] = said(**usage).parts
    return part.usage


def test_cache_writes_without_a_split_were_for_five_minutes() -> None:
    for split in (NOTHING, None, {}):
        usage = counts(cache_creation=split)

        assert usage["cache_write_5m_tokens"] == 300
        assert usage["cache_write_1h_tokens"] == 0


def test_writes_beyond_the_split_were_for_five_minutes() -> None:
    usage = counts(cache_creation_input_tokens=1000)

    assert usage["cache_write_5m_tokens"] == 900
    assert usage["cache_write_1h_tokens"] == 100


def test_a_split_without_a_sum_is_believed() -> None:
    usage = counts(cache_creation_input_tokens=NOTHING)

    assert usage["cache_write_5m_tokens"] == 200
    assert usage["cache_write_1h_tokens"] == 100


@pytest.mark.parametrize("iterations", [NOTHING, None, []])
def test_without_iterations_the_top_level_is_the_bill(iterations: object) -> None:
    assert counts(iterations=iterations) == COUNTS


def test_iterations_are_the_bill_each_at_its_own_model() -> None:
    seen = said(
        iterations=[COMPACTION, MESSAGE_STEP, ADVICE],
        server_tool_use={"web_search_requests": 2, "web_fetch_requests": 0},
    )

    assert seen.parts == (
        Part(
            "claude-opus-5-5",
            {"uncached_input_tokens": 160_000, "output_tokens": 2100},
            "compaction",
        ),
        Part(
            "claude-opus-5-5",
            {
                "uncached_input_tokens": 1200,
                "cache_read_input_tokens": 42000,
                "cache_write_5m_tokens": 1000,
                "cache_write_1h_tokens": 2000,
                "output_tokens": 640,
                "web_search_requests": 2,
            },
        ),
        Part(
            ADVISOR,
            {"uncached_input_tokens": 5000, "output_tokens": 300},
            "advisor_message",
        ),
    )


def test_a_single_message_step_may_name_the_model_that_took_over() -> None:
    step = {**MESSAGE_STEP, "model": "claude-sonnet-5-5"}
    [part] = said(iterations=[step]).parts

    assert part.model == "claude-sonnet-5-5"
    assert part.usage["output_tokens"] == 640


def test_server_tools_and_unknown_counters_are_kept_by_name() -> None:
    tools = {"web_search_requests": 2, "web_fetch_requests": 0, "moon_phases": 3}
    usage = counts(server_tool_use={**tools, "note": "x", "odd": -1, "half": 0.5})

    assert usage == {**COUNTS, "web_search_requests": 2, "moon_phases": 3}


def test_the_conditions_that_decide_the_price_are_kept() -> None:
    conditions = said(service_tier="batch", speed="fast", inference_geo="us").conditions

    assert conditions.service_tier == "batch"
    assert conditions.speed == "fast"
    assert conditions.inference_geo == "us"


def test_a_condition_that_is_not_stated_is_unknown() -> None:
    conditions = said(service_tier=None, speed=NOTHING, inference_geo="").conditions

    assert conditions.service_tier is None
    assert conditions.speed is None
    assert conditions.inference_geo is None


@pytest.mark.parametrize("usage", [{}, dict.fromkeys(USAGE), {"output_tokens": 0}])
def test_a_usage_of_nothing_but_zeros_is_missing_and_not_free(
    usage: dict[str, object],
) -> None:
    [seen] = parse(answer(usage=usage)).observations

    assert seen.evidence == Evidence.MISSING
    assert seen.parts == (Part("claude-opus-5-5", {}),)
    assert seen.lesser is None


def test_a_response_that_wrote_nothing_still_read_something() -> None:
    assert counts(output_tokens=0) == {**COUNTS, "output_tokens": 0}


def test_an_old_lines_cost_is_kept_as_stated() -> None:
    [seen] = parse(answer(costUSD=0.0246), answer(costUSD=0.01)).observations

    assert seen.stated_cost == 24_600_000_000


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-1", "1e7", "1e999999"])
def test_a_stated_cost_that_cannot_be_one_is_none(text: str) -> None:
    assert stated(Decimal(text)) is None
    assert parse(answer(costUSD=text)).observations[0].stated_cost is None


def test_a_vanishing_stated_cost_is_nothing() -> None:
    assert stated(Decimal("1e-999999999")) == 0
    assert stated(None) is None


@given(moment=st.datetimes(timezones=st.just(UTC)))
def test_an_instant_is_the_millisecond_that_has_begun(moment: datetime) -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    begun = epoch + timedelta(milliseconds=instant(moment))

    assert timedelta(0) <= moment - begun < timedelta(milliseconds=1)


def test_a_sub_agents_type_comes_from_the_line_before_the_file() -> None:
    named = answer(isSidechain=True, attributionAgent="Plan", attributionSkill="pdf")
    plain = answer(isSidechain=True)

    assert parse(named, agent="Explore").observations[0].agent == "Plan"
    assert parse(named).observations[0].skill == "pdf"
    assert parse(plain, agent="Explore").observations[0].agent == "Explore"
    assert parse(answer(), agent="Explore").observations[0].agent is None


@pytest.mark.parametrize("request_session", [None, "session-1"])
def test_a_line_of_its_own_session_is_no_copy(request_session: str | None) -> None:
    [seen] = parse(answer(requestSessionId=request_session)).observations

    assert (seen.session, seen.copied) == ("session-1", False)


def test_a_copy_belongs_to_the_session_it_names() -> None:
    [seen] = parse(answer(requestSessionId="elsewhere")).observations

    assert (seen.session, seen.copied) == ("elsewhere", True)


def test_the_line_that_gave_the_best_count_can_be_looked_up() -> None:
    lines = [answer(usage={**USAGE, "output_tokens": n}) for n in (1, 9, 5)]
    [seen] = parse(*lines, first_line=40).observations

    assert (seen.line, seen.lines, seen.at) == (41, 3, AT_MS)
    assert usage_of(*lines)["output_tokens"] == 9


def test_a_line_that_is_older_than_the_first_says_where_it_began() -> None:
    early = "2026-11-22T03:18:30.000Z"
    lines = [answer(), answer(timestamp=early, gitBranch="older")]
    [seen] = parse(*lines).observations

    assert (seen.first_at, seen.at, seen.lines) == (AT_MS - 5_285, AT_MS, 2)
    assert seen.branch == "older"


def test_a_snapshot_in_several_parts_stands_beside_the_whole() -> None:
    step = {"type": "message", "input_tokens": 50, "output_tokens": 1}
    parts = {**USAGE, "iterations": [step, {**step, "type": "compaction"}]}
    lines = [answer({"stop_reason": None}, parts), answer()]

    assert [len(seen.parts) for seen in parse(*lines).observations] == [2, 1]


BARE = {
    "message": {"id": "msg_01AAAAAAAAAAAAAAAAAAAAAA", "model": "m"},
    "requestId": "req_1",
    "timestamp": "2026-11-01T00:00:00Z",
}


@pytest.mark.parametrize(
    "line",
    [
        {"parentUuid": None, **BARE, "type": "assistant"},
        {"type": "assistant", **BARE},
    ],
    ids=["type behind", "type before"],
)
def test_an_answer_without_any_usage_is_missing(line: dict[str, object]) -> None:
    parsed = parse(line)

    assert [(o.evidence, o.parts[0].usage) for o in parsed.observations] == [
        (Evidence.MISSING, {})
    ]
    assert (parsed.lines, parsed.refused) == (1, 0)
