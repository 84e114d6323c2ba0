"""``tollbook.formats.otlp_metrics``: what counters become."""

from __future__ import annotations

import pytest

from otlp_requests import AT, NANOS, hear, metrics, pairs
from tollbook.core.observation import StatementLine
from tollbook.formats.otlp_sender import Heard
from tollbook.formats.otlp_signals import METRICS

TOKENS = "claude_code.token.usage"
COST = "claude_code.cost.usage"
START = NANOS - 10**9


def point(
    value: object = 5, *, end: object = NANOS, **said: object
) -> dict[str, object]:
    """One point; a text is an ``asInt``."""
    named = {"type": "input", "model": "claude-opus-5-5", "session.id": "s"} | said
    kind = "asInt" if isinstance(value, str) else "asDouble"
    return {
        "startTimeUnixNano": str(START),
        "timeUnixNano": end,
        kind: value,
        "attributes": pairs({name.replace("__", "."): v for name, v in named.items()}),
    }


def counter(
    *points: object, name: str = TOKENS, temporality: object = 1
) -> dict[str, object]:
    """A sum."""
    data = {"dataPoints": list(points), "aggregationTemporality": temporality}
    return {"name": name, "sum": data | {"isMonotonic": True}}


def heard(*found: object, **resource: object) -> Heard:
    """What metrics say."""
    return hear(METRICS, metrics(*found, resource=resource))


def only(*found: object, **resource: object) -> StatementLine:
    """The one statement that metrics make."""
    said = heard(*found, **resource)
    assert (said.refused, said.findings) == (0, {})
    [line] = said.statements
    return line


@pytest.mark.parametrize("value", [5, 5.0, "5"])
@pytest.mark.parametrize(
    ("kind", "unit"),
    [
        ("input", "uncached_input_tokens"),
        ("output", "output_tokens"),
        ("cacheRead", "cache_read_input_tokens"),
        ("cacheCreation", "cache_write_5m_tokens"),
    ],
)
def test_tokens_are_stated_by_type(value: object, kind: str, unit: str) -> None:
    line = only(counter(point(value, type=kind)))

    assert line.models[0].usage == {unit: 5}
    assert (line.session, line.sequence, line.stated_cost) == ("s", AT, 0)
    assert line.models[0].model == "claude-opus-5-5"


def test_cost_is_stated_to_the_picodollar() -> None:
    line = only(counter(point(0.25), name=COST))

    assert line.stated_cost == line.models[0].stated_cost == 250_000_000_000
    assert line.models[0].usage == {}


def test_zero_is_a_count() -> None:
    assert only(counter(point(0))).models[0].usage == {"uncached_input_tokens": 0}


def test_a_cumulative_counter_goes_on_under_its_name() -> None:
    def series(end: int) -> tuple[str, int]:
        line = only(counter(point(end=end), temporality=2))
        return line.series, line.sequence

    (one, earlier), (other, later) = series(NANOS), series(NANOS + 10**9)

    assert one == other
    assert earlier < later


def test_deltas_stand_beside_each_other() -> None:
    one, same, other = (
        only(counter(point(end=end))).series for end in (NANOS, NANOS, NANOS + 1)
    )

    assert one == same
    assert one != other


@pytest.mark.parametrize(
    "other",
    [
        counter(point(model="x")),
        counter(point(type="output")),
        counter(point(agent__name="Explore")),
        counter(point(), name="gen_ai.client.inference.usage.output_tokens"),
    ],
)
def test_each_counter_has_a_series_of_its_own(other: object) -> None:
    assert only(other).series != only(counter(point())).series


def test_the_resource_and_the_project_are_part_of_the_series() -> None:
    plain, host, project = (
        only(counter(point()), **resource).series
        for resource in ({}, {"host": "a"}, {"project": "shop"})
    )

    assert len({plain, host, project}) == 3


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (counter(point(1.5)), "whole number"),
        (counter(point(-1)), "whole number"),
        (counter(point("NaN")), "shape"),
        (counter(point("many")), "shape"),
        (counter(point(1e300)), "whole number"),
        (counter(point(-1), name=COST), "no amount"),
        (counter(point("x"), name=COST), "shape"),
        (counter(point(), temporality=0), "neither a delta"),
        (counter(point(type="thinking")), "type of tokens"),
        (counter(point(end=0)), "time"),
    ],
)
def test_a_point_that_cannot_be_used_is_refused_aloud(bad: object, reason: str) -> None:
    found = heard(bad, counter(point()))

    assert (found.refused, len(found.statements)) == (1, 1)
    assert reason in found.reason


def test_other_counters_of_claude_code_are_known_and_new_ones_are_told() -> None:
    quiet = [
        counter(point(), name="claude_code.session.count"),
        counter(point(), name="http.server.duration"),
    ]
    found = heard(*quiet, counter(point(), point(), name="claude_code.new"))

    assert found.statements == []
    assert [(each.code, n) for each, n in found.findings.items()] == [
        ("otlp-unknown", 2)
    ]


@pytest.mark.parametrize("shape", ["histogram", "exponentialHistogram"])
def test_a_histogram_of_tokens_states_its_sum(shape: str) -> None:
    data = point() | {"sum": 150, "count": "3"}
    del data["asDouble"]
    data["attributes"] = pairs(
        {"gen_ai.token.type": "input", "gen_ai.request.model": "claude-opus-5-5"}
    )
    histogram = {
        "name": "gen_ai.client.token.usage",
        shape: {
            "dataPoints": [data],
            "aggregationTemporality": "AGGREGATION_TEMPORALITY_CUMULATIVE",
        },
    }
    line = only(histogram)

    assert line.models[0].usage == {"gen_ai.usage.input_tokens": 150}
    assert line.models[0].model == "claude-opus-5-5"


def test_a_histogram_without_a_sum_states_nothing() -> None:
    data = point()
    del data["asDouble"]
    found = heard({"name": TOKENS, "histogram": {"dataPoints": [data]}})

    assert (found.refused, found.statements) == (1, [])
