"""``tollbook.formats.otlp_wire``: how many things a request holds."""

from __future__ import annotations

import pytest
from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
)

from otlp_requests import SENDER, logs, record
from tollbook.formats.otlp import BadBytesError, TooManyError
from tollbook.formats.otlp_signals import LOGS, METRICS, Encoding

COUNTS = {"input_tokens": 3, "output_tokens": 7}


def field(number: int, content: bytes) -> bytes:
    """A field of protobuf that holds bytes."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(number: int) -> bytes:
    """A number of protobuf."""
    low = bytes([number & 0x7F])
    return low if number < 0x80 else bytes([low[0] | 0x80]) + varint(number >> 7)


EMPTY = b"\x0a\x00"
AGAIN = 20_001
POINT_BOMB = field(1, field(2, field(2, field(7, EMPTY * AGAIN))))
MANY = {
    "resources": (LOGS, EMPTY * AGAIN),
    "junk": (LOGS, b"\x38\x00" * (2 * AGAIN)),
    "records": (LOGS, field(1, field(2, b"\x12\x00" * AGAIN))),
    "attributes": (LOGS, field(1, field(2, field(2, b"\x32\x00" * 1_000_002)))),
    "points": (METRICS, POINT_BOMB),
}


@pytest.mark.parametrize("name", MANY)
def test_a_small_request_that_would_be_a_large_one_is_refused(name: str) -> None:
    signal, body = MANY[name]
    with pytest.raises(TooManyError, match="smaller batches"):
        signal.hear(body, Encoding.PROTOBUF, SENDER)


def test_a_large_request_of_few_things_is_taken() -> None:
    body = to_protobuf(logs(record("api_request", **COUNTS, note="x" * 2_000_000)))

    assert len(LOGS.hear(body, Encoding.PROTOBUF, SENDER).observations) == 1


@pytest.mark.parametrize("odd", [b"\x09" + b"x" * 8, b"\x0d" + b"x" * 4, b"\x38\x05"])
def test_fields_that_nobody_knows_are_stepped_over(odd: bytes) -> None:
    body = to_protobuf(logs(record("api_request", **COUNTS)))

    assert len(LOGS.hear(odd + body, Encoding.PROTOBUF, SENDER).observations) == 1


@pytest.mark.parametrize("odd", [b"\x0b", b"\x09x", b"\xff", b"\xff" * 12, b"\x0a\x80"])
def test_fields_that_are_none_are_left_to_the_parser(odd: bytes) -> None:
    with pytest.raises(BadBytesError):
        LOGS.hear(odd, Encoding.PROTOBUF, SENDER)


def to_protobuf(body: bytes) -> bytes:
    """A request of log records in the other encoding."""
    return Parse(body, ExportLogsServiceRequest()).SerializeToString()
