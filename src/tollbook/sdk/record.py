"""What an application says of one response, as one line of JSON.

The fields are those of ``POST /ingest``; what is not given is not known::

    {"id": "tb-9f3c…", "timestamp": "2026-11-22T10:00:00.123Z", "project_id": "shop",
     "model": "claude-opus-5-5", "input_tokens": 1200, "output_tokens": 640}

Of a whole message only its ids, its model and its counts are taken, never what it says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from os import urandom
from typing import Annotated, Any, TypedDict

import msgspec

LINE_BYTES_MAX = 64 << 10
_COUNT_MAX = 2**53 - 1  # what every JSON reader takes for a whole number
_USAGE = (
    "input_tokens", "output_tokens", "cache_creation_input_tokens",
    "cache_read_input_tokens", "cache_creation", "server_tool_use", "service_tier",
    "inference_geo", "speed", "iterations",
)  # fmt: skip

_Count = Annotated[int, msgspec.Meta(ge=0, le=_COUNT_MAX)] | None
_Name = Annotated[str, msgspec.Meta(max_length=200)]
_Text = _Name | None
Amount = Decimal | str | int | float


class Details(TypedDict, total=False):
    """What may be said beside a message that carries its own counts."""

    project_id: str | None
    provider: str | None
    cost_usd: Amount | None  # as the application knows it; held against our own price
    latency_ms: float | None
    service_tier: str | None
    speed: str | None
    inference_geo: str | None
    platform: str | None  # "bedrock", "vertex"; none: the provider's own API
    id: str | None  # what a repeat is known by; without any the client makes one
    request_id: str | None
    timestamp: datetime | str | None  # usually the moment of the call
    status: int | str | None
    error: str | None
    app: str | None
    user: str | None
    machine: str | None
    session_id: str | None
    branch: str | None
    agent: str | None
    skill: str | None
    tools: list[str] | None  # names of the tools the response called
    tags: dict[str, str] | None
    metadata: dict[str, Any] | None


class Counted(Details, total=False):
    """Everything that may be said of a response."""

    model: str
    input_tokens: int | None  # uncached, as in the Messages API
    output_tokens: int | None
    input_tokens_include_cache: bool | None
    cache_read_input_tokens: int | None
    cache_creation_input_tokens: int | None
    uncached_input_tokens: int | None
    cache_write_5m_tokens: int | None
    cache_write_1h_tokens: int | None
    web_search_requests: int | None
    web_fetch_requests: int | None
    code_execution_requests: int | None
    server_tool_use: dict[str, int] | None
    usage: dict[str, Any] | None  # a whole usage object, instead of counts
    evidence: str | None  # "reported", "partial", "estimated"
    message_id: str | None
    stop_reason: str | None


class _Record(
    msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """``Counted`` once more, for the one who checks values."""

    id: _Text = None
    timestamp: str
    model: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    project_id: _Text = None
    provider: _Text = None
    input_tokens: _Count = None
    output_tokens: _Count = None
    input_tokens_include_cache: bool | None = None
    cache_read_input_tokens: _Count = None
    cache_creation_input_tokens: _Count = None
    uncached_input_tokens: _Count = None
    cache_write_5m_tokens: _Count = None
    cache_write_1h_tokens: _Count = None
    web_search_requests: _Count = None
    web_fetch_requests: _Count = None
    code_execution_requests: _Count = None
    server_tool_use: dict[str, Any] | None = None
    usage: dict[str, Any] | None = None
    evidence: _Text = None
    cost_usd: str | int | float | None = None
    latency_ms: int | float | None = None
    service_tier: _Text = None
    speed: _Text = None
    inference_geo: _Text = None
    platform: _Text = None
    message_id: _Text = None
    request_id: _Text = None
    stop_reason: _Text = None
    status: int | _Text = None
    error: str | None = None
    app: _Text = None
    user: _Text = None
    machine: _Text = None
    session_id: _Text = None
    branch: _Text = None
    agent: _Text = None
    skill: _Text = None
    tools: list[_Name] | None = None
    tags: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


_encode = msgspec.json.Encoder(decimal_format="string").encode


def encode(said: Mapping[str, Any], project: str | None) -> bytes:
    """A record as one line, with an id and a time of its own where none is given.

    Raises:
        TypeError: A field is missing, unknown or of another type.
        ValueError: A value is out of range, or the whole too large.
    """
    fields = {"project_id": project, **said}
    if not fields.get("id") and not fields.get("request_id"):
        fields["id"] = "tb-" + urandom(16).hex()
    fields["timestamp"] = _instant(fields.get("timestamp"))
    for name in ("cost_usd", "latency_ms"):
        if name in fields:
            fields[name] = _finite(name, fields[name])
    try:
        line = _encode(msgspec.convert(fields, _Record))
    except msgspec.ValidationError as error:
        text = f"record: {error}; see the fields of `Client.record`"
        raise (ValueError if _is_of_range(error) else TypeError)(text) from None
    if len(line) > LINE_BYTES_MAX:
        text = f"record: {len(line):,} bytes; send metadata of less than 64 KiB"
        raise ValueError(text)
    return line


def describe(message: object) -> dict[str, Any]:
    """The fields of an Anthropic ``Message``, or of the same as a mapping.

    Raises:
        TypeError: It has no model or no usage.
    """
    usage, model = _part(message, "usage"), _part(message, "model")
    if usage is None or not isinstance(model, str):
        text = f"{type(message).__name__}: has no model and usage; give a whole message"
        raise TypeError(text)
    counts = {name: _plain(_part(usage, name)) for name in _USAGE}
    return {
        "provider": "anthropic",
        "model": model,
        "message_id": _part(message, "id"),
        "request_id": _part(message, "_request_id"),
        "stop_reason": _part(message, "stop_reason"),
        "usage": {name: value for name, value in counts.items() if value is not None},
    }


def _part(whole: object, name: str) -> Any:  # noqa: ANN401 - another library's object
    if isinstance(whole, Mapping):
        return whole.get(name)
    return getattr(whole, name, None)


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Another library's object as JSON has it."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _instant(given: object) -> object:
    if given is None:
        given = datetime.now(UTC)
    if not isinstance(given, datetime):
        return given
    if given.tzinfo is None:
        text = f"timestamp {given.isoformat()}: has no time zone; give it one"
        raise ValueError(text)
    return given.astimezone(UTC).isoformat(timespec="milliseconds")


def _finite(name: str, given: object) -> object:
    if isinstance(given, float | Decimal) and not math.isfinite(given):
        text = f"{name} {given}: is no amount"
        raise ValueError(text)
    return str(given) if isinstance(given, Decimal) else given


def _is_of_range(error: msgspec.ValidationError) -> bool:
    """Whether a value had the right type: the decoder then tells its limits."""
    text = str(error)
    return any(sign in text for sign in (">=", "<=", "of length"))
