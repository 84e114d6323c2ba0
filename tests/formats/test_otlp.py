"""``tollbook.formats.otlp_json`` and ``tollbook.formats.otlp_protobuf``.

Two encodings of one thing, and much that is neither.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from google.protobuf.json_format import Parse
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

from otlp_requests import (
    NANOS,
    SENDER,
    hear,
    logs,
    metrics,
    pairs,
    record,
    traces,
)
from tollbook.formats.otlp import (
    BadBytesError,
    TooManyError,
    attributes_of,
    count,
    duration,
    text,
)
from tollbook.formats.otlp_sender import Heard, Sender
from tollbook.formats.otlp_signals import (
    LOGS,
    METRICS,
    SIGNALS,
    TRACES,
    Encoding,
    Signal,
    answer,
    retry_info,
    status,
)

OTLP = Path(__file__).parents[1] / "golden" / "otlp"
NAMES = [signal.path.rpartition("/")[2] for signal in SIGNALS]
MESSAGES: dict[str, Callable[[], Message]] = {
    LOGS.path: ExportLogsServiceRequest,
    METRICS.path: ExportMetricsServiceRequest,
    TRACES.path: ExportTraceServiceRequest,
}
COUNTS = {"input_tokens": 3, "output_tokens": 7}
every_signal = pytest.mark.parametrize("signal", SIGNALS, ids=NAMES)
every_encoding = pytest.mark.parametrize("encoding", list(Encoding))


def said(found: Heard) -> object:
    """All that was heard. Series are left out: doubles are hashed as they are written."""
    statements = [msgspec.structs.replace(s, series="") for s in found.statements]
    return found.observations, statements, found.findings, found.refused


@every_signal
@pytest.mark.parametrize("case", ["2.1.330/subagent", "2.1.197/otlp_traces"])
def test_both_encodings_of_a_request_say_the_same(signal: Signal, case: str) -> None:
    name = signal.path.rpartition("/")[2]
    for path in (OTLP / case).glob(f"*_{name}.json"):
        body = path.read_bytes()
        plain = signal.hear(body, Encoding.JSON, SENDER)
        message = MESSAGES[signal.path]()
        wire = _hex_ids_as_base64(msgspec.json.decode(body))
        packed = Parse(msgspec.json.encode(wire), message).SerializeToString()

        assert said(signal.hear(packed, Encoding.PROTOBUF, SENDER)) == said(plain)


@pytest.mark.parametrize("shape", ["sum", "histogram", "exponentialHistogram"])
def test_every_kind_of_sum_is_read_in_both_encodings(shape: str) -> None:
    times = {"startTimeUnixNano": str(NANOS - 1), "timeUnixNano": str(NANOS)}
    named = {"attributes": pairs({"type": "input", "share": 0.5})}
    values = [{"asInt": "3"}, {"asDouble": 3.0}] if shape == "sum" else [{"sum": 3.0}]
    found = [{**times, **named, **value} for value in (*values, {})]
    aggregate = {"dataPoints": found, "aggregationTemporality": 2}
    other = {shape: {"dataPoints": [found[0]]}, "name": "claude_code.token.usage"}
    whole = [{"name": "claude_code.token.usage", shape: aggregate}, other]
    body = metrics(*whole)
    message = Parse(body, ExportMetricsServiceRequest())
    plain = METRICS.hear(body, Encoding.JSON, SENDER)
    packed = METRICS.hear(message.SerializeToString(), Encoding.PROTOBUF, SENDER)

    assert said(packed) == said(plain)
    assert [line.models[0].usage for line in plain.statements] == [
        {"uncached_input_tokens": 3}
    ] * len(values)
    assert plain.refused == 2


def test_a_point_with_another_shape_leaves_its_neighbours_alone() -> None:
    good = {"timeUnixNano": NANOS, "asInt": 3, "attributes": pairs({"type": "input"})}
    points = [7, {"timeUnixNano": "soon"}, good]
    data = {"dataPoints": points, "aggregationTemporality": 1}
    heard = hear(METRICS, metrics({"name": "claude_code.token.usage", "sum": data}))

    assert (heard.refused, len(heard.statements)) == (2, 1)


def _hex_ids_as_base64(value: object) -> object:
    """Ids as protobuf's own JSON has them, whose readers know no hex."""
    if isinstance(value, list):
        return [_hex_ids_as_base64(each) for each in value]
    if isinstance(value, dict):
        return {
            key: msgspec.to_builtins(bytes.fromhex(each))
            if key in ("traceId", "spanId", "parentSpanId")
            else _hex_ids_as_base64(each)
            for key, each in value.items()
        }
    return value


