"""Real programs report into a running receiver: Claude Code, OpenTelemetry, Anthropic."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from anthropic import Anthropic
from anthropic.types import MessageParam
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import (
    OTLPMetricExporter as GrpcMetricExporter,
)
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (
    OTLPSpanExporter as GrpcSpanExporter,
)
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import (
    OTLPMetricExporter as HttpMetricExporter,
)
from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
    OTLPSpanExporter as HttpSpanExporter,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    MetricExporter,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from claude_program import messages_api, run_claude
from otlp_server import Receiver, running
from program import Program
from servers import Served, real_server
from simulate.messages_api import Answered
from tollbook.core.event import UsageEvent
from tollbook.core.rate import Rater
from tollbook.formats.otlp_claude_code import APP
from tollbook.ports import LedgerStore, UsageQuery
from tollbook.prices import load_catalogue
from tollbook.stores.sqlite.store import SqliteStore

Environ = dict[str, str]
MODEL = "claude-opus-5-5"
ALWAYS = (0, 2**62)
CANARIES = (b"SECRETPROMPT", b"SECRETANSWER", b"SECRETCOMMAND", b"sk-ant-test")


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    """A receiver with an empty ledger."""
    with running(tmp_path / "ledger.db") as found:
        yield found


def reporting(program: Program, served: Served, protocol: str, key: str) -> Environ:
    """What ``tollbook connect`` says that Claude Code needs."""
    over_grpc = re.search(r"over gRPC on (\S+)", served.said)
    assert over_grpc is not None
    url = f"http://{over_grpc[1]}" if protocol == "grpc" else served.url
    said = program.text(
        *("connect", "claude-code", "--json"),
        *("--url", url, "--protocol", protocol, "--key", key),
    )
    return msgspec.json.decode(said, type=dict[str, Environ])["env"]


def events(store: LedgerStore, served: list[Answered]) -> list[UsageEvent]:
    """What the ledger knows of the answers that were served."""
    return [
        stored.event
        for answer in served
        for stored in store.find_events(response=answer.request_id)
    ]


@contextmanager
def ledger(path: Path) -> Iterator[SqliteStore]:
    """A ledger that a server has closed."""
    rater = Rater(load_catalogue())
    store = SqliteStore(path / "ledger.db", rater, rater.version)
    yield store
    store.close()


def counted(store: LedgerStore) -> tuple[int, int]:
    """Responses and output tokens of the whole ledger."""
    totals = store.totals(UsageQuery(buckets=[ALWAYS]))
    tallies = [each.tally for each in totals]
    return (
        sum(tally.responses for tally in tallies),
        sum(tally.output_tokens for tally in tallies),
    )


@pytest.mark.parametrize("protocol", ["http/json", "http/protobuf", "grpc"])
def test_claude_code_reports_each_response_once_and_no_word_of_it(
    program: Program, protocol: str
) -> None:
    program.text("project", "add", "shop", "--kind", "devtools")
    key = program.text("key", "create", "cc", "--project", "shop").split()[-1]
    with (
        real_server(program, "--grpc", "--grpc-port", "0") as served,
        messages_api() as (api, api_url),
    ):
        environ = reporting(program, served, protocol, key)
        said = run_claude(program.home, api_url, environ)
        assert served.stop() == 0
        assert served.told() == ""
    whole = (len(api.served), sum(each.usage["output_tokens"] for each in api.served))

    assert "SECRETANSWER" in said
    assert len(api.served) >= 2
    path = program.home / "ledger"
    with ledger(path) as store:
        assert counted(store) == whole
    program.text("scan")
    program.text("verify")
    kept = b"".join(each.read_bytes() for each in path.iterdir() if each.is_file())
    assert [canary for canary in CANARIES if canary in kept] == []
    with ledger(path) as store:
        found = events(store, api.served)
        assert counted(store) == whole
        assert [each.parts[0].usage for each in found] == [
            each.usage for each in api.served
        ]
        assert [each.message_id for each in found] == [
            each.message_id for each in api.served
        ]
        assert {(each.project, each.app) for each in found} == {("shop", APP)}
        assert all(set(each.sources) >= {"otlp", "claude-code"} for each in found)
        assert store.statements(found[0].session or "") != []
        assert store.problems() == []


def span_exporter(receiver: Receiver, protocol: str) -> SpanExporter:
    """OpenTelemetry's own, for a protocol."""
    if protocol == "grpc":
        return GrpcSpanExporter(receiver.grpc_url)
    return HttpSpanExporter(f"{receiver.url}/v1/traces")


def metric_exporter(receiver: Receiver, protocol: str) -> MetricExporter:
    """OpenTelemetry's own, for a protocol."""
    if protocol == "grpc":
        return GrpcMetricExporter(receiver.grpc_url)
    return HttpMetricExporter(
        f"{receiver.url}/v1/metrics", compression=Compression.Gzip
    )


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_anthropic_s_sdk_reports_each_response_once(
    receiver: Receiver, protocol: str
) -> None:
    exporter = span_exporter(receiver, protocol)
    resource = Resource.create({"project_id": "shop", "service.name": "bot"})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    message: MessageParam = {"role": "user", "content": "SECRETPROMPT"}
    with messages_api() as (api, api_url):
        client = Anthropic(
            base_url=api_url,
            api_key="sk-ant-test",
            open_telemetry={
                "tracer_provider": provider,
                "traces": {"content_mode": "content"},
            },
        )
        client.messages.create(model=MODEL, max_tokens=9, messages=[message])
        with client.messages.stream(
            model=MODEL, max_tokens=9, messages=[message]
        ) as stream:
            stream.until_done()
        provider.shutdown()
        client.close()
    found = events(receiver.store, api.served)

    assert [each.message_id for each in found] == [e.message_id for e in api.served]
    assert [each.parts[0].usage for each in found] == [e.usage for e in api.served]
    assert {(each.project, each.app, each.provider) for each in found} == {
        ("shop", "bot", "anthropic")
    }
    assert counted(receiver.store)[0] == 2
    assert receiver.store.problems() == []
    kept = msgspec.json.encode(receiver.intake.batches)
    assert [canary for canary in CANARIES if canary in kept] == []


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_an_exporter_sends_again_what_was_refused_for_a_moment(
    receiver: Receiver, protocol: str
) -> None:
    exporter = span_exporter(receiver, protocol)
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    receiver.run_out()
    attributes: dict[str, str | int] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.usage.output_tokens": 7,
    }
    with provider.get_tracer("bot").start_as_current_span("x", attributes=attributes):
        pass
    provider.shutdown()

    assert counted(receiver.store) == (1, 7)
    assert receiver.intake.trouble == []


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_program_s_own_counters_are_statements(
    receiver: Receiver, protocol: str
) -> None:
    exporter = metric_exporter(receiver, protocol)
    reader = PeriodicExportingMetricReader(exporter, 3_600_000)
    provider = MeterProvider([reader])
    counter = provider.get_meter("bot").create_counter("claude_code.token.usage")
    named = {"type": "output", "session.id": "s", "model": MODEL}
    counter.add(5, named)
    reader.collect()
    counter.add(2, named)
    provider.shutdown()
    [statement] = receiver.store.statements("s")

    assert statement.line.models[0].usage == {"output_tokens": 7}
    assert counted(receiver.store) == (0, 0)
