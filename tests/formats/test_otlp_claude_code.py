"""``tollbook.formats.otlp_claude_code``: what Claude Code's events become."""

from __future__ import annotations

import json

import pytest

from otlp_requests import AT, NANOS, NOW, SENDER, hear, logs, pairs, record, traces
from tollbook.core.observation import Evidence, Observation, Part
from tollbook.formats.otlp_sender import Heard, Sender
from tollbook.formats.otlp_signals import LOGS, TRACES

MESSAGE_ID = "msg_01AbCdEfGhJkLmNoPqRsTu"
REQUEST_ID = "req_01AbCdEfGhJkLmNoPqRsTu"
COUNTS: dict[str, object] = {
    "input_tokens": 3,
    "output_tokens": 7,
    "cache_read_tokens": 100,
    "cache_creation_tokens": 30,
}


def heard(*records: object, sender: Sender = SENDER, **resource: object) -> Heard:
    """What a few events of one resource say."""
    named = {name.replace("__", "."): value for name, value in resource.items()}
    return hear(LOGS, logs(*records, resource=named), sender)


def request(**said: object) -> Observation:
    """What one ``api_request`` says."""
    found = heard(record("api_request", **{**COUNTS, **said}))
    assert found.findings == {}
    [seen] = found.observations
    return seen


def test_a_request_tells_who_asked_what_and_what_it_cost() -> None:
    seen = request(
        session__id="s",
        model="claude-opus-5-5",
        request_id=REQUEST_ID,
        cache_creation_5m_tokens=10,
        cache_creation_1h_tokens=20,
        cost_usd_micros=12_300,
        duration_ms="250",
        speed="normal",
        query_source="agent:builtin:Explore",
        agent__name="Explore",
        skill__name="review",
        user__id="u",
        user__email="e",
        user__account_id="a",
        anthropic__provider="bedrock",
    )

    assert seen.parts[0].model == "claude-opus-5-5"
    assert seen.parts[0].usage == {
        "uncached_input_tokens": 3,
        "cache_read_input_tokens": 100,
        "cache_write_5m_tokens": 10,
        "cache_write_1h_tokens": 20,
        "output_tokens": 7,
    }
    assert (seen.evidence, seen.lesser) == (Evidence.REPORTED, None)
    assert seen.stated_cost == 12_300_000_000
    assert (seen.request_id, seen.session, seen.at) == (REQUEST_ID, "s", AT)
    assert (seen.conditions.speed, seen.conditions.platform) == ("standard", "bedrock")
    assert (seen.agent, seen.skill, seen.sidechain) == ("Explore", "review", True)
    assert (seen.app, seen.user, seen.latency_ms) == ("claude_code", "a", 250)
    assert seen.tags == (("query_source", "agent:builtin:Explore"),)


@pytest.mark.parametrize(
    ("said", "user"),
    [
        ({"user__id": "u", "user__email": "e"}, "e"),
        ({"user__id": "u"}, "u"),
        ({}, None),
    ],
)
def test_a_user_is_known_by_the_best_name_there_is(
    said: dict[str, object], user: str | None
) -> None:
    assert request(**said).user == user


def test_writes_without_a_split_give_way_to_a_source_that_splits_them() -> None:
    seen = request()

    assert seen.parts[0].usage["cache_write_5m_tokens"] == 30
    assert "cache_write_1h_tokens" not in seen.parts[0].usage
    assert seen.lesser == {"cache_write_5m_tokens": Evidence.ESTIMATED}


def test_writes_beyond_the_split_were_for_five_minutes() -> None:
    usage = request(cache_creation_5m_tokens=5, cache_creation_1h_tokens=20).parts[0]

    assert usage.usage["cache_write_5m_tokens"] == 10


def test_counts_of_zeros_are_no_counts() -> None:
    zeros = dict.fromkeys(COUNTS, 0)

    assert request(**zeros).parts == (Part("", {}),)
    assert request(**zeros).evidence == Evidence.MISSING


@pytest.mark.parametrize(
    ("said", "cost"),
    [
        ({"cost_usd": 0.25}, 250_000_000_000),
        ({"cost_usd": 1}, 10**12),
        ({"cost_usd": True}, None),
        ({"cost_usd": "NaN"}, None),
        ({"cost_usd_micros": -1}, None),
        ({}, None),
    ],
)
def test_a_cost_is_a_check_when_it_is_one(
    said: dict[str, object], cost: int | None
) -> None:
    assert request(**said).stated_cost == cost


@pytest.mark.parametrize("value", [-1, 1.5, "many", 2**62, True])
def test_a_count_that_is_none_refuses_its_event_alone(value: object) -> None:
    good = record("api_request", **COUNTS)
    bad = record("api_request", **{**COUNTS, "output_tokens": value})
    found = heard(bad, good)

    assert (found.refused, len(found.observations)) == (1, 1)
    assert found.reason.startswith("refused: api_request: output_tokens is no count")


def test_ids_that_others_could_choose_are_kept_apart_by_project() -> None:
    other = "chatcmpl-1"
    uuid = "3f2a0f9c-2e7d-4c1b-9a56-0c7e6b1f2d3e"
    given = [
        heard(record("api_request", **COUNTS, request_id=name), project="shop")
        .observations[0]
        .request_id
        for name in (REQUEST_ID, uuid, other)
    ]

    assert given == [REQUEST_ID, uuid, f"shop:{other}"]


def test_without_an_id_the_process_and_the_moment_name_an_event() -> None:
    def id_of(**said: object) -> str | None:
        return request(session__id="s", event__sequence=5, **said).request_id

    later = "2026-11-23T03:58:59.500+00:00"

    assert id_of() == id_of()
    assert id_of() != id_of(event__timestamp=later)
    assert id_of() == f":s/5/{AT}"