@every_signal
@every_encoding
@given(body=st.binary(max_size=200))
def test_no_bytes_can_stop_a_receiver(
    signal: Signal, encoding: Encoding, body: bytes
) -> None:
    try:
        heard = signal.hear(body, encoding, SENDER)
    except BadBytesError as error:
        assert "OTLP" in str(error)  # noqa: PT017  # both ways are right
    else:
        assert (heard.observations, heard.statements) == ([], [])


@every_signal
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"resourceLogs": 7, "resourceSpans": 7, "resourceMetrics": 7}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_json_is_told_so(signal: Signal, body: bytes) -> None:
    with pytest.raises(BadBytesError):
        signal.hear(body, Encoding.JSON, SENDER)


@every_signal
def test_what_is_no_protobuf_is_told_so(signal: Signal) -> None:
    with pytest.raises(BadBytesError):
        signal.hear(b"\x0a\xff\xff", Encoding.PROTOBUF, SENDER)


@every_signal
@every_encoding
def test_a_request_of_nothing_says_nothing(signal: Signal, encoding: Encoding) -> None:
    body = b"{}" if encoding is Encoding.JSON else b""
    heard = signal.hear(body, encoding, SENDER)

    assert said(heard) == ([], [], {}, 0)
    assert answer(signal, encoding, heard) == body


@pytest.mark.parametrize("event", ["cacheRead", "__proto__", "__class__", "a.b", ""])
def test_attributes_are_texts_and_nothing_more(event: str) -> None:
    extra: dict[str, object] = {
        event: "x",
        "a": {"kvlistValue": {"values": []}},
        "b": {},
        "c": None,
    }
    one = record("api_request", **COUNTS)
    one["attributes"] += pairs(extra)
    one["attributes"] += [{"key": "d"}, {"value": {}}, {"key": "e", "new": 1}]
    one["unknownField"] = {"deep": [1, 2, 3]}

    assert len(hear(LOGS, logs(one)).observations) == 1


def test_ten_thousand_attributes_are_looked_at_as_far_as_any_client_sends() -> None:
    one = record("api_request", **COUNTS)
    one["attributes"] += pairs({f"n{n}": "x" for n in range(10_000)})
    one["attributes"] += pairs({"model": "late"})
    [seen] = hear(LOGS, logs(one)).observations

    assert seen.parts[0].usage["output_tokens"] == 7
    assert seen.parts[0].model == ""


def test_an_item_with_another_shape_leaves_its_neighbours_alone() -> None:
    good = record("api_request", **COUNTS)
    bad: list[object] = [7, {"attributes": 7}, {"timeUnixNano": []}]
    heard = hear(LOGS, logs(*bad, good))

    assert (heard.refused, len(heard.observations)) == (3, 1)
    assert heard.reason == "refused: an item has another shape than OTLP gives it"


def test_more_items_than_are_taken_at_once_are_refused_in_json_too() -> None:
    points = {"name": "n", "sum": {"dataPoints": [{}] * 20_001}}

    for signal, body in (
        (LOGS, logs(*[{}] * 20_001)),
        (TRACES, traces(*[{}] * 20_001)),
        (METRICS, metrics(*[{}] * 20_001)),
        (METRICS, metrics(points)),
        (LOGS, b"{" * 1_000_001),
    ):
        with pytest.raises(TooManyError):
            signal.hear(body, Encoding.JSON, SENDER)


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30, "9" * 5000, "x", ""])
def test_a_number_beyond_64_bits_refuses_its_item(number: object) -> None:
    moment = "2026-11-23T03:58:59.500Z"
    late = record("api_request", nanos=number, event__timestamp=moment)
    large = record("api_request", **COUNTS, other={"intValue": number})
    point = {"startTimeUnixNano": number, "timeUnixNano": NANOS, "asInt": 1}
    data = {"dataPoints": [point], "aggregationTemporality": 1}

    assert hear(LOGS, logs(late, large)).refused == 2
    assert hear(METRICS, metrics({"name": "n", "sum": data})).refused == 1


def test_resource_and_scope_may_be_missing() -> None:
    body = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record("api_error")]}]}]}

    assert len(hear(LOGS, msgspec.json.encode(body)).observations) == 1


