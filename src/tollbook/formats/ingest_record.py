"""The record an application sends for one response, as it stands on the wire.

A small one, and one that says all there is::

    {"project_id": "shop", "model": "claude-opus-5-5", "provider": "anthropic",
     "input_tokens": 1200, "output_tokens": 640}

    {"project_id": "shop", "model": "claude-opus-5-5", "message_id": "msg_01…",
     "timestamp": "2026-11-22T10:00:00Z", "usage": {…as the Messages API gave it…},
     "cost_usd": "0.0123", "latency_ms": 1830, "tags": {"team": "payments"},
     "metadata": {"source": "claude_code", "user_id": "u1", "session_id": "s1"}}

A field that is absent is not known. ``null`` is the same as absence, but for the two
counts that everybody has: there it looks like a mistake, and is refused.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from tollbook.core.units import COUNT_MAX
from tollbook.formats.transcript_lines import CacheCreation, Usage

TEXT_MAX = 200
"""How many characters a name or an id may have."""

Count = Annotated[int, msgspec.Meta(ge=0, le=COUNT_MAX)]
_Count = Count | None | UnsetType
_Name = Annotated[str, msgspec.Meta(max_length=TEXT_MAX)]
_Text = _Name | None | UnsetType


class Record(msgspec.Struct, kw_only=True, gc=False):
    """One response, or one request that brought none."""

    model: Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_MAX)]
    project_id: _Text = UNSET
    provider: _Text = UNSET

    input_tokens: Count | UnsetType = UNSET  # uncached, as in the Messages API
    output_tokens: Count | UnsetType = UNSET
    input_tokens_include_cache: bool | UnsetType | None = UNSET
    cache_read_input_tokens: _Count = UNSET
    cache_creation_input_tokens: _Count = UNSET
    cache_creation: CacheCreation | UnsetType | None = UNSET
    uncached_input_tokens: _Count = UNSET
    cache_write_5m_tokens: _Count = UNSET
    cache_write_1h_tokens: _Count = UNSET
    web_search_requests: _Count = UNSET
    web_fetch_requests: _Count = UNSET
    code_execution_requests: _Count = UNSET
    server_tool_use: dict[str, Any] | UnsetType | None = UNSET
    usage: Usage | UnsetType | None = UNSET
    evidence: _Text = UNSET  # "reported", "partial", "estimated"

    cost_usd: Decimal | UnsetType | None = UNSET
    latency_ms: Decimal | UnsetType | None = UNSET
    service_tier: _Text = UNSET
    speed: _Text = UNSET
    inference_geo: _Text = UNSET
    platform: _Text = UNSET

    id: _Text = UNSET
    idempotency_key: _Text = UNSET
    message_id: _Text = UNSET
    request_id: _Text = UNSET
    timestamp: _Text = UNSET
    stop_reason: _Text = UNSET
    status: int | _Text = UNSET
    error: str | dict[str, Any] | UnsetType | None = UNSET

    app: _Text = UNSET
    user: _Text = UNSET
    machine: _Text = UNSET
    session_id: _Text = UNSET
    branch: _Text = UNSET
    agent: _Text = UNSET
    skill: _Text = UNSET
    tools: list[_Name] | UnsetType | None = UNSET
    tags: dict[str, Any] | UnsetType | None = UNSET
    metadata: dict[str, Any] | UnsetType | None = UNSET


FIELDS = frozenset(Record.__struct_fields__)
"""Every field that is understood."""


class RecordError(ValueError):
    """A record cannot be used. Caught in this room; it leaves as a ``Refused``."""

    def __init__(self, message: str, *, code: str, path: str) -> None:
        self.code = code
        self.path = path
        super().__init__(message)


class Refused(msgspec.Struct, frozen=True, gc=False):
    """Why one record was not taken: the fields of a ``Problem``, and where in it."""

    code: str
    message: str
    path: str  # "events[3].input_tokens"; empty: the record as a whole
