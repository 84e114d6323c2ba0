"""How the receiver answers, over HTTP and over gRPC."""

from __future__ import annotations

import gzip
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import grpc
import pytest
from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
)

from otlp_requests import logs, metrics, record
from otlp_server import Receiver, now, running
from tollbook.core.errors import BusyError
from tollbook.formats.otlp_signals import LOGS, SIGNALS, Signal
from tollbook.http.exchange import LOCAL, RefusedError, Request
from tollbook.http.otlp import ASIDE_MIN, BODY_MAX, ROUTES
from tollbook.ledger.keys import Grant, create_key
from tollbook.ports import UsageQuery

JSON = "application/json"
PROTOBUF = "application/x-protobuf"
COUNTS = {"input_tokens": 3, "output_tokens": 7}
ALWAYS = (0, 2**62)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A receiver for those who leave nothing behind."""
    with running(tmp_path_factory.mktemp("receiver") / "ledger.db") as found:
        yield found


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    """A receiver with an empty ledger."""
    with running(tmp_path / "ledger.db") as found:
        yield found


def post(
    receiver: Receiver,
    body: bytes,
    path: str = "/v1/logs",
    **headers: str,
) -> tuple[int, bytes, Mapping[str, str]]:
    """Send a body; JSON unless a header says otherwise."""
    named = {"content-type": JSON} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    request = urllib.request.Request(receiver.url + path, body, named)  # noqa: S310 - http
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            return answer.status, answer.read(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), dict(error.headers)


def asked(number: int = 1, **said: object) -> dict[str, object]:
    """A request that was just answered."""
    nanos = str(now() * 1_000_000)
    named = {"request_id": f"req_{number:020d}", "session__id": "s"}
    return record("api_request", nanos=nanos, **(COUNTS | named | said))


def counted(receiver: Receiver) -> tuple[int, int]:
    """Responses and output tokens."""
    tallies = [t.tally for t in receiver.store.totals(UsageQuery(buckets=[ALWAYS]))]
    responses = sum(tally.responses for tally in tallies)
    return responses, sum(tally.output_tokens for tally in tallies)


def test_what_is_answered_with_200_is_in_the_ledger_once(receiver: Receiver) -> None:
    body = logs(asked())

    assert post(receiver, body)[:2] == (200, b"{}")
    assert post(receiver, gzip.compress(body), content_encoding="gzip")[0] == 200
    assert counted(receiver) == (1, 7)


def test_a_large_request_is_read_beside_the_loop(receiver: Receiver) -> None:
    body = logs(*[asked(n) for n in range(300)])

    assert ASIDE_MIN < len(body) < BODY_MAX
    assert post(receiver, body)[0] == 200
    assert counted(receiver) == (300, 2100)


def test_items_that_were_refused_are_counted_in_the_answer(receiver: Receiver) -> None:
    status, body, _ = post(receiver, logs(asked(), asked(2, output_tokens=-1)))
    partial = json.loads(body)["partialSuccess"]

    assert (status, partial["rejectedLogRecords"]) == (200, "1")
    assert "output_tokens is no count" in partial["errorMessage"]
    assert counted(receiver) == (1, 7)
    [problem] = receiver.store.problems()
    assert (problem.code, problem.origin) == ("otlp-item", "loopback")


def test_counters_become_statements_and_never_add_to_events(receiver: Receiver) -> None:
    nanos = str(now() * 1_000_000)
    point = {
        "timeUnixNano": nanos,
        "asInt": "5",
        "attributes": [
            {"key": "type", "value": {"stringValue": "input"}},
            {"key": "session.id", "value": {"stringValue": "s"}},
        ],
    }
    data = {"dataPoints": [point], "aggregationTemporality": 1}
    body = metrics({"name": "claude_code.token.usage", "sum": data})

    assert post(receiver, body, "/v1/metrics")[0] == 200
    assert post(receiver, body, "/v1/metrics")[0] == 200
    assert counted(receiver) == (0, 0)
    assert len(receiver.store.statements("s")) == 1


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize(
    ("media_type", "body", "answer"),
    [
        (JSON, b"{}", b"{}"),
        (PROTOBUF, b"", b""),
        (f"{JSON}; charset=utf-8", b"{}", b"{}"),
    ],
)
def test_an_answer_speaks_as_the_request_did(
    shared: Receiver, signal: Signal, media_type: str, body: bytes, answer: bytes
) -> None:
    status, said, headers = post(shared, body, signal.path, content_type=media_type)

    assert (status, said) == (200, answer)
    assert headers["content-type"] == media_type.partition(";")[0]


@pytest.mark.parametrize("media_type", ["text/plain", "application/xml"])
def test_another_content_type_is_415(shared: Receiver, media_type: str) -> None:
    status, body, _ = post(shared, b"{}", content_type=media_type)

    assert status == 415
    assert json.loads(body)["code"] == 3


@pytest.mark.parametrize(
    ("media_type", "body"), [(JSON, b"{"), (PROTOBUF, b"\x0a\xff\xff")]
)
def test_only_bytes_that_are_no_request_are_400(
    shared: Receiver, media_type: str, body: bytes
) -> None:
    status, said, headers = post(shared, body, content_type=media_type)

    assert (status, headers["content-type"]) == (400, media_type)
    assert b"not an OTLP export request" in said


def test_a_body_beyond_the_limit_is_413(shared: Receiver) -> None:
    bomb = gzip.compress(b" " * (BODY_MAX + 1))

    assert post(shared, bomb, content_encoding="gzip")[0] == 413


def test_more_items_than_are_taken_at_once_are_413(shared: Receiver) -> None:
    status, said, _ = post(shared, logs(*[{}] * 20_001))
    over = refused(shared, b"\x0a\x00" * 20_001)

    assert (status, json.loads(said)["code"]) == (413, 8)
    assert over.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert not over.trailing_metadata()  # for ever, not for a moment


def test_trouble_with_the_disk_is_503_and_ends_by_itself(receiver: Receiver) -> None:
    receiver.run_out()
    body = logs(asked())
    status, said, headers = post(receiver, body)

    assert (status, json.loads(said)["code"]) == (503, 14)
    assert int(headers["retry-after"]) > 0
    assert post(receiver, body)[0] == 200
    assert counted(receiver) == (1, 7)


def test_what_nobody_foresaw_is_503_too_and_says_nothing(receiver: Receiver) -> None:
    receiver.intake.trouble.append(ZeroDivisionError("SECRET"))
    status, said, headers = post(receiver, logs(asked()))

    assert status == 503
    assert "retry-after" in headers
    assert b"SECRET" not in said
    assert "SECRET" not in "".join(receiver.said)


def key(receiver: Receiver, *scopes: str, projects: tuple[str, ...] = ()) -> str:
    """A new key's text."""
    grant = Grant(name="k", scopes=frozenset(scopes), projects=projects or None)
    return create_key(receiver.control, grant, now=now())[1]


