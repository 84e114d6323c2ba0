"""The three signals of OTLP: how a request of each is read, and how it is answered.

An answer of 200 may say that some items were refused and why (``partial_success``). Every
other answer is a ``google.rpc.Status``, in the encoding of the request: ``{"code": 3,
"message": "…"}``, or the same two fields in protobuf.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import msgspec
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from tollbook.formats import (
    otlp_claude_code,
    otlp_json,
    otlp_metrics,
    otlp_protobuf,
    otlp_spans,
)
from tollbook.formats.otlp_sender import Heard, Sender

_RETRY_INFO = b"type.googleapis.com/google.rpc.RetryInfo"
REASON_MAX = 500
"""Characters of the reason that an answer gives."""


class Encoding(Enum):
    """How a request and its answer are written, by media type."""

    JSON = "application/json"
    PROTOBUF = "application/x-protobuf"


class Signal(msgspec.Struct, frozen=True):
    """What is different between logs, metrics and traces."""

    path: str  # of the HTTP endpoint
    service: str  # the gRPC service, whose one method is ``Export``
    rejected: str  # the answer's field for how many items were refused
    hear: Callable[[bytes, Encoding, Sender], Heard]
    partial: Callable[[int, str], bytes]  # the answer in protobuf


def _logs(body: bytes, encoding: Encoding, sender: Sender) -> Heard:
    heard = Heard()
    read = otlp_json.logs if encoding is Encoding.JSON else otlp_protobuf.logs
    for group in read(body):
        otlp_claude_code.hear(heard, group, sender)
    return heard


def _metrics(body: bytes, encoding: Encoding, sender: Sender) -> Heard:
    heard = Heard()
    read = otlp_json.points if encoding is Encoding.JSON else otlp_protobuf.points
    for group in read(body):
        otlp_metrics.hear(heard, group, sender)
    return heard


def _traces(body: bytes, encoding: Encoding, sender: Sender) -> Heard:
    heard = Heard()
    read = otlp_json.spans if encoding is Encoding.JSON else otlp_protobuf.spans
    otlp_spans.hear(heard, read(body), sender)
    return heard


def _logs_partial(refused: int, reason: str) -> bytes:
    partial = ExportLogsPartialSuccess(
        rejected_log_records=refused, error_message=reason
    )
    return ExportLogsServiceResponse(partial_success=partial).SerializeToString()


def _metrics_partial(refused: int, reason: str) -> bytes:
    partial = ExportMetricsPartialSuccess(
        rejected_data_points=refused, error_message=reason
    )
    return ExportMetricsServiceResponse(partial_success=partial).SerializeToString()


def _traces_partial(refused: int, reason: str) -> bytes:
    partial = ExportTracePartialSuccess(rejected_spans=refused, error_message=reason)
    return ExportTraceServiceResponse(partial_success=partial).SerializeToString()


_COLLECTOR = "opentelemetry.proto.collector"
LOGS = Signal(
    "/v1/logs",
    f"{_COLLECTOR}.logs.v1.LogsService",
    "rejectedLogRecords",
    _logs,
    _logs_partial,
)
METRICS = Signal(
    "/v1/metrics",
    f"{_COLLECTOR}.metrics.v1.MetricsService",
    "rejectedDataPoints",
    _metrics,
    _metrics_partial,
)
TRACES = Signal(
    "/v1/traces",
    f"{_COLLECTOR}.trace.v1.TraceService",
    "rejectedSpans",
    _traces,
    _traces_partial,
)
SIGNALS = (LOGS, METRICS, TRACES)


def answer(signal: Signal, encoding: Encoding, heard: Heard) -> bytes:
    """What a request is answered with that was taken in, all of it or in part."""
    reason = heard.reason[:REASON_MAX]
    if encoding is Encoding.PROTOBUF:
        return signal.partial(heard.refused, reason) if heard.refused else b""
    if not heard.refused:
        return b"{}"
    partial = {signal.rejected: str(heard.refused), "errorMessage": reason}
    return msgspec.json.encode({"partialSuccess": partial})


def status(encoding: Encoding, code: int, message: str) -> bytes:
    """A ``google.rpc.Status``; ``code`` is one of gRPC's, below 128."""
    if encoding is Encoding.JSON:
        return msgspec.json.encode({"code": code, "message": message})
    return bytes([0x08, code]) + _bytes(2, message.encode())


def retry_info(code: int, message: str, seconds: int) -> bytes:
    """A status in protobuf that holds a ``google.rpc.RetryInfo``: how long to wait."""
    delay = _bytes(1, b"\x08" + _varint(seconds))
    detail = _bytes(1, _RETRY_INFO) + _bytes(2, delay)
    return status(Encoding.PROTOBUF, code, message) + _bytes(3, detail)


def _bytes(field: int, content: bytes) -> bytes:
    """One field of protobuf that holds bytes: its number below 16, length, content."""
    return bytes([field << 3 | 2]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    """A number as protobuf writes lengths: seven bits to a byte, the lowest first."""
    written = bytearray()
    while number > 0x7F:  # noqa: PLR2004  # seven bits
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)
