"""Counters of tokens and cost, as statements: held against the charges, never added.

A point is somebody's total for a while. Its series is a hash of all that names it: the
project, resource, scope, metric and attributes, and when its counting began. A cumulative
counter states the same series again with a larger total, and the latest replaces the
earlier ones; a delta's end is part of its series, so deltas stand beside each other and
the same bytes sent twice say nothing new.

Claude Code (scope ``com.anthropic.claude_code``) counts ``claude_code.token.usage`` by
``type`` and ``claude_code.cost.usage``. Its cache writes are not told apart by lifetime:
they are stated as writes for five minutes, like all writes without a split. OpenTelemetry's
``gen_ai.client`` metrics count the whole input, cached or not, under the name
``gen_ai.usage.input_tokens``, which is no unit of ours and never priced.
"""

from __future__ import annotations

from decimal import Decimal

from tollbook.core.money import Money
from tollbook.core.observation import ModelTotal, StatementLine
from tollbook.core.units import Unit
from tollbook.formats.otlp import (
    Attributes,
    Group,
    Point,
    UnusableItemError,
    digest,
    text,
    whole,
)
from tollbook.formats.otlp_sender import Heard, Sender, Whose
from tollbook.formats.transcript_usage import stated

TOKENS = "claude_code.token.usage"
COST = "claude_code.cost.usage"
WHOLE_INPUT = "gen_ai.usage.input_tokens"
_OURS = "claude_code."

_TYPES: dict[str, str] = {
    "input": Unit.UNCACHED_INPUT,
    "output": Unit.OUTPUT,
    "cacheRead": Unit.CACHE_READ,
    "cacheCreation": Unit.CACHE_WRITE_5M,
}
_GEN_AI_TYPES: dict[str, str] = {"input": WHOLE_INPUT, "output": Unit.OUTPUT}
_GEN_AI: dict[str, str] = {
    "gen_ai.client.inference.usage.input_tokens": WHOLE_INPUT,
    "gen_ai.client.inference.usage.output_tokens": Unit.OUTPUT,
    "gen_ai.client.inference.usage.cache_read.input_tokens": Unit.CACHE_READ,
    "gen_ai.client.inference.usage.cache_write.input_tokens": Unit.CACHE_WRITE_5M,
}
_GEN_AI_HISTOGRAM = "gen_ai.client.token.usage"
IGNORED = frozenset({
    "claude_code.active_time.total", "claude_code.code_edit_tool.decision",
    "claude_code.commit.count", "claude_code.lines_of_code.count",
    "claude_code.pull_request.count", "claude_code.session.count",
})  # fmt: skip
"""Metrics of Claude Code that say nothing of usage. Other programs' are not looked at."""

_COUNT_MAX = 10**15  # tokens of one series; beyond it is noise
_NAME_SHOWN = 64


def hear(heard: Heard, group: Group[Point], sender: Sender) -> None:
    """Add what a group of points says of usage."""
    whose = heard.whose(sender, group)
    if whose is None:
        return
    for number, point in enumerate(group.items, start=1):
        name = point.metric
        try:
            totals = _totals(point)
            if totals is None:
                if name.startswith(_OURS) and name not in IGNORED:
                    heard.unknown(f"metric {name[:_NAME_SHOWN]!r} of Claude Code")
                continue
            at = whose.instant(point.end)
            series = _series(point, group, whose)
        except UnusableItemError as error:
            heard.refuse(f"{name[:_NAME_SHOWN]}: {error}")
            continue
        session = text(point.attributes, "session.id", "gen_ai.conversation.id")
        usage, cost = totals
        model = ModelTotal(_model(point.attributes), usage, cost)
        line = StatementLine(session or "", at, cost or 0, (model,), number, series)
        heard.statements.append(line)


def _totals(point: Point) -> tuple[dict[str, int], Money | None] | None:
    """Counts by unit, or the cost; ``None`` where a metric is about something else."""
    if point.metric == COST:
        return {}, _cost(point.value)
    unit = _unit(point)
    return None if unit is None else ({unit: _tokens(point.value)}, None)


def _unit(point: Point) -> str | None:
    if point.metric == TOKENS:
        kinds, name = _TYPES, "type"
    elif point.metric == _GEN_AI_HISTOGRAM:
        kinds, name = _GEN_AI_TYPES, "gen_ai.token.type"
    else:
        return _GEN_AI.get(point.metric)
    unit = kinds.get(text(point.attributes, name) or "")
    if unit is None:
        msg = "its type of tokens is not known; update tollbook"
        raise UnusableItemError(msg)
    return unit


def _tokens(value: int | Decimal | None) -> int:
    number = value
    if isinstance(value, Decimal):
        exact = value.is_finite() and abs(value) <= _COUNT_MAX and value == int(value)
        number = int(value) if exact else None
    number = whole(number)
    if number is None or not 0 <= number <= _COUNT_MAX:
        msg = "its value is no whole number of tokens"
        raise UnusableItemError(msg)
    return number


def _cost(value: int | Decimal | None) -> Money:
    cost = None if value is None else stated(Decimal(value))
    if cost is None:
        msg = "its value is no amount of dollars"
        raise UnusableItemError(msg)
    return cost


def _series(point: Point, group: Group[Point], whose: Whose) -> str:
    if point.delta is None:
        msg = "it is neither a delta nor cumulative"
        raise UnusableItemError(msg)
    return digest(
        point.attributes.items(),
        digest(group.resource.items()),
        whose.project,
        group.scope,
        point.metric,
        point.start,
        point.end if point.delta else 0,
    )


def _model(attributes: Attributes) -> str:
    names = ("model", "gen_ai.response.model", "gen_ai.request.model")
    return text(attributes, *names) or ""