def test_with_keys_none_but_them_may_report(receiver: Receiver) -> None:
    right, reader = key(receiver, "ingest"), key(receiver, "read")

    def status(text: str) -> int:
        return post(receiver, logs(asked()), authorization=f"Bearer {text}")[0]

    assert post(receiver, logs(asked()))[0] == 401
    assert status("tb_wrong") == 401
    assert status(reader) == 403
    assert status(right) == 200
    [batch] = receiver.intake.batches
    assert batch.observations[0].key is not None
    assert batch.origin == f"key tb_{batch.observations[0].key}"


def test_a_project_comes_into_being_when_it_first_reports(receiver: Receiver) -> None:
    for _ in range(2):
        assert post(receiver, logs(asked(), resource={"project": "shop"}))[0] == 200
    bad = logs(asked(2), asked(3), resource={"project": "a\x00b"})
    _, body, _ = post(receiver, bad)

    [project] = receiver.control.projects()
    assert (project.id, project.kind) == ("shop", "devtools")
    assert json.loads(body)["partialSuccess"]["rejectedLogRecords"] == "2"
    assert counted(receiver) == (1, 7)


def export(
    receiver: Receiver, body: bytes, service: str = LOGS.service, **metadata: str
) -> bytes:
    """Send bytes as an export request over gRPC."""
    address = receiver.grpc_url.removeprefix("http://")
    compression = grpc.Compression.Gzip
    with grpc.insecure_channel(address, compression=compression) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes]
        call = channel.unary_unary(f"/{service}/Export")
        return call(body, timeout=20, metadata=tuple(metadata.items()))


