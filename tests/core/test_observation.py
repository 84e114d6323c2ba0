"""``tollbook.core.observation``: facts that nobody can change."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given

from strategies import CALLS, OBSERVATIONS, STATEMENTS
from tollbook.core.observation import Call, Evidence, Observation, StatementLine


@given(seen=OBSERVATIONS)
def test_an_observation_survives_being_stored(seen: Observation) -> None:
    assert (
        msgspec.msgpack.decode(msgspec.msgpack.encode(seen), type=Observation) == seen
    )


@given(call=CALLS, line=STATEMENTS)
def test_calls_and_statements_survive_being_stored(
    call: Call, line: StatementLine
) -> None:
    stored = msgspec.msgpack.encode((call, line))

    assert msgspec.msgpack.decode(stored, type=tuple[Call, StatementLine]) == (
        call,
        line,
    )


@given(seen=OBSERVATIONS)
def test_a_fact_cannot_be_changed(seen: Observation) -> None:
    with pytest.raises(AttributeError):
        seen.line = 2  # type: ignore[misc]  # the point


def test_what_the_provider_reported_is_believed_before_anything_else() -> None:
    assert sorted(Evidence) == [
        Evidence.MISSING,
        Evidence.ESTIMATED,
        Evidence.APPORTIONED,
        Evidence.PARTIAL,
        Evidence.REPORTED,
    ]
