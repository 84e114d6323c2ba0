"""OTLP in JSON.

The mapping is protobuf's, with two exceptions that real exporters make use of: 64-bit
numbers come as texts or as numbers, and ids are hex. Names of enums may stand for their
numbers. Fields we do not know are skipped. Each item is decoded on its own, so that one
with a wrong shape does not take its neighbours along::

    {"resourceLogs": [{"resource": {"attributes": [
        {"key": "service.name", "value": {"stringValue": "claude-code"}}]},
      "scopeLogs": [{"scope": {"name": "com.anthropic.claude_code.events"},
        "logRecords": [{"timeUnixNano": "1795317835869000000",
          "body": {"stringValue": "claude_code.api_request"}, "attributes": […]}]}]}]}
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import TypeVar

import msgspec

from tollbook.formats.otlp import (
    ITEMS_MAX,
    Attributes,
    BadBytesError,
    Group,
    LogRecord,
    Point,
    Span,
    TooManyError,
    UnusableItemError,
    Value,
    attributes_of,
    whole,
)

T = TypeVar("T")
Number = int | str | None
_DAMAGED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
OBJECTS_MAX = 1_000_000
"""How many braces may open in a request: real ones hold one in twenty-five bytes."""

_INT64 = 2**63
_CLIENT = (3, "SPAN_KIND_CLIENT")
_ERROR = (2, "STATUS_CODE_ERROR")
_DELTA = (1, "AGGREGATION_TEMPORALITY_DELTA")
_CUMULATIVE = (2, "AGGREGATION_TEMPORALITY_CUMULATIVE")


class _Wire(msgspec.Struct, rename="camel", gc=False):
    """Fields in the wire's spelling."""


class _Any(_Wire):
    string_value: str | None = None
    int_value: Number = None
    bool_value: bool | None = None
    double_value: Decimal | None = None


class _Pair(_Wire):
    key: str = ""
    value: _Any | None = None


class _Attributed(_Wire):
    attributes: list[_Pair] | None = None


class _Named(_Wire):
    name: str = ""


class _Scoped(_Wire):
    scope: _Named | None = None
    log_records: list[msgspec.Raw] | None = None
    spans: list[msgspec.Raw] | None = None
    metrics: list[msgspec.Raw] | None = None


class _Resourced(_Wire):
    resource: _Attributed | None = None
    scope_logs: list[_Scoped] | None = None
    scope_spans: list[_Scoped] | None = None
    scope_metrics: list[_Scoped] | None = None


class _Export(_Wire):
    resource_logs: list[_Resourced] | None = None
    resource_spans: list[_Resourced] | None = None
    resource_metrics: list[_Resourced] | None = None


class _LogRecord(_Attributed):
    time_unix_nano: Number = None
    observed_time_unix_nano: Number = None
    event_name: str = ""
    body: _Any | None = None


class _Status(_Wire):
    code: int | str | None = None


class _Span(_Attributed):
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    name: str = ""
    kind: int | str | None = None
    start_time_unix_nano: Number = None
    end_time_unix_nano: Number = None
    status: _Status | None = None


class _Point(_Attributed):
    start_time_unix_nano: Number = None
    time_unix_nano: Number = None
    as_int: Number = None
    as_double: Decimal | None = None
    sum: Decimal | None = None


class _Aggregate(_Wire):
    data_points: list[msgspec.Raw] | None = None
    aggregation_temporality: int | str | None = None


class _Metric(_Wire):
    name: str = ""
    sum: _Aggregate | None = None
    histogram: _Aggregate | None = None
    exponential_histogram: _Aggregate | None = None


_decode_export = msgspec.json.Decoder(_Export).decode
_decode_log = msgspec.json.Decoder(_LogRecord).decode
_decode_span = msgspec.json.Decoder(_Span).decode
_decode_metric = msgspec.json.Decoder(_Metric).decode
_decode_point = msgspec.json.Decoder(_Point).decode


def logs(body: bytes) -> list[Group[LogRecord]]:
    """The log records of an export request.

    Raises:
        BadBytesError: It is none.
        TooManyError: It holds more than is taken at once.
    """
    found = [
        (each, scoped)
        for each in _export(body).resource_logs or ()
        for scoped in each.scope_logs or ()
    ]
    _bound(scoped.log_records for _, scoped in found)
    return [_group(each, s, s.log_records, _log) for each, s in found]


def spans(body: bytes) -> list[Group[Span]]:
    """The spans of an export request.

    Raises:
        BadBytesError: It is none.
        TooManyError: It holds more than is taken at once.
    """
    found = [
        (each, scoped)
        for each in _export(body).resource_spans or ()
        for scoped in each.scope_spans or ()
    ]
    _bound(scoped.spans for _, scoped in found)
    return [_group(each, s, s.spans, _span) for each, s in found]


