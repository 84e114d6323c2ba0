"""Real programs report into a running receiver: Claude Code, OpenTelemetry, Anthropic."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import msgspec
import pytest
import uvicorn
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

from otlp_server import Receiver, running
from program import Program
from servers import Served, real_server
from simulate.messages_api import Answered, MessagesApi
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


def claude_code() -> Path | None:
    """The real client, which a package for developers carries along."""
    spec = find_spec("claude_agent_sdk")
    origin = None if spec is None else spec.origin
    found = Path(origin).parent / "_bundled" / "claude" if origin else None
    return found if found is not None and found.exists() else None


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    """A receiver with an empty ledger."""
    with running(tmp_path / "ledger.db") as found:
        yield found


@contextmanager
def messages_api() -> Iterator[tuple[MessagesApi, str]]:
    """A Messages API, and where it answers."""
    api = MessagesApi()
    server = uvicorn.Server(
        uvicorn.Config(api, port=0, log_level="warning", lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield api, f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


def run_claude(home: Path, api_url: str, reporting: Mapping[str, str]) -> str:
    """Let Claude Code answer one prompt, in a home of its own, and report all it can."""
    program = claude_code()
    assert program is not None, "claude-agent-sdk carries no client for this machine"
    project = home / "project"
    project.mkdir()
    done = subprocess.run(  # noqa: S603  # our own arguments
        [program, "-p", "SECRETPROMPT", "--allowedTools", "Bash"],
        cwd=project,
        env={
            "PATH": os.defpath,
            "HOME": str(home),
            "TERM": "dumb",
            "LANG": "C.UTF-8",
            "ANTHROPIC_BASE_URL": api_url,
            "ANTHROPIC_API_KEY": "sk-ant-test",
            "DISABLE_AUTOUPDATER": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_ENHANCED_TELEMETRY_BETA": "1",
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
            "OTEL_LOGS_EXPORT_INTERVAL": "500",
            "OTEL_TRACES_EXPORT_INTERVAL": "500",
            "OTEL_LOG_USER_PROMPTS": "1",
            "OTEL_LOG_TOOL_DETAILS": "1",
            "OTEL_LOG_TOOL_CONTENT": "1",
            "OTEL_LOG_RAW_API_BODIES": "1",
            "OTEL_RESOURCE_ATTRIBUTES": "team=red",
            **reporting,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


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