@pytest.mark.parametrize(
    ("project", "projects", "reported"),
    [
        ("shop", None, "shop"),
        (None, None, None),
        (None, ("shop",), "shop"),
        ("shop", ("bank", "shop"), "shop"),
    ],
)
def test_a_project_is_named_by_the_resource_or_by_the_key(
    project: str | None, projects: tuple[str, ...] | None, reported: str | None
) -> None:
    sender = Sender(now=SENDER.now, key="ab12", projects=projects)
    resource = {} if project is None else {"project": project}
    body = logs(record("api_error"), resource=resource)
    [seen] = hear(LOGS, body, sender).observations

    assert (seen.project, seen.key) == (reported, "ab12")


@pytest.mark.parametrize(("project", "word"), [("zoo", "does not"), (None, "several")])
@every_signal
def test_a_project_that_a_key_does_not_serve_is_refused(
    signal: Signal, project: str | None, word: str
) -> None:
    sender = Sender(now=SENDER.now, projects=("bank", "shop"))
    resource = {"attributes": pairs({} if project is None else {"project": project})}
    wire = {
        LOGS.path: {"scopeLogs": [{"logRecords": [record("api_error")]}]},
        TRACES.path: {"scopeSpans": [{"spans": [{"endTimeUnixNano": NANOS}]}]},
        METRICS.path: {
            "scopeMetrics": [{"metrics": [{"name": "n", "sum": {"dataPoints": [{}]}}]}]
        },
    }[signal.path]
    above = f"resource{next(iter(wire)).removeprefix('scope')}"
    body = msgspec.json.encode({above: [{"resource": resource, **wire}]})
    heard = hear(signal, body, sender)

    assert (heard.refused, heard.observations, heard.statements) == (1, [], [])
    assert word in heard.reason


def test_tags_are_what_people_set_themselves() -> None:
    resource: dict[str, object] = {
        "team": "red",
        "cost_center": 4711,
        "beta": True,
        "share": 0.5,
        "deployment.environment.name": "prod",
        "host.name": "laptop",
        "service.name": "shop",
        "process.command_args": "claude -p SECRET",
        "prompt": "SECRET",
        "project_id": "p",
        "empty": "",
        "x" * 65: "long name",
        "long": "x" * 201,
        "list": {"arrayValue": {"values": []}},
    }
    resource |= {f"zz{n:02d}": "x" for n in range(40)}
    [seen] = hear(LOGS, logs(record("api_error"), resource=resource)).observations
    tags = dict(seen.tags)

    assert (seen.project, seen.machine, len(tags)) == ("p", "laptop", 32)
    assert {name: tags[name] for name in tags if not name.startswith("zz")} == {
        "team": "red",
        "cost_center": "4711",
        "beta": "true",
        "share": "0.5",
        "environment": "prod",
    }


@every_signal
def test_an_answer_tells_how_many_items_were_refused(signal: Signal) -> None:
    heard = Heard()
    heard.refuse("why", items=3)
    told = msgspec.json.decode(answer(signal, Encoding.JSON, heard))
    packed = answer(signal, Encoding.PROTOBUF, heard)

    assert told["partialSuccess"][signal.rejected] == "3"
    assert told["partialSuccess"]["errorMessage"] == "refused: why"
    assert b"refused: why" in packed
    assert b"\x08\x03" in packed


def test_a_status_is_google_s_in_both_encodings() -> None:
    long = "x" * 300

    assert status(Encoding.JSON, 3, "no") == b'{"code":3,"message":"no"}'
    assert status(Encoding.PROTOBUF, 3, "no") == b"\x08\x03\x12\x02no"
    assert status(Encoding.PROTOBUF, 3, long).startswith(b"\x08\x03\x12\xac\x02xxx")
    assert b"google.rpc.RetryInfo\x12\x04\x0a\x02\x08\x02" in retry_info(14, "m", 2)


def test_values_are_read_within_bounds() -> None:
    said = attributes_of(
        [("a", "x" * 600), ("b", ""), ("c", Decimal(7)), ("d" * 257, "x"), ("e", None)]
    )

    assert len(text(said, "b", "a") or "") == 512
    assert count(said, "e", "c") == 7
    assert duration({"d": Decimal("12.6")}, "d") == 13
    assert duration({"d": Decimal("NaN")}, "d") is None
    assert set(said) == {"a", "b", "c"}
