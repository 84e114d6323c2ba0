"""A stream that is cut anywhere: the client sees the cut, and the row is honest."""

from __future__ import annotations

from functools import partial
from itertools import count
from pathlib import Path

import pytest

from relaying import ask, relaying, tags_of
from simulate.upstream import End, Seen, Step, events, message_of, stream
from tollbook.core.observation import Evidence
from tollbook.core.units import Unit


def answer(steps: list[Step], seen: Seen) -> list[Step]:
    """Always the same."""
    del seen
    return steps


@pytest.mark.parametrize(
    "cuts", [60, pytest.param(1000, marks=pytest.mark.night)], ids=str
)
def test_wherever_a_stream_is_cut_there_is_one_honest_row(
    tmp_path: Path, cuts: int
) -> None:
    numbers = count(1)
    with relaying(tmp_path, lambda _: []) as relay:
        heads = 0
        for cut in range(cuts):
            number = next(numbers)
            data = b"".join(step for step in stream(number) if isinstance(step, bytes))
            at = len(data) * cut // cuts
            steps: list[Step] = [data[:at], End.CLOSE]
            relay.answers(partial(answer, steps))
            heard = ask(relay.url)
            whole = b"".join(events(number))
            assert whole.startswith(heard.body) or heard.status == 502
            assert heard.cut or heard.status == 502
            heads += heard.status == 200
        rows = {row.message_id or row.request_id: row for row in relay.rows(cuts)}

    assert heads > cuts // 2
    for number in range(1, cuts + 1):
        row = rows.pop(message_of(number), None)
        if row is None:
            continue
        usage = row.parts[0].usage
        if tags_of(row)["state"] == "complete":
            assert usage[Unit.OUTPUT] == 50 + number
            assert row.evidence == Evidence.REPORTED
        else:
            assert usage.get(Unit.OUTPUT, 1) > 0
            assert tags_of(row)["state"] == "partial"
    assert {row.evidence for row in rows.values()} == {Evidence.MISSING}
