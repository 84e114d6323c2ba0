"""The published shape of one response, as ``tollbook show --json`` has it.

See ``ledger.show_json``, which fills it in; what is added there is added here.
"""

from __future__ import annotations

from collections.abc import Mapping

from tollbook.http.query_shapes import Moment, Shape, Usd
from tollbook.render.fields import VERSION


class PriceLineShape(Shape, frozen=True, kw_only=True):
    """How one unit of a part came to its cost; ``unpriced`` says why it has none."""

    unit: str
    count: int
    base_usd_per_mtok: Usd | None
    steps: tuple[str, ...]
    usd_per_mtok: Usd | None
    list_cost_usd: Usd | None
    net_cost_usd: Usd | None
    terms: str
    evidence: tuple[str, ...]
    confidence: str
    unpriced: str | None


class PartShape(Shape, frozen=True, kw_only=True):
    """What one model did for a response, as one source tells it."""

    kind: str
    model: str
    usage: Mapping[str, int]


class PricedPartShape(PartShape, frozen=True, kw_only=True):
    """What one model did for a response, and what that cost."""

    lines: tuple[PriceLineShape, ...]


class ObservationShape(Shape, frozen=True, kw_only=True):
    """What one source said, and where it said it."""

    source: str
    origin: str
    line: int
    lines: int
    at: Moment
    message_id: str | None
    request_id: str | None
    session: str | None
    latency_ms: int | None
    failure: str | None
    evidence: str
    lesser_evidence: Mapping[str, str]
    parts: tuple[PartShape, ...]


class ResponseShape(Shape, frozen=True, kw_only=True):
    """A response, counted once, with all that speaks for it."""

    at: Moment
    first_at: Moment
    message_id: str | None
    request_id: str | None
    session: str | None
    project: str | None
    path: str | None
    branch: str | None
    model: str
    agent: str | None
    skill: str | None
    provider: str | None
    app: str | None
    user: str | None
    machine: str | None
    key: str | None
    tags: Mapping[str, str]
    tools: tuple[str, ...]
    sidechain: bool
    latency_ms: int | None
    failure: str | None
    evidence: str
    lesser_evidence: Mapping[str, str]
    conditions: Mapping[str, str | None]
    context_tokens: int
    responses: int
    partial_responses: int
    missing_responses: int
    uncached_input_tokens: int
    cache_read_input_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    output_tokens: int
    web_search_requests: int
    web_fetch_requests: int
    code_execution_requests: int
    other_units: int
    list_cost_usd: Usd | None
    net_cost_usd: Usd | None
    stated_cost_usd: Usd | None
    unpriced: Mapping[str, int]
    parts: tuple[PricedPartShape, ...]
    observations: tuple[ObservationShape, ...]


class EventAnswer(Shape, frozen=True, kw_only=True):
    """The responses an id names, usually one; ``more``: there are older ones, too."""

    version: int = VERSION
    responses: tuple[ResponseShape, ...]
    more: bool = False
