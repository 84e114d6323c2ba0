"""``tollbook.core.units``: kinds that never overlap, under the bill's names."""

from __future__ import annotations

from tollbook.core.tally import UNITS, Tally
from tollbook.core.units import PROMPT_UNITS, TOKEN_UNITS, Unit


def test_every_unit_has_a_column_of_its_own_in_every_tally() -> None:
    assert [unit.value for unit in Unit] == list(UNITS)
    assert set(UNITS) < set(Tally._fields)


def test_a_prompt_is_everything_but_the_answer() -> None:
    assert set(TOKEN_UNITS) - set(PROMPT_UNITS) == {Unit.OUTPUT}


def test_tokens_are_called_tokens_and_requests_requests() -> None:
    assert all(
        unit.endswith("_tokens") == (unit in TOKEN_UNITS)
        and unit.endswith(("_tokens", "_requests"))
        for unit in Unit
    )
