"""``tollbook.formats.otlp_spans``: what spans of model calls become, in each dialect."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from otlp_requests import NANOS, hear, pairs, traces
from tollbook.core.observation import Evidence, Observation
from tollbook.formats.otlp_sender import Heard
from tollbook.formats.otlp_signals import TRACES

MESSAGE_ID = "msg_01AbCdEfGhJkLmNoPqRsTu"
REQUEST_ID = "req_01AbCdEfGhJkLmNoPqRsTu"
SDK = "com.anthropic.sdk.python"
TRACE = "a" * 32

CACHED: dict[str, object] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "anthropic",
    "gen_ai.response.model": "claude-opus-5-5",
    "gen_ai.usage.input_tokens": 150,
    "gen_ai.usage.cache_read.input_tokens": 100,
    "gen_ai.usage.cache_write.input_tokens": 30,
    "gen_ai.usage.output_tokens": 7,
}
UNCACHED = {
    "uncached_input_tokens": 20,
    "cache_read_input_tokens": 100,
    "cache_write_5m_tokens": 30,
    "output_tokens": 7,
}


def span(
    said: Mapping[str, object], number: int = 1, **fields: object
) -> dict[str, object]:
    """One span of a call that took two seconds."""
    return {
        "name": "anthropic.messages.create",
        "traceId": TRACE,
        "spanId": f"{number:016x}",
        "kind": "SPAN_KIND_CLIENT",
        "startTimeUnixNano": NANOS - 2_000_000_000,
        "endTimeUnixNano": str(NANOS),
        "attributes": pairs(said),
        **fields,
    }


def heard(*spans: object, scope: str = SDK, **resource: object) -> Heard:
    """What spans of one scope say."""
    return hear(TRACES, traces(*spans, scope=scope, resource=resource))


def only(found: Heard) -> Observation:
    """Its one observation."""
    [seen] = found.observations
    return seen


def test_the_sdk_s_span_tells_both_ids_and_the_input_without_the_cache() -> None:
    said = CACHED | {
        "gen_ai.response.id": MESSAGE_ID,
        "anthropic.request.id": REQUEST_ID,
        "anthropic.usage.cache_creation.ephemeral_5m_input_tokens": 10,
        "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 18,
        "anthropic.response.service_tier": "priority",
        "gen_ai.conversation.id": "c",
        "user.id": "u",
    }
    seen = only(heard(span(said), team="red"))

    assert (seen.message_id, seen.request_id) == (MESSAGE_ID, REQUEST_ID)
    assert seen.parts[0].usage == {
        **UNCACHED,
        "cache_write_5m_tokens": 12,  # what was written after the first output token
        "cache_write_1h_tokens": 18,
    }
    assert (seen.evidence, seen.lesser) == (Evidence.REPORTED, None)
    assert (seen.session, seen.user, seen.tags) == ("c", "u", (("team", "red"),))
    assert (seen.latency_ms, seen.conditions.service_tier) == (2000, "priority")
    assert seen.provider == "anthropic"


SPELLINGS = {
    "older": {
        "gen_ai.system": "Anthropic",
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "claude-opus-5-5",
        "gen_ai.usage.input_tokens": 150,
        "gen_ai.usage.cache_read.input_tokens": 100,
        "gen_ai.usage.cache_creation.input_tokens": 30,
        "gen_ai.usage.output_tokens": 7,
    },
    "openllmetry": {
        "gen_ai.system": "Anthropic",
        "llm.request.type": "completion",
        "gen_ai.request.model": "claude-opus-5-5",
        "gen_ai.usage.prompt_tokens": 150,
        "gen_ai.usage.cache_read_input_tokens": 100,
        "gen_ai.usage.cache_creation_input_tokens": 30,
        "gen_ai.usage.completion_tokens": 7,
    },
    "openinference": {
        "openinference.span.kind": "LLM",
        "llm.provider": "anthropic",
        "llm.model_name": "claude-opus-5-5",
        "llm.token_count.prompt": 150,
        "llm.token_count.prompt_details.cache_read": 100,
        "llm.token_count.prompt_details.cache_write": 30,
        "llm.token_count.completion": 7,
    },
}


@pytest.mark.parametrize(
    ("dialect", "scope"),
    [
        ("older", "opentelemetry.util.genai.handler"),
        ("openllmetry", "opentelemetry.instrumentation.anthropic"),
        ("openinference", "openinference.instrumentation.anthropic"),
    ],
)
def test_every_dialect_says_the_same(dialect: str, scope: str) -> None:
    found = heard(span(SPELLINGS[dialect]), scope=scope)
    seen = only(found)

    assert seen.parts[0].model == "claude-opus-5-5"
    assert seen.parts[0].usage == UNCACHED
    assert seen.provider == "anthropic"
    assert seen.lesser == {"cache_write_5m_tokens": Evidence.ESTIMATED}
    assert seen.request_id == f":{TRACE}/{1:016x}"
    assert found.findings == {}


def test_an_unknown_scope_that_does_not_tell_leaves_a_lower_bound_and_a_problem() -> (
    None
):
    found = heard(span(CACHED), scope="homemade")
    seen = only(found)

    assert seen.parts[0].usage == UNCACHED
    assert seen.lesser is not None
    assert seen.lesser["uncached_input_tokens"] == Evidence.PARTIAL
    assert [each.code for each in found.findings] == ["otlp-input"]
    assert found.refused == 0


def test_a_cache_larger_than_the_input_cannot_be_part_of_it() -> None:
    said = CACHED | {"gen_ai.usage.input_tokens": 20}
    found = heard(span(said), scope="homemade")

    assert only(found).parts[0].usage == UNCACHED
    assert found.findings == {}


def test_a_provider_who_counts_the_cache_as_input_needs_no_scope() -> None:
    said = CACHED | {
        "gen_ai.provider.name": "openai",
        "gen_ai.response.id": "chatcmpl-1",
    }
    found = heard(span(said), scope="homemade", project="shop")
    seen = only(found)

    assert seen.parts[0].usage["uncached_input_tokens"] == 20
    assert (seen.provider, seen.request_id) == ("openai", "shop:chatcmpl-1")
    assert (seen.message_id, found.findings) == (None, {})


def test_input_without_a_word_of_the_cache_is_uncached() -> None:
    said = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 20}
    said |= {"gen_ai.usage.output_tokens": 7}
    found = heard(span(said), scope="homemade")

    assert only(found).parts[0].usage == {
        "uncached_input_tokens": 20,
        "output_tokens": 7,
    }
    assert only(found).lesser is None


def test_a_stream_that_ended_early_has_a_lower_bound_of_output() -> None:
    said = {k: v for k, v in CACHED.items() if k != "gen_ai.usage.output_tokens"}
    seen = only(heard(span(said)))

    assert seen.parts[0].usage["output_tokens"] == 0
    assert seen.lesser is not None
    assert seen.lesser["output_tokens"] == Evidence.PARTIAL


def test_output_alone_is_still_a_response() -> None:
    said = {"gen_ai.operation.name": "chat", "gen_ai.usage.output_tokens": 7}

    assert only(heard(span(said))).parts[0].usage == {"output_tokens": 7}


def test_compactions_are_a_part_of_their_own() -> None:
    said = CACHED | {
        "anthropic.usage.compaction.input_tokens": 1000,
        "anthropic.usage.compaction.output_tokens": 50,
    }
    seen = only(heard(span(said)))

    assert [part.kind for part in seen.parts] == ["message", "compaction"]
    assert seen.parts[1].usage == {
        "uncached_input_tokens": 1000,
        "output_tokens": 50,
    }
    assert seen.lesser is not None
    assert seen.lesser["uncached_input_tokens"] == Evidence.ESTIMATED


def test_a_failed_call_tells_why_and_a_failed_call_with_usage_counts() -> None:
    status = {"code": "STATUS_CODE_ERROR", "message": "SECRET"}
    asked = {"gen_ai.operation.name": "chat"}
    found = heard(
        span(asked | {"error.type": "429"}, status=status),
        span(asked, 2, status={"code": 2}),
        span(CACHED, 3, status=status),
    )

    assert [seen.failure for seen in found.observations] == ["429", "error", None]
    assert "SECRET" not in repr(found.observations)


@pytest.mark.parametrize(
    "said",
    [
        CACHED | {"gen_ai.operation.name": "invoke_agent"},
        CACHED | {"gen_ai.operation.name": "execute_tool"},
        CACHED | {"openinference.span.kind": "CHAIN"},
        CACHED | {"traceloop.span.kind": "workflow"},
        {"gen_ai.operation.name": "chat"},
        {"gen_ai.operation.name": "chat", "gen_ai.usage.output_tokens": 0},
        {"http.route": "/"},
    ],
)
def test_what_is_no_answered_call_of_a_model_says_nothing(
    said: dict[str, object],
) -> None:
    found = heard(span(said), scope="homemade")

    assert (found.observations, found.findings, found.refused) == ([], {}, 0)


def test_counting_tokens_is_no_call_and_inner_steps_repeat_theirs() -> None:
    counting = {"anthropic.message.count_tokens.input_tokens": 14}
    named = CACHED | {"gen_ai.response.id": MESSAGE_ID}
    found = heard(
        span(counting, 1, name="anthropic.messages.count_tokens"),
        span(CACHED, 2, name="anthropic.model_request"),
        span(named, 3, name="anthropic.model_request"),
    )

    assert [seen.message_id for seen in found.observations] == [MESSAGE_ID]


def test_of_calls_within_calls_the_innermost_counts() -> None:
    parent = f"{1:016x}"
    between = span({}, 2, parentSpanId=parent, name="retry")
    inner = span(CACHED, 3, parentSpanId=f"{2:016x}")
    outer = span(CACHED | {"gen_ai.usage.output_tokens": 8})
    found = heard(outer, between, inner)

    assert [seen.line for seen in found.observations] == [3]


def test_a_span_without_an_operation_is_a_call_when_it_has_input_and_a_side() -> None:
    said = {"gen_ai.usage.input_tokens": 5, "gen_ai.usage.output_tokens": 1}
    internal = span(said, 2, kind=1)
    named = span(said | {"gen_ai.response.id": "r"}, 3, kind=1)
    found = heard(span(said), internal, named, scope="ai")

    assert [seen.line for seen in found.observations] == [1, 3]


def test_a_bad_count_or_time_refuses_its_span_alone() -> None:
    bad = CACHED | {"gen_ai.usage.output_tokens": -1}
    found = heard(span(bad), span(CACHED, 2, endTimeUnixNano=0), span(CACHED, 3))

    assert (found.refused, len(found.observations)) == (2, 1)


def test_a_span_is_known_by_its_ids_and_refused_without_any() -> None:
    named = CACHED | {"gen_ai.response.id": MESSAGE_ID}
    lost = {"traceId": "", "spanId": ""}
    own_parent = span(CACHED, 7, parentSpanId=f"{7:016x}")
    found = heard(span(CACHED, 1, **lost), span(named, 2, **lost), own_parent)

    assert [seen.message_id for seen in found.observations] == [MESSAGE_ID, None]
    assert found.observations[0].request_id is None
    assert found.reason == "refused: span: it has no trace id or no span id"


def test_a_request_id_alone_names_a_call() -> None:
    seen = only(heard(span(CACHED | {"anthropic.request.id": REQUEST_ID})))

    assert (seen.message_id, seen.request_id) == (None, REQUEST_ID)


def test_a_span_without_a_start_has_no_latency() -> None:
    assert only(heard(span(CACHED, startTimeUnixNano=0))).latency_ms is None


CONTENT = (
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.prompt.0.content",
    "gen_ai.completion.0.content",
    "input.value",
    "output.value",
    "llm.prompts.0",
    "llm.input_messages.0.message.content",
    "gen_ai.tool.call.arguments",
)


def test_what_was_written_and_said_stays_outside() -> None:
    said = CACHED | dict.fromkeys(CONTENT, "SECRET")
    found = heard(
        span(said), **{"prompt": "SECRET", "input.value": "SECRET", "team": "red"}
    )

    assert only(found).tags == (("team", "red"),)
    assert "SECRET" not in repr((found.observations, found.findings))
