"""How ``tollbook.formats.usage_so_far`` adds up what events say, and never adds."""

from __future__ import annotations

import msgspec
import pytest

from tollbook.core.observation import Evidence, Part
from tollbook.formats.metered import Flag
from tollbook.formats.transcript_lines import Usage
from tollbook.formats.usage_so_far import UsageSoFar

STEP = {"type": "message", "input_tokens": 10, "output_tokens": 20}
COMPACTION = {"type": "compaction", "input_tokens": 900, "output_tokens": 50}
SPLIT = {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20}


def heard(*said: dict[str, object], wrote: bool = True) -> UsageSoFar:
    """What is known after a placeholder and the sums that follow it."""
    usage = UsageSoFar()
    for number, one in enumerate(said):
        usage.state(
            msgspec.convert(one, Usage), closing=number > 0, wrote=wrote and number > 0
        )
    return usage


def counts(usage: UsageSoFar) -> dict[str, int]:
    """The counts that are not zero."""
    return {unit: n for part in usage.parts("m") for unit, n in part.usage.items() if n}


START: dict[str, object] = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 30,
    "cache_creation": SPLIT,
    "output_tokens": 1,
    "service_tier": "standard",
    "inference_geo": "us",
}


def test_null_and_absent_keep_what_is_known() -> None:
    usage = heard(START, {"output_tokens": 20, "input_tokens": None, "speed": "fast"})

    assert counts(usage) == {
        "uncached_input_tokens": 10,
        "cache_write_5m_tokens": 10,
        "cache_write_1h_tokens": 20,
        "output_tokens": 20,
    }
    assert usage.is_whole
    assert usage.conditions().speed == "fast"
    assert usage.conditions().inference_geo == "us"


def test_writes_that_came_after_the_split_were_for_five_minutes() -> None:
    usage = heard(START, {"cache_creation_input_tokens": 100, "output_tokens": 20})

    assert counts(usage)["cache_write_5m_tokens"] == 80
    assert counts(usage)["cache_write_1h_tokens"] == 20
    assert usage.flags == set()


def test_a_split_of_more_than_all_is_told() -> None:
    usage = heard({**START, "cache_creation_input_tokens": 29}, {"output_tokens": 20})
    usage.parts("m")

    assert usage.flags == {Flag.SPLIT_EXCEEDS}


def test_zeros_do_not_undo_what_is_known() -> None:
    zeros: dict[str, object] = {"input_tokens": 0, "output_tokens": 0}
    usage = heard(START, {"output_tokens": 20}, zeros)

    assert (counts(usage)["output_tokens"], usage.flags) == (20, {Flag.ZEROS})
    assert usage.is_whole
    assert heard(START, {"input_tokens": 0, "output_tokens": 20}).flags == {Flag.ZEROS}
    assert heard(START, {"input_tokens": 12, "output_tokens": 0}).flags == {Flag.ZEROS}


def test_no_output_is_believed_where_nothing_was_written() -> None:
    usage = heard(START, {"output_tokens": 0}, wrote=False)

    assert usage.is_whole
    assert "output_tokens" not in counts(usage)
    assert usage.flags == set()


def test_a_placeholder_does_not_replace_a_sum() -> None:
    usage = heard(START, {"output_tokens": 20})
    usage.state(Usage(output_tokens=1), closing=False, wrote=True)

    assert counts(usage)["output_tokens"] == 20


def test_a_sum_that_falls_does_not_undo_the_larger_one() -> None:
    usage = heard(START, {"output_tokens": 20}, {"output_tokens": 7})

    assert (counts(usage)["output_tokens"], usage.flags) == (20, {Flag.FELL})
    assert usage.is_whole
    silent = heard(START, {"output_tokens": 20}, {"output_tokens": 0}, wrote=False)
    assert counts(silent)["output_tokens"] == 20
    assert counts(heard({**START, "output_tokens": 9}, {"output_tokens": 7})) == {
        **counts(heard(START, {"output_tokens": 7}))
    }


def test_iterations_are_the_bill() -> None:
    final = {"input_tokens": 10, "output_tokens": 20, "iterations": [COMPACTION, STEP]}
    usage = heard(START, final)
    parts = usage.parts("m")

    assert [part.kind for part in parts] == ["compaction", "message"]
    assert usage.is_whole
    assert usage.evidence(parts, final=True, plain=True) == (Evidence.REPORTED, None)
    assert usage.evidence(parts, final=False, plain=True) == (Evidence.PARTIAL, None)


@pytest.mark.parametrize(
    "steps", [[COMPACTION, {**STEP, "output_tokens": 1}], [{"type": "message"}]]
)
def test_iterations_that_say_less_than_the_sums_are_not_the_bill(
    steps: list[object],
) -> None:
    usage = heard({**START, "iterations": steps}, {"output_tokens": 20})
    parts = usage.parts("m")

    assert counts(usage)["output_tokens"] == 20
    assert usage.flags == {Flag.ITERATIONS_BEHIND}
    assert not usage.is_whole
    assert usage.evidence(parts, final=True, plain=True) == (Evidence.PARTIAL, None)


@pytest.mark.parametrize("steps", [[STEP] * 201, [{**STEP, "model": "m" * 201}]])
def test_iterations_beyond_reason_are_not_read(steps: list[object]) -> None:
    usage = heard(START, {"output_tokens": 20, "iterations": steps})

    assert usage.flags == {Flag.BAD_COUNT}
    assert not usage.is_whole


def test_counters_of_tools_are_kept_by_name_and_bounded() -> None:
    tools: dict[str, object] = {"web_search_requests": 2, "odd": -1, "half": 0.5}
    many = {f"tool_{number}": 1 for number in range(20)}
    usage = heard(
        START, {"output_tokens": 20, "server_tool_use": {**tools, "no": None}}
    )
    usage.state(
        msgspec.convert({"server_tool_use": many}, Usage), closing=True, wrote=True
    )
    full = heard(START, {"output_tokens": 20, "server_tool_use": many})

    assert counts(usage)["web_search_requests"] == 2
    assert usage.flags == {Flag.BAD_COUNT}
    assert sum(name.startswith("tool_") for name in counts(full)) == 16


def test_a_condition_beyond_reason_is_not_kept() -> None:
    usage = heard({**START, "speed": "x" * 300})

    assert (usage.conditions().speed, usage.flags) == (None, {Flag.BAD_FIELD})


@pytest.mark.parametrize(
    ("said", "known"),
    [
        ({}, {}),
        ({"output_tokens": 3}, {"output_tokens": 3}),
        (
            {"cache_read_input_tokens": 7},
            {"cache_read_input_tokens": 7},
        ),
        (
            {"cache_creation": SPLIT},
            {"cache_write_5m_tokens": 10, "cache_write_1h_tokens": 20},
        ),
    ],
)
def test_what_nobody_stated_is_absent(
    said: dict[str, object], known: dict[str, int]
) -> None:
    assert heard(said).parts("m") == (Part("m", known),)


def test_beside_an_input_no_word_of_a_cache_means_none() -> None:
    [part] = heard({"input_tokens": 10}).parts("m")

    assert part.usage == {
        "uncached_input_tokens": 10,
        "cache_read_input_tokens": 0,
        "cache_write_5m_tokens": 0,
        "cache_write_1h_tokens": 0,
    }