def points(body: bytes) -> list[Group[Point]]:
    """The points of an export request's sums and histograms.

    Raises:
        BadBytesError: It is none.
        TooManyError: It holds more than is taken at once.
    """
    found = [
        (each, scoped)
        for each in _export(body).resource_metrics or ()
        for scoped in each.scope_metrics or ()
    ]
    _bound(scoped.metrics for _, scoped in found)
    return [_points(each, scoped) for each, scoped in found]


def _export(body: bytes) -> _Export:
    if body.count(b"{") > OBJECTS_MAX:
        raise TooManyError
    try:
        return _decode_export(body)
    except _DAMAGED as error:
        msg = "the body is not an OTLP export request in JSON"
        raise BadBytesError(msg) from error


def _bound(found: Iterable[Sequence[msgspec.Raw] | None]) -> None:
    if sum(len(items or ()) for items in found) > ITEMS_MAX:
        raise TooManyError


def _group(
    each: _Resourced,
    scoped: _Scoped,
    raw: Sequence[msgspec.Raw] | None,
    read: Callable[[msgspec.Raw], T],
) -> Group[T]:
    items: list[T] = []
    broken = 0
    for one in raw or ():
        try:
            items.append(read(one))
        except (*_DAMAGED, UnusableItemError):
            broken += 1
    resource = {} if each.resource is None else _attributes(each.resource)
    return Group(resource, scoped.scope.name if scoped.scope else "", items, broken)


def _attributes(owner: _Attributed) -> Attributes:
    return attributes_of(
        (pair.key, None if pair.value is None else _plain(pair.value))
        for pair in owner.attributes or ()
    )


def _plain(value: _Any) -> Value | None:
    if value.string_value is not None:
        return value.string_value
    if value.int_value is not None:
        return _int64(value.int_value)
    return value.double_value if value.bool_value is None else value.bool_value


def _int64(value: int | str) -> int:
    found = whole(value)
    if found is None or not -_INT64 <= found < _INT64:
        msg = "a number is none, or does not fit into 64 bits"
        raise UnusableItemError(msg)
    return found


def _nanos(value: Number) -> int:
    found = 0 if value is None else _int64(value)
    if found < 0:
        msg = "a time is below zero"
        raise UnusableItemError(msg)
    return found


def _log(raw: msgspec.Raw) -> LogRecord:
    one = _decode_log(raw)
    at = _nanos(one.time_unix_nano) or _nanos(one.observed_time_unix_nano)
    body = one.body.string_value if one.body is not None else None
    return LogRecord(at, one.event_name, body or "", _attributes(one))


def _span(raw: msgspec.Raw) -> Span:
    one = _decode_span(raw)
    return Span(
        one.trace_id.lower(),
        one.span_id.lower(),
        one.parent_span_id.lower(),
        one.name,
        one.kind in _CLIENT,
        _nanos(one.start_time_unix_nano),
        _nanos(one.end_time_unix_nano),
        one.status is not None and one.status.code in _ERROR,
        _attributes(one),
    )


def _points(each: _Resourced, scoped: _Scoped) -> Group[Point]:
    found = _group(each, scoped, scoped.metrics, _decode_metric)
    items: list[Point] = []
    broken = found.broken
    for metric in found.items:
        for aggregate in _aggregates(metric):
            if len(items) + len(aggregate.data_points or ()) > ITEMS_MAX:
                raise TooManyError
            for raw in aggregate.data_points or ():
                try:
                    items.append(_point(metric.name, aggregate, raw))
                except (*_DAMAGED, UnusableItemError):
                    broken += 1
    return Group(found.resource, found.scope, items, broken)


def _aggregates(metric: _Metric) -> Iterator[_Aggregate]:
    for one in (metric.sum, metric.histogram, metric.exponential_histogram):
        if one is not None:
            yield one


def _point(name: str, aggregate: _Aggregate, raw: msgspec.Raw) -> Point:
    one = _decode_point(raw)
    temporality = aggregate.aggregation_temporality
    known = temporality in _DELTA or temporality in _CUMULATIVE
    number = None if one.as_int is None else _int64(one.as_int)
    fraction = one.as_double if one.as_double is not None else one.sum
    return Point(
        name,
        temporality in _DELTA if known else None,
        _nanos(one.start_time_unix_nano),
        _nanos(one.time_unix_nano),
        number if number is not None else fraction,
        _attributes(one),
    )