def test_an_event_of_no_session_is_known_by_all_it_says() -> None:
    one, same, other = (request(user__id=name).request_id for name in ("a", "a", "b"))

    assert one == same
    assert one != other


def test_the_event_s_own_time_is_better_than_the_record_s() -> None:
    moment = "2026-11-23T03:58:59.500Z"

    assert request(event__timestamp=moment).at == 1_795_406_339_500
    assert request(event__timestamp="2026-11-23T03:58:59").at == AT
    assert request(event__timestamp="yesterday").at == AT


@pytest.mark.parametrize(
    "nanos",
    ["0", None, "later", -5, str((NOW + 700_000) * 10**6), str(10**15)],
)
def test_an_event_without_a_usable_time_is_refused_aloud(nanos: object) -> None:
    found = heard(record("api_request", nanos=nanos, **COUNTS))

    assert (found.refused, found.observations) == (1, [])
    assert "time" in found.reason or "shape" in found.reason


def test_an_error_tells_why_there_was_no_answer_and_nothing_else() -> None:
    found = heard(
        record("api_error", status_code=429, error="SECRET", request_id=REQUEST_ID),
        record("api_error", error="SECRET"),
        record("api_retries_exhausted", error="SECRET", status_code=429),
    )

    assert [seen.failure for seen in found.observations] == ["429", "connection"]
    assert [seen.evidence for seen in found.observations] == [Evidence.MISSING] * 2
    assert found.observations[0].request_id == REQUEST_ID
    assert "SECRET" not in repr(found.observations)


def test_a_refusal_marks_its_request_and_never_stands_alone() -> None:
    found = heard(
        record("api_refusal", request_id=REQUEST_ID, category="x"),
        record("api_refusal"),
    )
    [seen] = found.observations

    assert seen.tags == (("outcome", "refusal"),)
    assert seen.parts[0].usage == {}


BODY = {
    "id": MESSAGE_ID,
    "model": "claude-opus-5-5",
    "stop_reason": "end_turn",
    "content": [{"type": "text", "text": "SECRET"}],
    "usage": {"input_tokens": 3, "output_tokens": 7, "service_tier": "standard"},
}


def test_a_whole_body_gives_its_usage_and_no_word_of_its_content() -> None:
    body = json.dumps(BODY)
    [seen] = heard(
        record("api_response_body", body=body, request_id=REQUEST_ID)
    ).observations

    assert (seen.message_id, seen.request_id) == (MESSAGE_ID, REQUEST_ID)
    assert seen.parts[0].model == "claude-opus-5-5"
    assert seen.parts[0].usage["output_tokens"] == 7
    assert (seen.evidence, seen.conditions.service_tier) == (4, "standard")
    assert "SECRET" not in repr(seen)


@pytest.mark.parametrize("body", ["{cut", "", None, "[]", 7])
def test_a_body_that_is_cut_still_joins_the_ids(body: object) -> None:
    said = {"message__id": MESSAGE_ID, "request_id": REQUEST_ID}
    [seen] = heard(record("api_response_body", body=body, **said)).observations

    assert (seen.message_id, seen.request_id) == (MESSAGE_ID, REQUEST_ID)
    assert (seen.parts[0].usage, seen.evidence) == ({}, Evidence.MISSING)


@pytest.mark.parametrize("message_id", [None, "msg_1"])
def test_a_body_without_the_provider_s_message_id_says_nothing(
    message_id: object,
) -> None:
    found = heard(record("api_response_body", message__id=message_id))

    assert found.observations == []


def test_an_unknown_event_is_named_once_and_not_for_ever() -> None:
    found = heard(*[record("new_thing")] * 3)
    many = heard(*[record(f"new_{n}") for n in range(100)])

    assert [(each.code, times) for each, times in found.findings.items()] == [
        ("otlp-unknown", 3)
    ]
    assert len(many.findings) == 16
    assert found.refused == 0


def test_events_of_other_programs_are_not_looked_at() -> None:
    other = {"timeUnixNano": 1, "eventName": "checkout", "attributes": []}
    named = {**record("api_request", **COUNTS), "eventName": "", "body": None}
    ours = {**named, "eventName": "claude_code.api_request"}

    found = hear(LOGS, logs(other, named, ours, scope="shop"))

    assert len(found.observations) == 1
    assert found.findings == {}


def test_an_event_may_be_named_by_its_attribute_alone() -> None:
    named = {"timeUnixNano": NANOS, "attributes": pairs({"event.name": "api_error"})}

    assert len(hear(LOGS, logs(named)).observations) == 1


def span(name: str = "claude_code.llm_request", /, **said: object) -> dict[str, object]:
    """One of Claude Code's spans."""
    return {
        "name": name,
        "traceId": "0" * 31 + "1",
        "spanId": "0" * 15 + "2",
        "startTimeUnixNano": str(NANOS - 10**9),
        "endTimeUnixNano": str(NANOS),
        "attributes": pairs(said),
    }


SPANS = "com.anthropic.claude_code.tracing"


def test_a_span_and_its_event_are_one_request() -> None:
    body = traces(
        span(**COUNTS, request_id=REQUEST_ID),
        span("claude_code.tool"),
        scope=SPANS,
    )
    [seen] = hear(TRACES, body).observations

    assert seen.request_id == REQUEST_ID
    assert seen.parts[0].usage["output_tokens"] == 7


def test_a_span_of_a_failed_request_has_no_counts() -> None:
    [seen] = hear(TRACES, traces(span(success=False), scope=SPANS)).observations

    assert (seen.failure, seen.parts[0].usage) == ("connection", {})
    assert seen.request_id == f":{'0' * 31}1/{'0' * 15}2"
