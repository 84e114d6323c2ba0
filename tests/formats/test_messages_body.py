"""What ``tollbook.formats.messages_body`` makes of whole answers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_events import COUNTS, ID, MODEL, NOTHING, PROMPT
from tollbook.core.observation import Conditions, Evidence, Part
from tollbook.formats.messages_body import meter_body
from tollbook.formats.metered import Ended, Flag, Metered, OutputChars, State

FULL = {**PROMPT, "output_tokens": 377, "service_tier": "standard"}
TEXT = {"type": "text", "text": "日本語"}
TOOL = {"type": "tool_use", "name": "Bash", "input": {"command": "ls"}}


def body(usage: object = FULL, **fields: object) -> bytes:
    """A message as the API sends it; a field that is NOTHING is left out."""
    message: dict[str, object] = {
        "type": "message",
        "id": ID,
        "model": MODEL,
        "content": [TEXT],
    }
    message |= {"stop_reason": "end_turn", "usage": usage, **fields}
    said = {key: value for key, value in message.items() if value is not NOTHING}
    return json.dumps(said, separators=(",", ":")).encode()


def test_a_message_says_everything() -> None:
    assert meter_body(body()) == Metered(
        state=State.COMPLETE,
        message_id=ID,
        model=MODEL,
        stop_reason="end_turn",
        parts=(Part(MODEL, COUNTS),),
        conditions=Conditions("standard"),
        evidence=int(Evidence.REPORTED),
        seen_in=("body",),
        output_chars=OutputChars(text=3),
    )


ZEROS = dict.fromkeys(["input_tokens", "output_tokens"], 0)


@pytest.mark.parametrize("usage", [NOTHING, None, {}, ZEROS, {"output_tokens": None}])
def test_a_message_without_usage_is_missing_and_not_free(usage: object) -> None:
    said = meter_body(body(usage))

    assert (said.state, said.evidence) == (State.MISSING, Evidence.MISSING)
    assert (said.parts, said.lacked) == ((Part(MODEL, {}),), ("body",))
    assert said.flags == ((Flag.ZEROS,) if usage is ZEROS else ())


def test_half_a_usage_is_partial() -> None:
    output = meter_body(body({"output_tokens": 5}))
    prompt = meter_body(body({"input_tokens": 5}))

    assert (output.state, output.parts[0].usage) == ("partial", {"output_tokens": 5})
    assert prompt.state == State.PARTIAL
    assert "output_tokens" not in prompt.parts[0].usage


def test_a_refusal_is_counted_and_told() -> None:
    said = meter_body(body(stop_reason="refusal", content=[]))

    assert (said.state, said.parts[0].usage) == (State.REFUSED, COUNTS)


@pytest.mark.parametrize("status", [200, 429])
def test_an_error_is_a_failure(status: int) -> None:
    text = b'{"type":"error","error":{"type":"rate_limit_error","message":"no"}}'
    said = meter_body(text, asked="m", status=status)

    assert (said.state, said.error_type) == (State.FAILED, "rate_limit_error")
    assert said.failure == ("429" if status == 429 else "rate_limit_error")
    assert (said.parts, said.lacked) == ((Part("m", {}),), ())


def test_lengths_are_counted_by_class() -> None:
    thought = {"type": "thinking", "thinking": "hmm"}
    blocks = [thought, TEXT, TOOL, {**TOOL, "input": {}}, {"type": "redacted_thinking"}]
    said = meter_body(body(content=blocks))

    assert said.output_chars == OutputChars(text=3, thinking=3, tool_input=16)
    assert meter_body(body(content="plain")).flags == (Flag.BAD_FIELD,)


@pytest.mark.parametrize("text", [b"", b"<html>", b"[1]", body()[:-5], b"\xff"])
def test_what_is_no_object_is_missing(text: bytes) -> None:
    whole = meter_body(text, asked="m")
    cut = meter_body(text, asked="m", ended=Ended.CUT)

    assert (whole.state, whole.flags) == (State.MISSING, (Flag.BAD_JSON,))
    assert (cut.state, cut.flags) == (State.MISSING, ())
    assert meter_body(text, ended=Ended.LEFT).state == State.ABORTED


def test_a_bad_count_is_unknown_and_the_others_count() -> None:
    said = meter_body(body({**FULL, "output_tokens": -3}))

    assert (said.state, said.flags) == (State.PARTIAL, (Flag.BAD_COUNT,))
    assert said.parts[0].usage["uncached_input_tokens"] == 812


def test_a_mark_before_the_body_is_none_of_it() -> None:
    assert meter_body(b"\xef\xbb\xbf" + body()) == meter_body(body())


def test_a_body_that_was_not_kept_is_missing() -> None:
    said = meter_body(b"", unread=9, status=200)

    assert (said.state, said.flags) == (State.MISSING, (Flag.OVERSIZED,))
    assert said.output_chars.unread_bytes == 9


@given(place=st.integers(0, 400), byte=st.integers(0, 255))
def test_a_damaged_body_is_still_read_as_something(place: int, byte: int) -> None:
    text = bytearray(body())
    text[place % len(text)] = byte
    said = meter_body(bytes(text))

    assert said.parts
    assert said.state in set(State)
