"""Records to observations: what counts, what is kept, what is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tollbook.core.observation import Evidence, Observation, Part
from tollbook.formats.cloudevents import CloudEvent, name_by_headers, record_of
from tollbook.formats.ingest import Given, observe
from tollbook.formats.ingest_body import (
    FILED_RECORDS,
    RECORDS,
    UnreadableError,
    read_json,
    read_lines,
)
from tollbook.formats.ingest_record import Record, Refused
from tollbook.formats.ingest_tags import lift
from tollbook.formats.strict_json import lost_nothing, says_twice

NOW = 1_795_500_000_000
GIVEN = Given(now=NOW, nonce="n0")
MESSAGE = "msg_01" + "a" * 22
REQUEST = "req_011" + "b" * 21
ZEROS = {"cache_read_input_tokens": 0, "cache_write_5m_tokens": 0}


def told(**fields: object) -> Observation | Refused:
    record = msgspec.convert({"model": "m"} | fields, Record)
    return observe(record, GIVEN, 1)


def seen(**fields: object) -> Observation:
    outcome = told(**fields)
    assert isinstance(outcome, Observation), outcome
    return outcome


def why(**fields: object) -> str:
    outcome = told(**fields)
    assert isinstance(outcome, Refused), outcome
    return outcome.code


def usage(**fields: object) -> dict[str, int]:
    return seen(**fields).parts[0].usage


def test_input_is_what_was_not_cached() -> None:
    counts = usage(
        input_tokens=10, cache_read_input_tokens=5, cache_creation_input_tokens=3
    )

    assert counts == {
        "uncached_input_tokens": 10,
        "cache_read_input_tokens": 5,
        "cache_write_5m_tokens": 3,
        "cache_write_1h_tokens": 0,
    }


def test_input_that_includes_the_cache_is_freed_of_it() -> None:
    cached = {"cache_read_input_tokens": 5, "input_tokens_include_cache": True}

    assert usage(input_tokens=10, **cached)["uncached_input_tokens"] == 5
    assert usage(**cached) == {"cache_read_input_tokens": 5}
    assert why(input_tokens=4, **cached) == "record-usage"


def test_writes_are_split_by_lifetime() -> None:
    split = {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 2}

    assert usage(cache_creation=split, cache_creation_input_tokens=7) == {
        "cache_write_5m_tokens": 5,
        "cache_write_1h_tokens": 2,
    }
    assert usage(cache_creation_input_tokens=0) == {
        "cache_write_5m_tokens": 0,
        "cache_write_1h_tokens": 0,
    }


def test_our_own_names_say_the_same_and_may_not_differ() -> None:
    assert usage(input_tokens=1, uncached_input_tokens=1, web_search_requests=2) == {
        "uncached_input_tokens": 1,
        "web_search_requests": 2,
    }
    assert why(input_tokens=1, uncached_input_tokens=2) == "record-usage"


def test_a_whole_usage_object_is_billed_by_its_iterations() -> None:
    step = {"input_tokens": 5, "output_tokens": 1}
    whole = step | {
        "iterations": [step | {"type": "compaction"}, step | {"type": "message"}],
        "server_tool_use": {"web_search_requests": 1},
        "service_tier": "batch",
        "speed": "fast",
        "inference_geo": "us",
    }
    found = seen(usage=whole)

    assert [part.kind for part in found.parts] == ["compaction", "message"]
    assert found.parts[1].usage["web_search_requests"] == 1
    assert found.conditions.service_tier == "batch"
    assert why(usage=whole, output_tokens=1) == "record-usage"
    assert why(usage=step | {"iterations": [step] * 201}) == "record-usage"
    bad = step | {"type": "compaction", "model": "\x1b"}
    assert why(usage=step | {"iterations": [bad, step]}) == "record-text"
    assert why(usage=step | {"speed": "\n"}) == "record-text"


def test_counters_of_tools_keep_their_names() -> None:
    assert usage(server_tool_use={"web_search_requests": 1, "shiny": 2, "x": 0}) == {
        "web_search_requests": 1,
        "shiny": 2,
    }
    assert why(server_tool_use={"shiny": 1.5}) == "record-shape"
    assert why(server_tool_use={"a b": 1}) == "record-shape"
    assert why(server_tool_use={f"t{n}": 1 for n in range(40)}) == "record-shape"


def test_a_record_without_counts_is_a_response_whose_usage_is_missing() -> None:
    found = seen(status=429, error={"type": "rate_limit_error", "message": "secret"})

    assert (found.parts, found.evidence) == ((Part("m", {}),), Evidence.MISSING)
    assert found.failure == "429"


@pytest.mark.parametrize(
    ("fields", "failure"),
    [
        ({"status": 200}, None),
        ({"status": "ok"}, None),
        ({"status": "204"}, None),
        ({"status": "529"}, "529"),
        ({"status": "timeout"}, "timeout"),
        ({"status": "you said: …"}, "error"),
        ({"error": "connection"}, "connection"),
        ({"error": "your prompt (…) was too long"}, "error"),
        ({"error": {"message": "secret"}}, "error"),
        ({"error": {"type": "api_error"}, "status": "error"}, "api_error"),
    ],
)
def test_a_failure_is_a_status_or_a_type_and_never_a_text(
    fields: dict[str, Any], failure: str | None
) -> None:
    assert seen(**fields).failure == failure


def test_evidence_is_as_good_as_the_sender_says() -> None:
    assert seen(output_tokens=1).evidence == Evidence.REPORTED
    assert seen(output_tokens=1, evidence="estimated").evidence == Evidence.ESTIMATED
    partial = seen(output_tokens=1, evidence="partial")
    assert partial.lesser == {"output_tokens": Evidence.PARTIAL}
    assert why(output_tokens=1, evidence="sworn") == "record-shape"


@pytest.mark.parametrize(
    ("fields", "ids"),
    [
        ({"id": MESSAGE}, (MESSAGE, None)),
        ({"message_id": MESSAGE, "id": "a"}, (MESSAGE, "shop:a")),
        ({"request_id": REQUEST, "id": "a"}, (None, REQUEST)),
        ({"message_id": "chat-1", "request_id": "r-1"}, (None, "shop:r-1")),
        ({"idempotency_key": "k", "id": "a"}, (None, "shop:k")),
        ({}, (None, "shop:n0/1")),
    ],
)
def test_the_providers_ids_are_taken_as_they_are_and_others_hold_in_their_project(
    fields: dict[str, str], ids: tuple[str | None, str | None]
) -> None:
    found = seen(project_id="shop", **fields)

    assert (found.message_id, found.request_id) == ids


def test_what_has_a_time_and_no_id_is_known_by_what_it_says() -> None:
    at = {"timestamp": "2026-11-23T10:00:00Z"}
    one, same = seen(output_tokens=1, **at), seen(output_tokens=1, **at)

    assert one.request_id == same.request_id
    assert one.request_id != seen(output_tokens=2, **at).request_id


def test_what_is_known_by_what_it_says_is_known_by_its_tools_too() -> None:
    when = "2026-11-24T02:00:00Z"
    one, two = (
        seen(
            timestamp=when,
            usage={
                "input_tokens": 5,
                "server_tool_use": {"web_search_requests": count},
            },
        )
        for count in (1, 2)
    )

    assert one.request_id != two.request_id


def test_names_that_could_steer_a_terminal_are_refused() -> None:
    assert why(session_id="\x1b[2J") == "record-text"
    assert why(id="\x07") == "record-text"
    assert why(tools=["\n"]) == "record-text"
    assert why(project_id="\u202eshop") == "record-project"
    assert seen(user="\u202ex").user == "\u202ex"  # shown escaped, wherever it is shown


def test_a_cost_is_held_exactly_beside_our_own() -> None:
    assert seen(cost_usd="0.000000000001").stated_cost == 1
    assert why(cost_usd="NaN") == "record-cost"
    assert why(cost_usd=-1) == "record-cost"
    assert seen(latency_ms=12.7).latency_ms == 12
    assert why(latency_ms=-1) == "record-shape"


@pytest.mark.parametrize(
    "text",
    ["2026-11-23", "2026-02-30T10:00:00Z", "20261123T100000Z", "2026-11-23T10:00:00"],
)
def test_a_time_that_is_none_is_refused(text: str) -> None:
    assert why(timestamp=text) == "record-time"


def test_a_leap_second_is_the_second_after_it() -> None:
    assert (
        seen(timestamp="2026-06-30T23:59:60Z").at
        == seen(timestamp="2026-07-01T02:00:00+02:00").at
    )


def test_of_metadata_names_are_kept_and_never_what_was_said() -> None:
    found = seen(
        metadata={
            "source": "claude_code",
            "user_id": 7,
            "sessionId": "s",
            "prompt_id": "p1",
            "user_prompt": "secret",
            "toolInput": "secret",
            "llm.prompts.0.content": "secret",
            "apiKey": "secret",
            "note": "sk-ant-secret",
            "nested": {"a": "secret"},
            "long": "x" * 201,
            "cached": True,
            "ratio": 1.5,
            "": "x",
            "nothing": None,
            "host": "",
        },
        tags={"team": "pay", "prompt": "secret"},
    )

    assert (found.app, found.user) == ("claude_code", "7")
    assert found.tags == (
        ("cached", "true"),
        ("prompt_id", "p1"),
        ("ratio", "1.5"),
        ("sessionId", "s"),
        ("team", "pay"),
    )
    assert b"secret" not in msgspec.json.encode(found)
    assert len(seen(tags={f"t{n}": n for n in range(50)}).tags) == 32


def test_what_a_record_says_itself_comes_before_its_metadata() -> None:
    assert seen(user="ada", metadata={"user_id": "bob"}).user == "ada"
    assert lift({"source": "a", "app": "b"})[0] == {"app": "a"}


names = st.text(st.sampled_from('ab:"\\\u00e9/'), max_size=3)
plain = st.recursive(
    st.none() | st.integers() | names,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3)
    ),
    max_leaves=8,
)


@given(plain, st.sampled_from([0, 2]))
def test_text_with_every_name_once_says_nothing_twice(
    value: object, indent: int
) -> None:
    text = msgspec.json.encode(value)
    if indent:
        text = msgspec.json.format(text, indent=indent)

    assert not says_twice(text)


@given(st.dictionaries(names, plain, min_size=1, max_size=3), plain)
def test_a_name_given_twice_is_always_found(
    value: dict[str, Any], again: object
) -> None:
    text = msgspec.json.encode(value)
    name = msgspec.json.encode(next(iter(value)))
    twice = b"{%s:%s,%s" % (name, msgspec.json.encode(again), text[1:])

    assert says_twice(twice)


def test_a_colon_in_disguise_hides_nothing() -> None:
    assert says_twice(b'{"a":1,"a":"\\u003a"}')
    assert not says_twice(b'{"a":"\\u003A","b":"\\\\u003a"}')
    assert lost_nothing(b'{"a":1}', b'{"a":1}')


@settings(max_examples=50)
@given(st.binary(max_size=200))
def test_no_bytes_stop_a_run(body: bytes) -> None:
    read = read_lines(body, RECORDS)
    assert len(read.items) == len(read.numbers)
    try:
        read_json(body, FILED_RECORDS)
    except UnreadableError as error:
        assert error.code  # noqa: PT017  # any refusal will do


def test_an_envelope_given_twice_is_refused() -> None:
    with pytest.raises(UnreadableError, match="twice"):
        read_json(b'{"events":[],"events":[]}', RECORDS)
    read = read_json(b' {"events":[{"model":"m","x":1,"x":2}],"by":1}', RECORDS)
    assert isinstance(read.items[0], Refused)


def test_a_record_has_few_unknown_fields() -> None:
    many = {"model": "m"} | {f"k{n}": n for n in range(65)}
    read = read_json(msgspec.json.encode([many, {"model": "m", "x" * 65: 1}]), RECORDS)

    assert isinstance(read.items[0], Refused)
    assert isinstance(read.items[1], Record)
    assert read.ignored == []


def test_what_an_event_says_itself_comes_before_its_envelope() -> None:
    data = {"model": "m", "id": "own", "timestamp": "2026-11-23T10:00:00Z"}
    event = CloudEvent(
        specversion="1.0",
        id="1",
        source="/",
        type="t",
        time="2026-11-01T10:00:00Z",
        data=msgspec.convert(data, Record),
    )
    record = record_of(event)

    assert (record.id, record.timestamp) == ("own", "2026-11-23T10:00:00Z")


def test_the_headers_of_an_event_say_nothing_of_a_record_that_is_none() -> None:
    read = read_json(b"{}", RECORDS)
    head = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/", "ce-type": "t"}

    name_by_headers(read, head)

    assert isinstance(read.items[0], Refused)


def test_tools_are_named_once_and_in_order() -> None:
    assert seen(tools=["b", "a", "b", ""]).tools == ("a", "b")