def packed(**said: object) -> bytes:
    """A request for gRPC, with one log record."""
    return to_protobuf(logs(asked(1, **said)))


def to_protobuf(body: bytes) -> bytes:
    """The same request in the other encoding."""
    return Parse(body, ExportLogsServiceRequest()).SerializeToString()


def refused(receiver: Receiver, body: bytes, **metadata: str) -> grpc.RpcError:
    """How a call over gRPC fails."""
    with pytest.raises(grpc.RpcError) as caught:
        export(receiver, body, **metadata)
    return caught.value


@pytest.mark.parametrize("signal", SIGNALS)
def test_grpc_takes_every_signal(shared: Receiver, signal: Signal) -> None:
    assert export(shared, b"", signal.service) == b""


def test_grpc_and_http_tell_of_the_same_response(receiver: Receiver) -> None:
    body = logs(asked())

    assert post(receiver, body)[0] == 200
    assert export(receiver, to_protobuf(body)) == b""
    assert counted(receiver) == (1, 7)
    assert b"\x08\x01" in export(receiver, packed(output_tokens=-1))


def test_grpc_tells_bad_bytes_from_trouble_that_passes(receiver: Receiver) -> None:
    bad = refused(receiver, b"\x0a\xff\xff")
    receiver.run_out()
    away = refused(receiver, packed())
    receiver.intake.trouble.append(BusyError())
    busy = refused(receiver, packed())
    receiver.intake.trouble.append(ZeroDivisionError("SECRET"))
    unforeseen = refused(receiver, packed())

    assert bad.code() == grpc.StatusCode.INVALID_ARGUMENT
    for error in (away, busy, unforeseen):
        assert error.code() == grpc.StatusCode.UNAVAILABLE
        trailing = repr(error.trailing_metadata())
        assert "grpc-status-details-bin" in trailing
        assert "google.rpc.RetryInfo" in trailing
        assert "SECRET" not in str(error.details())
    assert export(receiver, packed()) == b""
    assert counted(receiver) == (1, 7)


def test_grpc_asks_for_the_same_keys(receiver: Receiver) -> None:
    right, reader = key(receiver, "ingest"), key(receiver, "read")
    nobody = refused(receiver, packed())
    weak = refused(receiver, packed(), authorization=f"Bearer {reader}")

    assert nobody.code() == grpc.StatusCode.UNAUTHENTICATED
    assert weak.code() == grpc.StatusCode.PERMISSION_DENIED
    assert export(receiver, packed(), authorization=f"Bearer {right}") == b""
    flood = [refused(receiver, b"", authorization="Bearer tb_x") for _ in range(25)]
    assert flood[-1].code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert flood[-1].trailing_metadata() != ()


def test_grpc_bears_no_message_beyond_the_limit(shared: Receiver) -> None:
    bomb = refused(shared, b"\x00" * (BODY_MAX + 1))

    assert bomb.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_refusal_without_a_content_type_is_json() -> None:
    [route, *_] = ROUTES
    answer = route.refusal({}, RefusedError(418, "teapot", "no"))

    assert (answer.status, answer.body) == (418, b'{"code":2,"message":"no"}')
    assert Request("POST", "/v1/logs").key is LOCAL
