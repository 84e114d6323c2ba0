"""The shapes of Claude Code's transcript lines, as far as they speak of usage.

Read from recordings of versions 2.1.197 and 2.1.330 (2026-11-22); the format is internal
to its maker and may change with any release. One JSON object per line::

    {"type": "assistant", "timestamp": "2026-11-22T03:18:35.285Z", "sessionId": "…",
     "requestId": "req_…", "requestRef": "…", "isSidechain": false, "gitBranch": "main",
     "message": {"id": "msg_…", "model": "claude-…", "stop_reason": "tool_use",
                 "content": [{"type": "tool_use", "name": "Bash", …}],
                 "usage": {"input_tokens": 100, "output_tokens": 502, …}}}
    {"type": "progress", "data": {"type": "agent_progress", "message": {…a line…}}}
    {"type": "api-request", "id": "…", "timestamp": "…", "params": {"model": "…"}}
    {"type": "cost-state", "sessionId": "…", "totalCostUSD": 0.05, "modelUsage": {…}}

Fields keep the foreign spelling. What is not named here is skipped undecoded.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec

from tollbook.core.units import COUNT_MAX

Count = Annotated[int, msgspec.Meta(ge=0, le=COUNT_MAX)]


class CacheCreation(msgspec.Struct, omit_defaults=True, gc=False):
    """Cache writes by lifetime."""

    ephemeral_5m_input_tokens: Count | None = None
    ephemeral_1h_input_tokens: Count | None = None


class Counts(msgspec.Struct, omit_defaults=True, gc=False):
    """The token counts of a usage object or of one of its iterations."""

    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_creation: CacheCreation | None = None


class Iteration(Counts, omit_defaults=True, gc=False):
    """One sampling step; ``model`` is absent where it is the message's own."""

    type: str = "message"
    model: str | None = None


class Usage(Counts, omit_defaults=True, gc=False):
    """The provider's usage object."""

    server_tool_use: dict[str, Any] | None = None
    service_tier: str | None = None
    inference_geo: str | None = None
    speed: str | None = None
    iterations: list[Iteration] | None = None


class Block(msgspec.Struct, gc=False):
    """One content block: only what kind it is and which tool it calls."""

    type: str | None = None
    name: str | None = None


class Message(msgspec.Struct, gc=False):
    """The API's answer."""

    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    usage: Usage | None = None
    content: list[Block] | str | None = None


class ForkedFrom(msgspec.Struct, gc=False):
    """Which session a copied line came from."""

    sessionId: str | None = None  # noqa: N815  # the wire's spelling


class Line(msgspec.Struct, gc=False):
    """Any line that may carry usage."""

    type: str | None = None
    timestamp: datetime | None = None
    message: Message | None = None
    sessionId: str | None = None  # noqa: N815
    requestId: str | None = None  # noqa: N815
    isSidechain: bool = False  # noqa: N815
    gitBranch: str | None = None  # noqa: N815
    attributionAgent: str | None = None  # noqa: N815
    attributionSkill: str | None = None  # noqa: N815
    requestRef: str | None = None  # noqa: N815
    requestSessionId: str | None = None  # noqa: N815
    forkedFrom: ForkedFrom | None = None  # noqa: N815
    isApiErrorMessage: bool = False  # noqa: N815
    costUSD: Decimal | None = None  # noqa: N815
    uuid: str | None = None
    parentUuid: str | None = None  # noqa: N815
    data: msgspec.Raw = msgspec.Raw()


class TypeOnly(msgspec.Struct, gc=False):
    """What a line is, when nothing else of it can be understood."""

    type: str | None = None


class Where(msgspec.Struct, gc=False):
    """In which folder the client ran."""

    cwd: str | None = None


class Progress(msgspec.Struct, gc=False):
    """A parent's copy of its sub-agent's line."""

    message: Line | None = None


class RequestParams(msgspec.Struct, gc=False):
    """The asked-for model of a request."""

    model: str | None = None


class ApiRequest(msgspec.Struct, gc=False):
    """That a request was sent; an answer's ``requestRef`` is its ``id``."""

    id: str
    sessionId: str | None = None  # noqa: N815
    timestamp: datetime | None = None
    params: RequestParams | None = None


class ModelUsage(msgspec.Struct, gc=False):
    """One model's share of a running total."""

    inputTokens: Count = 0  # noqa: N815
    outputTokens: Count = 0  # noqa: N815
    cacheReadInputTokens: Count = 0  # noqa: N815
    cacheCreationInputTokens: Count = 0  # noqa: N815
    cacheCreationEphemeral5mInputTokens: Count = 0  # noqa: N815
    cacheCreationEphemeral1hInputTokens: Count = 0  # noqa: N815
    webSearchRequests: Count = 0  # noqa: N815
    costUSD: Decimal | None = None  # noqa: N815


class CostState(msgspec.Struct, gc=False):
    """A session's running total, written when the client exits."""

    sessionId: str  # noqa: N815
    totalCostUSD: Decimal  # noqa: N815
    totalDuration: int = 0  # noqa: N815
    modelUsage: dict[str, ModelUsage] = {}  # noqa: N815


decode_line = msgspec.json.Decoder(Line).decode
decode_type = msgspec.json.Decoder(TypeOnly).decode
decode_where = msgspec.json.Decoder(Where).decode
decode_progress = msgspec.json.Decoder(Progress).decode
decode_request = msgspec.json.Decoder(ApiRequest).decode
decode_cost_state = msgspec.json.Decoder(CostState).decode
