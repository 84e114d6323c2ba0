"""``tollbook.formats.cost_state``: a running total is a statement, never an event."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tollbook.core.money import parse_usd
from tollbook.formats.cost_state import statement
from tollbook.formats.transcript_lines import CostState, ModelUsage


def test_a_running_total_keeps_its_models_and_their_cache_lifetimes() -> None:
    usage = ModelUsage(
        inputTokens=3,
        cacheCreationInputTokens=10,
        cacheCreationEphemeral1hInputTokens=4,
        costUSD=Decimal("0.25"),
    )
    state = CostState("s", Decimal("0.5"), 7, {"claude-x": usage})

    [line] = statement(state, 9)

    assert (line.session, line.sequence, line.line) == ("s", 7, 9)
    assert line.stated_cost == parse_usd("0.5")
    assert [(each.model, each.stated_cost) for each in line.models] == [
        ("claude-x", parse_usd("0.25"))
    ]
    assert line.models[0].usage["cache_write_5m_tokens"] == 6
    assert line.models[0].usage["cache_write_1h_tokens"] == 4


@pytest.mark.parametrize("total", ["-1", "NaN", "1e400"])
def test_a_total_that_is_no_amount_says_nothing(total: str) -> None:
    assert list(statement(CostState("s", Decimal(total)), 1)) == []
