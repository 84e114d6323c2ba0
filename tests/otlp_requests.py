"""Small export requests, made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tollbook.formats.otlp_sender import Heard, Sender
from tollbook.formats.otlp_signals import Encoding, Signal

NOW = 1_795_406_400_000
AT = NOW - 60_000
NANOS = AT * 1_000_000
SENDER = Sender(now=NOW)
CLAUDE_CODE = "com.anthropic.claude_code.events"

Said = Mapping[str, object]
"""Attributes as Python values: a text, a number, a bool, or an ``AnyValue`` itself."""


def pairs(said: Said) -> list[dict[str, object]]:
    """Attributes as OTLP writes them."""
    return [{"key": name, "value": value_of(value)} for name, value in said.items()]


def value_of(value: object) -> object:
    """One value as OTLP writes it."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    return {"stringValue": value} if isinstance(value, str) else value


def record(event: str, *, nanos: object = str(NANOS), **said: object) -> dict[str, Any]:
    """One event of Claude Code; ``__`` in a name stands for a dot."""
    named = {name.replace("__", "."): value for name, value in said.items()}
    body = {"stringValue": f"claude_code.{event}"}
    return {"timeUnixNano": nanos, "body": body, "attributes": pairs(named)}


def logs(
    *records: object, scope: str = CLAUDE_CODE, resource: Said | None = None
) -> bytes:
    """An export request of log records."""
    return _export("resourceLogs", "scopeLogs", "logRecords", records, scope, resource)


def traces(*spans: object, scope: str = "", resource: Said | None = None) -> bytes:
    """An export request of spans."""
    return _export("resourceSpans", "scopeSpans", "spans", spans, scope, resource)


def metrics(*found: object, scope: str = "", resource: Said | None = None) -> bytes:
    """An export request of metrics."""
    return _export("resourceMetrics", "scopeMetrics", "metrics", found, scope, resource)


def _export(  # three names of one shape
    above: str,
    between: str,
    name: str,
    items: Sequence[object],
    scope: str,
    resource: Said | None,
) -> bytes:
    scoped = {"scope": {"name": scope}, name: list(items)}
    whole = {"resource": {"attributes": pairs(resource or {})}, between: [scoped]}
    return msgspec.json.encode({above: [whole]})


def hear(signal: Signal, body: bytes, sender: Sender = SENDER) -> Heard:
    """What a request in JSON says."""
    return signal.hear(body, Encoding.JSON, sender)
