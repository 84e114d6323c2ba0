"""OTLP in protobuf, through the classes that OpenTelemetry publishes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import TypeVar

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from tollbook.formats.otlp import (
    Attributes,
    BadBytesError,
    Group,
    LogRecord,
    Point,
    Span,
    Value,
    attributes_of,
)
from tollbook.formats.otlp_wire import ITEMS, POINTS, Path, check

M = TypeVar("M", bound=Message)
_DELTA = metrics_pb2.AGGREGATION_TEMPORALITY_DELTA
_CUMULATIVE = metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE


def logs(body: bytes) -> list[Group[LogRecord]]:
    """The log records of an export request.

    Raises:
        BadBytesError: It is none.
        TooManyError: It holds more than is taken at once.
    """
    return [
        Group(
            _attributes(each.resource.attributes),
            scoped.scope.name,
            [_log(one) for one in scoped.log_records],
        )
        for each in _read(ExportLogsServiceRequest(), body, ITEMS).resource_logs
        for scoped in each.scope_logs
    ]


def spans(body: bytes) -> list[Group[Span]]:
    """The spans of an export request.

    Raises:
        BadBytesError: It is none.
        TooManyError: It holds more than is taken at once.
    """
    return [
        Group(
            _attributes(each.resource.attributes),
            scoped.scope.name,
            [_span(one) for one in scoped.spans],
        )
        for each in _read(ExportTraceServiceRequest(), body, ITEMS).resource_spans
        for scoped in each.scope_spans
    ]


def points(body: bytes) -> list[Group[Point]]:
    """The points of an export request's sums and histograms.

    Raises:
        BadBytesError: It is none.
        TooManyError: It holds more than is taken at once.
    """
    return [
        Group(
            _attributes(each.resource.attributes),
            scoped.scope.name,
            [point for metric in scoped.metrics for point in _points(metric)],
        )
        for each in _read(ExportMetricsServiceRequest(), body, POINTS).resource_metrics
        for scoped in each.scope_metrics
    ]


def _read(message: M, body: bytes, path: Path) -> M:
    check(body, path)
    try:
        message.ParseFromString(body)
    except DecodeError as error:
        msg = "the body is not an OTLP export request in protobuf"
        raise BadBytesError(msg) from error
    return message


def _attributes(pairs: Iterable[KeyValue]) -> Attributes:
    return attributes_of((pair.key, _plain(pair.value)) for pair in pairs)


def _plain(value: AnyValue) -> Value | None:
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "int_value":
            return value.int_value
        case "bool_value":
            return value.bool_value
        case "double_value":
            return Decimal(repr(value.double_value))
        case _:
            return None


def _log(one: logs_pb2.LogRecord) -> LogRecord:
    return LogRecord(
        one.time_unix_nano or one.observed_time_unix_nano,
        one.event_name,
        one.body.string_value,
        _attributes(one.attributes),
    )


def _span(one: trace_pb2.Span) -> Span:
    return Span(
        one.trace_id.hex(),
        one.span_id.hex(),
        one.parent_span_id.hex(),
        one.name,
        one.kind == trace_pb2.Span.SPAN_KIND_CLIENT,
        one.start_time_unix_nano,
        one.end_time_unix_nano,
        one.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
        _attributes(one.attributes),
    )


def _points(metric: metrics_pb2.Metric) -> Iterator[Point]:
    name = metric.name
    for number in metric.sum.data_points:
        delta = _delta(metric.sum.aggregation_temporality)
        yield _point(name, delta, number, _number(number))
    for one in metric.histogram.data_points:
        delta = _delta(metric.histogram.aggregation_temporality)
        yield _point(name, delta, one, _sum(one))
    for other in metric.exponential_histogram.data_points:
        delta = _delta(metric.exponential_histogram.aggregation_temporality)
        yield _point(name, delta, other, _sum(other))


def _point(
    name: str,
    delta: bool | None,  # noqa: FBT001  # three-valued, as in ``Point``
    one: metrics_pb2.NumberDataPoint
    | metrics_pb2.HistogramDataPoint
    | metrics_pb2.ExponentialHistogramDataPoint,
    value: int | Decimal | None,
) -> Point:
    return Point(
        name,
        delta,
        one.start_time_unix_nano,
        one.time_unix_nano,
        value,
        _attributes(one.attributes),
    )


def _delta(temporality: metrics_pb2.AggregationTemporality.ValueType) -> bool | None:
    return temporality == _DELTA if temporality in (_DELTA, _CUMULATIVE) else None


def _number(one: metrics_pb2.NumberDataPoint) -> int | Decimal | None:
    match one.WhichOneof("value"):
        case "as_int":
            return one.as_int
        case "as_double":
            return Decimal(repr(one.as_double))
        case _:
            return None


def _sum(
    one: metrics_pb2.HistogramDataPoint | metrics_pb2.ExponentialHistogramDataPoint,
) -> Decimal | None:
    return Decimal(repr(one.sum)) if one.HasField("sum") else None
