"""A transcript's ``cost-state`` line: a session's running total, as a statement."""

from __future__ import annotations

from collections.abc import Iterator

from tollbook.core.observation import ModelTotal, StatementLine
from tollbook.core.units import Unit
from tollbook.formats.transcript_lines import CostState, ModelUsage
from tollbook.formats.transcript_usage import stated


def statement(state: CostState, line: int) -> Iterator[StatementLine]:
    """What the client said the session cost so far; nothing, when that is no amount."""
    total = stated(state.totalCostUSD)
    if total is not None:
        yield StatementLine(
            session=state.sessionId,
            sequence=state.totalDuration,
            stated_cost=total,
            models=tuple(
                ModelTotal(model, _model_usage(usage), stated(usage.costUSD))
                for model, usage in sorted(state.modelUsage.items())
            ),
            line=line,
        )


def _model_usage(usage: ModelUsage) -> dict[str, int]:
    hour = usage.cacheCreationEphemeral1hInputTokens
    return {
        Unit.UNCACHED_INPUT: usage.inputTokens,
        Unit.CACHE_READ: usage.cacheReadInputTokens,
        Unit.CACHE_WRITE_5M: max(
            usage.cacheCreationEphemeral5mInputTokens,
            usage.cacheCreationInputTokens - hour,
        ),
        Unit.CACHE_WRITE_1H: hour,
        Unit.OUTPUT: usage.outputTokens,
        Unit.WEB_SEARCH: usage.webSearchRequests,
    }
